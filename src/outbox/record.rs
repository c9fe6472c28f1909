//! How the outbox's values look on disk: prost messages that carry a format version. A field's
//! number never gets a second meaning.

use prost::Message;

use crate::message::{Delivery, Draft};

/// The version this program writes. A greater one is left alone as unreadable.
const VERSION: u32 = 1;

/// The key of the one [`Meta`].
pub(super) const META: &[u8] = b"meta";

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
}

impl Entry {
    pub fn of(draft: &Draft, order: u64) -> Self {
        Self {
            version: VERSION,
            order,
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
