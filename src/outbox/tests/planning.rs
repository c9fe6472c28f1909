//! The plan: pure, so the clock is a number.

use std::convert::Infallible;

use super::*;
use crate::outbox::plan::{Plan, Waiting};

const SECOND: Duration = Duration::from_secs(1);
const ACK: Duration = Duration::from_secs(30);
const PACING: Pacing = Pacing {
    gap: Duration::from_secs(1),
    gap_to_new: Duration::from_secs(4),
    jitter: 0.0,
};

/// What the plan says of a queue such as `a1 a2 b1`: the letter is the chat. Capital letters are
/// chats the box never wrote to.
fn plan(flights: &Flights, now: Instant, queue: &str, pacing: &Pacing) -> Plan {
    let waiting = queue.split_whitespace().map(|name| {
        Ok::<_, Infallible>(Waiting {
            id: id(name),
            chat: name[..1].to_owned(),
        })
    });
    let known = |chat: &str| Ok(chat.chars().all(char::is_lowercase));
    flights.plan(now, waiting, known, pacing).unwrap()
}

fn send(name: &str) -> Plan {
    Plan::Send(id(name))
}

#[test]
fn the_oldest_goes_first_and_a_chat_waits_for_its_own_only() {
    let mut flights = Flights::default();
    let start = Instant::now();
    assert_eq!(plan(&flights, start, "", &PACING), Plan::Idle);
    assert_eq!(plan(&flights, start, "a1 a2 b1", &PACING), send("a1"));
    flights.take_off(&id("a1"), start, ACK);
    flights.wired(&id("a1"), start, ACK);
    assert_eq!(
        plan(&flights, start, "a1 a2 b1", &PACING),
        Plan::Wait(start + SECOND)
    );
    let later = start + SECOND;
    assert_eq!(plan(&flights, later, "a1 a2 b1", &PACING), send("b1"));
    flights.take_off(&id("b1"), later, ACK);
    flights.wired(&id("b1"), later, ACK);
    let later = later + SECOND;
    assert_eq!(
        plan(&flights, later, "a1 a2 b1", &PACING),
        Plan::Wait(start + ACK)
    );
    flights.land(&id("a1"));
    assert_eq!(plan(&flights, later, "a2 b1", &PACING), send("a2"));
}

#[test]
fn the_first_send_waits_for_nothing_and_new_chats_wait_longer() {
    let mut flights = Flights::default();
    let start = Instant::now();
    assert_eq!(plan(&flights, start, "N1", &PACING), send("N1"));
    flights.wired(&id("x"), start, ACK);
    assert_eq!(
        plan(&flights, start, "N1", &PACING),
        Plan::Wait(start + 4 * SECOND)
    );
    assert_eq!(
        plan(&flights, start, "k1", &PACING),
        Plan::Wait(start + SECOND)
    );
    assert_eq!(
        plan(&flights, start + 60 * SECOND, "N1", &PACING),
        send("N1")
    );

    let pacing = Pacing {
        jitter: 0.5,
        ..PACING
    };
    let pauses: HashSet<_> = (0..20)
        .map(|i| match plan(&flights, start, &format!("k{i}"), &pacing) {
            Plan::Wait(at) => (at - start).as_millis(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(
        pauses.iter().all(|p| (1000..=1500).contains(p)),
        "{pauses:?}"
    );
    assert!(pauses.len() > 10, "they vary: {pauses:?}");
}

#[test]
fn without_an_acknowledgement_it_goes_again_each_time_after_twice_as_long() {
    let mut flights = Flights::default();
    let mut now = Instant::now();
    for wait in [30, 60, 120, 240, 480, 900, 900] {
        assert_eq!(plan(&flights, now, "a1", &PACING), send("a1"));
        flights.take_off(&id("a1"), now, ACK);
        // The send itself took a while; the wait begins behind it.
        now += 2 * SECOND;
        flights.wired(&id("a1"), now, ACK);
        assert_eq!(
            plan(&flights, now, "a1", &PACING),
            Plan::Wait(now + wait * SECOND)
        );
        now += wait * SECOND;
    }
    flights.reconnected();
    flights.take_off(&id("a1"), now, ACK);
    assert_eq!(
        plan(&flights, now, "a1", &PACING),
        Plan::Wait(now + ACK),
        "it begins anew"
    );
}

#[test]
fn only_so_many_wait_for_an_acknowledgement_at_once() {
    let mut flights = Flights::default();
    let now = Instant::now();
    let chats: Vec<_> = ('a'..='z').map(|c| format!("{c}1")).collect();
    let pacing = Pacing {
        gap: Duration::ZERO,
        ..PACING
    };
    for n in 0..16 {
        assert_eq!(
            plan(&flights, now, &chats.join(" "), &pacing),
            send(&chats[n])
        );
        flights.take_off(&id(&chats[n]), now, ACK);
    }
    assert_eq!(
        plan(&flights, now, &chats.join(" "), &pacing),
        Plan::Wait(now + ACK)
    );
    flights.land(&id("a1"));
    assert_eq!(
        plan(&flights, now, &chats[1..].join(" "), &pacing),
        send("q1")
    );
}

#[test]
fn a_refusal_for_a_while_outlives_a_reconnect_and_may_hold_everything() {
    let mut flights = Flights::default();
    let now = Instant::now();
    flights.hold(&id("a1"), now + 10 * SECOND, false);
    flights.reconnected();
    flights.recheck();
    assert_eq!(
        plan(&flights, now, "a1 a2", &PACING),
        Plan::Wait(now + 10 * SECOND)
    );
    assert_eq!(plan(&flights, now, "a1 a2 b1", &PACING), send("b1"));
    flights.hold(&id("b1"), now + 60 * SECOND, true);
    flights.reconnected();
    assert_eq!(
        plan(&flights, now, "c1", &PACING),
        Plan::Wait(now + 60 * SECOND)
    );
    assert_eq!(
        plan(&flights, now + 60 * SECOND, "a1 b1 c1", &PACING),
        send("a1")
    );
    // The acknowledgement of an earlier sending may come while the session still answers.
    flights.wired(&id("a1"), now, ACK);
    assert_eq!(
        plan(&flights, now, "a1", &PACING),
        Plan::Wait(now + 10 * SECOND)
    );
}

#[test]
fn a_send_that_breaks_makes_everything_pause_longer_and_longer_until_the_link_is_new() {
    let mut flights = Flights::default();
    let mut now = Instant::now();
    for pause in [2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        flights.take_off(&id("a1"), now, ACK);
        flights.broke(&id("a1"), now);
        assert_eq!(
            plan(&flights, now, "a1 b1", &PACING),
            Plan::Wait(now + pause * SECOND)
        );
        now += pause * SECOND;
        assert_eq!(plan(&flights, now, "a1 b1", &PACING), send("a1"));
    }
    flights.broke(&id("a1"), now);
    flights.reconnected();
    assert_eq!(plan(&flights, now, "a1 b1", &PACING), send("a1"));
}
