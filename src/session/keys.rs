//! The protocol crate's storage on the `link` database: device, Signal state, app state, and what
//! else the crate remembers. It knows how rows are written and when they must be durable, and
//! nothing of what they mean; no key or address ever reaches the log.
//!
//! **What is durable when.** The database's log is sequential: a commit makes everything applied
//! before it durable, and a power cut costs a tail of what came after, never something from its
//! middle. So not every write needs a commit of its own.
//!
//! - *Committed before the call returns*: sessions, sender keys and identities with their
//!   deletions (a ciphertext goes out, or a message is acknowledged, right after; a key and IV
//!   must never be used twice), the device (it was told to the service), prekeys and signed
//!   prekeys when stored (their public halves are uploaded next), app-state keys and versions
//!   (the phone and the service do not repeat them unasked), received privacy tokens, and
//!   forgetting who has our sender key (who is wrongly believed to have it cannot read us).
//! - *Left to the next commit*: everything that comes again or costs a round trip when lost.
//!   Above all the rows of pending inbound messages: the crate writes them before it flushes the
//!   ratchet that decrypted them, so the ratchet's commit covers both, in this order. The same
//!   holds for their removal, prekeys that were used up, the marks of uploaded ones, mappings,
//!   device lists, group metadata, sent messages, message secrets and base keys.
//!
//! A message that arrives in a direct chat so costs one sync here, and one in `log/` for the
//! inbox.
//!
//! **Rows** begin with a byte that says how to read the rest: prost for our own, the bytes
//! themselves where the crate hands over bytes, JSON for the large types the crate itself
//! serialises. A row that cannot be read is an error where it would be guessed otherwise, and
//! absent where the crate asks for it again by itself (app-state keys).
//!
//! Methods that read, decide and write do so under one lock, and write one batch.

mod app_state;
mod device;
mod protocol;
mod rows;
mod secrets;
mod signal;

use std::sync::{Mutex, PoisonError};

use wacore::store::error::{Result, StoreError as CrateError};

use crate::store::{Batch, Database, Space, StoreError};

/// The protocol crate's `Backend`.
#[derive(Debug)]
pub struct Keys {
    db: Database,
    alone: Mutex<()>,
    device: Space,
    identities: Space,
    sessions: Space,
    prekeys: Space,
    signed_prekeys: Space,
    sender_keys: Space,
    sync_keys: Space,
    versions: Space,
    macs: Space,
    sender_key_devices: Space,
    lids: Space,
    numbers: Space,
    base_keys: Space,
    device_lists: Space,
    groups: Space,
    tokens: Space,
    sent: Space,
    pending: Space,
    secrets: Space,
    secrets_due: Space,
}

impl Keys {
    /// Keeps everything in `link`.
    pub fn new(link: &Database) -> Self {
        Self {
            db: link.clone(),
            alone: Mutex::new(()),
            device: link.space("device"),
            identities: link.space("identity"),
            sessions: link.space("session"),
            prekeys: link.space("prekey"),
            signed_prekeys: link.space("signed-prekey"),
            sender_keys: link.space("sender-key"),
            sync_keys: link.space("app-key"),
            versions: link.space("app-version"),
            macs: link.space("app-mac"),
            sender_key_devices: link.space("sender-key-device"),
            lids: link.space("lid"),
            numbers: link.space("number"),
            base_keys: link.space("base-key"),
            device_lists: link.space("device-list"),
            groups: link.space("group"),
            tokens: link.space("tc-token"),
            sent: link.space("sent"),
            pending: link.space("pending"),
            secrets: link.space("secret"),
            secrets_due: link.space("secret-due"),
        }
    }

    /// Reads, decides and writes, as one.
    fn change<T>(&self, decide: impl FnOnce(&mut Batch) -> Result<T>) -> Result<T> {
        let _alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batch = Batch::default();
        let answer = decide(&mut batch)?;
        self.db.apply(batch).map_err(failed)?;
        Ok(answer)
    }

    /// [`Self::change`] that is durable before it returns.
    async fn change_durably<T>(&self, decide: impl FnOnce(&mut Batch) -> Result<T>) -> Result<T> {
        let answer = self.change(decide)?;
        self.db.commit().await.map_err(failed)?;
        Ok(answer)
    }
}

/// Puts strings into one key so that no two lists of strings give the same, and those that share
/// their first strings share a prefix.
fn key<const N: usize>(parts: [&str; N]) -> Vec<u8> {
    let mut key = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts {
        key.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        key.extend_from_slice(part.as_bytes());
    }
    key
}

/// The first two strings of a [`key`].
fn second_part(key: &[u8]) -> Option<&str> {
    let skip = |bytes: &mut &[u8]| -> Option<usize> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        *bytes = rest;
        usize::try_from(u32::from_be_bytes(*length)).ok()
    };
    let mut rest = key;
    let first = skip(&mut rest)?;
    rest = rest.get(first..)?;
    let second = skip(&mut rest)?;
    std::str::from_utf8(rest.get(..second)?).ok()
}

fn failed(error: StoreError) -> CrateError {
    CrateError::Database(Box::new(error))
}

#[cfg(test)]
mod tests;
