//! The marker that counts openings which did not succeed, and what becomes of a database that has
//! had enough of them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::disk;
use super::slot::{Slot, suspect};

/// After so many openings that did not succeed since the system started, a database is set aside.
const ATTEMPTS: u32 = 2;

/// The same over all starts: a database that takes the whole system down must not do so for ever.
const ATTEMPTS_EVER: u32 = 6;

/// How many databases of one name that were set aside are kept.
const KEPT_ASIDE: usize = 2;

fn marker(name: &str) -> String {
    format!("{name}.opening")
}

/// Openings that did not succeed, as the marker has them.
pub(super) struct Attempts {
    /// Over all starts of the system.
    pub ever: u32,
    /// Since its last start.
    pub now: u32,
}

impl Attempts {
    pub fn read(slot: &Slot) -> Self {
        let content = match fs::read_to_string(slot.dir.join(marker(slot.name))) {
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

    /// The database is to be set aside.
    pub fn are_enough(&self) -> bool {
        self.now >= ATTEMPTS || self.ever >= ATTEMPTS_EVER
    }

    pub fn forget(slot: &Slot) -> std::io::Result<()> {
        disk::remove_durably(&slot.dir, &marker(slot.name))
    }

    pub fn write_one_more(&self, slot: &Slot) -> std::io::Result<()> {
        let content = format!("{} {} {}", self.ever + 1, self.now + 1, system_start());
        disk::write_durably(&slot.dir, &marker(slot.name), content.as_bytes())
    }
}

/// Names the system's start. Where it has no name, all starts are one.
fn system_start() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

/// Renames a database that does not open; of those with its name the newest are kept.
pub(super) fn put_aside(slot: &Slot) -> std::io::Result<()> {
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
    Attempts::forget(slot)
}

/// What was set aside under this name, the oldest first.
pub(super) fn aside(dir: &Path, name: &str) -> std::io::Result<Vec<(u32, PathBuf)>> {
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
