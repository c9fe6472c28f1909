//! Stanzas from devices: where each goes, and messages fanned out. It must not care whether a device is a phone in this process or a client on a socket, and cannot read a message.

mod receipts;

use std::collections::{BTreeMap, BTreeSet};

use wacore::messages::MessageUtils;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node, NodeContent, Server};

use crate::accounts::DeviceId;
use crate::directory::Directory as _;
use crate::stanza::{attr, children, is, jid};
use crate::world::World;

/// Attributes of a message that reach its recipients unchanged.
const CARRIED: [&str; 4] = ["type", "edit", "category", "push_priority"];

impl World {
    /// Takes a stanza from a device.
    pub(crate) fn route(&mut self, from: DeviceId, stanza: &Node) {
        match &*stanza.tag {
            "message" => self.message(from, stanza),
            "receipt" => self.receipt(from, stanza),
            "ack" => self.acknowledged(from, stanza),
            "iq" => self.iq(from, stanza),
            "presence" => self.presence(from, stanza),
            "chatstate" => self.typing(from, stanza),
            "ib" => self.broadcast(from, stanza),
            _ => {
                self.unknown(stanza);
                self.acknowledge(from, stanza, Vec::new());
            }
        }
    }

    /// What a client says about its session.
    fn broadcast(&mut self, from: DeviceId, stanza: &Node) {
        for child in children(stanza) {
            match &*child.tag {
                // Telemetry; the service answers nothing.
                "unified_session" => {}
                "offline_batch" => {
                    let count = attr(child, "count").and_then(|count| count.parse().ok());
                    if let Some(companion) = self.companion(from) {
                        companion.queue.grant(count.unwrap_or(0));
                    }
                    self.flush(from);
                }
                _ => self.unknown(stanza),
            }
        }
    }

    /// Acknowledges a stanza to the device it came from.
    fn acknowledge(&mut self, to: DeviceId, stanza: &Node, more: Vec<(&'static str, String)>) {
        let Some(id) = attr(stanza, "id") else {
            return;
        };
        let mut ack = NodeBuilder::new("ack")
            .attr("class", stanza.tag.as_ref())
            .attr("id", id)
            .attr("t", self.now());
        if let Some(to) = jid(stanza, "to") {
            ack = ack.attr("from", to);
        }
        for name in ["participant", "type"] {
            if let Some(value) = stanza.attrs.get(name) {
                ack = ack.attr(name, value.clone());
            }
        }
        for (name, value) in more {
            ack = ack.attr(name, value);
        }
        self.deliver(to, ack.build());
    }

    // Messages.

    fn message(&mut self, from: DeviceId, stanza: &Node) {
        let (Some(to), Some(id)) = (jid(stanza, "to"), attr(stanza, "id")) else {
            return self.unknown(stanza);
        };
        let number = self.accounts[from.account].number.clone();
        let is_phone = from.device == 0;
        if !is_phone && let Some(code) = self.faults.refuses((&number, from.device)) {
            return self.acknowledge(from, stanza, vec![("error", code.to_string())]);
        }
        let copies = match to.server {
            Server::Group => match self.group_copies(from, &to, stanza) {
                Ok(copies) => copies,
                Err(code) => {
                    return self.acknowledge(from, stanza, vec![("error", code.to_string())]);
                }
            },
            Server::Broadcast => addressed(stanza),
            _ if self.account_of(&to).is_none() => {
                // Nobody has this number: the service refuses the recipient.
                return self.acknowledge(from, stanza, vec![("error", "404".into())]);
            }
            _ => self.direct_copies(&to, stanza),
        };
        let missed = self.missed_devices(from, &to, stanza, &copies);
        for (device, encs) in copies {
            self.copy(from, stanza, &to, &device, encs);
        }
        self.accounts[from.account].sent_mut(&id).server = true;
        if !is_phone && self.faults.withholds_ack((&number, from.device)) {
            return;
        }
        let more = missed.map(|phash| ("phash", phash));
        self.acknowledge(from, stanza, more.into_iter().collect());
    }

    /// The hash of the devices a message should have been for, if the sender's list of them is not
    /// the server's: it looks them up again then.
    fn missed_devices(
        &self,
        from: DeviceId,
        to: &Jid,
        stanza: &Node,
        copies: &[(Jid, Vec<Node>)],
    ) -> Option<String> {
        if to.is_group() {
            let claimed = attr(stanza, "phash")?;
            let members = self.groups.get(to.user.as_str())?.members.keys();
            let all = members.flat_map(|account| self.devices_in(*account, Server::Lid));
            return hash(all.collect()).filter(|phash| *phash != claimed);
        }
        stanza.get_optional_child("participants")?;
        let space = if to.is_lid() { Server::Lid } else { Server::Pn };
        let mut wanted: BTreeMap<DeviceId, Jid> = [self.account_of(to)?, from.account]
            .into_iter()
            .flat_map(|account| self.devices_in(account, space))
            .filter_map(|jid| Some((self.device_of(&jid)?, jid)))
            .collect();
        wanted.remove(&from);
        let reached: BTreeSet<DeviceId> = copies
            .iter()
            .filter_map(|(jid, _)| self.device_of(jid))
            .collect();
        if wanted.keys().all(|device| reached.contains(device)) {
            return None;
        }
        hash(wanted.into_values().collect())
    }

    fn devices_in(&self, account: usize, space: Server) -> Vec<Jid> {
        let account = &self.accounts[account];
        account
            .devices()
            .into_iter()
            .map(|device| account.jid(space, device))
            .collect()
    }

    /// The copies of a message between two accounts: one for each device it names, or one for the
    /// device it is addressed to.
    fn direct_copies(&self, to: &Jid, stanza: &Node) -> Vec<(Jid, Vec<Node>)> {
        if stanza.get_optional_child("participants").is_some() {
            return addressed(stanza);
        }
        vec![(to.clone(), encs(stanza))]
    }

    /// The copies of a group message: the common part for every device of every member, with what
    /// is meant for that device alone in front.
    fn group_copies(
        &self,
        from: DeviceId,
        to: &Jid,
        stanza: &Node,
    ) -> Result<Vec<(Jid, Vec<Node>)>, u16> {
        let group = self.groups.get(to.user.as_str()).ok_or(404_u16)?;
        if !group.members.contains_key(&from.account) {
            return Err(403);
        }
        if let Some(device) = jid(stanza, "participant") {
            return Ok(vec![(device, encs(stanza))]);
        }
        let own = addressed(stanza);
        let common = encs(stanza);
        let mut copies = Vec::new();
        for account in group.members.keys() {
            for device in self.accounts[*account].devices() {
                let target = DeviceId {
                    account: *account,
                    device,
                };
                if target == from {
                    continue;
                }
                let mut parts: Vec<Node> = own
                    .iter()
                    .filter(|(jid, _)| self.device_of(jid) == Some(target))
                    .flat_map(|(_, encs)| encs.clone())
                    .collect();
                parts.extend(common.iter().cloned());
                if !parts.is_empty() {
                    copies.push((self.jid_of(target, Server::Lid), parts));
                }
            }
        }
        Ok(copies)
    }

    /// Delivers one device's copy of a message.
    fn copy(&mut self, from: DeviceId, stanza: &Node, to: &Jid, device: &Jid, encs: Vec<Node>) {
        let Some(target) = self.device_of(device).filter(|target| *target != from) else {
            return;
        };
        let sender = &self.accounts[from.account];
        let blocked = &self.accounts[target.account].blocked;
        let blocks = [Server::Pn, Server::Lid]
            .iter()
            .any(|server| blocked.contains(&sender.jid(*server, 0).to_string()));
        if blocks && !to.is_group() {
            return;
        }
        let space = if device.is_lid() {
            Server::Lid
        } else {
            Server::Pn
        };
        let author = sender.jid(space, from.device);
        let (pn, lid) = (sender.jid(Server::Pn, 0), sender.jid(Server::Lid, 0));
        let mut copy = NodeBuilder::new("message")
            .attr("id", attr(stanza, "id").unwrap_or_default())
            .attr("t", self.now())
            .attr("notify", sender.name.as_str());
        if to.is_group() || to.server == Server::Broadcast {
            copy = copy.attr("from", to.clone()).attr("participant", author);
            copy = if space == Server::Lid {
                copy.attr("addressing_mode", "lid")
                    .attr("participant_pn", pn)
            } else {
                copy.attr("addressing_mode", "pn")
                    .attr("participant_lid", lid)
            };
        } else {
            copy = copy.attr("from", author);
            let own_chat = target.account == from.account;
            let peer = is(stanza, "category", "peer");
            if own_chat && !peer {
                // A device of the sender's account: the chat is the one it was sent to.
                let chat = jid(stanza, "recipient").unwrap_or_else(|| to.to_non_ad());
                if let Some(account) = self.account_of(&chat) {
                    let other = &self.accounts[account];
                    copy = if chat.is_lid() {
                        copy.attr("peer_recipient_pn", other.jid(Server::Pn, 0))
                    } else {
                        copy.attr("peer_recipient_lid", other.jid(Server::Lid, 0))
                    };
                }
                copy = copy.attr("recipient", chat);
            } else if !own_chat {
                copy = if space == Server::Lid {
                    copy.attr("sender_pn", pn)
                } else {
                    copy.attr("sender_lid", lid)
                };
            }
        }
        let mut copy = copy.build();
        for name in CARRIED {
            if let Some(value) = stanza.attrs.get(name) {
                copy.attrs.insert(name, value.clone());
            }
        }
        let mut content = encs;
        content.extend(
            children(stanza)
                .iter()
                .filter(|child| {
                    !matches!(&*child.tag, "participants" | "enc" | "tctoken" | "cstoken")
                })
                .cloned(),
        );
        copy.content = Some(NodeContent::Nodes(content));
        self.deliver(target, copy);
    }
}

/// What a message says to single devices.
fn addressed(stanza: &Node) -> Vec<(Jid, Vec<Node>)> {
    stanza
        .get_optional_child("participants")
        .map_or(&[][..], children)
        .iter()
        .filter_map(|to| Some((jid(to, "jid")?, encs(to))))
        .collect()
}

/// The participant hash of a list of devices.
fn hash(devices: Vec<Jid>) -> Option<String> {
    MessageUtils::participant_list_hash(&devices).ok()
}

fn encs(node: &Node) -> Vec<Node> {
    children(node)
        .iter()
        .filter(|child| child.tag == "enc")
        .cloned()
        .collect()
}
