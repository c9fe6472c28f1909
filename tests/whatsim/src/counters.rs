//! What the server counts for those who test against it. It must count, and judge nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

/// Running counts.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections whose handshake was completed.
    pub sockets: u64,
    /// Logins that were accepted.
    pub logins: u64,
    /// Refs handed out.
    pub refs: u64,
    /// Live connections thrown out because another one logged in with the same keys.
    pub replaced: u64,
    /// Time that `available` presences longer than a second stood, in the service's time.
    pub available: Duration,
    stanzas: BTreeMap<String, u64>,
    unknown: BTreeMap<String, u64>,
}

/// The counts at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Snapshot {
    /// Connections whose handshake was completed, since the start.
    pub sockets: u64,
    /// Accepted logins.
    pub logins: u64,
    /// Refs handed out.
    pub refs: u64,
    /// Live connections thrown out because another one logged in with the same keys.
    pub replaced: u64,
    /// Stanzas that clients sent, by tag.
    pub stanzas: BTreeMap<String, u64>,
    /// Stanzas the server has no true answer for, by tag (`iq` with its namespace and child).
    pub unknown: BTreeMap<String, u64>,
    /// Stanzas that linked devices have not acknowledged yet.
    pub queued: usize,
    /// Whole seconds, in the service's time, that `available` presences of linked devices stood;
    /// those of a second or less are not counted.
    pub available_seconds: u64,
}

impl Counters {
    /// Counts a stanza a client sent.
    pub fn stanza(&mut self, tag: &str) {
        *self.stanzas.entry(tag.into()).or_default() += 1;
    }

    /// Counts a stanza without a true answer.
    pub fn unknown(&mut self, name: String) {
        *self.unknown.entry(name).or_default() += 1;
    }

    /// The counts, with what only the world can add up.
    pub fn snapshot(&self, queued: usize, standing: Duration) -> Snapshot {
        Snapshot {
            sockets: self.sockets,
            logins: self.logins,
            refs: self.refs,
            replaced: self.replaced,
            stanzas: self.stanzas.clone(),
            unknown: self.unknown.clone(),
            queued,
            available_seconds: (self.available + standing).as_secs(),
        }
    }
}
