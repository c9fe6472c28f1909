//! The place of one database: empty while closed, so that handles outlive what they point to.
//! It knows what is applied and what is durable, keeps panics of the library from everybody, and
//! leaves a note for the next start when something looked damaged.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::watch;

use super::engine::Engine;
use super::{Options, StoreError, disk};

/// The note that asks the next opening to look at everything.
pub(super) fn suspect(name: &str) -> String {
    format!("{name}.suspect")
}

#[derive(Debug)]
pub(super) struct Slot {
    pub dir: PathBuf,
    pub name: &'static str,
    pub options: Options,
    // Readers share, `apply` is alone: a large value is read in several steps.
    engine: RwLock<Option<Arc<Engine>>>,
    applied: AtomicU64,
    durable: AtomicU64,
    // After a failed sync the kernel forgets what it could not write; a second sync would
    // succeed and mean nothing.
    failed: Mutex<Option<StoreError>>,
    broken: Arc<watch::Sender<Option<StoreError>>>,
}

impl Slot {
    /// `broken` is told when the database takes nothing more.
    pub fn new(
        dir: &Path,
        name: &'static str,
        options: Options,
        broken: Arc<watch::Sender<Option<StoreError>>>,
    ) -> Self {
        Self {
            dir: dir.to_owned(),
            name,
            options,
            engine: RwLock::new(None),
            applied: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            failed: Mutex::new(None),
            broken,
        }
    }

    pub fn fill(&self, engine: Engine) {
        let mut place = self.engine.write().unwrap_or_else(PoisonError::into_inner);
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.broken.send_replace(None);
        self.durable
            .store(self.applied.load(Ordering::Acquire), Ordering::Release);
        *place = Some(Arc::new(engine));
    }

    /// Takes the database away and closes it. Called by the committer's thread alone, which is
    /// also the only one that holds an engine outside the lock; so this is the last reference.
    pub fn empty(&self) {
        let engine = self
            .engine
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // The library's own last flush may panic on a disk that refuses.
        if catch_unwind(AssertUnwindSafe(|| drop(engine))).is_err() {
            tracing::error!(
                database = self.name,
                "the store's library panicked while closing"
            );
        }
    }

    /// Reads.
    pub fn with<T>(
        &self,
        read: impl FnOnce(&Engine) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let place = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        let engine = place.as_ref().ok_or(StoreError::Closed)?;
        self.guard(|| read(engine))
    }

    pub fn apply(&self, changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let place = self.engine.write().unwrap_or_else(PoisonError::into_inner);
        let engine = place.as_ref().ok_or(StoreError::Closed)?;
        self.check()?;
        let result = self.guard(|| engine.apply(changes));
        // Even a failed batch may have left portions behind that the next commit is to cover.
        if !matches!(result, Ok(false)) {
            self.applied.fetch_add(1, Ordering::AcqRel);
        }
        // The library, too, takes nothing more after the disk has refused it something.
        if let Err(error @ (StoreError::Disk { .. } | StoreError::Database(sled::Error::Io(_)))) =
            &result
        {
            self.fail(error);
        }
        result.map(|_| ())
    }

    /// Whether a commit would find nothing to do.
    pub fn is_durable(&self) -> Result<bool, StoreError> {
        self.check()?;
        self.with(|_| Ok(()))?;
        Ok(self.durable.load(Ordering::Acquire) >= self.applied.load(Ordering::Acquire))
    }

    /// Makes everything applied so far durable. Does not keep readers or writers out meanwhile.
    pub fn commit(&self) -> Result<(), StoreError> {
        self.check()?;
        let engine = self
            .engine
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .ok_or(StoreError::Closed)?;
        let applied = self.applied.load(Ordering::Acquire);
        if self.durable.load(Ordering::Acquire) >= applied {
            return Ok(());
        }
        match self.guard(|| engine.commit()) {
            Ok(()) => {
                self.durable.fetch_max(applied, Ordering::AcqRel);
                Ok(())
            }
            Err(error) => {
                self.fail(&error);
                Err(error)
            }
        }
    }

    /// Something was applied that no commit has covered.
    pub fn is_dirty(&self) -> bool {
        self.check().is_ok()
            && self.durable.load(Ordering::Acquire) < self.applied.load(Ordering::Acquire)
    }

    fn check(&self) -> Result<(), StoreError> {
        match &*self.failed.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    fn fail(&self, error: &StoreError) {
        self.failed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(|| error.clone());
        self.broken.send_if_modified(|reason| {
            let first = reason.is_none();
            reason.get_or_insert_with(|| error.clone());
            first
        });
    }

    fn guard<T>(&self, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(StoreError::Panicked));
        if let Err(error) = &result
            && error.is_suspicious()
        {
            tracing::error!(database = self.name, %error, "the store looks damaged");
            // The next opening looks at everything. Should even this fail, it opens as always.
            let note = suspect(self.name);
            if let Err(error) = disk::write_durably(&self.dir, &note, b"") {
                tracing::error!(%error, "and this could not be noted down");
            }
        }
        result
    }
}
