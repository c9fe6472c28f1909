//! What becomes of a draft that waited for too long, or for an account that is gone.

use super::record::{self, Entry, QueueRow, State};
use super::{Live, Outbox};
use crate::message::MessageId;
use crate::store::{Batch, StoreError};

/// The code of a draft that waited longer than [`super::Settings::max_age`].
const EXPIRED: &str = "expired";

/// The code of a draft that was written for another account.
const OTHER_ACCOUNT: &str = "other_account";

/// Rows read at once.
const PAGE: usize = 64;

impl Outbox {
    /// The box is linked to this number: what another one left unsent must not go out under it.
    /// Durable with the next commit: what was queued for this number afterwards never survives
    /// without it, and where it is lost the next login says it again. `true` when it is news.
    ///
    /// # Errors
    /// When the store fails; then nothing may be sent.
    pub(super) fn belongs_to(&self, number: &str) -> Result<bool, StoreError> {
        let mut live = self.live();
        let known = self.0.meta.get(record::ACCOUNT)?;
        if number.is_empty() || known.as_deref() == Some(number.as_bytes()) {
            return Ok(false);
        }
        if known.is_some() {
            let left = self.give_up_all(&mut live)?;
            tracing::info!(
                left,
                "linked to another account; what was unsent is given up"
            );
        }
        // Last, so that a crash before it begins again.
        let mut batch = Batch::default();
        let mut meta = self.meta()?;
        let counted = meta.answered.take().is_some();
        if counted {
            batch.put(&self.0.meta, record::META, meta.bytes());
        }
        batch.put(&self.0.meta, record::ACCOUNT, number);
        self.0.log.apply(batch)?;
        drop(live);
        self.publish()?;
        if counted {
            // The counts may be the same, and yet who counts by the day has to look again.
            self.0.pending.send_modify(|_| ());
        }
        Ok(true)
    }

    /// Takes back a draft that has not been put on the wire: it may be queued again, under the same
    /// id. `true` when it is not in the queue any more, or never was; `false` when it has left, or
    /// may have.
    ///
    /// # Errors
    /// When the store fails.
    pub fn withdraw(&self, id: &MessageId) -> Result<bool, StoreError> {
        let live = self.live();
        let Some(entry) = self.entry(id)? else {
            return Ok(true);
        };
        if entry.state() != State::Pending || live.flights.knows(id) {
            return Ok(false);
        }
        let mut meta = self.meta()?;
        meta.pending = meta.pending.saturating_sub(1);
        meta.pending_bytes = meta.pending_bytes.saturating_sub(entry.text.len() as u64);
        let mut batch = Batch::default();
        batch.delete(&self.0.queue, &entry.order.to_be_bytes());
        batch.delete(&self.0.entries, entry.id.as_bytes());
        batch.put(&self.0.meta, record::META, meta.bytes());
        self.0.log.apply(batch)?;
        drop(live);
        self.publish()?;
        Ok(true)
    }

    fn give_up_all(&self, live: &mut Live) -> Result<u64, StoreError> {
        let mut from = Vec::new();
        let mut left = 0;
        loop {
            let rows = self.0.queue.scan(&from, PAGE)?;
            let Some((last, _)) = rows.last() else {
                return Ok(left);
            };
            from = [last.as_slice(), &[0]].concat();
            for row in rows.iter().filter_map(|(_, value)| QueueRow::read(value)) {
                if let Some(entry) = self.entry(&MessageId(row.id))? {
                    self.give_up(live, entry, OTHER_ACCOUNT)?;
                    left += 1;
                }
            }
        }
    }

    /// Gives a draft up that nobody wants any more; `true` if it was one. The service's time is
    /// known whenever the link is online.
    pub(super) fn expire(&self, live: &mut Live, entry: &Entry) -> Result<bool, StoreError> {
        let span = self.0.settings.max_age;
        let is_old = |now| entry.is_older(span, now);
        if span.is_zero() || !self.0.clock.sure().is_some_and(is_old) {
            return Ok(false);
        }
        tracing::warn!(
            id = entry.id,
            "a message waited for too long and is not sent"
        );
        self.give_up(live, entry.clone(), EXPIRED)?;
        Ok(true)
    }

    fn give_up(&self, live: &mut Live, mut entry: Entry, code: &str) -> Result<(), StoreError> {
        code.clone_into(&mut entry.code);
        self.settle(live, entry, State::Failed)
    }
}
