//! Forgetting everything, so that a power cut at any moment leaves either all of it with the marker
//! that says so, or none.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::attempts::{self, Attempts};
use super::slot::{Slot, suspect};
use super::{OpenError, StoreError, disk, opening, rehearsal};

const RESET: &str = "reset";

/// A reset was begun and has not got to its end.
pub(super) fn is_pending(dir: &Path) -> bool {
    dir.join(RESET).exists()
}

/// Makes durable that everything is to be forgotten.
pub(super) fn begin(dir: &Path) -> Result<(), StoreError> {
    disk::write_durably(dir, RESET, b"").map_err(StoreError::disk("begin a reset"))
}

/// Marker, close, delete, reopen, marker away.
pub(super) fn carry_out(dir: &Path, link: &Slot, log: &Slot) -> Result<(), StoreError> {
    begin(dir)?;
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
            for (_, path) in attempts::aside(dir, slot.name)? {
                disk::remove_tree(&path)?;
            }
            let gone = dir.join(format!("{}.gone", slot.name));
            disk::remove_tree(&gone)?;
            match fs::rename(dir.join(slot.name), &gone) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            disk::remove_durably(dir, &suspect(slot.name))?;
            Attempts::forget(slot)?;
        }
        disk::sync_dir(dir)?;
        finish_removals(dir)
    };
    forget().map_err(StoreError::disk("delete the databases"))?;
    for slot in slots {
        opening::open(slot).map_err(|error| match error {
            OpenError::Database { source, .. } => source,
            OpenError::Io { source, .. } => StoreError::disk("open a fresh database")(source),
            OpenError::InUse(_) | OpenError::Newer { .. } => {
                StoreError::Damaged("a fresh database is not empty")
            }
        })?;
    }
    Ok(())
}

/// Deletes what was only renamed or copied before the power went.
pub(super) fn finish_removals(dir: &Path) -> std::io::Result<()> {
    for name in ["link", "log"] {
        disk::remove_tree(&dir.join(format!("{name}.gone")))?;
        let [in_memory, in_dir] = rehearsal::stages(dir, name);
        disk::remove_tree(&in_dir)?;
        // Of somebody else, if it cannot be removed.
        let _ = disk::remove_tree(&in_memory);
    }
    disk::sync_dir(dir)
}
