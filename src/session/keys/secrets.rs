//! Message secrets, with a second space ordered by when they expire, so that the crate's frequent
//! sweep looks at what has expired and at nothing else.

use async_trait::async_trait;
use wacore::store::error::Result;
use wacore::store::traits::{
    MsgSecretEntry, MsgSecretStore, merge_msg_secret_expiry, merge_msg_secret_message_ts,
};

use super::rows::{self, Secret};
use super::{Keys, failed, key};
use crate::store::Entry;

/// How many expired rows are read at a time.
const SWEEP: usize = 256;

#[async_trait]
impl MsgSecretStore for Keys {
    async fn put_msg_secrets(&self, entries: Vec<MsgSecretEntry>) -> Result<usize> {
        self.change(|batch| {
            // A key may come twice in one call; the second must meet what the first left.
            let mut merged = std::collections::BTreeMap::<Vec<u8>, (Option<i64>, Secret)>::new();
            for entry in &entries {
                let key = key([&entry.chat, &entry.sender, &entry.msg_id]);
                let before = match merged.remove(&key) {
                    Some(both) => Some(both),
                    None => self
                        .secret(&key)?
                        .map(|secret| (Some(secret.expires_at), secret)),
                };
                let (due, expires_at, message_ts) = match before {
                    Some((due, before)) => (
                        due,
                        merge_msg_secret_expiry(before.expires_at, entry.expires_at),
                        merge_msg_secret_message_ts(before.message_ts, entry.message_ts),
                    ),
                    None => (None, entry.expires_at, entry.message_ts),
                };
                let secret = Secret {
                    secret: entry.secret.to_vec(),
                    expires_at,
                    message_ts,
                };
                merged.insert(key, (due, secret));
            }
            for (key, (due, secret)) in merged {
                if let Some(due) = due.filter(|due| *due != secret.expires_at) {
                    batch.delete(&self.secrets_due, &due_key(due, &key));
                }
                if secret.expires_at != 0 {
                    batch.put(&self.secrets_due, &due_key(secret.expires_at, &key), []);
                }
                batch.put(&self.secrets, &key, rows::message(&secret));
            }
            Ok(entries.len())
        })
    }

    async fn get_msg_secret(
        &self,
        chat: &str,
        sender: &str,
        msg_id: &str,
    ) -> Result<Option<Vec<u8>>> {
        let secret = self.secret(&key([chat, sender, msg_id]))?;
        Ok(secret.map(|row| row.secret))
    }

    async fn get_msg_secret_with_ts(
        &self,
        chat: &str,
        sender: &str,
        msg_id: &str,
    ) -> Result<Option<(Vec<u8>, i64)>> {
        let secret = self.secret(&key([chat, sender, msg_id]))?;
        Ok(secret.map(|row| (row.secret, row.message_ts)))
    }

    async fn delete_expired_msg_secrets(&self, cutoff_timestamp: i64) -> Result<u32> {
        let mut deleted = 0;
        loop {
            let expired = self.change(|batch| {
                let mut expired = self.secrets_due.scan(b"", SWEEP).map_err(failed)?;
                expired.retain(|entry| due_of(entry).is_some_and(|due| due <= cutoff_timestamp));
                for (due, _) in &expired {
                    batch.delete(&self.secrets_due, due);
                    batch.delete(&self.secrets, &due[8..]);
                }
                Ok(expired.len())
            })?;
            deleted += u32::try_from(expired).unwrap_or(u32::MAX);
            if expired < SWEEP {
                return Ok(deleted);
            }
        }
    }
}

impl Keys {
    fn secret(&self, key: &[u8]) -> Result<Option<Secret>> {
        let row = self.secrets.get(key).map_err(failed)?;
        row.map(|row| rows::message_of(&row)).transpose()
    }
}

/// The sign bit is turned over so that the order of bytes is the order of times.
fn due_key(expires_at: i64, key: &[u8]) -> Vec<u8> {
    let order = expires_at.cast_unsigned() ^ (1 << 63);
    [order.to_be_bytes().as_slice(), key].concat()
}

fn due_of((key, _): &Entry) -> Option<i64> {
    let order = u64::from_be_bytes(*key.first_chunk()?);
    Some((order ^ (1 << 63)).cast_signed())
}
