//! Who takes a session back, when, and how often.

use super::*;
use crate::session::{Endpoint, Rank, Role, Settings};

fn primary() -> State {
    State {
        may_reclaim: true,
        ..State::new(true)
    }
}

/// Loses the session at `now`, having been online for so long.
fn lose(state: &State, online: Option<Duration>, now: Moment, jitter: Jitter) -> (State, Duration) {
    let input = Input::Ended {
        ending: Ending::Replaced,
        online,
        code_shown: None,
    };
    let (state, action) = next(state, input, now, jitter);
    let Action::Wait(until) = action else {
        panic!("{action:?}");
    };
    (state, until - now)
}

#[test]
fn only_the_primary_of_production_takes_a_session_back() {
    for role in [Role::Production, Role::Staging, Role::Development] {
        for rank in [Rank::Primary, Rank::Secondary] {
            let endpoint = Endpoint::new("ws://127.0.0.1:9/ws/chat").ok();
            let settings = endpoint.map(|endpoint| Settings {
                role,
                rank,
                ..Settings::new(endpoint)
            });
            let expected = (role, rank) == (Role::Production, Rank::Primary);
            let may = settings.map(|settings| settings.may_reclaim());
            assert_eq!(may, Some(expected), "{role:?} {rank:?}");
        }
    }
    let (state, action) = end(&State::new(true), Ending::Replaced, Some(9));
    assert_eq!((state.mode, action), holds(Hold::Conflict));
}

#[test]
fn the_pauses_grow_and_the_fourth_is_a_day_after_the_first() {
    let (mut state, mut now) = (primary(), NOW);
    let mut pauses = Vec::new();
    for _ in 0..5 {
        let (lost, pause) = lose(&state, Some(secs(5)), now, Jitter::NONE);
        pauses.push(pause.as_secs() / 60);
        now += pause;
        let (taken, action) = next(&lost, Input::Due, now, Jitter::NONE);
        assert_eq!((taken.mode, action), tries(true));
        state = taken;
        now += secs(10);
    }
    // 13 minutes; 2 h, 6 h and the rest of the day, each a twentieth longer for the jitter's sake.
    assert_eq!(pauses[..3], [13, 126, 378]);
    let day = pauses[1] + pauses[2] + pauses[3];
    assert!(day >= 24 * 60, "{pauses:?}");
    assert!(pauses[4] >= 2 * 60, "{pauses:?}");
}

#[test]
fn no_chance_makes_a_second_pause_shorter_than_an_hour_or_the_first_than_ten_minutes() {
    for jitter in [0, u64::MAX / 2, u64::MAX].map(Jitter::of) {
        let (lost, pause) = lose(&primary(), None, NOW, jitter);
        assert!((secs(660)..=secs(900)).contains(&pause), "{pause:?}");
        let now = NOW + pause;
        let (taken, _) = next(&lost, Input::Due, now, jitter);
        let (_, pause) = lose(&taken, None, now, jitter);
        assert!(pause >= 2 * HOUR, "{pause:?}");
    }
}

#[test]
fn a_short_success_does_not_bring_the_short_pause_back() {
    let (lost, pause) = lose(&primary(), Some(HOUR), NOW, Jitter::NONE);
    let (taken, _) = next(&lost, Input::Due, NOW + pause, Jitter::NONE);
    let now = NOW + pause + 8 * HOUR;
    let (_, pause) = lose(&taken, Some(8 * HOUR), now, Jitter::NONE);
    assert!(pause >= 2 * HOUR, "{pause:?}");
}

#[test]
fn a_restart_begins_the_pause_anew_and_forgets_no_taking() {
    let (lost, pause) = lose(&primary(), Some(HOUR), NOW, Jitter::NONE);
    let (taken, _) = next(&lost, Input::Due, NOW + pause, Jitter::NONE);
    let (lost, _) = lose(&taken, Some(secs(9)), NOW + pause, Jitter::NONE);
    // The box was off for nobody knows how long, and its clock says it was a year.
    let past = lost.takings.past().to_vec();
    let state = State {
        takings: Takings::restored(past, lost.takings.is_under_way(), Duration::ZERO),
        ..primary()
    };
    let started = Input::Started(Some(Past {
        ending: Ending::Replaced,
        left: Duration::ZERO,
        rate_limits: 0,
        outdated: 0,
    }));
    let (_, action) = next(&state, started, Duration::ZERO, Jitter::NONE);
    let Action::Wait(until) = action else {
        panic!("{action:?}");
    };
    assert!(until >= 2 * HOUR, "{until:?}");
}

#[test]
fn a_taking_that_had_to_wait_for_a_network_counts_from_when_it_happened() {
    let (lost, pause) = lose(&primary(), Some(HOUR), NOW, Jitter::NONE);
    let (trying, _) = next(&lost, Input::Due, NOW + pause, Jitter::NONE);
    // Two days without a network, then a minute online.
    let now = NOW + pause + 48 * HOUR;
    let (_, pause) = lose(&trying, Some(secs(60)), now, Jitter::NONE);
    assert!(pause >= 2 * HOUR, "{pause:?}");
}

#[test]
fn a_press_takes_the_session_at_once_and_makes_the_next_pause_long() {
    let (lost, _) = lose(&primary(), Some(HOUR), NOW, Jitter::NONE);
    for press in [Input::Press, Input::TakeOver] {
        let (taken, action) = next(&lost, press, NOW, Jitter::NONE);
        assert_eq!((taken.mode, action), tries(true), "{press:?}");
        let (lost, pause) = lose(&taken, Some(secs(60)), NOW + secs(60), Jitter::NONE);
        assert!(pause >= 2 * HOUR, "{pause:?}");
        // It is not one of the three.
        let past = lost.takings.past().iter();
        assert_eq!(past.filter(|taking| !taking.by_person).count(), 0);
    }
}
