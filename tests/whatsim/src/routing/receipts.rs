//! What devices say about messages: acknowledgements, receipts, typing. A receipt empties the queue of
//! the device it comes from and is carried on to those it concerns; it must never be made up here.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node, Server};

use crate::accounts::DeviceId;
use crate::directory::Directory as _;
use crate::stanza::{attr, children, jid};
use crate::world::World;

impl World {
    /// A device acknowledged a stanza the server delivered.
    pub(super) fn acknowledged(&mut self, from: DeviceId, ack: &Node) {
        let (Some(class), Some(id)) = (attr(ack, "class"), attr(ack, "id")) else {
            return;
        };
        if let Some(companion) = self.companion(from) {
            companion.queue.acknowledge(&class, &id);
        }
        self.flush(from);
    }

    pub(super) fn receipt(&mut self, from: DeviceId, receipt: &Node) {
        let Some(id) = attr(receipt, "id") else {
            return self.unknown(receipt);
        };
        let listed = receipt.get_optional_child("list").map_or(&[][..], children);
        let ids: Vec<String> = std::iter::once(id)
            .chain(listed.iter().filter_map(|item| attr(item, "id")))
            .collect();
        if let Some(companion) = self.companion(from) {
            for id in &ids {
                companion.queue.acknowledge("message", id);
            }
        }
        self.acknowledge(from, receipt, Vec::new());
        self.flush(from);
        self.forward_receipt(from, receipt, &ids);
    }

    fn forward_receipt(&mut self, from: DeviceId, receipt: &Node, ids: &[String]) {
        let Some(to) = jid(receipt, "to") else {
            return;
        };
        let kind = attr(receipt, "type");
        let kind = kind.as_deref();
        let author = if to.is_group() || to.server == Server::Broadcast {
            jid(receipt, "participant")
        } else {
            Some(to.clone())
        };
        let Some(author) = author else { return };
        let Some(account) = self.account_of(&author) else {
            return;
        };
        let space = if author.is_lid() {
            Server::Lid
        } else {
            Server::Pn
        };
        let reader = self.jid_of(from, space);
        self.note_receipt(account, kind, ids, &reader);

        let mut forward = NodeBuilder::new("receipt")
            .attr("id", ids.first().cloned().unwrap_or_default())
            .attr("t", self.now());
        forward = if to.is_group() || to.server == Server::Broadcast {
            forward.attr("from", to.clone()).attr("participant", reader)
        } else {
            forward.attr("from", reader)
        };
        for name in ["type", "recipient", "category"] {
            if let Some(value) = receipt.attrs.get(name) {
                forward = forward.attr(name, value.clone());
            }
        }
        let mut forward = forward.build();
        forward.content.clone_from(&receipt.content);
        let targets = match kind {
            // These concern one device's session or request.
            Some(
                "retry" | "enc_rekey_retry" | "peer_msg" | "hist_sync" | "sender" | "server-error",
            ) => self.device_of(&author).into_iter().collect(),
            Some("read-self" | "played-self") => self.siblings(from),
            _ => self.accounts[account]
                .devices()
                .into_iter()
                .map(|device| DeviceId { account, device })
                .collect::<Vec<_>>(),
        };
        let phone = DeviceId { account, device: 0 };
        let number = self.accounts[account].number.clone();
        let ignored =
            kind == Some("retry") && targets.contains(&phone) && self.faults.ignores_retry(&number);
        for target in targets {
            if target != from && !(ignored && target == phone) {
                self.deliver(target, forward.clone());
            }
        }
    }

    /// Keeps what a receipt says about a message.
    fn note_receipt(&mut self, account: usize, kind: Option<&str>, ids: &[String], reader: &Jid) {
        let reader_name = reader.to_string();
        for id in ids {
            let Some(sent) = self.accounts[account].sent.get_mut(id) else {
                continue;
            };
            let list = match kind {
                None | Some("inactive") => &mut sent.delivered,
                Some("read" | "played") => &mut sent.read,
                Some(_) => continue,
            };
            if !list.contains(&reader_name) {
                list.push(reader_name.clone());
            }
        }
    }

    /// Typing is told to devices that are there to see it.
    pub(super) fn typing(&mut self, from: DeviceId, stanza: &Node) {
        let Some(to) = jid(stanza, "to") else {
            return self.unknown(stanza);
        };
        let Some(account) = self.account_of(&to) else {
            return;
        };
        let space = if to.is_lid() { Server::Lid } else { Server::Pn };
        let mut told = NodeBuilder::new("chatstate")
            .attr("from", self.jid_of(from, space).to_non_ad())
            .build();
        told.content.clone_from(&stanza.content);
        for device in self.accounts[account].devices() {
            // Phones in this process show no typing.
            if device != 0 {
                self.deliver(DeviceId { account, device }, told.clone());
            }
        }
    }
}
