//! Sending one-to-one texts, and the per-device encryption that every kind of sending shares.
//!
//! It must never put a plaintext into a stanza, nor the phone itself among its recipients.

use wacore::messages::{MessageUtils, wrap_device_sent};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node};
use waproto::whatsapp as wa;

use super::stanza::message_id;
use super::{Phone, PhoneError};
use crate::directory::Directory;

impl Phone {
    /// A text to a person (by number or LID) or a group, encrypted for every device that is to
    /// see it. Answers the message id and the stanza.
    pub fn compose_text(
        &mut self,
        to: &Jid,
        text: &str,
        dir: &mut dyn Directory,
    ) -> Result<(String, Node), PhoneError> {
        let message = wa::Message {
            conversation: Some(text.to_owned()),
            ..Default::default()
        };
        let id = message_id();
        let stanza = if to.is_group() {
            self.compose_group(to, &id, &message, dir)?
        } else {
            self.compose_direct(&to.to_non_ad(), &id, &message, dir)?
        };
        self.log.record_sent(&id, to, message, false, dir.now());
        Ok((id, stanza))
    }

    fn compose_direct(
        &mut self,
        to: &Jid,
        id: &str,
        message: &wa::Message,
        dir: &mut dyn Directory,
    ) -> Result<Node, PhoneError> {
        let mut participants = Vec::new();
        if !self.is_me(to) {
            for device in dir.devices(to) {
                participants.extend(self.for_device(&device, message, dir));
            }
            if participants.is_empty() {
                return Err(PhoneError::Unreachable(to.to_string()));
            }
        }
        let copy = wrap_device_sent(message.clone(), to.to_string());
        let me = self.me_like(to).clone();
        for device in dir.devices(&me) {
            if device.device != 0 {
                participants.extend(self.for_device(&device, &copy, dir));
            }
        }
        Ok(NodeBuilder::new("message")
            .attr("to", to)
            .attr("id", id)
            .attr("type", "text")
            .children([NodeBuilder::new("participants")
                .children(participants)
                .build()])
            .build())
    }

    /// One `<to>` of a fan-out; none where the device has no keys to encrypt for.
    pub(super) fn for_device(
        &mut self,
        device: &Jid,
        message: &wa::Message,
        dir: &mut dyn Directory,
    ) -> Option<Node> {
        let enc = self.enc(device, message, None, dir)?;
        Some(
            NodeBuilder::new("to")
                .attr("jid", device)
                .children([enc])
                .build(),
        )
    }

    /// One `<enc>` for a device, opening a session first where there is none. `resend` is the
    /// number of the retry it answers.
    pub(super) fn enc(
        &mut self,
        device: &Jid,
        message: &wa::Message,
        resend: Option<u8>,
        dir: &mut dyn Directory,
    ) -> Option<Node> {
        let address = self.canonical(device, dir);
        if !self.signal.has_session(&address) {
            let bundle = dir.take_bundle(device)?;
            if let Err(error) = self.signal.open(&address, &bundle) {
                tracing::warn!(%error, "a key bundle does not open a session");
                return None;
            }
        }
        match self
            .signal
            .encrypt(&address, &MessageUtils::encode_and_pad(message))
        {
            Ok((kind, ciphertext)) => {
                let enc = NodeBuilder::new("enc").attr("v", "2").attr("type", kind);
                let enc = match resend {
                    Some(count) => enc.attr("count", count),
                    None => enc,
                };
                Some(enc.bytes(ciphertext).build())
            }
            Err(error) => {
                tracing::warn!(%error, "a message was not encrypted for a device");
                None
            }
        }
    }
}
