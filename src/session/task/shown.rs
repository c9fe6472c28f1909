//! The machine's state as everybody sees it.

use tokio::sync::watch;

use crate::session::clock::Clock;
use crate::session::link::{Link, LinkTrouble, Linking, StopReason};
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
            Hold::Passkey => Link::Linking(Linking {
                trouble: Some(LinkTrouble::PasskeyWanted),
                ..Linking::default()
            }),
            Hold::Conflict => Link::Conflict,
            Hold::Unlinked => Link::Unlinked,
            Hold::Locked => Link::Locked,
            Hold::Refused(code) => Link::Stopped {
                reason: StopReason::Refused(code),
            },
        },
    }
}

/// Logs every change of the state by its name alone, which says nothing about anybody. Ends with
/// the session.
pub async fn tell(mut link: watch::Receiver<Link>) {
    let mut told = Link::Starting.name();
    while link.changed().await.is_ok() {
        let name = link.borrow_and_update().name();
        if name != told {
            tracing::info!(link = name, before = told, "the link's state");
            told = name;
        }
    }
}
