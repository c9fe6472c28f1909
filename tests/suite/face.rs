//! The face of a box breaks, and nobody but who looks at it notices.

use std::num::NonZeroU32;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use tokio::sync::{oneshot, watch};
use tracing::span::{Attributes, Id, Record};
use vinculo::appliance::{Appliance, Doors, Flavor};
use vinculo::config::Config;
use vinculo::hardware::Frame;
use vinculo::hardware::desk::LogLine;
use vinculo::session::Link;

use crate::process::{BoxProcess, box_binary, decode, patience, press, scan};
use crate::town::{ANA, SHOP, Town, texts};

/// Takes what the panel has to say about its button, and panics over it once it is armed: the panel
/// breaks off in the middle of its work, with nothing built into it for this test.
struct Trap(Arc<AtomicBool>);

impl tracing::Subscriber for Trap {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "vinculo::panel"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        assert!(!self.0.swap(false, Ordering::SeqCst), "the panel breaks");
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Waits until a watched value is so.
async fn until<T, R>(
    watch: &mut watch::Receiver<T>,
    what: &str,
    so: impl Fn(&T) -> Option<R>,
) -> R {
    let found = async {
        loop {
            if let Some(found) = so(&watch.borrow_and_update()) {
                return found;
            }
            watch.changed().await.unwrap();
        }
    };
    let found = tokio::time::timeout(patience(), found).await;
    found.unwrap_or_else(|_| panic!("{what}: never"))
}

fn read(frame: &Frame) -> Option<String> {
    scan(&decode(&frame.png().unwrap()))
}

fn online(link: &Link) -> Option<tokio::time::Instant> {
    match link {
        Link::Online(account) => Some(account.since),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panel_that_panics_comes_back_by_itself_and_the_link_stays() {
    let town = Town::new().await;
    let mut config = Config::default();
    config
        .apply_arguments(
            Some("headless"),
            Some(&town.dir()),
            Some(&town.sim.ws_url()),
            Some("127.0.0.1:0"),
        )
        .unwrap();
    let armed = Arc::new(AtomicBool::new(false));
    let trap = tracing::Dispatch::new(Trap(Arc::clone(&armed)));
    // Where there is but one, what other tests have never listened to is not asked about again.
    let _beside = tracing::Dispatch::new(Trap(Arc::default()));
    let (ready, doors) = mpsc::channel::<Doors>();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = std::thread::spawn(move || {
        tracing::dispatcher::with_default(&trap, || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let log = LogLine::default();
            runtime.block_on(
                Appliance::new(config, Flavor::Simulator, NonZeroU32::MIN, log).run(
                    async {
                        let _ = stopped.await;
                    },
                    |doors| ready.send(doors).unwrap(),
                ),
            )
        })
    });
    let mut doors = doors.recv_timeout(patience()).unwrap();
    let qr = until(&mut doors.frame, "a code", |frame| read(frame)).await;
    town.sim.scan(SHOP, &qr).await.unwrap();
    let since = until(&mut doors.link, "the link", online).await;
    let shows =
        |screen: &'static str| move |frame: &Arc<Frame>| (frame.screen == screen).then_some(());
    until(&mut doors.frame, "online", shows("online")).await;

    armed.store(true, Ordering::SeqCst);
    let web = doors.web;
    let finger = || tokio::task::spawn_blocking(move || press(web));
    finger().await.unwrap();
    until(&mut doors.frame, "the first picture", shows("starting")).await;
    assert!(!armed.load(Ordering::SeqCst), "nothing broke");
    // It comes back, and what was pressed when it broke was not lost.
    until(&mut doors.frame, "the page", shows("status")).await;
    finger().await.unwrap();
    until(&mut doors.frame, "the next page", shows("messages")).await;
    let still = online(&doors.link.borrow());
    assert_eq!(still, Some(since), "the link was touched");
    stop.send(()).unwrap();
    drop(doors);
    running.join().unwrap().unwrap();
}

/// A display that fails for good. That its picture comes back by itself, were it to work again, is shown
/// by the driver's own tests on a bus that is cut for a minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_display_that_fails_costs_the_link_nothing_and_is_told_of() {
    let town = Town::new().await;
    let scratch = tempfile::tempdir().unwrap();
    let board = scratch.path().join("gone.toml");
    let profile = "title = \"A display that went\"\nwiring = \"none\"\n\
         [display]\ndriver = \"framebuffer\"\nbus = \"/dev/fb-gone\"\n";
    std::fs::write(&board, profile).unwrap();
    let mut command = Command::new(box_binary());
    command
        .args(["run", "--web", "127.0.0.1:0", "--config", town.config()])
        .args(["--endpoint", &town.sim.ws_url(), "--board"])
        .arg(&board)
        .arg("--data-dir")
        .arg(town.dir());
    let running = BoxProcess::start_command(command);
    running.wait("the fault", |status| {
        let fault = status["display_fault"].as_str();
        fault.is_some_and(|fault| fault.contains("fb-gone"))
    });
    town.sim.scan(SHOP, &running.wait_qr()).await.unwrap();
    running.wait_link("online");
    let logins = town.sim.counters().logins;
    let asked = texts("sin pantalla", 3);
    for text in &asked {
        town.sim.send_text(ANA, SHOP, text).unwrap();
    }
    town.answered(ANA, &asked).await;
    let status = running.status().unwrap();
    assert_eq!(status["link"], "online");
    assert_eq!(town.sim.counters().logins, logins, "the link was touched");
    assert!(status["display_fault"].is_string(), "it still fails");
    running.terminate();
}
