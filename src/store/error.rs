//! What the store tells when it cannot. Every message says what to do where something can be done.

use std::path::PathBuf;
use std::sync::Arc;

/// What can go wrong with a database.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database could not read or write.
    #[error("the store failed: {0}")]
    Database(#[from] sled::Error),
    /// The disk refused, or is full.
    #[error("the disk refused to {what}: {source}; check for space and a worn-out card")]
    Disk {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: Arc<std::io::Error>,
    },
    /// The store was closed, or is just being reset.
    #[error("the store is closed")]
    Closed,
    /// A value went to a file of its own, which nothing makes durable. A fault of this program.
    #[error("the store holds a value in blobs/, where no power cut is survived")]
    Blob,
    /// What is stored cannot be what was written.
    #[error("the store is damaged: {0}; it is examined at the next start")]
    Damaged(&'static str),
    /// The database library panicked.
    #[error("the store's library panicked; the store is examined at the next start")]
    Panicked,
}

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the data directory.
    #[error("{0} is in use by another process; stop that one first")]
    InUse(PathBuf),
    /// A newer version of this program wrote it.
    #[error(
        "the database {name} has format {found}, this version reads up to {known}; \
         install the newer version again, or move the data directory away and link anew"
    )]
    Newer {
        /// Which database.
        name: &'static str,
        /// The format on disk.
        found: u32,
        /// The newest format this version knows.
        known: u32,
    },
    /// The directory or a file in it could not be made, read or renamed.
    #[error("cannot use {path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Even an empty database does not open.
    #[error("the database {name} does not open: {source}")]
    Database {
        /// Which database.
        name: &'static str,
        /// Why.
        source: StoreError,
    },
}

impl StoreError {
    pub(super) fn disk(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Disk {
            what,
            source: Arc::new(source),
        }
    }

    /// Only a look at everything can tell what else is wrong.
    pub(super) fn is_suspicious(&self) -> bool {
        match self {
            Self::Damaged(_) | Self::Panicked => true,
            Self::Database(
                sled::Error::Corruption { .. }
                | sled::Error::ReportableBug(_)
                | sled::Error::Unsupported(_)
                | sled::Error::CollectionNotFound(_),
            ) => true,
            Self::Database(sled::Error::Io(_)) | Self::Disk { .. } | Self::Closed | Self::Blob => {
                false
            }
        }
    }
}
