//! A simulated phone: the primary device of an account.
//!
//! It owns one account's identity, its Signal sessions, the companions it endorsed, its app-state
//! key and collections, and what it sent and received. It lives in the server's process and does
//! no I/O: stanzas go in and come out as any device's would, and whatever a device would ask the
//! service it asks a [`Directory`]. It must never reach into a companion's state, or read a message
//! that was not encrypted for it.

mod adv;
mod appstate;
mod code;
mod groups;
mod history;
mod inbox;
mod keys;
mod passkey;
mod peer;
mod receive;
mod retry;
mod signal;
mod stanza;
mod text;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use wacore_binary::Jid;

use crate::directory::{Directory, KeyBundle};

pub use adv::{Endorsement, ScannedQr};
pub use appstate::AppStateCollection;
pub use code::PrimaryHello;
pub use inbox::{InboxEntry, Sent};
pub use passkey::{Credential, RP_ID};

use adv::Adv;
use appstate::AppState;
use groups::Shared;
use inbox::Log;
use signal::Signal;

/// How many companions an account may have at once.
pub const COMPANION_SLOTS: usize = 4;

/// Why a phone would not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    /// The text is not a linking QR.
    #[error("not a linking QR: {0}")]
    BadQr(&'static str),
    /// Four companions are linked already.
    #[error("this phone has {COMPANION_SLOTS} linked devices already")]
    NoFreeSlot,
    /// The phone predates multi-device.
    #[error("this phone cannot link companion devices")]
    NotMultidevice,
    /// The code typed in does not open what the companion sent.
    #[error("the pairing code does not match")]
    WrongCode,
    /// No code was typed in, or that exchange is over.
    #[error("no pairing by code is under way")]
    NoPairing,
    /// The phone holds no passkey, or none that this request is for.
    #[error("the phone has no passkey for this")]
    NoPasskey,
    /// A signature or a MAC of the companion does not hold.
    #[error("the companion's {0} does not verify")]
    Forged(&'static str),
    /// Something on the wire could not be read.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// Nobody to send to: the account or group has no device that could be reached.
    #[error("no device of {0} could be reached")]
    Unreachable(String),
    /// The message came before, under the same ratchet counter.
    #[error("this ciphertext was decrypted before")]
    Duplicate,
    /// Signal refused.
    #[error("signal: {0}")]
    Signal(String),
}

/// The primary device of an account.
pub struct Phone {
    pn: Jid,
    lid: Jid,
    name: String,
    multidevice: bool,
    signal: Signal,
    adv: Adv,
    appstate: AppState,
    pairing: Option<code::Exchange>,
    passkey: Option<passkey::Passkey>,
    with_passkey: Option<passkey::Exchange>,
    shared: Shared,
    log: Log,
    /// Who wrote to this phone, by canonical address, with the name they gave.
    contacts: Vec<(Jid, String)>,
    /// Retry receipts sent, by message id; cleared once the message decrypts.
    retries: HashMap<String, u8>,
    unknown: BTreeMap<String, u64>,
}

impl Phone {
    /// A phone fresh out of the box. `number` and `lid` are the bare user parts of its two
    /// addresses.
    pub fn new(number: &str, lid: &str, name: &str, multidevice: bool) -> Self {
        Self {
            pn: Jid::pn(number),
            lid: Jid::lid(lid),
            name: name.to_owned(),
            multidevice,
            signal: Signal::new(),
            adv: Adv::new(),
            appstate: AppState::new(name),
            pairing: None,
            passkey: None,
            with_passkey: None,
            shared: Shared::default(),
            log: Log::default(),
            contacts: Vec::new(),
            retries: HashMap::new(),
            unknown: BTreeMap::new(),
        }
    }

    /// The account's phone-number address.
    pub fn pn(&self) -> &Jid {
        &self.pn
    }

    /// The account's LID.
    pub fn lid(&self) -> &Jid {
        &self.lid
    }

    /// The name others see.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the phone can link companions at all.
    pub fn multidevice(&self) -> bool {
        self.multidevice
    }

    /// Key material for one first message to this phone, with a one-time prekey of its own.
    pub fn bundle(&mut self) -> KeyBundle {
        self.signal.bundle()
    }

    /// Texts received, oldest first, each once.
    pub fn inbox(&self) -> &[InboxEntry] {
        self.log.inbox()
    }

    /// What became of a message this phone sent.
    pub fn sent(&self, id: &str) -> Option<&Sent> {
        self.log.sent(id)
    }

    /// What arrived that this phone has no answer for, by name: a hole in the simulation.
    pub fn unknown(&self) -> &BTreeMap<String, u64> {
        &self.unknown
    }

    /// Device indexes of the linked companions.
    pub fn companions(&self) -> Vec<u16> {
        self.adv.linked()
    }

    /// Forgets a companion: its slot, its key index, its sessions. Group sender keys that it knew
    /// are replaced at the next send.
    pub fn remove_device(&mut self, device: &Jid) {
        self.adv.remove(device.device);
        self.signal.forget(&self.lid.with_device(device.device));
        self.signal.forget(&self.pn.with_device(device.device));
    }

    fn is_me(&self, jid: &Jid) -> bool {
        let user = jid.to_non_ad();
        user == self.pn || user == self.lid
    }

    /// This account as someone addressing `other` would name it.
    fn me_like(&self, other: &Jid) -> &Jid {
        if other.is_lid() { &self.lid } else { &self.pn }
    }

    fn note_unknown(&mut self, what: &str) {
        *self.unknown.entry(what.to_owned()).or_default() += 1;
    }

    /// One address per device, whichever way it was named: its LID where the service knows one.
    /// Sessions are filed under it, so a peer that changes from number to LID keeps its ratchet.
    fn canonical(&self, device: &Jid, dir: &dyn Directory) -> Jid {
        if device.is_lid() {
            return device.clone();
        }
        let user = device.to_non_ad();
        let lid = if user == self.pn {
            Some(self.lid.clone())
        } else {
            dir.lid_of(&user)
        };
        lid.map_or_else(|| device.clone(), |lid| lid.with_device(device.device))
    }
}

/// Unix time in seconds, for signatures made outside any conversation with the service.
fn unix_now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn rng() -> rand::rngs::StdRng {
    rand::make_rng()
}
