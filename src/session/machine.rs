//! What follows from what: the session's decisions, as one pure function over plain values.
//!
//! It has no clock, no disk and no socket: the time, the chance and the past are handed in, the
//! answer is a new [`State`] and an [`Action`]. Whatever the session does next, it does because
//! [`next`] said so.

use std::time::Duration;

use super::backoff::{self, Jitter};
use super::ending::{Ending, Remover};
use ended::{ended, started};

mod ended;
mod reclaim;

pub use reclaim::{Taking, Takings};

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
    /// Rounds of codes that nobody scanned, since the last press.
    pub rounds: u32,
    /// This box may take its session back: the primary of production.
    pub may_reclaim: bool,
    /// How often the session was taken back of late.
    pub takings: Takings,
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
    /// Somebody else uses our keys, and the session is taken back in a while.
    Conflict,
}

/// Why the session does nothing until a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Codes were shown long enough; nobody seems to be there.
    Resting,
    /// The service wanted a passkey, and what it got was not accepted.
    PasskeyRefused,
    /// The service wanted a passkey, and nobody gave it in time.
    PasskeyLate,
    /// Somebody else uses our keys.
    Conflict,
    /// The device was removed.
    Unlinked {
        /// Who did it.
        by: Remover,
        /// When.
        at: Moment,
    },
    /// The number belongs to production and this box does not.
    Forbidden,
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
    /// Somebody pressed the button. In a conflict that means: use it here.
    Press,
    /// Somebody wants the session back, wherever he said so.
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
            rounds: 0,
            may_reclaim: false,
            takings: Takings::default(),
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
        Input::Started(past) => started(state, past, now, jitter),
        Input::Ended {
            ending,
            online,
            code_shown,
        } => ended(state, ending, online, code_shown, now, jitter),
        Input::Due => match state.mode {
            Mode::Waiting {
                why: Why::Conflict, ..
            } => state.taking(false, now),
            Mode::Waiting { .. } => state.trying(false),
            Mode::Trying | Mode::Holding(_) => (state, Action::Stay),
        },
        Input::Press => pressed(state, now),
        Input::TakeOver => match state.mode {
            Mode::Holding(Hold::Conflict)
            | Mode::Waiting {
                why: Why::Conflict, ..
            } => state.taking(true, now),
            Mode::Holding(_) | Mode::Trying | Mode::Waiting { .. } => (state, Action::Stay),
        },
        Input::Forgotten => State {
            may_reclaim: state.may_reclaim,
            ..State::new(false)
        }
        .trying(true),
    }
}

fn pressed(mut state: State, now: Moment) -> (State, Action) {
    match state.mode {
        Mode::Trying if state.linked => (state, Action::Stay),
        Mode::Trying => {
            state.window = Some(now);
            state.rounds = 0;
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
        Mode::Holding(Hold::Conflict)
        | Mode::Waiting {
            why: Why::Conflict, ..
        } => state.taking(true, now),
        Mode::Holding(
            Hold::Resting
            | Hold::PasskeyRefused
            | Hold::PasskeyLate
            | Hold::Unlinked { .. }
            | Hold::Forbidden
            | Hold::Locked
            | Hold::Refused(_),
        ) => {
            state.window = None;
            state.rounds = 0;
            state.failures = 0;
            state.trying(true)
        }
    }
}

#[cfg(test)]
mod tests;
