//! What the inbox lets go of, a little with every append. It never runs by itself.

use std::collections::HashMap;

use prost::Message;

use super::record::{self, Gone, KeyRow, Meta, Record};
use super::{Inner, counts, is_older, names};
use crate::message::{Seq, ServerTime};
use crate::store::{Batch, Space, StoreError};

/// Lets go of the oldest messages and the oldest keys that are beyond the bounds: at most a
/// few more than an append brought, so that no append takes long and the log still shrinks.
///
/// `replaced` and `fresh` are what the append itself takes away and writes; the store does not
/// show it yet.
pub(super) fn prune(
    inner: &Inner,
    meta: &mut Meta,
    arrived: usize,
    replaced: &[Seq],
    fresh: &HashMap<Vec<u8>, KeyRow>,
    changes: &mut Batch,
) -> Result<(), StoreError> {
    let most = 2 * arrived + 32;
    let settings = inner.settings;
    let mut oldest = None;
    let mut page = inner.messages.scan(&[], 1)?;
    let mut looked = 0;
    'messages: while let Some((last, _)) = page.last().cloned() {
        for (key, value) in &page {
            if record::seq(key).is_some_and(|seq| replaced.contains(&seq)) {
                continue;
            }
            let message = Record::read(value).map(Record::into_incoming);
            let too_old = message
                .as_ref()
                .is_none_or(|m| is_older(m.sent_at, settings.max_age, meta.newest));
            let too_many = meta.messages > settings.max_messages || meta.size > settings.max_bytes;
            if !(too_old || too_many) || looked == most {
                oldest = record::seq(key);
                break 'messages;
            }
            looked += 1;
            changes.delete(&inner.messages, key);
            meta.shrink(value.len());
            if let Some(message) = message {
                let keys = names::keys(&message);
                changes.put(&inner.gone, key, Gone { keys }.encode_to_vec());
                meta.gone += 1;
            }
        }
        page = inner.messages.scan(&[last.as_slice(), &[0]].concat(), 16)?;
    }
    let surplus = meta.gone.saturating_sub(settings.remember);
    let surplus = usize::try_from(surplus).unwrap_or(most).min(most);
    for (key, value) in inner.gone.scan(&[], surplus)? {
        let gone = Gone::decode(value.as_slice()).unwrap_or_default();
        for name in gone.keys {
            // A placeholder's key may since stand for the message that replaced it.
            let row = match fresh.get(&name) {
                Some(row) => Some(*row),
                None => inner.keys.get(&name)?.and_then(|row| KeyRow::read(&row)),
            };
            if row.is_none_or(|row| Some(Seq(row.seq)) == record::seq(&key)) {
                changes.delete(&inner.keys, &name);
            }
        }
        changes.delete(&inner.gone, &key);
        meta.gone = meta.gone.saturating_sub(1);
    }
    inner
        .names
        .forget(oldest.unwrap_or(Seq(meta.last)), changes)
}

/// Counts what is there, for a log whose own count is unreadable. When a message arrived is not
/// kept with it: it counts for the day on which it was sent.
pub(super) fn recount(inner: &Inner) -> Result<Meta, StoreError> {
    tracing::error!("the inbox's count is unreadable; counting its messages");
    let mut meta = Meta::fresh();
    each(&inner.messages, |key, value| {
        let message = Record::read(value).map(Record::into_incoming);
        let at = message.as_ref().map_or(ServerTime(0), |m| m.sent_at);
        meta.grow(value.len(), at);
        meta.last = record::seq(key).map_or(meta.last, |seq| seq.0);
        if message.is_some_and(|message| counts(&message)) {
            let daily = meta.received.get_or_insert_default();
            daily.add(1, inner.clock.day_of(at));
        }
    })?;
    each(&inner.gone, |_, _| meta.gone += 1)?;
    Ok(meta)
}

fn each(space: &Space, mut visit: impl FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
    let mut from = Vec::new();
    loop {
        let page = space.scan(&from, 64)?;
        for (key, value) in &page {
            visit(key, value);
        }
        match page.last() {
            Some((key, _)) => from = [key.as_slice(), &[0]].concat(),
            None => return Ok(()),
        }
    }
}
