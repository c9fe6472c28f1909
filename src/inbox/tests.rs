//! The inbox's promises. A restart is the store dropped and opened again. Longer than 400 lines
//! because the promises share their messages and are read side by side.
#![allow(clippy::unwrap_used)]

mod following;

use std::time::Duration;

use super::fixtures::{Disk, MONDAY_TEN, by_lid, inbox, lid_only, number_only, owner, text};
use super::*;
use crate::message::{ChatId, Sender};

fn ids(inbox: &Inbox) -> Vec<(u64, String)> {
    let found = inbox.after(Seq(0), 1000).unwrap();
    found.into_iter().map(|(s, m)| (s.0, m.id.0)).collect()
}

fn placeholder(n: u32, id: &str) -> Incoming {
    let mut message = text(n, id, "");
    message.body = Body::Undecryptable;
    message
}

fn at(mut message: Incoming, seconds: i64) -> Incoming {
    message.sent_at = ServerTime(MONDAY_TEN + seconds);
    message
}

#[tokio::test]
async fn what_was_appended_is_read_in_order_also_after_a_restart() {
    let disk = Disk::new();
    let mut group = text(1, "C", "hola a todos");
    group.chat = ChatId::new("1203630000@g.us");
    group.chat_alt = None;
    let mut sticker = owner(2, "D");
    sticker.body = Body::Other("sticker".to_owned());
    let all = [text(1, "A", "uno"), placeholder(1, "B"), group, sticker];
    {
        let store = disk.open();
        let inbox = inbox(&store, Settings::default());
        let mut last = inbox.watch();
        let appended = inbox.append(&all).await.unwrap();
        assert_eq!((appended.new, appended.last), (4, Seq(4)));
        assert!(last.has_changed().unwrap());
        assert_eq!(*last.borrow_and_update(), Seq(4));
    }
    let store = disk.open();
    let inbox = inbox(&store, Settings::default());
    assert_eq!(*inbox.watch().borrow(), Seq(4));
    let read = inbox.after(Seq(0), 10).unwrap();
    assert_eq!(
        read.iter().map(|(s, _)| s.0).collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    let mut messages: Vec<_> = read.into_iter().map(|(_, m)| m).collect();
    // The owner's LID is not known, the customer's is.
    assert_eq!(messages[3].chat_alt, Some(by_lid(2)));
    assert_eq!(messages.remove(0), all[0]);
    assert_eq!(messages, all[1..]);
    assert_eq!(inbox.after(Seq(1), 2).unwrap().len(), 2);
    assert_eq!(inbox.after(Seq(4), 2).unwrap(), []);
}

#[tokio::test]
async fn a_redelivery_is_recognised_under_every_name() {
    let disk = Disk::new();
    let first = text(1, "A", "hola");
    let again = [
        first.clone(),
        number_only(first.clone()),
        lid_only(first.clone()),
    ];
    {
        let store = disk.open();
        let inbox = inbox(&store, Settings::default());
        inbox.append(&[first]).await.unwrap();
        let appended = inbox.append(&again).await.unwrap();
        assert_eq!((appended.new, appended.duplicates), (0, 3));
    }
    let store = disk.open();
    let inbox = inbox(&store, Settings::default());
    assert_eq!(inbox.append(&again).await.unwrap().duplicates, 3);
    assert_eq!(ids(&inbox), [(1, "A".to_owned())]);
}

#[tokio::test]
async fn names_learned_from_one_message_complete_another() {
    let disk = Disk::new();
    let store = disk.open();
    let inbox = inbox(&store, Settings::default());
    inbox.append(&[text(1, "A", "hola")]).await.unwrap();
    let second = text(1, "B", "hola?");
    inbox.append(&[number_only(second.clone())]).await.unwrap();
    assert_eq!(inbox.after(Seq(1), 1).unwrap()[0].1, second);
    // Came under the number alone, comes again under the LID alone.
    let appended = inbox.append(&[lid_only(second)]).await.unwrap();
    assert_eq!(appended.duplicates, 1);
}

#[tokio::test]
async fn one_id_in_other_chats_or_by_others_is_another_message() {
    let disk = Disk::new();
    let store = disk.open();
    let inbox = inbox(&store, Settings::default());
    let in_group = |n: u32| {
        let mut message = text(n, "A", "hola");
        message.chat = ChatId::new("1203630000@g.us");
        message.chat_alt = None;
        message
    };
    let mut nameless = in_group(3);
    nameless.sender = Sender::default();
    let batch = [
        text(1, "A", "hola"),
        text(2, "A", "hola"),
        owner(1, "A"),
        in_group(1),
        in_group(2),
        nameless,
        in_group(1),
        lid_only(in_group(2)),
    ];
    let appended = inbox.append(&batch).await.unwrap();
    assert_eq!((appended.new, appended.duplicates), (6, 2));
}

#[tokio::test]
async fn a_placeholder_gives_way_to_the_message_and_not_the_other_way_round() {
    let disk = Disk::new();
    {
        let store = disk.open();
        let inbox = inbox(&store, Settings::default());
        let batch = [placeholder(1, "A"), placeholder(1, "A"), text(1, "B", "b")];
        assert_eq!(inbox.append(&batch).await.unwrap().new, 2);
    }
    let store = disk.open();
    let inbox = inbox(&store, Settings::default());
    let batch = [lid_only(text(1, "A", "por fin")), placeholder(1, "A")];
    let appended = inbox.append(&batch).await.unwrap();
    assert_eq!((appended.new, appended.duplicates), (1, 1));
    assert_eq!(ids(&inbox), [(2, "B".to_owned()), (3, "A".to_owned())]);
    assert_eq!(inbox.meta().unwrap().messages, 2);
    // In one batch, too.
    let batch = [placeholder(2, "C"), text(2, "C", "c"), text(2, "C", "c")];
    assert_eq!(inbox.append(&batch).await.unwrap().new, 2);
    assert_eq!(ids(&inbox).last().unwrap(), &(5, "C".to_owned()));
    let meta = inbox.meta().unwrap();
    let sizes = store.log().space("inbox.message").scan(&[], 100).unwrap();
    assert_eq!(meta.messages, 3);
    assert_eq!(
        meta.size,
        sizes.iter().map(|(_, v)| v.len() as u64).sum::<u64>()
    );
}

#[tokio::test]
async fn bounds_hold_and_what_went_is_still_recognised() {
    let disk = Disk::new();
    let store = disk.open();
    let settings = Settings {
        max_messages: 10,
        remember: 20,
        ..Settings::default()
    };
    let inbox = inbox(&store, settings);
    let all: Vec<_> = (0..100).map(|i| text(1, &format!("M{i}"), "x")).collect();
    for message in &all {
        inbox.append(std::slice::from_ref(message)).await.unwrap();
    }
    let kept = ids(&inbox).len();
    assert!((10..=11).contains(&kept), "{kept} kept");
    let keys = store
        .log()
        .space("inbox.key")
        .scan(&[], 1000)
        .unwrap()
        .len();
    assert!(
        (60..=66).contains(&keys),
        "two keys each for thirty messages: {keys}"
    );
    // Kept, gone but remembered, forgotten.
    let appended = inbox
        .append(&[all[95].clone(), all[75].clone()])
        .await
        .unwrap();
    assert_eq!(appended.duplicates, 2);
    assert_eq!(inbox.append(&all[..1]).await.unwrap().new, 1);
}

#[tokio::test]
async fn age_is_measured_by_the_newest_message_and_size_by_the_records() {
    let disk = Disk::new();
    let store = disk.open();
    let settings = Settings {
        max_age: Duration::from_secs(3600),
        max_bytes: 2000,
        ..Settings::default()
    };
    let inbox = inbox(&store, settings);
    let batch = [at(text(1, "A", "a"), 0), at(text(1, "B", "b"), 3000)];
    inbox.append(&batch).await.unwrap();
    inbox.append(&[at(text(1, "C", "c"), 3601)]).await.unwrap();
    inbox.append(&[at(text(1, "D", "d"), 3601)]).await.unwrap();
    let left: Vec<_> = ids(&inbox).into_iter().map(|(_, id)| id).collect();
    assert_eq!(left, ["B", "C", "D"]);
    inbox
        .append(&[at(text(1, "E", &"e".repeat(1900)), 3601)])
        .await
        .unwrap();
    inbox.append(&[at(text(1, "F", "f"), 3601)]).await.unwrap();
    let left: Vec<_> = ids(&inbox).into_iter().map(|(_, id)| id).collect();
    assert_eq!(left, ["F"], "the large one went with what was before it");
}

#[tokio::test]
async fn a_placeholder_that_went_leaves_the_message_that_replaced_it_recognised() {
    let disk = Disk::new();
    let store = disk.open();
    let settings = Settings {
        max_messages: 2,
        remember: 3,
        ..Settings::default()
    };
    let inbox = inbox(&store, settings);
    inbox.append(&[placeholder(1, "A")]).await.unwrap();
    for i in 0..4 {
        inbox
            .append(&[text(1, &format!("M{i}"), "x")])
            .await
            .unwrap();
    }
    // The placeholder is among those that went; its keys now stand for the real one.
    inbox.append(&[text(1, "A", "por fin")]).await.unwrap();
    inbox.append(&[text(1, "N", "x")]).await.unwrap();
    assert_eq!(
        inbox
            .append(&[text(1, "A", "por fin")])
            .await
            .unwrap()
            .duplicates,
        1
    );
}

#[tokio::test]
async fn names_that_nobody_uses_any_more_are_forgotten() {
    let disk = Disk::new();
    let store = disk.open();
    let settings = Settings {
        max_messages: 10,
        ..Settings::default()
    };
    let inbox = inbox(&store, settings);
    let names = store.log().space("inbox.name");
    inbox.append(&[text(1, "A", "hola")]).await.unwrap();
    assert_eq!(names.scan(&[], 10).unwrap().len(), 2);
    for round in 0..12 {
        let batch: Vec<_> = (0..100)
            .map(|i| number_only(text(2, &format!("M{round}-{i}"), "x")))
            .collect();
        inbox.append(&batch).await.unwrap();
    }
    let one = |id| number_only(text(2, id, "x"));
    inbox.append(&[one("Y")]).await.unwrap();
    inbox.append(&[one("Z")]).await.unwrap();
    assert_eq!(names.scan(&[], 10).unwrap(), []);
}

#[tokio::test]
async fn after_a_reset_the_log_begins_anew() {
    let disk = Disk::new();
    let store = disk.open();
    let inbox = inbox(&store, Settings::default());
    let last = inbox.watch();
    inbox
        .append(&[text(1, "A", "a"), text(1, "B", "b")])
        .await
        .unwrap();
    store.reset().await.unwrap();
    inbox.refresh().unwrap();
    assert_eq!(*last.borrow(), Seq(0));
    assert_eq!(
        inbox.append(&[text(1, "A", "a")]).await.unwrap().last,
        Seq(1)
    );
    assert_eq!(*last.borrow(), Seq(1));
    assert_eq!(ids(&inbox), [(1, "A".to_owned())]);
}

#[tokio::test]
async fn what_cannot_be_stored_is_not_confirmed() {
    let disk = Disk::new();
    let store = disk.open();
    let inbox = inbox(&store, Settings::default());
    store.close().await.unwrap();
    assert!(inbox.append(&[text(1, "A", "a")]).await.is_err());
    assert_eq!(*inbox.watch().borrow(), Seq(0));
}

#[tokio::test]
async fn a_count_that_cannot_be_read_is_made_anew() {
    let disk = Disk::new();
    let store = disk.open();
    let inbox = inbox(&store, Settings::default());
    inbox
        .append(&[text(1, "A", "a"), text(1, "B", "b")])
        .await
        .unwrap();
    let right = inbox.meta().unwrap();
    let mut batch = Batch::default();
    batch.put(&store.log().space("inbox.meta"), record::META, vec![0xFF]);
    store.log().apply(batch).unwrap();
    assert_eq!(inbox.meta().unwrap(), right);
    assert_eq!(
        inbox.append(&[text(1, "C", "c")]).await.unwrap().last,
        Seq(3)
    );
}

/// Any mixture of redeliveries, placeholders, names and restarts gives what a plain list gives.
#[tokio::test]
async fn any_history_gives_what_a_plain_list_gives() {
    let disk = Disk::new();
    let mut seed = 7u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    let mut list: Vec<(u64, u32, String, bool)> = Vec::new();
    let mut next = 1;
    for _ in 0..20 {
        let store = disk.open();
        let inbox = inbox(&store, Settings::default());
        for _ in 0..10 {
            let mut batch = Vec::new();
            for _ in 0..random(5) {
                let n = random(3) as u32;
                let id = format!("M{}", random(60));
                let real = random(3) > 0;
                let mut message = text(n, &id, "x");
                if !real {
                    message.body = Body::Undecryptable;
                }
                // Under its number alone it can only be told apart from what came under both.
                batch.push(match random(2) {
                    0 => number_only(message),
                    _ => message,
                });
                let old = list.iter().position(|e| e.1 == n && e.2 == id);
                match old {
                    Some(old) if list[old].3 || !real => continue,
                    Some(old) => drop(list.remove(old)),
                    None => {}
                }
                list.push((next, n, id, real));
                next += 1;
            }
            inbox.append(&batch).await.unwrap();
        }
        let read = inbox.after(Seq(0), 10_000).unwrap();
        let read: Vec<_> = read
            .into_iter()
            .map(|(seq, m)| {
                let n = (0..3)
                    .find(|n| m.chat == super::fixtures::by_number(*n))
                    .unwrap();
                (seq.0, n, m.id.0, m.body != Body::Undecryptable)
            })
            .collect();
        assert_eq!(read, list);
        assert_eq!(inbox.meta().unwrap().messages, list.len() as u64);
    }
}

#[tokio::test(start_paused = true)]
async fn the_services_time_comes_from_live_messages_before_the_wall_clock() {
    let wall = 1_000_000;
    let clock = ServiceClock::new(|| ServerTime(1_000_000));
    assert_eq!(clock.now(), ServerTime(wall));
    // It waited on the server: it may be hours old.
    clock.observe(ServerTime(wall - 9000), false);
    assert_eq!(clock.now(), ServerTime(wall));
    // The wall clock lags, and something waiting proves it.
    clock.observe(ServerTime(wall + 50), false);
    assert_eq!(clock.now(), ServerTime(wall + 50));
    tokio::time::advance(Duration::from_millis(1500)).await;
    // Older news does not hold the clock up, nor its fractions of a second.
    clock.observe(ServerTime(wall), false);
    tokio::time::advance(Duration::from_millis(500)).await;
    assert_eq!(clock.now(), ServerTime(wall + 52));

    let clock = ServiceClock::new(|| ServerTime(1_000_000));
    clock.observe(ServerTime(wall - 9000), true);
    assert_eq!(
        clock.now(),
        ServerTime(wall - 9000),
        "the wall clock is ahead"
    );
}

#[tokio::test(start_paused = true)]
async fn what_comes_late_or_again_does_not_tell_the_time() {
    let disk = Disk::new();
    let store = disk.open();
    let inbox = inbox(&store, Settings::default());
    let clock = inbox.clock().clone();
    inbox
        .append(&[at(placeholder(1, "A"), -9000)])
        .await
        .unwrap();
    let next_start = super::fixtures::inbox(&store, Settings::default());
    next_start
        .append(&[at(text(1, "A", "recovered"), -9000)])
        .await
        .unwrap();
    assert_eq!(next_start.clock().now(), ServerTime(MONDAY_TEN));
    next_start
        .append(&[at(text(1, "A", "again"), -9000)])
        .await
        .unwrap();
    assert_eq!(next_start.clock().now(), ServerTime(MONDAY_TEN));
    assert_eq!(
        clock.now(),
        ServerTime(MONDAY_TEN - 9000),
        "it was live then"
    );
}
