//! A simulated WhatsApp.
