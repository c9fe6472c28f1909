//! Keys, versions and MACs of the application state.

use super::*;

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
