//! The session's time: a monotonic clock that tests may speed up, and a wall clock that does not
//! jump while a connection is up.
//!
//! A board without a real-time clock starts at a wrong time and is set right by the network. So
//! every wait is measured on the monotonic clock, and the wall time that the protocol crate stamps
//! on what it signs and compares is *anchored*: read from the kernel once, then advanced by the
//! monotonic clock. The anchor is renewed only between two connections ([`Clock::anchor`]), so the
//! crate measures no interval across a jump, and yet learns the right time with the first
//! connection after the network told it to the kernel. The drift within one connection is
//! negligible: the kernel disciplines the monotonic clock's rate as well.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use wacore::time::TimeProvider;

use super::machine::Moment;

/// No clock that is right can be before this: 1 November 2026, when this code was young. TLS
/// rejects certificates issued after the time it believes in, so connecting earlier is no use.
const YOUNGEST: Duration = Duration::from_secs(1_793_491_200);

/// Created by systemd-timesyncd when the kernel's clock was set from the network.
pub const SYNCHRONIZED: &str = "/run/systemd/timesync/synchronized";

/// Measures and waits for the session. Cheap to clone.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    scale: NonZeroU32,
    origin: Instant,
    /// The kernel's wall time since 1970, right or wrong.
    wall: fn() -> Duration,
    /// The file that says that it is right.
    synchronized: &'static str,
}

impl Clock {
    /// The clock of a real box.
    pub fn real() -> Self {
        Self::scaled(NonZeroU32::MIN)
    }

    /// A clock on which everything the session and the protocol crate wait for passes `scale`
    /// times as fast. For tests and measurements only.
    pub fn scaled(scale: NonZeroU32) -> Self {
        // One door for the process; it looks for the anchor of the thread that asks.
        if wacore::time::set_time_provider(AnchoredWall).is_err() {
            tracing::trace!("the protocol crate has its clock already");
        }
        let clock = Self {
            scale,
            origin: Instant::now(),
            wall: kernel_wall,
            synchronized: SYNCHRONIZED,
        };
        clock.anchor();
        clock
    }

    /// A real clock on a board whose kernel believes in another time.
    #[cfg(test)]
    pub(super) fn with_wall(wall: fn() -> Duration) -> Self {
        Self {
            wall,
            synchronized: "/nonexistent",
            ..Self::real()
        }
    }

    /// Time since this clock was made, as the session counts it.
    pub(super) fn now(&self) -> Moment {
        self.origin.elapsed().saturating_mul(self.scale.get())
    }

    /// When `moment` comes, as everybody else counts.
    pub(super) fn instant(&self, moment: Moment) -> Instant {
        self.origin + self.real_of(moment)
    }

    /// How long `nominal` takes in earnest.
    pub(crate) fn real_of(&self, nominal: Duration) -> Duration {
        nominal / self.scale.get()
    }

    /// Like [`Self::real_of`], for limits on work that does not go faster because a test is in a
    /// hurry: never under two seconds unless `nominal` is.
    pub(super) fn limit(&self, nominal: Duration) -> Duration {
        self.real_of(nominal)
            .max(nominal.min(Duration::from_secs(2)))
    }

    /// Takes the kernel's wall time over, for this thread and until the next call. To be called
    /// while no connection is up.
    pub(super) fn anchor(&self) {
        let mut anchor = Anchor {
            wall: (self.wall)(),
            at: std::time::Instant::now(),
            scale: self.scale.get(),
        };
        if let Some(before) = ANCHOR.get() {
            anchor.scale = anchor.scale.max(before.scale);
            // A scaled wall has run ahead of the kernel's on purpose and must not go back.
            if anchor.scale > 1 {
                anchor.wall = anchor.wall.max(before.wall_now());
            }
        }
        ANCHOR.set(Some(anchor));
    }

    /// The kernel's wall time in milliseconds since 1970, right or wrong.
    pub(super) fn wall_ms(&self) -> i64 {
        i64::try_from((self.wall)().as_millis()).unwrap_or(i64::MAX)
    }

    /// The wall clock can be believed: the kernel's clock was set from the network, or at least
    /// does not contradict the age of this code.
    pub(super) fn is_plausible(&self) -> bool {
        (self.wall)() >= YOUNGEST || Path::new(self.synchronized).exists()
    }
}

fn kernel_wall() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// Wall time as the protocol crate sees it.
#[derive(Clone, Copy)]
struct Anchor {
    wall: Duration,
    at: std::time::Instant,
    /// The crate compares wall times with waits it made through its runtime, so both must pass
    /// equally fast.
    scale: u32,
}

impl Anchor {
    fn wall_now(&self) -> Duration {
        self.wall + self.at.elapsed().saturating_mul(self.scale)
    }
}

thread_local! {
    /// The session, its runtime and the protocol crate share one thread. The few threads that do
    /// blocking work for them, which have no anchor, see the kernel's time.
    static ANCHOR: Cell<Option<Anchor>> = const { Cell::new(None) };
}

struct AnchoredWall;

impl TimeProvider for AnchoredWall {
    fn now_millis(&self) -> i64 {
        let wall = ANCHOR
            .get()
            .map_or_else(kernel_wall, |anchor| anchor.wall_now());
        i64::try_from(wall.as_millis()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_scaled_clock_passes_faster_and_names_real_instants() {
        let clock = Clock::scaled(NonZeroU32::new(60).unwrap());
        let begun = Instant::now();
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(clock.now(), Duration::from_secs(600));
        assert_eq!(clock.instant(Duration::from_secs(600)), Instant::now());
        assert_eq!(clock.instant(Duration::ZERO), begun);
        assert_eq!(
            clock.real_of(Duration::from_secs(30)),
            Duration::from_millis(500)
        );
        assert_eq!(clock.limit(Duration::from_secs(30)), Duration::from_secs(2));
        assert_eq!(clock.limit(Duration::from_secs(1)), Duration::from_secs(1));
    }

    #[test]
    fn a_real_wall_is_the_kernels_and_a_scaled_one_never_goes_back() {
        let off = |wall_ms: i64| (wall_ms - Clock::real().wall_ms()).abs();
        Clock::real().anchor();
        assert!(off(AnchoredWall.now_millis()) < 5_000);
        ANCHOR.set(Some(Anchor {
            wall: kernel_wall() + Duration::from_secs(9_000),
            at: std::time::Instant::now(),
            scale: 60,
        }));
        Clock::real().anchor();
        assert!(off(AnchoredWall.now_millis()) >= 8_999_000);
    }
}
