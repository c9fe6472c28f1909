//! What follows from each ending: of the connection that was up, and of the one that an earlier
//! process left behind.

use std::time::Duration;

use super::{
    Action, BAN_MARGIN, BAN_UNTOLD, Ending, Hold, Jitter, Mode, Moment, Past, State, Takings, Why,
    backoff,
};

/// What an earlier process met is respected.
pub(super) fn started(
    mut state: State,
    past: Option<Past>,
    now: Moment,
    jitter: Jitter,
) -> (State, Action) {
    let Some(past) = past else {
        return state.trying(true);
    };
    state.rate_limits = past.rate_limits;
    state.outdated = past.outdated;
    match past.ending {
        // The pause begins anew: how long the box was off, no clock of its own can prove.
        Ending::Replaced => state.contested(now, jitter),
        Ending::Locked => state.holding(Hold::Locked),
        Ending::Banned { lasts } => {
            let told = lasts.is_some();
            state.waiting(Why::Ban { told }, now + past.left)
        }
        Ending::RateLimited => state.waiting(Why::RateLimit, now + past.left),
        // The deletion was cut short. Whoever plugs the box in wants to link it, so it goes on
        // with codes rather than with the news of the removal.
        Ending::Removed(_) => {
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
        | Ending::PasskeyRefused
        | Ending::PasskeyLate
        | Ending::Paired
        | Ending::Forbidden
        | Ending::Asked => state.trying(true),
    }
}

/// What follows from the end of a connection.
pub(super) fn ended(
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
        state.rounds = 0;
        state.takings.happened(online, now);
        if online >= backoff::STABLE {
            state.failures = 0;
        }
        if online >= backoff::FORGIVEN {
            state.rate_limits = 0;
        }
    }
    state.window = state.window.or(code_shown);
    match ending {
        Ending::Replaced => {
            // We had it, even if not for long enough to be online.
            state.takings.happened(Duration::ZERO, now);
            state.contested(now, jitter)
        }
        Ending::Removed(by) if state.linked => forgetting(state, Hold::Unlinked { by, at: now }),
        Ending::Forbidden => forgetting(state, Hold::Forbidden),
        // Keys that no phone has accepted cannot be removed: trouble of the service's own.
        Ending::Removed(_) => state.backing_off(Why::Backoff, now, jitter),
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
        Ending::PasskeyRefused => state.holding(Hold::PasskeyRefused),
        Ending::PasskeyLate => state.holding(Hold::PasskeyLate),
        Ending::RefsUsedUp => {
            state.rounds = state.rounds.saturating_add(1);
            if state.nobody_there(now) {
                return state.holding(Hold::Resting);
            }
            state.failures = 0;
            state.trying(true)
        }
        Ending::Asked => {
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

/// The link is no more: its keys go, and the box says why until somebody presses.
fn forgetting(mut state: State, hold: Hold) -> (State, Action) {
    state.linked = false;
    state.window = None;
    state.takings = Takings::default();
    state.mode = Mode::Holding(hold);
    (state, Action::Forget)
}
