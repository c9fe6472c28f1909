//! A batch as one record, so that it is whole or not there at all.
//!
//! The library has batches of its own. For each it closes its write buffer twice, and a buffer that
//! is closed is written and waited for by itself: two writes more on the way of every answer. A
//! single record needs none of that. So a small batch is written down here first, then carried out
//! change by change, then taken away. The library's log is sequential: where a power cut leaves the
//! record it may have cost some of the changes, which [`Journal::finish`] then makes again; where
//! it leaves no record it has cost all of them or none.

use prost::Message;

use super::StoreError;

/// A longer batch is left to the library: written twice it would cost more than it saves.
const LONGEST: usize = 4096;

/// The record lies in a tree of its own: pages are rewritten as a whole, and this one often.
const TREE: &[u8] = b"journal";
const KEY: &[u8] = b"";

/// A key, and what is to be there.
pub(super) type Change = (Vec<u8>, Option<Vec<u8>>);

#[derive(Clone, PartialEq, Message)]
struct Row {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", optional, tag = "2")]
    record: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Rows {
    #[prost(message, repeated, tag = "1")]
    rows: Vec<Row>,
}

#[derive(Debug)]
pub(super) struct Journal(sled::Tree);

impl Journal {
    /// Takes its place in `db`.
    pub fn open(db: &sled::Db) -> Result<Self, StoreError> {
        Ok(Self(db.open_tree(TREE)?))
    }

    /// Carries out what was written down and perhaps not finished. Again, if need be: it always
    /// comes to the same.
    pub fn finish(&self, db: &sled::Db) -> Result<(), StoreError> {
        let Some(record) = self.0.get(KEY)? else {
            return Ok(());
        };
        let rows = Rows::decode(&*record).map_err(|_| StoreError::Damaged("the journal"))?;
        for row in rows.rows {
            carry_out(db, (row.key, row.record))?;
        }
        self.0.remove(KEY)?;
        Ok(())
    }

    /// Makes these changes, all of them or none.
    pub fn write(&self, db: &sled::Db, changes: Vec<Change>) -> Result<(), StoreError> {
        self.write_down(&changes)?;
        for change in changes {
            carry_out(db, change)?;
        }
        self.0.remove(KEY)?;
        Ok(())
    }

    /// The first step; on its own it is what a power cut may leave.
    pub fn write_down(&self, changes: &[Change]) -> Result<(), StoreError> {
        let rows = changes
            .iter()
            .map(|(key, record)| Row {
                key: key.clone(),
                record: record.clone(),
            })
            .collect();
        self.0.insert(KEY, Rows { rows }.encode_to_vec())?;
        Ok(())
    }
}

/// Whether these changes are worth it.
pub(super) fn is_for(changes: &[Change]) -> bool {
    let length: usize = changes
        .iter()
        .map(|(key, record)| key.len() + record.as_ref().map_or(0, Vec::len))
        .sum();
    changes.len() > 1 && length <= LONGEST
}

pub(super) fn carry_out(db: &sled::Db, (key, record): Change) -> Result<(), StoreError> {
    match record {
        Some(record) => db.insert(key, record)?,
        None => db.remove(key)?,
    };
    Ok(())
}
