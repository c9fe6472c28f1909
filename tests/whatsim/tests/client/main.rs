//! What the simulator promises a client, held against whatsapp-rust.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod companion;
mod control;
mod endings;
mod questions;

use std::collections::BTreeMap;
use std::sync::Arc;

use companion::Companion;
use wacore::store::in_memory::InMemoryBackend;
use wacore::types::events::Event;
use whatsim::{Fault, Kind, Options, Sim, SimError};

const OWNER: &str = "573000000001";
const CUSTOMER: &str = "573000000002";

async fn shop() -> Sim {
    let sim = Sim::start(Options::default()).await.unwrap();
    sim.add_phone(OWNER, "Tienda", true).unwrap();
    sim.add_phone(CUSTOMER, "Cliente", true).unwrap();
    sim
}

async fn linked(sim: &Sim) -> (Companion, Arc<InMemoryBackend>) {
    let store = Arc::new(InMemoryBackend::new());
    let mut companion = Companion::start(&sim.ws_url(), &store).await;
    let qr = companion.qr().await;
    assert_eq!(sim.scan(OWNER, &qr).await, Ok(1));
    companion.connected().await;
    (companion, store)
}

fn pn(number: &str) -> String {
    format!("{number}@s.whatsapp.net")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scanned_client_is_linked_and_writes_both_ways() {
    let sim = shop().await;
    let (mut companion, _) = linked(&sim).await;
    let device = &sim.devices(OWNER).unwrap()[0];
    assert!(
        device.online && device.platform.contains("Linux"),
        "{device:?}"
    );

    for n in 0..5 {
        sim.send_text(CUSTOMER, OWNER, &format!("hola {n}"))
            .unwrap();
    }
    let texts = companion.texts(5).await;
    assert_eq!(texts, ["hola 0", "hola 1", "hola 2", "hola 3", "hola 4"]);

    let id = companion.say(&pn(CUSTOMER), "a la orden").await;
    let received = sim
        .until(|view| {
            view.inbox(CUSTOMER)
                .into_iter()
                .find(|entry| entry.id == id)
        })
        .await;
    assert_eq!(received.text, "a la orden");
    assert_eq!(received.deliveries, 1);
    let copy = sim
        .until(|view| view.inbox(OWNER).into_iter().find(|entry| entry.id == id))
        .await;
    assert!(
        copy.from_me,
        "the owner's phone shows what the box wrote: {copy:?}"
    );
    // Everything was acknowledged, and nothing asked that the server could not answer.
    sim.until(|view| (view.counters().queued == 0).then_some(()))
        .await;
    assert_eq!(sim.counters().unknown, BTreeMap::new());
    assert_eq!(sim.counters().logins, 1);
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_typed_code_links_as_a_qr_does_and_a_wrong_one_does_not() {
    let sim = shop().await;
    let store = Arc::new(InMemoryBackend::new());
    let mut companion = Companion::start_by_code(&sim.ws_url(), &store, OWNER).await;
    let code = companion.code().await;
    assert_eq!(sim.enter_code(OWNER, &code).await, Ok(1));
    companion.connected().await;
    assert_eq!(sim.counters().unknown, BTreeMap::new());
    let mut second = Companion::start_by_code(&sim.ws_url(), &Arc::default(), OWNER).await;
    let code = second.code().await;
    let wrong: String = code
        .chars()
        .map(|letter| if letter == 'A' { 'B' } else { 'A' })
        .collect();
    assert!(matches!(
        sim.enter_code(OWNER, &wrong).await,
        Err(SimError::BadCode(_))
    ));
    assert!(matches!(
        sim.enter_code(CUSTOMER, "ABCDEFGH").await,
        Err(SimError::BadCode(_))
    ));
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_queued_while_a_client_was_away_arrives_in_order_once() {
    let sim = shop().await;
    let (companion, store) = linked(&sim).await;
    companion.stop().await;
    sim.until(|view| (!view.devices(OWNER)[0].online).then_some(()))
        .await;
    let sent: Vec<String> = (0..2000).map(|n| format!("pedido {n}")).collect();
    for text in &sent {
        sim.send_text(CUSTOMER, OWNER, text).unwrap();
    }
    assert!(sim.counters().queued >= 2000);
    let mut companion = Companion::start(&sim.ws_url(), &store).await;
    assert_eq!(companion.texts(2000).await, sent);
    sim.until(|view| (view.counters().queued == 0).then_some(()))
        .await;
    assert_eq!(sim.counters().unknown, BTreeMap::new());
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_with_the_same_keys_throws_the_first_one_out() {
    let sim = shop().await;
    let (mut first, store) = linked(&sim).await;
    let mut second = Companion::start(&sim.ws_url(), &store).await;
    first
        .expect("being replaced", |event| {
            matches!(event, Event::StreamReplaced(_)).then_some(())
        })
        .await;
    second.connected().await;
    assert_eq!(sim.counters().logins, 2);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_the_phone_removed_is_logged_out_and_stays_out() {
    let sim = shop().await;
    let (mut companion, store) = linked(&sim).await;
    sim.remove_device(OWNER, 1).unwrap();
    companion
        .expect("being logged out", |event| {
            matches!(event, Event::LoggedOut(_)).then_some(())
        })
        .await;
    assert_eq!(sim.devices(OWNER).unwrap(), []);
    let mut again = Companion::start(&sim.ws_url(), &store).await;
    again
        .expect("being refused", |event| {
            matches!(event, Event::LoggedOut(_)).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_carries_texts_both_ways() {
    let sim = shop().await;
    let (mut companion, _) = linked(&sim).await;
    let group = sim.create_group(CUSTOMER, "Barrio", &[OWNER]).unwrap();
    sim.send_text(CUSTOMER, &group, "buenas").unwrap();
    assert_eq!(companion.texts(1).await, ["buenas"]);
    let id = companion.say(&group, "bienvenidos").await;
    let received = sim
        .until(|view| {
            view.inbox(CUSTOMER)
                .into_iter()
                .find(|entry| entry.id == id)
        })
        .await;
    assert_eq!(
        (received.text.as_str(), received.chat),
        ("bienvenidos", group)
    );
    assert_eq!(sim.counters().unknown, BTreeMap::new());
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_that_cannot_link_says_so() {
    let sim = Sim::start(Options::default()).await.unwrap();
    sim.add_phone(OWNER, "Tienda", false).unwrap();
    let store = Arc::new(InMemoryBackend::new());
    let mut companion = Companion::start(&sim.ws_url(), &store).await;
    let qr = companion.qr().await;
    assert_eq!(sim.scan(OWNER, &qr).await, Err(SimError::NotMultidevice));
    assert!(matches!(
        sim.scan(OWNER, "not a qr").await,
        Err(SimError::BadQr(_))
    ));
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_client_comes_back_and_duplicates_are_shown_as_such() {
    let sim = shop().await;
    let (mut companion, _) = linked(&sim).await;
    sim.fault(Fault::new(Kind::Drop).on(OWNER)).unwrap();
    companion.connected().await;
    assert_eq!(sim.counters().logins, 2);
    sim.fault(Fault::new(Kind::RefuseAcks).on(OWNER).code(463).times(1))
        .unwrap();
    let refused = companion.say(&pn(CUSTOMER), "no llega").await;
    let code = companion
        .expect("the refusal", |event| match event {
            Event::ServerAck(ack) if ack.id == refused => Some(ack.error.clone()),
            _ => None,
        })
        .await;
    assert_eq!(code.as_deref(), Some("463"));
    let id = companion.say(&pn(CUSTOMER), "este sí").await;
    sim.until(|view| {
        view.inbox(CUSTOMER)
            .into_iter()
            .find(|entry| entry.id == id)
    })
    .await;
    assert!(
        sim.inbox(CUSTOMER)
            .unwrap()
            .iter()
            .all(|entry| entry.id != refused)
    );
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_missed_a_new_device_is_told_and_reaches_it_next() {
    let sim = shop().await;
    let (mut companion, _) = linked(&sim).await;
    let id = companion.say(&pn(CUSTOMER), "antes").await;
    sim.until(|view| {
        view.inbox(CUSTOMER)
            .into_iter()
            .find(|entry| entry.id == id)
    })
    .await;
    let store = Arc::new(InMemoryBackend::new());
    let mut newcomer = Companion::start(&sim.ws_url(), &store).await;
    let qr = newcomer.qr().await;
    sim.scan(CUSTOMER, &qr).await.unwrap();
    newcomer.connected().await;
    let keep_writing = async {
        loop {
            let id = companion.say(&pn(CUSTOMER), "después").await;
            companion
                .expect("the ack", |event| match event {
                    Event::ServerAck(ack) if ack.id == id => Some(()),
                    _ => None,
                })
                .await;
        }
    };
    tokio::select! {
        texts = newcomer.texts(1) => assert_eq!(texts, ["después"]),
        () = keep_writing => {}
    }
    newcomer.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_and_old_dates_are_reported_truly() {
    let sim = shop().await;
    let (mut companion, _) = linked(&sim).await;
    let id = sim
        .send_text_dated(CUSTOMER, OWNER, "de ayer", 1_790_000_000)
        .unwrap();
    let (chat, at) = companion
        .expect("the text", |event| match event {
            Event::Messages(batch) => batch
                .iter()
                .find(|m| m.info.id == id)
                .map(|m| (m.info.source.chat.clone(), m.info.timestamp.timestamp())),
            _ => None,
        })
        .await;
    assert_eq!(at, 1_790_000_000);
    companion
        .client
        .mark_as_read(&chat, None, &[&id])
        .await
        .unwrap();
    // The two receipts are sent independently.
    let fate = sim
        .until(|view| {
            view.sent(CUSTOMER, &id).filter(|sent| {
                let here = |device: &String| device.contains(":1@");
                sent.read.iter().any(here) && sent.delivered.iter().any(here)
            })
        })
        .await;
    assert!(fate.server);
    companion.stop().await;
}

#[tokio::test]
async fn only_loopback_is_served() {
    let options = Options {
        listen: ([0, 0, 0, 0], 0).into(),
        ..Options::default()
    };
    assert!(Sim::start(options).await.is_err());
}
