//! Keys as the button. Enter and the space bar press it; where the terminal tells when a key is
//! let go they hold it too. `h` holds it for five seconds, any other key then lets go; `q` and
//! Ctrl-C end the process.

use std::io;
use std::time::{Duration, Instant};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::{mpsc, oneshot};

use super::LogLine;
use crate::hardware::{Edge, PhysicalEdge};

/// How long a key that has no release holds the button.
const TAP: Duration = Duration::from_millis(80);
/// How long `h` holds it: the five seconds, and a little.
const HOLD: Duration = Duration::from_millis(5200);
/// Without anything to let go, nothing has to be looked at but the keys.
const IDLE: Duration = Duration::from_secs(3600);

/// Listens on a thread of its own until the panel is gone or somebody quits.
pub fn listen(
    edges: mpsc::Sender<PhysicalEdge>,
    log: LogLine,
    releases: bool,
) -> io::Result<oneshot::Receiver<()>> {
    let (quit, wanted) = oneshot::channel();
    std::thread::Builder::new()
        .name("keys".into())
        .spawn(move || {
            let mut keys = Keys {
                edges,
                releases,
                lift: None,
                down: false,
            };
            match keys.run(&log) {
                Ok(()) => {}
                Err(error) => tracing::warn!(%error, "the keyboard cannot be read"),
            }
            // Also when the keyboard failed: without it nobody could quit.
            let _ = quit.send(());
        })?;
    Ok(wanted)
}

struct Keys {
    edges: mpsc::Sender<PhysicalEdge>,
    releases: bool,
    lift: Option<Instant>,
    down: bool,
}

impl Keys {
    /// Returns when somebody quits.
    fn run(&mut self, log: &LogLine) -> io::Result<()> {
        loop {
            let wait = self
                .lift
                .map_or(IDLE, |lift| lift.saturating_duration_since(Instant::now()));
            if crossterm::event::poll(wait)? {
                match crossterm::event::read()? {
                    Event::Key(key) if quits(key) => return Ok(()),
                    Event::Key(key) => self.key(key),
                    Event::Resize(..) => log.lock().redraw()?,
                    _ => {}
                }
            }
            if self.lift.is_some_and(|lift| lift <= Instant::now()) {
                self.set(Edge::Up, None);
            }
        }
    }

    fn key(&mut self, key: KeyEvent) {
        let button = matches!(key.code, KeyCode::Enter | KeyCode::Char(' '));
        match (key.kind, key.code) {
            (KeyEventKind::Repeat, _) => {}
            (KeyEventKind::Release, _) if button && self.releases => self.set(Edge::Up, None),
            (KeyEventKind::Release, _) => {}
            (KeyEventKind::Press, _) if self.down && self.lift.is_some() => {
                self.set(Edge::Up, None);
            }
            (KeyEventKind::Press, KeyCode::Char('h')) => self.set(Edge::Down, Some(HOLD)),
            (KeyEventKind::Press, _) if button => {
                self.set(Edge::Down, (!self.releases).then_some(TAP));
            }
            (KeyEventKind::Press, _) => {}
        }
    }

    fn set(&mut self, edge: Edge, lift: Option<Duration>) {
        self.lift = lift.map(|after| Instant::now() + after);
        if self.down == (edge == Edge::Down) {
            return;
        }
        self.down = edge == Edge::Down;
        if self.edges.try_send(PhysicalEdge::now(edge)).is_err() {
            tracing::debug!("nobody reads the button");
        }
    }
}

fn quits(key: KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind == KeyEventKind::Press
        && match key.code {
            KeyCode::Char('q') => true,
            KeyCode::Char('c') => control,
            _ => false,
        }
}
