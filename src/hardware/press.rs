//! The button as a machine: edges go in, what a person meant comes out. Pure: the time is an
//! argument, and nothing here waits. It must never invent a press: a button that is down when it
//! is first seen, a glitch, or a hold that was slept through do nothing.

use std::time::Duration;

use tokio::time::Instant;

/// What the contact did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// It closed.
    Down,
    /// It opened.
    Up,
}

/// How long is long.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Held so long, it is no press any more, and the ring appears.
    pub hold_shows: Duration,
    /// Held so long, the box unlinks.
    pub hold_completes: Duration,
    /// Edges closer together than this are the contact's chatter.
    pub settle: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            hold_shows: Duration::from_millis(700),
            hold_completes: Duration::from_secs(5),
            settle: Duration::from_millis(15),
        }
    }
}

/// What a person did with the button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ButtonEvent {
    /// It went down; something on the screen should show that it was felt.
    Down,
    /// A short press.
    Press,
    /// It is being held: the ring fills from `since` to `completes`.
    Holding {
        /// When it went down.
        since: Instant,
        /// When the hold is complete.
        completes: Instant,
    },
    /// Let go before the hold was complete.
    Cancelled,
    /// Held to the end.
    Held,
    /// It was down when it was first seen.
    Stuck,
    /// It is up again, and nothing was meant: after [`ButtonEvent::Stuck`], after
    /// [`ButtonEvent::Held`], or after a glitch.
    Released,
    /// Another button than this one was pressed: the next page.
    Next,
    /// Another button than this one was pressed: the page before.
    Back,
}

/// See the module's description.
#[derive(Debug)]
pub struct ButtonMachine {
    timing: Timing,
    state: State,
    /// The contact's latest level, and since when; it differs from the state's while it chatters.
    raw: (Edge, Option<Instant>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    /// Just went down; it may be chatter.
    Touched {
        since: Instant,
    },
    Pressed {
        since: Instant,
    },
    Holding {
        since: Instant,
    },
    /// Down without a meaning, until it is let go.
    Ignored,
}

impl ButtonMachine {
    /// A button that has been looked at once, and was up or down.
    pub fn new(timing: Timing, first: Edge) -> (Self, Option<ButtonEvent>) {
        let (state, event) = match first {
            Edge::Up => (State::Up, None),
            Edge::Down => (State::Ignored, Some(ButtonEvent::Stuck)),
        };
        let raw = (first, None);
        (Self { timing, state, raw }, event)
    }

    /// Takes an edge in. An opening that repeats changes nothing. A closing that does says that an
    /// opening was lost: whatever was held is held from now on.
    pub fn edge(&mut self, edge: Edge, at: Instant) -> Option<ButtonEvent> {
        if (self.raw.0, edge) == (Edge::Down, Edge::Down) {
            return self.again(at);
        }
        let due = self.poll(at);
        if self.raw.0 != edge {
            self.raw = (edge, Some(at));
        }
        due.or_else(|| self.settle(at))
    }

    fn again(&mut self, at: Instant) -> Option<ButtonEvent> {
        let before = std::mem::replace(&mut self.state, State::Touched { since: at });
        self.raw = (Edge::Down, Some(at));
        match before {
            State::Touched { .. } | State::Pressed { .. } => None,
            State::Up | State::Holding { .. } | State::Ignored => Some(ButtonEvent::Down),
        }
    }

    /// Tells what the mere passing of time has meant. Call it at [`Self::deadline`].
    pub fn poll(&mut self, now: Instant) -> Option<ButtonEvent> {
        let timing = self.timing;
        match self.state {
            State::Touched { since } if now >= since + timing.settle => {
                if self.raw.0 == Edge::Up {
                    // Open again before it settled: the contact was grazed, not pressed.
                    self.state = State::Up;
                    return Some(ButtonEvent::Released);
                }
                self.state = State::Pressed { since };
                self.poll(now)
            }
            State::Pressed { since } if now >= since + timing.hold_shows => {
                let completes = since + timing.hold_completes;
                if self.raw.0 == Edge::Down {
                    self.state = State::Holding { since };
                    return Some(ButtonEvent::Holding { since, completes });
                }
                self.settle(now)
            }
            State::Holding { since } if now >= since + timing.hold_completes => {
                if self.lifted_before(since + timing.hold_completes) {
                    return self.settle(now);
                }
                // Nobody looked for a long time: the edge that ended the hold may be lost.
                let slept = now >= since + timing.hold_completes * 2;
                self.state = State::Ignored;
                Some(match slept {
                    true => ButtonEvent::Cancelled,
                    false => ButtonEvent::Held,
                })
            }
            _ => self.settle(now),
        }
    }

    /// When [`Self::poll`] has something to say, if no edge comes before.
    pub fn deadline(&self) -> Option<Instant> {
        let settled = match self.raw {
            (level, Some(at)) if level != self.level() => Some(at + self.timing.settle),
            _ => None,
        };
        let meaning = match self.state {
            State::Touched { since } => Some(since + self.timing.settle),
            State::Pressed { since } => Some(since + self.timing.hold_shows),
            State::Holding { since } => Some(since + self.timing.hold_completes)
                .filter(|completes| !self.lifted_before(*completes)),
            State::Up | State::Ignored => None,
        };
        match (settled, meaning) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Whether the contact has been open since before that moment: who looks late must not take the time
    /// that went by for time that it was held.
    fn lifted_before(&self, moment: Instant) -> bool {
        matches!(self.raw, (Edge::Up, Some(at)) if at < moment)
    }

    fn level(&self) -> Edge {
        match self.state {
            State::Up => Edge::Up,
            _ => Edge::Down,
        }
    }

    /// Follows the contact: down at once, so that it is felt; up once it has stayed up.
    fn settle(&mut self, now: Instant) -> Option<ButtonEvent> {
        let (level, Some(at)) = self.raw else {
            return None;
        };
        if level == self.level() {
            return None;
        }
        match (self.state, level) {
            (State::Up, Edge::Down) => {
                self.state = State::Touched { since: at };
                Some(ButtonEvent::Down)
            }
            (State::Up, Edge::Up) | (State::Touched { .. }, _) => None,
            (_, _) if now < at + self.timing.settle => None,
            (state, _) => {
                self.state = State::Up;
                Some(match state {
                    State::Pressed { .. } => ButtonEvent::Press,
                    State::Holding { .. } => ButtonEvent::Cancelled,
                    State::Up | State::Touched { .. } | State::Ignored => ButtonEvent::Released,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// Plays edges at milliseconds and answers every event with the millisecond it came at.
    fn play(first: Edge, edges: &[(u64, Edge)], until: u64) -> Vec<(u64, ButtonEvent)> {
        let start = Instant::now();
        let (mut machine, event) = ButtonMachine::new(Timing::default(), first);
        let mut seen: Vec<_> = event.map(|event| (0, event)).into_iter().collect();
        let at = |ms| start + Duration::from_millis(ms);
        let mut edges = edges.iter().copied().peekable();
        for ms in 0..=until {
            if let Some((_, edge)) = edges.next_if(|(when, _)| *when == ms) {
                seen.extend(machine.edge(edge, at(ms)).map(|event| (ms, event)));
            }
            while machine.deadline().is_some_and(|due| due <= at(ms)) {
                match machine.poll(at(ms)) {
                    Some(event) => seen.push((ms, event)),
                    None => break,
                }
            }
        }
        seen
    }

    fn kinds(seen: &[(u64, ButtonEvent)]) -> Vec<&'static str> {
        seen.iter()
            .map(|(_, event)| match event {
                ButtonEvent::Down => "down",
                ButtonEvent::Press => "press",
                ButtonEvent::Holding { .. } => "holding",
                ButtonEvent::Cancelled => "cancelled",
                ButtonEvent::Held => "held",
                ButtonEvent::Stuck => "stuck",
                ButtonEvent::Released => "released",
                ButtonEvent::Next => "next",
                ButtonEvent::Back => "back",
            })
            .collect()
    }

    use Edge::{Down, Up};

    #[test]
    fn a_press_is_felt_at_once_and_counts_when_let_go() {
        let seen = play(Up, &[(100, Down), (220, Up)], 1000);
        assert_eq!(kinds(&seen), ["down", "press"]);
        assert_eq!(seen[0].0, 100);
        assert_eq!(seen[1].0, 235);
    }

    #[test]
    fn five_seconds_unlink_once() {
        let seen = play(Up, &[(0, Down), (9000, Up)], 10_000);
        assert_eq!(kinds(&seen), ["down", "holding", "held", "released"]);
        assert_eq!((seen[1].0, seen[2].0), (700, 5000));
    }

    #[test]
    fn letting_go_earlier_cancels() {
        let seen = play(Up, &[(0, Down), (4980, Up)], 10_000);
        assert_eq!(kinds(&seen), ["down", "holding", "cancelled"]);
    }

    #[test]
    fn a_button_held_at_start_is_named_and_ignored_until_it_is_released() {
        let seen = play(Down, &[(8000, Up), (8500, Down), (8600, Up)], 9000);
        assert_eq!(kinds(&seen), ["stuck", "released", "down", "press"]);
    }

    #[test]
    fn chatter_is_one_press() {
        let bounces = [
            (0, Down),
            (2, Up),
            (3, Down),
            (5, Up),
            (7, Down),
            (200, Up),
            (203, Down),
            (206, Up),
        ];
        assert_eq!(kinds(&play(Up, &bounces, 1000)), ["down", "press"]);
    }

    #[test]
    fn a_graze_is_no_press() {
        let seen = play(Up, &[(0, Down), (2, Up)], 1000);
        assert_eq!(kinds(&seen), ["down", "released"]);
    }

    #[test]
    fn chatter_while_held_does_not_break_the_hold() {
        let seen = play(Up, &[(0, Down), (2000, Up), (2005, Down)], 6000);
        assert_eq!(kinds(&seen), ["down", "holding", "held"]);
        assert_eq!(seen[2].0, 5000);
    }

    #[test]
    fn an_edge_lost_while_the_board_slept_does_not_unlink() {
        let start = Instant::now();
        let (mut machine, _) = ButtonMachine::new(Timing::default(), Up);
        machine.edge(Down, start);
        let holding = machine.poll(start + Duration::from_secs(1));
        assert!(matches!(holding, Some(ButtonEvent::Holding { .. })));
        let woken = machine.poll(start + Duration::from_secs(3600));
        assert_eq!(woken, Some(ButtonEvent::Cancelled));
    }

    #[test]
    fn a_lost_opening_makes_no_hold_of_two_presses() {
        // Pressed at once, let go unheard, and pressed again after three seconds.
        let edges = [(0, Down), (3000, Down), (3100, Up)];
        let seen = play(Up, &edges, 9000);
        assert_eq!(kinds(&seen), ["down", "holding", "down", "press"]);
        let edges = [(0, Down), (3000, Down)];
        let seen = play(Up, &edges, 9000);
        assert_eq!(kinds(&seen), ["down", "holding", "down", "holding", "held"]);
        assert_eq!(seen[4].0, 8000);
    }

    #[test]
    fn a_button_that_woke_up_with_a_lost_opening_takes_the_next_press() {
        let edges = [(0, Down), (20_000, Down), (20_100, Up)];
        let seen = play(Up, &edges, 30_000);
        assert_eq!(kinds(&seen), ["down", "holding", "held", "down", "press"]);
        let seen = play(Down, &[(8000, Down), (8100, Up)], 9000);
        assert_eq!(kinds(&seen), ["stuck", "down", "press"]);
    }

    #[test]
    fn a_repeated_edge_changes_nothing() {
        let seen = play(Up, &[(0, Down), (100, Down), (300, Up), (400, Up)], 1000);
        assert_eq!(kinds(&seen), ["down", "press"]);
    }
}
