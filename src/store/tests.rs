//! The store's promises, told without power cuts; those are in `tests/suite/cut.rs`. Longer than
//! 400 lines: one list of promises, each a few lines.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use tempfile::TempDir;

use super::*;

fn fresh() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

fn put(space: &Space, key: &[u8], value: impl Into<Vec<u8>>) {
    let mut batch = Batch::default();
    batch.put(space, key, value);
    space.db.apply(batch).unwrap();
}

fn patterned(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 % 251) as u8).collect()
}

/// How many records the library holds, the store's own included.
fn records(database: &Database) -> usize {
    database.slot().with(|engine| Ok(engine.records())).unwrap()
}

#[tokio::test]
async fn values_of_every_size_come_back_also_after_reopening() {
    let sizes = [0, 1, 4095, 4096, 4097, 8192, 65_536, 65_537, 300_000];
    let (dir, store) = fresh();
    let space = store.link().space("sizes");
    for size in sizes {
        put(&space, &(size as u32).to_be_bytes(), patterned(size));
    }
    store.link().commit().await.unwrap();
    drop((store, space));

    let store = Store::open(dir.path()).unwrap();
    let space = store.link().space("sizes");
    for size in sizes {
        let value = space.get(&(size as u32).to_be_bytes()).unwrap().unwrap();
        assert!(value == patterned(size), "{size}");
    }
    let lengths: Vec<usize> = space
        .scan(&4097u32.to_be_bytes(), 3)
        .unwrap()
        .iter()
        .map(|(_, value)| value.len())
        .collect();
    assert_eq!(lengths, [4097, 8192, 65_536]);
    assert_eq!(space.last().unwrap().unwrap().1.len(), 300_000);
    assert!(space.get(b"nothing").unwrap().is_none());
}

#[tokio::test]
async fn a_shortened_or_deleted_value_leaves_nothing_behind() {
    let (_dir, store) = fresh();
    let space = store.log().space("values");
    let before = records(store.log());
    for size in [300_000, 50_000, 200_000, 10, 9000] {
        put(&space, b"key", patterned(size));
        assert_eq!(space.get(b"key").unwrap().unwrap(), patterned(size));
    }
    let chunked = records(store.log());
    assert_eq!(chunked, before + 1 + 3, "a head and three chunks");
    let mut batch = Batch::default();
    batch.delete(&space, b"key");
    store.log().apply(batch).unwrap();
    assert_eq!(records(store.log()), before);
}

#[tokio::test]
async fn a_batch_reaches_across_spaces_and_its_last_word_counts() {
    let (_dir, store) = fresh();
    let (one, two) = (store.log().space("one"), store.log().space("two"));
    put(&one, b"old", *b"x");
    let mut batch = Batch::default();
    batch.put(&two, b"key", *b"first");
    batch.put(&two, b"key", *b"second");
    batch.delete(&one, b"old");
    store.log().apply(batch).unwrap();
    assert_eq!(two.get(b"key").unwrap().unwrap(), b"second");
    assert!(!one.contains(b"old").unwrap());
    assert!(
        one.last().unwrap().is_none(),
        "spaces do not see each other"
    );
}

#[tokio::test]
async fn a_second_claim_on_the_directory_is_told_so() {
    let (dir, store) = fresh();
    assert!(matches!(
        Store::open(dir.path()),
        Err(OpenError::InUse(path)) if path == dir.path()
    ));
    drop(store);
    Store::open(dir.path()).unwrap();
}

#[tokio::test]
async fn a_value_in_a_file_of_its_own_fails_the_commit() {
    let (dir, store) = fresh();
    let space = store.log().space("space");
    std::fs::write(dir.path().join("log/blobs/1"), b"x").unwrap();
    put(&space, b"key", *b"value");
    assert!(matches!(store.log().commit().await, Err(StoreError::Blob)));
}

#[tokio::test]
async fn such_a_file_is_seen_also_when_the_directory_was_not_read_any_more() {
    let (dir, store) = fresh();
    let space = store.log().space("space");
    let blobs = dir.path().join("log/blobs");
    let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    File::open(&blobs).unwrap().set_modified(hour_ago).unwrap();
    for round in 0..3_u8 {
        put(&space, b"key", [round]);
        store.log().commit().await.unwrap();
    }
    std::fs::write(blobs.join("1"), b"x").unwrap();
    put(&space, b"key", *b"value");
    assert!(matches!(store.log().commit().await, Err(StoreError::Blob)));
}

#[tokio::test]
async fn all_who_wait_share_one_commit_and_one_error() {
    let (dir, store) = fresh();
    let space = store.log().space("space");
    put(&space, b"key", *b"value");
    std::fs::remove_dir(dir.path().join("log/blobs")).unwrap();
    let (one, two) = tokio::join!(store.log().commit(), store.log().commit());
    assert!(matches!(one, Err(StoreError::Disk { .. })), "{one:?}");
    assert!(matches!(two, Err(StoreError::Disk { .. })), "{two:?}");
    let mut batch = Batch::default();
    batch.put(&space, b"key", *b"other");
    assert!(
        store.log().apply(batch).is_err(),
        "nothing is taken after a failed sync"
    );
    store.link().commit().await.unwrap();
}

#[tokio::test]
async fn a_store_that_takes_nothing_more_says_so() {
    let (dir, store) = fresh();
    put(&store.log().space("space"), b"key", *b"value");
    std::fs::remove_dir(dir.path().join("log/blobs")).unwrap();
    assert!(store.log().commit().await.is_err());
    assert!(matches!(store.failed().await, StoreError::Disk { .. }));
}

#[tokio::test]
async fn a_batch_that_was_begun_is_ended_at_the_next_opening() {
    let (dir, store) = fresh();
    let space = store.log().space("space");
    put(&space, b"old", *b"x");
    let begun = [
        (space.full(b"key"), Some(super::chunks::inline(b"value"))),
        (space.full(b"old"), None),
    ];
    store
        .log()
        .slot()
        .with(|engine| engine.begin(&begun))
        .unwrap();
    assert!(!space.contains(b"key").unwrap());
    drop((store, space));

    let store = Store::open(dir.path()).unwrap();
    let space = store.log().space("space");
    assert_eq!(space.get(b"key").unwrap().unwrap(), b"value");
    assert!(!space.contains(b"old").unwrap());
    // It is over: what comes later is not undone by another opening.
    put(&space, b"key", *b"other");
    drop((store, space));
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(
        store.log().space("space").get(b"key").unwrap().unwrap(),
        b"other"
    );
}

#[tokio::test]
async fn what_nobody_committed_is_committed_when_it_is_quiet() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        quiet_ms: 20,
        ..Options::default()
    };
    let store = Store::open_with(dir.path(), options).unwrap();
    for round in 0..3_u8 {
        put(&store.link().space("space"), b"key", [round]);
        while store.link().slot().is_dirty() {
            std::thread::yield_now();
        }
    }
}

#[tokio::test]
async fn closing_takes_the_databases_from_live_handles() {
    let (dir, store) = fresh();
    let space = store.log().space("space");
    put(&space, b"key", *b"value");
    store.close().await.unwrap();
    assert!(matches!(space.get(b"key"), Err(StoreError::Closed)));
    assert!(matches!(
        store.log().commit().await,
        Err(StoreError::Closed)
    ));
    drop((store, space));
    let store = Store::open(dir.path()).unwrap();
    let space = store.log().space("space");
    assert_eq!(space.get(b"key").unwrap().unwrap(), b"value");
}

#[tokio::test]
async fn a_reset_leaves_no_byte_and_handles_go_on() {
    let (dir, store) = fresh();
    let (link, log) = (store.link().space("keys"), store.log().space("inbox"));
    let secret = b"a secret that nobody may find again";
    put(&link, b"key", *secret);
    put(&log, b"key", secret.repeat(5000));
    store.link().commit().await.unwrap();
    store.log().commit().await.unwrap();
    assert!(holds(dir.path(), secret));
    let aside = dir.path().join("link.aside-7");
    std::fs::create_dir(&aside).unwrap();
    std::fs::write(aside.join("db"), secret).unwrap();

    store.begin_reset().await.unwrap();
    assert!(
        link.contains(b"key").unwrap(),
        "the keys are still needed to say goodbye"
    );
    store.reset().await.unwrap();

    assert!(!holds(dir.path(), secret));
    assert!(!link.contains(b"key").unwrap());
    put(&link, b"key", *b"new");
    store.link().commit().await.unwrap();
    drop((store, link, log));
    let store = Store::open(dir.path()).unwrap();
    assert!(!store.opened().reset_pending);
    assert_eq!(
        store.link().space("keys").get(b"key").unwrap().unwrap(),
        b"new"
    );
}

#[tokio::test]
async fn an_unfinished_reset_is_reported_until_it_is_finished() {
    let (dir, store) = fresh();
    store.begin_reset().await.unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert!(store.opened().reset_pending);
    store.reset().await.unwrap();
    drop(store);
    assert!(!Store::open(dir.path()).unwrap().opened().reset_pending);
}

#[tokio::test]
async fn a_database_that_does_not_open_is_set_aside_and_the_other_kept() {
    let (dir, store) = fresh();
    put(&store.link().space("keys"), b"key", *b"value");
    store.link().commit().await.unwrap();
    drop(store);
    for round in 1..=3 {
        std::fs::write(dir.path().join("log/conf"), [0xff; 64]).unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.opened().set_aside, ["log"]);
        let keys = store.link().space("keys");
        assert_eq!(keys.get(b"key").unwrap().unwrap(), b"value");
        put(&store.log().space("inbox"), b"key", *b"value");
        store.log().commit().await.unwrap();
        drop((store, keys));
        assert!(dir.path().join(format!("log.aside-{round}")).exists());
    }
    assert!(!dir.path().join("log.aside-1").exists(), "two are kept");
    assert!(
        Store::open(dir.path())
            .unwrap()
            .opened()
            .set_aside
            .is_empty()
    );
}

/// An attempt marker, of this start of the system or of an earlier one.
fn mark_attempts(dir: &Path, attempts: u32, this_start: bool) {
    let start = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let start = if this_start { start.trim() } else { "earlier" };
    let marker = format!("{attempts} {attempts} {start}");
    std::fs::write(dir.join("link.opening"), marker).unwrap();
}

#[tokio::test]
async fn two_openings_that_ended_the_process_set_a_database_aside() {
    let (dir, store) = fresh();
    drop(store);
    mark_attempts(dir.path(), 2, true);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.opened().set_aside, ["link"]);
}

#[tokio::test]
async fn openings_that_ended_with_the_power_do_not_unless_they_go_on() {
    let (dir, store) = fresh();
    drop(store);
    mark_attempts(dir.path(), 5, false);
    let store = Store::open(dir.path()).unwrap();
    assert!(store.opened().set_aside.is_empty());
    drop(store);
    mark_attempts(dir.path(), 6, false);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.opened().set_aside, ["link"]);
}

#[tokio::test]
async fn one_opening_that_ended_the_process_costs_nothing() {
    let (dir, store) = fresh();
    put(&store.link().space("keys"), b"key", patterned(9000));
    store.link().commit().await.unwrap();
    drop(store);
    mark_attempts(dir.path(), 1, true);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.opened(), &Opened::default());
    assert_eq!(
        store.link().space("keys").get(b"key").unwrap().unwrap(),
        patterned(9000)
    );
    assert!(!dir.path().join("link.opening").exists());
}

#[tokio::test]
async fn a_half_written_snapshot_does_not_keep_a_database_from_opening() {
    let (dir, store) = fresh();
    put(&store.log().space("inbox"), b"key", *b"value");
    store.log().commit().await.unwrap();
    drop(store);
    std::fs::write(dir.path().join("log/snap.FFFFFFFF.generating"), b"x").unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert!(store.opened().set_aside.is_empty());
    let inbox = store.log().space("inbox");
    assert_eq!(inbox.get(b"key").unwrap().unwrap(), b"value");
}

#[tokio::test]
async fn a_database_full_of_noise_is_set_aside() {
    let (dir, store) = fresh();
    drop(store);
    std::fs::write(dir.path().join("link/db"), patterned(700_000)).unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.opened().set_aside, ["link"]);
}

/// They each wake once a second and find nothing to do; see `be_lazy`.
#[tokio::test]
async fn the_librarys_threads_do_not_wake_the_board() {
    let (_dir, _store) = fresh();
    let mut found = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap();
        // Threads of other tests may end meanwhile.
        let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        // More than the first seven come under load, from whoever made it, and go again.
        let number = name.trim().strip_prefix("sled-io-");
        if number.is_some_and(|number| number.parse::<u8>().is_ok_and(|number| number < 7)) {
            let number = task.file_name().into_string().unwrap();
            let slack = std::fs::read_to_string(format!("/proc/{number}/timerslack_ns"));
            if let Ok(slack) = slack {
                assert_eq!(slack.trim(), "30000000000", "{name}");
                found += 1;
            }
        }
    }
    assert!(
        found >= 7,
        "the library keeps seven threads, {found} were seen"
    );
}

#[tokio::test]
async fn no_copy_is_left_after_an_opening() {
    let (dir, store) = fresh();
    put(&store.link().space("keys"), b"key", *b"value");
    drop(store);
    let _store = Store::open(dir.path()).unwrap();
    for place in rehearsal::stages(dir.path(), "link") {
        assert!(!place.exists(), "{}", place.display());
    }
    let names: Vec<_> = std::fs::read_dir(dir.path().join("link"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("snap."))
        .collect();
    assert_eq!(
        names.len(),
        1,
        "the rehearsal's snapshot and no other: {names:?}"
    );
}

#[tokio::test]
async fn a_newer_format_is_refused_and_left_as_it_is() {
    use prost::Message;

    let (dir, store) = fresh();
    let newer = chunks::Format { version: 9 }.encode_to_vec();
    store
        .log()
        .slot()
        .with(|engine| engine.put_raw(chunks::VERSION_KEY, newer))
        .unwrap();
    drop(store);
    for _ in 0..3 {
        let error = Store::open(dir.path()).unwrap_err();
        assert!(
            matches!(
                error,
                OpenError::Newer {
                    name: "log",
                    found: 9,
                    ..
                }
            ),
            "{error}"
        );
        assert!(error.to_string().contains("install the newer version"));
    }
}

#[tokio::test]
async fn a_damaged_value_is_found_and_examined_at_the_next_start() {
    let (dir, store) = fresh();
    let space = store.log().space("inbox");
    put(&space, b"key", patterned(9000));
    store.log().commit().await.unwrap();
    let lost = chunks::chunk_key(1, 1);
    store
        .log()
        .slot()
        .with(|engine| engine.remove_raw(&lost))
        .unwrap();
    assert!(matches!(space.get(b"key"), Err(StoreError::Damaged(_))));
    drop((store, space));
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.opened().set_aside, ["log"]);
}

#[test]
fn a_simulated_directory_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("data");
    assert!(!is_simulated(&dir));
    mark_simulated(&dir).unwrap();
    assert!(is_simulated(&dir));
}

fn holds(dir: &Path, needle: &[u8]) -> bool {
    std::fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            holds(&path, needle)
        } else {
            std::fs::read(path)
                .unwrap()
                .windows(needle.len())
                .any(|window| window == needle)
        }
    })
}
