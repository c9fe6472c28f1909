//! Which box may want a number's session for itself. Values only; what follows from them is
//! decided in [`super::machine`].

/// What a box is there for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// It serves customers.
    #[default]
    Production,
    /// It is tried out before it serves customers.
    Staging,
    /// Somebody works on it.
    Development,
}

/// Which of the boxes with the same role and number comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rank {
    /// The one that speaks.
    #[default]
    Primary,
    /// The one that stands by.
    Secondary,
}
