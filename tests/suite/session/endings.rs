//! Every way a connection ends, over the wire: what is shown, and whether the box comes back. Each
//! row of the table in the session's documentation of its endings is the test of its name; those about
//! passkeys are in `passkeys.rs`.

use super::*;

fn stream_error(code: u16) -> Fault {
    Fault::new(Kind::StreamError).on(OWNER).code(code)
}

fn failure(code: u16) -> Fault {
    Fault::new(Kind::Failure).on(OWNER).code(code).times(1)
}

/// A linked box, as most stories begin.
async fn linked(sim: &Sim, dir: &TempDir) -> Running {
    let mut running = Running::start(sim, dir.path(), SCALE);
    running.link_to(sim).await;
    running
}

/// The same for a box that never takes its session back by itself.
fn secondary(sim: &Sim) -> Settings {
    Settings {
        rank: Rank::Secondary,
        ..Settings::new(Endpoint::new(&sim.ws_url()).unwrap())
    }
}

/// Lets the next login be refused, and the present connection end.
fn refuse_login(sim: &Sim, fault: Fault) {
    sim.fault(fault).unwrap();
    sim.fault(Fault::new(Kind::Drop).on(OWNER)).unwrap();
}

/// Strikes, waits for the state, and then for the box to have come back by itself.
async fn comes_back(running: &mut Running, sim: &Sim, fault: Fault, is: fn(&Link) -> bool) {
    let logins = sim.counters().logins;
    let name = format!("{fault:?}");
    sim.fault(fault).unwrap();
    running.until(&name, is).await;
    running.online().await;
    assert!(sim.counters().logins > logins, "{name}");
}

fn is_connecting(link: &Link) -> bool {
    matches!(link, Link::Connecting { .. })
}

#[tokio::test]
async fn restart_wanted() {
    let (sim, dir) = (sim(SCALE).await, TempDir::new().unwrap());
    let mut running = linked(&sim, &dir).await;
    comes_back(&mut running, &sim, stream_error(515), is_connecting).await;
    running.stop().await;
}

#[tokio::test]
async fn server_trouble() {
    let (sim, dir) = (sim(SCALE).await, TempDir::new().unwrap());
    let mut running = linked(&sim, &dir).await;
    for code in [500, 503] {
        comes_back(&mut running, &sim, stream_error(code), is_connecting).await;
    }
    refuse_login(&sim, failure(503));
    let trouble = |link: &Link| matches!(link, Link::Connecting { failures: 2.., .. });
    running.until("a second attempt", trouble).await;
    running.online().await;
    running.stop().await;
}

#[tokio::test]
async fn connection_lost() {
    let (sim, dir) = (sim(SCALE).await, TempDir::new().unwrap());
    let mut running = linked(&sim, &dir).await;
    let drop = Fault::new(Kind::Drop).on(OWNER);
    comes_back(&mut running, &sim, drop, is_connecting).await;
    let garbage = Fault::new(Kind::CorruptFrame).on(OWNER);
    comes_back(&mut running, &sim, garbage, is_connecting).await;
    running.stop().await;
}

#[tokio::test]
async fn silence() {
    let (sim, dir) = (sim(SCALE).await, TempDir::new().unwrap());
    let mut running = linked(&sim, &dir).await;
    let struck = Instant::now();
    sim.fault(Fault::new(Kind::Stall).on(OWNER)).unwrap();
    running.until("not online", is_connecting).await;
    // Nobody is told "online" for longer than a minute after the last frame, and what this
    // machine needs.
    let found = Duration::from_secs(60) / SCALE + Duration::from_secs(1);
    assert!(struck.elapsed() < found, "{:?}", struck.elapsed());
    running.online().await;
    running.stop().await;
}

#[tokio::test]
async fn rate_limited() {
    let (sim, dir) = (sim(SCALE).await, TempDir::new().unwrap());
    let mut running = linked(&sim, &dir).await;
    let limited = |link: &Link| matches!(link, Link::RateLimited { .. });
    comes_back(&mut running, &sim, stream_error(429), limited).await;
    refuse_login(&sim, failure(429));
    running.until("limited at the login", limited).await;
    running.stop().await;
}

#[tokio::test]
async fn outdated() {
    let (sim, dir) = (sim(SCALE).await, TempDir::new().unwrap());
    let mut running = linked(&sim, &dir).await;
    refuse_login(&sim, failure(405));
    running
        .until("outdated", |link| *link == Link::Outdated)
        .await;
    // One more try, with the version read anew.
    running.online().await;
    running.stop().await;
}

#[tokio::test]
async fn banned() {
    let (sim, dir) = (sim(SCALE).await, TempDir::new().unwrap());
    let mut running = linked(&sim, &dir).await;
    let ban = Fault::new(Kind::TempBan).on(OWNER).times(1);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.unwrap().as_secs();
    let told = |link: &Link| matches!(link, Link::Banned { until: Some(_) });
    // For two minutes: it comes back when they are over.
    refuse_login(&sim, ban.clone().until(now + 120));
    running.until("banned until", told).await;
    running.online().await;
    // For nobody knows how long: a person may try.
    refuse_login(&sim, ban.clone());
    let untold = |link: &Link| *link == Link::Banned { until: None };
    running.until("banned", untold).await;
    nobody_connects(&sim, 1, SCALE).await;
    running.handle.link_anew().await.unwrap();
    running.online().await;
    // For two hours, which outlive a restart.
    refuse_login(&sim, ban.until(now + 7_200));
    running.until("banned until", told).await;
    running.stop().await;
    let mut again = Running::start(&sim, dir.path(), SCALE);
    again.until("banned", told).await;
    nobody_connects(&sim, 1, SCALE).await;
    again.stop().await;
}

#[tokio::test]
async fn locked() {
    let (sim, dir) = (sim(SCALE).await, TempDir::new().unwrap());
    let mut running = linked(&sim, &dir).await;
    refuse_login(&sim, failure(403));
    running.until("locked", |link| *link == Link::Locked).await;
    nobody_connects(&sim, 1, SCALE).await;
    running.handle.link_anew().await.unwrap();
    running.online().await;
    running.stop().await;
}

#[tokio::test]
async fn refused() {
    let (sim, dir) = (sim(SCALE).await, TempDir::new().unwrap());
    let mut running = linked(&sim, &dir).await;
    refuse_login(&sim, failure(409));
    let refused = |link: &Link| {
        let reason = StopReason::Refused(409);
        *link == Link::Stopped { reason }
    };
    running.until("stopped", refused).await;
    nobody_connects(&sim, 1, SCALE).await;
    running.handle.link_anew().await.unwrap();
    running.online().await;
    running.stop().await;
}

#[tokio::test]
async fn no_network() {
    let (sim, dir) = (sim(SCALE).await, TempDir::new().unwrap());
    let mut running = linked(&sim, &dir).await;
    drop(sim);
    let waits = |link: &Link| matches!(link, Link::WaitingNetwork { .. });
    running.until("no network", waits).await;
    running.stop().await;
}

#[tokio::test]
async fn send_time_lock() {
    let (sim, dir) = (sim(SCALE).await, TempDir::new().unwrap());
    let mut running = linked(&sim, &dir).await;
    let lock = Fault::new(Kind::RefuseAcks).on(OWNER).code(463).times(1);
    sim.fault(lock).unwrap();
    let id = MessageId("3EB0C0FFEE0000000463".to_owned());
    let draft = Draft {
        id: id.clone(),
        chat: ChatId::new(format!("{CUSTOMER}@s.whatsapp.net")),
        text: "buenos días".to_owned(),
    };
    running
        .handle
        .send(draft, Release::at_once())
        .await
        .unwrap();
    let told = |told: &Told| told.acks == [(id.clone(), Some("463".to_owned()))];
    running.told("the refusal", told).await;
    // The link is well; what follows for the queue is the outbox's.
    assert!(matches!(*running.link.borrow(), Link::Online(_)));
    running.stop().await;
}

#[tokio::test]
async fn not_multi_device() {
    let (sim, dir) = (sim(1).await, TempDir::new().unwrap());
    sim.add_phone("573000000099", "Vieja", false).unwrap();
    let mut running = Running::start(&sim, dir.path(), 1);
    let qr = running.qr().await;
    assert!(sim.scan("573000000099", &qr).await.is_err());
    let told = |link: &Link| match link {
        Link::Linking(linking) => linking.trouble == Some(LinkTrouble::NotMultidevice),
        _ => false,
    };
    running.until("what to do on the phone", told).await;
    running.link_to(&sim).await;
    running.stop().await;
}

#[tokio::test]
async fn nobody_scanned() {
    let (sim, dir) = (sim(FAST).await, TempDir::new().unwrap());
    let mut running = Running::start(&sim, dir.path(), FAST);
    let full = |link: &Link| {
        matches!(
            link,
            Link::Linking(Linking {
                maybe_full: true,
                ..
            })
        )
    };
    running.qr().await;
    assert!(!full(&running.link.borrow()));
    running.until("the hint", full).await;
    let refs = sim.counters().refs;
    assert!((12..=18).contains(&refs), "after two rounds, not {refs}");
    let resting = |link: &Link| *link == Link::Resting;
    running.until("resting", resting).await;
    nobody_connects(&sim, 10, FAST).await;
    running.handle.link_anew().await.unwrap();
    running.qr().await;
    assert!(!full(&running.link.borrow()), "a person begins anew");
    running.stop().await;
}

#[tokio::test]
async fn removed_on_the_phone() {
    let (sim, dir) = (sim(SCALE).await, TempDir::new().unwrap());
    let mut running = Running::start(&sim, dir.path(), SCALE);
    let by_owner = |link: &Link| {
        let by = Remover::Owner;
        matches!(link, Link::Unlinked { by: who, .. } if *who == by)
    };
    for by_fault in [false, true] {
        let device = running.link_to(&sim).await;
        if by_fault {
            let removed = Fault::new(Kind::ConflictRemoved).on(OWNER);
            sim.fault(removed).unwrap();
        } else {
            sim.remove_device(OWNER, device).unwrap();
        }
        running.until("unlinked by the owner", by_owner).await;
        sim.remove_device(OWNER, device).ok();
        nobody_connects(&sim, 1, SCALE).await;
        running.handle.link_anew().await.unwrap();
        running.qr().await;
    }
    running.stop().await;
}

#[tokio::test]
async fn removed_by_the_service() {
    let (sim, dir) = (sim(SCALE).await, TempDir::new().unwrap());
    let mut running = Running::start(&sim, dir.path(), SCALE);
    let untold = |link: &Link| {
        let by = Remover::Untold;
        matches!(link, Link::Unlinked { by: who, .. } if *who == by)
    };
    for (at_login, code) in [(true, 401), (true, 406), (false, 401), (false, 516)] {
        let device = running.link_to(&sim).await;
        match at_login {
            true => refuse_login(&sim, failure(code)),
            false => sim.fault(stream_error(code)).unwrap(),
        }
        running.until(&format!("unlinked by {code}"), untold).await;
        sim.remove_device(OWNER, device).ok();
        running.handle.link_anew().await.unwrap();
        running.qr().await;
    }
    running.stop().await;
}

#[tokio::test]
async fn same_keys_elsewhere() {
    let (sim, dir) = (sim(SCALE).await, TempDir::new().unwrap());
    let waits = |link: &Link| *link == Link::Conflict { next_try: None };
    let mut running = Running::with(secondary(&sim), dir.path(), SCALE);
    running.link_to(&sim).await;
    let replaced = Fault::new(Kind::ConflictReplaced).on(OWNER);
    sim.fault(replaced).unwrap();
    running.until("conflict", waits).await;
    nobody_connects(&sim, 10, SCALE).await;
    running.stop().await;

    let mut again = Running::with(secondary(&sim), dir.path(), FAST);
    again.until("conflict", waits).await;
    nobody_connects(&sim, 10, FAST).await;
    again.stop().await;

    // A press means: use it here.
    let mut again = Running::with(secondary(&sim), dir.path(), SCALE);
    again.until("conflict", waits).await;
    again.handle.link_anew().await.unwrap();
    again.online().await;
    again.stop().await;

    // Taken back for good, and lost again under the other name of the same ending.
    let mut after = Running::with(secondary(&sim), dir.path(), SCALE);
    after.online().await;
    sim.fault(stream_error(409)).unwrap();
    after.until("conflict", waits).await;
    after.handle.take_over().await.unwrap();
    after.online().await;
    after.stop().await;
}

#[tokio::test]
async fn number_of_production() {
    let (sim, dir) = (sim(SCALE).await, TempDir::new().unwrap());
    let development = || Settings {
        role: Role::Development,
        production_numbers: vec![OWNER.to_owned()],
        ..Settings::new(Endpoint::new(&sim.ws_url()).unwrap())
    };
    let refused = |link: &Link| {
        let reason = StopReason::ProductionNumber;
        *link == Link::Stopped { reason }
    };
    // It is not linked to one.
    let mut running = Running::with(development(), dir.path(), SCALE);
    let qr = running.qr().await;
    assert!(sim.scan(OWNER, &qr).await.is_err());
    running.until("refused", refused).await;
    assert!(sim.devices(OWNER).unwrap().is_empty());
    nobody_connects(&sim, 5, SCALE).await;
    // With another number it works.
    running.handle.link_anew().await.unwrap();
    let qr = running.qr().await;
    sim.scan(CUSTOMER, &qr).await.unwrap();
    running.online().await;
    running.handle.unlink().await.unwrap();
    running.stop().await;

    // It unlinks if it had been linked to one, and takes nothing in that waits for it.
    let mut production = Running::start(&sim, dir.path(), SCALE);
    production.link_to(&sim).await;
    production.stop().await;
    sim.send_text(CUSTOMER, OWNER, "¿abren hoy?").unwrap();
    let mut running = Running::with(development(), dir.path(), SCALE);
    running.until("refused", refused).await;
    let gone = sim.until(|view| view.devices(OWNER).is_empty().then_some(()));
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    assert!(running.told.borrow().messages.is_empty());
    nobody_connects(&sim, 5, SCALE).await;
    running.stop().await;
    let mut after = Running::with(development(), dir.path(), SCALE);
    after.qr().await;
    after.stop().await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_service_that_does_not_answer() {
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}/ws/chat", mute.local_addr().unwrap());
    let dir = TempDir::new().unwrap();
    let settings = Settings::new(Endpoint::new(&address).unwrap());
    let running = Running::with(settings, dir.path(), 1);
    let _kept_open = mute.accept().await.unwrap();
    running.stop().await;
}
