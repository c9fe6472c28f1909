//! What is known of the linked account beside its names: how many of its slots are taken, and when
//! its phone was last seen.
//!
//! It outlives every connection and never the link. Days are counted by the service's time, which
//! no board's clock can falsify; the next look by the monotonic clock. It never writes by itself.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::link::UNSEEN_DAYS;
use super::machine::Moment;
use crate::message::ServerTime;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The phone's being seen is written down no more often than this: every message of the owner's
/// would otherwise be a write.
const COARSE: i64 = 3600;

/// Shared by all clients of a session.
#[derive(Debug, Default)]
pub struct Acquaintance(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    companions: Option<u8>,
    counted: Option<Moment>,
    /// When the phone was last seen.
    seen: Option<ServerTime>,
    /// What of it is on disk.
    kept: Option<ServerTime>,
    /// What time the service had, and when it said so.
    told: Option<(ServerTime, Moment)>,
}

impl Known {
    fn present(&self, now: Moment) -> Option<ServerTime> {
        let (told, at) = self.told?;
        let since = i64::try_from(now.saturating_sub(at).as_secs()).ok()?;
        Some(ServerTime(told.0.saturating_add(since)))
    }
}

impl Acquaintance {
    /// Begins with what is on disk.
    pub fn remember(&self, seen: Option<ServerTime>) {
        let mut known = self.known();
        known.seen = seen;
        known.kept = seen;
    }

    /// The link is no more.
    pub fn forget(&self) {
        *self.known() = Known::default();
    }

    /// The service let us in. Where nobody knows when the phone was seen, the days count from now.
    /// Answers what is to be written down.
    pub fn let_in(&self, time: Option<ServerTime>, now: Moment) -> Option<ServerTime> {
        let mut known = self.known();
        known.told = time.map(|time| (time, now)).or(known.told);
        match known.seen {
            Some(_) => None,
            None => {
                drop(known);
                self.saw_phone(None, now)
            }
        }
    }

    /// The phone said something, at `at` where the stanza tells. Answers what is to be written down.
    pub fn saw_phone(&self, at: Option<ServerTime>, now: Moment) -> Option<ServerTime> {
        let mut known = self.known();
        let present = known.present(now)?;
        let seen = at.map_or(present, |at| at.min(present));
        let seen = known.seen.map_or(seen, |before| before.max(seen));
        known.seen = Some(seen);
        let is_news = known
            .kept
            .is_none_or(|kept| seen.0.saturating_sub(kept.0) >= COARSE);
        is_news.then(|| {
            known.kept = Some(seen);
            seen
        })
    }

    /// Whole days since the phone was seen, once there are enough to warn about.
    pub fn unseen(&self, now: Moment) -> Option<u16> {
        let known = self.known();
        let (present, seen) = (known.present(now)?, known.seen?);
        let days = u16::try_from((present.0 - seen.0) / 86_400).ok()?;
        (days >= UNSEEN_DAYS).then_some(days)
    }

    /// The slots have not been counted for a day.
    pub fn is_count_due(&self, now: Moment) -> bool {
        self.known()
            .counted
            .is_none_or(|counted| now.saturating_sub(counted) >= DAY)
    }

    /// The service has told how many slots are taken.
    pub fn count(&self, companions: u8, now: Moment) {
        let mut known = self.known();
        known.companions = Some(companions);
        known.counted = Some(now);
    }

    /// How many slots are taken, if that was ever told.
    pub fn companions(&self) -> Option<u8> {
        self.known().companions
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: ServerTime = ServerTime(1_795_000_000);
    const START: Moment = Duration::from_secs(50);

    fn days(days: u32) -> Moment {
        START + DAY * days
    }

    #[test]
    fn a_phone_that_was_never_heard_of_counts_from_the_login() {
        let account = Acquaintance::default();
        assert_eq!(account.let_in(Some(LOGIN), START), Some(LOGIN));
        assert_eq!(account.unseen(days(11)), None);
        assert_eq!(account.unseen(days(12)), Some(12));
        assert_eq!(account.unseen(days(13)), Some(13));
    }

    #[test]
    fn seeing_the_phone_ends_the_warning_and_is_written_once_an_hour() {
        let account = Acquaintance::default();
        account.remember(Some(ServerTime(LOGIN.0 - 13 * 86_400)));
        assert_eq!(account.let_in(Some(LOGIN), START), None);
        assert_eq!(account.unseen(START), Some(13));
        let minute = Duration::from_secs(60);
        assert_eq!(account.saw_phone(None, START), Some(LOGIN));
        assert_eq!(account.unseen(START), None);
        assert_eq!(account.saw_phone(None, START + minute), None);
        let later = account.saw_phone(None, START + 61 * minute);
        assert_eq!(later, Some(ServerTime(LOGIN.0 + 61 * 60)));
    }

    #[test]
    fn what_waited_in_the_queue_counts_from_when_it_was_sent() {
        let account = Acquaintance::default();
        account.remember(Some(ServerTime(LOGIN.0 - 14 * 86_400)));
        account.let_in(Some(LOGIN), START);
        let old = ServerTime(LOGIN.0 - 13 * 86_400);
        assert_eq!(account.saw_phone(Some(old), START), Some(old));
        assert_eq!(account.unseen(START), Some(13));
        // A stanza from the future proves no more than that it came now.
        let future = ServerTime(LOGIN.0 + 86_400);
        assert_eq!(account.saw_phone(Some(future), START), Some(LOGIN));
    }

    #[test]
    fn slots_are_counted_once_a_day_and_forgotten_with_the_link() {
        let account = Acquaintance::default();
        assert!(account.is_count_due(START));
        account.count(3, START);
        assert!(!account.is_count_due(START + DAY / 2));
        assert!(account.is_count_due(days(1)));
        assert_eq!(account.companions(), Some(3));
        account.forget();
        assert_eq!(account.companions(), None);
    }
}
