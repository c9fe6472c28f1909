//! How often a box may take its session back from a copy of itself.
//!
//! Both boxes of a pair hold the same keys, see the same thing and may be told the same role, so
//! each limits itself as if the other never would. The rule: eleven to fifteen minutes after
//! the first loss (whoever made the copy has time to see what it did, and a person to press); two hours after the next; six after that; at most three times in a day.
//!
//! Time is counted while this box runs and by its monotonic clock, and a restart begins the pause
//! anew: no jump of any clock and no restart brings a reclaim forward, and a box that was off for
//! a night only waits longer. An exchange in an hour needs a box that lost; a box that took the
//! session back and lost it again waits longer than an hour. So a pair exchanges the session three
//! times in an hour at most: one start, and one reclaim by each (`tests/pair.rs` tries to do more).
//!
//! What a person takes does not count towards the three. It does make the pauses long, so that a
//! press is answered once at most and begins no fight.

use std::time::Duration;

use super::{Action, Hold, Moment, State, Why};
use crate::session::backoff::Jitter;

/// Takings are forgotten after this long.
pub const DAY: Duration = Duration::from_secs(24 * 3600);

/// So often in a [`DAY`] a box takes its session back by itself.
pub const MOST: usize = 3;

/// The first pause lies between these: two boxes that lost at the same moment do not meet again.
/// Never within ten minutes, which is what every box owes whoever replaced it.
const FIRST: (Duration, Duration) = (Duration::from_secs(660), Duration::from_secs(900));

/// The pause after a person's taking, or the box's first.
const SECOND: Duration = Duration::from_secs(2 * 3600);

/// The pause after the box's second taking.
const THIRD: Duration = Duration::from_secs(6 * 3600);

/// One time that the session was taken from somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taking {
    /// How long ago, in time that this box ran.
    pub age: Duration,
    /// Somebody pressed the button.
    pub by_person: bool,
}

/// The takings of the last day.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Takings {
    /// Oldest first; ages as of `at`.
    past: Vec<Taking>,
    at: Moment,
    /// The latest has been decided upon and not been seen online: it may happen at any time yet.
    under_way: bool,
}

impl Takings {
    /// As an earlier process left them. What passed meanwhile is not known, so nothing has.
    pub fn restored(past: Vec<Taking>, under_way: bool, now: Moment) -> Self {
        Self {
            past,
            at: now,
            under_way,
        }
    }

    /// As they are to be kept.
    pub fn past(&self) -> &[Taking] {
        &self.past
    }

    /// See [`Self::restored`].
    pub fn is_under_way(&self) -> bool {
        self.under_way
    }

    /// Lets time pass.
    pub fn age_to(&mut self, now: Moment) {
        let passed = now.saturating_sub(self.at);
        self.at = now;
        for taking in &mut self.past {
            taking.age += passed;
        }
        self.past.retain(|taking| taking.age < DAY);
    }

    /// The session is about to be taken.
    pub(super) fn take(&mut self, by_person: bool, now: Moment) {
        self.age_to(now);
        if by_person {
            // Only the latest matters, and somebody may press all day.
            self.past.retain(|taking| !taking.by_person);
        }
        self.past.push(Taking {
            age: Duration::ZERO,
            by_person,
        });
        self.under_way = true;
    }

    /// A taking that had to wait for a network counts from when it happened.
    pub(super) fn happened(&mut self, ago: Duration, now: Moment) {
        if !std::mem::take(&mut self.under_way) {
            return;
        }
        self.age_to(now);
        match self.past.last_mut() {
            Some(latest) => latest.age = latest.age.min(ago),
            // It waited for so long that it was forgotten.
            None => self.past.push(Taking {
                age: ago,
                by_person: false,
            }),
        }
    }

    /// How long after a loss at `now` the box takes its session back.
    pub(super) fn pause(&mut self, now: Moment, jitter: Jitter) -> Duration {
        self.age_to(now);
        if self.past.is_empty() {
            return jitter.between(FIRST.0, FIRST.1);
        }
        let own: Vec<_> = self
            .past
            .iter()
            .filter(|taking| !taking.by_person)
            .collect();
        let pause = match (own.len(), own.first()) {
            (MOST.., Some(oldest)) => THIRD.max(DAY.saturating_sub(oldest.age)),
            (2, _) => THIRD,
            _ => SECOND,
        };
        jitter.lengthen(pause)
    }
}

impl State {
    /// The primary of production waits for its turn, all others for a person.
    pub(super) fn contested(mut self, now: Moment, jitter: Jitter) -> (Self, Action) {
        if !self.may_reclaim {
            return self.holding(Hold::Conflict);
        }
        let pause = self.takings.pause(now, jitter);
        self.waiting(Why::Conflict, now + pause)
    }

    /// Takes the session from whoever has it.
    pub(super) fn taking(mut self, by_person: bool, now: Moment) -> (Self, Action) {
        self.takings.take(by_person, now);
        self.failures = 0;
        self.trying(true)
    }
}
