//! The alerts' clock: seconds that only run forward, go on across restarts, and pass faster in a
//! test that is in a hurry. How long the box was off is known as well as its clock is; where that
//! cannot be right, the time is taken for none, and an alert comes a little later.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

use super::plan::Moment;
use super::record::State;
use crate::history::Stamp;

/// No outage is believed to be longer than this, in seconds: a clock may have jumped.
const LONGEST: u64 = 7 * 24 * 3_600;

/// See the module's description.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    base: Moment,
    origin: Instant,
    scale: NonZeroU32,
}

impl Time {
    /// Goes on where `state` was written.
    pub fn after(state: &State, now: &Stamp, scale: NonZeroU32) -> Self {
        let off = state.clock_at.map_or(0, |at| now.since(&at.into()));
        Self {
            base: state.clock + off.min(LONGEST),
            origin: Instant::now(),
            scale,
        }
    }

    /// This moment.
    pub fn now(&self) -> Moment {
        let passed = self.origin.elapsed().saturating_mul(self.scale.get());
        self.base + passed.as_secs()
    }

    /// When a moment comes, as everybody else counts.
    pub fn instant(&self, moment: Moment) -> Instant {
        let ahead = Duration::from_secs(moment.saturating_sub(self.base));
        self.origin + ahead / self.scale.get()
    }
}
