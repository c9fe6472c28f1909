//! What the box knows of its account: how many slots are taken, and when the phone was last seen.

use super::*;
use vinculo::store::Batch;

fn account(link: &Link) -> Option<&Account> {
    match link {
        Link::Online(account) => Some(account),
        _ => None,
    }
}

#[tokio::test]
async fn a_linked_box_tells_how_many_slots_are_taken() {
    let (sim, dir, other) = (
        sim(SCALE).await,
        TempDir::new().unwrap(),
        TempDir::new().unwrap(),
    );
    let taken = |companions| {
        move |link: &Link| account(link).is_some_and(|known| known.companions == Some(companions))
    };
    let mut first = Running::start(&sim, dir.path(), SCALE);
    first.link_to(&sim).await;
    first.until("one of four", taken(1)).await;
    let mut second = Running::start(&sim, other.path(), SCALE);
    second.link_to(&sim).await;
    second.until("two of four", taken(2)).await;
    // The first asks once a day, and not whenever it comes back.
    sim.fault(Fault::new(Kind::Drop).on(OWNER)).unwrap();
    let connecting = |link: &Link| matches!(link, Link::Connecting { .. });
    first.until("away", connecting).await;
    let link = first.online().await;
    assert!(taken(1)(&link), "{link:?}");
    first.stop().await;
    let mut first = Running::start(&sim, dir.path(), SCALE);
    first.until("two of four", taken(2)).await;
    first.stop().await;
    second.stop().await;
    assert!(sim.counters().unknown.is_empty());
}

#[tokio::test]
async fn a_phone_that_was_not_seen_for_twelve_days_is_warned_about_until_it_is() {
    let (sim, dir) = (sim(SCALE).await, TempDir::new().unwrap());
    let mut running = Running::start(&sim, dir.path(), SCALE);
    running.link_to(&sim).await;
    let link = running.online().await;
    assert_eq!(account(&link).unwrap().phone_unseen, None);
    running.stop().await;
    // Thirteen days pass; nobody opens WhatsApp on the phone.
    let store = Store::open(dir.path()).unwrap();
    let space = store.link().space("phone");
    let row = space.get(b"seen").unwrap().unwrap();
    let seen = i64::from_be_bytes(row.try_into().unwrap()) - 13 * 86_400;
    let mut batch = Batch::default();
    batch.put(&space, b"seen", seen.to_be_bytes());
    store.link().apply(batch).unwrap();
    store.link().commit().await.unwrap();
    drop((space, store));
    let mut running = Running::start(&sim, dir.path(), SCALE);
    let warns = |link: &Link| account(link).is_some_and(|known| known.phone_unseen.is_some());
    let link = running.until("the warning", warns).await;
    assert!(matches!(
        account(&link).unwrap().phone_unseen,
        Some(13 | 14)
    ));
    // The customer's messages say nothing of the phone.
    sim.send_text(CUSTOMER, OWNER, "hola").unwrap();
    running
        .told("the question", |told| !told.messages.is_empty())
        .await;
    assert!(warns(&running.link.borrow()));
    // The owner writes on the phone.
    sim.send_text(OWNER, CUSTOMER, "ya voy").unwrap();
    running
        .until("no warning", |link| {
            account(link).is_some_and(|known| known.phone_unseen.is_none())
        })
        .await;
    running.stop().await;
    // And it is remembered.
    let mut again = Running::start(&sim, dir.path(), SCALE);
    let link = again.online().await;
    assert_eq!(account(&link).unwrap().phone_unseen, None);
    again.stop().await;
}
