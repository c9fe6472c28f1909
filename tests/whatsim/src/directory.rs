//! What a device may ask of the service and have answered at once.
//!
//! A phone lives in the server's process, so it asks here instead of sending an iq and waiting. It
//! owns no state: the server's world implements it. It must never answer what a socket device could
//! not have learned from the service.

use wacore_binary::Jid;

/// The service as a device in the server's process sees it.
pub trait Directory {
    /// Every device of an account, the phone (device 0) included. Asked by phone number it answers
    /// in phone numbers, asked by LID in LIDs.
    fn devices(&self, user: &Jid) -> Vec<Jid>;
    /// Key material for a first message to `device`; consumes one of its one-time prekeys.
    fn take_bundle(&mut self, device: &Jid) -> Option<KeyBundle>;
    /// The LID of a phone number, if it has an account here.
    fn lid_of(&self, pn: &Jid) -> Option<Jid>;
    /// The phone number behind a LID, if it has an account here.
    fn pn_of(&self, lid: &Jid) -> Option<Jid>;
    /// The members of a group as it addresses them, without device parts.
    fn group_members(&self, group: &Jid) -> Vec<Jid>;
    /// Unix time in seconds.
    fn now(&self) -> u64;
}

/// What a device publishes so that others can open a Signal session with it. Public keys are the
/// bare 32 bytes, without the type byte.
#[derive(Debug, Clone)]
pub struct KeyBundle {
    /// The Signal registration id.
    pub registration_id: u32,
    /// The identity key.
    pub identity: [u8; 32],
    /// The signed prekey: id, key, signature by the identity over the key with its type byte.
    pub signed_prekey: (u32, [u8; 32], [u8; 64]),
    /// One one-time prekey, if any was left.
    pub prekey: Option<(u32, [u8; 32])>,
}
