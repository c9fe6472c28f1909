//! App state: settings that all devices of an account keep in step.
//!
//! Owns the account's sync key and the collections as the phone last saw them. It must never make
//! a patch whose hashes do not follow from the patches before it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use buffa::{Message as _, MessageField};
use wacore_appstate::hash::{HashState, generate_patch_mac};
use wacore_appstate::{
    AppStateError, ExpandedAppStateKeys, encode_record, expand_app_state_keys, process_patch,
};
use waproto::whatsapp as wa;
use waproto::whatsapp::syncd_mutation::SyncdOperation;

use super::{Phone, PhoneError, unix_now};

const COLLECTIONS: [&str; 5] = [
    "critical_block",
    "critical_unblock_low",
    "regular_high",
    "regular_low",
    "regular",
];

/// One collection as the service is to store and serve it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppStateCollection {
    /// Its name on the wire.
    pub name: &'static str,
    /// The version after the last patch; 0 for an empty collection.
    pub version: u64,
    /// Encoded `SyncdPatch`es, the first of which leads to version 1.
    pub patches: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Collection {
    state: HashState,
    /// Value MACs by index MAC: what a change to the same index has to take out of the hash.
    values: HashMap<Vec<u8>, Vec<u8>>,
    patches: Vec<Vec<u8>>,
}

pub(super) struct AppState {
    key_id: Vec<u8>,
    key: [u8; 32],
    expanded: Arc<ExpandedAppStateKeys>,
    made_at: u64,
    collections: BTreeMap<&'static str, Collection>,
}

impl AppState {
    pub(super) fn new(name: &str) -> Self {
        // Two bytes of device index, four of epoch.
        let mut key_id = vec![0, 0];
        key_id.extend(rand::random_range(1..0xffff_u32).to_be_bytes());
        let mut this = Self::empty(key_id, rand::random());
        this.set_name(name);
        this
    }

    fn empty(key_id: Vec<u8>, key: [u8; 32]) -> Self {
        Self {
            key_id,
            key,
            expanded: Arc::new(expand_app_state_keys(&key)),
            made_at: unix_now(),
            collections: COLLECTIONS
                .into_iter()
                .map(|name| (name, Collection::default()))
                .collect(),
        }
    }

    /// Nothing but another's key, as a device has it that has not synchronised yet.
    #[cfg(test)]
    pub(super) fn with_key_of(other: &Self) -> Self {
        Self::empty(other.key_id.clone(), other.key)
    }

    pub(super) fn key(
        &self,
        raw_id: u32,
        current_index: u32,
        device_indexes: Vec<u32>,
    ) -> wa::message::AppStateSyncKey {
        wa::message::AppStateSyncKey {
            key_id: MessageField::some(wa::message::AppStateSyncKeyId {
                key_id: Some(self.key_id.clone()),
            }),
            key_data: MessageField::some(wa::message::AppStateSyncKeyData {
                key_data: Some(self.key.to_vec()),
                fingerprint: MessageField::some(wa::message::AppStateSyncKeyFingerprint {
                    raw_id: Some(raw_id),
                    current_index: Some(current_index),
                    device_indexes,
                }),
                timestamp: i64::try_from(self.made_at * 1000).ok(),
            }),
        }
    }

    fn set_name(&mut self, name: &str) {
        let value = wa::SyncActionValue {
            timestamp: i64::try_from(unix_now() * 1000).ok(),
            push_name_setting: MessageField::some(wa::sync_action_value::PushNameSetting {
                name: Some(name.to_owned()),
            }),
            ..Default::default()
        };
        self.set("critical_block", br#"["setting_pushName"]"#, &value, 1);
    }

    /// Appends a patch with one setting to a collection.
    fn set(&mut self, name: &'static str, index: &[u8], value: &wa::SyncActionValue, schema: i32) {
        let Some(collection) = self.collections.get_mut(name) else {
            return;
        };
        let keys = &self.expanded;
        let (mutation, _) = encode_record(
            SyncdOperation::SET,
            index,
            value,
            keys,
            &self.key_id,
            &rand::random(),
            schema,
        );
        let mutations = vec![mutation];
        let values = &mut collection.values;
        let _ = collection
            .state
            .update_hash(&mutations, |index, _| Ok(values.get(index).cloned()));
        collection.state.version += 1;
        remember(values, &mutations);
        let version = collection.state.version;
        let mut patch = wa::SyncdPatch {
            version: MessageField::some(wa::SyncdVersion {
                version: Some(version),
            }),
            mutations,
            snapshot_mac: Some(
                collection
                    .state
                    .generate_snapshot_mac(name, &keys.snapshot_mac),
            ),
            key_id: MessageField::some(wa::KeyId {
                id: Some(self.key_id.clone()),
            }),
            device_index: Some(0),
            ..Default::default()
        };
        patch.patch_mac = Some(generate_patch_mac(&patch, name, &keys.patch_mac, version));
        collection.patches.push(patch.encode_to_vec());
    }

    fn absorb(&mut self, name: &str, patch: &[u8]) -> Result<Vec<u8>, PhoneError> {
        let collection = self
            .collections
            .get_mut(name)
            .ok_or(PhoneError::Malformed("collection name"))?;
        let mut patch = wa::SyncdPatch::decode_from_slice(patch)
            .map_err(|_| PhoneError::Malformed("app-state patch"))?;
        patch.version = MessageField::some(wa::SyncdVersion {
            version: Some(collection.state.version + 1),
        });
        let mut state = collection.state.clone();
        process_patch(
            &patch,
            &mut state,
            |id| {
                if id == self.key_id {
                    Ok(self.expanded.clone())
                } else {
                    Err(AppStateError::KeyNotFound)
                }
            },
            |index| Ok(collection.values.get(index).cloned()),
            true,
            name,
        )
        .map_err(|_| PhoneError::Forged("app-state patch"))?;
        collection.state = state;
        remember(&mut collection.values, &patch.mutations);
        let bytes = patch.encode_to_vec();
        collection.patches.push(bytes.clone());
        Ok(bytes)
    }
}

/// Keeps the value MACs that the mutations leave behind.
fn remember(values: &mut HashMap<Vec<u8>, Vec<u8>>, mutations: &[wa::SyncdMutation]) {
    for mutation in mutations {
        let Some(index) = mutation.record.index.blob.clone() else {
            continue;
        };
        let removed = mutation
            .operation
            .is_some_and(|operation| operation == SyncdOperation::REMOVE);
        let mac = mutation
            .record
            .value
            .blob
            .as_deref()
            .and_then(|blob| blob.last_chunk::<32>());
        match mac {
            Some(mac) if !removed => values.insert(index, mac.to_vec()),
            _ => values.remove(&index),
        };
    }
}

impl Phone {
    /// The account's collections for the service to store and serve: the push name in
    /// `critical_block`, the others empty until a companion writes to them.
    pub fn appstate(&self) -> Vec<AppStateCollection> {
        self.appstate
            .collections
            .iter()
            .map(|(name, collection)| AppStateCollection {
                name,
                version: collection.state.version,
                patches: collection.patches.clone(),
            })
            .collect()
    }

    /// Takes in a patch that a companion uploaded, after checking every MAC as a device does.
    /// Answers it as the service is to serve it, with its version.
    pub fn absorb_patch(&mut self, collection: &str, patch: &[u8]) -> Result<Vec<u8>, PhoneError> {
        self.appstate.absorb(collection, patch)
    }

    /// Changes the name others see, as a new patch of `critical_block`.
    pub fn rename(&mut self, name: &str) {
        self.name = name.to_owned();
        self.appstate.set_name(name);
    }
}
