//! What is told once stays told: across restarts, power cuts and resets.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::session::link::Account;

fn open(store: &Store) -> History {
    History::open(store, ServiceClock::default()).unwrap()
}

fn told(history: &History) -> Vec<(What, Option<Cause>)> {
    let rows = history.rows();
    let told = rows.iter().map(|row| (row.event.what, row.event.cause));
    told.collect()
}

#[tokio::test]
async fn an_orderly_end_is_not_taken_for_a_power_cut() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let store = Store::open(dir.path()).unwrap();
        let history = open(&store);
        history.started(&[]).await;
        assert_eq!(told(&history).last(), Some(&(What::Started, None)));
        history.ended(true).await;
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_power_cut_is_told_as_one() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = Store::open(dir.path()).unwrap();
        let history = open(&store);
        history.started(&[]).await;
        history.note(Event::new(What::Online)).await;
    }
    let store = Store::open(dir.path()).unwrap();
    let history = open(&store);
    history.started(&["link"]).await;
    let cut = (What::Started, Some(Cause::PowerCut));
    let aside = (What::StoreSetAside, Some(Cause::LinkDatabase));
    assert_eq!(told(&history)[2..], [aside, cut]);
}

#[tokio::test]
async fn a_reset_deletes_every_message_and_not_the_history() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let history = open(&store);
    let (link, watched) = watch::channel(Link::Starting);
    let (_outbox, pending) = watch::channel(Pending::default());
    tokio::spawn(follow(history.clone(), watched, pending));
    let mut latest = history.latest();
    let mut sees = async |what| {
        let seen = |rows: &Vec<Row>| rows.first().is_some_and(|row| row.event.what == what);
        latest.wait_for(seen).await.unwrap();
    };
    link.send_replace(Link::Online(Account::new("573000000001", Instant::now())));
    sees(What::Online).await;
    link.send_replace(Link::Resetting);
    sees(What::Resetting).await;
    store.reset().await.unwrap();
    assert!(read(&store).unwrap().is_empty(), "the reset deletes it all");
    link.send_replace(Link::Resting);
    sees(What::Resting).await;
    drop(latest);
    store.log().commit().await.unwrap();
    let kept: Vec<_> = read(&store).unwrap();
    let kept: Vec<_> = kept.iter().map(|row| row.event.what).collect();
    assert_eq!(kept, [What::Online, What::Resetting, What::Resting]);
    for (_, value) in store.log().space(SPACE).scan_prefix(&[]).unwrap() {
        let text = String::from_utf8_lossy(&value).into_owned();
        assert!(!text.contains("573000000001") && !text.contains("Tienda"));
    }
}

#[tokio::test]
async fn a_closed_store_costs_nothing_but_the_time_until_the_next_note() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let history = open(&store);
    history.note(Event::new(What::Online)).await;
    store.close().await.unwrap();
    history.note(Event::new(What::Conflict)).await;
    assert_eq!(history.rows().len(), 2, "memory has it");
    assert!(history.state().unwritten);
}
