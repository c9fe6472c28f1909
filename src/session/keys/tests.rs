//! The promises a backend makes to the protocol crate. Every one is checked on a database that
//! was closed and opened again where it is about keeping.
#![allow(clippy::unwrap_used, clippy::expect_used)]

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
async fn app_state_keys_are_kept_and_the_newest_readable_one_is_named() {
    let (mut at, keys) = Kept::new();
    assert!(keys.get_latest_sync_key_id().await.unwrap().is_none());
    let key = |fill| AppStateSyncKey {
        key_data: vec![fill; 32],
        fingerprint: vec![fill],
        timestamp: 99,
    };
    keys.set_sync_key(&[0, 2], key(2)).await.unwrap();
    keys.set_sync_key(&[0, 1], key(1)).await.unwrap();
    let mut spoilt = Batch::default();
    spoilt.put(&keys.sync_keys, &[0, 3], *b"\xffnot a row");
    keys.db.apply(spoilt).unwrap();

    let keys = at.reopen(keys).await;
    assert!(keys.get_sync_key(&[0, 3]).await.unwrap().is_none());
    assert_eq!(
        keys.get_latest_sync_key_id().await.unwrap(),
        Some(vec![0, 2])
    );
    let found = keys.get_sync_key(&[0, 2]).await.unwrap().unwrap();
    assert_eq!(found.key_data, [2; 32]);
    assert_eq!((found.fingerprint, found.timestamp), (vec![2], 99));
}

#[tokio::test]
async fn app_state_versions_and_macs_belong_to_their_collection() {
    let (mut at, keys) = Kept::new();
    let mac = |fill: u8| AppStateMutationMAC {
        index_mac: vec![fill; 32],
        value_mac: vec![fill + 100; 32],
    };
    let macs: Vec<_> = (0..40).map(mac).collect();
    keys.put_mutation_macs("regular", 1, &macs).await.unwrap();
    keys.put_mutation_macs("regular_low", 1, &macs[..2])
        .await
        .unwrap();
    let mut state = HashState {
        version: 12,
        mac_mismatch_fatal: true,
        ..HashState::default()
    };
    state.hash[127] = 9;
    state.index_value_map.insert("index".to_owned(), vec![1]);
    keys.set_version("regular", state).await.unwrap();
    keys.delete_mutation_macs("regular", &[vec![3; 32]])
        .await
        .unwrap();

    let keys = at.reopen(keys).await;
    let state = keys.get_version("regular").await.unwrap();
    assert_eq!((state.version, state.hash[127]), (12, 9));
    assert!(state.mac_mismatch_fatal);
    assert_eq!(state.index_value_map["index"], [1]);
    assert_eq!(keys.get_version("other").await.unwrap().version, 0);
    let asked = [[1; 32], [3; 32], [0xff; 32]];
    let found = keys.get_mutation_macs("regular", &asked).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[&[1; 32]], [101; 32]);

    keys.clear_mutation_macs("regular").await.unwrap();
    assert!(
        keys.get_mutation_mac("regular", &[1; 32])
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        keys.get_mutation_mac("regular_low", &[1; 32])
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn who_has_our_sender_key_is_kept_by_group() {
    let (mut at, keys) = Kept::new();
    let other = "1203630000@g.us.2";
    keys.set_sender_key_status(GROUP, &[("a", true), ("b", true)])
        .await
        .unwrap();
    keys.set_sender_key_status(GROUP, &[("b", false)])
        .await
        .unwrap();
    keys.set_sender_key_status(other, &[("a", true), ("c", true)])
        .await
        .unwrap();
    let keys = at.reopen(keys).await;
    let devices = |group| keys.get_sender_key_devices(group);
    let named = |name: &str, has| (name.to_owned(), has);
    assert_eq!(
        devices(GROUP).await.unwrap(),
        [named("a", true), named("b", false)]
    );

    keys.delete_sender_key_device_rows(&["a", "x"])
        .await
        .unwrap();
    assert_eq!(devices(GROUP).await.unwrap(), [named("b", false)]);
    assert_eq!(devices(other).await.unwrap(), [named("c", true)]);
    keys.clear_sender_key_devices(GROUP).await.unwrap();
    assert!(devices(GROUP).await.unwrap().is_empty());
    assert_eq!(devices(other).await.unwrap().len(), 1);
    keys.clear_all_sender_key_devices().await.unwrap();
    assert!(devices(other).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_number_leads_to_its_latest_lid() {
    let (mut at, keys) = Kept::new();
    let entry = |lid: &str, number: &str, created_at, updated_at| LidPnMappingEntry {
        lid: lid.to_owned(),
        phone_number: number.to_owned(),
        created_at,
        updated_at,
        learning_source: "usync".to_owned(),
    };
    keys.put_lid_mappings(&[
        entry("old", "573000000001", 1, 10),
        entry("new", "573000000001", 2, 20),
        entry("moved", "573000000001", 3, 5),
        entry("moved", "573000000002", 4, 30),
    ])
    .await
    .unwrap();
    let keys = at.reopen(keys).await;
    let of = async |number| keys.get_pn_mapping(number).await.unwrap().unwrap();
    assert_eq!(of("573000000001").await.lid, "new");
    let moved = of("573000000002").await;
    assert_eq!(
        (moved.lid.as_str(), moved.created_at, moved.updated_at),
        ("moved", 3, 30)
    );

    keys.put_lid_mapping(&entry("new", "573000000003", 50, 60))
        .await
        .unwrap();
    assert_eq!(of("573000000001").await.lid, "old");
    let new = keys.get_lid_mapping("new").await.unwrap().unwrap();
    assert_eq!(
        (new.phone_number.as_str(), new.created_at),
        ("573000000003", 2)
    );
    assert_eq!(keys.get_all_lid_mappings().await.unwrap().len(), 3);
    assert!(keys.get_pn_mapping("57300000000").await.unwrap().is_none());
}

#[tokio::test]
async fn base_keys_tell_whether_they_are_the_same() {
    let (_at, keys) = Kept::new();
    assert!(!keys.has_same_base_key(ALICE, "m1", b"one").await.unwrap());
    keys.save_base_key(ALICE, "m1", b"one").await.unwrap();
    keys.save_base_key(ALICE, "m2", b"two").await.unwrap();
    assert!(keys.has_same_base_key(ALICE, "m1", b"one").await.unwrap());
    assert!(!keys.has_same_base_key(ALICE, "m1", b"two").await.unwrap());
    keys.save_base_key(ALICE, "m1", b"three").await.unwrap();
    assert!(keys.has_same_base_key(ALICE, "m1", b"three").await.unwrap());
    keys.delete_base_key(ALICE, "m1").await.unwrap();
    assert!(!keys.has_same_base_key(ALICE, "m1", b"three").await.unwrap());
    assert!(keys.has_same_base_key(ALICE, "m2", b"two").await.unwrap());
}

#[tokio::test]
async fn device_lists_and_group_metadata_are_kept_whole() {
    let (mut at, keys) = Kept::new();
    let record = |user: &str, count: u32| DeviceListRecord {
        user: user.to_owned(),
        devices: (0..count)
            .map(|id| DeviceInfo::new(id, Some(id + 1)).with_hosting(id == 2))
            .collect(),
        timestamp: 77,
        phash: Some("2:abc".to_owned()),
        raw_id: Some(9),
    };
    let records = vec![record("573000000001", 3), record("573000000002", 1)];
    keys.update_device_lists(records).await.unwrap();
    keys.update_device_list(record("573000000002", 2))
        .await
        .unwrap();
    let metadata = vec![0xab; 180_000];
    keys.put_group_metadata(GROUP, &metadata).await.unwrap();

    let keys = at.reopen(keys).await;
    let found = keys.get_devices("573000000001").await.unwrap().unwrap();
    assert_eq!((found.user.as_str(), found.timestamp), ("573000000001", 77));
    assert_eq!(
        (found.phash.as_deref(), found.raw_id),
        (Some("2:abc"), Some(9))
    );
    assert_eq!(found.devices.len(), 3);
    assert!(found.devices[2].is_hosted && !found.devices[1].is_hosted);
    assert_eq!(found.devices[2].key_index, Some(3));
    let second = keys.get_devices("573000000002").await.unwrap().unwrap();
    assert_eq!(second.devices.len(), 2);
    keys.delete_devices("573000000001").await.unwrap();
    assert!(keys.get_devices("573000000001").await.unwrap().is_none());

    assert!(keys.get_group_metadata(GROUP).await.unwrap().unwrap() == metadata);
    keys.delete_group_metadata(GROUP).await.unwrap();
    assert!(keys.get_group_metadata(GROUP).await.unwrap().is_none());
}

#[tokio::test]
async fn both_writers_of_a_privacy_token_keep_to_their_own_field() {
    let (mut at, keys) = Kept::new();
    keys.touch_tc_token_sender_timestamp("a@lid", 5000)
        .await
        .unwrap();
    let placeholder = keys.get_tc_token("a@lid").await.unwrap().unwrap();
    assert!(placeholder.token.is_empty());
    assert_eq!(placeholder.token_timestamp, 5000);
    // An older real token still replaces a placeholder.
    keys.store_received_tc_token("a@lid", &[1], 4000)
        .await
        .unwrap();
    keys.store_received_tc_token("a@lid", &[2], 3000)
        .await
        .unwrap();
    keys.touch_tc_token_sender_timestamp("a@lid", 1000)
        .await
        .unwrap();
    let keys = at.reopen(keys).await;
    let token = keys.get_tc_token("a@lid").await.unwrap().unwrap();
    assert_eq!((token.token, token.token_timestamp), (vec![1], 4000));
    assert_eq!(token.sender_timestamp, Some(5000));
    keys.store_received_tc_token("a@lid", &[3], 4000)
        .await
        .unwrap();
    keys.touch_tc_token_sender_timestamp("a@lid", 6000)
        .await
        .unwrap();
    let token = keys.get_tc_token("a@lid").await.unwrap().unwrap();
    assert_eq!((token.token, token.sender_timestamp), (vec![3], Some(6000)));
}

#[tokio::test]
async fn a_privacy_token_goes_only_when_both_its_halves_are_stale() {
    let (_at, keys) = Kept::new();
    let entry = |token: &[u8], sender_timestamp| TcTokenEntry {
        token: token.to_vec(),
        token_timestamp: 500,
        sender_timestamp,
    };
    for (jid, token) in [
        ("both@lid", entry(&[1], Some(1))),
        ("no-sender@lid", entry(&[1], None)),
        ("sender@lid", entry(&[1], Some(2500))),
        ("placeholder@lid", entry(&[], Some(2500))),
    ] {
        keys.put_tc_token(jid, &token).await.unwrap();
    }
    let fresh = TcTokenEntry {
        token_timestamp: 1000,
        ..entry(&[1], None)
    };
    keys.put_tc_token("token@lid", &fresh).await.unwrap();
    assert_eq!(keys.delete_expired_tc_tokens(1000, 2000).await.unwrap(), 2);
    assert_eq!(
        keys.get_all_tc_token_jids().await.unwrap(),
        ["placeholder@lid", "sender@lid", "token@lid"]
    );
    keys.delete_tc_token("token@lid").await.unwrap();
    assert!(keys.get_tc_token("token@lid").await.unwrap().is_none());
}

#[tokio::test]
async fn a_sent_message_can_be_taken_once() {
    let (mut at, keys) = Kept::new();
    keys.store_sent_message(ALICE, "m1", b"payload")
        .await
        .unwrap();
    keys.store_sent_message(ALICE, "m2", b"other")
        .await
        .unwrap();
    let keys = at.reopen(keys).await;
    let taken = keys.take_sent_message(ALICE, "m1").await.unwrap();
    assert_eq!(taken.as_deref(), Some(b"payload".as_slice()));
    assert!(keys.take_sent_message(ALICE, "m1").await.unwrap().is_none());
    let now = wacore::time::now_secs();
    assert_eq!(
        keys.delete_expired_sent_messages(now - 60).await.unwrap(),
        0
    );
    assert_eq!(
        keys.delete_expired_sent_messages(now + 60).await.unwrap(),
        1
    );
    assert!(keys.take_sent_message(ALICE, "m2").await.unwrap().is_none());
}

#[tokio::test]
async fn pending_messages_are_told_apart_by_chat_sender_and_id() {
    let (mut at, keys) = Kept::new();
    let row = |chat, sender, id, message| PendingInboundRow {
        chat,
        sender,
        id,
        message,
    };
    keys.store_pending_inbound_batch(&[
        row("c", "s", "1", b"one"),
        row("c", "s1", "", b"two"),
        row("cs", "", "1", b"three"),
    ])
    .await
    .unwrap();
    keys.store_pending_inbound("c", "s", "1", b"again")
        .await
        .unwrap();
    // Its commit covers the rows: this is what the crate relies on.
    keys.put_session(ALICE, b"ratchet").await.unwrap();
    let keys = at.reopen(keys).await;
    let get = async |c, s, i| keys.get_pending_inbound(c, s, i).await.unwrap();
    assert_eq!(get("c", "s", "1").await.unwrap(), b"again");
    assert_eq!(get("c", "s1", "").await.unwrap(), b"two");
    assert_eq!(get("cs", "", "1").await.unwrap(), b"three");
    assert!(get("c", "", "s1").await.is_none());

    let key = |chat, sender, id| PendingInboundKey { chat, sender, id };
    keys.delete_pending_inbound_batch(&[key("c", "s", "1"), key("no", "t", "here")])
        .await
        .unwrap();
    keys.delete_pending_inbound("c", "s1", "").await.unwrap();
    assert!(get("c", "s", "1").await.is_none());
    assert!(get("c", "s1", "").await.is_none());
    let now = wacore::time::now_secs();
    assert_eq!(
        keys.delete_expired_pending_inbound(now - 60).await.unwrap(),
        0
    );
    assert_eq!(
        keys.delete_expired_pending_inbound(now + 60).await.unwrap(),
        1
    );
}

fn secret(id: &str, fill: u8, expires_at: i64, message_ts: i64) -> MsgSecretEntry {
    MsgSecretEntry {
        chat: Arc::from(ALICE),
        sender: Arc::from(ALICE),
        msg_id: Arc::from(id),
        secret: [fill; 32],
        expires_at,
        message_ts,
    }
}

#[tokio::test]
async fn a_message_secret_keeps_its_longest_life_and_its_known_time() {
    let (mut at, keys) = Kept::new();
    let stored = keys
        .put_msg_secrets(vec![
            secret("m", 1, 900, 50),
            secret("m", 2, 300, 0),
            secret("other", 3, 0, 0),
        ])
        .await
        .unwrap();
    assert_eq!(stored, 3);
    let keys = at.reopen(keys).await;
    let get = async |id| keys.get_msg_secret_with_ts(ALICE, ALICE, id).await.unwrap();
    assert_eq!(get("m").await, Some((vec![2; 32], 50)));
    assert_eq!(keys.delete_expired_msg_secrets(899).await.unwrap(), 0);
    keys.put_msg_secrets(vec![secret("m", 2, 1000, 40)])
        .await
        .unwrap();
    assert_eq!(keys.delete_expired_msg_secrets(900).await.unwrap(), 0);
    assert_eq!(get("m").await, Some((vec![2; 32], 50)));
    assert_eq!(keys.delete_expired_msg_secrets(1000).await.unwrap(), 1);
    assert!(get("m").await.is_none());
    assert!(
        keys.get_msg_secret(ALICE, "nobody", "other")
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(
        keys.get_msg_secret(ALICE, ALICE, "other").await.unwrap(),
        Some(vec![3; 32])
    );
}

#[tokio::test]
async fn never_wins_over_every_deadline_and_all_expired_go() {
    let (_at, keys) = Kept::new();
    keys.put_msg_secrets(vec![secret("never", 1, 100, 0)])
        .await
        .unwrap();
    keys.put_msg_secret(ALICE, ALICE, "never", &[1; 32])
        .await
        .unwrap();
    keys.put_msg_secrets(vec![secret("never", 1, 200, 0)])
        .await
        .unwrap();
    let many = (0..700).map(|n| secret(&n.to_string(), 2, 1 + n % 300, 0));
    keys.put_msg_secrets(many.collect()).await.unwrap();
    keys.put_msg_secrets(vec![secret("past", 3, -5, 0)])
        .await
        .unwrap();
    assert_eq!(keys.delete_expired_msg_secrets(250).await.unwrap(), 601);
    assert!(
        keys.get_msg_secret(ALICE, ALICE, "never")
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        keys.get_msg_secret(ALICE, ALICE, "past")
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        keys.get_msg_secret(ALICE, ALICE, "299")
            .await
            .unwrap()
            .is_some()
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
