//! What the owner of a box sees, told with a box in a process of its own: linking, answering,
//! restarting, resetting, being killed.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use vinculo::inbox::{Inbox, ServiceClock, Settings};
use whatsim::{Fault, Kind};

use crate::process::{BoxProcess, box_binary, farewell};
use crate::town::{ANA, LUIS, SHOP, Town, texts};

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_scans_the_picture_and_the_box_answers() {
    let town = Town::new().await;
    let running = town.linked().await;
    let status = running.wait("the name", |status| status["name"] == "Tienda");
    assert_eq!(status["number"], SHOP);
    let questions = texts("hola", 5);
    for text in &questions {
        town.sim.send_text(ANA, SHOP, text).unwrap();
    }
    town.answered(ANA, &questions).await;
    assert_eq!(town.sim.devices(SHOP).unwrap().len(), 1);
    let counters = town.sim.counters();
    assert!(counters.unknown.is_empty(), "{:?}", counters.unknown);
    assert!(counters.available_seconds == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_needs_no_scan_and_brings_what_waited() {
    let town = Town::new().await;
    let running = town.linked().await;
    let (status, took) = running.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(took < farewell(), "drained in {took:?}");
    let questions = texts("mientras tanto", 3);
    for text in &questions {
        town.sim.send_text(ANA, SHOP, text).unwrap();
    }
    let running = town.start();
    running.wait_link("online");
    town.answered(ANA, &questions).await;
    assert_eq!(town.sim.counters().refs, 6, "one round of refs in all");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_messages_that_waited_arrive_in_order_once() {
    let town = Town::new().await;
    town.linked().await.terminate();
    for text in texts("cola", 2_000) {
        town.sim.send_text(ANA, SHOP, &text).unwrap();
    }
    let running = town.start();
    running.wait("the backlog", |status| status["inbox"]["seq"] == 2_000);
    town.until("the service was told", |view| view.counters().queued == 0)
        .await;
    running.terminate();
    let inbox = stored(&town.dir());
    let expected = texts("cola", 2_000);
    assert_eq!(inbox, expected);
}

/// The texts in a stopped box's inbox, in their order.
pub fn stored(dir: &Path) -> Vec<String> {
    let store = vinculo::store::Store::open(dir).unwrap();
    let inbox = Inbox::open(&store, Settings::default(), ServiceClock::default()).unwrap();
    inbox
        .after(vinculo::message::Seq(0), usize::MAX)
        .unwrap()
        .into_iter()
        .map(|(_, message)| match message.body {
            vinculo::message::Body::Text(text) => text,
            other => panic!("not a text: {other:?}"),
        })
        .collect()
}

/// How often the plug is pulled; `VINCULO_KILLS` asks for another number.
fn kills() -> usize {
    std::env::var("VINCULO_KILLS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn pulling_the_plug_at_random_moments_loses_nothing_and_repeats_nothing() {
    let town = Town::new().await;
    let mut running = town.linked().await;
    let mut asked: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    for turn in 0..kills() {
        for (who, phone) in [("ana", ANA), ("luis", LUIS)] {
            for text in texts(&format!("{who} {turn}"), 3) {
                town.sim.send_text(phone, SHOP, &text).unwrap();
                asked.entry(phone).or_default().push(text);
            }
        }
        // The moment is random in what the box has got to: so many answers after the last kill.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let answers = (random >> 33) as usize % 6;
        let before = total_answers(&town);
        let total = asked.values().map(Vec::len).sum::<usize>();
        let until = (before + answers).min(total);
        town.until("some answers", |view| {
            view.inbox(ANA).len() + view.inbox(LUIS).len() >= until
        })
        .await;
        running.kill();
        running = town.start();
    }
    for (phone, asked) in asked {
        town.answered_in_any_order(phone, asked).await;
    }
}

fn total_answers(town: &Town) -> usize {
    town.sim.inbox(ANA).unwrap().len() + town.sim.inbox(LUIS).unwrap().len()
}

impl Town {
    async fn answered_in_any_order(&self, phone: &str, asked: Vec<String>) {
        self.until("every text is answered", |view| {
            view.inbox(phone).len() >= asked.len()
        })
        .await;
        let mut wanted: Vec<_> = asked.iter().map(|text| format!("eco: {text}")).collect();
        let shown = self.sim.inbox(phone).unwrap();
        let mut shown: Vec<_> = shown.into_iter().map(|entry| entry.text).collect();
        wanted.sort();
        shown.sort();
        assert_eq!(shown, wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn holding_the_button_unlinks_at_the_phone_and_leaves_no_key() {
    let town = Town::new().await;
    let running = town.linked().await;
    let secrets = secrets(&town.dir(), running);
    let running = town.start();
    running.wait_link("online");
    running.hold(Duration::from_secs(6));
    running.wait_link("linking");
    assert!(!running.wait_qr().is_empty());
    assert!(town.sim.devices(SHOP).unwrap().is_empty());
    running.terminate();
    assert_gone(&town.dir(), &secrets);
}

#[tokio::test(flavor = "multi_thread")]
async fn holding_the_button_without_a_network_still_forgets_everything() {
    let town = Town::new().await;
    let running = town.linked().await;
    let secrets = secrets(&town.dir(), running);
    // Nobody listens on the discard port of loopback.
    let running = BoxProcess::start("ws://127.0.0.1:9/ws/chat", &town.dir(), &[]);
    running.wait_link("waiting_network");
    running.hold(Duration::from_secs(6));
    running.wait("every key is gone", |status| {
        status["link"] != "resetting" && !secrets.iter().any(|secret| found(&town.dir(), secret))
    });
    running.terminate();
    assert_gone(&town.dir(), &secrets);
    let running = town.start();
    assert!(!running.wait_qr().is_empty(), "a fresh QR is up");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_that_is_cut_off_is_finished_at_the_next_start() {
    let town = Town::new().await;
    let running = town.linked().await;
    let secrets = secrets(&town.dir(), running);
    let running = town.start();
    running.wait_link("online");
    // The service falls silent, so that the box waits in vain for its answer to the goodbye.
    town.sim.fault(Fault::new(Kind::Stall).on(SHOP)).unwrap();
    running.hold(Duration::from_secs(6));
    running.wait("the reset began", |status| status["link"] == "resetting");
    running.kill();
    let running = town.start();
    running.wait_link("linking");
    assert!(town.sim.devices(SHOP).unwrap().is_empty());
    running.terminate();
    assert_gone(&town.dir(), &secrets);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_box_on_the_same_data_is_told_so_and_leaves() {
    let town = Town::new().await;
    let _first = town.start();
    let second = std::process::Command::new(box_binary())
        .args(["run", "--board", "headless", "--web", "127.0.0.1:0"])
        .args(["--endpoint", &town.sim.ws_url(), "--data-dir"])
        .arg(town.dir())
        .output()
        .unwrap();
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("in use by another process"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_on_the_resting_screen_asks_for_a_fresh_code() {
    let town = Town::new().await;
    // Ten minutes without a scan pass in three seconds.
    let running = town.start_with(&["--time-scale", "200"]);
    running.wait_link("resting");
    running.hold(Duration::from_millis(100));
    running.wait_link("linking");
}

/// The keys of a stopped box's link, as they lie on the disk: those of the device by name, and a
/// piece out of every Signal session.
fn secrets(dir: &Path, running: BoxProcess) -> Vec<Vec<u8>> {
    running.terminate();
    let store = vinculo::store::Store::open(dir).unwrap();
    let device = store.link().space("device").get(b"").unwrap().unwrap();
    let json = device.iter().position(|byte| *byte == b'{').unwrap();
    let device: serde_json::Value = serde_json::from_slice(&device[json..]).unwrap();
    let mut pieces = Vec::new();
    keys(&device, &mut pieces);
    assert!(pieces.len() >= 3, "noise, identity and signed prekey");
    let sessions = store.link().space("session").scan(b"", 100).unwrap();
    assert!(
        !sessions.is_empty(),
        "the phone shared its keys in a session"
    );
    pieces.extend(sessions.into_iter().map(|(_, row)| {
        let middle = row.len() / 2;
        row[middle - 12..middle + 12].to_vec()
    }));
    drop(store);
    for piece in &pieces {
        assert!(found(dir, piece), "the search itself finds what is there");
    }
    pieces
}

/// Every run of 32 bytes or more in a device, as its row spells it: the first half of it, because
/// the store cuts long rows into chunks.
fn keys(value: &serde_json::Value, pieces: &mut Vec<Vec<u8>>) {
    match value {
        serde_json::Value::Array(bytes)
            if bytes.len() >= 32
                && bytes.iter().all(serde_json::Value::is_u64)
                // An unset field is a run of one number.
                && bytes.iter().any(|byte| *byte != bytes[0]) =>
        {
            let spelled: Vec<_> = bytes.iter().take(16).map(ToString::to_string).collect();
            pieces.push(spelled.join(",").into_bytes());
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| keys(value, pieces)),
        serde_json::Value::Object(fields) => fields.values().for_each(|value| keys(value, pieces)),
        _ => {}
    }
}

fn assert_gone(dir: &Path, secrets: &[Vec<u8>]) {
    for secret in secrets {
        assert!(!found(dir, secret), "a key is left in the data directory");
    }
}

fn found(dir: &Path, needle: &[u8]) -> bool {
    // The box may be deleting meanwhile: what is not there any more holds nothing.
    let Ok(entries) = std::fs::read_dir(dir) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return found(&path, needle);
        }
        std::fs::read(&path)
            .unwrap_or_default()
            .windows(needle.len())
            .any(|window| window == needle)
    })
}
