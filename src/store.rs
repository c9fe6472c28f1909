//! The two databases on disk and the one way to make a change durable.
//!
//! `link/` holds the device, its Signal state and what the protocol crate keeps; `log/` holds the
//! inbox and the outbox. A broken log never costs the link.
//!
//! Keys are grouped in [`Space`]s, all kept in one tree per database, so that a [`Batch`] across
//! spaces is atomic. [`Database::apply`] makes a batch visible; [`Database::commit`] makes
//! everything applied before it durable.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Both databases. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    link: Database,
    log: Database,
    dir: Arc<PathBuf>,
}

/// One database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    db: sled::Db,
}

/// A group of keys inside one database.
#[derive(Clone, Debug)]
pub struct Space {
    db: Database,
    prefix: Vec<u8>,
}

/// Changes that become visible, and later durable, together or not at all.
#[derive(Debug, Default)]
pub struct Batch(Vec<(Vec<u8>, Option<Vec<u8>>)>);

/// What can go wrong with a database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database could not read or write.
    #[error("the store failed: {0}")]
    Database(#[from] sled::Error),
}

impl Store {
    /// Opens both databases below `dir`, creating what is not there.
    ///
    /// # Errors
    /// When a database cannot be opened.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let open = |name: &str| -> Result<Database, StoreError> {
            Ok(Database {
                db: sled::Config::new().path(dir.join(name)).open()?,
            })
        };
        Ok(Self {
            link: open("link")?,
            log: open("log")?,
            dir: Arc::new(dir.to_owned()),
        })
    }

    /// Device, Signal state, pending inbound.
    pub fn link(&self) -> &Database {
        &self.link
    }

    /// Inbox and outbox.
    pub fn log(&self) -> &Database {
        &self.log
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Database {
    /// The keys that start with `name`. Names must not be prefixes of one another.
    pub fn space(&self, name: &str) -> Space {
        let mut prefix = name.as_bytes().to_vec();
        prefix.push(0);
        Space {
            db: self.clone(),
            prefix,
        }
    }

    /// Makes a batch visible, all of it or nothing. Not durable until [`Self::commit`].
    ///
    /// # Errors
    /// When the database cannot write.
    pub fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        let mut all = sled::Batch::default();
        for (key, value) in batch.0 {
            match value {
                Some(value) => all.insert(key, value),
                None => all.remove(key),
            }
        }
        Ok(self.db.apply_batch(all)?)
    }

    /// Returns once everything applied before the call would survive a power cut.
    ///
    /// # Errors
    /// When the disk refuses; what was applied may then be lost in a power cut.
    pub async fn commit(&self) -> Result<(), StoreError> {
        self.db.flush_async().await?;
        Ok(())
    }
}

impl Space {
    /// The value of a key.
    ///
    /// # Errors
    /// When the database cannot read.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.db.db.get(self.full(key))?.map(|v| v.to_vec()))
    }

    /// Up to `most` entries in the order of their keys, beginning at `from` (inclusive).
    ///
    /// # Errors
    /// When the database cannot read.
    pub fn scan(&self, from: &[u8], most: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        self.db
            .db
            .range(self.full(from)..)
            .take_while(|entry| match entry {
                Ok((key, _)) => key.starts_with(&self.prefix),
                Err(_) => true,
            })
            .take(most)
            .map(|entry| {
                let (key, value) = entry?;
                Ok((key[self.prefix.len()..].to_vec(), value.to_vec()))
            })
            .collect()
    }

    /// The entry with the greatest key.
    ///
    /// # Errors
    /// When the database cannot read.
    pub fn last(&self) -> Result<Option<(Vec<u8>, Vec<u8>)>, StoreError> {
        match self.db.db.scan_prefix(&self.prefix).next_back() {
            Some(entry) => {
                let (key, value) = entry?;
                Ok(Some((key[self.prefix.len()..].to_vec(), value.to_vec())))
            }
            None => Ok(None),
        }
    }

    fn full(&self, key: &[u8]) -> Vec<u8> {
        [self.prefix.as_slice(), key].concat()
    }
}

impl Batch {
    /// Sets a key.
    pub fn put(&mut self, space: &Space, key: &[u8], value: impl Into<Vec<u8>>) {
        self.0.push((space.full(key), Some(value.into())));
    }

    /// Removes a key, if it is there.
    pub fn delete(&mut self, space: &Space, key: &[u8]) {
        self.0.push((space.full(key), None));
    }
}
