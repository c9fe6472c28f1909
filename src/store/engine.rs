//! One open database: records in the library's tree, and the sync that the library leaves out.
//!
//! Two rules keep a power cut from costing more than what was not committed.
//!
//! *A commit is the library's flush and an `fdatasync` of its file.* The flush alone ends in
//! `sync_file_range`, which leaves the data in the drive's cache and the file's length unsaved.
//!
//! *Never more than a fraction of a segment without a sync.* The library takes the header of a
//! segment as proof that the segments before it are on the disk; where they are not, it takes the
//! whole file for empty. It also overwrites segments whose content it believes to have moved. Both
//! are sound only if a real sync falls into every segment, so [`Engine::apply`] makes one of its
//! own when nobody has committed for a while, and brings large values to the disk in portions.
//!
//! The segment stays at the library's 512 KiB: smaller ones lower the size above which it spills
//! into `blobs/`, larger ones cost memory and writes at every opening. Its `Mode` changes nothing
//! in this version.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::chunks::{self, CHUNK, Head, Record};
use super::journal::{self, Change, Journal};
use super::{Entry, Options, StoreError};

/// How much may be written before a sync is made unasked. Pages are rewritten every ten changes,
/// so the library writes several times what it is given; a quarter of a segment leaves room.
const PORTION: usize = 64 * 1024;

/// What a change costs beside its bytes: its share of the page that is rewritten now and then.
const OVERHEAD: usize = 512;

/// See [`Engine::has_blobs`].
const COARSEST_CLOCK: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(super) struct Engine {
    db: sled::Db,
    journal: Journal,
    file: File,
    blobs: PathBuf,
    options: Options,
    generation: AtomicU64,
    unsynced: AtomicU64,
    no_blobs_since: Mutex<Option<SystemTime>>,
}

impl Engine {
    /// Takes over an open database and its `db` file. [`Self::tidy`] comes before the first use.
    pub fn new(
        db: sled::Db,
        file: File,
        blobs: PathBuf,
        options: Options,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            journal: Journal::open(&db)?,
            db,
            file,
            blobs,
            options,
            generation: AtomicU64::new(1),
            unsynced: AtomicU64::new(0),
            no_blobs_since: Mutex::new(None),
        })
    }

    /// Removes what an interrupted write left, and finds the generations that are taken.
    pub fn tidy(&self) -> Result<(), StoreError> {
        self.journal.finish(&self.db)?;
        let garbage: Vec<u64> = self
            .db
            .scan_prefix(chunks::GARBAGE_REGION)
            .keys()
            .map(|key| chunks::generation_of(&key?).ok_or(StoreError::Damaged("a garbage key")))
            .collect::<Result<_, _>>()?;
        for generation in garbage {
            self.sweep(generation)?;
        }
        if let Some(entry) = self.db.scan_prefix(chunks::CHUNK_REGION).next_back() {
            let taken = chunks::generation_of(&entry?.0)
                .ok_or(StoreError::Damaged("the key of a chunk"))?;
            self.generation.store(taken + 1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// A record of the store's own.
    pub fn raw(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.db.get(key)?.map(|record| record.to_vec()))
    }

    /// Sets a record of the store's own.
    pub fn put_raw(&self, key: &[u8], record: Vec<u8>) -> Result<(), StoreError> {
        self.db.insert(key, record)?;
        Ok(())
    }

    #[cfg(test)]
    pub fn remove_raw(&self, key: &[u8]) -> Result<(), StoreError> {
        self.db.remove(key)?;
        Ok(())
    }

    /// Begins a batch and does not end it.
    #[cfg(test)]
    pub fn begin(&self, changes: &[Change]) -> Result<(), StoreError> {
        self.journal.write_down(changes)
    }

    #[cfg(test)]
    pub fn records(&self) -> usize {
        self.db.len()
    }

    /// Reads everything once.
    pub fn examine(&self) -> Result<(), StoreError> {
        for entry in self.db.iter() {
            let (key, record) = entry?;
            if key.first() != Some(&0) {
                self.value(&record)?;
            }
        }
        Ok(())
    }

    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.db.get(key)? {
            Some(record) => self.value(&record).map(Some),
            None => Ok(None),
        }
    }

    pub fn contains(&self, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.db.contains_key(key)?)
    }

    pub fn scan(&self, prefix: &[u8], from: &[u8], most: usize) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::new();
        for entry in self.db.range(from..).take(most) {
            let (key, record) = entry?;
            if !key.starts_with(prefix) {
                break;
            }
            entries.push((key.to_vec(), self.value(&record)?));
        }
        Ok(entries)
    }

    pub fn last(&self, prefix: &[u8]) -> Result<Option<Entry>, StoreError> {
        match self.db.scan_prefix(prefix).next_back() {
            Some(entry) => {
                let (key, record) = entry?;
                Ok(Some((key.to_vec(), self.value(&record)?)))
            }
            None => Ok(None),
        }
    }

    fn value(&self, record: &[u8]) -> Result<Vec<u8>, StoreError> {
        let head = match chunks::parse(record)? {
            Record::Inline(value) => return Ok(value.to_vec()),
            Record::Head(head) => head,
        };
        let mut value = Vec::new();
        let mut found = 0;
        for chunk in self
            .db
            .scan_prefix(chunks::generation_prefix(head.generation))
            .values()
        {
            value.extend_from_slice(&chunk?);
            found += 1;
        }
        if found != head.chunks || value.len() as u64 != head.length {
            return Err(StoreError::Damaged("a large value is not complete"));
        }
        Ok(value)
    }

    /// All changes at once or none; tells whether there was anything to change. The caller sees to
    /// it that nobody else reads or writes.
    pub fn apply(&self, changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>) -> Result<bool, StoreError> {
        let total: usize = changes.values().flatten().map(Vec::len).sum();
        // A large batch brings its large values to the disk first, under generations that are
        // named as garbage until the batch itself takes them over.
        let staged = total > PORTION;
        let mut batch = Changes::default();
        let mut replaced = Vec::new();
        for (key, value) in changes {
            let before = self.db.get(&key)?;
            if let Some(before) = &before
                && let Record::Head(old) = chunks::parse(before)?
            {
                replaced.push(old);
            }
            match value {
                // What is as it should be is not written: cards wear out.
                None if before.is_none() => {}
                None => batch.remove(key),
                Some(value) if value.len() <= CHUNK => {
                    let record = chunks::inline(&value);
                    if before.as_deref() != Some(record.as_slice()) {
                        batch.insert(key, record);
                    }
                }
                Some(value) => {
                    let head = self.place(&value, staged, &mut batch)?;
                    batch.insert(key, chunks::head(head));
                }
            }
        }
        let changed = !batch.ops.is_empty();
        let mut sweep = Vec::new();
        for old in replaced {
            if old.length <= PORTION as u64 {
                for index in 0..old.chunks {
                    batch.remove(chunks::chunk_key(old.generation, index));
                }
            } else {
                batch.insert(chunks::garbage_key(old.generation), Vec::new());
                sweep.push(old.generation);
            }
        }
        self.write(batch)?;
        for generation in sweep {
            self.sweep(generation)?;
        }
        Ok(changed)
    }

    fn place(&self, value: &[u8], staged: bool, batch: &mut Changes) -> Result<Head, StoreError> {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed);
        let mut portion = Changes::default();
        if staged {
            portion.insert(chunks::garbage_key(generation), Vec::new());
        }
        let mut count = 0;
        for chunk in value.chunks(CHUNK) {
            let key = chunks::chunk_key(generation, count);
            count += 1;
            if !staged {
                batch.insert(key, chunk.to_vec());
                continue;
            }
            portion.insert(key, chunk.to_vec());
            if portion.cost >= PORTION {
                self.write(std::mem::take(&mut portion))?;
            }
        }
        if staged {
            self.write(portion)?;
            batch.remove(chunks::garbage_key(generation));
        }
        Ok(Head {
            generation,
            chunks: count,
            length: value.len() as u64,
        })
    }

    /// Deletes a generation that no head names, and then its name in the garbage.
    fn sweep(&self, generation: u64) -> Result<(), StoreError> {
        let keys: Vec<sled::IVec> = self
            .db
            .scan_prefix(chunks::generation_prefix(generation))
            .keys()
            .collect::<Result<_, _>>()?;
        for portion in keys.chunks(PORTION / CHUNK) {
            let mut changes = Changes::default();
            for key in portion {
                changes.remove(key.to_vec());
                // Removing a chunk rewrites the page its neighbours are on.
                changes.cost += CHUNK;
            }
            self.write(changes)?;
        }
        let mut changes = Changes::default();
        changes.remove(chunks::garbage_key(generation));
        self.write(changes)
    }

    fn write(&self, changes: Changes) -> Result<(), StoreError> {
        let journaled = journal::is_for(&changes.ops);
        let cost = changes.cost as u64 * if journaled { 2 } else { 1 };
        if self.unsynced.load(Ordering::Relaxed) + cost > PORTION as u64 {
            self.commit()?;
        }
        let mut ops = changes.ops;
        if journaled {
            self.journal.write(&self.db, ops)?;
        } else if ops.len() <= 1 {
            // A change alone is whole anyway.
            if let Some(change) = ops.pop() {
                journal::carry_out(&self.db, change)?;
            }
        } else {
            let mut batch = sled::Batch::default();
            for (key, record) in ops {
                match record {
                    Some(record) => batch.insert(key, record),
                    None => batch.remove(key),
                }
            }
            self.db.apply_batch(batch)?;
        }
        self.unsynced.fetch_add(cost, Ordering::Relaxed);
        let_go();
        Ok(())
    }

    /// Returns once everything written would survive a power cut.
    pub fn commit(&self) -> Result<(), StoreError> {
        // What is written while the sync is under way may or may not be covered: counted again.
        let covered = self.unsynced.load(Ordering::Relaxed);
        self.db.flush()?;
        let_go();
        if self.options.sync {
            self.file
                .sync_data()
                .map_err(StoreError::disk("make a commit durable"))?;
        }
        // Two commits may overlap and cover the same.
        self.unsynced
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
                Some(now.saturating_sub(covered))
            })
            .ok();
        match self.has_blobs() {
            Ok(false) => Ok(()),
            Ok(true) => Err(StoreError::Blob),
            Err(error) => Err(StoreError::disk("look into blobs/")(error)),
        }
    }

    /// A directory whose time is the same has the same names in it, and asking for its time is
    /// quicker than reading it. A time too near to the last look says nothing: clocks of file
    /// systems are coarse, the coarsest counts in two seconds.
    fn has_blobs(&self) -> std::io::Result<bool> {
        let changed = std::fs::metadata(&self.blobs)?.modified()?;
        let mut empty_since = self
            .no_blobs_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if *empty_since == Some(changed) {
            return Ok(false);
        }
        let now = SystemTime::now();
        let blobs = std::fs::read_dir(&self.blobs)?.next().is_some();
        let old = now
            .duration_since(changed)
            .is_ok_and(|age| age > COARSEST_CLOCK);
        *empty_since = (!blobs && old).then_some(changed);
        Ok(blobs)
    }
}

/// Has the library free what it is done with. Each thread gathers 64 things before it hands them
/// on to be freed, and for the thread that commits each of them is a write buffer of 512 KiB.
fn let_go() {
    crossbeam_epoch::pin().flush();
}

#[derive(Default)]
struct Changes {
    ops: Vec<Change>,
    cost: usize,
}

impl Changes {
    fn insert(&mut self, key: Vec<u8>, record: Vec<u8>) {
        self.cost += OVERHEAD + key.len() + record.len();
        self.ops.push((key, Some(record)));
    }

    fn remove(&mut self, key: Vec<u8>) {
        self.cost += OVERHEAD + key.len();
        self.ops.push((key, None));
    }
}
