//! The durable queue of what is to be sent, and how far each draft has come. Owns its part of
//! `log/`.
//!
//! A draft is on disk before [`Outbox::enqueue`] returns. It is sent under its own id until the
//! service acknowledges it; a second sending carries the same id, so phones drop the duplicate.
//! An id is taken once: queueing it again changes nothing and tells how far it has come. Finished
//! drafts are remembered, without their text, until [`Settings::keep_finished`] newer ones have
//! finished.
//!
//! An acknowledgement is written at once and becomes durable with the next commit: losing it costs
//! a second sending that no person sees. A refusal for good becomes durable the same way.
//!
//! What is not sent any more is kept as failed, under a code of our own: `expired` after
//! [`Settings::max_age`], `other_account` when the box was linked to another number meanwhile,
//! `unsendable` when no stanza can be made of it.
//!
//! A draft goes to the session as soon as it is written, so that it is encrypted while the disk syncs,
//! and carries a [`Release`] that is given once it is durable.
//!
//! It must never let a draft onto the wire that is not durable, nor reorder one chat's drafts.

mod deliver;
mod giving_up;
mod ledger;
mod plan;
mod record;
mod refusal;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

pub use deliver::deliver;
pub use settings::{Pacing, Settings};

use crate::inbox::ServiceClock;
use crate::message::{Delivery, Draft, MessageId};
#[cfg(doc)]
use crate::session::Release;
use crate::store::{Batch, Database, Space, Store, StoreError};
use plan::Flights;
use record::{Entry, QueueRow, State};
use refusal::Verdict;

/// How the queue stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Waiting to be sent or acknowledged.
    pub pending: u64,
    /// Refused for good or given up, of those still remembered.
    pub failed: u64,
    /// Taken by the service, ever since the queue began: it only grows, but for a reset.
    pub sent: u64,
    /// The latest verdict of the service on what was sent was that this account writes to too
    /// many strangers (463, 475).
    pub limited: bool,
}

/// What queueing a draft came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// It is queued now.
    New,
    /// Its id was known; nothing changed.
    Known(Delivery),
}

/// Why a draft was not queued.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// Too much is waiting already.
    #[error("the outbox is full: {pending} messages wait; try again when some have been sent")]
    Full {
        /// How many drafts wait.
        pending: u64,
    },
    /// No message may be this long.
    #[error("the text has {bytes} bytes; {MAX_TEXT} is the most")]
    TooLong {
        /// The text's size.
        bytes: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The longest text the service takes, in bytes.
pub const MAX_TEXT: usize = 65_536;

/// The outbox. Cheap to clone; every clone is the same queue.
#[derive(Clone, Debug)]
pub struct Outbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    log: Database,
    /// Id to [`Entry`].
    entries: Space,
    /// Order, big-endian, to [`QueueRow`]: what is pending.
    queue: Space,
    /// Order of finishing, big-endian, to id.
    finished: Space,
    /// Chats written to before, and the same in the order they were first written to.
    chats: Space,
    chats_by_age: Space,
    meta: Space,
    settings: Settings,
    clock: ServiceClock,
    pending: watch::Sender<Pending>,
    /// Up to which writing of drafts everything is durable. Counts in this process, and only up.
    synced: watch::Sender<u64>,
    /// Held for every read-change-write of the spaces above.
    state: Mutex<Live>,
    wake: Notify,
}

/// What is true of this process only.
#[derive(Debug, Default)]
struct Live {
    flights: Flights,
    /// The order of the newest draft that was applied, and of the newest that is durable.
    applied: u64,
    durable: u64,
    /// Batches with drafts that were written, in this process.
    written: u64,
}

/// Drafts that are in a batch but not applied yet. Nobody else changes the outbox while it lives.
#[derive(Debug)]
pub struct Staged<'a> {
    outbox: &'a Outbox,
    live: MutexGuard<'a, Live>,
    last_order: u64,
    enqueued: Vec<Enqueued>,
}

impl Staged<'_> {
    /// What became of each draft, in their order.
    pub fn enqueued(&self) -> &[Enqueued] {
        &self.enqueued
    }

    /// Applies the batch the drafts were staged in. [`Outbox::commit`] must follow: nothing is
    /// written to the wire before that.
    ///
    /// # Errors
    /// When the store cannot write; then nothing of the batch was written.
    pub fn apply(mut self, batch: Batch) -> Result<Vec<Enqueued>, StoreError> {
        self.outbox.0.log.apply(batch)?;
        if self.live.applied != self.last_order {
            self.live.applied = self.last_order;
            self.live.written += 1;
            self.outbox.0.wake.notify_one();
        }
        Ok(self.enqueued)
    }
}

impl Outbox {
    /// Takes its place in `store.log()`. `clock` tells how long a draft has waited.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(
        store: &Store,
        settings: Settings,
        clock: ServiceClock,
    ) -> Result<Self, StoreError> {
        let log = store.log();
        let outbox = Self(Arc::new(Inner {
            log: log.clone(),
            entries: log.space("outbox.entry"),
            queue: log.space("outbox.queue"),
            finished: log.space("outbox.finished"),
            chats: log.space("outbox.chat"),
            chats_by_age: log.space("outbox.chat_age"),
            meta: log.space("outbox.meta"),
            settings,
            clock,
            pending: watch::Sender::new(Pending::default()),
            synced: watch::Sender::new(0),
            state: Mutex::default(),
            wake: Notify::new(),
        }));
        outbox.refresh()?;
        Ok(outbox)
    }

    /// Queues a draft; durable when this returns, whether it is new or was known.
    ///
    /// # Errors
    /// When the queue is full, the text too long, or the store fails.
    pub async fn enqueue(&self, draft: &Draft) -> Result<Enqueued, OutboxError> {
        let enqueued = {
            let mut batch = Batch::default();
            let staged = self.stage(std::slice::from_ref(draft), &mut batch)?;
            staged.apply(batch)?
        };
        self.commit().await?;
        Ok(enqueued.into_iter().next().unwrap_or(Enqueued::New))
    }

    /// Puts drafts into a batch that carries something of the caller's as well, all of them or
    /// none. To be followed by [`Staged::apply`] and [`Self::commit`].
    ///
    /// # Errors
    /// When the queue has no room for all of them, a text is too long, or the store fails.
    pub fn stage(&self, drafts: &[Draft], batch: &mut Batch) -> Result<Staged<'_>, OutboxError> {
        let live = self.live();
        let queued_at = self.0.clock.sure();
        let mut meta = self.meta()?;
        let mut changes = Vec::new();
        let mut enqueued = Vec::new();
        let mut seen = HashSet::new();
        for draft in drafts {
            if draft.text.len() > MAX_TEXT {
                let bytes = draft.text.len();
                return Err(OutboxError::TooLong { bytes });
            }
            if let Some(entry) = self.entry(&draft.id)? {
                enqueued.push(Enqueued::Known(entry.delivery()));
                continue;
            }
            if !seen.insert(&draft.id) {
                enqueued.push(Enqueued::Known(Delivery::Pending));
                continue;
            }
            meta.pending += 1;
            meta.pending_bytes += draft.text.len() as u64;
            let settings = &self.0.settings;
            if meta.pending > settings.max_pending || meta.pending_bytes > settings.max_bytes {
                let pending = self.meta()?.pending;
                return Err(OutboxError::Full { pending });
            }
            meta.last_order += 1;
            changes.push((
                Entry::of(draft, meta.last_order, queued_at),
                QueueRow::of(draft),
            ));
            enqueued.push(Enqueued::New);
        }
        for (entry, row) in &changes {
            batch.put(&self.0.entries, entry.id.as_bytes(), entry.bytes());
            batch.put(&self.0.queue, &entry.order.to_be_bytes(), row.bytes());
        }
        if !changes.is_empty() {
            batch.put(&self.0.meta, record::META, meta.bytes());
        }
        Ok(Staged {
            outbox: self,
            live,
            last_order: meta.last_order,
            enqueued,
        })
    }

    /// Makes everything applied so far durable, tells it to the watchers, and lets it be sent.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn commit(&self) -> Result<(), StoreError> {
        let (applied, written) = {
            let live = self.live();
            (live.applied, live.written)
        };
        self.0.log.commit().await?;
        self.0.synced.send_if_modified(|synced| {
            let news = written > *synced;
            *synced = written.max(*synced);
            news
        });
        let mut live = self.live();
        live.durable = live.durable.max(applied);
        drop(live);
        self.publish()
    }

    /// The service answered a message that was sent: it has it, or refused it with a code. Ids
    /// the outbox does not know are ignored. `true` when something changed that the next commit
    /// makes durable.
    ///
    /// # Errors
    /// When the store fails.
    pub fn acked(&self, id: &MessageId, refusal: Option<&str>) -> Result<bool, StoreError> {
        let mut live = self.live();
        let Some(mut entry) = self.entry(id)? else {
            return Ok(false);
        };
        let next = match refusal {
            None if matches!(entry.state(), State::Pending | State::Failed) => State::Sent,
            Some(code) if entry.state() == State::Pending => {
                match refusal::judge(code, entry.refusals, Instant::now()) {
                    Verdict::Final => {
                        entry.code = code.to_owned();
                        State::Failed
                    }
                    Verdict::Again { at, everything } => {
                        tracing::warn!(code, "the service refused a message for now");
                        entry.refusals += 1;
                        live.flights.hold(id, at, everything);
                        let mut batch = Batch::default();
                        batch.put(&self.0.entries, id.0.as_bytes(), entry.bytes());
                        self.0.log.apply(batch)?;
                        self.0.wake.notify_one();
                        return Ok(true);
                    }
                }
            }
            _ => return Ok(false),
        };
        self.settle(&mut live, entry, next)?;
        drop(live);
        self.publish()?;
        Ok(true)
    }

    /// The recipient's devices have these messages, or the recipient opened them. A receipt is an
    /// acknowledgement too: what a device has, the service had. `true` as in [`Self::acked`].
    ///
    /// # Errors
    /// When the store fails.
    pub fn receipt(&self, ids: &[MessageId], read: bool) -> Result<bool, StoreError> {
        let next = if read { State::Read } else { State::Delivered };
        let mut changed = false;
        for id in ids {
            let mut live = self.live();
            if let Some(entry) = self.entry(id)?
                && entry.state().rank() < next.rank()
            {
                self.settle(&mut live, entry, next)?;
                changed = true;
            }
        }
        if changed {
            self.publish()?;
        }
        Ok(changed)
    }

    /// How far a draft has come; `None` for one never queued, or forgotten.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn delivery(&self, id: &MessageId) -> Result<Option<Delivery>, StoreError> {
        Ok(self.entry(id)?.map(|entry| entry.delivery()))
    }

    /// How many drafts are not done: durable ones, the latest.
    pub fn watch(&self) -> watch::Receiver<Pending> {
        self.0.pending.subscribe()
    }

    /// How many messages the service has taken today; `None` while nobody knows what day it is.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn answered_today(&self) -> Result<Option<u64>, StoreError> {
        let Some(today) = self.0.clock.today() else {
            return Ok(None);
        };
        let daily = self.meta()?.answered.unwrap_or_default();
        Ok(Some(daily.on(today)))
    }

    /// Acknowledgements may have been lost: whatever waits for one is sent again.
    pub fn recheck(&self) {
        self.live().flights.recheck();
        self.0.wake.notify_one();
    }

    /// Reads the counts anew and forgets what was in flight. To be called after the store was
    /// reset.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn refresh(&self) -> Result<(), StoreError> {
        let last_order = self.meta()?.last_order;
        let mut live = self.live();
        *live = Live {
            flights: Flights::default(),
            applied: last_order,
            durable: last_order,
            written: live.written,
        };
        drop(live);
        self.publish()
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
