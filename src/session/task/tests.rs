//! What only the loop itself can be asked: that it waits for the time.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::session::Endpoint;

static WALL: AtomicU64 = AtomicU64::new(0);

fn wall() -> Duration {
    Duration::from_secs(WALL.load(Ordering::Relaxed))
}

#[tokio::test]
async fn a_board_without_the_time_waits_for_it_before_it_trusts_a_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut settings = Settings::new(Endpoint::new(&format!("wss://127.0.0.2:{port}/")).unwrap());
    settings.endpoint.pretend_remote();
    let (events, _told) = mpsc::channel(8);
    let (stop, stopped) = watch::channel(false);
    let clock = Clock::with_wall(wall);
    let store = Store::open(dir.path()).unwrap();
    let (handle, task) = spawn(settings, store, events, clock, stopped);
    let task = tokio::spawn(task);
    let mut link = handle.link();
    link.wait_for(|link| *link == Link::WaitingTime)
        .await
        .unwrap();
    // Nobody has connected, and it can be told so.
    let knocked = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(knocked.is_err());
    handle.unlink().await.unwrap();
    WALL.store(1_800_000_000, Ordering::Relaxed);
    listener.accept().await.unwrap();
    stop.send_replace(true);
    task.await.unwrap().unwrap();
}
