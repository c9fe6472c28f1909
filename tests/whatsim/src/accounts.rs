//! Accounts and their devices: who exists, under which number and LID, with which companions. It
//! must never send anything.

use std::collections::{BTreeMap, BTreeSet};

use wacore_binary::{Jid, Server};

use crate::appstate::Collections;
use crate::phone::{Credential, Phone};
use crate::prekeys::Keys;
use crate::queue::Queue;
use crate::socket::SocketId;

/// How many companions a phone keeps at most, as the service documents it.
pub const MAX_COMPANIONS: usize = 4;

/// A device of an account. Device 0 is the phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId {
    /// Index of the account.
    pub account: usize,
    /// The device's number within the account.
    pub device: u16,
}

/// An account: a phone and what is linked to it.
pub struct Account {
    /// The phone number, digits only.
    pub number: String,
    /// The user part of the LID.
    pub lid: String,
    /// The push name.
    pub name: String,
    /// False for a phone that is too old to link devices.
    pub multidevice: bool,
    /// What is known of the passkey that whoever is to be linked must prove, if the account wants one.
    pub passkey: Option<Credential>,
    /// The phone; absent only while it is working on a stanza.
    pub phone: Option<Phone>,
    /// Linked devices by number.
    pub companions: BTreeMap<u16, Companion>,
    /// The number for the next linked device; never reused.
    pub next_device: u16,
    /// App-state collections.
    pub collections: Collections,
    /// Blocked contacts.
    pub blocked: BTreeSet<String>,
    /// Privacy settings by category.
    pub privacy: BTreeMap<String, String>,
    /// The default disappearing timer: seconds, and when it was set.
    pub disappearing: (u32, u64),
    /// The "about" line: text, and when it was set.
    pub about: (String, u64),
    /// What became of messages this account sent, by id.
    pub sent: BTreeMap<String, Sent>,
}

/// What became of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Sent {
    /// The server accepted it.
    pub server: bool,
    /// Devices that acknowledged its delivery.
    pub delivered: Vec<String>,
    /// Devices on which it was read.
    pub read: Vec<String>,
}

/// A linked device.
pub struct Companion {
    /// What it is recognised by at login.
    pub noise_static: [u8; 32],
    /// The platform it named when it was linked.
    pub platform: String,
    /// Its index in the account's signed key-index list.
    pub key_index: u32,
    /// The signed device identity it returned, for others to verify it by.
    pub device_identity: Vec<u8>,
    /// Its published Signal keys.
    pub keys: Keys,
    /// The live, logged-in connection.
    pub socket: Option<SocketId>,
    /// What it has not acknowledged yet.
    pub queue: Queue,
}

impl Account {
    /// A fresh account without companions.
    pub fn new(number: &str, lid: &str, name: &str, multidevice: bool) -> Self {
        let privacy = [
            ("readreceipts", "all"),
            ("profile", "all"),
            ("status", "all"),
            ("online", "all"),
            ("last", "all"),
            ("groupadd", "all"),
            ("calladd", "all"),
        ];
        Self {
            phone: Some(Phone::new(number, lid, name, multidevice)),
            number: number.into(),
            lid: lid.into(),
            name: name.into(),
            multidevice,
            passkey: None,
            companions: BTreeMap::new(),
            next_device: 1,
            collections: Collections::default(),
            blocked: BTreeSet::new(),
            privacy: privacy
                .iter()
                .map(|(category, value)| ((*category).into(), (*value).into()))
                .collect(),
            disappearing: (0, 0),
            about: (String::new(), 0),
            sent: BTreeMap::new(),
        }
    }

    /// The account's address in the given space, device part included.
    pub fn jid(&self, server: Server, device: u16) -> Jid {
        if server.is_lid_family() {
            Jid::lid_device(self.lid.as_str(), device)
        } else {
            Jid::pn_device(self.number.as_str(), device)
        }
    }

    /// The device numbers, the phone's first.
    pub fn devices(&self) -> Vec<u16> {
        std::iter::once(0)
            .chain(self.companions.keys().copied())
            .collect()
    }

    /// The record of a sent message, made if it is new.
    pub fn sent_mut(&mut self, id: &str) -> &mut Sent {
        self.sent.entry(id.into()).or_default()
    }
}

/// A LID for a number: fifteen digits, stable, and plainly not the number.
pub fn lid_for(number: &str) -> String {
    let digits: String = number.chars().rev().collect();
    let tail: String = digits
        .chars()
        .chain("0".repeat(15).chars())
        .take(14)
        .collect();
    format!("9{tail}")
}
