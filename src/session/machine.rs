//! What follows from what: the session's decisions, as one pure function over plain values.
//!
//! It has no clock, no disk and no socket: the time, the chance and the past are handed in, the
//! answer is a new [`State`] and an [`Action`]. Whatever the session does next, it does because
//! [`next`] said so.

use std::time::Duration;

use super::backoff::{self, Jitter};
use super::ending::Ending;

/// Time since the process came up. Durations, not instants, so that a test needs no clock and a
/// scaled clock needs no other code.
pub type Moment = Duration;

/// For this long after power-on or a press codes are shown; then the service is left alone.
pub const LINKING_WINDOW: Duration = Duration::from_secs(600);

/// A ban whose end the service did not tell is looked at again after this long.
const BAN_UNTOLD: Duration = Duration::from_secs(24 * 3600);

/// Added to the end of a ban: the service's clock and ours agree only so far.
const BAN_MARGIN: Duration = Duration::from_secs(10);

/// Everything the decisions depend on.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// There are keys that a phone has accepted.
    pub linked: bool,
    /// Attempts that failed in a row.
    pub failures: u32,
    /// Rate limits since the last long time online.
    pub rate_limits: u32,
    /// Refusals of our version in a row.
    pub outdated: u32,
    /// Since when codes have been shown to somebody who may be there; `None` until the first one.
    pub window: Option<Moment>,
    /// What the session is at.
    pub mode: Mode,
}

/// What the session is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A connection is up, or on its way.
    Trying,
    /// The socket is closed until a moment has come.
    Waiting {
        /// What for.
        why: Why,
        /// When the next attempt is made.
        until: Moment,
    },
    /// The socket is closed until a person decides.
    Holding(Hold),
}

/// Why the session waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// An attempt failed.
    Backoff,
    /// There is no way to the service.
    Network,
    /// The service wants fewer requests.
    RateLimit,
    /// The account is banned; `told` if the service said for how long.
    Ban {
        /// The service said for how long.
        told: bool,
    },
    /// The service wants a newer version.
    Outdated,
}

/// Why the session does nothing until a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Codes were shown long enough; nobody seems to be there.
    Resting,
    /// Somebody else uses our keys.
    Conflict,
    /// The device was removed.
    Unlinked,
    /// The account is locked.
    Locked,
    /// The service does not want a client of this kind.
    Refused(u16),
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input {
    /// The process came up; what the last one left on disk, if it left anything.
    Started(Option<Past>),
    /// A connection ended, or did not come about.
    Ended {
        /// How.
        ending: Ending,
        /// How long it was online, if it ever was.
        online: Option<Duration>,
        /// When its first code was shown, if one was.
        code_shown: Option<Moment>,
    },
    /// The time of the next attempt has come.
    Due,
    /// Somebody pressed the button.
    Press,
    /// Somebody wants the session back.
    TakeOver,
    /// Everything was forgotten on purpose.
    Forgotten,
}

/// What is known of an ending that an earlier process met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    /// Which.
    pub ending: Ending,
    /// How much of the wait it asked for is left; never less than is certain.
    pub left: Duration,
    /// See [`State::rate_limits`].
    pub rate_limits: u32,
    /// See [`State::outdated`].
    pub outdated: u32,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Go on with what is under way.
    Stay,
    /// Open a connection now.
    Connect {
        /// With a client that has never been used: used-up codes make one useless.
        fresh: bool,
    },
    /// Close the socket; its end will be reported as [`Ending::Asked`].
    HangUp,
    /// Keep the socket closed until then.
    Wait(Moment),
    /// Keep the socket closed until a person decides.
    Hold,
    /// Delete the dead link's keys, then keep the socket closed until a person decides.
    Forget,
}

impl State {
    /// As on the first day.
    pub fn new(linked: bool) -> Self {
        Self {
            linked,
            failures: 0,
            rate_limits: 0,
            outdated: 0,
            window: None,
            mode: Mode::Trying,
        }
    }

    /// What the current wait lasts in all, as seen from `now`; zero if there is none.
    pub fn left(&self, now: Moment) -> Duration {
        match self.mode {
            Mode::Waiting { until, .. } => until.saturating_sub(now),
            Mode::Trying | Mode::Holding(_) => Duration::ZERO,
        }
    }

    fn trying(mut self, fresh: bool) -> (Self, Action) {
        self.mode = Mode::Trying;
        (self, Action::Connect { fresh })
    }

    fn waiting(mut self, why: Why, until: Moment) -> (Self, Action) {
        self.mode = Mode::Waiting { why, until };
        (self, Action::Wait(until))
    }

    fn holding(mut self, hold: Hold) -> (Self, Action) {
        self.mode = Mode::Holding(hold);
        (self, Action::Hold)
    }

    fn nobody_there(&self, now: Moment) -> bool {
        !self.linked
            && self
                .window
                .is_some_and(|opened| now >= opened + LINKING_WINDOW)
    }

    fn backing_off(mut self, why: Why, now: Moment, jitter: Jitter) -> (Self, Action) {
        if self.nobody_there(now) {
            return self.holding(Hold::Resting);
        }
        let wait = jitter.apply(backoff::wait(self.failures));
        self.failures = self.failures.saturating_add(1);
        self.waiting(why, now + wait)
    }
}

/// What follows from `input` in `state` at `now`.
pub fn next(state: &State, input: Input, now: Moment, jitter: Jitter) -> (State, Action) {
    let state = state.clone();
    match input {
        Input::Started(past) => started(state, past, now),
        Input::Ended {
            ending,
            online,
            code_shown,
        } => ended(state, ending, online, code_shown, now, jitter),
        Input::Due => match state.mode {
            Mode::Waiting { .. } => state.trying(false),
            Mode::Trying | Mode::Holding(_) => (state, Action::Stay),
        },
        Input::Press => pressed(state, now),
        Input::TakeOver => match state.mode {
            Mode::Holding(Hold::Conflict) => State::new(state.linked).trying(true),
            Mode::Holding(_) | Mode::Trying | Mode::Waiting { .. } => (state, Action::Stay),
        },
        Input::Forgotten => State::new(false).trying(true),
    }
}

fn started(mut state: State, past: Option<Past>, now: Moment) -> (State, Action) {
    let Some(past) = past else {
        return state.trying(true);
    };
    state.rate_limits = past.rate_limits;
    state.outdated = past.outdated;
    match past.ending {
        Ending::Replaced => state.holding(Hold::Conflict),
        Ending::Locked => state.holding(Hold::Locked),
        Ending::Banned { lasts } => {
            let told = lasts.is_some();
            state.waiting(Why::Ban { told }, now + past.left)
        }
        Ending::RateLimited => state.waiting(Why::RateLimit, now + past.left),
        // The deletion was cut short. Whoever plugs the box in wants to link it, so it goes on
        // with codes rather than with the news of the removal.
        Ending::Removed => {
            state.linked = false;
            state.mode = Mode::Trying;
            (state, Action::Forget)
        }
        // Whoever started the process may have brought a newer version: one attempt.
        Ending::Outdated | Ending::Refused(_) => state.trying(true),
        // Nothing of these outlives the process.
        Ending::RestartWanted
        | Ending::ServerTrouble(_)
        | Ending::NoNetwork
        | Ending::Untrusted
        | Ending::Silence
        | Ending::Closed
        | Ending::Broken
        | Ending::RefsUsedUp
        | Ending::Paired
        | Ending::Asked => state.trying(true),
    }
}

fn ended(
    mut state: State,
    ending: Ending,
    online: Option<Duration>,
    code_shown: Option<Moment>,
    now: Moment,
    jitter: Jitter,
) -> (State, Action) {
    if let Some(online) = online {
        state.linked = true;
        state.outdated = 0;
        if online >= backoff::STABLE {
            state.failures = 0;
        }
        if online >= backoff::FORGIVEN {
            state.rate_limits = 0;
        }
    }
    state.window = state.window.or(code_shown);
    match ending {
        Ending::Replaced => state.holding(Hold::Conflict),
        Ending::Removed if state.linked => {
            state.linked = false;
            state.window = None;
            state.mode = Mode::Holding(Hold::Unlinked);
            (state, Action::Forget)
        }
        // Keys that no phone has accepted cannot be removed: trouble of the service's own.
        Ending::Removed => state.backing_off(Why::Backoff, now, jitter),
        Ending::Locked => state.holding(Hold::Locked),
        Ending::Banned { lasts } => {
            let wait = lasts.unwrap_or(BAN_UNTOLD) + BAN_MARGIN;
            let told = lasts.is_some();
            state.waiting(Why::Ban { told }, now + wait)
        }
        Ending::Outdated => {
            state.outdated = state.outdated.saturating_add(1);
            let wait = jitter.apply(backoff::outdated_wait(state.outdated));
            state.waiting(Why::Outdated, now + wait)
        }
        // At once, but only once in a row.
        Ending::RestartWanted if state.failures == 0 => {
            state.failures = 1;
            state.trying(false)
        }
        Ending::RestartWanted => state.backing_off(Why::Backoff, now, jitter),
        Ending::RateLimited => {
            state.rate_limits = state.rate_limits.saturating_add(1);
            let wait = jitter.apply(backoff::rate_limit_wait(state.rate_limits));
            state.waiting(Why::RateLimit, now + wait)
        }
        Ending::Refused(code) => state.holding(Hold::Refused(code)),
        Ending::NoNetwork => {
            // Nobody could have scanned anything: the window opens with the first code.
            if code_shown.is_none() && state.window.is_some() {
                state.window = Some(now);
            }
            state.backing_off(Why::Network, now, jitter)
        }
        Ending::ServerTrouble(_)
        | Ending::Untrusted
        | Ending::Silence
        | Ending::Closed
        | Ending::Broken => state.backing_off(Why::Backoff, now, jitter),
        Ending::RefsUsedUp if state.nobody_there(now) => state.holding(Hold::Resting),
        Ending::RefsUsedUp | Ending::Asked => {
            state.failures = 0;
            state.trying(true)
        }
        Ending::Paired => {
            state.linked = true;
            state.failures = 0;
            state.trying(false)
        }
    }
}

fn pressed(mut state: State, now: Moment) -> (State, Action) {
    match state.mode {
        Mode::Trying if state.linked => (state, Action::Stay),
        Mode::Trying => {
            state.window = Some(now);
            (state, Action::HangUp)
        }
        // The service was clear; a press must not make it worse.
        Mode::Waiting {
            why: Why::RateLimit | Why::Ban { told: true },
            ..
        } => (state, Action::Stay),
        Mode::Waiting {
            why: Why::Backoff | Why::Network | Why::Outdated | Why::Ban { told: false },
            ..
        } => {
            state.window = None;
            state.trying(false)
        }
        // Taking a session back is an order of its own, so that nobody does it by accident.
        Mode::Holding(Hold::Conflict) => (state, Action::Stay),
        Mode::Holding(Hold::Resting | Hold::Unlinked | Hold::Locked | Hold::Refused(_)) => {
            state.window = None;
            state.failures = 0;
            state.trying(true)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                | Ending::Removed
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
                | Ending::Paired
                | Ending::Asked => {}
            }
        }
        let day = Why::Ban { told: false };
        let told = Why::Ban { told: true };
        let ban = |lasts| Ending::Banned { lasts };
        // The ending; then for a linked and for an unlinked box what it does; kept on disk.
        let table = [
            (
                Ending::Replaced,
                holds(Hold::Conflict),
                holds(Hold::Conflict),
                true,
            ),
            (
                Ending::Removed,
                (Mode::Holding(Hold::Unlinked), Action::Forget),
                waits(Why::Backoff, 1),
                true,
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
        for input in [Input::Due, Input::Press] {
            let (after, action) = next(&conflict, input, NOW + HOUR, Jitter::NONE);
            assert_eq!((&after, action), (&conflict, Action::Stay), "{input:?}");
        }
        let (after, action) = next(&conflict, Input::TakeOver, NOW, Jitter::NONE);
        assert_eq!((after.mode, action), tries(true));
        let (again, action) = end(&after, Ending::Replaced, None);
        assert_eq!((again.mode, action), holds(Hold::Conflict));
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
            (Ending::Removed, (Mode::Trying, Action::Forget)),
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
        let (state, _) = end(&State::new(true), Ending::Removed, Some(60));
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
}
