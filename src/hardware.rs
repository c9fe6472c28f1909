//! Display and button.
pub mod frame;
pub use frame::{CodeArea, Frame};
