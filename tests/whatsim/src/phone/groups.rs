//! Sending to groups: one ciphertext under a sender key, the key itself to each device once.
//!
//! Owns who was given our sender key. It must never keep using a key that a device which left
//! still knows.

use std::collections::{BTreeSet, HashMap};

use wacore::messages::MessageUtils;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};
use waproto::whatsapp as wa;

use super::{Phone, PhoneError};
use crate::directory::Directory;

/// Devices that were given our sender key, by group.
#[derive(Default)]
pub(super) struct Shared(HashMap<String, BTreeSet<String>>);

impl Phone {
    pub(super) fn compose_group(
        &mut self,
        group: &Jid,
        id: &str,
        message: &wa::Message,
        dir: &mut dyn Directory,
    ) -> Result<Node, PhoneError> {
        let members = dir.group_members(group);
        let first = members
            .first()
            .ok_or_else(|| PhoneError::Unreachable(group.to_string()))?;
        let me = self.me_like(first).clone();
        let devices: Vec<Jid> = members
            .iter()
            .flat_map(|member| dir.devices(member))
            .filter(|device| !(device.device == 0 && self.is_me(device)))
            .collect();
        let wanted: BTreeSet<String> = devices.iter().map(Jid::to_string).collect();
        let given = self.shared.0.entry(group.to_string()).or_default();
        if !given.is_subset(&wanted) {
            given.clear();
            self.signal.rotate(group, &me);
        }
        let known = given.clone();
        let carrier = self.with_sender_key(group, &me, wa::Message::default())?;
        let mut participants = Vec::new();
        for device in devices {
            let name = device.to_string();
            if known.contains(&name) {
                continue;
            }
            if let Some(to) = self.for_device(&device, &carrier, dir) {
                participants.push(to);
                self.shared
                    .0
                    .entry(group.to_string())
                    .or_default()
                    .insert(name);
            }
        }
        let ciphertext =
            self.signal
                .encrypt_group(group, &me, &MessageUtils::encode_and_pad(message))?;
        let mut children = Vec::new();
        if !participants.is_empty() {
            children.push(
                NodeBuilder::new("participants")
                    .children(participants)
                    .build(),
            );
        }
        children.push(
            NodeBuilder::new("enc")
                .attr("v", "2")
                .attr("type", "skmsg")
                .bytes(ciphertext)
                .build(),
        );
        Ok(NodeBuilder::new("message")
            .attr("to", group)
            .attr("id", id)
            .attr("type", "text")
            .attr("addressing_mode", if me.is_lid() { "lid" } else { "pn" })
            .children(children)
            .build())
    }

    /// The message with our sender key for the group attached.
    pub(super) fn with_sender_key(
        &mut self,
        group: &Jid,
        me: &Jid,
        mut message: wa::Message,
    ) -> Result<wa::Message, PhoneError> {
        message.sender_key_distribution_message =
            buffa::MessageField::some(wa::message::SenderKeyDistributionMessage {
                group_id: Some(group.to_string()),
                axolotl_sender_key_distribution_message: Some(self.signal.distribution(group, me)?),
            });
        Ok(message)
    }
}
