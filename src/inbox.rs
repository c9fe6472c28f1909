//! The durable, ordered, de-duplicated log of what arrived. Owns its part of `log/`.
//!
//! [`Inbox::append`] returns once a batch is on disk; readers keep a cursor of their own and pull
//! with [`Inbox::after`], told by [`Inbox::watch`] that there is more. A message is known by chat,
//! author and id, under every name the service gave to chat and author, so that a redelivery under
//! a LID is recognised as the message that came under a number.
//!
//! A placeholder for a message that could not be decrypted is *replaced* when the message itself
//! arrives: the placeholder's entry goes, and the message gets the next [`Seq`]. A reader that had
//! passed the placeholder sees the same id again, as an update; one that had not sees it once.
//!
//! Bounded by number, size and age (by the service's clock); the oldest entries go while new ones
//! are appended, never on a timer. What is needed to recognise a redelivery outlives its entry by
//! [`Settings::remember`] further messages.
//!
//! Nothing about the log's end is cached: after the store was reset beneath it, the next append
//! begins at 1 again. It must never publish a position that a power cut could take back, except to
//! a reader that loses its own conclusions with it ([`Inbox::after_written`]).

mod account;
mod clock;
mod daily;
#[cfg(test)]
pub(crate) mod fixtures;
mod names;
mod record;
mod retention;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};

pub use clock::ServiceClock;
pub use daily::{Daily, Day};

use crate::message::{Body, ChatKind, Incoming, Seq, ServerTime};
use crate::store::{Batch, Database, Space, Store, StoreError};
use names::Names;
use record::{KeyRow, Meta, Record};

/// Messages written in one change. The store's library keeps every page that a change replaces
/// until the change is over: 400 messages of a backlog at once cost it tens of megabytes.
const PORTION: usize = 16;

/// How much the inbox keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Messages kept at most.
    pub max_messages: u64,
    /// Bytes of records kept at most.
    pub max_bytes: u64,
    /// Age at which a message goes, measured from the newest message by the service's clock.
    pub max_age: Duration,
    /// How many messages beyond the kept ones are still recognised when they are redelivered.
    pub remember: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_messages: 20_000,
            max_bytes: 32 << 20,
            max_age: Duration::from_secs(30 * 24 * 3600),
            remember: 50_000,
        }
    }
}

/// What an append came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Messages that got a [`Seq`], those that replaced a placeholder included.
    pub new: usize,
    /// Messages that were there already.
    pub duplicates: usize,
    /// The greatest position there is.
    pub last: Seq,
}

/// The inbox. Cheap to clone; every clone is the same log.
#[derive(Clone, Debug)]
pub struct Inbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    log: Database,
    /// Seq, big-endian, to [`Record`].
    messages: Space,
    /// A message's key to [`KeyRow`].
    keys: Space,
    /// Seq of a message that went to the keys it left behind.
    gone: Space,
    meta: Space,
    account: Space,
    names: Names,
    settings: Settings,
    clock: ServiceClock,
    last: watch::Sender<Seq>,
    /// The last position that is written, durable or not.
    written: watch::Sender<Seq>,
    /// One append at a time, so that positions are published in their order.
    turn: Mutex<()>,
}

impl Inbox {
    /// Takes its place in `store.log()`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(
        store: &Store,
        settings: Settings,
        clock: ServiceClock,
    ) -> Result<Self, StoreError> {
        let log = store.log();
        let inbox = Self(Arc::new(Inner {
            log: log.clone(),
            messages: log.space("inbox.message"),
            keys: log.space("inbox.key"),
            gone: log.space("inbox.gone"),
            meta: log.space("inbox.meta"),
            account: log.space("inbox.account"),
            names: Names::new(log.space("inbox.name")),
            settings,
            clock,
            last: watch::Sender::new(Seq(0)),
            written: watch::Sender::new(Seq(0)),
            turn: Mutex::new(()),
        }));
        inbox.refresh()?;
        Ok(inbox)
    }

    /// Stores what is new, in order, and returns once all of it would survive a power cut. A
    /// batch of duplicates is committed too: the first copy may have been written by an append
    /// whose commit failed.
    ///
    /// # Errors
    /// When the store cannot write; then nothing may be acknowledged, and appending the same
    /// messages again is right.
    pub async fn append(&self, batch: &[Incoming]) -> Result<Appended, StoreError> {
        let _turn = self.0.turn.lock().await;
        let mut appended = Appended::default();
        for portion in batch.chunks(PORTION) {
            let next = self.write(portion)?;
            appended.new += next.new;
            appended.duplicates += next.duplicates;
            appended.last = next.last;
        }
        if batch.is_empty() {
            appended.last = Seq(self.meta()?.last);
        }
        advance(&self.0.written, appended.last);
        // Whoever follows what is written has its turn here, so that one sync serves both.
        tokio::task::yield_now().await;
        self.0.log.commit().await?;
        advance(&self.0.last, appended.last);
        Ok(appended)
    }

    /// Up to `most` messages behind `cursor`, in order. Positions may be missing: a placeholder
    /// that was replaced, or messages too old to be kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn after(&self, cursor: Seq, most: usize) -> Result<Vec<(Seq, Incoming)>, StoreError> {
        let durable = *self.0.last.borrow();
        self.between(cursor, durable, most)
    }

    /// [`Self::after`], with what is written and not durable yet. For a reader that keeps cursor
    /// and conclusions in the same database and commits them before anybody hears of them: that
    /// commit covers the messages too, and what a power cut takes it takes from both.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn after_written(
        &self,
        cursor: Seq,
        most: usize,
    ) -> Result<Vec<(Seq, Incoming)>, StoreError> {
        let written = *self.0.written.borrow();
        self.between(cursor, written, most)
    }

    fn between(
        &self,
        cursor: Seq,
        end: Seq,
        most: usize,
    ) -> Result<Vec<(Seq, Incoming)>, StoreError> {
        let from = cursor.0.saturating_add(1).to_be_bytes();
        let mut found = Vec::new();
        for (key, value) in self.0.messages.scan(&from, most)? {
            let Some(seq) = record::seq(&key).filter(|seq| *seq <= end) else {
                break;
            };
            match Record::read(&value) {
                Some(record) => found.push((seq, record.into_incoming())),
                None => tracing::error!(seq = seq.0, "skipping an unreadable inbox record"),
            }
        }
        Ok(found)
    }

    /// The last durable position. Goes back to a small one after a reset.
    pub fn watch(&self) -> watch::Receiver<Seq> {
        self.0.last.subscribe()
    }

    /// The last position of [`Self::after_written`]. A power cut may take it back.
    pub fn watch_written(&self) -> watch::Receiver<Seq> {
        self.0.written.subscribe()
    }

    /// What is known of the service's time, fed by every append.
    pub fn clock(&self) -> &ServiceClock {
        &self.0.clock
    }

    /// How many messages people have sent today, for as long as the account was linked; `None`
    /// while nobody knows what day it is.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn received_today(&self) -> Result<Option<u64>, StoreError> {
        let Some(today) = self.0.clock.today() else {
            return Ok(None);
        };
        let daily = self.meta()?.received.unwrap_or_default();
        Ok(Some(daily.on(today)))
    }

    /// Publishes the log's end anew. To be called after the store was reset.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn refresh(&self) -> Result<(), StoreError> {
        let last = Seq(self.meta()?.last);
        advance(&self.0.written, last);
        advance(&self.0.last, last);
        Ok(())
    }

    fn meta(&self) -> Result<Meta, StoreError> {
        match self.0.meta.get(record::META)? {
            None => Ok(Meta::fresh()),
            Some(bytes) => match Meta::read(&bytes) {
                Some(meta) => Ok(meta),
                None => retention::recount(&self.0),
            },
        }
    }

    fn write(&self, batch: &[Incoming]) -> Result<Appended, StoreError> {
        let inner = &*self.0;
        let mut meta = self.meta()?;
        let mut changes = Batch::default();
        let mut names = inner.names.session(Seq(meta.last));
        let mut fresh: HashMap<Vec<u8>, KeyRow> = HashMap::new();
        let mut replaced = Vec::new();
        let mut appended = Appended::default();
        for message in batch {
            let message = names.complete(message)?;
            let keys = names::keys(&message);
            let known = match keys.iter().find_map(|key| fresh.get(key)) {
                Some(row) => Some(*row),
                None => self.known(&keys)?,
            };
            // What comes again, or was recovered later, says nothing about the present.
            let live = !message.offline && known.is_none();
            inner.clock.observe(message.sent_at, live);
            let is_placeholder = message.body == Body::Undecryptable;
            if let Some(row) = known {
                if !row.placeholder || is_placeholder {
                    appended.duplicates += 1;
                    continue;
                }
                // One written by this very batch is not in the store yet, but counted already.
                let size = match inner.messages.get(&row.seq.to_be_bytes())? {
                    Some(old) => Some(old.len()),
                    None => fresh
                        .values()
                        .any(|written| written.seq == row.seq)
                        .then_some(row.size as usize),
                };
                if let Some(size) = size {
                    changes.delete(&inner.messages, &row.seq.to_be_bytes());
                    replaced.push(Seq(row.seq));
                    meta.shrink(size);
                }
            }
            meta.last += 1;
            let record = Record::of(&message).bytes();
            let row = KeyRow {
                seq: meta.last,
                placeholder: is_placeholder,
                size: if is_placeholder {
                    record.len() as u64
                } else {
                    0
                },
            };
            for key in keys {
                changes.put(&inner.keys, &key, row.bytes());
                fresh.insert(key, row);
            }
            meta.grow(record.len(), message.sent_at);
            if known.is_none() && counts(&message) {
                let daily = meta.received.get_or_insert_default();
                daily.add(1, inner.clock.today());
            }
            changes.put(&inner.messages, &meta.last.to_be_bytes(), record);
            appended.new += 1;
        }
        if appended.new > 0 {
            names.write(&mut changes);
            retention::prune(
                inner,
                &mut meta,
                batch.len(),
                &replaced,
                &fresh,
                &mut changes,
            )?;
            changes.put(&inner.meta, record::META, meta.bytes());
            inner.log.apply(changes)?;
        }
        appended.last = Seq(meta.last);
        Ok(appended)
    }

    fn known(&self, keys: &[Vec<u8>]) -> Result<Option<KeyRow>, StoreError> {
        for key in keys {
            if let Some(row) = self.0.keys.get(key)?.and_then(|v| KeyRow::read(&v)) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }
}

fn advance(place: &watch::Sender<Seq>, last: Seq) {
    place.send_if_modified(|seen| std::mem::replace(seen, last) != last);
}

/// Somebody else wrote it to the owner: no channel, no status.
fn counts(message: &Incoming) -> bool {
    !message.from_me && matches!(message.chat.kind(), ChatKind::Direct | ChatKind::Group)
}

/// Older than `age` when `newest` is the present.
fn is_older(at: ServerTime, age: Duration, newest: i64) -> bool {
    let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
    at.0.saturating_add(age) < newest
}
