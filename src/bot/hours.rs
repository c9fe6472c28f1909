//! When a rule holds: `08:00-18:00`, `mon-fri 08:00-12:00 14:00-18:00, sat 09:00-13:00`,
//! `22:00-06:00`. Days in English or Spanish, by their first three letters or in full.

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use super::words::words;
use crate::message::ServerTime;

const MINUTES_A_DAY: u16 = 24 * 60;

/// Ranges of a week. Empty: always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hours(Vec<Range>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    /// Bit 0 is Monday: the day on which it begins.
    days: u8,
    /// Minutes from midnight, inclusive.
    from: u16,
    /// Exclusive. Not greater than `from` when it ends on the following day.
    to: u16,
}

impl Hours {
    /// # Errors
    /// What is wrong, as the end of a sentence.
    pub fn parse(parts: &[String]) -> Result<Self, String> {
        let mut ranges = Vec::new();
        for part in parts.iter().flat_map(|part| part.split([',', ';'])) {
            let mut days = 0;
            let mut spans = Vec::new();
            for piece in part.split_whitespace() {
                if piece.starts_with(|c: char| c.is_ascii_digit()) {
                    spans.push(span(piece)?);
                } else if spans.is_empty() {
                    days |= weekdays(piece)?;
                } else {
                    return Err(format!("names the day {piece:?} behind a time"));
                }
            }
            if spans.is_empty() {
                return Err(format!("has no time in {:?}", part.trim()));
            }
            let days = if days == 0 { 0b111_1111 } else { days };
            ranges.extend(spans.iter().map(|&(from, to)| Range { days, from, to }));
        }
        Ok(Self(ranges))
    }

    /// Whether `at` falls into one of the ranges on the clocks of `zone`.
    pub fn hold(&self, at: ServerTime, zone: &TimeZone) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let Ok(at) = Timestamp::from_second(at.0) else {
            return false;
        };
        let local = at.to_zoned(zone.clone());
        let minute = u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute()));
        let minute = minute.unwrap_or_default();
        let today = 1 << local.weekday().to_monday_zero_offset();
        let yesterday = 1 << local.weekday().previous().to_monday_zero_offset();
        self.0.iter().any(|range| {
            if range.from < range.to {
                range.days & today != 0 && (range.from..range.to).contains(&minute)
            } else {
                (range.days & today != 0 && minute >= range.from)
                    || (range.days & yesterday != 0 && minute < range.to)
            }
        })
    }
}

fn span(piece: &str) -> Result<(u16, u16), String> {
    let span = piece
        .split_once(['-', '–'])
        .and_then(|(from, to)| Some((minute(from)?, minute(to)?)));
    match span {
        Some((from, to)) if from == to => Err(format!("covers no time with {piece:?}")),
        Some((from, _)) if from == MINUTES_A_DAY => {
            Err(format!("begins at the end of the day in {piece:?}"))
        }
        Some(span) => Ok(span),
        None => Err(format!("cannot be read at {piece:?}")),
    }
}

fn minute(clock: &str) -> Option<u16> {
    let (hour, minute) = clock.split_once(':')?;
    let two_digits = |part: &str| (1..=2).contains(&part.len()).then(|| part.parse().ok());
    let (hour, minute): (u16, u16) = (two_digits(hour)??, two_digits(minute)??);
    let total = hour * 60 + minute;
    (minute < 60 && total <= MINUTES_A_DAY).then_some(total)
}

fn weekdays(piece: &str) -> Result<u8, String> {
    let unknown = || format!("names no day with {piece:?}");
    let (first, last) = piece.split_once(['-', '–']).unwrap_or((piece, piece));
    let first = weekday(first).ok_or_else(unknown)?;
    let last = weekday(last).ok_or_else(unknown)?;
    let mut days = 0;
    for day in first.cycle_forward() {
        days |= 1 << day.to_monday_zero_offset();
        if day == last {
            break;
        }
    }
    Ok(days)
}

fn weekday(name: &str) -> Option<Weekday> {
    let name = words(name).concat();
    let days = [
        (Weekday::Monday, "monday", "lunes"),
        (Weekday::Tuesday, "tuesday", "martes"),
        (Weekday::Wednesday, "wednesday", "miercoles"),
        (Weekday::Thursday, "thursday", "jueves"),
        (Weekday::Friday, "friday", "viernes"),
        (Weekday::Saturday, "saturday", "sabado"),
        (Weekday::Sunday, "sunday", "domingo"),
    ];
    let named = |full: &str| name == full || name == full[..3];
    days.into_iter()
        .find(|(_, english, spanish)| named(english) || named(spanish))
        .map(|(day, _, _)| day)
}
