//! Identities, sessions, prekeys and sender keys. Addresses are the crate's own text:
//! `user@server` or `user:device@server`.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use wacore::store::error::{Result, StoreError as CrateError};
use wacore::store::traits::SignalStore;

use super::rows::{self, Prekey};
use super::{Keys, failed};
use crate::store::{Batch, Space};

#[async_trait]
impl SignalStore for Keys {
    async fn put_identity(&self, address: &str, key: [u8; 32]) -> Result<()> {
        self.put_durably(&self.identities, address, &key).await
    }

    async fn put_identities_batch(&self, identities: &[(Arc<str>, [u8; 32])]) -> Result<()> {
        self.put_all_durably(&self.identities, identities).await
    }

    async fn load_identity(&self, address: &str) -> Result<Option<[u8; 32]>> {
        self.read(&self.identities, address.as_bytes())?
            .map(|key| {
                key.try_into().map_err(|_| {
                    CrateError::Validation("a stored identity key is not 32 bytes".to_owned())
                })
            })
            .transpose()
    }

    async fn delete_identity(&self, address: &str) -> Result<()> {
        self.delete_durably(&self.identities, address).await
    }

    async fn get_session(&self, address: &str) -> Result<Option<Bytes>> {
        Ok(self
            .read(&self.sessions, address.as_bytes())?
            .map(Bytes::from))
    }

    async fn put_session(&self, address: &str, session: &[u8]) -> Result<()> {
        self.put_durably(&self.sessions, address, session).await
    }

    async fn put_sessions_batch(&self, sessions: &[(Arc<str>, Bytes)]) -> Result<()> {
        self.put_all_durably(&self.sessions, sessions).await
    }

    async fn delete_session(&self, address: &str) -> Result<()> {
        self.delete_durably(&self.sessions, address).await
    }

    async fn has_session(&self, address: &str) -> Result<bool> {
        self.sessions.contains(address.as_bytes()).map_err(failed)
    }

    async fn has_signal_state_for_user(&self, user: &str) -> Result<bool> {
        for space in [&self.sessions, &self.identities] {
            for start in [format!("{user}@"), format!("{user}:")] {
                let next = space.scan(start.as_bytes(), 1).map_err(failed)?;
                if next
                    .first()
                    .is_some_and(|(key, _)| key.starts_with(start.as_bytes()))
                {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    async fn store_prekey(&self, id: u32, record: &[u8], uploaded: bool) -> Result<()> {
        self.change_durably(|batch| {
            self.put_prekey(batch, id, record, uploaded);
            Ok(())
        })
        .await
    }

    async fn store_prekeys_batch(&self, keys: &[(u32, Bytes)], uploaded: bool) -> Result<()> {
        self.change_durably(|batch| {
            for (id, record) in keys {
                self.put_prekey(batch, *id, record, uploaded);
            }
            Ok(())
        })
        .await
    }

    async fn load_prekey(&self, id: u32) -> Result<Option<Bytes>> {
        Ok(self.prekey(id)?.map(|row| Bytes::from(row.record)))
    }

    async fn load_prekeys_batch(&self, ids: &[u32]) -> Result<Vec<(u32, Bytes)>> {
        let mut found = Vec::with_capacity(ids.len());
        for &id in ids {
            if let Some(row) = self.prekey(id)? {
                found.push((id, Bytes::from(row.record)));
            }
        }
        Ok(found)
    }

    async fn mark_prekeys_uploaded(&self, ids: &[u32]) -> Result<()> {
        self.change(|batch| {
            for &id in ids {
                // One that was used up meanwhile stays away.
                if let Some(row) = self.prekey(id)? {
                    self.put_prekey(batch, id, &row.record, true);
                }
            }
            Ok(())
        })
    }

    async fn remove_prekey(&self, id: u32) -> Result<()> {
        self.change(|batch| {
            batch.delete(&self.prekeys, &id.to_be_bytes());
            Ok(())
        })
    }

    async fn get_max_prekey_id(&self) -> Result<u32> {
        Ok(match self.prekeys.last().map_err(failed)? {
            Some((key, _)) => number(&key)?,
            None => 0,
        })
    }

    async fn store_signed_prekey(&self, id: u32, record: &[u8]) -> Result<()> {
        self.change_durably(|batch| {
            batch.put(&self.signed_prekeys, &id.to_be_bytes(), rows::raw(record));
            Ok(())
        })
        .await
    }

    async fn load_signed_prekey(&self, id: u32) -> Result<Option<Vec<u8>>> {
        self.read(&self.signed_prekeys, &id.to_be_bytes())
    }

    async fn load_all_signed_prekeys(&self) -> Result<Vec<(u32, Vec<u8>)>> {
        self.signed_prekeys
            .scan_prefix(b"")
            .map_err(failed)?
            .into_iter()
            .map(|(key, row)| Ok((number(&key)?, rows::raw_of(row)?)))
            .collect()
    }

    async fn remove_signed_prekey(&self, id: u32) -> Result<()> {
        self.change(|batch| {
            batch.delete(&self.signed_prekeys, &id.to_be_bytes());
            Ok(())
        })
    }

    async fn put_sender_key(&self, address: &str, record: &[u8]) -> Result<()> {
        self.put_durably(&self.sender_keys, address, record).await
    }

    async fn put_sender_keys_batch(&self, sender_keys: &[(Arc<str>, Bytes)]) -> Result<()> {
        self.put_all_durably(&self.sender_keys, sender_keys).await
    }

    async fn get_sender_key(&self, address: &str) -> Result<Option<Vec<u8>>> {
        self.read(&self.sender_keys, address.as_bytes())
    }

    async fn delete_sender_key(&self, address: &str) -> Result<()> {
        self.delete_durably(&self.sender_keys, address).await
    }
}

impl Keys {
    pub(super) fn read(&self, space: &Space, key: &[u8]) -> Result<Option<Vec<u8>>> {
        space
            .get(key)
            .map_err(failed)?
            .map(rows::raw_of)
            .transpose()
    }

    async fn put_durably(&self, space: &Space, address: &str, record: &[u8]) -> Result<()> {
        self.change_durably(|batch| {
            batch.put(space, address.as_bytes(), rows::raw(record));
            Ok(())
        })
        .await
    }

    async fn put_all_durably(
        &self,
        space: &Space,
        records: &[(Arc<str>, impl AsRef<[u8]>)],
    ) -> Result<()> {
        // Written before the first await, so that the future holds none of the records.
        let written = self.change(|batch| {
            for (address, record) in records {
                batch.put(space, address.as_bytes(), rows::raw(record.as_ref()));
            }
            Ok(())
        });
        written?;
        self.db.commit().await.map_err(failed)
    }

    async fn delete_durably(&self, space: &Space, address: &str) -> Result<()> {
        self.change_durably(|batch| {
            // Nothing there: nothing to write, and no sync for it.
            if space.contains(address.as_bytes()).map_err(failed)? {
                batch.delete(space, address.as_bytes());
            }
            Ok(())
        })
        .await
    }

    pub(super) fn prekey(&self, id: u32) -> Result<Option<Prekey>> {
        let row = self.prekeys.get(&id.to_be_bytes()).map_err(failed)?;
        row.map(|row| rows::message_of(&row)).transpose()
    }

    fn put_prekey(&self, batch: &mut Batch, id: u32, record: &[u8], uploaded: bool) {
        let row = Prekey {
            record: record.to_vec(),
            uploaded,
        };
        batch.put(&self.prekeys, &id.to_be_bytes(), rows::message(&row));
    }
}

fn number(key: &[u8]) -> Result<u32> {
    key.try_into()
        .map(u32::from_be_bytes)
        .map_err(|_| CrateError::Validation("a stored prekey's id is not 4 bytes".to_owned()))
}
