//! One person, two names: which LID belongs to which phone number, as messages told, and the keys
//! a message is recognised by. Completes messages with the name they came without.
//!
//! Bounded: a pair that no kept message has used is forgotten.

use std::collections::HashMap;
use std::sync::Mutex;

use prost::Message;
use sha2::{Digest, Sha256};

use crate::message::{ChatId, ChatKind, Incoming, Seq};
use crate::store::{Batch, Space, StoreError};

/// A pair is written again when its last writing is this many messages ago: rare enough to cost
/// nothing, and old enough a row then proves that no message since used it.
const RENEW: u64 = 1000;

/// Rows looked at for forgetting, an append.
const SWEEP: usize = 4;

const NUMBER: &str = "s.whatsapp.net";
const LID: &str = "lid";

#[derive(Clone, PartialEq, prost::Message)]
struct Row {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(string, tag = "2")]
    other: String,
    /// The log's end when this was written.
    #[prost(uint64, tag = "3")]
    seq: u64,
}

/// The pairs on disk: a row under each of the two names.
#[derive(Debug)]
pub(super) struct Names {
    space: Space,
    /// Where the next sweep begins.
    sweep: Mutex<Vec<u8>>,
}

/// The pairs as one append sees them: those on disk and those it has learned itself.
pub(super) struct Session<'a> {
    names: &'a Names,
    at: Seq,
    learned: HashMap<String, String>,
    writes: Vec<(String, Row)>,
}

impl Names {
    pub fn new(space: Space) -> Self {
        Self {
            space,
            sweep: Mutex::default(),
        }
    }

    pub fn session(&self, at: Seq) -> Session<'_> {
        Session {
            names: self,
            at,
            learned: HashMap::new(),
            writes: Vec::new(),
        }
    }

    /// Forgets a few of the pairs that nothing at or behind `oldest` can have used.
    pub fn forget(&self, oldest: Seq, changes: &mut Batch) -> Result<(), StoreError> {
        let mut from = self
            .sweep
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let rows = self.space.scan(&from, SWEEP)?;
        *from = match rows.last() {
            Some((key, _)) if rows.len() == SWEEP => [key.as_slice(), &[0]].concat(),
            _ => Vec::new(),
        };
        for (key, value) in rows {
            let seq = Row::decode(value.as_slice()).map_or(0, |row| row.seq);
            if seq + RENEW < oldest.0 {
                changes.delete(&self.space, &key);
            }
        }
        Ok(())
    }
}

impl Session<'_> {
    /// The message with every name that is known for its chat and its author.
    pub fn complete(&mut self, message: &Incoming) -> Result<Incoming, StoreError> {
        let mut full = message.clone();
        let sender = &mut full.sender;
        let number = sender.number.as_ref().map(|n| format!("{n}@{NUMBER}"));
        let lid = sender.lid.as_ref().map(|l| format!("{l}@{LID}"));
        match (number, lid) {
            (Some(number), Some(lid)) => self.learn(&number, &lid)?,
            (Some(number), None) => sender.lid = self.other(&number)?.as_deref().map(user),
            (None, Some(lid)) => sender.number = self.other(&lid)?.as_deref().map(user),
            (None, None) => {}
        }
        if full.chat.kind() == ChatKind::Direct {
            match &full.chat_alt {
                Some(alt) => self.learn(full.chat.as_str(), alt.as_str())?,
                None => full.chat_alt = self.other(full.chat.as_str())?.map(ChatId::new),
            }
        }
        Ok(full)
    }

    /// Adds what was learned to the append's changes.
    pub fn write(self, changes: &mut Batch) {
        for (name, row) in self.writes {
            changes.put(&self.names.space, name.as_bytes(), row.encode_to_vec());
        }
    }

    fn other(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        if let Some(other) = self.learned.get(name) {
            return Ok(Some(other.clone()));
        }
        let Some(row) = self.row(name)? else {
            return Ok(None);
        };
        self.learn(name, &row.other)?;
        Ok(Some(row.other))
    }

    fn learn(&mut self, one: &str, two: &str) -> Result<(), StoreError> {
        for (name, other) in [(one, two), (two, one)] {
            if self.learned.get(name).is_some_and(|known| known == other) {
                continue;
            }
            let stands = self
                .row(name)?
                .is_some_and(|row| row.other == other && row.seq + RENEW > self.at.0);
            if !stands {
                let row = Row {
                    version: 1,
                    other: other.to_owned(),
                    seq: self.at.0,
                };
                self.writes.push((name.to_owned(), row));
            }
            self.learned.insert(name.to_owned(), other.to_owned());
        }
        Ok(())
    }

    fn row(&self, name: &str) -> Result<Option<Row>, StoreError> {
        let bytes = self.names.space.get(name.as_bytes())?;
        Ok(bytes
            .and_then(|b| Row::decode(b.as_slice()).ok())
            .filter(|row| row.version == 1))
    }
}

fn user(jid: &str) -> String {
    ChatId::new(jid).user().to_owned()
}

/// What a message is recognised by: a digest for every pairing of its chat's and its author's
/// names. In a direct chat the author is one of two, whatever he is called.
pub(super) fn keys(message: &Incoming) -> Vec<Vec<u8>> {
    let authors = if message.from_me {
        vec!["me".to_owned()]
    } else if message.chat.kind() == ChatKind::Direct {
        vec!["peer".to_owned()]
    } else {
        let sender = &message.sender;
        let number = sender.number.as_ref().map(|n| format!("{n}@{NUMBER}"));
        let lid = sender.lid.as_ref().map(|l| format!("{l}@{LID}"));
        let named: Vec<_> = number.into_iter().chain(lid).collect();
        if named.is_empty() {
            vec!["unknown".to_owned()]
        } else {
            named
        }
    };
    let chats = message.chat_names().map(ChatId::as_str);
    chats
        .flat_map(|chat| authors.iter().map(move |author| (chat, author)))
        .map(|(chat, author)| {
            let mut digest = Sha256::new();
            for part in [chat, author, &message.id.0] {
                digest.update((part.len() as u64).to_be_bytes());
                digest.update(part);
            }
            digest.finalize()[..16].to_vec()
        })
        .collect()
}
