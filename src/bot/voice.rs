//! Which of two boxes on one number answers: a pure state machine without a clock, a disk or a
//! wire. Both boxes get every message, decide the same, and see each other's answers as messages
//! of their own account; all that is arbitrated here is *when* a decided answer may leave.
//!
//! *The primary* answers at once. Only what had waited for it on the server it leaves alone for a
//! while when the secondary spoke last, which may be about to answer it, as long as the secondary
//! gets on.
//!
//! *The secondary* keeps every answer back. It drops the answer when the primary's arrives, and
//! gives it itself when a customer has waited for the whole window. From then on it *speaks*: it
//! leaves the primary a head start with every message and answers what the primary left. The
//! first answer of the primary silences it again, and with it what it had not sent yet.
//!
//! A box that has many to answer answers them in order, so its answer to one customer is a sign
//! that it gets on towards the later ones: their window begins anew. It is none for the earlier
//! ones, which it has skipped: they are answered when their window is over, and nothing else
//! changes by that while the other box is heard.
//!
//! What this cannot tell apart, so that both boxes answer one message (under one id, of which the
//! customer's phone shows the first):
//!
//! | what happens | why nobody can tell |
//! |---|---|
//! | the answers cross: each box sends while the other's answer is on its way | the primary comes back (or is read out of its backlog) in the very moment in which the window ends; a box learns of an answer one flight later |
//! | the primary hears, or is heard, more than a window late | a primary that is late looks like one that is gone until its answer arrives |
//! | the secondary sends and does not receive, and its link has not noticed yet | silence of the wire looks like silence of the primary, until the link's own liveness finds it |
//! | what waited for a box takes more than a minute to read | its link counts as up by then, and what the other box answered is still behind |
//! | the primary's answer reached the customer, and its copy for the secondary did not | as above; the service keeps the copy, so this is the secondary being cut off |
//!
//! Two primaries answer everything twice, two secondaries what has waited for a window. Boxes
//! with other rules give other ids: there a phone shows both.

use std::collections::BTreeMap;
use std::time::Duration;

use super::mark::Part;
use crate::message::Seq;
use crate::session::Rank;

/// Milliseconds since 1970 by the service's clock.
pub type Moment = i64;

/// What people see of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// This box answers.
    Speaks,
    /// The other box does; this one listens whether it still does.
    Listens,
}

impl Voice {
    /// Before anything was heard.
    pub fn of(rank: Rank) -> Self {
        match rank {
            Rank::Primary => Self::Speaks,
            Rank::Secondary => Self::Listens,
        }
    }

    /// A word for the status page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Speaks => "speaks",
            Self::Listens => "listens",
        }
    }
}

/// An answer that was decided and is not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which message it answers.
    pub part: Part,
    /// When the service took the message in.
    pub sent: Moment,
    /// Since when the customer has waited, as far as this box could see it.
    pub since: Moment,
    /// When the other box last got on towards it.
    progress: Option<Moment>,
}

impl Held {
    /// Not seen to be answered yet.
    pub fn new(part: Part, sent: Moment, since: Moment) -> Self {
        Self {
            part,
            sent,
            since,
            progress: None,
        }
    }
}

/// What is remembered across restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// This box spoke last, rather than the other one.
    pub mine: bool,
    /// When the other box was last seen to answer anything.
    pub sign: Option<Moment>,
    /// When it last got on, and towards the messages since when.
    pub progress: Option<(Moment, Moment)>,
}

impl Memory {
    /// Before anything was heard.
    pub fn new(rank: Rank) -> Self {
        Self {
            mine: rank == Rank::Primary,
            sign: None,
            progress: None,
        }
    }
}

/// When an answer may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Now.
    Now,
    /// When it is due, unless the other box answers before.
    Later,
}

/// What an answer of the other box came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Answers that are not to be given any more.
    pub dropped: Vec<Seq>,
    /// This box falls silent: what it has not put on the wire is to be taken back.
    pub silenced: bool,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Arbiter {
    rank: Rank,
    window: i64,
    memory: Memory,
    /// Since when this box has been connected, with its backlog read.
    up: Moment,
    held: BTreeMap<Seq, Held>,
    /// Released, and perhaps not on the wire yet.
    leaving: BTreeMap<Seq, Held>,
}

impl Arbiter {
    /// `window` is how long the secondary waits; the other times are shares of it.
    pub fn new(rank: Rank, window: Duration, memory: Memory) -> Self {
        Self {
            rank,
            window: i64::try_from(window.as_millis()).unwrap_or(i64::MAX / 4),
            memory,
            up: i64::MIN / 2,
            held: BTreeMap::new(),
            leaving: BTreeMap::new(),
        }
    }

    /// Puts back what an earlier connection held, or had released.
    pub fn restore(&mut self, seq: Seq, mut held: Held, leaving: bool) {
        held.progress = self
            .memory
            .progress
            .filter(|(_, from)| held.sent >= *from)
            .map(|(at, _)| at);
        let map = if leaving {
            &mut self.leaving
        } else {
            &mut self.held
        };
        map.insert(seq, held);
    }

    /// This box is connected, and has read all that had waited for it.
    pub fn connected(&mut self, now: Moment) {
        self.up = now;
    }

    /// Who speaks.
    pub fn voice(&self) -> Voice {
        match self.rank {
            Rank::Secondary if !self.memory.mine => Voice::Listens,
            Rank::Secondary | Rank::Primary => Voice::Speaks,
        }
    }

    /// What is to be remembered.
    pub fn memory(&self) -> Memory {
        self.memory
    }

    /// How many answers are kept back.
    pub fn waiting(&self) -> usize {
        self.held.len()
    }

    /// The one that has been kept back for the longest.
    pub fn oldest(&self) -> Option<Seq> {
        self.held.keys().next().copied()
    }

    /// An answer was decided. `waited` of a message that was on the server while this box was
    /// away.
    pub fn decided(&mut self, seq: Seq, held: Held, waited: bool) -> Turn {
        let turn = match self.rank {
            Rank::Primary if waited && !self.memory.mine => Turn::Later,
            Rank::Primary => {
                self.memory.mine = true;
                Turn::Now
            }
            Rank::Secondary => Turn::Later,
        };
        if turn == Turn::Later {
            self.held.insert(seq, held);
        }
        turn
    }

    /// The other box answered a message, at this time as far as this box could see it.
    pub fn heard(&mut self, part: Part, at: Moment) -> Heard {
        let of = |map: &BTreeMap<Seq, Held>| -> Vec<Seq> {
            let same = map.iter().filter(|(_, held)| held.part == part);
            same.map(|(seq, _)| *seq).collect()
        };
        let mut dropped = of(&self.held);
        dropped.extend(of(&self.leaving));
        let gone: Vec<_> = dropped.iter().filter_map(|seq| self.done(*seq)).collect();
        let silenced = self.rank == Rank::Secondary && self.memory.mine;
        self.memory.mine = false;
        self.memory.sign = self.memory.sign.max(Some(at));
        // One that speaks again has everything before it, whatever it begins with.
        let from = match silenced {
            true => Some(i64::MIN),
            false => gone.iter().map(|held| held.sent).min(),
        };
        if let Some(from) = from {
            self.memory.progress = Some((at, from));
            for held in self.held.values_mut().filter(|held| held.sent >= from) {
                held.progress = held.progress.max(Some(at));
            }
        }
        Heard { dropped, silenced }
    }

    /// Which answers are due, oldest first.
    pub fn due(&self, now: Moment) -> Vec<Seq> {
        let due = self.held.iter().filter(|(_, held)| self.at(held) <= now);
        due.map(|(seq, _)| *seq).collect()
    }

    /// When the next answer is due.
    pub fn next(&self) -> Option<Moment> {
        self.held.values().map(|held| self.at(held)).min()
    }

    /// An answer that was due is on its way out. A box that gives one though the other is still
    /// heard only fills a gap.
    pub fn released(&mut self, seq: Seq, now: Moment) {
        let Some(held) = self.held.remove(&seq) else {
            return;
        };
        let patience = match self.rank {
            Rank::Primary => self.deference(),
            Rank::Secondary => self.window,
        };
        let heard = self.memory.sign.is_some_and(|at| now - at < patience);
        self.memory.mine |= !heard;
        if self.rank == Rank::Secondary {
            self.leaving.insert(seq, held);
        }
    }

    /// Answers that were released, and not seen to be done.
    pub fn leaving(&self) -> impl Iterator<Item = Seq> + '_ {
        self.leaving.keys().copied()
    }

    /// A released answer did not get on the wire: it is kept back again.
    pub fn taken_back(&mut self, seq: Seq, now: Moment) {
        if let Some(mut held) = self.leaving.remove(&seq) {
            held.progress = Some(now);
            self.held.insert(seq, held);
        }
    }

    /// An answer is given, or is not to be.
    pub fn done(&mut self, seq: Seq) -> Option<Held> {
        self.held.remove(&seq).or_else(|| self.leaving.remove(&seq))
    }

    fn at(&self, held: &Held) -> Moment {
        let progress = held.progress.unwrap_or(i64::MIN / 2);
        match (self.rank, self.memory.mine) {
            (Rank::Primary, _) => self.up.max(progress) + self.deference(),
            (Rank::Secondary, true) => held.since.max(progress).max(self.up) + self.head_start(),
            (Rank::Secondary, false) => {
                (held.since.max(progress) + self.window).max(self.up + self.head_start())
            }
        }
    }

    /// For how long a speaking secondary leaves each message to the primary: an eighth of the
    /// window. An idle primary answers within a second or two.
    fn head_start(&self) -> i64 {
        self.window / 8
    }

    /// For how long the primary leaves what waited for it to a secondary that spoke last: longer
    /// than the secondary leaves it to the primary, a quarter of the window.
    fn deference(&self) -> i64 {
        self.window / 4
    }
}

#[cfg(test)]
mod matrix;
#[cfg(test)]
mod tests;
