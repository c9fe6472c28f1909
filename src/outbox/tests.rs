//! The outbox's promises: what is queued and how it ends. What is sent when is in the two files
//! below. A restart is the store dropped and opened again.
#![allow(clippy::unwrap_used)]

mod delivering;
mod giving_up;
mod planning;

use std::time::Duration;

use super::*;
use crate::inbox::ServiceClock;
use crate::inbox::fixtures::{Disk, by_number};

fn id(text: &str) -> MessageId {
    MessageId(text.to_owned())
}

fn draft(n: u32, name: &str) -> Draft {
    Draft {
        id: id(name),
        chat: by_number(n),
        text: format!("texto {name}"),
    }
}

fn open(store: &Store) -> Outbox {
    Outbox::open(store, Settings::default(), ServiceClock::default()).unwrap()
}

fn counts(outbox: &Outbox) -> (u64, u64) {
    let now = *outbox.watch().borrow();
    (now.pending, now.failed)
}

fn failed(code: &str) -> Delivery {
    Delivery::Failed {
        code: code.to_owned(),
    }
}

#[tokio::test]
async fn a_draft_is_queued_once_whatever_is_repeated() {
    let disk = Disk::new();
    {
        let store = disk.open();
        let outbox = open(&store);
        assert_eq!(outbox.enqueue(&draft(1, "A")).await.unwrap(), Enqueued::New);
        assert_eq!(counts(&outbox), (1, 0));
    }
    let store = disk.open();
    let outbox = open(&store);
    assert_eq!(counts(&outbox), (1, 0));
    let again = outbox.enqueue(&draft(1, "A")).await.unwrap();
    assert_eq!(again, Enqueued::Known(Delivery::Pending));
    assert!(outbox.acked(&id("A"), None).unwrap());
    let again = outbox.enqueue(&draft(1, "A")).await.unwrap();
    assert_eq!(again, Enqueued::Known(Delivery::Sent));
    assert_eq!(counts(&outbox), (0, 0));
}

#[tokio::test]
async fn drafts_are_staged_all_or_none_and_only_with_their_batch() {
    let disk = Disk::new();
    let store = disk.open();
    let settings = Settings {
        max_pending: 2,
        ..Settings::default()
    };
    let outbox = Outbox::open(&store, settings, ServiceClock::default()).unwrap();
    let drafts = [draft(1, "A"), draft(1, "A"), draft(1, "B"), draft(1, "C")];
    let mut batch = Batch::default();
    let full = outbox.stage(&drafts, &mut batch).unwrap_err();
    assert!(matches!(full, OutboxError::Full { pending: 0 }));
    assert!(batch.is_empty());

    let staged = outbox.stage(&drafts[..3], &mut batch).unwrap();
    drop(staged);
    assert_eq!(outbox.delivery(&id("A")).unwrap(), None, "never applied");

    let mut batch = Batch::default();
    let other = store.log().space("someone.else");
    batch.put(&other, b"k", b"v".to_vec());
    let staged = outbox.stage(&drafts[..3], &mut batch).unwrap();
    let known = Enqueued::Known(Delivery::Pending);
    assert_eq!(staged.enqueued(), [Enqueued::New, known, Enqueued::New]);
    staged.apply(batch).unwrap();
    assert!(other.get(b"k").unwrap().is_some());
    outbox.commit().await.unwrap();
    assert_eq!(counts(&outbox), (2, 0));
    let full = outbox.enqueue(&drafts[3]).await.unwrap_err();
    assert!(matches!(full, OutboxError::Full { pending: 2 }));
    outbox.acked(&id("A"), None).unwrap();
    assert_eq!(outbox.enqueue(&drafts[3]).await.unwrap(), Enqueued::New);
}

#[tokio::test]
async fn texts_are_bounded_one_by_one_and_together() {
    let disk = Disk::new();
    let store = disk.open();
    let settings = Settings {
        max_bytes: 100_000,
        ..Settings::default()
    };
    let outbox = Outbox::open(&store, settings, ServiceClock::default()).unwrap();
    let sized = |name: &str, size| Draft {
        text: "x".repeat(size),
        ..draft(1, name)
    };
    let long = outbox.enqueue(&sized("A", MAX_TEXT + 1)).await.unwrap_err();
    assert!(matches!(long, OutboxError::TooLong { bytes: 65_537 }));
    outbox.enqueue(&sized("A", MAX_TEXT)).await.unwrap();
    let full = outbox.enqueue(&sized("B", MAX_TEXT)).await.unwrap_err();
    assert!(matches!(full, OutboxError::Full { pending: 1 }));
    outbox.acked(&id("A"), None).unwrap();
    outbox.enqueue(&sized("B", MAX_TEXT)).await.unwrap();
}

#[tokio::test]
async fn a_drafts_fate_only_ever_rises() {
    let disk = Disk::new();
    let store = disk.open();
    let outbox = open(&store);
    let state = |name: &str| outbox.delivery(&id(name)).unwrap().unwrap();
    for name in ["A", "B", "C"] {
        outbox.enqueue(&draft(1, name)).await.unwrap();
    }
    assert!(outbox.receipt(&[id("A"), id("nobody's")], true).unwrap());
    assert_eq!(state("A"), Delivery::Read, "a receipt acknowledges too");
    assert!(!outbox.receipt(&[id("A")], false).unwrap());
    assert!(!outbox.acked(&id("A"), None).unwrap());
    assert!(!outbox.acked(&id("A"), Some("463")).unwrap());
    assert_eq!(state("A"), Delivery::Read);

    assert!(outbox.acked(&id("B"), Some("463")).unwrap());
    assert_eq!((state("B"), counts(&outbox)), (failed("463"), (1, 1)));
    assert!(outbox.receipt(&[id("B")], false).unwrap());
    assert_eq!((state("B"), counts(&outbox)), (Delivery::Delivered, (1, 0)));

    assert!(outbox.acked(&id("C"), None).unwrap());
    assert_eq!((state("C"), counts(&outbox)), (Delivery::Sent, (0, 0)));
}

#[tokio::test]
async fn finished_drafts_are_forgotten_in_their_order() {
    let disk = Disk::new();
    let store = disk.open();
    let settings = Settings {
        keep_finished: 3,
        ..Settings::default()
    };
    let outbox = Outbox::open(&store, settings, ServiceClock::default()).unwrap();
    let names: Vec<_> = (0..6).map(|i| format!("M{i}")).collect();
    for name in &names {
        outbox.enqueue(&draft(1, name)).await.unwrap();
    }
    outbox.acked(&id("M0"), Some("463")).unwrap();
    assert_eq!(counts(&outbox), (5, 1));
    for name in &names[1..] {
        outbox.acked(&id(name), None).unwrap();
    }
    assert_eq!(
        counts(&outbox),
        (0, 0),
        "the refused one is forgotten as well"
    );
    let known = names
        .iter()
        .filter(|n| outbox.delivery(&id(n)).unwrap().is_some());
    assert_eq!(known.collect::<Vec<_>>(), ["M3", "M4", "M5"]);
    let left = store.log().space("outbox.entry").scan(&[], 100).unwrap();
    assert_eq!(left.len(), 3);
    assert_eq!(
        store.log().space("outbox.queue").scan(&[], 100).unwrap(),
        []
    );
}

#[tokio::test]
async fn a_passing_refusal_becomes_one_for_good_in_the_end() {
    let disk = Disk::new();
    let store = disk.open();
    let outbox = open(&store);
    outbox.enqueue(&draft(1, "A")).await.unwrap();
    for _ in 0..4 {
        assert!(outbox.acked(&id("A"), Some("500")).unwrap());
        assert_eq!(outbox.delivery(&id("A")).unwrap(), Some(Delivery::Pending));
    }
    outbox.acked(&id("A"), Some("500")).unwrap();
    assert_eq!(outbox.delivery(&id("A")).unwrap(), Some(failed("500")));
}

#[tokio::test]
async fn after_a_reset_the_queue_is_empty() {
    let disk = Disk::new();
    let store = disk.open();
    let outbox = open(&store);
    outbox.enqueue(&draft(1, "A")).await.unwrap();
    store.reset().await.unwrap();
    outbox.refresh().unwrap();
    assert_eq!(counts(&outbox), (0, 0));
    assert_eq!(outbox.plan(Instant::now()).unwrap(), plan::Plan::Idle);
    assert_eq!(outbox.enqueue(&draft(1, "A")).await.unwrap(), Enqueued::New);
    assert_eq!(
        outbox.plan(Instant::now()).unwrap(),
        plan::Plan::Send(id("A"))
    );
}

#[tokio::test]
async fn a_count_that_cannot_be_read_is_made_anew() {
    let disk = Disk::new();
    let store = disk.open();
    let outbox = open(&store);
    for name in ["A", "B", "C"] {
        outbox.enqueue(&draft(1, name)).await.unwrap();
    }
    outbox.acked(&id("A"), Some("463")).unwrap();
    let right = outbox.meta().unwrap();
    let mut batch = Batch::default();
    batch.put(&store.log().space("outbox.meta"), record::META, vec![0xFF]);
    store.log().apply(batch).unwrap();
    assert_eq!(outbox.meta().unwrap(), right);
}

#[test]
fn refusals_are_final_or_for_a_while() {
    let now = Instant::now();
    let seconds = |code: &str, before| match refusal::judge(code, before, now) {
        Verdict::Final => None,
        Verdict::Again { at, everything } => Some(((at - now).as_secs(), everything)),
    };
    for code in [
        "400", "403", "404", "463", "475", "487", "499", "550", "551", "", "what",
    ] {
        assert_eq!(seconds(code, 0), None, "{code}");
    }
    for (code, before, expected) in [
        ("421", 0, Some((5, false))),
        ("479", 1, Some((10, false))),
        ("500", 0, Some((10, false))),
        ("503", 3, Some((80, false))),
        ("552", 0, Some((10, false))),
        ("429", 0, Some((60, true))),
        ("429", 3, Some((480, true))),
        ("429", 4, None),
    ] {
        assert_eq!(seconds(code, before), expected, "{code} after {before}");
    }
}

#[tokio::test]
async fn what_has_not_left_can_be_taken_back_and_queued_again() {
    let disk = Disk::new();
    let outbox = open(&disk.open());
    for (n, name) in [(1, "A"), (2, "B")] {
        outbox.enqueue(&draft(n, name)).await.unwrap();
    }
    assert!(outbox.take_off(&id("A")).unwrap().is_some());
    assert!(!outbox.withdraw(&id("A")).unwrap(), "it may have left");
    assert!(outbox.withdraw(&id("B")).unwrap());
    assert!(outbox.withdraw(&id("B")).unwrap(), "it is gone");
    assert_eq!(counts(&outbox), (1, 0));
    assert_eq!(outbox.delivery(&id("B")).unwrap(), None);
    let again = outbox.enqueue(&draft(2, "B")).await.unwrap();
    assert_eq!(again, Enqueued::New);
    outbox.acked(&id("B"), None).unwrap();
    assert!(!outbox.withdraw(&id("B")).unwrap(), "the service has it");
}
