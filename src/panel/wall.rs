//! Times of day and numbers, written for people. The board's clock may not know the time yet:
//! then there is nothing to write.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use tokio::time::Instant;

use crate::history::Stamper;
use crate::message::ServerTime;

/// A board without a clock wakes up in the past.
const EARLIEST: Date = jiff::civil::date(2025, 1, 1);

/// The time of day.
#[derive(Clone, Debug)]
pub struct Wall {
    /// As the clock has it.
    pub time: Zoned,
    /// The network or the service has told it: a clock may also be wrong by a little.
    pub sure: bool,
}

/// The time of day, unless the clock is plainly wrong.
pub fn now(stamper: &Stamper, zone: &TimeZone) -> Option<Wall> {
    let stamp = stamper.now();
    let time = Timestamp::from_second(stamp.clock).ok()?;
    let time = time.to_zoned(zone.clone());
    let sure = stamp.sure;
    (time.date() >= EARLIEST).then_some(Wall { time, sure })
}

/// A moment, past or coming, as a time of day; with its date when that is not today's.
pub fn moment(then: Instant, now: Instant, wall: Option<&Zoned>) -> Option<String> {
    let ahead = SignedDuration::try_from(then.saturating_duration_since(now)).ok()?;
    let behind = SignedDuration::try_from(now.saturating_duration_since(then)).ok()?;
    let wall = wall?;
    let then = wall.checked_add(ahead).ok()?.checked_sub(behind).ok()?;
    Some(write(&then, wall))
}

/// When the service took a message in.
pub fn server_time(at: ServerTime, wall: Option<&Zoned>) -> Option<String> {
    let wall = wall?;
    let then = Timestamp::from_second(at.0).ok()?;
    Some(write(&then.to_zoned(wall.time_zone().clone()), wall))
}

/// A moment by the clock, in seconds since 1970, with a sign where the clock may have been wrong.
/// `short`: the day alone when it is not today.
pub fn stamped(at: i64, sure: bool, short: bool, wall: Option<&Zoned>) -> Option<String> {
    let wall = wall?;
    let then = Timestamp::from_second(at).ok()?;
    let then = then.to_zoned(wall.time_zone().clone());
    let time = if short && then.date() != wall.date() {
        format!("{:02}/{:02}", then.day(), then.month())
    } else {
        write(&then, wall)
    };
    Some(if sure { time } else { format!("~{time}") })
}

fn write(then: &Zoned, today: &Zoned) -> String {
    let clock = format!("{:02}:{:02}", then.hour(), then.minute());
    if then.date() == today.date() {
        clock
    } else {
        format!("{:02}/{:02} {clock}", then.day(), then.month())
    }
}

/// Country codes after which ten digits follow in groups of three, three and four.
const TEN_DIGITS: [&str; 5] = ["57", "52", "58", "54", "1"];

/// A phone number's digits, grouped for reading where the country's habit is known.
pub fn number(digits: &str) -> String {
    for country in TEN_DIGITS {
        if let Some(local) = digits.strip_prefix(country)
            && let (Some(a), Some(b), Some(c)) = (local.get(..3), local.get(3..6), local.get(6..))
            && c.len() == 4
        {
            return format!("+{country} {a} {b} {c}");
        }
    }
    format!("+{digits}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::time::Duration;

    use super::*;

    #[test]
    fn numbers_are_grouped_where_the_habit_is_known() {
        assert_eq!(number("573000000001"), "+57 300 000 0001");
        assert_eq!(number("593000000001"), "+593000000001");
        assert_eq!(number("12000000001"), "+1 200 000 0001");
        assert_eq!(number(""), "+");
    }

    #[test]
    fn a_moment_carries_its_date_only_on_another_day() {
        let wall: Zoned = "2026-11-22T23:30:00-05:00[America/Bogota]"
            .parse()
            .or_else(|_| "2026-11-22T23:30:00-05:00[-05:00]".parse())
            .unwrap();
        let now = Instant::now();
        let later =
            |minutes: u64| moment(now + Duration::from_secs(minutes * 60), now, Some(&wall));
        assert_eq!(later(5).unwrap(), "23:35");
        assert_eq!(later(40).unwrap(), "23/11 00:10");
        assert_eq!(moment(now, now, None), None);
    }
}
