//! How the link comes about, and how it is given up on purpose.

use super::*;

#[tokio::test]
async fn a_scanned_box_is_online_and_stays_linked_across_a_restart() {
    let sim = sim(SCALE).await;
    let dir = TempDir::new().unwrap();
    let mut first = Running::start(&sim, dir.path(), SCALE);
    let device = first.link_to(&sim).await;
    let online = first
        .until(
            "named",
            |link| matches!(link, Link::Online(account) if !account.name.is_empty()),
        )
        .await;
    let Link::Online(account) = online else {
        panic!("{online:?}");
    };
    assert_eq!(account.number, OWNER);
    assert_eq!(account.name, "Tienda Rosa");
    assert!(account.lid.is_some());
    assert!(is_online(&sim, device));
    first.stop().await;

    let refs = sim.counters().refs;
    let mut second = Running::start(&sim, dir.path(), SCALE);
    second.online().await;
    assert_eq!(sim.counters().refs, refs, "no scan was needed");
    second.stop().await;
    let unknown = sim.counters().unknown;
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[tokio::test]
async fn used_up_codes_are_renewed_and_then_the_box_rests() {
    let sim = sim(FAST).await;
    let dir = TempDir::new().unwrap();
    let mut running = Running::start(&sim, dir.path(), FAST);
    running.qr().await;
    running
        .until("resting", |link| *link == Link::Resting)
        .await;
    // Six refs live 160 s; ten minutes are begun four times.
    assert_eq!(sim.counters().refs, 4 * 6);
    nobody_connects(&sim, 10, FAST).await;
    running.handle.link_anew().await.unwrap();
    running.qr().await;
    running.stop().await;
}

#[tokio::test]
async fn a_press_renews_the_code() {
    let sim = sim(1).await;
    let dir = TempDir::new().unwrap();
    let mut running = Running::start(&sim, dir.path(), 1);
    let first = running.qr().await;
    running.handle.link_anew().await.unwrap();
    running
        .until("another code", |link| match link {
            Link::Linking(linking) => linking.qr.as_ref().is_some_and(|qr| qr.text != first),
            _ => false,
        })
        .await;
    running.link_to(&sim).await;
    running.stop().await;
}

#[tokio::test]
async fn with_a_phone_number_a_pairing_code_links_as_well() {
    let sim = sim(1).await;
    let dir = TempDir::new().unwrap();
    let mut settings = Settings::new(Endpoint::new(&sim.ws_url()).unwrap());
    settings.phone_number = Some(OWNER.to_owned());
    let mut running = Running::with(settings, dir.path(), 1);
    let linking = running
        .until("both codes", |link| match link {
            Link::Linking(linking) => linking.pairing_code.is_some() && linking.qr.is_some(),
            _ => false,
        })
        .await;
    let Link::Linking(linking) = linking else {
        panic!("{linking:?}");
    };
    let code = linking.pairing_code.unwrap().text;
    sim.enter_code(OWNER, &code).await.unwrap();
    running.online().await;
    running.stop().await;
}

#[tokio::test]
async fn unlinking_tells_the_service_and_shows_a_fresh_code() {
    let sim = sim(1).await;
    let dir = TempDir::new().unwrap();
    let mut running = Running::start(&sim, dir.path(), 1);
    running.link_to(&sim).await;
    running.handle.unlink().await.unwrap();
    running.qr().await;
    assert!(sim.devices(OWNER).unwrap().is_empty());
    running.link_to(&sim).await;
    running.stop().await;
}

#[tokio::test]
async fn unlinking_without_a_service_forgets_all_the_same() {
    let sim = sim(SCALE).await;
    let dir = TempDir::new().unwrap();
    let mut running = Running::start(&sim, dir.path(), SCALE);
    running.link_to(&sim).await;
    drop(sim);
    running
        .until("no network", |link| {
            matches!(link, Link::WaitingNetwork { .. })
        })
        .await;
    running.handle.unlink().await.unwrap();
    running
        .until("no network", |link| {
            matches!(link, Link::WaitingNetwork { .. })
        })
        .await;
    running.stop().await;

    // Another service never hears of the old device.
    let other = self::sim(SCALE).await;
    let mut fresh = Running::start(&other, dir.path(), SCALE);
    fresh.qr().await;
    fresh.stop().await;
}

#[tokio::test]
async fn a_reset_that_was_cut_short_is_finished_at_the_next_start() {
    let sim = sim(SCALE).await;
    let dir = TempDir::new().unwrap();
    let mut running = Running::start(&sim, dir.path(), SCALE);
    running.link_to(&sim).await;
    running.stop().await;
    let store = Store::open(dir.path()).unwrap();
    store.begin_reset().await.unwrap();
    drop(store);
    let mut running = Running::start(&sim, dir.path(), SCALE);
    running.qr().await;
    running.stop().await;
}

#[tokio::test]
async fn a_box_without_a_network_says_so_without_flickering() {
    let dir = TempDir::new().unwrap();
    // Nobody listens on the discard port of loopback.
    let nowhere = Settings::new(Endpoint::new("ws://127.0.0.1:9/ws/chat").unwrap());
    let mut running = Running::with(nowhere, dir.path(), SCALE);
    let waits = |link: &Link| matches!(link, Link::WaitingNetwork { .. });
    running.until("waiting for a network", waits).await;
    for _ in 0..3 {
        running.link.changed().await.unwrap();
        let link = running.link.borrow_and_update().clone();
        assert!(waits(&link), "{link:?}");
    }
    running.stop().await;
}
