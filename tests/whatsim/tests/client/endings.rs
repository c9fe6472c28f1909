//! Everything that can go wrong on demand, as a client sees it.

use std::sync::Arc;

use wacore::store::in_memory::InMemoryBackend;
use wacore::types::events::Event;
use whatsim::{Fault, Kind, Options, Sim, SimError};

use crate::companion::Companion;
use crate::{CUSTOMER, OWNER, linked, pn, shop};

async fn ends(companion: &mut Companion, what: &str, is: impl Fn(&Event) -> bool) {
    companion
        .expect(what, |event| is(event).then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_on_demand_looks_like_another_server() {
    let sim = shop().await;
    let (mut companion, _) = linked(&sim).await;
    sim.fault(Fault::new(Kind::ConflictReplaced).on(OWNER))
        .unwrap();
    ends(&mut companion, "being replaced", |event| {
        matches!(event, Event::StreamReplaced(_))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_on_demand_logs_out() {
    let sim = shop().await;
    let (mut companion, _) = linked(&sim).await;
    sim.fault(Fault::new(Kind::ConflictRemoved).on(OWNER))
        .unwrap();
    ends(&mut companion, "being logged out", |event| {
        matches!(event, Event::LoggedOut(_))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_error_of_any_code_ends_the_connection() {
    let sim = shop().await;
    let (mut companion, _) = linked(&sim).await;
    sim.fault(Fault::new(Kind::StreamError).on(OWNER).code(503))
        .unwrap();
    companion.connected().await;
    assert_eq!(sim.counters().logins, 2);
    sim.fault(Fault::new(Kind::StreamError).on(OWNER).code(516))
        .unwrap();
    ends(&mut companion, "516", |event| {
        matches!(event, Event::LoggedOut(_))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bans_failures_and_refusals_come_at_the_next_login() {
    let sim = shop().await;
    let (companion, store) = linked(&sim).await;
    companion.stop().await;

    let until = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        + 3600;
    let ban = Fault::new(Kind::TempBan).on(OWNER).times(1);
    sim.fault(ban.clone().until(until)).unwrap();
    let mut banned = Companion::start(&sim.ws_url(), &store).await;
    ends(&mut banned, "a ban with its end", |event| {
        matches!(event, Event::TemporaryBan(ban) if (3500..=3600).contains(&ban.expire.num_seconds()))
    })
    .await;

    sim.fault(ban).unwrap();
    let mut banned = Companion::start(&sim.ws_url(), &store).await;
    ends(&mut banned, "a ban without an end", |event| {
        matches!(event, Event::ConnectFailure(_))
    })
    .await;

    sim.fault(Fault::new(Kind::Failure).on(OWNER).code(405).times(1))
        .unwrap();
    let mut outdated = Companion::start(&sim.ws_url(), &store).await;
    ends(&mut outdated, "being outdated", |event| {
        matches!(event, Event::ClientOutdated(_))
    })
    .await;

    sim.fault(Fault::new(Kind::RefuseLogin).on(OWNER).times(2))
        .unwrap();
    let mut patient = Companion::start(&sim.ws_url(), &store).await;
    patient.connected().await;
    assert_eq!(sim.counters().logins, 2);
    patient.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_connection_keeps_what_it_was_owed() {
    let sim = shop().await;
    let (companion, store) = linked(&sim).await;
    sim.fault(Fault::new(Kind::Stall).on(OWNER)).unwrap();
    sim.send_text(CUSTOMER, OWNER, "¿hay alguien?").unwrap();
    assert_eq!(sim.counters().queued, 1);
    let mut successor = Companion::start(&sim.ws_url(), &store).await;
    assert_eq!(successor.texts(1).await, ["¿hay alguien?"]);
    successor.stop().await;
    drop(companion);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrupt_frame_does_not_end_what_follows() {
    let sim = shop().await;
    let (mut companion, _) = linked(&sim).await;
    sim.fault(Fault::new(Kind::CorruptFrame).on(OWNER)).unwrap();
    // The client counts the frame or comes back; either way it hears the next text.
    sim.send_text(CUSTOMER, OWNER, "después").unwrap();
    let heard = async { companion.texts(1).await };
    let dropped = async {
        sim.until(|view| (view.counters().queued > 0).then_some(()))
            .await;
        sim.fault(Fault::new(Kind::Drop).on(OWNER)).unwrap();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        texts = heard => assert_eq!(texts, ["después"]),
        () = dropped => {}
    }
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doubled_and_swapped_messages_are_shown_once_each() {
    let sim = shop().await;
    let (mut companion, _) = linked(&sim).await;
    sim.fault(Fault::new(Kind::Duplicate).on(OWNER).times(1))
        .unwrap();
    sim.send_text(CUSTOMER, OWNER, "doble").unwrap();
    sim.send_text(CUSTOMER, OWNER, "sencillo").unwrap();
    assert_eq!(companion.texts(2).await, ["doble", "sencillo"]);
    sim.fault(Fault::new(Kind::Reorder).on(OWNER).times(1))
        .unwrap();
    sim.send_text(CUSTOMER, OWNER, "primero").unwrap();
    sim.send_text(CUSTOMER, OWNER, "segundo").unwrap();
    assert_eq!(companion.texts(2).await, ["segundo", "primero"]);
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withheld_ack_is_missed_by_the_sender_alone() {
    let sim = shop().await;
    let (companion, _) = linked(&sim).await;
    sim.fault(Fault::new(Kind::WithholdAcks).on(OWNER).times(1))
        .unwrap();
    let id = companion.say(&pn(CUSTOMER), "sin acuse").await;
    sim.until(|view| {
        view.inbox(CUSTOMER)
            .into_iter()
            .find(|entry| entry.id == id)
    })
    .await;
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_presence_that_stands_is_counted() {
    let sim = Sim::start(Options {
        time_scale: 20.0,
        ..Options::default()
    })
    .await
    .unwrap();
    sim.add_phone(OWNER, "Tienda", true).unwrap();
    let (companion, _) = linked(&sim).await;
    let presence = companion.client.presence();
    // Two seconds of the service pass while the client asks something else.
    presence.set_available().await.unwrap();
    while sim.counters().available_seconds < 2 {
        companion.client.blocking().get_blocklist().await.unwrap();
    }
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_presence_that_is_taken_back_is_not_counted() {
    // A second of the service lasts nearly two minutes here: nothing stands that long.
    let sim = Sim::start(Options {
        time_scale: 0.01,
        ..Options::default()
    })
    .await
    .unwrap();
    sim.add_phone(OWNER, "Tienda", true).unwrap();
    let (companion, _) = linked(&sim).await;
    companion.client.presence().set_available().await.unwrap();
    companion.client.presence().set_unavailable().await.unwrap();
    // The answer comes after the presence was taken in.
    companion.client.blocking().get_blocklist().await.unwrap();
    assert!(sim.counters().stanzas["presence"] >= 2);
    assert_eq!(sim.counters().available_seconds, 0);
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delayed_server_is_late_and_keeps_the_order() {
    let sim = shop().await;
    let (mut companion, _) = linked(&sim).await;
    sim.fault(Fault::new(Kind::Delay).on(OWNER).delay_ms(300))
        .unwrap();
    let sent = std::time::Instant::now();
    sim.send_text(CUSTOMER, OWNER, "tarde").unwrap();
    sim.fault(Fault::new(Kind::Clear).on(OWNER)).unwrap();
    sim.send_text(CUSTOMER, OWNER, "más tarde").unwrap();
    assert_eq!(companion.texts(2).await, ["tarde", "más tarde"]);
    assert!(sent.elapsed() >= std::time::Duration::from_millis(300));
    companion.stop().await;
}

#[tokio::test]
async fn refs_lapse_in_the_simulators_time() {
    // The 160 seconds of six refs are over here before the first one can be read.
    let sim = Sim::start(Options {
        time_scale: 1e9,
        ..Options::default()
    })
    .await
    .unwrap();
    sim.add_phone(OWNER, "Tienda", true).unwrap();
    let store = Arc::new(InMemoryBackend::new());
    let mut companion = Companion::start(&sim.ws_url(), &store).await;
    let qr = companion.qr().await;
    assert_eq!(sim.scan(OWNER, &qr).await, Err(SimError::ExpiredRef));
    assert_eq!(sim.counters().refs, 6);
    companion.stop().await;
}

#[tokio::test]
async fn faults_without_sense_are_refused() {
    let sim = shop().await;
    assert_eq!(
        sim.fault(Fault::new(Kind::Drop).on("573000000099")),
        Err(SimError::NoSuchPhone)
    );
    assert!(matches!(
        sim.fault(Fault::new(Kind::Delay).on(OWNER)),
        Err(SimError::BadFault(_))
    ));
}
