//! Real buttons: edges of GPIO lines, debounced by the kernel. A chip that is not there is looked
//! for again, and one that goes away too; the box runs without a button meanwhile.

use std::io;
use std::time::Duration;

use gpiocdev::Request;
use gpiocdev::line::{Bias, EdgeDetection, EdgeKind, Value};
use gpiocdev::tokio::AsyncRequest;
use nix::time::{ClockId, clock_gettime};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::lines::{CONSUMER, chip, refused};
use super::profile::{ButtonProfile, Pull};
use super::{Button, Edge, PhysicalEdge};
use crate::hardware::button::Key;

/// A level that lasts no longer is the contact's chatter.
const DEBOUNCE: Duration = Duration::from_millis(10);
/// How often a button that is down is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How long to wait before looking again for a chip.
const RETRY: Duration = Duration::from_secs(5);

/// Takes the lines and reads them for as long as somebody listens. Needs a runtime.
pub fn open(profile: &ButtonProfile) -> Button {
    let lines = request(profile);
    let first = lines.as_ref().map_or(Edge::Up, |(_, edge)| *edge);
    let (button, edges) = Button::contact(first);
    let lines = match lines {
        Ok((lines, _)) => Some(lines),
        Err(error) => {
            tracing::warn!(%error, "there is no button; it is looked for again");
            None
        }
    };
    tokio::spawn(watch(profile.clone(), lines, edges));
    button
}

/// Asks the kernel for the lines, and answers how the button is.
fn request(profile: &ButtonProfile) -> io::Result<(AsyncRequest, Edge)> {
    let bias = match profile.pull {
        Pull::Up => Bias::PullUp,
        Pull::Down => Bias::PullDown,
        Pull::Off => Bias::Disabled,
    };
    let mut offsets = vec![profile.line];
    offsets.extend(profile.next);
    offsets.extend(profile.back);
    let mut builder = Request::builder();
    builder
        .on_chip(chip(&profile.chips)?)
        .with_consumer(CONSUMER)
        .with_lines(&offsets)
        .as_input()
        .with_bias(bias)
        .with_debounce_period(DEBOUNCE)
        .with_edge_detection(EdgeDetection::BothEdges);
    match profile.active_low {
        true => builder.as_active_low(),
        false => builder.as_active_high(),
    };
    let refused = |error: gpiocdev::Error| refused(profile.line, &error);
    let lines = builder.request().map_err(refused)?;
    let first = edge_of(lines.value(profile.line).map_err(refused)?);
    Ok((AsyncRequest::new(lines), first))
}

async fn watch(
    profile: ButtonProfile,
    mut lines: Option<AsyncRequest>,
    edges: mpsc::Sender<PhysicalEdge>,
) {
    loop {
        tokio::select! {
            () = edges.closed() => return,
            () = read(&profile, &mut lines, &edges) => {}
        }
    }
}

/// Passes edges on until the lines fail, or looks for them once.
async fn read(
    profile: &ButtonProfile,
    lines: &mut Option<AsyncRequest>,
    edges: &mpsc::Sender<PhysicalEdge>,
) {
    let Some(open) = lines else {
        tokio::time::sleep(RETRY).await;
        // One that is down now was not pressed while we looked: its next edge counts.
        if let Ok((found, _)) = request(profile) {
            tracing::info!("the button is there");
            *lines = Some(found);
        }
        return;
    };
    let error = follow(profile, open, edges).await;
    tracing::warn!(%error, "the button went away; it is looked for again");
    *lines = None;
}

/// Lines that are open.
trait Lines {
    /// The next edge, as the kernel tells it, and when it saw it. Dropping the future loses nothing.
    async fn edge(&self) -> io::Result<(u32, EdgeKind, Instant)>;

    /// How a line is now.
    fn level(&self, line: u32) -> io::Result<Edge>;
}

impl Lines for AsyncRequest {
    async fn edge(&self) -> io::Result<(u32, EdgeKind, Instant)> {
        let event = self.read_edge_event().await.map_err(io::Error::other)?;
        Ok((event.offset, event.kind, moment(event.timestamp_ns)))
    }

    fn level(&self, line: u32) -> io::Result<Edge> {
        let value = self.as_ref().value(line).map_err(io::Error::other)?;
        Ok(edge_of(value))
    }
}

/// Passes edges on until the lines fail. A button that is down is looked at now and then: the
/// kernel keeps few edges, and none while the board sleeps, and one that was lost must not look
/// like a finger that stays. While it is up nobody wakes.
async fn follow(
    profile: &ButtonProfile,
    lines: &impl Lines,
    edges: &mpsc::Sender<PhysicalEdge>,
) -> io::Error {
    let tell = |key, edge, at| {
        if edges.try_send(PhysicalEdge::at(key, edge, at)).is_err() {
            tracing::debug!("nobody reads the button");
        }
    };
    let mut down = false;
    loop {
        let looked = async {
            match down {
                true => tokio::time::sleep(LOOK).await,
                false => std::future::pending().await,
            }
        };
        let told = tokio::select! {
            told = lines.edge() => told.map(Some),
            () = looked => lines.level(profile.line).map(|level| {
                (level == Edge::Up).then(|| (profile.line, EdgeKind::Falling, Instant::now()))
            }),
        };
        match told {
            Ok(told) => {
                if let Some((line, kind, at)) = told
                    && let Some((key, edge)) = meaning(profile, line, kind)
                {
                    if key == Key::Main {
                        down = edge == Edge::Down;
                    }
                    tell(key, edge, at);
                }
            }
            Err(error) => {
                if down {
                    // Whether the finger is still there cannot be known any more.
                    tell(Key::Main, Edge::Up, Instant::now());
                }
                return error;
            }
        }
    }
}

/// When the kernel saw an edge, in nanoseconds of its monotonic clock, which is also that of
/// [`Instant`]. Where the board is busy an edge is read late, and two that are read together
/// would look like chatter.
fn moment(stamp_ns: u64) -> Instant {
    let now = Instant::now();
    let Ok(clock) = clock_gettime(ClockId::CLOCK_MONOTONIC) else {
        return now;
    };
    let age = Duration::from(clock).saturating_sub(Duration::from_nanos(stamp_ns));
    now.checked_sub(age).unwrap_or(now)
}

fn edge_of(value: Value) -> Edge {
    match value {
        Value::Active => Edge::Down,
        Value::Inactive => Edge::Up,
    }
}

/// An edge as the kernel tells it, active-low lines already turned round.
fn meaning(profile: &ButtonProfile, line: u32, kind: EdgeKind) -> Option<(Key, Edge)> {
    let edge = match kind {
        EdgeKind::Rising => Edge::Down,
        EdgeKind::Falling => Edge::Up,
    };
    let keys = [
        (Some(profile.line), Key::Main),
        (profile.next, Key::Next),
        (profile.back, Key::Back),
    ];
    let (_, key) = keys.into_iter().find(|(of, _)| *of == Some(line))?;
    Some((key, edge))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::hardware::{ButtonEvent, profile};

    #[test]
    fn lines_are_told_apart() {
        let hat = profile("lcd-hat-1in3").unwrap().button.unwrap();
        let told = |line, kind| meaning(&hat, line, kind);
        assert_eq!(told(21, EdgeKind::Rising), Some((Key::Main, Edge::Down)));
        assert_eq!(told(20, EdgeKind::Falling), Some((Key::Next, Edge::Up)));
        assert_eq!(told(16, EdgeKind::Rising), Some((Key::Back, Edge::Down)));
        assert_eq!(told(3, EdgeKind::Rising), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_chip_that_is_not_there_leaves_a_button_that_is_never_pressed() {
        let mut hat = profile("oled-0in96").unwrap().button.unwrap();
        hat.chips = vec!["no chip has this label".into()];
        let mut button = open(&hat);
        let minute = Duration::from_secs(60);
        assert!(tokio::time::timeout(minute, button.event()).await.is_err());
    }

    /// Lines whose edges the test tells, and loses.
    struct Wire {
        edges: std::cell::RefCell<mpsc::Receiver<(EdgeKind, Instant)>>,
        level: std::cell::Cell<Edge>,
        looks: std::cell::Cell<u32>,
    }

    impl Lines for Wire {
        async fn edge(&self) -> io::Result<(u32, EdgeKind, Instant)> {
            let told = std::future::poll_fn(|context| self.edges.borrow_mut().poll_recv(context));
            match told.await {
                Some((kind, at)) => Ok((21, kind, at)),
                None => Err(io::Error::other("the chip is gone")),
            }
        }

        fn level(&self, _: u32) -> io::Result<Edge> {
            self.looks.set(self.looks.get() + 1);
            Ok(self.level.get())
        }
    }

    fn wire(level: Edge) -> (Wire, mpsc::Sender<(EdgeKind, Instant)>) {
        let (tell, edges) = mpsc::channel(8);
        let wire = Wire {
            edges: edges.into(),
            level: level.into(),
            looks: 0.into(),
        };
        (wire, tell)
    }

    /// What a person is taken to have meant within ten seconds.
    async fn meant(wire: &Wire) -> Vec<ButtonEvent> {
        let profile = profile("lcd-hat-1in3").unwrap().button.unwrap();
        let (mut button, edges) = Button::contact(Edge::Up);
        let mut seen = Vec::new();
        let ten = tokio::time::sleep(Duration::from_secs(10));
        tokio::select! {
            () = ten => {}
            _ = async {
                follow(&profile, wire, &edges).await;
                std::future::pending::<()>().await;
            } => {}
            () = async {
                loop {
                    let (_, event) = button.event().await;
                    seen.push(match event {
                        ButtonEvent::Holding { .. } => ButtonEvent::Stuck,
                        event => event,
                    });
                }
            } => {}
        }
        seen
    }

    /// Stands for the ring that fills, whose times differ.
    const RING: ButtonEvent = ButtonEvent::Stuck;

    #[tokio::test(start_paused = true)]
    async fn a_finger_whose_lifting_was_lost_does_not_unlink_the_box() {
        let (wire, tell) = wire(Edge::Up);
        tell.try_send((EdgeKind::Rising, Instant::now())).unwrap();
        let seen = meant(&wire).await;
        assert_eq!(seen.first(), Some(&ButtonEvent::Down));
        assert!(!seen.contains(&ButtonEvent::Held), "{seen:?}");
        assert!(wire.looks.get() <= 2, "an idle button is not looked at");
    }

    /// What is made of a contact that was closed for so long, when both its edges are read at once,
    /// so long after the first.
    async fn read_late(closed: Duration, after: Duration) -> Vec<ButtonEvent> {
        let (wire, tell) = wire(Edge::Up);
        let down = Instant::now();
        tokio::time::advance(after).await;
        tell.try_send((EdgeKind::Rising, down)).unwrap();
        tell.try_send((EdgeKind::Falling, down + closed)).unwrap();
        meant(&wire).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_press_that_is_read_late_and_all_at_once_is_a_press() {
        let seen = read_late(Duration::from_millis(120), Duration::from_secs(3)).await;
        assert_eq!(seen, [ButtonEvent::Down, ButtonEvent::Press]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_hold_that_was_given_up_and_is_read_late_does_not_unlink_the_box() {
        let seen = read_late(Duration::from_secs(3), Duration::from_secs(7)).await;
        assert_eq!(seen, [ButtonEvent::Down, RING, ButtonEvent::Cancelled]);
    }

    #[test]
    fn the_kernels_clock_is_the_one_that_moments_are_told_by() {
        let clock = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap();
        let before = Duration::from(clock) - Duration::from_millis(120);
        let began = Instant::now();
        let told = moment(u64::try_from(before.as_nanos()).unwrap());
        assert!(told < began, "it is in the past");
        // What passed since the clock was read is the only difference there can be.
        let ahead = told + Duration::from_millis(120);
        assert!(ahead <= Instant::now());
        assert!(moment(u64::MAX) <= Instant::now(), "never in the future");
    }

    #[tokio::test(start_paused = true)]
    async fn a_finger_that_stays_unlinks_it() {
        let (wire, tell) = wire(Edge::Down);
        tell.try_send((EdgeKind::Rising, Instant::now())).unwrap();
        let seen = meant(&wire).await;
        assert_eq!(seen, [ButtonEvent::Down, RING, ButtonEvent::Held]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_chip_that_goes_while_the_button_is_held_cancels_the_hold() {
        let (wire, tell) = wire(Edge::Down);
        tell.try_send((EdgeKind::Rising, Instant::now())).unwrap();
        let unplug = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            drop(tell);
        };
        let (seen, ()) = tokio::join!(meant(&wire), unplug);
        assert_eq!(seen, [ButtonEvent::Down, RING, ButtonEvent::Cancelled]);
    }
}
