//! Stories of phones.
