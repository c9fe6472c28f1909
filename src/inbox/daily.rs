//! A count that begins anew with every day. It is part of a log's own books and durable with them,
//! so that a restart does not lose it and nothing has to be counted again.

/// A day of the calendar, in whatever zone whoever asks counts days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day(i64);

impl Day {
    /// That of a date.
    pub fn of(date: jiff::civil::Date) -> Self {
        let (year, month, day) = (date.year(), date.month(), date.day());
        // As it is written, so that it can be read in a dump: 20261126.
        Self(i64::from(year) * 10_000 + i64::from(month) * 100 + i64::from(day))
    }
}

/// How many on which day, as it is on disk. A field's number never gets a second meaning.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Daily {
    #[prost(int64, tag = "1")]
    day: i64,
    #[prost(uint64, tag = "2")]
    count: u64,
}

impl Daily {
    /// So many more. Where nobody knows what day it is they belong to the latest that was known.
    pub fn add(&mut self, more: u64, today: Option<Day>) {
        if let Some(Day(today)) = today
            && self.day != today
        {
            self.day = today;
            self.count = 0;
        }
        self.count += more;
    }

    /// How many there were on a day; nothing for any but the latest.
    pub fn on(&self, Day(day): Day) -> u64 {
        match self.day == day {
            true => self.count,
            false => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_begins_anew_with_the_day_and_never_without_one() {
        let [monday, tuesday] = [2, 3].map(|day| Some(Day::of(jiff::civil::date(2026, 3, day))));
        let mut daily = Daily::default();
        daily.add(2, monday);
        daily.add(1, None);
        let on = |daily: &Daily, day: Option<Day>| day.map(|day| daily.on(day));
        assert_eq!(
            (on(&daily, monday), on(&daily, tuesday)),
            (Some(3), Some(0))
        );
        daily.add(1, tuesday);
        assert_eq!(
            (on(&daily, monday), on(&daily, tuesday)),
            (Some(0), Some(1))
        );
    }
}
