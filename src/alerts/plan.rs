//! When the owner is told, as a pure function of what the link does and of the time.
//!
//! The first of everything is told at once. Then a *window* opens, an hour long: in it each kind is
//! told once and repeats are only counted. At its end one summary tells how often what came and
//! went, and how things are now, and the next window is twice as long, six hours at most. So a
//! link that flaps all day costs a handful of mails, and something new is never held back.
//!
//! Times are seconds on a clock that only runs forward and goes on across restarts; see
//! `time.rs`.

use std::time::Duration;

use super::kind::{Condition, Kind};
use super::record::{Count, Notice, State, Window};
use crate::history::Stamp;

/// Online for so long, the box is back to normal.
pub const STEADY: u64 = 60;
/// The first window.
pub const FIRST_WINDOW: u64 = 3_600;
/// The longest window.
pub const LONGEST_WINDOW: u64 = 6 * 3_600;

/// Seconds on the alerts' clock.
pub type Moment = u64;

/// See the module's description.
#[derive(Debug)]
pub struct Plan {
    offline_after: u64,
    state: State,
    notices: Vec<Notice>,
}

impl Plan {
    /// Goes on where an earlier run stopped.
    pub fn new(offline_after: Duration, state: State) -> Self {
        Self {
            offline_after: offline_after.as_secs().max(1),
            state,
            notices: Vec::new(),
        }
    }

    /// What an earlier run would have to know to go on.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What is to be told since the last call.
    pub fn take(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// The link is like this now.
    pub fn observe(&mut self, condition: Condition, now: Moment, stamp: Stamp) {
        self.pass(now, stamp);
        match condition {
            Condition::Unknown => {}
            Condition::Well => {
                self.state.was_linked = true;
                self.state.grave = None;
                self.state.up.get_or_insert(now);
            }
            Condition::Down(what) => {
                self.state.grave = None;
                self.went_down(now, stamp);
                self.state.what = what.number();
            }
            Condition::Grave { kind, code, until } => {
                self.went_down(now, stamp);
                let news = self.state.grave != Some(kind as i32);
                self.state.grave = Some(kind as i32);
                // What was told and is not over is no news.
                if news && self.state.trouble() != Some(kind) {
                    let notice = Notice {
                        code,
                        until,
                        since: Some(stamp.into()),
                        ..Notice::new(kind, stamp)
                    };
                    self.trouble(notice, now);
                }
            }
        }
        self.pass(now, stamp);
    }

    /// A database did not open and was set aside.
    pub fn store_trouble(&mut self, now: Moment, stamp: Stamp) {
        self.raise(Notice::new(Kind::Store, stamp), now);
    }

    /// Time has passed.
    pub fn pass(&mut self, now: Moment, stamp: Stamp) {
        if let Some(up) = self.state.up
            && now >= up.saturating_add(STEADY)
        {
            self.state.down = None;
            if self.state.told.is_some() {
                let notice = Notice {
                    since: self.state.told_since,
                    ..Notice::new(Kind::Normal, stamp)
                };
                self.state.told = None;
                self.state.told_since = None;
                self.raise(notice, now);
            }
        }
        if let Some(down) = self.offline_due()
            && now >= down
        {
            let notice = Notice {
                since: self.state.down_at,
                state: self.state.what,
                ..Notice::new(Kind::Offline, stamp)
            };
            self.trouble(notice, now);
        }
        self.close_window(now, stamp);
    }

    /// When [`Self::pass`] has something to do, though nothing happens.
    pub fn due(&self) -> Option<Moment> {
        let unsteady = self.state.told.is_some() || self.state.down.is_some();
        let steady = self.state.up.filter(|_| unsteady).map(|up| up + STEADY);
        let window = self.state.window.as_ref().map(|window| window.ends);
        let all = [steady, self.offline_due(), window];
        all.into_iter().flatten().min()
    }

    fn offline_due(&self) -> Option<Moment> {
        let state = &self.state;
        let waits =
            state.was_linked && state.told.is_none() && state.up.is_none() && state.grave.is_none();
        let down = state.down.filter(|_| waits)?;
        Some(down.saturating_add(self.offline_after))
    }

    /// A short time online in between does not begin the waiting anew.
    fn went_down(&mut self, now: Moment, stamp: Stamp) {
        self.state.up = None;
        if self.state.down.is_none() {
            self.state.down = Some(now);
            self.state.down_at = Some(stamp.into());
        }
    }

    fn trouble(&mut self, notice: Notice, now: Moment) {
        self.state.told = Some(notice.kind);
        self.state.told_since = self.state.told_since.or(notice.since);
        self.raise(notice, now);
    }

    fn raise(&mut self, notice: Notice, now: Moment) {
        let kind = notice.kind;
        let window = self.state.window.get_or_insert_with(|| Window {
            ends: now + FIRST_WINDOW,
            length: FIRST_WINDOW,
            ..Window::default()
        });
        if !window.told.contains(&kind) {
            window.told.push(kind);
            self.notices.push(notice);
            return;
        }
        match window.counts.iter_mut().find(|count| count.kind == kind) {
            Some(count) => {
                count.times = count.times.saturating_add(1);
                count.last = notice.at;
            }
            None => window.counts.push(Count {
                kind,
                times: 1,
                first: notice.at,
                last: notice.at,
            }),
        }
    }

    fn close_window(&mut self, now: Moment, stamp: Stamp) {
        let Some(window) = self.state.window.take_if(|window| now >= window.ends) else {
            return;
        };
        if window.counts.is_empty() {
            return;
        }
        let length = (window.length * 2).min(LONGEST_WINDOW);
        self.state.window = Some(Window {
            ends: now + length,
            length,
            told: window.counts.iter().map(|count| count.kind).collect(),
            counts: Vec::new(),
        });
        self.notices.push(Notice {
            counts: window.counts,
            now: self.state.told,
            state: self.state.what,
            ..Notice::new(Kind::Summary, stamp)
        });
    }
}

impl State {
    /// The trouble that was told and is not over.
    pub fn trouble(&self) -> Option<Kind> {
        self.told.and_then(|kind| Kind::try_from(kind).ok())
    }
}

#[cfg(test)]
mod tests;
