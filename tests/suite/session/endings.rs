//! Every way a connection ends, over the wire: what is shown, and whether the box comes back.

use super::*;

/// Endings after which the box comes back by itself.
#[tokio::test]
async fn after_a_passing_trouble_the_box_comes_back() {
    let sim = sim(SCALE).await;
    let dir = TempDir::new().unwrap();
    let mut running = Running::start(&sim, dir.path(), SCALE);
    running.link_to(&sim).await;
    let stream = |code| Fault::new(Kind::StreamError).on(OWNER).code(code);
    let connecting = |link: &Link| matches!(link, Link::Connecting { .. });
    let limited = |link: &Link| matches!(link, Link::RateLimited { .. });
    type Is = fn(&Link) -> bool;
    let table: [(&str, Fault, Is); 6] = [
        ("restart wanted", stream(515), connecting),
        ("unavailable", stream(503), connecting),
        ("internal error", stream(500), connecting),
        ("dropped", Fault::new(Kind::Drop).on(OWNER), connecting),
        ("half-open", Fault::new(Kind::Stall).on(OWNER), connecting),
        ("rate limited", stream(429), limited),
    ];
    for (name, fault, is) in table {
        let logins = sim.counters().logins;
        let struck = Instant::now();
        sim.fault(fault).unwrap();
        running.until(name, is).await;
        // A half-open socket is the slowest to be found: a minute, and what this machine needs.
        let found = Duration::from_secs(60) / SCALE + Duration::from_secs(1);
        assert!(struck.elapsed() < found, "{name}: {:?}", struck.elapsed());
        running.online().await;
        assert!(sim.counters().logins > logins, "{name}");
    }
    running.stop().await;
}

/// Refusals of a login, and what a person sees of each.
#[tokio::test]
async fn every_refused_login_is_shown_as_what_it_is() {
    let sim = sim(SCALE).await;
    let dir = TempDir::new().unwrap();
    let mut running = Running::start(&sim, dir.path(), SCALE);
    running.link_to(&sim).await;
    let failure = |code| Fault::new(Kind::Failure).on(OWNER).code(code).times(1);
    let ban = Fault::new(Kind::TempBan).on(OWNER).times(1);
    let soon = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        + 120;
    type Is = fn(&Link) -> bool;
    let refused = |link: &Link| {
        let reason = StopReason::Refused(409);
        *link == Link::Stopped { reason }
    };
    let trouble = |link: &Link| matches!(link, Link::Connecting { failures: 2.., .. });
    // What goes wrong, what is shown, and whether the box then waits for a person.
    let table: [(&str, Fault, Is, bool); 7] = [
        ("server trouble", failure(503), trouble, false),
        (
            "outdated",
            failure(405),
            |link| *link == Link::Outdated,
            false,
        ),
        (
            "banned until",
            ban.clone().until(soon),
            |link| matches!(link, Link::Banned { until: Some(_) }),
            false,
        ),
        (
            "banned",
            ban,
            |link| *link == Link::Banned { until: None },
            true,
        ),
        ("locked", failure(403), |link| *link == Link::Locked, true),
        ("bad agent", failure(409), refused, true),
        (
            "rate limited",
            failure(429),
            |link| matches!(link, Link::RateLimited { .. }),
            false,
        ),
    ];
    for (name, fault, is, waits) in table {
        sim.fault(fault).unwrap();
        sim.fault(Fault::new(Kind::Drop).on(OWNER)).unwrap();
        running.until(name, is).await;
        if waits {
            nobody_connects(&sim, 1, SCALE).await;
            running.handle.link_anew().await.unwrap();
        }
        running.online().await;
    }
    running.stop().await;
}

/// The box on another card: what a second server with the same keys would be.
fn copy(from: &Path, to: &Path) {
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

#[tokio::test]
async fn two_servers_with_the_same_keys_do_not_fight() {
    let sim = sim(SCALE).await;
    let (dir, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut first = Running::start(&sim, dir.path(), SCALE);
    first.link_to(&sim).await;
    first.stop().await;
    copy(dir.path(), other.path());
    let mut first = Running::start(&sim, dir.path(), SCALE);
    first.online().await;
    let mut second = Running::start(&sim, other.path(), SCALE);
    second.online().await;
    first
        .until("conflict", |link| *link == Link::Conflict)
        .await;
    nobody_connects(&sim, 2, SCALE).await;
    assert!(matches!(*second.link.borrow(), Link::Online(_)));
    first.handle.take_over().await.unwrap();
    first.online().await;
    second
        .until("conflict", |link| *link == Link::Conflict)
        .await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn a_replaced_session_is_left_alone_until_somebody_takes_it_back() {
    let sim = sim(SCALE).await;
    let dir = TempDir::new().unwrap();
    let conflict = |link: &Link| *link == Link::Conflict;
    let mut running = Running::start(&sim, dir.path(), SCALE);
    running.link_to(&sim).await;
    sim.fault(Fault::new(Kind::ConflictReplaced).on(OWNER))
        .unwrap();
    running.until("conflict", conflict).await;
    nobody_connects(&sim, 10, SCALE).await;
    running.handle.link_anew().await.unwrap();
    running.stop().await;

    let mut again = Running::start(&sim, dir.path(), FAST);
    again.until("conflict", conflict).await;
    nobody_connects(&sim, 10, FAST).await;
    again.stop().await;

    let mut again = Running::start(&sim, dir.path(), SCALE);
    again.until("conflict", conflict).await;
    again.handle.take_over().await.unwrap();
    again.online().await;
    again.stop().await;

    // Taken back for good, and lost again under the other name of the same ending.
    let mut after = Running::start(&sim, dir.path(), SCALE);
    after.online().await;
    sim.fault(Fault::new(Kind::StreamError).on(OWNER).code(409))
        .unwrap();
    after.until("conflict", conflict).await;
    after.stop().await;
}

#[tokio::test]
async fn a_ban_outlives_a_restart() {
    let sim = sim(SCALE).await;
    let dir = TempDir::new().unwrap();
    let mut running = Running::start(&sim, dir.path(), SCALE);
    running.link_to(&sim).await;
    let until = std::time::SystemTime::now() + Duration::from_secs(7200);
    let until = until.duration_since(std::time::UNIX_EPOCH).unwrap();
    let ban = Fault::new(Kind::TempBan).on(OWNER).times(1);
    sim.fault(ban.until(until.as_secs())).unwrap();
    sim.fault(Fault::new(Kind::Drop).on(OWNER)).unwrap();
    let banned = |link: &Link| matches!(link, Link::Banned { until: Some(_) });
    running.until("banned", banned).await;
    running.stop().await;
    let mut again = Running::start(&sim, dir.path(), SCALE);
    again.until("banned", banned).await;
    nobody_connects(&sim, 1, SCALE).await;
    again.stop().await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_service_that_does_not_answer() {
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}/ws/chat", mute.local_addr().unwrap());
    let dir = TempDir::new().unwrap();
    let settings = Settings::new(Endpoint::new(&address).unwrap());
    let running = Running::with(settings, dir.path(), 1);
    let _kept_open = mute.accept().await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn a_removed_box_says_so_forgets_its_keys_and_links_anew_on_a_press() {
    let sim = sim(SCALE).await;
    let dir = TempDir::new().unwrap();
    let mut running = Running::start(&sim, dir.path(), SCALE);
    let failure = |code| Fault::new(Kind::Failure).on(OWNER).code(code).times(1);
    let removals: [(&str, Option<Fault>); 6] = [
        ("failure 401", Some(failure(401))),
        ("failure 406", Some(failure(406))),
        ("by the owner", None),
        (
            "conflict",
            Some(Fault::new(Kind::ConflictRemoved).on(OWNER)),
        ),
        (
            "401",
            Some(Fault::new(Kind::StreamError).on(OWNER).code(401)),
        ),
        (
            "516",
            Some(Fault::new(Kind::StreamError).on(OWNER).code(516)),
        ),
    ];
    for (name, fault) in removals {
        let device = running.link_to(&sim).await;
        match fault {
            Some(fault) => {
                let refused = fault.kind == Kind::Failure;
                sim.fault(fault).unwrap();
                if refused {
                    sim.fault(Fault::new(Kind::Drop).on(OWNER)).unwrap();
                }
                running.until(name, |link| *link == Link::Unlinked).await;
                sim.remove_device(OWNER, device).ok();
            }
            None => {
                sim.remove_device(OWNER, device).unwrap();
                running.until(name, |link| *link == Link::Unlinked).await;
            }
        }
        if name == "by the owner" {
            nobody_connects(&sim, 1, SCALE).await;
        }
        running.handle.link_anew().await.unwrap();
        running.qr().await;
    }
    running.stop().await;
}
