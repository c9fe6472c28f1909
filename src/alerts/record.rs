//! What the alerts keep on disk: prost messages that carry a format version. A field's number
//! never gets a second meaning. No number, name or text of a person is among them.

use std::hash::{BuildHasher as _, RandomState};

use prost::Message as _;

use super::kind::Kind;
use crate::history::{Moment, Stamp};

const VERSION: u32 = 1;

/// Where [`super::plan::Plan`] stands.
#[derive(Clone, PartialEq, prost::Message)]
pub struct State {
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The box was online at least once since it was set up.
    #[prost(bool, tag = "2")]
    pub was_linked: bool,
    /// Online since.
    #[prost(uint64, optional, tag = "3")]
    pub up: Option<u64>,
    /// Not online, or not steadily, since.
    #[prost(uint64, optional, tag = "4")]
    pub down: Option<u64>,
    #[prost(message, optional, tag = "5")]
    pub down_at: Option<Moment>,
    /// The grave state the link is in.
    #[prost(enumeration = "Kind", optional, tag = "6")]
    pub grave: Option<i32>,
    /// The trouble that was told and is not over, and since when it lasts.
    #[prost(enumeration = "Kind", optional, tag = "7")]
    pub told: Option<i32>,
    #[prost(message, optional, tag = "8")]
    pub told_since: Option<Moment>,
    #[prost(message, optional, tag = "9")]
    pub window: Option<Window>,
    /// The latest state that was not online, as a [`crate::history::What`].
    #[prost(uint32, tag = "10")]
    pub what: u32,
    /// What the alerts' clock showed, and when.
    #[prost(uint64, tag = "11")]
    pub clock: u64,
    #[prost(message, optional, tag = "12")]
    pub clock_at: Option<Moment>,
    /// The order of the newest notice.
    #[prost(uint64, tag = "13")]
    pub last_order: u64,
}

impl State {
    pub fn bytes(&self) -> Vec<u8> {
        let versioned = Self {
            version: VERSION,
            ..self.clone()
        };
        versioned.encode_to_vec()
    }

    pub fn read(bytes: &[u8]) -> Option<Self> {
        let state = Self::decode(bytes).ok()?;
        (state.version == VERSION).then_some(state)
    }
}

/// A time in which each kind is told once.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Window {
    #[prost(uint64, tag = "1")]
    pub ends: u64,
    #[prost(uint64, tag = "2")]
    pub length: u64,
    #[prost(enumeration = "Kind", repeated, tag = "3")]
    pub told: Vec<i32>,
    #[prost(message, repeated, tag = "4")]
    pub counts: Vec<Count>,
}

/// How often something happened.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Count {
    #[prost(enumeration = "Kind", tag = "1")]
    pub kind: i32,
    #[prost(uint32, tag = "2")]
    pub times: u32,
    #[prost(message, optional, tag = "3")]
    pub first: Option<Moment>,
    #[prost(message, optional, tag = "4")]
    pub last: Option<Moment>,
}

/// Something to be told.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Notice {
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The same in every attempt and on every channel.
    #[prost(fixed64, tag = "2")]
    pub id: u64,
    #[prost(enumeration = "Kind", tag = "3")]
    pub kind: i32,
    #[prost(message, optional, tag = "4")]
    pub at: Option<Moment>,
    /// Since when it was so.
    #[prost(message, optional, tag = "5")]
    pub since: Option<Moment>,
    /// The state behind [`Kind::Offline`], as a [`crate::history::What`].
    #[prost(uint32, tag = "6")]
    pub state: u32,
    /// The service's code, where it gave one.
    #[prost(uint32, optional, tag = "7")]
    pub code: Option<u32>,
    /// Of a [`Kind::Summary`].
    #[prost(message, repeated, tag = "8")]
    pub counts: Vec<Count>,
    /// How things are at a [`Kind::Summary`]: none for well.
    #[prost(enumeration = "Kind", optional, tag = "9")]
    pub now: Option<i32>,
    /// When it was queued, on the alerts' clock.
    #[prost(uint64, tag = "10")]
    pub queued: u64,
    /// Channels that have not got it yet.
    #[prost(bool, tag = "11")]
    pub mail: bool,
    #[prost(bool, tag = "12")]
    pub webhook: bool,
    /// Until when it lasts, in seconds since 1970, where that is known.
    #[prost(int64, optional, tag = "13")]
    pub until: Option<i64>,
}

impl Notice {
    pub fn new(kind: Kind, stamp: Stamp) -> Self {
        Self {
            version: VERSION,
            // Chance, from the seeds the standard library draws for its hash maps.
            id: RandomState::new().hash_one(stamp.uptime),
            kind: kind as i32,
            at: Some(stamp.into()),
            ..Self::default()
        }
    }

    /// What a receiver knows it by.
    pub fn name(&self) -> String {
        format!("{:016x}", self.id)
    }

    pub fn read(bytes: &[u8]) -> Option<Self> {
        let notice = Self::decode(bytes).ok()?;
        (notice.version == VERSION).then_some(notice)
    }
}
