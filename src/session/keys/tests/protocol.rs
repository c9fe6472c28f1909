//! Who has which keys, and under which names people and groups are known.

use super::*;

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
