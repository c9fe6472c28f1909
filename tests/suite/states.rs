//! What the status page says of each ending, and that the process leaves when it is told to,
//! whatever it is at.

use std::net::TcpListener;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use whatsim::{Fault, Kind};

use crate::process::{BoxProcess, farewell};
use crate::town::{ANA, SHOP, Town, texts};

const PRESS: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread")]
async fn the_status_page_says_how_the_link_ended_and_the_box_comes_back() {
    let town = Town::new().await;
    town.linked().await.terminate();
    let running = town.start_with(&["--time-scale", "25"]);
    running.wait_link("online");
    let failure = |code| Fault::new(Kind::Failure).on(SHOP).code(code).times(1);
    let soon = SystemTime::now() + Duration::from_secs(120);
    let soon = soon.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let ban = Fault::new(Kind::TempBan).on(SHOP).times(1).until(soon);
    let replaced = Fault::new(Kind::ConflictReplaced).on(SHOP);
    let limited = Fault::new(Kind::StreamError).on(SHOP).code(429);
    // What goes wrong, whether at a login, and whether it takes a person to go on.
    let table = [
        ("locked", failure(403), true, true),
        ("outdated", failure(405), true, false),
        ("stopped", failure(409), true, true),
        ("banned", ban, true, false),
        ("conflict", replaced, false, true),
        ("rate_limited", limited, false, false),
    ];
    for (name, fault, at_login, waits) in table {
        town.sim.fault(fault).unwrap();
        if at_login {
            town.sim.fault(Fault::new(Kind::Drop).on(SHOP)).unwrap();
        }
        // The picture follows the state: for a moment there is still the one before.
        running.wait(name, |status| {
            status["link"] == name && status["screen"] == name
        });
        if waits {
            running.hold(PRESS);
        }
        running.wait_link("online");
    }
    let device = town.sim.devices(SHOP).unwrap()[0].id;
    town.sim.remove_device(SHOP, device).unwrap();
    running.wait("unlinked", |status| {
        status["link"] == "unlinked" && status["screen"] == "unlinked"
    });
    running.hold(PRESS);
    running.wait_link("linking");
    running.wait_qr();
}

/// The process ends well, and soon enough for the service manager.
fn leaves(state: &str, running: BoxProcess) {
    let (status, took) = running.terminate();
    assert_eq!(status.code(), Some(0), "{state}");
    assert!(took < farewell(), "{state}: {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_end_it_leaves_within_five_seconds_before_it_is_linked() {
    let town = Town::new().await;
    leaves("starting", town.start());
    let linking = town.start();
    linking.wait_qr();
    leaves("linking", linking);
    let resting = town.start_with(&["--time-scale", "200"]);
    resting.wait_link("resting");
    leaves("resting", resting);
    let nobody = BoxProcess::start("ws://127.0.0.1:9/ws/chat", &town.dir(), &[]);
    nobody.wait_link("waiting_network");
    leaves("waiting for the network", nobody);
    // Somebody takes the connection and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("ws://{}/ws/chat", silent.local_addr().unwrap());
    let connecting = BoxProcess::start(&endpoint, &town.dir(), &[]);
    let _open = silent.accept().unwrap();
    leaves("connecting", connecting);
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_end_it_leaves_within_five_seconds_in_the_middle_of_its_work() {
    let town = Town::new().await;
    leaves("online", town.linked().await);
    for text in texts("cola", 2_000) {
        town.sim.send_text(ANA, SHOP, &text).unwrap();
    }
    let draining = town.start();
    draining.wait("the backlog begins", |status| {
        status["inbox"]["seq"].as_u64().unwrap() > 0
    });
    leaves("draining a backlog", draining);
    let stalled = town.start();
    stalled.wait_link("online");
    // The service falls silent: neither the goodbye nor anything else is answered.
    town.sim.fault(Fault::new(Kind::Stall).on(SHOP)).unwrap();
    stalled.hold(Duration::from_secs(6));
    stalled.wait("the reset began", |status| status["link"] == "resetting");
    leaves("resetting", stalled);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_takes_the_link_and_the_box_yields_until_a_press() {
    let town = Town::new().await;
    let running = town.linked().await;
    town.sim
        .fault(Fault::new(Kind::ConflictReplaced).on(SHOP))
        .unwrap();
    running.wait_link("conflict");
    running.terminate();
    let running = town.start();
    running.wait_link("conflict");
    running.hold(PRESS);
    running.wait_link("online");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_lock_on_sending_is_told_everywhere_while_the_link_stays_online() {
    let town = Town::new().await;
    let running = town.linked().await;
    let lock = Fault::new(Kind::RefuseAcks).on(SHOP).code(463).times(1);
    town.sim.fault(lock).unwrap();
    town.sim.send_text(ANA, SHOP, "¿abren hoy?").unwrap();
    let told = running.wait("the time-lock", |status| {
        status["outbox"]["limited"] == true
    });
    assert_eq!(told["link"], "online");
    assert_eq!(told["outbox"]["failed"], 1);
    running.wait_events("the time-lock", |events| {
        let rows = events["events"].as_array().unwrap();
        let last = rows.last().unwrap();
        last["what"] == "sending_limited" && last["cause"] == "too_many_strangers"
    });
}
