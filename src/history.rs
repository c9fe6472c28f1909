//! The last 200 things that happened to the link, for whoever asks later: "why did it unlink?"
//! Owns its part of `log/`.
//!
//! Everything here comes from the one value from which screen, status and log speak, the watch of
//! [`Link`], and from the beginning and the end of the process. It is written only when something
//! happened, and a repeat becomes durable with somebody else's commit: losing it costs a count.
//!
//! A reset that deletes every key and message does not delete this, because the reset is just what
//! will be asked about. So nothing may ever come in here that tells of a person: events are words
//! from closed lists ([`words`]), times and the service's codes; never a number, a name or a text.
//!
//! It must never keep anybody waiting nor cost the link: a store that fails leaves the history in
//! memory, and the next note writes all of it.

mod log;
mod record;
mod seen;
mod stamp;
#[cfg(test)]
mod tests;
pub mod view;
pub mod words;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

pub use log::{Event, Row};
pub(crate) use record::Moment;
pub use stamp::{Stamp, Stamper};
pub use words::{Cause, Did, What};

use crate::inbox::ServiceClock;
use crate::outbox::Pending;
use crate::session::Link;
use crate::store::{Batch, Space, Store, StoreError};
use log::Log;
use seen::Seen;

/// Where the rows are, under their order as eight big-endian bytes.
const SPACE: &str = "history";

/// As many rows as a panel shows.
const GLANCE: usize = 5;

/// The history. Cheap to clone; every clone is the same list.
#[derive(Clone, Debug)]
pub struct History(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    space: Space,
    stamper: Stamper,
    latest: watch::Sender<Vec<Row>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    log: Log,
    /// The disk does not have it all: the next note writes every row.
    unwritten: bool,
}

impl History {
    /// Reads what earlier runs left in `store.log()`. `service` tells the time once it is sure.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(store: &Store, service: ServiceClock) -> Result<Self, StoreError> {
        let space = store.log().space(SPACE);
        let log = Log::new(rows(&space)?);
        let history = Self(Arc::new(Inner {
            store: store.clone(),
            space,
            stamper: Stamper::new(service),
            latest: watch::Sender::default(),
            state: Mutex::new(State {
                log,
                unwritten: false,
            }),
        }));
        history.publish(&history.state());
        Ok(history)
    }

    /// Every row, the latest last.
    pub fn rows(&self) -> Vec<Row> {
        let mut state = self.state();
        // What is learnt about the time now is written with the next note.
        if !state.log.redate(&self.0.stamper.now()).is_empty() {
            state.unwritten = true;
        }
        state.log.rows()
    }

    /// The latest few rows, the latest first, as they change.
    pub fn latest(&self) -> watch::Receiver<Vec<Row>> {
        self.0.latest.subscribe()
    }

    /// Stamps moments as this history does.
    pub fn stamper(&self) -> &Stamper {
        &self.0.stamper
    }

    /// Something happened. What happens for the first time in an hour is durable when this
    /// returns, unless the store fails, which is told in the log and no more.
    pub async fn note(&self, event: Event) {
        match self.write(event) {
            Ok(true) => {}
            Ok(false) => {
                if let Err(error) = self.0.store.log().commit().await {
                    self.unwritten(&error);
                }
            }
            Err(error) => self.unwritten(&error),
        }
    }

    /// `true` for a repeat.
    fn write(&self, event: Event) -> Result<bool, StoreError> {
        let mut state = self.state();
        let had_rows = state.log.latest().is_some();
        let noted = state.log.note(event, self.0.stamper.now());
        self.publish(&state);
        // A reset has deleted them all.
        state.unwritten |= had_rows && self.0.space.last()?.is_none();
        let all = if state.unwritten {
            state.log.rows()
        } else {
            noted.put
        };
        let mut batch = Batch::default();
        for order in noted.dropped {
            batch.delete(&self.0.space, &order.to_be_bytes());
        }
        for row in all {
            let key = row.order.to_be_bytes();
            batch.put(&self.0.space, &key, record::write(&row));
        }
        self.0.store.log().apply(batch)?;
        let repeat = noted.folded && !state.unwritten;
        state.unwritten = false;
        Ok(repeat)
    }

    /// The process came up. Tells how the last run ended, where it did not say so itself.
    pub async fn started(&self, set_aside: &[&str]) {
        let cut_off = {
            let state = self.state();
            let last = state.log.latest().map(|row| row.event.what);
            last.is_some_and(|what| what != What::Ended)
        };
        for name in set_aside {
            let cause = match *name {
                "link" => Cause::LinkDatabase,
                _ => Cause::LogDatabase,
            };
            let event = Event::new(What::StoreSetAside).because(cause);
            self.note(event.so(Did::BeganAfresh)).await;
        }
        let event = Event::new(What::Started);
        self.note(if cut_off {
            event.because(Cause::PowerCut)
        } else {
            event
        })
        .await;
    }

    /// The process is about to end, as it was told to or not.
    pub async fn ended(&self, asked: bool) {
        let cause = if asked { Cause::Asked } else { Cause::Failure };
        self.note(Event::new(What::Ended).because(cause)).await;
    }

    fn unwritten(&self, error: &StoreError) {
        // In the middle of a reset that is to be expected, and mended after it.
        if !matches!(error, StoreError::Closed) {
            tracing::warn!(%error, "the history is not written for now");
        }
        self.state().unwritten = true;
    }

    fn publish(&self, state: &State) {
        let rows = state.log.rows();
        let glance = rows.into_iter().rev().take(GLANCE).collect();
        self.0.latest.send_replace(glance);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the disk has, for a program that only reads.
///
/// # Errors
/// When the store cannot be read.
pub fn read(store: &Store) -> Result<Vec<Row>, StoreError> {
    Ok(Log::new(rows(&store.log().space(SPACE))?).rows())
}

fn rows(space: &Space) -> Result<Vec<Row>, StoreError> {
    let entries = space.scan_prefix(&[])?;
    let rows = entries.iter();
    Ok(rows
        .filter_map(|(key, value)| record::read(key, value))
        .collect())
}

/// Notes what becomes of the link, until the session is gone.
pub async fn follow(
    history: History,
    mut link: watch::Receiver<Link>,
    mut outbox: watch::Receiver<Pending>,
) {
    let mut seen = Seen::default();
    let mut limited = outbox.borrow_and_update().limited;
    loop {
        let events = {
            let link = link.borrow_and_update();
            let stamp = history.stamper().now();
            seen.take(&link, Instant::now(), &stamp)
        };
        for event in events {
            history.note(event).await;
        }
        let now_limited = outbox.borrow_and_update().limited;
        if now_limited != limited {
            limited = now_limited;
            history.note(sending(limited)).await;
        }
        let changed = tokio::select! {
            changed = link.changed() => changed,
            changed = outbox.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

fn sending(limited: bool) -> Event {
    match limited {
        true => Event::new(What::SendingLimited)
            .because(Cause::TooManyStrangers)
            .so(Did::HoldsBack),
        false => Event::new(What::SendingFree),
    }
}
