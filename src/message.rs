//! The vocabulary of messages. Plain values, no I/O: every other room may import this one and it
//! imports none of them.

use std::fmt;

/// A conversation, as the service names it: a JID without a device part, such as
/// `573000000001@s.whatsapp.net`, `100000000000001@lid` or `1203630000@g.us`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChatId(String);

/// What sort of conversation a [`ChatId`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatKind {
    /// One other person, by phone number or by LID.
    Direct,
    /// A group.
    Group,
    /// Status updates and broadcast lists.
    Broadcast,
    /// Anything else: channels, the service's own announcements, bots.
    Other,
}

impl ChatId {
    /// Takes the JID's text as it is; a device part must already be gone.
    pub fn new(jid: impl Into<String>) -> Self {
        Self(jid.into())
    }

    /// The JID's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the `@`: a phone number, a LID or a group's number.
    pub fn user(&self) -> &str {
        self.0.split('@').next().unwrap_or_default()
    }

    /// Derived from the server part of the JID.
    pub fn kind(&self) -> ChatKind {
        match self.0.split_once('@').map(|(_, server)| server) {
            Some("s.whatsapp.net" | "lid" | "hosted" | "hosted.lid") => ChatKind::Direct,
            Some("g.us") => ChatKind::Group,
            Some("broadcast") => ChatKind::Broadcast,
            _ => ChatKind::Other,
        }
    }
}

impl fmt::Display for ChatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A message's id, unique within one chat and sender only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub String);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A position in the inbox. Grows by one a message; 0 is before the first one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seq(pub u64);

/// Seconds since 1970 by the *service's* clock. The board's own clock jumps and is not used to
/// judge the age of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerTime(pub i64);

/// Who wrote a message, under every name the service gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// The phone number's digits, when known.
    pub number: Option<String>,
    /// The LID's digits, when known.
    pub lid: Option<String>,
    /// The name the sender shows to others; may be empty.
    pub name: String,
    /// Which device of the sender wrote; 0 is the phone.
    pub device: u16,
}

/// What a message carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Text, whole.
    Text(String),
    /// Something this version does not read, by its field name in the protocol ("image", "sticker").
    Other(String),
    /// It could not be decrypted; the phone has been asked for it and may still send it.
    Undecryptable,
}

/// A message that arrived, from others or from the owner's other devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// The message's id.
    pub id: MessageId,
    /// The conversation it belongs to.
    pub chat: ChatId,
    /// The same direct conversation under its other name (LID for a number, number for a LID).
    pub chat_alt: Option<ChatId>,
    /// Who wrote it.
    pub sender: Sender,
    /// Written by the owner's own account: on the phone or on another companion.
    pub from_me: bool,
    /// When the service took it in.
    pub sent_at: ServerTime,
    /// It had waited on the server while the box was away.
    pub offline: bool,
    /// What it says.
    pub body: Body,
}

impl Incoming {
    /// Every name the conversation is known by; the one it came under first.
    pub fn chat_names(&self) -> impl Iterator<Item = &ChatId> {
        std::iter::once(&self.chat).chain(&self.chat_alt)
    }
}

/// A message to be sent. The id is chosen before it is stored, so that a second sending carries
/// the same one and phones drop the duplicate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The id it is sent under, every time.
    pub id: MessageId,
    /// To whom.
    pub chat: ChatId,
    /// What it says.
    pub text: String,
}

/// How far a draft has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Not acknowledged by the service yet; will be sent, or sent again.
    Pending,
    /// The service has it.
    Sent,
    /// At least one device of the recipient has it.
    Delivered,
    /// The recipient opened it.
    Read,
    /// The service refused it for good, with its code (463: a time-lock on the account).
    Failed {
        /// The service's code.
        code: String,
    },
}
