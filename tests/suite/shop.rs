//! What a shop notices first: whom the box answers, whom it leaves alone, and when it is silent.

use std::num::NonZeroU32;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;
use vinculo::appliance::{Appliance, Flavor};
use vinculo::config::Config;
use vinculo::hardware::desk::LogLine;
use vinculo::session::Link;
use vinculo::session::link::Linking;
use whatsim::{Fault, Kind};

use crate::process::BoxProcess;
use crate::town::{ANA, ECHO, LUIS, SHOP, Town, shown};

/// Longer than anything takes; only a failing test ever waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

fn minutes_ago(minutes: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs() - minutes * 60
}

fn wait_seq(running: &BoxProcess, seq: u64) {
    running.wait("what was written", |status| status["inbox"]["seq"] == seq);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_left_alone_unless_the_configuration_says_otherwise() {
    let town = Town::new().await;
    let running = town.linked().await;
    let group = town
        .sim
        .create_group(ANA, "Vecinos", &[SHOP, LUIS])
        .unwrap();
    town.sim.send_text(ANA, &group, "hola a todos").unwrap();
    wait_seq(&running, 1);
    town.sim.send_text(ANA, SHOP, "hola").unwrap();
    town.answered(ANA, &["hola".to_owned()]).await;
    assert_eq!(shown(&town.sim, LUIS), ["hola a todos"]);
    assert_eq!(running.terminate().0.code(), Some(0));

    town.configure(&format!("{ECHO}\n[bot]\ngroups = true\n"));
    let running = town.start();
    running.wait_link("online");
    town.sim.send_text(ANA, &group, "y ahora").unwrap();
    town.until("the group hears the answer", |view| {
        view.inbox(LUIS)
            .iter()
            .any(|entry| entry.text == "eco: y ahora")
    })
    .await;
    let counters = town.sim.counters();
    assert!(counters.unknown.is_empty(), "{:?}", counters.unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_answered_under_the_lid_as_under_the_number() {
    let town = Town::new().await;
    let lid = town.sim.add_phone("573000000004", "Sofía", true).unwrap();
    let running = town.start();
    let qr = running.wait_qr();
    // The shop is the phone whose address the customers know only as a LID.
    town.sim.scan("573000000004", &qr).await.unwrap();
    running.wait_link("online");
    town.sim.send_text(ANA, &lid, "uno").unwrap();
    town.answered(ANA, &["uno".to_owned()]).await;
    town.sim.send_text(ANA, "573000000004", "dos").unwrap();
    town.answered(ANA, &["uno".to_owned(), "dos".to_owned()])
        .await;
    wait_seq(&running, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_owner_writes_the_bot_falls_silent_and_elsewhere_it_does_not() {
    let town = Town::new().await;
    let running = town.linked().await;
    town.sim.send_text(SHOP, ANA, "yo te atiendo").unwrap();
    wait_seq(&running, 1);
    town.sim.send_text(ANA, SHOP, "gracias").unwrap();
    wait_seq(&running, 2);
    town.sim.send_text(LUIS, SHOP, "hola").unwrap();
    town.answered(LUIS, &["hola".to_owned()]).await;
    assert_eq!(shown(&town.sim, ANA), ["yo te atiendo"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_older_than_a_quarter_of_an_hour_are_stored_and_not_answered() {
    let town = Town::new().await;
    town.linked().await.terminate();
    let old = minutes_ago(16);
    town.sim
        .send_text_dated(ANA, SHOP, "hace rato", old)
        .unwrap();
    town.sim.send_text(LUIS, SHOP, "recién").unwrap();
    let running = town.start();
    wait_seq(&running, 2);
    town.answered(LUIS, &["recién".to_owned()]).await;
    // The same for one that was long on its way and arrives while the box is online.
    town.sim.send_text_dated(ANA, SHOP, "tarde", old).unwrap();
    wait_seq(&running, 3);
    town.sim.send_text(LUIS, SHOP, "otra vez").unwrap();
    town.answered(LUIS, &["recién".to_owned(), "otra vez".to_owned()])
        .await;
    assert_eq!(shown(&town.sim, ANA), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_account_left_unsent_never_goes_out_under_the_new_number() {
    let town = Town::new().await;
    let running = town.linked().await;
    let refuse = Fault::new(Kind::RefuseAcks).on(SHOP).code(503);
    town.sim.fault(refuse).unwrap();
    town.sim.send_text(ANA, SHOP, "para la tienda").unwrap();
    running.wait("an answer that cannot leave", |status| {
        status["outbox"]["pending"] == 1
    });
    let device = town.sim.devices(SHOP).unwrap()[0].id;
    town.sim.remove_device(SHOP, device).unwrap();
    running.wait_link("unlinked");
    running.hold(Duration::from_millis(100));
    running.wait_link("linking");
    let qr = running.wait_qr();
    town.sim.scan(LUIS, &qr).await.unwrap();
    let status = running.wait("the old answer is given up", |status| {
        status["link"] == "online"
            && status["outbox"]["pending"] == 0
            && status["outbox"]["failed"] == 1
    });
    assert_eq!(status["number"], LUIS);
    town.sim.send_text(ANA, LUIS, "para Luis").unwrap();
    town.answered(ANA, &["para Luis".to_owned()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_could_not_be_read_is_answered_once_when_it_can() {
    let town = Town::new().await;
    let running = town.linked().await;
    town.sim.send_text(ANA, SHOP, "primero").unwrap();
    town.answered(ANA, &["primero".to_owned()]).await;
    running.terminate();
    lose_sessions(&town).await;
    town.sim.send_text(ANA, SHOP, "segundo").unwrap();
    let running = town.start();
    running.wait_link("online");
    town.answered(ANA, &["primero".to_owned(), "segundo".to_owned()])
        .await;
    running.wait("placeholder and message", |status| {
        status["inbox"]["seq"] == 3
    });
    running.terminate();
    let stored = crate::story::stored(&town.dir());
    assert_eq!(stored, ["primero", "segundo"], "the placeholder is gone");
}

/// Its own phone has the message as well. What it hands over comes past the durability hook, and is
/// stored all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_its_sender_never_repeats_is_had_from_the_own_phone() {
    let town = Town::new().await;
    let running = town.linked().await;
    town.sim.send_text(ANA, SHOP, "primero").unwrap();
    town.answered(ANA, &["primero".to_owned()]).await;
    running.terminate();
    lose_sessions(&town).await;
    town.sim
        .fault(Fault::new(Kind::IgnoreRetries).on(ANA))
        .unwrap();
    town.sim.send_text(ANA, SHOP, "segundo").unwrap();
    let running = town.start();
    running.wait_link("online");
    town.answered(ANA, &["primero".to_owned(), "segundo".to_owned()])
        .await;
    running.wait("placeholder and message", |status| {
        status["inbox"]["seq"] == 3
    });
    running.terminate();
    let stored = crate::story::stored(&town.dir());
    assert_eq!(stored, ["primero", "segundo"], "the placeholder is gone");
    assert!(town.sim.counters().unknown.is_empty());
}

/// The stopped box has lost what it shares with Ana: her next message cannot be decrypted.
async fn lose_sessions(town: &Town) {
    let store = vinculo::store::Store::open(&town.dir()).unwrap();
    let sessions = store.link().space("session");
    let mut batch = vinculo::store::Batch::default();
    for (address, _) in sessions.scan(b"", 100).unwrap() {
        batch.delete(&sessions, &address);
    }
    store.link().apply(batch).unwrap();
    store.link().commit().await.unwrap();
}

/// In this process, because a pairing code is a credential and no page shows it.
#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_knows_the_number_is_linked_by_typing_the_code_on_its_screen() {
    let town = Town::new().await;
    let mut config = Config::parse("[link]\nphone_number = \"57 300 000 0001\"\n").unwrap();
    let dir = town.dir();
    config
        .apply_arguments(
            Some("headless"),
            Some(&dir),
            Some(&town.sim.ws_url()),
            Some("127.0.0.1:0"),
        )
        .unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let (ready, doors) = oneshot::channel();
    let running = Appliance::new(
        config,
        Flavor::Simulator,
        NonZeroU32::MIN,
        LogLine::default(),
    )
    .run(
        async {
            let _ = stopped.await;
        },
        |doors| {
            let _ = ready.send(doors);
        },
    );
    let story = async {
        let mut doors = doors.await.unwrap();
        let offered = |link: &Link| {
            matches!(
                link,
                Link::Linking(Linking {
                    pairing_code: Some(_),
                    ..
                })
            )
        };
        let code = match &*doors.link.wait_for(offered).await.unwrap() {
            Link::Linking(linking) => linking.pairing_code.as_ref().unwrap().text.clone(),
            other => panic!("{other:?}"),
        };
        crate::process::press(doors.web);
        let shows = doors.frame.wait_for(|frame| frame.screen == "pairing_code");
        shows.await.unwrap();
        town.sim.enter_code(SHOP, &code).await.unwrap();
        let online = |link: &Link| matches!(link, Link::Online(_));
        doors.link.wait_for(online).await.unwrap();
        stop.send(()).unwrap();
    };
    let (ended, ()) = tokio::time::timeout(PATIENCE, async { tokio::join!(running, story) })
        .await
        .unwrap();
    ended.unwrap();
    assert_eq!(town.sim.devices(SHOP).unwrap().len(), 1);
}
