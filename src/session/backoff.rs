//! How long to leave the service alone after a failure. Numbers only.

use std::time::Duration;

/// No wait is longer, however often it failed (as the web client has it).
pub const LONGEST: Duration = Duration::from_secs(900);

/// A connection must have been online this long before earlier failures are forgotten (as the web
/// client has it): a server that lets us in and drops us would otherwise see us once a second.
pub const STABLE: Duration = Duration::from_secs(30);

/// Being rate-limited is forgotten only after this long online.
pub const FORGIVEN: Duration = Duration::from_secs(900);

/// Every rate limit counts for this many failures: 89 s after the first, 900 s from then on.
const RATE_LIMIT_STEPS: u32 = 10;

/// A random number between -1 and 1, handed in so that every decision can be repeated in a test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter(f64);

impl Jitter {
    /// No deviation: for tests and for waits that must not deviate.
    pub const NONE: Self = Self(0.0);

    /// From the seeds the standard library draws for its hash maps.
    pub fn by_chance() -> Self {
        use std::hash::{BuildHasher as _, RandomState};
        Self::of(RandomState::new().hash_one(0))
    }

    /// Spreads any number evenly over -1 to 1.
    pub fn of(random: u64) -> Self {
        // 53 bits are what a double holds exactly.
        let unit = (random >> 11) as f64 / (1_u64 << 53) as f64;
        Self(unit * 2.0 - 1.0)
    }

    /// `wait` and up to a tenth more, never less.
    pub fn lengthen(self, wait: Duration) -> Duration {
        wait.mul_f64(1.0 + 0.05 * (self.0 + 1.0))
    }

    /// Somewhere between two lengths of time.
    pub fn between(self, least: Duration, most: Duration) -> Duration {
        least + most.saturating_sub(least).mul_f64((self.0 + 1.0) / 2.0)
    }

    /// `wait` and up to a tenth more or less.
    pub fn apply(self, wait: Duration) -> Duration {
        wait.mul_f64(1.0 + 0.1 * self.0)
    }
}

/// The wait before the next attempt when `failures` attempts failed in a row before the latest:
/// 1, 1, 2, 3, 5 s and so on, at most [`LONGEST`].
pub fn wait(failures: u32) -> Duration {
    let (mut this, mut next) = (1_u64, 1_u64);
    for _ in 0..failures {
        (this, next) = (next, this.saturating_add(next));
        if this >= LONGEST.as_secs() {
            return LONGEST;
        }
    }
    Duration::from_secs(this)
}

/// The wait after the `times`-th rate limit, counting from 1.
pub fn rate_limit_wait(times: u32) -> Duration {
    wait(times.saturating_mul(RATE_LIMIT_STEPS))
}

/// The wait after the `times`-th refusal of our version, counting from 1. The first one is short:
/// by then the version page has been read anew, which mends it most times.
pub fn outdated_wait(times: u32) -> Duration {
    const HOUR: u64 = 3600;
    Duration::from_secs(match times {
        0 | 1 => 60,
        2 => HOUR,
        3 => 6 * HOUR,
        4.. => 24 * HOUR,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_like_the_web_clients() {
        let seconds: Vec<u64> = (0..18).map(|failures| wait(failures).as_secs()).collect();
        assert_eq!(
            seconds,
            [
                1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 900, 900, 900
            ]
        );
        assert_eq!(wait(u32::MAX), LONGEST);
    }

    #[test]
    fn a_rate_limit_waits_longer_than_a_failure() {
        assert_eq!(rate_limit_wait(1).as_secs(), 89);
        assert_eq!(rate_limit_wait(2), LONGEST);
        assert!(rate_limit_wait(1) > wait(1));
    }

    #[test]
    fn jitter_stays_within_a_tenth() {
        let wait = Duration::from_secs(100);
        for (random, least, most) in [(0, 89.9, 90.1), (u64::MAX, 109.9, 110.1)] {
            let jittered = Jitter::of(random).apply(wait).as_secs_f64();
            assert!((least..=most).contains(&jittered), "{jittered}");
        }
        assert_eq!(Jitter::NONE.apply(wait), wait);
    }
}
