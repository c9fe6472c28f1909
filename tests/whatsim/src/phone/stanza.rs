//! Reading and writing the stanzas a phone exchanges.
//!
//! Owns no state. It must never guess an address: what a stanza does not say is absent.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node, NodeContent};

/// The envelope of a stanza that reached the phone.
pub(super) struct Head {
    pub(super) id: String,
    /// As it came: a device, or a group.
    pub(super) from: Jid,
    /// The device that sent it.
    pub(super) sender: Jid,
    /// The chat of a message that one of our own companions sent.
    pub(super) recipient: Option<Jid>,
    pub(super) at: Option<u64>,
    pub(super) peer: bool,
    pub(super) kind: Option<String>,
    group: bool,
}

impl Head {
    pub(super) fn read(stanza: &Node) -> Option<Self> {
        let from = jid(stanza, "from")?;
        Some(Self {
            id: text(stanza, "id")?,
            sender: jid(stanza, "participant").unwrap_or_else(|| from.clone()),
            recipient: jid(stanza, "recipient"),
            at: text(stanza, "t").and_then(|t| t.parse().ok()),
            peer: text(stanza, "category").as_deref() == Some("peer"),
            kind: text(stanza, "type"),
            group: from.is_group(),
            from,
        })
    }

    pub(super) fn is_group(&self) -> bool {
        self.group
    }

    /// A stanza of `tag` that answers this one.
    pub(super) fn answer(&self, tag: &'static str) -> NodeBuilder {
        let answer = NodeBuilder::new(tag)
            .attr("to", &self.from)
            .attr("id", &self.id);
        if self.sender == self.from {
            answer
        } else {
            answer.attr("participant", &self.sender)
        }
    }

    /// Tells the service that this stanza, of the given class, need not come again.
    pub(super) fn ack(&self, class: &'static str) -> Node {
        let ack = self.answer("ack").attr("class", class);
        // The service echoes the type of everything but a message.
        match &self.kind {
            Some(kind) if class != "message" => ack.attr("type", kind).build(),
            _ => ack.build(),
        }
    }
}

pub(super) fn text(node: &Node, key: &str) -> Option<String> {
    node.attrs.get(key).map(|value| value.as_str().into_owned())
}

pub(super) fn jid(node: &Node, key: &str) -> Option<Jid> {
    node.attrs.get(key).and_then(|value| value.to_jid())
}

pub(super) fn bytes(node: &Node) -> Option<&[u8]> {
    match node.content.as_ref()? {
        NodeContent::Bytes(bytes) => Some(bytes),
        NodeContent::String(_) | NodeContent::Nodes(_) => None,
    }
}

/// An unsigned integer of up to four bytes, as key ids travel.
pub(super) fn integer(node: &Node) -> Option<u32> {
    let bytes = bytes(node).filter(|bytes| bytes.len() <= 4)?;
    Some(
        bytes
            .iter()
            .fold(0, |sum, byte| (sum << 8) | u32::from(*byte)),
    )
}

/// A message id as phones make them: 32 upper-case hexadecimal digits.
pub(super) fn message_id() -> String {
    format!("{:032X}", rand::random::<u128>())
}
