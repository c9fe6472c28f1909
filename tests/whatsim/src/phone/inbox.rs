//! What a phone remembers of its conversations.
//!
//! Owns the inbox, what became of sent messages, and their contents for resends. It must never
//! show a message twice, however often it was delivered.

use std::collections::HashMap;

use wacore_binary::Jid;
use waproto::whatsapp as wa;

use super::{Phone, PhoneError};

/// A text as the phone shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxEntry {
    /// The sender's id for it.
    pub id: String,
    /// The conversation: a person or a group.
    pub chat: Jid,
    /// Who wrote it, without a device.
    pub from: Jid,
    /// Whether one of this account's own companions wrote it.
    pub from_me: bool,
    /// What it says.
    pub text: String,
    /// The service's time, Unix seconds.
    pub at: u64,
    /// How often it was delivered, duplicates included.
    pub deliveries: u32,
}

/// A message this phone sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The conversation, or the device for a peer message.
    pub chat: Jid,
    /// Whether the service acknowledged it.
    pub server: bool,
    /// The service's refusal, if it refused.
    pub refused: Option<String>,
    /// Devices that reported delivery.
    pub delivered: Vec<Jid>,
    /// Devices that reported it read.
    pub read: Vec<Jid>,
    pub(super) message: wa::Message,
    pub(super) peer: bool,
    pub(super) at: u64,
}

/// A message is known by its sender and the sender's id for it.
pub(super) type Key = (Jid, String);

#[derive(Default)]
pub(super) struct Log {
    inbox: Vec<InboxEntry>,
    /// Where a received message stands; `None` for one that is not shown.
    known: HashMap<Key, Option<usize>>,
    received: HashMap<String, wa::WebMessageInfo>,
    sent: HashMap<String, Sent>,
}

impl Log {
    pub(super) fn inbox(&self) -> &[InboxEntry] {
        &self.inbox
    }

    pub(super) fn sent(&self, id: &str) -> Option<&Sent> {
        self.sent.get(id)
    }

    pub(super) fn sent_mut(&mut self, id: &str) -> Option<&mut Sent> {
        self.sent.get_mut(id)
    }

    pub(super) fn record_sent(
        &mut self,
        id: &str,
        chat: &Jid,
        message: wa::Message,
        peer: bool,
        at: u64,
    ) {
        let sent = Sent {
            chat: chat.clone(),
            server: false,
            refused: None,
            delivered: Vec::new(),
            read: Vec::new(),
            message,
            peer,
            at,
        };
        self.sent.insert(id.to_owned(), sent);
    }

    /// Whether this message came before; if so the delivery is counted.
    pub(super) fn again(&mut self, key: &Key) -> bool {
        let Some(place) = self.known.get(key) else {
            return false;
        };
        if let Some(entry) = place.and_then(|place| self.inbox.get_mut(place)) {
            entry.deliveries += 1;
        }
        true
    }

    pub(super) fn receive(&mut self, key: Key, entry: Option<InboxEntry>) {
        let place = entry.map(|entry| {
            self.inbox.push(entry);
            self.inbox.len() - 1
        });
        self.known.insert(key, place);
    }

    pub(super) fn hold(&mut self, id: &str, info: wa::WebMessageInfo) {
        self.received.insert(id.to_owned(), info);
    }

    pub(super) fn held(&self, id: &str) -> Option<wa::WebMessageInfo> {
        if let Some(info) = self.received.get(id) {
            return Some(info.clone());
        }
        let sent = self.sent.get(id).filter(|sent| !sent.peer)?;
        Some(wa::WebMessageInfo {
            key: buffa::MessageField::some(wa::MessageKey {
                remote_jid: Some(sent.chat.to_string()),
                from_me: Some(true),
                id: Some(id.to_owned()),
                participant: None,
            }),
            message: buffa::MessageField::some(sent.message.clone()),
            message_timestamp: Some(sent.at),
            ..Default::default()
        })
    }
}

impl Phone {
    /// The stanza by which this phone tells a sender that its message was read.
    pub fn read(&self, id: &str) -> Result<wacore_binary::Node, PhoneError> {
        let entry = self
            .log
            .inbox
            .iter()
            .find(|entry| entry.id == id)
            .ok_or(PhoneError::Malformed("message id"))?;
        let receipt = wacore_binary::builder::NodeBuilder::new("receipt")
            .attr("to", &entry.chat)
            .attr("id", &entry.id)
            .attr("type", "read");
        Ok(if entry.chat == entry.from {
            receipt.build()
        } else {
            receipt.attr("participant", &entry.from).build()
        })
    }
}
