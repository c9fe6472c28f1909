//! Every ending, every order, every past: what follows from each.

use super::*;

mod pair;
mod reclaiming;

const NOW: Moment = Duration::from_secs(5_000);
const HOUR: Duration = Duration::from_secs(3_600);

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn end(state: &State, ending: Ending, online: Option<u64>) -> (State, Action) {
    let input = Input::Ended {
        ending,
        online: online.map(secs),
        code_shown: None,
    };
    next(state, input, NOW, Jitter::NONE)
}

fn waits(why: Why, seconds: u64) -> (Mode, Action) {
    let until = NOW + secs(seconds);
    (Mode::Waiting { why, until }, Action::Wait(until))
}

fn holds(hold: Hold) -> (Mode, Action) {
    (Mode::Holding(hold), Action::Hold)
}

fn tries(fresh: bool) -> (Mode, Action) {
    (Mode::Trying, Action::Connect { fresh })
}

/// Every ending, for a box that had been online for an hour and for one that never was linked.
#[test]
fn every_ending_leads_to_its_documented_state() {
    // A new variant stops this from compiling until it is in the table below.
    fn listed(ending: Ending) {
        match ending {
            Ending::Replaced
            | Ending::Removed(_)
            | Ending::Locked
            | Ending::Banned { .. }
            | Ending::Outdated
            | Ending::RestartWanted
            | Ending::RateLimited
            | Ending::ServerTrouble(_)
            | Ending::Refused(_)
            | Ending::NoNetwork
            | Ending::Untrusted
            | Ending::Silence
            | Ending::Closed
            | Ending::Broken
            | Ending::RefsUsedUp
            | Ending::PasskeyRefused
            | Ending::PasskeyLate
            | Ending::Paired
            | Ending::Forbidden
            | Ending::Asked => {}
        }
    }
    let day = Why::Ban { told: false };
    let told = Why::Ban { told: true };
    let ban = |lasts| Ending::Banned { lasts };
    let unlinked = Hold::Unlinked {
        by: Remover::Owner,
        at: NOW,
    };
    // The ending; then for a linked and for an unlinked box what it does; kept on disk.
    let table = [
        (
            Ending::Replaced,
            holds(Hold::Conflict),
            holds(Hold::Conflict),
            true,
        ),
        (
            Ending::Removed(Remover::Owner),
            (Mode::Holding(unlinked), Action::Forget),
            waits(Why::Backoff, 1),
            true,
        ),
        (
            Ending::Forbidden,
            (Mode::Holding(Hold::Forbidden), Action::Forget),
            (Mode::Holding(Hold::Forbidden), Action::Forget),
            false,
        ),
        (
            Ending::Locked,
            holds(Hold::Locked),
            holds(Hold::Locked),
            true,
        ),
        (
            ban(Some(HOUR)),
            waits(told, 3_610),
            waits(told, 3_610),
            true,
        ),
        (ban(None), waits(day, 86_410), waits(day, 86_410), true),
        (
            Ending::Outdated,
            waits(Why::Outdated, 60),
            waits(Why::Outdated, 60),
            true,
        ),
        (Ending::RestartWanted, tries(false), tries(false), false),
        (
            Ending::RateLimited,
            waits(Why::RateLimit, 89),
            waits(Why::RateLimit, 89),
            true,
        ),
        (
            Ending::ServerTrouble(503),
            waits(Why::Backoff, 1),
            waits(Why::Backoff, 1),
            false,
        ),
        (
            Ending::Refused(409),
            holds(Hold::Refused(409)),
            holds(Hold::Refused(409)),
            true,
        ),
        (
            Ending::NoNetwork,
            waits(Why::Network, 1),
            waits(Why::Network, 1),
            false,
        ),
        (
            Ending::Untrusted,
            waits(Why::Backoff, 1),
            waits(Why::Backoff, 1),
            false,
        ),
        (
            Ending::Silence,
            waits(Why::Backoff, 1),
            waits(Why::Backoff, 1),
            false,
        ),
        (
            Ending::Closed,
            waits(Why::Backoff, 1),
            waits(Why::Backoff, 1),
            false,
        ),
        (
            Ending::Broken,
            waits(Why::Backoff, 1),
            waits(Why::Backoff, 1),
            false,
        ),
        (Ending::RefsUsedUp, tries(true), tries(true), false),
        (
            Ending::PasskeyRefused,
            holds(Hold::PasskeyRefused),
            holds(Hold::PasskeyRefused),
            false,
        ),
        (
            Ending::PasskeyLate,
            holds(Hold::PasskeyLate),
            holds(Hold::PasskeyLate),
            false,
        ),
        (Ending::Paired, tries(false), tries(false), false),
        (Ending::Asked, tries(true), tries(true), false),
    ];
    for (ending, linked, unlinked, kept) in table {
        listed(ending);
        let (state, action) = end(&State::new(true), ending, Some(3_600));
        assert_eq!((state.mode, action), linked, "linked, {ending:?}");
        let (state, action) = end(&State::new(false), ending, None);
        assert_eq!((state.mode, action), unlinked, "unlinked, {ending:?}");
        assert_eq!(ending.is_kept(), kept, "{ending:?}");
    }
}

#[test]
fn a_replaced_session_stays_closed_until_somebody_takes_it_back() {
    let (conflict, _) = end(&State::new(true), Ending::Replaced, Some(9));
    let (after, action) = next(&conflict, Input::Due, NOW + HOUR, Jitter::NONE);
    assert_eq!((&after, action), (&conflict, Action::Stay));
    for input in [Input::Press, Input::TakeOver] {
        let (after, action) = next(&conflict, input, NOW, Jitter::NONE);
        assert_eq!((after.mode, action), tries(true), "{input:?}");
        let (again, action) = end(&after, Ending::Replaced, None);
        assert_eq!((again.mode, action), holds(Hold::Conflict), "{input:?}");
    }
}

#[test]
fn what_an_earlier_process_met_is_respected() {
    let past = |ending| {
        Input::Started(Some(Past {
            ending,
            left: secs(77),
            rate_limits: 2,
            outdated: 1,
        }))
    };
    let told = Why::Ban { told: true };
    let table = [
        (Ending::Replaced, holds(Hold::Conflict)),
        (Ending::Locked, holds(Hold::Locked)),
        (Ending::Banned { lasts: Some(HOUR) }, waits(told, 77)),
        (Ending::RateLimited, waits(Why::RateLimit, 77)),
        (
            Ending::Removed(Remover::Untold),
            (Mode::Trying, Action::Forget),
        ),
        (Ending::Outdated, tries(true)),
        (Ending::Refused(409), tries(true)),
    ];
    for (ending, expected) in table {
        let (state, action) = next(&State::new(true), past(ending), NOW, Jitter::NONE);
        assert_eq!((state.mode, action), expected, "{ending:?}");
        assert_eq!(state.rate_limits, 2);
    }
    let (state, action) = next(&State::new(true), Input::Started(None), NOW, Jitter::NONE);
    assert_eq!((state.mode, action), tries(true));
}

#[test]
fn failures_back_off_and_are_forgotten_after_half_a_minute_online() {
    let mut state = State::new(true);
    for wait in [1, 1, 2, 3, 5, 8] {
        let (after, action) = end(&state, Ending::Closed, Some(29));
        assert_eq!(action, Action::Wait(NOW + secs(wait)));
        state = after;
    }
    let (_, action) = end(&state, Ending::Closed, Some(30));
    assert_eq!(action, Action::Wait(NOW + secs(1)));
}

#[test]
fn a_rate_limit_is_not_forgotten_after_a_brief_success() {
    let (once, action) = end(&State::new(true), Ending::RateLimited, None);
    assert_eq!(action, Action::Wait(NOW + secs(89)));
    let (_, action) = end(&once, Ending::RateLimited, Some(60));
    assert_eq!(action, Action::Wait(NOW + secs(900)));
    let (_, action) = end(&once, Ending::RateLimited, Some(900));
    assert_eq!(action, Action::Wait(NOW + secs(89)));
    let (pressed, action) = next(&once, Input::Press, NOW, Jitter::NONE);
    assert_eq!((pressed, action), (once, Action::Stay));
}

#[test]
fn restarts_wanted_again_and_again_back_off() {
    let (state, action) = end(&State::new(true), Ending::RestartWanted, None);
    assert_eq!((state.mode, action), tries(false));
    let (state, action) = end(&state, Ending::RestartWanted, None);
    assert_eq!((state.mode, action), waits(Why::Backoff, 1));
    let (_, action) = end(&state, Ending::RestartWanted, None);
    assert_eq!(action, Action::Wait(NOW + secs(2)));
}

#[test]
fn codes_are_renewed_for_ten_minutes_and_then_the_box_rests() {
    let opened = NOW;
    let used_up = |state: &State, now| {
        let input = Input::Ended {
            ending: Ending::RefsUsedUp,
            online: None,
            code_shown: Some(opened),
        };
        next(state, input, now, Jitter::NONE)
    };
    let (state, action) = used_up(&State::new(false), opened + secs(599));
    assert_eq!((state.mode, action), tries(true));
    let (state, action) = used_up(&state, opened + secs(600));
    assert_eq!((state.mode, action), holds(Hold::Resting));
    // Nothing but a press wakes it.
    let (state, action) = next(&state, Input::Due, opened + HOUR, Jitter::NONE);
    assert_eq!(action, Action::Stay);
    let (state, action) = next(&state, Input::Press, opened + HOUR, Jitter::NONE);
    assert_eq!((state.mode, action), tries(true));
    assert_eq!(state.window, None, "a new window of ten minutes");
}

#[test]
fn a_press_while_codes_are_shown_renews_them_and_the_window() {
    let mut linking = State::new(false);
    linking.window = Some(secs(10));
    let (state, action) = next(&linking, Input::Press, NOW, Jitter::NONE);
    assert_eq!(action, Action::HangUp);
    assert_eq!(state.window, Some(NOW));
    let (state, action) = end(&state, Ending::Asked, None);
    assert_eq!((state.mode, action), tries(true));
    // A linked box has no code to renew.
    let (_, action) = next(&State::new(true), Input::Press, NOW, Jitter::NONE);
    assert_eq!(action, Action::Stay);
}

#[test]
fn an_unlinked_box_without_a_service_rests_too() {
    let mut state = State::new(false);
    state.window = Some(Duration::ZERO);
    let (state, action) = end(&state, Ending::ServerTrouble(503), None);
    assert_eq!((state.mode, action), holds(Hold::Resting));
}

#[test]
fn without_a_network_the_window_does_not_run_out() {
    let mut state = State::new(false);
    state.window = Some(Duration::ZERO);
    let (state, action) = end(&state, Ending::NoNetwork, None);
    assert_eq!((state.mode, action), waits(Why::Network, 1));
    assert_eq!(state.window, Some(NOW));
}

#[test]
fn a_removed_box_is_linked_again_on_a_press() {
    let (state, _) = end(&State::new(true), Ending::Removed(Remover::Owner), Some(60));
    assert!(!state.linked);
    let (state, action) = next(&state, Input::Press, NOW, Jitter::NONE);
    assert_eq!((state.mode, action), tries(true));
}

#[test]
fn a_person_may_try_once_where_only_a_person_can_help() {
    for ending in [
        Ending::Locked,
        Ending::Refused(400),
        Ending::Outdated,
        Ending::Banned { lasts: None },
        Ending::NoNetwork,
    ] {
        let (state, _) = end(&State::new(true), ending, None);
        let (state, action) = next(&state, Input::Press, NOW, Jitter::NONE);
        assert_eq!(state.mode, Mode::Trying, "{ending:?}");
        assert!(matches!(action, Action::Connect { .. }), "{ending:?}");
    }
    let told = Ending::Banned { lasts: Some(HOUR) };
    let (state, _) = end(&State::new(true), told, None);
    let (_, action) = next(&state, Input::Press, NOW, Jitter::NONE);
    assert_eq!(action, Action::Stay);
}

#[test]
fn a_passkey_that_was_not_given_brings_no_fresh_code_until_somebody_presses() {
    for (ending, hold) in [
        (Ending::PasskeyRefused, Hold::PasskeyRefused),
        (Ending::PasskeyLate, Hold::PasskeyLate),
    ] {
        let (state, action) = end(&State::new(false), ending, None);
        assert_eq!((state.mode, action), holds(hold));
        let (same, action) = next(&state, Input::Due, NOW + HOUR, Jitter::NONE);
        assert_eq!((&same, action), (&state, Action::Stay));
        let (after, action) = next(&state, Input::Press, NOW + HOUR, Jitter::NONE);
        assert_eq!((after.mode, action), tries(true));
    }
}
