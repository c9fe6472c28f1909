//! The promises a backend makes to the protocol crate. Every one is checked on a database that
//! was closed and opened again where it is about keeping.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod app_state;
mod protocol;
mod secrets;

use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;
use wacore::appstate::hash::HashState;
use wacore::appstate::processor::AppStateMutationMAC;
use wacore::store::device::{CachedNoiseCert, CachedServerCertChain};
use wacore::store::traits::{
    AppStateSyncKey, AppSyncStore, Backend, DeviceInfo, DeviceListRecord, DeviceStore,
    LidPnMappingEntry, MsgSecretEntry, MsgSecretStore, PendingInboundKey, PendingInboundRow,
    ProtocolStore, SignalStore, TcTokenEntry,
};

use super::*;
use crate::store::Store;

const ALICE: &str = "573000000001@s.whatsapp.net";
const GROUP: &str = "1203630000@g.us";

struct Kept {
    dir: TempDir,
    store: Option<Store>,
}

impl Kept {
    fn new() -> (Self, Keys) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let keys = Keys::new(store.link());
        (
            Self {
                dir,
                store: Some(store),
            },
            keys,
        )
    }

    /// Commits, so that what needs no sync of its own is there as well.
    async fn reopen(&mut self, keys: Keys) -> Keys {
        let store = self.store.take().unwrap();
        store.link().commit().await.unwrap();
        drop((store, keys));
        let store = Store::open(self.dir.path()).unwrap();
        let keys = Keys::new(store.link());
        self.store = Some(store);
        keys
    }
}

fn batch(names: &[&str], fill: u8) -> Vec<(Arc<str>, Bytes)> {
    names
        .iter()
        .map(|name| (Arc::from(*name), Bytes::from(vec![fill; 300])))
        .collect()
}

#[tokio::test]
async fn it_is_a_backend() {
    let (_box, keys) = Kept::new();
    let _: Arc<dyn Backend> = Arc::new(keys);
}

#[tokio::test]
async fn signal_batches_persist_and_replace() {
    let (mut at, keys) = Kept::new();
    let names = [
        ALICE,
        "573000000002:7@s.whatsapp.net",
        "100000000000003@lid",
    ];
    keys.put_sessions_batch(&batch(&names, 1)).await.unwrap();
    keys.put_sessions_batch(&batch(&names[..1], 2))
        .await
        .unwrap();
    let twice: Vec<_> = [batch(&["twice"], 3), batch(&["twice"], 4)].concat();
    keys.put_sessions_batch(&twice).await.unwrap();
    keys.put_sender_keys_batch(&batch(&["a::b"], 5))
        .await
        .unwrap();
    keys.put_identities_batch(&[(Arc::from(ALICE), [6; 32])])
        .await
        .unwrap();
    keys.put_sessions_batch(&[]).await.unwrap();

    let keys = at.reopen(keys).await;
    let session = |name| keys.get_session(name);
    assert_eq!(session(ALICE).await.unwrap().unwrap(), vec![2; 300]);
    assert_eq!(session(names[1]).await.unwrap().unwrap(), vec![1; 300]);
    assert_eq!(session("twice").await.unwrap().unwrap(), vec![4; 300]);
    assert_eq!(
        keys.get_sender_key("a::b").await.unwrap().unwrap(),
        [5; 300]
    );
    assert_eq!(keys.load_identity(ALICE).await.unwrap(), Some([6; 32]));

    keys.delete_session(ALICE).await.unwrap();
    keys.delete_session("nobody").await.unwrap();
    keys.delete_identity(ALICE).await.unwrap();
    keys.delete_sender_key("a::b").await.unwrap();
    let keys = at.reopen(keys).await;
    assert!(!keys.has_session(ALICE).await.unwrap());
    assert!(keys.has_session(names[1]).await.unwrap());
    assert!(keys.load_identity(ALICE).await.unwrap().is_none());
    assert!(keys.get_sender_key("a::b").await.unwrap().is_none());
}

#[tokio::test]
async fn signal_state_of_a_user_is_found_across_devices_and_only_of_that_user() {
    let (_at, keys) = Kept::new();
    keys.put_session("5730000000012@s.whatsapp.net", b"x")
        .await
        .unwrap();
    assert!(
        !keys
            .has_signal_state_for_user("573000000001")
            .await
            .unwrap()
    );
    keys.put_identity("573000000001:3@s.whatsapp.net", [1; 32])
        .await
        .unwrap();
    assert!(
        keys.has_signal_state_for_user("573000000001")
            .await
            .unwrap()
    );
    keys.put_session("100000000000001@lid", b"x").await.unwrap();
    assert!(
        keys.has_signal_state_for_user("100000000000001")
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_used_up_prekey_is_never_brought_back() {
    let (mut at, keys) = Kept::new();
    let records: Vec<(u32, Bytes)> = (1..=812u32)
        .map(|id| (id, Bytes::from(id.to_be_bytes().repeat(20))))
        .collect();
    keys.store_prekeys_batch(&records, false).await.unwrap();
    keys.store_prekey(70_000, b"far", false).await.unwrap();
    keys.remove_prekey(5).await.unwrap();
    keys.mark_prekeys_uploaded(&[4, 5, 6]).await.unwrap();

    let keys = at.reopen(keys).await;
    assert!(keys.load_prekey(5).await.unwrap().is_none());
    assert!(keys.prekey(4).unwrap().unwrap().uploaded);
    assert!(!keys.prekey(7).unwrap().unwrap().uploaded);
    let found = keys.load_prekeys_batch(&[812, 5, 1]).await.unwrap();
    assert_eq!(found, [records[811].clone(), records[0].clone()]);
    assert_eq!(keys.get_max_prekey_id().await.unwrap(), 70_000);
    keys.remove_prekey(70_000).await.unwrap();
    assert_eq!(keys.get_max_prekey_id().await.unwrap(), 812);
}

#[tokio::test]
async fn signed_prekeys_are_kept_by_id() {
    let (mut at, keys) = Kept::new();
    assert_eq!(keys.get_max_prekey_id().await.unwrap(), 0);
    for id in [2, 300, 1] {
        keys.store_signed_prekey(id, &[id as u8]).await.unwrap();
    }
    keys.remove_signed_prekey(2).await.unwrap();
    let keys = at.reopen(keys).await;
    assert_eq!(
        keys.load_all_signed_prekeys().await.unwrap(),
        [(1, vec![1]), (300, vec![44])]
    );
    assert_eq!(keys.load_signed_prekey(300).await.unwrap(), Some(vec![44]));
    assert_eq!(keys.load_signed_prekey(2).await.unwrap(), None);
}

#[tokio::test]
async fn a_device_comes_back_as_it_was() {
    let (mut at, keys) = Kept::new();
    assert!(!keys.exists().await.unwrap());
    assert!(keys.load().await.unwrap().is_none());
    keys.create().await.unwrap();
    let mut device = keys.load().await.unwrap().unwrap();
    device.pn = Some(ALICE.parse().unwrap());
    device.lid = Some("100000000000001@lid".parse().unwrap());
    device.push_name = "Tienda Ñandú".to_owned();
    device.next_pre_key_id = 913;
    device.first_unupload_pre_key_id = 101;
    device.login_counter = 7;
    device.edge_routing_info = Some(vec![1, 2, 3]);
    device.account = Some(Arc::new(Default::default()));
    let certificate = |fill| CachedNoiseCert {
        key: [fill; 32],
        not_before: 1,
        not_after: 2,
    };
    device.server_cert_chain = Some(CachedServerCertChain {
        intermediate: certificate(1),
        leaf: certificate(2),
    });
    keys.save(&device).await.unwrap();

    let keys = at.reopen(keys).await;
    assert!(keys.exists().await.unwrap());
    let loaded = keys.load().await.unwrap().unwrap();
    assert_eq!(
        serde_json::to_value(&loaded).unwrap(),
        serde_json::to_value(&device).unwrap()
    );
    assert_eq!(
        loaded.identity_key.private_key.serialize(),
        device.identity_key.private_key.serialize()
    );
}

#[tokio::test]
async fn a_row_of_another_version_is_an_error_not_a_guess() {
    let (_at, keys) = Kept::new();
    keys.put_session(ALICE, b"session").await.unwrap();
    let mut other = Batch::default();
    other.put(&keys.sessions, ALICE.as_bytes(), *b"\x02session");
    other.put(&keys.device, b"", *b"\x02{}");
    keys.db.apply(other).unwrap();
    assert!(keys.get_session(ALICE).await.is_err());
    assert!(keys.load().await.is_err());
}

#[tokio::test]
async fn a_closed_store_answers_with_an_error() {
    let (at, keys) = Kept::new();
    at.store.as_ref().unwrap().close().await.unwrap();
    assert!(keys.get_session(ALICE).await.is_err());
    assert!(keys.put_session(ALICE, b"x").await.is_err());
    assert!(
        keys.store_pending_inbound("c", "s", "1", b"x")
            .await
            .is_err()
    );
}

#[test]
fn keys_of_several_strings_are_unambiguous() {
    assert_ne!(key(["ab", "c"]), key(["a", "bc"]));
    assert!(key(["a", "b"]).starts_with(&key(["a"])));
    assert_eq!(second_part(&key(["a", "bc"])), Some("bc"));
    assert_eq!(second_part(&key(["a"])), None);
    assert_eq!(second_part(b"\xff\xff\xff\xff"), None);
}
