//! How the outbox's values look on disk: prost messages that carry a format version. A field's
//! number never gets a second meaning.

use std::time::Duration;

use prost::Message;

use crate::inbox::Daily;
use crate::message::{Delivery, Draft, ServerTime};

/// The version this program writes. A greater one is left alone as unreadable.
const VERSION: u32 = 1;

/// The key of the one [`Meta`].
pub(super) const META: &[u8] = b"meta";

/// The key of the number of the account that what is pending was written for.
pub(super) const ACCOUNT: &[u8] = b"account";

/// The number a big-endian key stands for.
pub(super) fn order(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.try_into().ok()?))
}

/// The queue as a whole.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Meta {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(uint64, tag = "2")]
    pub last_order: u64,
    #[prost(uint64, tag = "3")]
    pub pending: u64,
    #[prost(uint64, tag = "4")]
    pub pending_bytes: u64,
    #[prost(uint64, tag = "5")]
    pub last_finished: u64,
    #[prost(uint64, tag = "6")]
    pub finished: u64,
    #[prost(uint64, tag = "7")]
    pub failed: u64,
    #[prost(uint64, tag = "8")]
    pub last_chat: u64,
    #[prost(uint64, tag = "9")]
    pub chats: u64,
    /// See [`super::Pending::sent`].
    #[prost(uint64, tag = "10")]
    pub sent: u64,
    /// See [`super::Pending::limited`].
    #[prost(bool, tag = "11")]
    pub limited: bool,
    /// Taken by the service, by the day on which it told so.
    #[prost(message, optional, tag = "12")]
    pub answered: Option<Daily>,
}

impl Meta {
    pub fn fresh() -> Self {
        Self {
            version: VERSION,
            ..Self::default()
        }
    }

    pub fn read(bytes: &[u8]) -> Option<Self> {
        Self::decode(bytes).ok().filter(|m| m.version == VERSION)
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }
}

/// How far an entry has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum State {
    Pending = 0,
    Sent = 1,
    Delivered = 2,
    Read = 3,
    Failed = 4,
}

impl State {
    /// States only ever rise. A receipt lifts even a refused message: a device has it.
    pub fn rank(self) -> u8 {
        match self {
            State::Pending => 0,
            State::Failed => 1,
            State::Sent => 2,
            State::Delivered => 3,
            State::Read => 4,
        }
    }
}

/// A draft and its fate.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Entry {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(uint64, tag = "2")]
    pub order: u64,
    #[prost(string, tag = "3")]
    pub id: String,
    #[prost(string, tag = "4")]
    pub chat: String,
    /// Empty once it is finished.
    #[prost(string, tag = "5")]
    pub text: String,
    #[prost(enumeration = "State", tag = "6")]
    state: i32,
    /// The service's code, when failed.
    #[prost(string, tag = "7")]
    pub code: String,
    /// How often the service refused it for a while.
    #[prost(uint32, tag = "8")]
    pub refusals: u32,
    /// The service's time, where it was known: seconds since 1970.
    #[prost(int64, optional, tag = "9")]
    queued_at: Option<i64>,
}

impl Entry {
    pub fn of(draft: &Draft, order: u64, queued_at: Option<ServerTime>) -> Self {
        Self {
            version: VERSION,
            order,
            queued_at: queued_at.map(|at| at.0),
            id: draft.id.0.clone(),
            chat: draft.chat.as_str().to_owned(),
            text: draft.text.clone(),
            state: State::Pending as i32,
            code: String::new(),
            refusals: 0,
        }
    }

    pub fn read(bytes: &[u8]) -> Option<Self> {
        Self::decode(bytes).ok().filter(|e| e.version == VERSION)
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// It has waited for longer than `span`. Without a known beginning it never has.
    pub fn is_older(&self, span: Duration, now: ServerTime) -> bool {
        let span = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        self.queued_at
            .is_some_and(|at| now.0.saturating_sub(at) > span)
    }

    pub fn delivery(&self) -> Delivery {
        match self.state() {
            State::Pending => Delivery::Pending,
            State::Sent => Delivery::Sent,
            State::Delivered => Delivery::Delivered,
            State::Read => Delivery::Read,
            State::Failed => Delivery::Failed {
                code: self.code.clone(),
            },
        }
    }
}

/// What the plan needs of a pending draft.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct QueueRow {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub chat: String,
}

impl QueueRow {
    pub fn of(draft: &Draft) -> Self {
        Self {
            id: draft.id.0.clone(),
            chat: draft.chat.as_str().to_owned(),
        }
    }

    pub fn read(bytes: &[u8]) -> Option<Self> {
        Self::decode(bytes).ok()
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }
}
