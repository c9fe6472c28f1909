//! Recovering messages that did not decrypt, in both directions.
//!
//! Owns the retry counters. It must never ask more than five times, nor resend a message to
//! anyone whom it was not for.

use wacore::messages::wrap_device_sent;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node};

use super::Phone;
use super::stanza::{Head, bytes, integer, text};
use crate::directory::{Directory, KeyBundle};

/// From this retry on a request carries keys, as the web client's do.
const WITH_KEYS: u8 = 2;
const LAST: u8 = 5;

impl Phone {
    /// The retry receipt for a message that did not decrypt; none once asking is hopeless.
    pub(super) fn ask_again(&mut self, head: &Head) -> Option<Node> {
        let count = self.retries.entry(head.id.clone()).or_default();
        if *count >= LAST {
            return None;
        }
        *count += 1;
        let count = *count;
        let retry = NodeBuilder::new("retry")
            .attr("v", "1")
            .attr("id", &head.id)
            .attr("t", head.at.unwrap_or_default())
            .attr("count", count)
            .build();
        let registration = NodeBuilder::new("registration")
            .bytes(self.signal.registration_id().to_be_bytes())
            .build();
        let mut children = vec![retry, registration];
        if count >= WITH_KEYS {
            children.push(self.keys());
        }
        let mut receipt = head.answer("receipt").attr("type", "retry");
        if !head.is_group() && self.is_me(&head.sender) {
            if head.peer {
                receipt = receipt.attr("category", "peer");
            } else if let Some(recipient) = &head.recipient {
                receipt = receipt.attr("recipient", recipient);
            }
        }
        Some(receipt.children(children).build())
    }

    fn keys(&mut self) -> Node {
        let bundle = self.signal.bundle();
        let number = |id: u32| id.to_be_bytes()[1..].to_vec();
        let leaf = |tag, content: Vec<u8>| NodeBuilder::new(tag).bytes(content).build();
        let mut children = vec![
            leaf("type", vec![5]),
            leaf("identity", bundle.identity.to_vec()),
        ];
        if let Some((id, key)) = bundle.prekey {
            children.push(
                NodeBuilder::new("key")
                    .children([leaf("id", number(id)), leaf("value", key.to_vec())])
                    .build(),
            );
        }
        let (id, key, signature) = bundle.signed_prekey;
        children.push(
            NodeBuilder::new("skey")
                .children([
                    leaf("id", number(id)),
                    leaf("value", key.to_vec()),
                    leaf("signature", signature.to_vec()),
                ])
                .build(),
        );
        NodeBuilder::new("keys").children(children).build()
    }

    /// Answers a retry receipt: the same message under the same id, for that one device.
    pub(super) fn resend(
        &mut self,
        head: &Head,
        stanza: &Node,
        dir: &mut dyn Directory,
    ) -> Option<Node> {
        let retry = stanza.get_optional_child("retry")?;
        let count: u8 = text(retry, "count").and_then(|count| count.parse().ok())?;
        let sent = self.log.sent(&head.id)?.clone();
        let device = &head.sender;
        if count > LAST || !self.may_have(device, &sent.chat, dir) {
            return None;
        }
        let address = self.canonical(device, dir);
        let fresh = match keys_of(stanza) {
            Some(bundle) => Some(bundle),
            None if count >= WITH_KEYS => dir.take_bundle(device),
            None => None,
        };
        if let Some(bundle) = fresh
            && let Err(error) = self.signal.open(&address, &bundle)
        {
            tracing::warn!(%error, "the keys of a retry receipt do not open a session");
            return None;
        }
        let mut message = sent.message;
        let mut stanza = NodeBuilder::new("message")
            .attr("id", &head.id)
            .attr("type", "text");
        if sent.chat.is_group() {
            let me = self.me_like(device).clone();
            message = self.with_sender_key(&sent.chat, &me, message).ok()?;
            stanza = stanza
                .attr("to", &sent.chat)
                .attr("participant", device)
                .attr("addressing_mode", if me.is_lid() { "lid" } else { "pn" });
        } else {
            stanza = stanza.attr("to", device);
            if sent.peer {
                stanza = stanza
                    .attr("category", "peer")
                    .attr("push_priority", "high");
            } else if self.is_me(device) {
                message = wrap_device_sent(message, sent.chat.to_string());
                stanza = stanza.attr("recipient", &sent.chat);
            }
        }
        let enc = self.enc(device, &message, Some(count), dir)?;
        Some(stanza.children([enc]).build())
    }

    fn may_have(&self, device: &Jid, chat: &Jid, dir: &dyn Directory) -> bool {
        if self.is_me(device) {
            return true;
        }
        let user = self.canonical(&device.to_non_ad(), dir);
        if chat.is_group() {
            dir.group_members(chat)
                .iter()
                .any(|member| self.canonical(member, dir) == user)
        } else {
            self.canonical(&chat.to_non_ad(), dir) == user
        }
    }
}

/// The key material inside a retry receipt.
fn keys_of(stanza: &Node) -> Option<KeyBundle> {
    let keys = stanza.get_optional_child("keys")?;
    let prekey = keys.get_optional_child("key").and_then(|key| {
        Some((
            integer(key.get_optional_child("id")?)?,
            bytes(key.get_optional_child("value")?)?.try_into().ok()?,
        ))
    });
    let signed = keys.get_optional_child("skey")?;
    Some(KeyBundle {
        registration_id: integer(stanza.get_optional_child("registration")?)?,
        identity: bytes(keys.get_optional_child("identity")?)?
            .try_into()
            .ok()?,
        signed_prekey: (
            integer(signed.get_optional_child("id")?)?,
            bytes(signed.get_optional_child("value")?)?
                .try_into()
                .ok()?,
            bytes(signed.get_optional_child("signature")?)?
                .try_into()
                .ok()?,
        ),
        prekey,
    })
}
