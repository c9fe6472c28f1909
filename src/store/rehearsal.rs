//! Opening a copy, to have its snapshot before the database itself is touched.
//!
//! The library's recovery writes a snapshot, renames it, and then overwrites every segment it no
//! longer needs, without making the name durable first. With the overwriting on the disk and the
//! name not, it takes the next time the whole database for torn at its beginning. So the snapshot
//! is made on a copy and put in place durably; the opening proper then finds it there.
//!
//! The copy is made in memory where the system has such a place, since the library syncs what it
//! opens and cards wear out; only its owner may look into it, and it is gone a moment later. One
//! that a crash left is deleted by the next start.

use std::fs::{self, DirBuilder};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::disk;
use super::library::{Failure, io_failure, open_library};
use super::slot::Slot;

/// Puts the snapshot in place that the coming opening of `path` would write.
pub(super) fn rehearse(path: &Path, slot: &Slot) -> Result<(), Failure> {
    let io = |error| io_failure(path, error);
    remove_half_snapshots(path).map_err(io)?;
    let known = snapshots(path).map_err(io)?;
    let mut copied = None;
    for place in stages(&slot.dir, slot.name) {
        match copy_to(&place, path, &known) {
            Ok(()) => {
                copied = Some(place);
                break;
            }
            Err(error) => {
                tracing::debug!(database = slot.name, %error, "a copy does not fit here");
                // What cannot be removed is not ours.
                let _ = disk::remove_tree(&place);
            }
        }
    }
    let Some(copy) = copied else {
        // No reason to stay down: the danger is a power cut in the next moment.
        tracing::warn!(database = slot.name, "no space to open it with care");
        return Ok(());
    };
    drop(open_library(&copy, None)?);
    let newest = snapshots(&copy).map_err(io)?.pop();
    if let Some(newest) = newest
        && !known.contains(&newest)
    {
        let content = fs::read(copy.join(&newest)).map_err(io)?;
        disk::write_durably(path, &newest, &content).map_err(io)?;
        for old in &known {
            disk::remove_durably(path, old).map_err(io)?;
        }
    }
    disk::remove_tree(&copy).map_err(io)
}

fn copy_to(place: &Path, path: &Path, snapshots: &[String]) -> std::io::Result<()> {
    disk::remove_tree(place)?;
    DirBuilder::new().mode(0o700).create(place)?;
    for name in snapshots.iter().map(String::as_str).chain(["conf", "db"]) {
        fs::copy(path.join(name), place.join(name))?;
    }
    Ok(())
}

/// Where a copy may be made, the better place first.
pub(super) fn stages(dir: &Path, name: &str) -> [PathBuf; 2] {
    let mut hasher = DefaultHasher::new();
    fs::canonicalize(dir)
        .unwrap_or_else(|_| dir.to_owned())
        .hash(&mut hasher);
    [
        PathBuf::from(format!("/dev/shm/vinculo-{:016x}-{name}", hasher.finish())),
        dir.join(format!("{name}.rehearsal")),
    ]
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
