//! The two databases on disk and the one way to make a change durable.
//!
//! `link/` holds the device, its Signal state and what the protocol crate keeps; `log/` holds the
//! inbox and the outbox. A broken log never costs the link.
//!
//! Keys are grouped in [`Space`]s, all kept in one tree per database, so that a [`Batch`] across
//! spaces is atomic. [`Database::apply`] makes a batch visible; [`Database::commit`] makes
//! everything applied before it durable. One thread makes every commit, for all who wait; it
//! sleeps while nobody does.
//!
//! This room knows nothing of what it stores, and never lets a value, a key or a file name of the
//! data directory into the log.

mod attempts;
mod chunks;
mod committer;
mod disk;
mod engine;
mod error;
mod journal;
mod library;
mod opening;
mod rehearsal;
mod reset;
mod slot;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use committer::{Committer, Order};
pub use disk::{is_simulated, mark_simulated};
pub use error::{OpenError, StoreError};
use slot::Slot;
use tokio::sync::watch;

/// Both databases. Cheap to clone. The process's claim on the data directory ends when the last
/// clone, [`Database`] and [`Space`] is dropped.
#[derive(Clone, Debug)]
pub struct Store {
    link: Database,
    log: Database,
}

#[derive(Debug)]
struct Core {
    // Dropped first: ends the thread, which closes the databases, before the lock is given back.
    committer: Committer,
    link: Arc<Slot>,
    log: Arc<Slot>,
    dir: PathBuf,
    opened: Opened,
    broken: Arc<watch::Sender<Option<StoreError>>>,
    _lock: File,
}

/// What opening found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Databases that could not be opened twice in a row; they were renamed and begun afresh.
    pub set_aside: Vec<&'static str>,
    /// A reset was begun and not finished: call [`Store::reset`].
    pub reset_pending: bool,
}

/// How to open a store. The default is the only one for people.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// `false` leaves out the one call that makes a commit durable. Only the test that proves
    /// this call to be necessary turns it off.
    #[doc(hidden)]
    pub sync: bool,
    /// How often the library flushes by itself and moves what is left of old segments, in
    /// milliseconds. It moves some of it with every page it rewrites, too, so that this can be
    /// seldom: what it moves is written later, and an idle box is to write nothing. A test that
    /// wants to see it happen cannot wait that long.
    #[doc(hidden)]
    pub housekeeping_ms: u64,
    /// After so much quiet, in milliseconds, what was applied is committed unasked.
    #[doc(hidden)]
    pub quiet_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sync: true,
            housekeeping_ms: 6 * 3_600_000,
            quiet_ms: 10_000,
        }
    }
}

/// One database. Cheap to clone. After [`Store::reset`] it is the fresh one.
#[derive(Clone, Debug)]
pub struct Database {
    core: Arc<Core>,
    name: Name,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Link,
    Log,
}

/// A group of keys inside one database.
#[derive(Clone, Debug)]
pub struct Space {
    db: Database,
    prefix: Vec<u8>,
}

/// A key, without its space, and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// Changes that become visible, and later durable, together or not at all. Of several changes to
/// one key the last counts.
#[derive(Debug, Default)]
pub struct Batch(BTreeMap<Vec<u8>, Option<Vec<u8>>>);

impl Store {
    /// Opens both databases below `dir`, creating what is not there.
    ///
    /// A database that failed to open twice in a row, be it with an error, a panic or the end of
    /// the process, is renamed and begun afresh; [`Self::opened`] tells.
    ///
    /// # Errors
    /// When another process has `dir`, a newer version wrote it, or the disk refuses.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        Self::open_with(dir, Options::default())
    }

    /// [`Self::open`] with options.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(dir: &Path, options: Options) -> Result<Self, OpenError> {
        let lock = disk::claim(dir)?;
        let broken = Arc::new(watch::Sender::new(None));
        let slot = |name| Arc::new(Slot::new(dir, name, options, Arc::clone(&broken)));
        let (link, log) = (slot("link"), slot("log"));
        let (committer, opened) = Committer::start(dir, Arc::clone(&link), Arc::clone(&log))?;
        let core = Arc::new(Core {
            committer,
            link,
            log,
            dir: dir.to_owned(),
            opened,
            broken,
            _lock: lock,
        });
        Ok(Self {
            link: Database {
                core: Arc::clone(&core),
                name: Name::Link,
            },
            log: Database {
                core,
                name: Name::Log,
            },
        })
    }

    /// What opening found out.
    pub fn opened(&self) -> &Opened {
        &self.link.core.opened
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
        &self.link.core.dir
    }

    /// Makes durable that everything is to be forgotten: from now on every opening reports
    /// [`Opened::reset_pending`] until [`Self::reset`] has returned. Both databases still work.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn begin_reset(&self) -> Result<(), StoreError> {
        self.order(Order::BeginReset).await
    }

    /// Deletes both databases and everything that was ever set aside, and opens fresh ones.
    /// Handles answer [`StoreError::Closed`] meanwhile and work on the fresh ones afterwards.
    /// Goes through even if the caller stops waiting.
    ///
    /// # Errors
    /// When the disk refuses; the reset is still pending then.
    pub async fn reset(&self) -> Result<(), StoreError> {
        self.order(Order::Reset).await
    }

    /// Deletes the link's database and everything of it that was ever set aside, and opens a fresh
    /// one; what the other one holds stays. Handles behave as with [`Self::reset`]. What a power
    /// cut in the middle leaves is either the old database or none.
    ///
    /// # Errors
    /// When the disk refuses; the old keys may then still be there.
    pub async fn forget_link(&self) -> Result<(), StoreError> {
        self.order(Order::ForgetLink).await
    }

    /// Commits both databases and takes them away from every handle, which answer
    /// [`StoreError::Closed`] from now on.
    ///
    /// # Errors
    /// When the last commit failed; they are closed all the same.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.order(Order::Close).await
    }

    /// Returns once a database takes nothing more, with the reason: the disk refused, and only
    /// opening the store again can tell what it has.
    pub async fn failed(&self) -> StoreError {
        let mut broken = self.link.core.broken.subscribe();
        let reason = broken.wait_for(Option::is_some).await;
        // The sender lives in self, and there is one.
        reason
            .map_or(None, |reason| reason.clone())
            .unwrap_or(StoreError::Closed)
    }

    async fn order(&self, order: Order) -> Result<(), StoreError> {
        self.link.core.committer.order(order).await
    }
}

impl Database {
    /// The keys that start with `name`. Names are not empty, contain no zero byte and are hence
    /// never in each other's way.
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
    /// Returns at once as a rule; values that come to more than 64 KiB are brought to the disk in
    /// portions before they become visible, which takes some syncs.
    ///
    /// # Errors
    /// When the database cannot write, or is closed.
    pub fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        self.slot().apply(batch.0)?;
        self.core.committer.applied();
        Ok(())
    }

    /// Returns once everything applied before the call would survive a power cut.
    ///
    /// # Errors
    /// When the disk refuses, now or at an earlier commit: after a failed sync nobody can tell
    /// what the disk has, so the database takes nothing more until it is opened again.
    pub async fn commit(&self) -> Result<(), StoreError> {
        if self.slot().is_durable()? {
            return Ok(());
        }
        self.core.committer.commit(self.name).await
    }

    fn slot(&self) -> &Slot {
        match self.name {
            Name::Link => &self.core.link,
            Name::Log => &self.core.log,
        }
    }
}

impl Space {
    /// The value of a key.
    ///
    /// # Errors
    /// When the database cannot read.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.db.slot().with(|engine| engine.get(&self.full(key)))
    }

    /// Whether the key is there.
    ///
    /// # Errors
    /// When the database cannot read.
    pub fn contains(&self, key: &[u8]) -> Result<bool, StoreError> {
        self.db
            .slot()
            .with(|engine| engine.contains(&self.full(key)))
    }

    /// Up to `most` entries in the order of their keys, beginning at `from` (inclusive).
    ///
    /// # Errors
    /// When the database cannot read.
    pub fn scan(&self, from: &[u8], most: usize) -> Result<Vec<Entry>, StoreError> {
        self.collect(&self.prefix, &self.full(from), most)
    }

    /// Every entry whose key starts with `start`, in the order of the keys.
    ///
    /// # Errors
    /// When the database cannot read.
    pub fn scan_prefix(&self, start: &[u8]) -> Result<Vec<Entry>, StoreError> {
        let full = self.full(start);
        self.collect(&full, &full, usize::MAX)
    }

    /// The entry with the greatest key.
    ///
    /// # Errors
    /// When the database cannot read.
    pub fn last(&self) -> Result<Option<Entry>, StoreError> {
        let last = self.db.slot().with(|engine| engine.last(&self.prefix))?;
        Ok(last.map(|entry| self.bare(entry)))
    }

    fn collect(&self, prefix: &[u8], from: &[u8], most: usize) -> Result<Vec<Entry>, StoreError> {
        let entries = self
            .db
            .slot()
            .with(|engine| engine.scan(prefix, from, most))?;
        Ok(entries.into_iter().map(|entry| self.bare(entry)).collect())
    }

    fn bare(&self, (mut key, value): Entry) -> Entry {
        key.drain(..self.prefix.len());
        (key, value)
    }

    fn full(&self, key: &[u8]) -> Vec<u8> {
        [self.prefix.as_slice(), key].concat()
    }
}

impl Batch {
    /// Sets a key.
    pub fn put(&mut self, space: &Space, key: &[u8], value: impl Into<Vec<u8>>) {
        self.0.insert(space.full(key), Some(value.into()));
    }

    /// Removes a key, if it is there.
    pub fn delete(&mut self, space: &Space, key: &[u8]) {
        self.0.insert(space.full(key), None);
    }

    /// Nothing would change.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests;
