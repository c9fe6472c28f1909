//! Stories of phones: what people and their companions see, through a directory without a server.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod appstate;
mod chat;
mod linking;
mod peer;

use std::collections::HashMap;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node};

use super::Phone;
use super::signal::Signal;
use crate::directory::{Directory, KeyBundle};

const NOW: u64 = 1_800_000_000;

/// The service reduced to its tables.
#[derive(Default)]
struct Tables {
    devices: HashMap<Jid, Vec<u16>>,
    bundles: HashMap<Jid, Vec<KeyBundle>>,
    lids: HashMap<Jid, Jid>,
    groups: HashMap<Jid, Vec<Jid>>,
}

impl Tables {
    fn account(&self, user: &Jid) -> Jid {
        self.lid_of(user).unwrap_or_else(|| user.clone())
    }

    fn enrol(&mut self, phone: &mut Phone) {
        let lid = phone.lid().clone();
        self.lids.insert(phone.pn().clone(), lid.clone());
        self.devices.insert(lid.clone(), vec![0]);
        let bundles = (0..20).map(|_| phone.bundle()).collect();
        self.bundles.insert(lid, bundles);
    }

    fn companion(&mut self, phone: &Phone, index: u16) -> Signal {
        let mut signal = Signal::new();
        self.devices.get_mut(phone.lid()).unwrap().push(index);
        self.bundles.insert(
            phone.lid().with_device(index),
            (0..20).map(|_| signal.bundle()).collect(),
        );
        signal
    }
}

impl Directory for Tables {
    fn devices(&self, user: &Jid) -> Vec<Jid> {
        let account = self.account(user);
        let indexes = self.devices.get(&account).cloned().unwrap_or_default();
        indexes
            .into_iter()
            .map(|index| user.with_device(index))
            .collect()
    }

    fn take_bundle(&mut self, device: &Jid) -> Option<KeyBundle> {
        let account = self.account(&device.to_non_ad());
        self.bundles
            .get_mut(&account.with_device(device.device))?
            .pop()
    }

    fn lid_of(&self, pn: &Jid) -> Option<Jid> {
        self.lids.get(pn).cloned()
    }

    fn pn_of(&self, lid: &Jid) -> Option<Jid> {
        let (pn, _) = self.lids.iter().find(|(_, known)| *known == lid)?;
        Some(pn.clone())
    }

    fn group_members(&self, group: &Jid) -> Vec<Jid> {
        self.groups.get(group).cloned().unwrap_or_default()
    }

    fn now(&self) -> u64 {
        NOW
    }
}

fn phones() -> (Phone, Phone, Tables) {
    let mut ana = Phone::new("573000000001", "900000000001", "Ana", true);
    let mut beto = Phone::new("573000000002", "900000000002", "Beto", true);
    let mut tables = Tables::default();
    tables.enrol(&mut ana);
    tables.enrol(&mut beto);
    (ana, beto, tables)
}

/// The part of a sent stanza that one device gets, as the service hands it over.
fn deliver(stanza: &Node, from: &Jid, device: &Jid) -> Option<Node> {
    let to = stanza.attrs.get("to").unwrap().to_jid().unwrap();
    let own = stanza
        .get_optional_child("participants")
        .into_iter()
        .flat_map(|list| list.get_children_by_tag("to"))
        .find(|to| to.attrs.get("jid").and_then(|jid| jid.to_jid()).as_ref() == Some(device))
        .and_then(|to| to.children())
        .into_iter()
        .flatten();
    let parts: Vec<Node> = own
        .chain(stanza.get_children_by_tag("enc"))
        .cloned()
        .collect();
    if parts.is_empty() {
        return None;
    }
    let mut node = NodeBuilder::new("message")
        .attr("id", &*stanza.attrs.get("id").unwrap().as_str())
        .attr("type", "text")
        .attr("t", NOW);
    node = if to.is_group() {
        node.attr("from", &to).attr("participant", from)
    } else {
        node.attr("from", from)
    };
    if let Some(category) = stanza.attrs.get("category") {
        node = node.attr("category", &*category.as_str());
    }
    Some(node.children(parts).build())
}

fn tagged<'a>(answers: &'a [Node], tag: &str) -> Option<&'a Node> {
    answers.iter().find(|node| node.tag == tag)
}

/// A stanza that a phone sent, with the sender the service stamps on it.
fn stamped(node: &Node, from: &Jid) -> Node {
    let mut node = node.clone();
    node.attrs.insert("from", from);
    node
}
