//! The face of the box.
pub mod area;
pub mod canvas;
pub mod draw;
pub mod emblem;
pub mod fit;
pub mod font;
#[cfg(test)]
mod looks;
pub mod qr;
pub mod sample;
pub mod screen;
pub mod text;
pub mod theme;
