//! The bounded way from the protocol crate's synchronous handler to the dispatcher.
//!
//! What comes through here is told once and never again, and the handler cannot wait. So when the
//! queue is full the loss is remembered, and the dispatcher is told to check what it was waiting
//! for ([`Event::Recheck`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::Event;
use crate::message::Incoming;

/// Acks and receipts of the largest backlog the outbox may hold, twice over.
const LONGEST: usize = 2048;

/// The handler's end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Queue {
    entries: mpsc::Sender<Event>,
    overflowed: Arc<AtomicBool>,
}

/// The dispatcher's end.
#[derive(Debug)]
pub struct Pump {
    entries: mpsc::Receiver<Event>,
    overflowed: Arc<AtomicBool>,
    events: mpsc::Sender<Event>,
}

/// A queue whose entries [`Pump::run`] moves on to `events`.
pub fn queue(events: mpsc::Sender<Event>) -> (Queue, Pump) {
    let (sender, receiver) = mpsc::channel(LONGEST);
    let overflowed = Arc::new(AtomicBool::new(false));
    let queue = Queue {
        entries: sender,
        overflowed: overflowed.clone(),
    };
    let pump = Pump {
        entries: receiver,
        overflowed,
        events,
    };
    (queue, pump)
}

impl Queue {
    /// Hands an event over, or remembers that one was lost.
    pub fn offer(&self, event: Event) {
        if self.entries.try_send(event).is_err() && !self.overflowed.swap(true, Ordering::AcqRel) {
            tracing::warn!("the dispatcher is too slow; it will check its entries again");
        }
    }

    /// Hands messages over that come past the durability hook: the protocol crate does not wait
    /// for them to be stored, so nobody hears whether they are.
    pub fn offer_messages(&self, batch: Vec<Incoming>) {
        if !batch.is_empty() {
            let (durable, _) = oneshot::channel();
            self.offer(Event::Messages { batch, durable });
        }
    }
}

impl Pump {
    /// Moves entries on until nobody is left to put one in, or to take one.
    pub async fn run(mut self) {
        while let Some(event) = self.entries.recv().await {
            if self.events.send(event).await.is_err() {
                return;
            }
            // An overflow means that entries are waiting, so this is reached after each.
            if self.overflowed.swap(false, Ordering::AcqRel)
                && self.events.send(Event::Recheck).await.is_err()
            {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::message::MessageId;

    fn ack() -> Event {
        Event::Ack {
            id: MessageId("3EB0AA".to_owned()),
            error: None,
        }
    }

    #[tokio::test]
    async fn an_overflow_is_told_once() {
        let (events, mut told) = mpsc::channel(LONGEST * 2);
        let (queue, pump) = queue(events);
        for _ in 0..LONGEST + 5 {
            queue.offer(ack());
        }
        drop(queue);
        pump.run().await;
        let (mut acks, mut rechecks) = (0, 0);
        while let Some(event) = told.recv().await {
            match event {
                Event::Ack { .. } => acks += 1,
                Event::Recheck => rechecks += 1,
                Event::Messages { .. } | Event::Receipt { .. } | Event::Online { .. } => {
                    panic!("never offered")
                }
            }
        }
        assert_eq!((acks, rechecks), (LONGEST, 1));
    }

    #[tokio::test]
    async fn nothing_is_told_of_no_messages() {
        let (events, mut told) = mpsc::channel(4);
        let (queue, pump) = queue(events);
        queue.offer_messages(Vec::new());
        queue.offer(ack());
        drop(queue);
        pump.run().await;
        assert!(matches!(told.recv().await, Some(Event::Ack { .. })));
        assert!(told.recv().await.is_none());
    }
}
