//! What to send next, and when: a pure decision over the queue's head. No I/O, no clock of its
//! own.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::Pacing;
use crate::message::MessageId;

/// Drafts that may wait for an acknowledgement at the same time.
const IN_FLIGHT: usize = 16;

/// The longest wait for an acknowledgement.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The longest pause after sends that did not get as far as the wire.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// What was sent and not acknowledged, and what must wait.
#[derive(Debug, Default)]
pub(super) struct Flights {
    flights: HashMap<MessageId, Flight>,
    /// The service wants nothing before this, on whatever connection.
    held: Option<Instant>,
    /// Sends do not get as far as the wire; nothing is tried before this.
    broken: Option<Instant>,
    /// Sends in a row that did not get as far as the wire.
    breaks: u32,
    /// When the latest send was made.
    last_send: Option<Instant>,
}

#[derive(Debug)]
struct Flight {
    sendings: u32,
    /// Not to be sent again before this.
    until: Instant,
    /// The service refused it for a while, rather than not having answered yet.
    refused: bool,
}

/// A pending draft, as the plan sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub id: MessageId,
    pub chat: String,
}

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Send this one now.
    Send(MessageId),
    /// Nothing to do before this moment.
    Wait(Instant),
    /// Nothing to do until something changes.
    Idle,
}

impl Flights {
    /// `queue` yields what is pending, oldest first; no more of it is read than needed. A chat
    /// whose earlier draft waits for something waits with it, so that no chat's order changes.
    /// `known` tells whether the box wrote to a chat before.
    pub fn plan<E>(
        &self,
        now: Instant,
        queue: impl Iterator<Item = Result<Waiting, E>>,
        known: impl Fn(&str) -> Result<bool, E>,
        pacing: &Pacing,
    ) -> Result<Plan, E> {
        let mut blocked = HashSet::new();
        let mut next: Option<Instant> = None;
        let in_flight = self.flights.values().filter(|f| f.until > now).count();
        for waiting in queue {
            let waiting = waiting?;
            let until = self.flights.get(&waiting.id).map(|flight| flight.until);
            if let Some(until) = until.filter(|until| *until > now) {
                next = Some(next.map_or(until, |n| n.min(until)));
                blocked.insert(waiting.chat);
            } else if !blocked.contains(&waiting.chat) && in_flight < IN_FLIGHT {
                let gap = if known(&waiting.chat)? {
                    pacing.gap
                } else {
                    pacing.gap_to_new
                };
                let longer = pacing.jitter.clamp(0.0, 10.0) * spread(&waiting.id);
                let paced = self.last_send.map(|at| at + gap.mul_f64(1.0 + longer));
                return Ok(match paced.max(self.held).max(self.broken) {
                    Some(at) if at > now => Plan::Wait(at),
                    _ => Plan::Send(waiting.id),
                });
            }
        }
        Ok(next.map_or(Plan::Idle, Plan::Wait))
    }

    /// It is being sent.
    pub fn take_off(&mut self, id: &MessageId, now: Instant, ack_timeout: Duration) {
        let sendings = self.flights.get(id).map_or(0, |flight| flight.sendings) + 1;
        let flight = Flight {
            sendings,
            until: now + patience(ack_timeout, sendings),
            refused: false,
        };
        self.flights.insert(id.clone(), flight);
    }

    /// It was written to the socket. Its acknowledgement may have been quicker than this news.
    pub fn wired(&mut self, id: &MessageId, now: Instant, ack_timeout: Duration) {
        self.breaks = 0;
        self.last_send = Some(now);
        if let Some(flight) = self.flights.get_mut(id).filter(|flight| !flight.refused) {
            flight.until = now + patience(ack_timeout, flight.sendings);
        }
    }

    /// It did not get as far as the wire; the next try, of anything, is after a pause.
    pub fn broke(&mut self, id: &MessageId, now: Instant) {
        self.flights.remove(id);
        let pause = Duration::from_secs(2) * 2u32.pow(self.breaks.min(10));
        self.breaks += 1;
        self.broken = Some(now + pause.min(LONGEST_PAUSE));
    }

    /// It was sent, or is being sent, and nothing is settled.
    pub fn knows(&self, id: &MessageId) -> bool {
        self.flights.contains_key(id)
    }

    /// It is settled.
    pub fn land(&mut self, id: &MessageId) {
        self.flights.remove(id);
    }

    /// The service wants it, or everything, later.
    pub fn hold(&mut self, id: &MessageId, until: Instant, everything: bool) {
        let flight = Flight {
            sendings: 0,
            until,
            refused: true,
        };
        self.flights.insert(id.clone(), flight);
        if everything {
            self.held = self.held.max(Some(until));
        }
    }

    /// Whatever waits for an acknowledgement goes again, at the usual pace.
    pub fn recheck(&mut self) {
        self.flights.retain(|_, flight| flight.refused);
    }

    /// A new connection: what was in flight on the old one goes again, and what broke may work.
    pub fn reconnected(&mut self) {
        self.recheck();
        self.broken = None;
        self.breaks = 0;
    }
}

/// How long an acknowledgement is waited for.
fn patience(ack_timeout: Duration, sendings: u32) -> Duration {
    let doubled = ack_timeout.saturating_mul(2u32.saturating_pow(sendings.saturating_sub(1)));
    doubled.min(LONGEST.max(ack_timeout))
}

/// A fraction from 0 to 1 that belongs to an id: pauses vary, and a test can foretell them.
fn spread(id: &MessageId) -> f64 {
    let digest = Sha256::digest(id.0.as_bytes());
    f64::from(digest[0]) / 255.0
}
