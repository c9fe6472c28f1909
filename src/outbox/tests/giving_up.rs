//! What is not sent any more: drafts that waited too long, and those of an account that is gone.

use super::*;
use crate::inbox::fixtures::MONDAY_TEN;
use crate::message::ServerTime;

/// A clock that knows the service's present, as after a login.
fn clock(at: i64) -> ServiceClock {
    let clock = ServiceClock::new(|| ServerTime(0));
    clock.observe(ServerTime(at), true);
    clock
}

fn open_at(store: &Store, at: i64) -> Outbox {
    Outbox::open(store, Settings::default(), clock(at)).unwrap()
}

fn take_off(outbox: &Outbox, name: &str) -> Option<Draft> {
    let taken = outbox.take_off(&id(name)).unwrap();
    taken.map(|(draft, _)| draft)
}

#[tokio::test]
async fn an_answer_that_waited_for_a_quarter_of_an_hour_is_not_sent_any_more() {
    let disk = Disk::new();
    {
        let outbox = open_at(&disk.open(), MONDAY_TEN);
        outbox.enqueue(&draft(1, "A")).await.unwrap();
        outbox.enqueue(&draft(2, "B")).await.unwrap();
    }
    // A restart within the time still sends it.
    {
        let outbox = open_at(&disk.open(), MONDAY_TEN + 890);
        assert_eq!(take_off(&outbox, "A"), Some(draft(1, "A")));
    }
    let store = disk.open();
    let outbox = open_at(&store, MONDAY_TEN + 901);
    assert_eq!(take_off(&outbox, "A"), None);
    assert_eq!(outbox.delivery(&id("A")).unwrap(), Some(failed("expired")));
    assert_eq!(counts(&outbox), (1, 1));
    // It had left before the restart after all.
    assert!(outbox.receipt(&[id("A")], false).unwrap());
    assert_eq!(counts(&outbox), (1, 0));
    drop((outbox, store));
    // Switched off, it waits for as long as it takes.
    let patient = Settings {
        max_age: Duration::ZERO,
        ..Settings::default()
    };
    let store = disk.open();
    let outbox = Outbox::open(&store, patient, clock(MONDAY_TEN + 90_000)).unwrap();
    assert_eq!(take_off(&outbox, "B"), Some(draft(2, "B")));
}

#[tokio::test]
async fn without_the_services_time_nothing_is_too_old() {
    let disk = Disk::new();
    {
        let unsure = ServiceClock::new(|| ServerTime(5));
        let outbox = Outbox::open(&disk.open(), Settings::default(), unsure).unwrap();
        outbox.enqueue(&draft(1, "A")).await.unwrap();
    }
    let store = disk.open();
    let outbox = open_at(&store, MONDAY_TEN);
    assert_eq!(take_off(&outbox, "A"), Some(draft(1, "A")));
}

#[tokio::test]
async fn another_accounts_drafts_are_given_up_and_the_same_ones_are_not() {
    let disk = Disk::new();
    {
        let outbox = open(&disk.open());
        for n in 0..150 {
            outbox.enqueue(&draft(1, &format!("M{n}"))).await.unwrap();
        }
        assert!(
            outbox.belongs_to("573000000001").unwrap(),
            "the first account"
        );
        assert_eq!(counts(&outbox), (150, 0));
        outbox.commit().await.unwrap();
    }
    let store = disk.open();
    let outbox = open(&store);
    assert!(!outbox.belongs_to("573000000001").unwrap());
    assert!(!outbox.belongs_to("").unwrap());
    assert_eq!(counts(&outbox), (150, 0));
    assert!(outbox.belongs_to("573000000002").unwrap());
    assert_eq!(counts(&outbox), (0, 150));
    let one = outbox.delivery(&id("M7")).unwrap();
    assert_eq!(one, Some(failed("other_account")));
    store.reset().await.unwrap();
    outbox.refresh().unwrap();
    outbox.enqueue(&draft(1, "A")).await.unwrap();
    assert!(outbox.belongs_to("573000000003").unwrap());
    assert_eq!(counts(&outbox), (1, 0), "a reset begins anew");
}

#[tokio::test]
async fn a_time_lock_shows_until_the_service_takes_a_message_again() {
    let disk = Disk::new();
    let store = disk.open();
    let outbox = open(&store);
    let now = |outbox: &Outbox| {
        let now = *outbox.watch().borrow();
        (now.sent, now.limited)
    };
    for name in ["A", "B", "C", "D"] {
        outbox.enqueue(&draft(1, name)).await.unwrap();
    }
    outbox.acked(&id("A"), None).unwrap();
    outbox.receipt(&[id("A")], true).unwrap();
    assert_eq!(now(&outbox), (1, false), "sent once, however far it came");
    outbox.acked(&id("B"), Some("463")).unwrap();
    assert_eq!(now(&outbox), (1, true));
    outbox.acked(&id("C"), Some("404")).unwrap();
    assert_eq!(
        now(&outbox),
        (1, true),
        "another refusal says nothing about it"
    );
    outbox.acked(&id("D"), None).unwrap();
    assert_eq!(now(&outbox), (2, false));
}
