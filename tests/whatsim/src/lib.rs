//! A simulated WhatsApp.

pub mod directory;
pub mod phone;
