//! Everything that can come in from outside while the loop is at something: orders, the end, a
//! panic elsewhere; and the answers that orders get when there is nothing else to say.

use anyhow::bail;
use tokio::sync::{mpsc, oneshot, watch};

use crate::session::{Order, PasskeyError, SendError};

/// The ways in.
pub struct Doors {
    orders: mpsc::Receiver<Order>,
    /// Nobody is left to give an order. The link is kept all the same.
    deserted: bool,
    /// Becomes true when the process is to end.
    pub stop: watch::Receiver<bool>,
    panicked: watch::Receiver<Option<String>>,
}

/// What came in.
pub enum Happening {
    /// Somebody wants something.
    Order(Order),
    /// The process is to end.
    Stop,
}

impl Doors {
    /// Open from the start.
    pub fn new(
        orders: mpsc::Receiver<Order>,
        stop: watch::Receiver<bool>,
        panicked: watch::Receiver<Option<String>>,
    ) -> Self {
        Self {
            orders,
            deserted: false,
            stop,
            panicked,
        }
    }

    /// The next thing that comes in; an error if a task of the protocol crate panicked. May be
    /// dropped at any time without losing anything.
    pub async fn next(&mut self) -> anyhow::Result<Happening> {
        loop {
            tokio::select! {
                biased;
                panicked = self.panicked.wait_for(Option::is_some) => {
                    let words = panicked.ok().and_then(|words| words.clone());
                    bail!("a task of the protocol panicked: {}", words.unwrap_or_default());
                }
                _ = self.stop.wait_for(|stop| *stop) => return Ok(Happening::Stop),
                order = self.orders.recv(), if !self.deserted => match order {
                    Some(order) => return Ok(Happening::Order(order)),
                    None => self.deserted = true,
                },
            }
        }
    }
}

/// Whoever gave the order may have gone.
pub fn done(answer: oneshot::Sender<()>) {
    let _ = answer.send(());
}

/// Nothing can be sent now.
pub fn offline(answer: oneshot::Sender<Result<(), SendError>>) {
    let _ = answer.send(Err(SendError::Offline));
}

/// Nobody asked for a passkey.
pub fn not_wanted(answer: oneshot::Sender<Result<(), PasskeyError>>) {
    let _ = answer.send(Err(PasskeyError::NotWanted));
}
