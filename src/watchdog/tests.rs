//! A service manager that is only a socket, and loops that hang. Time is paused: hours pass at
//! once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;
use tokio::time::sleep;

use super::*;

const TIME: Duration = Duration::from_secs(60);

/// Hears what a service manager would.
struct Ear {
    socket: UnixDatagram,
    dir: TempDir,
}

impl Ear {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(dir.path().join("notify")).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { socket, dir }
    }

    fn manager(&self, watchdog: Option<Duration>) -> ServiceManager {
        ServiceManager::at(self.dir.path().join("notify").as_os_str(), watchdog).unwrap()
    }

    /// Everything that was said since the last call.
    fn heard(&self) -> Vec<String> {
        let mut buffer = [0; 256];
        std::iter::from_fn(|| {
            self.socket
                .recv(&mut buffer)
                .ok()
                .map(|size| buffer[..size].to_vec())
        })
        .map(|bytes| String::from_utf8(bytes).unwrap())
        .collect()
    }

    fn feeds(&self) -> usize {
        let heard = self.heard();
        assert!(heard.iter().all(|one| one == "WATCHDOG=1"), "{heard:?}");
        heard.len()
    }
}

/// A loop that does nothing but turn, until `hung` says otherwise, and counts its turns.
fn turning(mut pulse: Pulse, mut hung: watch::Receiver<bool>) -> Arc<AtomicU32> {
    let turns = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&turns);
    tokio::spawn(async move {
        loop {
            pulse.beat().await;
            counted.fetch_add(1, Ordering::SeqCst);
            hung.wait_for(|hung| !hung).await.unwrap();
        }
    });
    turns
}

#[tokio::test(start_paused = true)]
async fn loops_that_turn_feed_the_watchdog_and_are_woken_no_oftener_than_it_needs() {
    let ear = Ear::new();
    let mut watchdog = Watchdog::new(ear.manager(Some(TIME)));
    let (_hang, hung) = watch::channel(false);
    let panel = turning(watchdog.pulse("panel"), hung.clone());
    let supervisor = turning(watchdog.pulse("supervisor"), hung);
    tokio::spawn(watchdog.run());
    sleep(TIME / 4).await;
    assert_eq!(ear.feeds(), 1, "at once");
    for _ in 0..100 {
        sleep(TIME).await;
        assert_eq!(ear.feeds(), 2, "with time to spare");
    }
    assert_eq!(panel.load(Ordering::SeqCst), 201);
    assert_eq!(supervisor.load(Ordering::SeqCst), 201);
}

#[tokio::test(start_paused = true)]
async fn one_hung_loop_starves_it_though_the_other_turns_and_one_that_comes_back_feeds_it() {
    let ear = Ear::new();
    let mut watchdog = Watchdog::new(ear.manager(Some(TIME)));
    let (_well, fine) = watch::channel(false);
    let (hang, hung) = watch::channel(false);
    turning(watchdog.pulse("supervisor"), fine);
    turning(watchdog.pulse("panel"), hung);
    tokio::spawn(watchdog.run());
    sleep(TIME).await;
    assert!(ear.feeds() > 0);

    hang.send_replace(true);
    // It was asked before it hung, so one more answer may count.
    sleep(TIME / 2).await;
    assert!(ear.feeds() <= 1);
    sleep(100 * TIME).await;
    assert_eq!(ear.feeds(), 0);

    hang.send_replace(false);
    sleep(TIME).await;
    assert!(ear.feeds() > 0);
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_ended_starves_it_as_well() {
    let ear = Ear::new();
    let mut watchdog = Watchdog::new(ear.manager(Some(TIME)));
    let (_well, fine) = watch::channel(false);
    turning(watchdog.pulse("supervisor"), fine);
    drop(watchdog.pulse("panel"));
    tokio::spawn(watchdog.run());
    sleep(10 * TIME).await;
    assert_eq!(ear.feeds(), 0);
}

#[tokio::test(start_paused = true)]
async fn where_no_watchdog_waits_no_loop_is_woken() {
    let ear = Ear::new();
    let mut watchdog = Watchdog::new(ear.manager(None));
    let (_well, fine) = watch::channel(false);
    let turns = turning(watchdog.pulse("panel"), fine);
    tokio::spawn(watchdog.run());
    sleep(100 * TIME).await;
    assert_eq!(ear.feeds(), 0);
    assert_eq!(turns.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn the_manager_is_told_each_state_once() {
    let ear = Ear::new();
    let manager = ear.manager(None);
    manager.ready();
    let (state, states) = watch::channel((1, "linking"));
    let following = manager.clone();
    let follow = tokio::spawn(async move { following.follow(states, |state| state.1).await });
    for next in [(2, "linking"), (3, "linking"), (4, "online")] {
        sleep(TIME).await;
        state.send_replace(next);
    }
    sleep(TIME).await;
    drop(state);
    follow.await.unwrap();
    manager.stopping();
    assert_eq!(
        ear.heard(),
        ["READY=1", "STATUS=linking", "STATUS=online", "STOPPING=1"]
    );
}

#[test]
fn an_abstract_socket_is_found_and_a_manager_that_went_away_harms_nobody() {
    let name = format!("vinculo-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let socket = UnixDatagram::bind_addr(&address).unwrap();
    let manager = ServiceManager::at(format!("@{name}").as_ref(), None).unwrap();
    manager.ready();
    let mut buffer = [0; 16];
    let size = socket.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..size], b"READY=1");
    drop(socket);
    manager.stopping();
    ServiceManager::default().ready();
}

#[test]
fn a_watchdog_that_waits_for_another_process_is_not_ours() {
    let me = std::process::id().to_string();
    let minute = Some("60000000");
    assert_eq!(watchdog_time(minute, Some(&me)), Some(TIME));
    assert_eq!(watchdog_time(minute, None), Some(TIME));
    assert_eq!(watchdog_time(minute, Some("1")), None);
    assert_eq!(watchdog_time(None, Some(&me)), None);
    assert_eq!(watchdog_time(Some("soon"), None), None);
    assert_eq!(watchdog_time(Some("0"), None), None);
}
