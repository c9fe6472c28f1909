//! The promises of the whole box, tested against a simulated WhatsApp in this process. One binary,
//! one link step; every module is a story, every test is named after what a person would see.
//!
//! Tests wait for events, never for time to pass.

mod session;
