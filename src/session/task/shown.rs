//! The machine's state as everybody sees it.

use crate::session::clock::Clock;
use crate::session::link::{Link, Linking, StopReason};
use crate::session::machine::{Hold, Mode, State, Why};

/// What everybody sees while no connection shows something better.
pub fn shown(state: &State, clock: Clock) -> Link {
    match state.mode {
        Mode::Trying if state.linked => Link::Connecting {
            failures: state.failures,
            next_try: None,
        },
        Mode::Trying => Link::Linking(Linking::default()),
        Mode::Waiting { why, until } => {
            let next_try = clock.instant(until);
            match why {
                Why::Backoff => Link::Connecting {
                    failures: state.failures,
                    next_try: Some(next_try),
                },
                Why::Network => Link::WaitingNetwork { next_try },
                Why::RateLimit => Link::RateLimited { next_try },
                Why::Ban { told } => Link::Banned {
                    until: told.then_some(next_try),
                },
                Why::Outdated => Link::Outdated,
            }
        }
        Mode::Holding(hold) => match hold {
            Hold::Resting => Link::Resting,
            Hold::Conflict => Link::Conflict,
            Hold::Unlinked => Link::Unlinked,
            Hold::Locked => Link::Locked,
            Hold::Refused(code) => Link::Stopped {
                reason: StopReason::Refused(code),
            },
        },
    }
}
