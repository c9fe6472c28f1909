//! Opening. The one rule: whatever lies on the disk, a start ends with two databases that work or
//! with an error a person can act on; never with the same panic at every start.
//!
//! Before a database is opened its *attempt marker* counts up, durably, and it goes when the
//! opening and a first read have succeeded. So an opening that fails, panics or takes the whole
//! process with it has been counted, and after two of them the database is renamed. One that was
//! under way when the power went is not the database's fault and costs no link: an opening that
//! did not end and began before the system last started counts for less.
//!
//! A database has been created once its file `complete` is there; before that nothing in it was
//! ever promised to anybody, and it is begun again.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use prost::Message;

use super::attempts::{self, Attempts};
use super::chunks::{Format, VERSION_KEY};
use super::engine::Engine;
use super::library::{Failure, io_failure, open_library};
use super::slot::{Slot, suspect};
use super::{OpenError, Options, StoreError, disk, rehearsal};

/// The format that this version writes, and the newest it reads.
const FORMAT: u32 = 1;

const COMPLETE: &str = "complete";

/// Fills a slot; tells whether something was set aside for it.
pub(super) fn open(slot: &Slot) -> Result<bool, OpenError> {
    let path = slot.dir.join(slot.name);
    let mut set_aside = false;
    loop {
        let at = || disk::io_at(&path);
        let made = Attempts::read(slot);
        if made.are_enough() {
            if set_aside {
                return Err(OpenError::Database {
                    name: slot.name,
                    source: StoreError::Damaged("even an empty one"),
                });
            }
            attempts::put_aside(slot).map_err(at())?;
            set_aside = true;
            continue;
        }
        made.write_one_more(slot).map_err(at())?;
        let doubtful = made.ever > 0 || slot.dir.join(suspect(slot.name)).exists();
        let attempt = catch_unwind(AssertUnwindSafe(|| attempt(&path, slot, doubtful)));
        match attempt.unwrap_or(Err(Failure::Database(StoreError::Panicked))) {
            Ok(engine) => {
                disk::remove_durably(&slot.dir, &suspect(slot.name)).map_err(at())?;
                Attempts::forget(slot).map_err(at())?;
                slot.fill(engine);
                return Ok(set_aside);
            }
            // Not the database's fault: it is not to be set aside for a full or locked disk.
            Err(Failure::Surroundings(error)) => {
                Attempts::forget(slot).map_err(at())?;
                return Err(error);
            }
            Err(Failure::Database(error)) => {
                tracing::error!(database = slot.name, %error, attempt = made.now + 1, "does not open");
            }
        }
    }
}

fn attempt(path: &Path, slot: &Slot, doubtful: bool) -> Result<Engine, Failure> {
    let io = |error| io_failure(path, error);
    let fresh = !path.join(COMPLETE).exists();
    if fresh {
        disk::remove_tree(path).map_err(io)?;
        fs::create_dir(path).map_err(io)?;
        disk::sync_dir(&slot.dir).map_err(io)?;
    } else {
        rehearsal::rehearse(path, slot)?;
    }
    let engine = open_engine(path, slot.options).map_err(|error| match error {
        StoreError::Database(sled::Error::Io(error)) => io_failure(path, error),
        error => Failure::Database(error),
    })?;
    let known = Format { version: FORMAT };
    if fresh {
        engine.put_raw(VERSION_KEY, known.encode_to_vec())?;
        engine.commit()?;
        disk::sync_file(&path.join("conf")).map_err(io)?;
        disk::write_durably(path, COMPLETE, b"").map_err(io)?;
    } else {
        // The library has written a snapshot and renamed it.
        disk::sync_dir(path).map_err(io)?;
    }
    let record = engine
        .raw(VERSION_KEY)?
        .ok_or(StoreError::Damaged("no format version"))?;
    let found = Format::decode(record.as_slice())
        .map_err(|_| StoreError::Damaged("the format version"))?
        .version;
    if found > FORMAT {
        return Err(Failure::Surroundings(OpenError::Newer {
            name: slot.name,
            found,
            known: FORMAT,
        }));
    }
    engine.tidy()?;
    if doubtful {
        engine.examine()?;
    }
    Ok(engine)
}

fn open_engine(path: &Path, options: Options) -> Result<Engine, StoreError> {
    let db = open_library(path, Some(options.housekeeping_ms))?;
    let file = fs::File::open(path.join("db")).map_err(StoreError::disk("open the database"))?;
    Engine::new(db, file, path.join("blobs"), options)
}
