//! The button's door. A [`PhysicalEdge`] can be made in this room only, from a contact a finger
//! can reach; a [`RemotePress`] comes from a [`RemoteButton`], which only boards without a real
//! button hand out. There is no way from the one to the other.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::press::{ButtonEvent, ButtonMachine, Edge, Timing};
use crate::waiting::until;

/// Edges and presses that may wait while the panel draws.
const WAITING: usize = 64;
/// The longest press the network may ask for.
const LONGEST: Duration = Duration::from_secs(30);

/// An edge of a contact that a finger can reach.
#[derive(Debug)]
pub struct PhysicalEdge {
    key: Key,
    edge: Edge,
    at: Instant,
}

/// Which contact of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hardware) enum Key {
    /// The button.
    Main,
    /// Turns to the next page.
    Next,
    /// Turns a page back.
    Back,
}

impl PhysicalEdge {
    pub(in crate::hardware) fn now(edge: Edge) -> Self {
        Self::at(Key::Main, edge, Instant::now())
    }

    pub(in crate::hardware) fn at(key: Key, edge: Edge, at: Instant) -> Self {
        Self { key, edge, at }
    }
}

/// A press that came over the network.
#[derive(Debug)]
pub struct RemotePress {
    hold: Duration,
}

/// The right to press a board's button over the network.
#[derive(Clone, Debug)]
pub struct RemoteButton(mpsc::Sender<RemotePress>);

/// Nobody listens to the button any more, or too many presses wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the button takes no more presses")]
pub struct RemoteGone;

impl RemoteButton {
    /// Presses the button for so long (30 s at most).
    ///
    /// # Errors
    /// When too many presses wait, or the panel has ended.
    pub fn press(&self, hold: Duration) -> Result<(), RemoteGone> {
        let hold = hold.min(LONGEST);
        self.0
            .try_send(RemotePress { hold })
            .map_err(|_| RemoteGone)
    }
}

/// Whose finger it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Somebody stood before the box.
    Physical,
    /// It came over the network.
    Remote,
}

/// What the panel reads presses from.
#[derive(Debug)]
pub struct Button {
    edges: Option<mpsc::Receiver<PhysicalEdge>>,
    physical: ButtonMachine,
    /// What was found when the button was first looked at.
    first: Option<ButtonEvent>,
    presses: Option<mpsc::Receiver<RemotePress>>,
    remote: ButtonMachine,
    /// When the remote press under way is let go.
    lift: Option<Instant>,
}

impl Button {
    /// A contact that was up or down when it was first read, and the end its edges go into.
    pub(in crate::hardware) fn contact(first: Edge) -> (Self, mpsc::Sender<PhysicalEdge>) {
        let (sender, edges) = mpsc::channel(WAITING);
        (Self::new(Some(edges), first, None), sender)
    }

    /// No contact at all.
    pub(in crate::hardware) fn remote_only() -> (Self, RemoteButton) {
        let (sender, presses) = mpsc::channel(WAITING);
        (
            Self::new(None, Edge::Up, Some(presses)),
            RemoteButton(sender),
        )
    }

    /// A contact of a keyboard, and presses over the network beside it.
    pub(in crate::hardware) fn keyboard() -> (Self, mpsc::Sender<PhysicalEdge>, RemoteButton) {
        let (mut button, edges) = Self::contact(Edge::Up);
        let (sender, presses) = mpsc::channel(WAITING);
        button.presses = Some(presses);
        (button, edges, RemoteButton(sender))
    }

    fn new(
        edges: Option<mpsc::Receiver<PhysicalEdge>>,
        first: Edge,
        presses: Option<mpsc::Receiver<RemotePress>>,
    ) -> Self {
        let (physical, first) = ButtonMachine::new(Timing::default(), first);
        let (remote, _) = ButtonMachine::new(Timing::default(), Edge::Up);
        Self {
            edges,
            physical,
            first,
            presses,
            remote,
            lift: None,
        }
    }

    /// The next thing a person did. Dropping the future loses nothing. Never returns where there
    /// is nothing to press.
    pub async fn event(&mut self) -> (Source, ButtonEvent) {
        if let Some(event) = self.first.take() {
            return (Source::Physical, event);
        }
        loop {
            let due = [self.physical.deadline(), self.remote.deadline(), self.lift];
            let due = due.into_iter().flatten().min();
            // The next one waits until the one before has been let go of and has settled.
            let idle = self.lift.is_none() && self.remote.deadline().is_none();
            // What a finger did comes before what time has made of it: nobody may have listened
            // for a while, and a hold that ended meanwhile is none.
            tokio::select! {
                biased;
                edge = receive(&mut self.edges) => {
                    let event = match (edge.key, edge.edge) {
                        (Key::Main, level) => self.physical.edge(level, edge.at),
                        (Key::Next, Edge::Down) => Some(ButtonEvent::Next),
                        (Key::Back, Edge::Down) => Some(ButtonEvent::Back),
                        (Key::Next | Key::Back, Edge::Up) => None,
                    };
                    if let Some(event) = event {
                        return (Source::Physical, event);
                    }
                }
                press = receive(&mut self.presses), if idle => {
                    let now = Instant::now();
                    self.lift = Some(now + press.hold);
                    if let Some(event) = self.remote.edge(Edge::Down, now) {
                        return (Source::Remote, event);
                    }
                }
                () = until(due) => {
                    let now = Instant::now();
                    if let Some(event) = self.physical.poll(now) {
                        return (Source::Physical, event);
                    }
                    let event = match self.lift.take_if(|lift| *lift <= now) {
                        Some(lift) => self.remote.edge(Edge::Up, lift),
                        None => self.remote.poll(now),
                    };
                    if let Some(event) = event {
                        return (Source::Remote, event);
                    }
                }
            }
        }
    }
}

/// The next value; waits for ever where there is no sender (any more).
async fn receive<T>(receiver: &mut Option<mpsc::Receiver<T>>) -> T {
    if let Some(open) = receiver {
        if let Some(value) = open.recv().await {
            return value;
        }
        *receiver = None;
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_press_over_the_network_reads_like_one_and_says_so() {
        let (mut button, remote) = Button::remote_only();
        remote.press(Duration::from_millis(120)).unwrap();
        assert_eq!(button.event().await, (Source::Remote, ButtonEvent::Down));
        assert_eq!(button.event().await, (Source::Remote, ButtonEvent::Press));
    }

    #[tokio::test(start_paused = true)]
    async fn five_seconds_over_the_network_are_a_hold() {
        let (mut button, remote) = Button::remote_only();
        remote.press(Duration::from_millis(5200)).unwrap();
        assert_eq!(button.event().await.1, ButtonEvent::Down);
        assert!(matches!(
            button.event().await.1,
            ButtonEvent::Holding { .. }
        ));
        assert_eq!(button.event().await.1, ButtonEvent::Held);
        assert_eq!(button.event().await.1, ButtonEvent::Released);
    }

    #[tokio::test(start_paused = true)]
    async fn presses_that_come_at_once_are_made_one_after_the_other() {
        let (mut button, remote) = Button::remote_only();
        remote.press(Duration::from_millis(100)).unwrap();
        remote.press(Duration::from_millis(100)).unwrap();
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(button.event().await.1);
        }
        use ButtonEvent::{Down, Press};
        assert_eq!(seen, [Down, Press, Down, Press]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_press_that_nobody_listened_to_for_seconds_is_still_a_press() {
        use ButtonEvent::{Down, Press};
        // Often, because what is ready at the same time could be taken in any order.
        for _ in 0..50 {
            let (mut button, edges) = Button::contact(Edge::Up);
            edges.try_send(PhysicalEdge::now(Edge::Down)).unwrap();
            assert_eq!(button.event().await.1, Down);
            tokio::time::advance(Duration::from_millis(120)).await;
            edges.try_send(PhysicalEdge::now(Edge::Up)).unwrap();
            tokio::time::advance(Duration::from_secs(7)).await;
            assert_eq!(button.event().await.1, Press);
            let (mut button, remote) = Button::remote_only();
            remote.press(Duration::from_millis(120)).unwrap();
            assert_eq!(button.event().await.1, Down);
            tokio::time::advance(Duration::from_secs(7)).await;
            assert_eq!(button.event().await.1, Press);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_contact_that_is_down_at_start_is_named() {
        let (mut button, edges) = Button::contact(Edge::Down);
        assert_eq!(button.event().await, (Source::Physical, ButtonEvent::Stuck));
        edges.try_send(PhysicalEdge::now(Edge::Up)).unwrap();
        assert_eq!(
            button.event().await,
            (Source::Physical, ButtonEvent::Released)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn another_button_is_told_once_a_press_and_does_not_disturb_a_hold() {
        let (mut button, edges) = Button::contact(Edge::Up);
        for (key, edge) in [
            (Key::Main, Edge::Down),
            (Key::Next, Edge::Down),
            (Key::Next, Edge::Up),
            (Key::Back, Edge::Down),
        ] {
            edges
                .try_send(PhysicalEdge::at(key, edge, Instant::now()))
                .unwrap();
        }
        let expected = [ButtonEvent::Down, ButtonEvent::Next, ButtonEvent::Back];
        for event in expected {
            assert_eq!(button.event().await, (Source::Physical, event));
        }
        let holding = button.event().await.1;
        assert!(matches!(holding, ButtonEvent::Holding { .. }));
        assert_eq!(button.event().await.1, ButtonEvent::Held);
    }
}
