//! The door to the database library: how a file is opened with it, and whom a failure is to be
//! blamed on.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use super::{OpenError, StoreError, disk};

/// What the library counts is the size on disk; in memory a page is several times as large. Enough
/// for the pages that every message touches, and what is read once need not stay.
const CACHE_BYTES: u64 = 256 * 1024;

/// Whom a failed opening is to be blamed on.
pub(super) enum Failure {
    Surroundings(OpenError),
    Database(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Database(error)
    }
}

pub(super) fn open_library(
    path: &Path,
    flush_every_ms: Option<u64>,
) -> Result<sled::Db, StoreError> {
    let config = sled::Config::new()
        .path(path)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(flush_every_ms);
    let mut tries = 0;
    loop {
        match config.open() {
            // A database of this process that was just closed is let go by the library's threads
            // a moment later. Another process cannot be it: ours has the directory.
            Err(sled::Error::Io(error))
                if tries < 100 && error.to_string().contains("could not acquire lock") =>
            {
                tries += 1;
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the committer's own thread waits, and nothing tells when they are gone"
                )]
                std::thread::sleep(Duration::from_millis(10));
            }
            result => return Ok(result?),
        }
    }
}

/// A file that cannot be used because of what is around it; anything else is the database's fault.
pub(super) fn io_failure(path: &Path, source: std::io::Error) -> Failure {
    match source.kind() {
        ErrorKind::StorageFull
        | ErrorKind::QuotaExceeded
        | ErrorKind::PermissionDenied
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::OutOfMemory => Failure::Surroundings(disk::io_at(path)(source)),
        _ => Failure::Database(StoreError::disk("open the database")(source)),
    }
}
