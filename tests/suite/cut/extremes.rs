//! A disk that fills up, and a database of which little is kept and much was written.

use std::path::{Path, PathBuf};

use vinculo::store::{Batch, Store};

use super::workload::{marks, now, pattern};

pub fn fill() {
    let dir = PathBuf::from(std::env::var_os("CUT_DIR").unwrap());
    now(async {
        let mut marks = marks();
        let store = Store::open(&dir).unwrap();
        let space = store.log().space("fill");
        for number in 0u64.. {
            let mut batch = Batch::default();
            batch.put(&space, &number.to_be_bytes(), pattern(number, 2000));
            let applied = store.log().apply(batch);
            let (one, two) = tokio::join!(store.log().commit(), store.log().commit());
            assert_eq!(one.is_ok(), two.is_ok(), "all who wait hear the same");
            if one.is_err() {
                break;
            }
            applied.unwrap();
            marks(number.to_string());
        }
        store.log().commit().await.unwrap_err();
        let mut batch = Batch::default();
        batch.put(&space, b"more", *b"");
        store.log().apply(batch).unwrap_err();
        store.link().commit().await.unwrap();
    });
}

/// What a full disk left, opened where there is room again.
pub fn check_filled(dir: &Path, promised: u64) {
    let store = Store::open(dir).unwrap();
    assert!(store.opened().set_aside.is_empty());
    let space = store.log().space("fill");
    for number in 0..=promised {
        let value = space.get(&number.to_be_bytes()).unwrap();
        assert!(value == Some(pattern(number, 2000)), "{number}");
    }
    let mut batch = Batch::default();
    batch.put(&space, b"more", *b"");
    store.log().apply(batch).unwrap();
    now(store.log().commit()).unwrap();
}

const CHURNS: u64 = 420;
const CHURNED: u64 = 10;

pub fn churn() {
    let dir = PathBuf::from(std::env::var_os("CUT_DIR").unwrap());
    now(async {
        let mut marks = marks();
        let store = Store::open(&dir).unwrap();
        for database in [store.link(), store.log()] {
            let space = database.space("churn");
            for round in 1..=CHURNS {
                for key in 0..CHURNED {
                    let mut batch = Batch::default();
                    batch.put(&space, &key.to_be_bytes(), pattern(round * 100 + key, 300));
                    database.apply(batch).unwrap();
                }
                database.commit().await.unwrap();
            }
        }
        drop(store);
        marks("reopening".to_owned());
        drop(Store::open(&dir).unwrap());
    });
}

pub fn check_churned(dir: &Path) -> Result<(), String> {
    let store = Store::open(dir).map_err(|error| error.to_string())?;
    if !store.opened().set_aside.is_empty() {
        return Err(format!("set aside: {:?}", store.opened().set_aside));
    }
    for database in [store.link(), store.log()] {
        let space = database.space("churn");
        for key in 0..CHURNED {
            let value = space.get(&key.to_be_bytes());
            let value = value.map_err(|error| error.to_string())?;
            if value != Some(pattern(CHURNS * 100 + key, 300)) {
                return Err(format!("{key} is not what it was"));
            }
        }
    }
    Ok(())
}
