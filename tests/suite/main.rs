//! The promises of the whole box, in one binary: one link step. Every module is a story, every
//! test is named after what a person would see.
//!
//! Tests wait for events, never for time to pass.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod alerts;
mod cut;
mod face;
mod full;
mod history;
mod passkey;
mod process;
mod session;
mod shop;
mod states;
mod story;
mod town;
mod voice;
mod watchdog;
