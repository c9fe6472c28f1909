//! How the inbox's values look on disk: prost messages that carry a format version. A field's
//! number never gets a second meaning.

use prost::Message;

use super::Daily;
use crate::message::{Body, ChatId, Incoming, MessageId, Sender, Seq, ServerTime};

/// The version this program writes. A greater one is left alone as unreadable.
const VERSION: u32 = 1;

/// The key of the one [`Meta`].
pub(super) const META: &[u8] = b"meta";

/// The position a big-endian key stands for.
pub(super) fn seq(key: &[u8]) -> Option<Seq> {
    Some(Seq(u64::from_be_bytes(key.try_into().ok()?)))
}

/// The log as a whole.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Meta {
    #[prost(uint32, tag = "1")]
    version: u32,
    /// The greatest [`Seq`] ever given.
    #[prost(uint64, tag = "2")]
    pub last: u64,
    #[prost(uint64, tag = "3")]
    pub messages: u64,
    #[prost(uint64, tag = "4")]
    pub size: u64,
    /// Rows that remember the keys of messages which went.
    #[prost(uint64, tag = "5")]
    pub gone: u64,
    /// The newest [`ServerTime`] seen.
    #[prost(int64, tag = "6")]
    pub newest: i64,
    /// Messages of others, by the day on which they arrived.
    #[prost(message, optional, tag = "7")]
    pub received: Option<Daily>,
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

    pub fn grow(&mut self, size: usize, at: ServerTime) {
        self.messages += 1;
        self.size += size as u64;
        self.newest = self.newest.max(at.0);
    }

    pub fn shrink(&mut self, size: usize) {
        self.messages = self.messages.saturating_sub(1);
        self.size = self.size.saturating_sub(size as u64);
    }
}

/// Where the message with a certain key is.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct KeyRow {
    #[prost(uint64, tag = "1")]
    pub seq: u64,
    /// It could not be decrypted, and may be replaced.
    #[prost(bool, tag = "2")]
    pub placeholder: bool,
    /// Of a placeholder's record, in bytes.
    #[prost(uint64, tag = "3")]
    pub size: u64,
}

impl KeyRow {
    pub fn read(bytes: &[u8]) -> Option<Self> {
        Self::decode(bytes).ok()
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }
}

/// The keys of a message that went.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Gone {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub keys: Vec<Vec<u8>>,
}

/// A message.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Record {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(string, tag = "2")]
    id: String,
    #[prost(string, tag = "3")]
    chat: String,
    #[prost(string, optional, tag = "4")]
    chat_alt: Option<String>,
    #[prost(string, optional, tag = "5")]
    number: Option<String>,
    #[prost(string, optional, tag = "6")]
    lid: Option<String>,
    #[prost(string, tag = "7")]
    name: String,
    #[prost(uint32, tag = "8")]
    device: u32,
    #[prost(bool, tag = "9")]
    from_me: bool,
    #[prost(int64, tag = "10")]
    sent_at: i64,
    #[prost(bool, tag = "11")]
    offline: bool,
    /// Neither this nor `other`: it could not be decrypted.
    #[prost(string, optional, tag = "12")]
    text: Option<String>,
    #[prost(string, optional, tag = "13")]
    other: Option<String>,
}

impl Record {
    pub fn of(message: &Incoming) -> Self {
        let (text, other) = match &message.body {
            Body::Text(text) => (Some(text.clone()), None),
            Body::Other(kind) => (None, Some(kind.clone())),
            Body::Undecryptable => (None, None),
        };
        Self {
            version: VERSION,
            id: message.id.0.clone(),
            chat: message.chat.as_str().to_owned(),
            chat_alt: message.chat_alt.as_ref().map(|c| c.as_str().to_owned()),
            number: message.sender.number.clone(),
            lid: message.sender.lid.clone(),
            name: message.sender.name.clone(),
            device: message.sender.device.into(),
            from_me: message.from_me,
            sent_at: message.sent_at.0,
            offline: message.offline,
            text,
            other,
        }
    }

    pub fn read(bytes: &[u8]) -> Option<Self> {
        Self::decode(bytes).ok().filter(|r| r.version == VERSION)
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    pub fn into_incoming(self) -> Incoming {
        Incoming {
            id: MessageId(self.id),
            chat: ChatId::new(self.chat),
            chat_alt: self.chat_alt.map(ChatId::new),
            sender: Sender {
                number: self.number,
                lid: self.lid,
                name: self.name,
                device: u16::try_from(self.device).unwrap_or_default(),
            },
            from_me: self.from_me,
            sent_at: ServerTime(self.sent_at),
            offline: self.offline,
            body: match (self.text, self.other) {
                (Some(text), _) => Body::Text(text),
                (None, Some(kind)) => Body::Other(kind),
                (None, None) => Body::Undecryptable,
            },
        }
    }
}
