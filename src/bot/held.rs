//! Answers that are kept back, on disk: so that a restart neither loses one nor begins to wait
//! anew. And the answers of the other box that came before what they answer.
//!
//! Bounded: what is too old to be answered goes, a few rows with every round.

use std::time::Duration;

use prost::Message;

use super::mark::{Part, parts};
use super::state::{is_before, seconds};
use super::voice::{Held, Memory, Moment};
use crate::message::{ChatId, Draft, Incoming, MessageId, Seq, ServerTime};
use crate::session::Rank;
use crate::store::{Batch, Space, StoreError};

const VERSION: u32 = 1;

const MEMORY: &[u8] = b"memory";

/// Rows looked at for forgetting, a round.
const SWEEP: usize = 64;

/// An answer that is kept back.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Row {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(string, tag = "2")]
    id: String,
    #[prost(string, tag = "3")]
    chat: String,
    #[prost(string, tag = "4")]
    text: String,
    #[prost(bytes = "vec", tag = "5")]
    part: Vec<u8>,
    /// Every name of the chat.
    #[prost(string, repeated, tag = "6")]
    names: Vec<String>,
    #[prost(int64, tag = "7")]
    pub sent_at: i64,
    /// In milliseconds.
    #[prost(int64, tag = "8")]
    since: i64,
}

impl Row {
    pub fn new(message: &Incoming, draft: &Draft, held: &Held) -> Self {
        Self {
            version: VERSION,
            id: draft.id.0.clone(),
            chat: draft.chat.as_str().to_owned(),
            text: draft.text.clone(),
            part: held.part.0.to_vec(),
            names: message
                .chat_names()
                .map(|name| name.as_str().to_owned())
                .collect(),
            sent_at: message.sent_at.0,
            since: held.since,
        }
    }

    pub fn id(&self) -> MessageId {
        MessageId(self.id.clone())
    }

    pub fn is_in(&self, message: &Incoming) -> bool {
        message
            .chat_names()
            .any(|chat| self.names.iter().any(|name| name == chat.as_str()))
    }

    pub fn held(&self) -> Option<Held> {
        let part = Part(self.part.as_slice().try_into().ok()?);
        Some(Held::new(
            part,
            self.sent_at.saturating_mul(1000),
            self.since,
        ))
    }

    pub fn into_draft(self) -> Draft {
        Draft {
            id: MessageId(self.id),
            chat: ChatId::new(self.chat),
            text: self.text,
        }
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct MemoryRow {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(bool, tag = "2")]
    mine: bool,
    #[prost(int64, optional, tag = "3")]
    sign: Option<i64>,
    #[prost(int64, optional, tag = "4")]
    progress: Option<i64>,
    #[prost(int64, tag = "5")]
    from: i64,
}

/// The books on disk.
#[derive(Debug)]
pub(super) struct Books {
    held: Space,
    /// The other box's answers to what has not been read: message to the answer's time.
    heard: Space,
    memory: Space,
    /// Where the next sweep begins.
    sweep: Vec<u8>,
}

impl Books {
    pub fn new(held: Space, heard: Space, memory: Space) -> Self {
        Self {
            held,
            heard,
            memory,
            sweep: Vec::new(),
        }
    }

    pub fn memory(&self, rank: Rank) -> Result<Memory, StoreError> {
        let bytes = self.memory.get(MEMORY)?;
        let row = bytes.and_then(|bytes| MemoryRow::decode(bytes.as_slice()).ok());
        Ok(match row.filter(|row| row.version == VERSION) {
            None => Memory::new(rank),
            Some(row) => Memory {
                mine: row.mine,
                sign: row.sign,
                progress: row.progress.map(|at| (at, row.from)),
            },
        })
    }

    pub fn remember(&self, memory: Memory, batch: &mut Batch) {
        let row = MemoryRow {
            version: VERSION,
            mine: memory.mine,
            sign: memory.sign,
            progress: memory.progress.map(|(at, _)| at),
            from: memory.progress.map_or(0, |(_, from)| from),
        };
        batch.put(&self.memory, MEMORY, row.encode_to_vec());
    }

    /// Every answer that is kept back.
    pub fn all(&self) -> Result<Vec<(Seq, Row)>, StoreError> {
        let mut rows = Vec::new();
        let mut from = Vec::new();
        loop {
            let page = self.held.scan(&from, SWEEP)?;
            let Some((last, _)) = page.last() else {
                return Ok(rows);
            };
            from = [last.as_slice(), &[0]].concat();
            rows.extend(page.iter().filter_map(|(key, value)| {
                let seq = u64::from_be_bytes(key.as_slice().try_into().ok()?);
                Some((Seq(seq), read(value)?))
            }));
        }
    }

    pub fn row(&self, seq: Seq) -> Result<Option<Row>, StoreError> {
        Ok(self
            .held
            .get(&seq.0.to_be_bytes())?
            .and_then(|bytes| read(&bytes)))
    }

    pub fn hold(&self, seq: Seq, row: &Row, batch: &mut Batch) {
        batch.put(&self.held, &seq.0.to_be_bytes(), row.encode_to_vec());
    }

    pub fn drop(&self, seq: Seq, batch: &mut Batch) {
        batch.delete(&self.held, &seq.0.to_be_bytes());
    }

    /// The other box answered what this one has not read.
    pub fn heard(&self, part: Part, at: ServerTime, batch: &mut Batch) {
        batch.put(&self.heard, &part.0, at.0.to_be_bytes());
    }

    /// The other box has answered this message already.
    pub fn is_answered(&self, message: &Incoming) -> Result<bool, StoreError> {
        for part in parts(message) {
            if self.heard.contains(&part.0)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Forgets a few of the answers to messages that nobody would answer now.
    pub fn forget(
        &mut self,
        fresh: Duration,
        now: ServerTime,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        let rows = self.heard.scan(&self.sweep, SWEEP)?;
        self.sweep = match rows.last() {
            Some((key, _)) if rows.len() == SWEEP => [key.as_slice(), &[0]].concat(),
            _ => Vec::new(),
        };
        for (key, value) in rows {
            let at = value.as_slice().try_into().map_or(0, i64::from_be_bytes);
            // An answer comes after its message: twice the time is more than enough.
            if !is_before(now, ServerTime(at), fresh.saturating_mul(2)) {
                batch.delete(&self.heard, &key);
            }
        }
        Ok(())
    }
}

fn read(bytes: &[u8]) -> Option<Row> {
    Row::decode(bytes).ok().filter(|row| row.version == VERSION)
}

/// Since when a customer has waited, as far as this box can know: a message that waited on the
/// server since the service took it in, any other since it came.
pub(super) fn since(message: &Incoming, waited: bool, now: Moment) -> Moment {
    if waited {
        end_of(message.sent_at).min(now)
    } else {
        now
    }
}

/// The last millisecond of a second.
fn end_of(at: ServerTime) -> Moment {
    at.0.saturating_mul(1000).saturating_add(999)
}

/// The message is too old to be answered.
pub(super) fn is_stale(row: &Row, fresh: Duration, now: ServerTime) -> bool {
    now.0.saturating_sub(row.sent_at) > seconds(fresh)
}
