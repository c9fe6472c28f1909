//! A box under a service manager: it says how it goes, a network outage is no reason to start it
//! anew, and a loop that hangs is.

use std::num::NonZeroU32;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::oneshot;
use vinculo::appliance::{Appliance, Doors, Flavor};
use vinculo::config::Config;
use vinculo::hardware::desk::LogLine;
use vinculo::watchdog::ServiceManager;

use crate::process::{BoxProcess, box_binary, press};

/// How long a person would wait before calling the box broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// The watchdog's time. A real one has a minute; a box that is merely slow must not fail here.
const TIME: Duration = Duration::from_secs(4);

/// A service manager, as far as a box can see one.
struct Manager {
    socket: UnixDatagram,
    dir: TempDir,
}

impl Manager {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(dir.path().join("notify")).unwrap();
        Self { socket, dir }
    }

    fn address(&self) -> PathBuf {
        self.dir.path().join("notify")
    }

    /// The next thing the box says, if it says something in this time.
    fn hears_within(&self, time: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(time)).unwrap();
        let mut buffer = [0; 256];
        let size = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..size].to_vec()).unwrap())
    }

    fn waits_for(&self, what: &str) {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if self.hears_within(PATIENCE).is_some_and(|said| said == what) {
                return;
            }
        }
        panic!("the box never said {what}");
    }

    /// The watchdog runs out: a whole time passes without food.
    fn runs_out(&self) -> bool {
        let fed = Instant::now();
        while let Some(left) = TIME
            .checked_sub(fed.elapsed())
            .filter(|left| !left.is_zero())
        {
            if self
                .hears_within(left)
                .is_some_and(|said| said == "WATCHDOG=1")
            {
                return false;
            }
        }
        true
    }
}

/// An address of this machine where nobody answers.
fn outage() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("ws://{}/ws/chat", listener.local_addr().unwrap())
}

#[test]
fn the_service_manager_hears_how_it_goes_and_an_outage_never_trips_its_watchdog() {
    let manager = Manager::new();
    let mut command = Command::new(box_binary());
    command
        .args(["run", "--board", "headless", "--web", "127.0.0.1:0"])
        .args(["--endpoint", &outage(), "--data-dir"])
        .arg(manager.dir.path().join("state"))
        .env("NOTIFY_SOCKET", manager.address())
        .env("WATCHDOG_USEC", TIME.as_micros().to_string())
        .env_remove("WATCHDOG_PID");
    let running = BoxProcess::start_command(command);
    manager.waits_for("READY=1");
    manager.waits_for("STATUS=waiting_network");
    for _ in 0..3 {
        assert!(!manager.runs_out(), "an outage starved the watchdog");
    }
    running.wait_link("waiting_network");
    let (status, _) = running.terminate();
    manager.waits_for("STOPPING=1");
    assert!(status.success());
}

/// A box on a thread of this process, so that a test can get at its loops.
struct Inside {
    doors: Doors,
    stop: Option<oneshot::Sender<()>>,
    thread: std::thread::JoinHandle<anyhow::Result<()>>,
}

impl Inside {
    /// `hang` is polled by the supervisor's loop, like a signal that is waited for.
    fn start(manager: &Manager, hang: impl Future<Output = ()> + Send + 'static) -> Self {
        let mut config = Config::default();
        let data = manager.dir.path().join("state");
        let arguments = (Some("headless"), Some(data.as_path()), outage());
        config
            .apply_arguments(
                arguments.0,
                arguments.1,
                Some(&arguments.2),
                Some("127.0.0.1:0"),
            )
            .unwrap();
        let under = ServiceManager::at(manager.address().as_os_str(), Some(TIME)).unwrap();
        let (ready, doors) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let log = LogLine::default();
            let stop = async move {
                tokio::select! {
                    _ = stopped => {}
                    () = hang => {}
                }
            };
            runtime.block_on(
                Appliance::new(config, Flavor::Simulator, NonZeroU32::MIN, log)
                    .under(under)
                    .run(stop, |doors| ready.send(doors).unwrap()),
            )
        });
        Self {
            doors: doors.recv_timeout(PATIENCE).unwrap(),
            stop: Some(stop),
            thread,
        }
    }

    fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        drop(self.doors);
        self.thread.join().unwrap().unwrap();
    }
}

#[test]
fn a_supervisor_that_hangs_starves_the_watchdog() {
    let manager = Manager::new();
    let (hang, told_to) = oneshot::channel::<mpsc::Receiver<()>>();
    let (hangs, hanging) = mpsc::channel();
    let running = Inside::start(&manager, async move {
        let until = told_to.await.unwrap();
        hangs.send(()).unwrap();
        // What no loop of a box may do: it keeps its thread until the test has seen enough.
        let _ = until.recv();
        std::future::pending().await
    });
    manager.waits_for("WATCHDOG=1");
    let (enough, until) = mpsc::channel();
    hang.send(until).unwrap();
    hanging.recv_timeout(PATIENCE).unwrap();
    // What was said before it hung still lies in the socket.
    while manager.hears_within(Duration::from_millis(1)).is_some() {}
    assert!(manager.runs_out(), "a hung box was fed");
    enough.send(()).unwrap();
    manager.waits_for("WATCHDOG=1");
    running.stop();
}

#[test]
fn a_panel_that_hangs_starves_the_watchdog() {
    let manager = Manager::new();
    let running = Inside::start(&manager, std::future::pending());
    manager.waits_for("WATCHDOG=1");
    // Whoever holds on to the picture keeps the panel from showing the next one, and a press turns
    // the page.
    let held = running.doors.frame.borrow();
    let web = running.doors.web;
    let finger = std::thread::spawn(move || press(web));
    let began = Instant::now();
    while !manager.runs_out() {
        assert!(began.elapsed() < PATIENCE, "a hung panel was fed");
    }
    drop(held);
    finger.join().unwrap();
    manager.waits_for("WATCHDOG=1");
    running.stop();
}
