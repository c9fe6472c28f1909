//! What a state of the link means as an event. Pure; nobody matches on [`Link`] with a `_` arm, so
//! that a new state forces a decision here.

use tokio::time::Instant;

use super::log::Event;
use super::stamp::Stamp;
use super::words::{Cause, Did, What};
use crate::session::Link;
use crate::session::link::{LinkTrouble, Passkey, Remover, StopReason};

/// What has been seen of the link so far, as far as it matters for what comes next.
#[derive(Debug, Default)]
pub struct Seen {
    last: Option<(What, Option<Cause>)>,
    online_since: Option<Instant>,
}

impl Seen {
    /// The link's state is this now: what there is to tell of it, in order. Mostly nothing: a
    /// fresh code or another attempt is no news.
    pub fn take(&mut self, link: &Link, now: Instant, stamp: &Stamp) -> Vec<Event> {
        let mut events = Vec::new();
        if let Link::Online(account) = link {
            let since = self.online_since.replace(account.since);
            let was_online = matches!(self.last, Some((What::Online, _)));
            if was_online && since.is_some_and(|since| since != account.since) {
                // Between two looks it was gone.
                events.push(lost());
                self.last = None;
            }
        }
        if let Some(event) = self.event(link, now, stamp) {
            let key = (event.what, event.cause);
            // Attempts that fail after a broken connection are still that broken connection.
            let goes_on =
                event.what == What::Connecting && matches!(self.last, Some((What::Connecting, _)));
            if self.last != Some(key) && !goes_on {
                self.last = Some(key);
                events.push(event);
            }
        }
        events
    }

    fn event(&self, link: &Link, now: Instant, stamp: &Stamp) -> Option<Event> {
        let until = |moment: Instant| {
            let ahead = moment.saturating_duration_since(now).as_secs();
            Some(stamp.clock.saturating_add(i64::try_from(ahead).ok()?))
        };
        Some(match link {
            Link::Starting => return None,
            Link::WaitingNetwork { .. } => Event::new(What::WaitingNetwork)
                .because(Cause::NoRoute)
                .so(Did::TriesAgain),
            Link::WaitingTime => Event::new(What::WaitingTime)
                .because(Cause::ClockNotSet)
                .so(Did::TriesAgain),
            Link::Connecting { .. } if matches!(self.last, Some((What::Online, _))) => lost(),
            // The first attempt is no news; its outcome is.
            Link::Connecting { failures: 0, .. } => return None,
            Link::Connecting { .. } => Event::new(What::Connecting)
                .because(Cause::NoAnswer)
                .so(Did::TriesAgain),
            Link::Linking(linking) => {
                let event = Event::new(What::Linking).so(Did::ShowsCodes);
                match linking.trouble {
                    None => event,
                    Some(LinkTrouble::NotMultidevice) => event.because(Cause::NotMultidevice),
                    Some(LinkTrouble::PasskeyRefused) => Event::new(What::Linking)
                        .because(Cause::PasskeyRefused)
                        .so(Did::StaysAway),
                    Some(LinkTrouble::PasskeyLate) => Event::new(What::Linking)
                        .because(Cause::PasskeyLate)
                        .so(Did::StaysAway),
                    Some(LinkTrouble::Refused) => event.because(Cause::LinkRefused),
                }
            }
            // What lies between is the same story.
            Link::Passkey(Passkey::Checking { .. }) => return None,
            Link::Passkey(Passkey::Wanted(_)) => Event::new(What::Linking)
                .because(Cause::PasskeyWanted)
                .so(Did::WaitsForPasskey),
            Link::Passkey(Passkey::Compare(_)) => Event::new(What::Linking)
                .because(Cause::PasskeyGiven)
                .so(Did::ShowsCodes),
            Link::Resting => Event::new(What::Resting).so(Did::StaysAway),
            Link::Online(_) => Event::new(What::Online),
            Link::Conflict { next_try } => Event {
                until: next_try.and_then(until),
                ..Event::new(What::Conflict)
                    .because(Cause::SameKeysElsewhere)
                    .so(match next_try {
                        Some(_) => Did::TakesBack,
                        None => Did::StaysAway,
                    })
            },
            Link::Unlinked { by, .. } => Event::new(What::Unlinked)
                .because(match by {
                    Remover::Owner => Cause::RemovedByOwner,
                    Remover::Untold => Cause::RemovedOutside,
                })
                .so(Did::DeletedKeys),
            Link::Locked => Event::new(What::Locked)
                .because(Cause::Service)
                .so(Did::StaysAway),
            Link::Banned { until: end } => Event {
                until: end.and_then(until),
                ..Event::new(What::Banned)
                    .because(Cause::Service)
                    .so(Did::Waits)
            },
            Link::Outdated => Event::new(What::Outdated)
                .because(Cause::Service)
                .so(Did::Waits),
            Link::RateLimited { next_try } => Event {
                until: until(*next_try),
                ..Event::new(What::RateLimited)
                    .because(Cause::Service)
                    .so(Did::Waits)
            },
            Link::Stopped {
                reason: StopReason::Refused(code),
            } => Event {
                code: Some(u32::from(*code)),
                ..Event::new(What::Stopped)
                    .because(Cause::Service)
                    .so(Did::StaysAway)
            },
            Link::Stopped {
                reason: StopReason::MarkedDirectory,
            } => Event::new(What::Stopped).because(Cause::MarkedDirectory),
            // Without a store there is no history either.
            Link::Stopped {
                reason: StopReason::NoRoom,
            } => return None,
            Link::Stopped {
                reason: StopReason::ProductionNumber,
            } => Event::new(What::Stopped)
                .because(Cause::ProductionNumber)
                .so(Did::DeletedKeys),
            Link::Resetting => Event::new(What::Resetting)
                .because(Cause::Person)
                .so(Did::Erased),
        })
    }
}

fn lost() -> Event {
    Event::new(What::Connecting)
        .because(Cause::ConnectionLost)
        .so(Did::TriesAgain)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::session::link::{Account, Linking};

    fn online(since: Instant) -> Link {
        Link::Online(Account {
            name: "Tienda".into(),
            ..Account::new("573000000001", since)
        })
    }

    fn trying(failures: u32) -> Link {
        Link::Connecting {
            failures,
            next_try: None,
        }
    }

    fn told(links: &[Link]) -> Vec<(What, Option<Cause>)> {
        let mut seen = Seen::default();
        let now = Instant::now();
        links
            .iter()
            .flat_map(|link| seen.take(link, now, &Stamp::default()))
            .map(|event| (event.what, event.cause))
            .collect()
    }

    #[test]
    fn a_day_of_a_box_is_told_in_a_few_lines() {
        let now = Instant::now();
        let refreshed = Link::Linking(Linking::default());
        let named = Link::Online(Account {
            name: "Otro".into(),
            ..match online(now) {
                Link::Online(account) => account,
                _ => return,
            }
        });
        let links = [
            Link::Starting,
            refreshed.clone(),
            refreshed,
            trying(0),
            online(now),
            named,
            trying(1),
            trying(2),
            online(now + Duration::from_secs(60)),
            Link::Unlinked {
                by: Remover::Owner,
                at: now,
            },
        ];
        assert_eq!(
            told(&links),
            [
                (What::Linking, None),
                (What::Online, None),
                (What::Connecting, Some(Cause::ConnectionLost)),
                (What::Online, None),
                (What::Unlinked, Some(Cause::RemovedByOwner)),
            ]
        );
    }

    #[test]
    fn a_break_that_nobody_saw_is_told_all_the_same() {
        let now = Instant::now();
        let links = [online(now), online(now + Duration::from_secs(9))];
        let told: Vec<_> = told(&links).into_iter().map(|(what, _)| what).collect();
        assert_eq!(told, [What::Online, What::Connecting, What::Online]);
    }

    #[test]
    fn what_is_given_for_a_while_carries_its_end() {
        let now = Instant::now();
        let stamp = Stamp {
            clock: 1_000,
            ..Stamp::default()
        };
        let link = Link::Banned {
            until: Some(now + Duration::from_secs(60)),
        };
        let events = Seen::default().take(&link, now, &stamp);
        assert_eq!(events[0].until, Some(1_060));
    }
}
