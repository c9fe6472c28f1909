//! App-state keys, versions and the MACs of mutations.

use std::collections::HashMap;

use async_trait::async_trait;
use wacore::appstate::hash::HashState;
use wacore::appstate::processor::AppStateMutationMAC;
use wacore::store::error::Result;
use wacore::store::traits::{AppStateSyncKey, AppSyncStore};

use super::rows::{self, SyncKey};
use super::{Keys, failed, key};

#[async_trait]
impl AppSyncStore for Keys {
    async fn get_sync_key(&self, key_id: &[u8]) -> Result<Option<AppStateSyncKey>> {
        let row = self.sync_keys.get(key_id).map_err(failed)?;
        // What cannot be read counts as absent: the crate then asks the phone for it again.
        Ok(row
            .and_then(|row| rows::message_of::<SyncKey>(&row).ok())
            .map(Into::into))
    }

    async fn set_sync_key(&self, key_id: &[u8], key: AppStateSyncKey) -> Result<()> {
        self.change_durably(|batch| {
            batch.put(&self.sync_keys, key_id, rows::message(&SyncKey::from(key)));
            Ok(())
        })
        .await
    }

    async fn get_version(&self, name: &str) -> Result<HashState> {
        match self.versions.get(name.as_bytes()).map_err(failed)? {
            Some(row) => rows::json_of(&row),
            None => Ok(HashState::default()),
        }
    }

    async fn set_version(&self, name: &str, state: HashState) -> Result<()> {
        self.change_durably(|batch| {
            batch.put(&self.versions, name.as_bytes(), rows::json(&state)?);
            Ok(())
        })
        .await
    }

    async fn put_mutation_macs(
        &self,
        name: &str,
        _version: u64,
        mutations: &[AppStateMutationMAC],
    ) -> Result<()> {
        self.change(|batch| {
            for mac in mutations {
                let key = mac_key(name, &mac.index_mac);
                batch.put(&self.macs, &key, rows::raw(&mac.value_mac));
            }
            Ok(())
        })
    }

    async fn get_mutation_mac(&self, name: &str, index_mac: &[u8]) -> Result<Option<Vec<u8>>> {
        self.read(&self.macs, &mac_key(name, index_mac))
    }

    async fn get_mutation_macs(
        &self,
        name: &str,
        index_macs: &[[u8; 32]],
    ) -> Result<HashMap<[u8; 32], Vec<u8>>> {
        let mut found = HashMap::with_capacity(index_macs.len());
        for index_mac in index_macs {
            if let Some(mac) = self.read(&self.macs, &mac_key(name, index_mac))? {
                found.insert(*index_mac, mac);
            }
        }
        Ok(found)
    }

    async fn delete_mutation_macs(&self, name: &str, index_macs: &[Vec<u8>]) -> Result<()> {
        self.change(|batch| {
            for index_mac in index_macs {
                batch.delete(&self.macs, &mac_key(name, index_mac));
            }
            Ok(())
        })
    }

    async fn clear_mutation_macs(&self, name: &str) -> Result<()> {
        self.change(|batch| {
            for (key, _) in self.macs.scan_prefix(&key([name])).map_err(failed)? {
                batch.delete(&self.macs, &key);
            }
            Ok(())
        })
    }

    async fn get_latest_sync_key_id(&self) -> Result<Option<Vec<u8>>> {
        // Ids grow with every key the phone makes. One that cannot be read is of no use.
        let keys = self.sync_keys.scan_prefix(b"").map_err(failed)?;
        Ok(keys
            .into_iter()
            .rev()
            .find(|(_, row)| rows::message_of::<SyncKey>(row).is_ok())
            .map(|(id, _)| id))
    }
}

fn mac_key(name: &str, index_mac: &[u8]) -> Vec<u8> {
    let mut full = key([name]);
    full.extend_from_slice(index_mac);
    full
}
