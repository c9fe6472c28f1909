//! Two boxes with the same keys, and what each makes of losing the session to the other.

use super::*;
use crate::process::BoxProcess;
use crate::town::{SHOP, Town};

/// The box on another card: what a second server with the same keys would be.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn settings(sim: &Sim, role: Role, rank: Rank) -> Settings {
    Settings {
        role,
        rank,
        ..Settings::new(Endpoint::new(&sim.ws_url()).unwrap())
    }
}

/// When the box takes the session back, in minutes from now by its own clock.
fn minutes(link: &Link, scale: u32) -> u64 {
    match link {
        Link::Conflict {
            next_try: Some(next_try),
        } => (*next_try - Instant::now()).as_secs_f64() as u64 * u64::from(scale) / 60,
        other => panic!("{other:?}"),
    }
}

fn is_conflict(link: &Link) -> bool {
    matches!(link, Link::Conflict { .. })
}

#[tokio::test]
async fn the_primary_of_production_takes_its_session_back_and_then_waits_for_hours() {
    let (sim, dir) = (sim(SCALE).await, TempDir::new().unwrap());
    let mut running = Running::start(&sim, dir.path(), SCALE);
    running.link_to(&sim).await;
    let replaced = Fault::new(Kind::ConflictReplaced).on(OWNER);
    sim.fault(replaced.clone()).unwrap();
    running.until("conflict", is_conflict).await;
    // Within a quarter of an hour, and nobody pressed.
    let lost = Instant::now();
    running.online().await;
    assert!(lost.elapsed() < Duration::from_secs(900) / SCALE + Duration::from_secs(2));
    sim.fault(replaced).unwrap();
    let link = running.until("conflict", is_conflict).await;
    assert!(minutes(&link, SCALE) > 60, "{link:?}");
    nobody_connects(&sim, 10, SCALE).await;
    running.stop().await;
    // A restart neither opens the session nor brings it nearer.
    let mut again = Running::start(&sim, dir.path(), SCALE);
    let link = again.until("conflict", is_conflict).await;
    assert!(minutes(&link, SCALE) > 60, "{link:?}");
    nobody_connects(&sim, 10, SCALE).await;
    again.handle.link_anew().await.unwrap();
    again.online().await;
    again.stop().await;
}

#[tokio::test]
async fn production_gets_its_session_back_from_a_copy_that_somebody_works_on() {
    let (sim, dir, other) = (
        sim(SCALE).await,
        TempDir::new().unwrap(),
        TempDir::new().unwrap(),
    );
    let mut production = Running::start(&sim, dir.path(), SCALE);
    production.link_to(&sim).await;
    production.stop().await;
    copy(dir.path(), other.path());
    let mut production = Running::start(&sim, dir.path(), SCALE);
    production.online().await;
    let development = settings(&sim, Role::Development, Rank::Primary);
    let mut development = Running::with(development, other.path(), SCALE);
    production.until("conflict", is_conflict).await;
    production.online().await;
    let yields = |link: &Link| *link == Link::Conflict { next_try: None };
    development.until("it yields", yields).await;
    nobody_connects(&sim, 30, SCALE).await;
    assert_eq!(sim.counters().replaced, 2);
    production.stop().await;
    development.stop().await;
}

/// Two processes, two cards with the same data, both told to be the primary of production.
#[tokio::test(flavor = "multi_thread")]
async fn two_boxes_with_one_cards_data_exchange_the_session_three_times_in_an_hour() {
    const FASTER: u32 = 60;
    let town = Town::new().await;
    town.linked().await.terminate();
    let scale = FASTER.to_string();
    let arguments = ["--time-scale", scale.as_str()];
    let other = TempDir::new().unwrap();
    copy(&town.dir(), other.path());
    let first = town.start_with(&arguments);
    first.wait_link("online");
    let began = Instant::now();
    let second = BoxProcess::start(&town.sim.ws_url(), other.path(), &arguments);
    // The second's start throws the first out; each takes the session back once.
    town.until("three exchanges", |view| view.counters().replaced == 3)
        .await;
    first.wait_link("conflict");
    let status = second.wait_link("online");
    assert!(status["next_try"].is_null());
    // For the rest of the hour, and until the pauses of two hours are over, nothing happens.
    let hour = tokio::time::Duration::from_secs(3_600) / FASTER;
    let fourth = town
        .sim
        .until(|view| (view.counters().replaced > 3).then_some(()));
    let rest = hour.saturating_sub(began.elapsed());
    let quiet = tokio::time::timeout(rest, fourth).await;
    assert!(quiet.is_err(), "a fourth exchange within the hour");
    first.wait("conflict", |status| {
        status["link"] == "conflict" && status["screen"] == "conflict"
    });
    second.wait_link("online");
    assert_eq!(town.sim.devices(SHOP).unwrap().len(), 1);
}
