//! The list itself, in memory: bounded, and folding what repeats. Pure; the time is handed in.
//!
//! Two bounds keep a flapping link from pushing out what matters: repeats within an hour are
//! counted on the row that is there, and comings and goings have rows of their own to fill,
//! beside those of the endings that somebody will ask about.

use super::stamp::Stamp;
use super::words::{Cause, Did, What};

/// Rows for comings and goings.
const ROUTINE: usize = 120;
/// Rows for everything else. Together with the others: 200.
const GRAVE: usize = 80;
/// What repeats within this many seconds is counted.
const FOLD_WITHIN: u64 = 3_600;
/// How many rows back a repeat is looked for.
const FOLD_OVER: usize = 8;

/// What happened, without when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub what: What,
    /// Why.
    pub cause: Option<Cause>,
    /// What the box did.
    pub did: Option<Did>,
    /// The service's code, where it gave one.
    pub code: Option<u32>,
    /// Until when, in seconds since 1970, where that is known.
    pub until: Option<i64>,
}

impl Event {
    /// Something that needs no further word.
    pub fn new(what: What) -> Self {
        Self {
            what,
            cause: None,
            did: None,
            code: None,
            until: None,
        }
    }

    /// With its cause.
    pub fn because(self, cause: Cause) -> Self {
        Self {
            cause: Some(cause),
            ..self
        }
    }

    /// With what the box did.
    pub fn so(self, did: Did) -> Self {
        Self {
            did: Some(did),
            ..self
        }
    }

    fn repeats(&self, other: &Event) -> bool {
        (self.what, self.cause, self.code) == (other.what, other.cause, other.code)
    }

    fn is_routine(&self) -> bool {
        match self.what {
            What::Started
            | What::Ended
            | What::Linking
            | What::Resting
            | What::Online
            | What::Connecting
            | What::WaitingNetwork
            | What::WaitingTime
            | What::RateLimited
            | What::SendingLimited
            | What::SendingFree => true,
            What::Conflict
            | What::Unlinked
            | What::Locked
            | What::Banned
            | What::Outdated
            | What::Stopped
            | What::Resetting
            | What::StoreSetAside => false,
        }
    }
}

/// An event, and when it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its place in the order of first times, and its key on disk.
    pub order: u64,
    /// Its place in the order of latest times.
    pub latest: u64,
    /// What.
    pub event: Event,
    /// The first time.
    pub first: Stamp,
    /// The latest time.
    pub last: Stamp,
    /// How often, from 1.
    pub times: u32,
}

/// What a note came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Noted {
    /// Rows to write.
    pub put: Vec<Row>,
    /// Keys to delete.
    pub dropped: Vec<u64>,
    /// A repeat, which may wait for the next commit.
    pub folded: bool,
}

/// The rows, in the order of their first times.
#[derive(Debug, Default)]
pub struct Log {
    rows: Vec<Row>,
    next: u64,
}

impl Log {
    /// With what an earlier run left.
    pub fn new(mut rows: Vec<Row>) -> Self {
        rows.sort_by_key(|row| row.order);
        let next = rows.iter().map(|row| row.latest.max(row.order)).max();
        Self {
            next: next.map_or(1, |last| last + 1),
            rows,
        }
    }

    /// The rows, the latest last.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = self.rows.clone();
        rows.sort_by_key(|row| row.latest);
        rows
    }

    /// What happened last.
    pub fn latest(&self) -> Option<&Row> {
        self.rows.iter().max_by_key(|row| row.latest)
    }

    /// Sets the clocks of this run of the board right; returns the rows that changed.
    pub fn redate(&mut self, now: &Stamp) -> Vec<Row> {
        let wrong = self.rows.iter_mut();
        wrong
            .filter_map(|row| {
                let first = row.first.redate(now);
                (row.last.redate(now) || first).then_some(*row)
            })
            .collect()
    }

    /// Something happened.
    pub fn note(&mut self, event: Event, now: Stamp) -> Noted {
        let mut put = self.redate(&now);
        let latest = self.next;
        self.next += 1;
        let recent = self.rows.iter_mut().rev().take(FOLD_OVER);
        let same = recent
            .into_iter()
            .find(|row| row.event.repeats(&event) && now.since(&row.last) <= FOLD_WITHIN);
        let folded = same.is_some();
        let row = match same {
            Some(row) => {
                row.event = event;
                row.latest = latest;
                row.last = now;
                row.times = row.times.saturating_add(1);
                *row
            }
            None => {
                let row = Row {
                    order: latest,
                    latest,
                    event,
                    first: now,
                    last: now,
                    times: 1,
                };
                self.rows.push(row);
                row
            }
        };
        put.retain(|other| other.order != row.order);
        put.push(row);
        Noted {
            put,
            dropped: self.make_room(event.is_routine()),
            folded,
        }
    }

    fn make_room(&mut self, routine: bool) -> Vec<u64> {
        let most = if routine { ROUTINE } else { GRAVE };
        let mut same: Vec<_> = self
            .rows
            .iter()
            .filter(|row| row.event.is_routine() == routine)
            .map(|row| (row.latest, row.order))
            .collect();
        same.sort_unstable();
        same.truncate(same.len().saturating_sub(most));
        let dropped: Vec<u64> = same.into_iter().map(|(_, order)| order).collect();
        self.rows.retain(|row| !dropped.contains(&row.order));
        dropped
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn at(seconds: u64) -> Stamp {
        Stamp {
            boot: 1,
            uptime: seconds,
            clock: i64::try_from(seconds).unwrap(),
            sure: true,
        }
    }

    #[test]
    fn a_flapping_link_pushes_nothing_else_out() {
        let mut log = Log::default();
        log.note(
            Event::new(What::Unlinked).because(Cause::RemovedOutside),
            at(0),
        );
        // Every ten seconds for a day, then every two hours for three months.
        for turn in 1..=8_640 {
            let what = [What::Online, What::Connecting][turn as usize % 2];
            log.note(Event::new(what), at(turn * 10));
        }
        assert_eq!(log.rows().len(), 3, "a fast one is counted");
        assert_eq!(log.rows().iter().map(|row| row.times).max(), Some(4_320));
        for turn in 1..=1_000 {
            let what = [What::Online, What::Connecting][turn as usize % 2];
            log.note(Event::new(what), at(100_000 + turn * 7_200));
        }
        assert_eq!(log.rows().len(), ROUTINE + 1, "a slow one is bounded");
        assert_eq!(log.rows()[0].event.what, What::Unlinked);
    }

    #[test]
    fn rows_are_told_in_the_order_of_their_latest_times() {
        let mut log = Log::default();
        for (seconds, what) in [
            (1, What::Online),
            (2, What::Connecting),
            (3, What::Unlinked),
            (4, What::Online),
        ] {
            log.note(Event::new(what), at(seconds));
        }
        let told: Vec<_> = log.rows().iter().map(|row| row.event.what).collect();
        assert_eq!(told, [What::Connecting, What::Unlinked, What::Online]);
        let online = log.rows()[2];
        assert_eq!((online.times, online.first, online.last), (2, at(1), at(4)));
        // What an earlier run left goes on where it was.
        let mut again = Log::new(log.rows());
        assert_eq!(again.rows(), log.rows());
        let noted = again.note(Event::new(What::Locked), at(5));
        assert!(noted.put[0].order > 3 && !noted.folded);
    }

    #[test]
    fn another_cause_or_code_is_another_row() {
        let mut log = Log::default();
        let refused = |code| Event {
            code: Some(code),
            ..Event::new(What::Stopped)
        };
        log.note(refused(400), at(1));
        log.note(refused(413), at(2));
        log.note(
            Event::new(What::Stopped).because(Cause::MarkedDirectory),
            at(3),
        );
        assert_eq!(log.rows().len(), 3);
    }

    #[test]
    fn the_endings_are_bounded_too() {
        let mut log = Log::default();
        let mut dropped = 0;
        for turn in 0..300 {
            let noted = log.note(Event::new(What::Conflict), at(turn * 10_000));
            dropped += noted.dropped.len();
        }
        assert_eq!((log.rows().len(), dropped), (GRAVE, 300 - GRAVE));
    }
}
