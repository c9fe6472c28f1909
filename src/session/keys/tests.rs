//! The promises a backend makes to the protocol crate.
