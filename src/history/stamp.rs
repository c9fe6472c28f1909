//! When something happened: by the board's uptime, which never lies, and by the clock, which does
//! after a power cut until the network or the service has told the time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::inbox::ServiceClock;
use crate::session::SYNCHRONIZED;

/// A moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Which run of the board; 0 where the system does not say.
    pub boot: u64,
    /// Seconds since the board came up.
    pub uptime: u64,
    /// Seconds since 1970.
    pub clock: i64,
    /// The clock was right, as far as can be known.
    pub sure: bool,
}

impl Stamp {
    /// How long after `earlier` this was, in seconds; by uptime where both are of one run.
    pub fn since(&self, earlier: &Stamp) -> u64 {
        if self.boot == earlier.boot && self.boot != 0 {
            return self.uptime.saturating_sub(earlier.uptime);
        }
        u64::try_from(self.clock.saturating_sub(earlier.clock)).unwrap_or(0)
    }

    /// Sets an earlier moment's clock right by what is known now. `true` if that changed it.
    pub fn redate(&mut self, now: &Stamp) -> bool {
        let can = now.sure && !self.sure && self.boot == now.boot && self.boot != 0;
        if can {
            let ago = i64::try_from(now.uptime.saturating_sub(self.uptime)).unwrap_or(i64::MAX);
            self.clock = now.clock.saturating_sub(ago);
            self.sure = true;
        }
        can
    }
}

/// Stamps moments.
#[derive(Clone, Debug)]
pub struct Stamper {
    boot: u64,
    /// How long the board had been up at `origin`.
    up: Duration,
    origin: Instant,
    service: ServiceClock,
}

impl Stamper {
    /// Asks the system once; from then on time is measured.
    pub fn new(service: ServiceClock) -> Self {
        Self::at(boot(), up(), service)
    }

    /// On a board that has been up for so long.
    pub(crate) fn at(boot: u64, up: Duration, service: ServiceClock) -> Self {
        Self {
            boot,
            up,
            origin: Instant::now(),
            service,
        }
    }

    /// This moment.
    pub fn now(&self) -> Stamp {
        let told = self.service.sure();
        let synchronized = || std::path::Path::new(SYNCHRONIZED).exists();
        Stamp {
            boot: self.boot,
            uptime: (self.up + self.origin.elapsed()).as_secs(),
            clock: told.map_or_else(wall, |time| time.0),
            sure: told.is_some() || synchronized(),
        }
    }
}

fn wall() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

fn boot() -> u64 {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = id
        .chars()
        .filter(char::is_ascii_hexdigit)
        .take(16)
        .collect();
    u64::from_str_radix(&digits, 16).unwrap_or(0)
}

fn up() -> Duration {
    std::fs::read_to_string("/proc/uptime")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::ServerTime;

    #[tokio::test(start_paused = true)]
    async fn a_wrong_clock_is_set_right_once_the_service_has_told_the_time() {
        let service = ServiceClock::default();
        let stamper = Stamper::at(7, Duration::from_secs(100), service.clone());
        let mut woke = Stamp {
            sure: false,
            ..stamper.now()
        };
        tokio::time::advance(Duration::from_secs(40)).await;
        service.observe(ServerTime(2_000_000_000), true);
        let now = stamper.now();
        assert_eq!(
            (now.uptime, now.clock, now.sure),
            (140, 2_000_000_000, true)
        );
        assert!(woke.redate(&now));
        assert_eq!((woke.clock, woke.sure), (1_999_999_960, true));
        assert!(!woke.redate(&now), "once is enough");
    }

    #[test]
    fn another_run_of_the_board_is_never_dated_by_this_one() {
        let now = Stamp {
            boot: 8,
            uptime: 10,
            clock: 500,
            sure: true,
        };
        let mut before = Stamp {
            boot: 7,
            uptime: 900,
            clock: 100,
            sure: false,
        };
        assert!(!before.redate(&now));
        assert_eq!(now.since(&before), 400);
    }
}
