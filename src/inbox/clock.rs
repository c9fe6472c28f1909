//! What time the service has, as far as the box can know. The board's wall clock jumps and is
//! wrong after a power cut, so it is asked last.
//!
//! A message's time is never later than the service's own, so the latest time seen, moved on by
//! the monotonic clock, is the best lower bound, and one that never overshoots. It is *sure* once
//! something arrived live: a message that had not waited, or the login. A message that had waited
//! on the server proves nothing about the present; until something live came, the wall clock is
//! believed where it is later. What is wrong then errs towards an old message, which the bot
//! leaves unanswered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use tokio::sync::watch;
use tokio::time::Instant;

use super::daily::Day;
use crate::message::ServerTime;

/// The service's clock. Cheap to clone; clones share what they learn.
#[derive(Clone, Debug)]
pub struct ServiceClock {
    reading: Arc<Mutex<Option<Reading>>>,
    sure: Arc<watch::Sender<bool>>,
    wall: fn() -> ServerTime,
    zone: TimeZone,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    time: ServerTime,
    at: Instant,
    sure: bool,
}

impl Default for ServiceClock {
    /// With the system's wall clock to fall back on.
    fn default() -> Self {
        Self::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            ServerTime(since.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX)))
        })
    }
}

impl ServiceClock {
    /// With another wall clock to fall back on.
    pub fn new(wall: fn() -> ServerTime) -> Self {
        Self {
            reading: Arc::default(),
            sure: Arc::default(),
            wall,
            zone: TimeZone::UTC,
        }
    }

    /// With days that begin at midnight in this zone; otherwise they do in UTC.
    #[must_use]
    pub fn in_zone(self, zone: TimeZone) -> Self {
        Self { zone, ..self }
    }

    /// The service said that it is at least this late. `live` when it spoke of the present: a
    /// login, or a message that had not waited.
    pub fn observe(&self, time: ServerTime, live: bool) {
        let now = Instant::now();
        let mut reading = self.lock();
        match reading.as_mut() {
            // Kept where it stands, so that the fractions of a second it holds are not lost.
            Some(seen) if seen.at(now) >= time => seen.sure |= live,
            seen => {
                let sure = live || seen.is_some_and(|r| r.sure);
                *reading = Some(Reading {
                    time,
                    at: now,
                    sure,
                });
            }
        }
        let sure = reading.is_some_and(|reading| reading.sure);
        drop(reading);
        self.sure
            .send_if_modified(|before| !std::mem::replace(before, sure) && sure);
    }

    /// The best estimate of the service's present.
    pub fn now(&self) -> ServerTime {
        let reading = *self.lock();
        match reading {
            Some(reading) if reading.sure => reading.at(Instant::now()),
            Some(reading) => reading.at(Instant::now()).max((self.wall)()),
            None => (self.wall)(),
        }
    }

    /// [`Self::now`] in milliseconds since 1970: for measuring waits of seconds.
    pub fn millis(&self) -> i64 {
        let reading = *self.lock();
        let wall = || (self.wall)().0.saturating_mul(1000);
        match reading {
            Some(reading) if reading.sure => reading.millis(Instant::now()),
            Some(reading) => reading.millis(Instant::now()).max(wall()),
            None => wall(),
        }
    }

    /// The service's present, where it is sure; the wall clock is not asked.
    pub fn sure(&self) -> Option<ServerTime> {
        let reading = (*self.lock())?;
        reading.sure.then(|| reading.at(Instant::now()))
    }

    /// Becomes `true` once [`Self::sure`] has an answer.
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.sure.subscribe()
    }

    /// The day it is in this clock's zone, where the time is sure.
    pub fn today(&self) -> Option<Day> {
        self.day_of(self.sure()?)
    }

    /// How long today lasts, where the time is sure.
    pub fn rest_of_day(&self) -> Option<Duration> {
        let now = self.local()?;
        let midnight = now.tomorrow().ok()?.start_of_day().ok()?;
        let left = midnight.timestamp().duration_since(now.timestamp());
        Duration::try_from(left).ok()
    }

    /// The day that a moment is of.
    pub(super) fn day_of(&self, time: ServerTime) -> Option<Day> {
        self.zoned(time).map(|then| Day::of(then.date()))
    }

    fn local(&self) -> Option<Zoned> {
        self.zoned(self.sure()?)
    }

    fn zoned(&self, time: ServerTime) -> Option<Zoned> {
        let time = Timestamp::from_second(time.0).ok()?;
        Some(time.to_zoned(self.zone.clone()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Reading>> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading {
    fn at(&self, now: Instant) -> ServerTime {
        ServerTime(self.millis(now).div_euclid(1000))
    }

    fn millis(&self, now: Instant) -> i64 {
        let passed = now.saturating_duration_since(self.at).as_millis();
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        self.time.0.saturating_mul(1000).saturating_add(passed)
    }
}
