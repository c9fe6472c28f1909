//! Everything that can come in from outside while the loop is at something: orders, the end, a
//! panic elsewhere.

use anyhow::bail;
use tokio::sync::{mpsc, watch};

use crate::session::Order;

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
