//! The rules of the arbitration one by one.
#![allow(clippy::unwrap_used)]

use super::*;

/// A window of 80 seconds: 10 of head start, 20 of deference.
const WINDOW: Duration = Duration::from_secs(80);
const S: i64 = 1000;

fn part(n: u8) -> Part {
    Part([n; 5])
}

fn arbiter(rank: Rank) -> Arbiter {
    let mut arbiter = Arbiter::new(rank, WINDOW, Memory::new(rank));
    arbiter.connected(0);
    arbiter
}

/// Message `n` comes at `at`, live.
fn ask(arbiter: &mut Arbiter, n: u8, at: Moment) -> Turn {
    arbiter.decided(Seq(n.into()), Held::new(part(n), at, at), false)
}

/// What is due leaves.
fn leave(arbiter: &mut Arbiter, now: Moment) -> Vec<u64> {
    let due = arbiter.due(now);
    for seq in &due {
        arbiter.released(*seq, now);
    }
    due.into_iter().map(|seq| seq.0).collect()
}

#[test]
fn the_primary_answers_at_once_and_the_secondary_waits_for_it() {
    let mut primary = arbiter(Rank::Primary);
    assert_eq!(ask(&mut primary, 1, 100 * S), Turn::Now);
    assert_eq!(primary.next(), None);

    let mut secondary = arbiter(Rank::Secondary);
    assert_eq!(ask(&mut secondary, 1, 100 * S), Turn::Later);
    assert_eq!(secondary.next(), Some(180 * S));
    let heard = secondary.heard(part(1), 101 * S);
    assert_eq!(heard.dropped, [Seq(1)]);
    assert!(!heard.silenced);
    assert_eq!(
        (secondary.next(), secondary.voice()),
        (None, Voice::Listens)
    );
}

#[test]
fn after_the_window_the_secondary_speaks_and_leaves_a_head_start_from_then_on() {
    let mut secondary = arbiter(Rank::Secondary);
    ask(&mut secondary, 1, 100 * S);
    ask(&mut secondary, 2, 150 * S);
    ask(&mut secondary, 3, 175 * S);
    assert!(leave(&mut secondary, 180 * S - 1).is_empty());
    assert_eq!(leave(&mut secondary, 180 * S), [1]);
    assert_eq!(secondary.voice(), Voice::Speaks);
    assert_eq!(
        leave(&mut secondary, 180 * S),
        [2],
        "who has waited as well"
    );
    assert_eq!(secondary.next(), Some(185 * S));
}

#[test]
fn the_primarys_first_answer_silences_it_and_what_has_not_left() {
    let mut secondary = arbiter(Rank::Secondary);
    ask(&mut secondary, 1, 0);
    ask(&mut secondary, 2, 75 * S);
    leave(&mut secondary, 80 * S);
    leave(&mut secondary, 85 * S);
    ask(&mut secondary, 3, 86 * S);
    let heard = secondary.heard(part(9), 87 * S);
    assert!(heard.silenced && heard.dropped.is_empty());
    assert_eq!(secondary.voice(), Voice::Listens);
    let leaving: Vec<_> = secondary.leaving().collect();
    assert_eq!(leaving, [Seq(1), Seq(2)]);
    // The second one had not been sent.
    secondary.done(Seq(1));
    secondary.taken_back(Seq(2), 87 * S);
    assert_eq!(secondary.due(87 * S + 80 * S), [Seq(2), Seq(3)]);
    assert!(secondary.due(87 * S + 80 * S - 1).is_empty());
}

#[test]
fn a_primary_that_gets_on_is_waited_for_and_what_it_skips_is_not() {
    let mut secondary = arbiter(Rank::Secondary);
    for n in 1..=4 {
        ask(&mut secondary, n, i64::from(n) * S);
    }
    // It has answered the third: it gets on towards the fourth, and has skipped two.
    secondary.heard(part(3), 60 * S);
    assert_eq!(leave(&mut secondary, 82 * S), [1, 2]);
    assert_eq!(secondary.voice(), Voice::Listens, "it only fills a gap");
    assert_eq!(secondary.next(), Some(140 * S));
}

#[test]
fn a_secondary_that_was_away_gives_the_primary_a_head_start() {
    let mut secondary = arbiter(Rank::Secondary);
    secondary.connected(1000 * S);
    secondary.decided(Seq(1), Held::new(part(1), 0, 0), true);
    assert_eq!(secondary.next(), Some(1010 * S));
}

#[test]
fn the_primary_leaves_what_waited_to_a_secondary_that_speaks_and_new_ones_to_nobody() {
    let mut primary = arbiter(Rank::Primary);
    primary.heard(part(1), 90 * S);
    primary.connected(100 * S);
    for n in [2, 3] {
        let held = Held::new(part(n), 95 * S, 95 * S);
        assert_eq!(primary.decided(Seq(n.into()), held, true), Turn::Later);
    }
    assert_eq!(primary.voice(), Voice::Speaks);
    assert_eq!(primary.next(), Some(120 * S));
    primary.heard(part(2), 105 * S);
    assert_eq!(primary.next(), Some(125 * S), "it gets on");
    assert_eq!(ask(&mut primary, 4, 110 * S), Turn::Now);
    assert_eq!(leave(&mut primary, 125 * S), [3]);
    // Nobody has spoken since: nothing is left to anybody.
    let held = Held::new(part(5), 124 * S, 124 * S);
    assert_eq!(primary.decided(Seq(5), held, true), Turn::Now);
}

#[test]
fn a_primary_alone_never_waits() {
    let mut primary = arbiter(Rank::Primary);
    primary.connected(100 * S);
    let held = Held::new(part(1), 95 * S, 95 * S);
    assert_eq!(primary.decided(Seq(1), held, true), Turn::Now);
}

#[test]
fn a_restart_keeps_every_deadline() {
    let mut before = arbiter(Rank::Secondary);
    for n in [1, 2, 3] {
        ask(&mut before, n, i64::from(n) * S);
    }
    before.heard(part(2), 40 * S);
    let mut after = Arbiter::new(Rank::Secondary, WINDOW, before.memory());
    for n in [1, 3] {
        let at = i64::from(n) * S;
        after.restore(Seq(n.into()), Held::new(part(n), at, at), false);
    }
    after.connected(50 * S);
    assert_eq!(after.due(81 * S), [Seq(1)]);
    assert_eq!(after.due(120 * S), [Seq(1), Seq(3)]);
    assert_eq!((after.next(), before.next()), (Some(81 * S), Some(81 * S)));

    leave(&mut after, 81 * S);
    let again = Arbiter::new(Rank::Secondary, WINDOW, after.memory());
    assert_eq!(again.voice(), after.voice());
}
