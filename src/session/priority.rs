//! Which box may want a number's session for itself. Values only; what follows from them is
//! decided in [`super::machine`].

use super::Settings;

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

impl Settings {
    /// After a conflict this box may take the session back by itself. All others yield and wait for
    /// a person: a box that is tried out or worked on is not worth a customer's answer.
    pub(super) fn may_reclaim(&self) -> bool {
        match (self.role, self.rank) {
            (Role::Production, Rank::Primary) => true,
            (Role::Production, Rank::Secondary)
            | (Role::Staging | Role::Development, Rank::Primary | Rank::Secondary) => false,
        }
    }

    /// This box must not be linked to `number`, given by its digits.
    pub(super) fn forbids(&self, number: &str) -> bool {
        match self.role {
            Role::Production => false,
            Role::Staging | Role::Development => self
                .production_numbers
                .iter()
                .any(|listed| listed == number),
        }
    }
}
