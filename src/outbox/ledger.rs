//! The outbox's books: entries, the counts over them, and the move of an entry from pending to
//! finished, which keeps both right in one batch.

use super::record::{self, Entry, Meta, State};
use super::{Live, Outbox, Pending, refusal};
use crate::message::MessageId;
use crate::store::{Batch, StoreError};

impl Outbox {
    /// Moves an entry to a state behind [`State::Pending`], and forgets the oldest finished ones.
    pub(super) fn settle(
        &self,
        live: &mut Live,
        mut entry: Entry,
        next: State,
    ) -> Result<(), StoreError> {
        let mut meta = self.meta()?;
        let mut batch = Batch::default();
        let before = entry.state();
        if before == State::Pending {
            meta.pending = meta.pending.saturating_sub(1);
            meta.pending_bytes = meta
                .pending_bytes
                .saturating_sub(std::mem::take(&mut entry.text).len() as u64);
            batch.delete(&self.0.queue, &entry.order.to_be_bytes());
            meta.last_finished += 1;
            meta.finished += 1;
            let place = meta.last_finished.to_be_bytes();
            batch.put(&self.0.finished, &place, entry.id.as_bytes());
        }
        meta.failed = meta.failed + u64::from(next == State::Failed)
            - u64::from(before == State::Failed).min(meta.failed);
        let taken = |state: State| state.rank() >= State::Sent.rank();
        if taken(next) && !taken(before) {
            meta.sent += 1;
            let daily = meta.answered.get_or_insert_default();
            daily.add(1, self.0.clock.today());
            meta.limited = false;
        }
        if next == State::Failed && refusal::is_limit(&entry.code) {
            meta.limited = true;
        }
        entry.set_state(next);
        batch.put(&self.0.entries, entry.id.as_bytes(), entry.bytes());
        // Two for one, so that a smaller setting takes effect in time.
        let surplus = meta.finished.saturating_sub(self.0.settings.keep_finished);
        let surplus = usize::try_from(surplus).unwrap_or(2).min(2);
        for (place, id) in self.0.finished.scan(&[], surplus)? {
            let old = self.0.entries.get(&id)?.and_then(|b| Entry::read(&b));
            if old.is_some_and(|old| old.state() == State::Failed) {
                meta.failed = meta.failed.saturating_sub(1);
            }
            batch.delete(&self.0.entries, &id);
            batch.delete(&self.0.finished, &place);
            meta.finished = meta.finished.saturating_sub(1);
        }
        batch.put(&self.0.meta, record::META, meta.bytes());
        self.0.log.apply(batch)?;
        live.flights.land(&MessageId(entry.id));
        Ok(())
    }

    pub(super) fn entry(&self, id: &MessageId) -> Result<Option<Entry>, StoreError> {
        let bytes = self.0.entries.get(id.0.as_bytes())?;
        Ok(bytes.and_then(|bytes| Entry::read(&bytes)))
    }

    pub(super) fn meta(&self) -> Result<Meta, StoreError> {
        match self.0.meta.get(record::META)? {
            None => Ok(Meta::fresh()),
            Some(bytes) => match Meta::read(&bytes) {
                Some(meta) => Ok(meta),
                None => self.recount(),
            },
        }
    }

    /// Counts what is there, for a queue whose own count is unreadable.
    fn recount(&self) -> Result<Meta, StoreError> {
        tracing::error!("the outbox's count is unreadable; counting its messages");
        let mut meta = Meta::fresh();
        let mut from = Vec::new();
        loop {
            let page = self.0.entries.scan(&from, 64)?;
            let Some((last, _)) = page.last() else { break };
            from = [last.as_slice(), &[0]].concat();
            for entry in page.iter().filter_map(|(_, value)| Entry::read(value)) {
                meta.last_order = meta.last_order.max(entry.order);
                match entry.state() {
                    State::Pending => {
                        meta.pending += 1;
                        meta.pending_bytes += entry.text.len() as u64;
                    }
                    State::Failed => {
                        meta.finished += 1;
                        meta.failed += 1;
                    }
                    State::Sent | State::Delivered | State::Read => {
                        meta.finished += 1;
                        meta.sent += 1;
                    }
                }
            }
        }
        if let Some((place, id)) = self.0.finished.last()? {
            meta.last_finished = record::order(&place).unwrap_or(0);
            let newest = self.0.entries.get(&id)?.and_then(|b| Entry::read(&b));
            meta.limited = newest.is_some_and(|newest| refusal::is_limit(&newest.code));
        }
        let last = self
            .0
            .chats_by_age
            .last()?
            .and_then(|(key, _)| record::order(&key));
        meta.last_chat = last.unwrap_or(0);
        meta.chats = meta.last_chat;
        Ok(meta)
    }

    /// Tells the counts to whoever watches them, and wakes the delivery.
    pub(super) fn publish(&self) -> Result<(), StoreError> {
        let meta = self.meta()?;
        let next = Pending {
            pending: meta.pending,
            failed: meta.failed,
            sent: meta.sent,
            limited: meta.limited,
        };
        self.0
            .pending
            .send_if_modified(|seen| std::mem::replace(seen, next) != next);
        self.0.wake.notify_one();
        Ok(())
    }
}
