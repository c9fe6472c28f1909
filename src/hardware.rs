//! A display and a button, whichever they are. Every board opens to the same [`Board`]; the fakes
//! (`headless`, `desk`) are boards like any other, chosen by their name.
//!
//! This room knows pixels and edges. It never knows what a picture means or what a press does,
//! and imports nothing of the rest of the house but the reader of TOML.

use std::io;

use embedded_graphics::geometry::Size;
use tokio::sync::oneshot;

pub mod button;
pub mod catalog;
mod changes;
pub mod check;
mod contact;
pub mod desk;
mod drive;
mod epaper;
pub mod frame;
pub mod framebuffer;
pub mod headless;
mod lcd;
mod light;
mod lines;
mod oled;
pub mod press;
pub mod profile;
#[cfg(test)]
mod tests;
mod wire;
mod wired;

pub use button::{Button, PhysicalEdge, RemoteButton, RemoteGone, RemotePress, Source};
pub use catalog::{ProfileError, names, profile};
pub use drive::{DisplayThread, drive};
pub use frame::{CodeArea, Frame};
pub use press::{ButtonEvent, Edge};

/// What a display can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// Every colour.
    #[default]
    Colour,
    /// A dot is lit or it is not.
    Mono,
}

/// What whoever draws must know of a display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glass {
    /// Pixels.
    pub size: Size,
    /// What a pixel can show.
    pub depth: Depth,
    /// The fewest pixels along a module of a QR that a camera can read off this glass.
    pub least_module: u32,
    /// Whether it is quick enough for a countdown.
    pub countdown: bool,
    /// Whether dots wear out as they glow.
    pub wears: bool,
}

impl Glass {
    /// A colour display of some size.
    pub fn colour(size: Size) -> Self {
        Self {
            size,
            depth: Depth::Colour,
            least_module: 2,
            countdown: true,
            wears: false,
        }
    }
}

/// Where pictures go. Driven on a thread of its own, so it may block.
pub trait Display: Send {
    /// Pixels.
    fn size(&self) -> Size;

    /// Shows a picture; what has not changed need not be sent.
    ///
    /// # Errors
    /// When the picture did not get there. It is tried again, with the latest picture.
    fn present(&mut self, frame: &Frame) -> io::Result<()>;

    /// Takes the last picture off the glass, which may keep it for years, and lets it rest.
    ///
    /// # Errors
    /// When the display did not take it.
    fn rest(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How a display is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DisplayHealth {
    /// It shows pictures, or has not been given one yet.
    #[default]
    Shows,
    /// It takes no pictures, and is tried again all the time.
    Fails(String),
}

/// A board, opened.
pub struct Board {
    /// The name it was selected by.
    pub name: String,
    /// What it shows pictures on.
    pub glass: Glass,
    /// Goes to [`drive`].
    pub display: Box<dyn Display>,
    /// Goes to the panel.
    pub button: Button,
    /// Presses over the network: only boards without a real button have it.
    pub remote: Option<RemoteButton>,
    /// Completed when a person at the board's own keyboard wants the process to end.
    pub quit: Option<oneshot::Receiver<()>>,
}

/// Why a board could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such board, or its file is faulty.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The desk board needs a terminal.
    #[error("the desk board needs a terminal: {0}; without one, use --board headless")]
    Terminal(#[source] io::Error),
}

/// Opens a board, by its name or its file's path; needs a runtime. `size` overrides what the fakes
/// would choose; `log` is where the desk board shows the log while it owns the terminal. A display
/// or a button that is not there is no error: it is looked for again.
///
/// # Errors
/// When the board is unknown, or its file faulty, or there is no terminal where one is needed.
pub fn open(name: &str, size: Option<Size>, log: &desk::LogLine) -> Result<Board, OpenError> {
    let profile = profile(name)?;
    let mut board = match profile.display.driver {
        profile::Driver::Headless => headless::open(size.or(Some(profile.display.size))),
        profile::Driver::Desk => desk::open(size, log).map_err(OpenError::Terminal)?,
        _ => wired::open(name, &profile),
    };
    board.name = name.to_owned();
    Ok(board)
}

/// The glass of a board that is not opened, to draw for it elsewhere.
///
/// # Errors
/// When the board is unknown, or its file faulty.
pub fn glass(name: &str) -> Result<Glass, OpenError> {
    Ok(profile(name)?.glass())
}
