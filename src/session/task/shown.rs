//! The machine's state as everybody sees it.

use tokio::sync::watch;

use super::Session;
use crate::session::clock::Clock;
use crate::session::link::{Link, LinkTrouble, Linking, StopReason};
use crate::session::machine::{Hold, Mode, State, Why};

/// After so many rounds of codes that nobody scanned the phone may be full.
const FULL_AFTER: u32 = 2;

/// What everybody sees while no connection shows something better.
fn shown(state: &State, clock: Clock) -> Link {
    match state.mode {
        Mode::Trying if state.linked => Link::Connecting {
            failures: state.failures,
            next_try: None,
        },
        Mode::Trying => Link::Linking(Linking {
            maybe_full: state.rounds >= FULL_AFTER,
            ..Linking::default()
        }),
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
                Why::Conflict => Link::Conflict {
                    next_try: Some(next_try),
                },
            }
        }
        Mode::Holding(hold) => match hold {
            Hold::Resting => Link::Resting,
            Hold::PasskeyRefused => Link::Linking(Linking {
                trouble: Some(LinkTrouble::PasskeyRefused),
                ..Linking::default()
            }),
            Hold::PasskeyLate => Link::Linking(Linking {
                trouble: Some(LinkTrouble::PasskeyLate),
                ..Linking::default()
            }),
            Hold::Conflict => Link::Conflict { next_try: None },
            Hold::Unlinked { by, at } => Link::Unlinked {
                by,
                at: clock.instant(at),
            },
            Hold::Forbidden => Link::Stopped {
                reason: StopReason::ProductionNumber,
            },
            Hold::Locked => Link::Locked,
            Hold::Refused(code) => Link::Stopped {
                reason: StopReason::Refused(code),
            },
        },
    }
}

impl Session {
    /// Shows what the machine has come to.
    pub(super) fn show(&self) {
        let link = match shown(&self.state, self.context.clock) {
            // Until the service has been told that this device is gone.
            _ if self.guarded && self.state.linked => Link::Stopped {
                reason: StopReason::ProductionNumber,
            },
            link => link,
        };
        // A box that waits goes on waiting while it tries: its screen would flicker otherwise.
        let waits = match &*self.context.link.borrow() {
            Link::WaitingNetwork { .. } => true,
            Link::Connecting { failures, .. } => *failures > 0 && !self.state.linked,
            _ => false,
        };
        if waits && self.state.mode == Mode::Trying {
            return;
        }
        self.context.link.send_modify(|current| {
            let trouble = match (&*current, &link) {
                (Link::Linking(linking), Link::Linking(_)) => linking.trouble,
                _ => None,
            };
            *current = link;
            if let Link::Linking(linking) = current {
                linking.trouble = linking.trouble.or(trouble);
            }
        });
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
