//! Opening, setting aside, and resetting. The one rule: whatever lies on the disk, a start ends
//! with two databases that work or with an error a person can act on; never with the same panic
//! at every start.
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
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use prost::Message;

use super::chunks::{Format, VERSION_KEY};
use super::engine::Engine;
use super::slot::Slot;
use super::{OpenError, Opened, Options, StoreError, disk};

/// The format that this version writes, and the newest it reads.
const FORMAT: u32 = 1;

/// After so many openings that did not succeed since the system started, a database is set aside.
const ATTEMPTS: u32 = 2;

/// The same over all starts: a database that takes the whole system down must not do so for ever.
const ATTEMPTS_EVER: u32 = 6;

/// How many databases of one name that were set aside are kept.
const KEPT_ASIDE: usize = 2;

const COMPLETE: &str = "complete";
const RESET: &str = "reset";
const CACHE_BYTES: u64 = 1024 * 1024;

pub(super) fn open_both(dir: &Path, link: &Slot, log: &Slot) -> Result<Opened, OpenError> {
    let mut opened = Opened {
        set_aside: Vec::new(),
        reset_pending: dir.join(RESET).exists(),
    };
    finish_removals(dir).map_err(disk::io_at(dir))?;
    for slot in [link, log] {
        if open(slot)? {
            opened.set_aside.push(slot.name);
        }
    }
    Ok(opened)
}

/// The note that asks the next opening to look at everything.
pub(super) fn suspect(name: &str) -> String {
    format!("{name}.suspect")
}

fn attempts(name: &str) -> String {
    format!("{name}.opening")
}

/// Fills a slot; tells whether something was set aside for it.
fn open(slot: &Slot) -> Result<bool, OpenError> {
    let path = slot.dir.join(slot.name);
    let mut set_aside = false;
    loop {
        let at = || disk::io_at(&path);
        let made = Attempts::read(slot);
        if made.now >= ATTEMPTS || made.ever >= ATTEMPTS_EVER {
            if set_aside {
                return Err(OpenError::Database {
                    name: slot.name,
                    source: StoreError::Damaged("even an empty one"),
                });
            }
            put_aside(slot).map_err(at())?;
            set_aside = true;
            continue;
        }
        made.write_one_more(slot).map_err(at())?;
        let doubtful = made.ever > 0 || slot.dir.join(suspect(slot.name)).exists();
        let attempt = catch_unwind(AssertUnwindSafe(|| attempt(&path, slot, doubtful)));
        match attempt.unwrap_or(Err(Failure::Database(StoreError::Panicked))) {
            Ok(engine) => {
                disk::remove_durably(&slot.dir, &suspect(slot.name)).map_err(at())?;
                disk::remove_durably(&slot.dir, &attempts(slot.name)).map_err(at())?;
                slot.fill(engine);
                return Ok(set_aside);
            }
            // Not the database's fault: it is not to be set aside for a full or locked disk.
            Err(Failure::Surroundings(error)) => {
                disk::remove_durably(&slot.dir, &attempts(slot.name)).map_err(at())?;
                return Err(error);
            }
            Err(Failure::Database(error)) => {
                tracing::error!(database = slot.name, %error, attempt = made.now + 1, "does not open");
            }
        }
    }
}

/// Whom a failed opening is to be blamed on.
enum Failure {
    Surroundings(OpenError),
    Database(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Database(error)
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
        rehearse(path, slot)?;
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
    Ok(Engine::new(db, file, path.join("blobs"), options))
}

fn open_library(path: &Path, flush_every_ms: Option<u64>) -> Result<sled::Db, StoreError> {
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
                std::thread::sleep(Duration::from_millis(10));
            }
            result => return Ok(result?),
        }
    }
}

/// A file that cannot be used because of what is around it; anything else is the database's fault.
fn io_failure(path: &Path, source: std::io::Error) -> Failure {
    match source.kind() {
        ErrorKind::StorageFull
        | ErrorKind::QuotaExceeded
        | ErrorKind::PermissionDenied
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::OutOfMemory => Failure::Surroundings(disk::io_at(path)(source)),
        _ => Failure::Database(StoreError::disk("open the database")(source)),
    }
}

/// Opens a copy, to have its snapshot before the database itself is touched.
///
/// The library's recovery writes a snapshot, renames it, and then overwrites every segment it no
/// longer needs, without making the name durable first. With the overwriting on the disk and the
/// name not, it takes the next time the whole database for torn at its beginning. So the snapshot
/// is made on a copy and put in place durably; the opening proper then finds it there. The copy is
/// never synced and lives for a moment: it costs memory and no flash.
fn rehearse(path: &Path, slot: &Slot) -> Result<(), Failure> {
    let stage = slot.dir.join(rehearsal(slot.name));
    let io = |error| io_failure(path, error);
    remove_half_snapshots(path).map_err(io)?;
    let known = snapshots(path).map_err(io)?;
    let set = || -> std::io::Result<()> {
        disk::remove_tree(&stage)?;
        fs::create_dir(&stage)?;
        for name in known.iter().map(String::as_str).chain(["conf", "db"]) {
            fs::copy(path.join(name), stage.join(name))?;
        }
        Ok(())
    };
    match set() {
        // A full disk is no reason to stay down: the danger is a cut in the next moment.
        Err(error) if error.kind() == ErrorKind::StorageFull => {
            tracing::warn!(database = slot.name, "no space to open it with care");
            return disk::remove_tree(&stage).map_err(io);
        }
        set => set.map_err(io)?,
    }
    drop(open_library(&stage, None)?);
    let newest = snapshots(&stage).map_err(io)?.pop();
    if let Some(newest) = newest
        && !known.contains(&newest)
    {
        let content = fs::read(stage.join(&newest)).map_err(io)?;
        disk::write_durably(path, &newest, &content).map_err(io)?;
        for old in &known {
            disk::remove_durably(path, old).map_err(io)?;
        }
    }
    disk::remove_tree(&stage).map_err(io)
}

fn rehearsal(name: &str) -> String {
    format!("{name}.rehearsal")
}

/// The names of the library's snapshots, the oldest first.
fn snapshots(path: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("snap.") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The library takes a half-written snapshot for the newest one and gives up on it.
fn remove_half_snapshots(path: &Path) -> std::io::Result<()> {
    for name in snapshots(path)? {
        if name.matches('.').count() > 1 {
            disk::remove_durably(path, &name)?;
        }
    }
    Ok(())
}

/// Openings that did not succeed, as the marker has them.
struct Attempts {
    ever: u32,
    now: u32,
}

impl Attempts {
    fn read(slot: &Slot) -> Self {
        let content = match fs::read_to_string(slot.dir.join(attempts(slot.name))) {
            Ok(content) => content,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Self { ever: 0, now: 0 };
            }
            Err(_) => String::new(),
        };
        let mut words = content.split_whitespace();
        let mut number = || words.next().and_then(|word| word.parse().ok());
        // An unreadable count is one all the same: somebody began.
        let (ever, now) = (number().unwrap_or(1), number().unwrap_or(1));
        let same_start = words.next().unwrap_or_default() == system_start();
        Self {
            ever,
            now: if same_start { now } else { 0 },
        }
    }

    fn write_one_more(&self, slot: &Slot) -> std::io::Result<()> {
        let content = format!("{} {} {}", self.ever + 1, self.now + 1, system_start());
        disk::write_durably(&slot.dir, &attempts(slot.name), content.as_bytes())
    }
}

/// Names the system's start. Where it has no name, all starts are one.
fn system_start() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

fn put_aside(slot: &Slot) -> std::io::Result<()> {
    let mut aside = aside(&slot.dir, slot.name)?;
    let next = aside.last().map_or(1, |(number, _)| number + 1);
    fs::rename(
        slot.dir.join(slot.name),
        slot.dir.join(format!("{}.aside-{next}", slot.name)),
    )?;
    disk::sync_dir(&slot.dir)?;
    while aside.len() >= KEPT_ASIDE {
        let (_, oldest) = aside.remove(0);
        disk::remove_tree(&oldest)?;
    }
    disk::remove_durably(&slot.dir, &suspect(slot.name))?;
    disk::remove_durably(&slot.dir, &attempts(slot.name))
}

/// What was set aside under this name, the oldest first.
fn aside(dir: &Path, name: &str) -> std::io::Result<Vec<(u32, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let number = entry
            .file_name()
            .to_str()
            .and_then(|file| file.strip_prefix(name)?.strip_prefix(".aside-"))
            .and_then(|number| number.parse().ok());
        if let Some(number) = number {
            found.push((number, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

pub(super) fn begin_reset(dir: &Path) -> Result<(), StoreError> {
    disk::write_durably(dir, RESET, b"").map_err(StoreError::disk("begin a reset"))
}

/// Marker, delete and reopen, marker away.
pub(super) fn reset(dir: &Path, link: &Slot, log: &Slot) -> Result<(), StoreError> {
    begin_reset(dir)?;
    replace(dir, &[link, log])?;
    disk::remove_durably(dir, RESET).map_err(StoreError::disk("finish a reset"))
}

/// Closes and deletes databases and opens fresh ones. Overwriting would be pointless: flash memory
/// writes elsewhere. They get another name first, so that a half-deleted one is never opened.
pub(super) fn replace(dir: &Path, slots: &[&Slot]) -> Result<(), StoreError> {
    for slot in slots {
        slot.empty();
    }
    let forget = || -> std::io::Result<()> {
        for slot in slots {
            for (_, path) in aside(dir, slot.name)? {
                disk::remove_tree(&path)?;
            }
            let gone = dir.join(format!("{}.gone", slot.name));
            disk::remove_tree(&gone)?;
            match fs::rename(dir.join(slot.name), &gone) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            disk::remove_durably(dir, &suspect(slot.name))?;
            disk::remove_durably(dir, &attempts(slot.name))?;
        }
        disk::sync_dir(dir)?;
        finish_removals(dir)
    };
    forget().map_err(StoreError::disk("delete the databases"))?;
    for slot in slots {
        open(slot).map_err(|error| match error {
            OpenError::Database { source, .. } => source,
            OpenError::Io { source, .. } => StoreError::disk("open a fresh database")(source),
            OpenError::InUse(_) | OpenError::Newer { .. } => {
                StoreError::Damaged("a fresh database is not empty")
            }
        })?;
    }
    Ok(())
}

fn finish_removals(dir: &Path) -> std::io::Result<()> {
    for name in ["link", "log"] {
        disk::remove_tree(&dir.join(format!("{name}.gone")))?;
        disk::remove_tree(&dir.join(rehearsal(name)))?;
    }
    disk::sync_dir(dir)
}
