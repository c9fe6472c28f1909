//! What the session hears back, and what reaches inbox and outbox.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::inbox::fixtures::{Disk, MONDAY_TEN, by_number, inbox, text};
use crate::inbox::{self, ServiceClock};
use crate::message::{Delivery, Draft, MessageId, Seq, ServerTime};
use crate::outbox;
use crate::store::Store;

fn rooms(store: &Store) -> (Inbox, Outbox) {
    (
        inbox(store, inbox::Settings::default()),
        Outbox::open(store, outbox::Settings::default(), ServiceClock::default()).unwrap(),
    )
}

fn arrival(ids: &[&str]) -> (Event, oneshot::Receiver<bool>) {
    let batch = ids.iter().map(|id| text(1, id, "hola")).collect();
    let (durable, stored) = oneshot::channel();
    (Event::Messages { batch, durable }, stored)
}

#[tokio::test]
async fn everybody_who_waits_hears_that_his_messages_are_stored() {
    let disk = Disk::new();
    let store = disk.open();
    let (inbox, outbox) = rooms(&store);
    let (events, queue) = mpsc::channel(8);
    let (one, first) = arrival(&["A"]);
    let (two, second) = arrival(&["B", "A"]);
    events.send(one).await.unwrap();
    events.send(two).await.unwrap();
    drop(events);
    run(queue, inbox.clone(), outbox).await;
    assert!(first.await.unwrap() && second.await.unwrap());
    let read = inbox.after(Seq(0), 9).unwrap();
    let ids: Vec<_> = read.iter().map(|(_, m)| m.id.0.as_str()).collect();
    assert_eq!(ids, ["A", "B"]);
}

#[tokio::test]
async fn what_is_not_stored_is_not_confirmed() {
    let disk = Disk::new();
    let store = disk.open();
    let (inbox, outbox) = rooms(&store);
    store.close().await.unwrap();
    let (events, queue) = mpsc::channel(8);
    let (event, stored) = arrival(&["A"]);
    events.send(event).await.unwrap();
    drop(events);
    run(queue, inbox, outbox).await;
    assert!(!stored.await.unwrap());
}

#[tokio::test]
async fn acknowledgements_and_receipts_reach_the_outbox_and_last() {
    let disk = Disk::new();
    let draft = |id: &str| Draft {
        id: MessageId(id.to_owned()),
        chat: by_number(1),
        text: "hola".to_owned(),
    };
    {
        let store = disk.open();
        let (inbox, outbox) = rooms(&store);
        for id in ["A", "B", "C"] {
            outbox.enqueue(&draft(id)).await.unwrap();
        }
        let (events, queue) = mpsc::channel(8);
        let ack = |id: &str, error: Option<&str>| Event::Ack {
            id: MessageId(id.to_owned()),
            error: error.map(str::to_owned),
        };
        let read = Event::Receipt {
            ids: vec![MessageId("C".to_owned())],
            read: true,
        };
        for event in [ack("A", None), ack("B", Some("463")), ack("C", None), read] {
            events.send(event).await.unwrap();
        }
        events.send(ack("nobody's", None)).await.unwrap();
        drop(events);
        run(queue, inbox, outbox).await;
    }
    let store = disk.open();
    let (_, outbox) = rooms(&store);
    let state = |id: &str| outbox.delivery(&MessageId(id.to_owned())).unwrap().unwrap();
    assert_eq!(state("A"), Delivery::Sent);
    assert_eq!(
        state("B"),
        Delivery::Failed {
            code: "463".to_owned()
        }
    );
    assert_eq!(state("C"), Delivery::Read);
    assert_eq!(outbox.watch().borrow().failed, 1);
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_survives_a_kill_a_moment_later() {
    let disk = Disk::new();
    let store = disk.open();
    let (inbox, outbox) = rooms(&store);
    let draft = Draft {
        id: MessageId("A".to_owned()),
        chat: by_number(1),
        text: "hola".to_owned(),
    };
    outbox.enqueue(&draft).await.unwrap();
    let (events, queue) = mpsc::channel(8);
    let task = tokio::spawn(run(queue, inbox, outbox));
    let ack = Event::Ack {
        id: draft.id.clone(),
        error: None,
    };
    events.send(ack).await.unwrap();
    for _ in 0..500 {
        // Runs ahead of the thread that commits, which takes real time.
        tokio::time::sleep(SETTLE).await;
        let left = disk.as_if_killed();
        let (_, outbox) = rooms(&left.open());
        if outbox.delivery(&draft.id).unwrap() == Some(Delivery::Sent) {
            drop(events);
            return task.await.unwrap();
        }
    }
    panic!("it never reached the disk");
}

#[tokio::test]
async fn a_login_tells_the_services_time_and_whose_messages_follow() {
    let disk = Disk::new();
    let store = disk.open();
    let (inbox, outbox) = rooms(&store);
    let login = |number: &str, time| Event::Online {
        number: number.to_owned(),
        server_time: Some(ServerTime(time)),
    };
    let (events, queue) = mpsc::channel(16);
    let task = tokio::spawn(run(queue, inbox.clone(), outbox));
    // A backlog of yesterday proves nothing about the present; the login does.
    events
        .send(login("573000000001", MONDAY_TEN - 9))
        .await
        .unwrap();
    let (event, stored) = arrival(&["A"]);
    events.send(event).await.unwrap();
    assert!(stored.await.unwrap());
    assert!(inbox.clock().sure().is_some());
    assert_eq!(inbox.beginning().unwrap(), Seq(0));
    events
        .send(login("573000000001", MONDAY_TEN))
        .await
        .unwrap();
    events
        .send(login("573000000002", MONDAY_TEN))
        .await
        .unwrap();
    let (event, stored) = arrival(&["B"]);
    events.send(event).await.unwrap();
    assert!(stored.await.unwrap());
    assert_eq!(inbox.beginning().unwrap(), Seq(1));
    drop(events);
    task.await.unwrap();
}

#[tokio::test]
async fn what_another_box_has_sent_waits_no_longer_once_the_session_goes_on() {
    let disk = Disk::new();
    let store = disk.open();
    let (inbox, outbox) = rooms(&store);
    let draft = Draft {
        id: MessageId("3EB0AA".to_owned()),
        chat: by_number(1),
        text: "hola".to_owned(),
    };
    outbox.enqueue(&draft).await.unwrap();
    let (events, queue) = mpsc::channel(8);
    let running = tokio::spawn(run(queue, inbox, outbox.clone()));
    let mut shown = text(1, "3EB0AA", "hola");
    shown.from_me = true;
    let (durable, stored) = oneshot::channel();
    let batch = vec![shown];
    events
        .send(Event::Messages { batch, durable })
        .await
        .unwrap();
    assert!(stored.await.unwrap());
    assert_eq!(outbox.delivery(&draft.id).unwrap(), Some(Delivery::Sent));
    drop(events);
    running.await.unwrap();
}
