//! The few things done to plain files of the data directory: claiming it, and small markers whose
//! coming and going must survive a power cut. A file is durable only when its directory is, too.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use super::OpenError;

const SIMULATED: &str = "SIMULATED";

/// Says in `dir` that its link was made with a simulated service, whose certificates a real box
/// must never trust.
///
/// # Errors
/// When the directory or the file cannot be made.
pub fn mark_simulated(dir: &Path) -> io::Result<()> {
    make_dir(dir)?;
    write_durably(
        dir,
        SIMULATED,
        b"This data directory was linked with a simulated service and trusts its certificates.\n\
          A box for the real service refuses it. Delete the whole directory to link anew.\n",
    )
}

/// Whether [`mark_simulated`] was here.
pub fn is_simulated(dir: &Path) -> bool {
    dir.join(SIMULATED).exists()
}

/// Makes the directory if need be and locks it against a second process.
pub(super) fn claim(dir: &Path) -> Result<File, OpenError> {
    make_dir(dir).map_err(io_at(dir))?;
    let path = dir.join("lock");
    let lock = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .map_err(io_at(&path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(io_at(&path)(source)),
    }
}

/// Only the owner may look: the directory holds keys.
fn make_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_dir(parent),
        _ => Ok(()),
    }
}

/// Makes the names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Makes the content of a file durable.
pub(super) fn sync_file(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Sets a small file, all or nothing, durably.
pub(super) fn write_durably(dir: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let half = dir.join(format!("{name}.tmp"));
    let mut file = File::create(&half)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&half, dir.join(name))?;
    sync_dir(dir)
}

/// Removes a file, if it is there, durably.
pub(super) fn remove_durably(dir: &Path, name: &str) -> io::Result<()> {
    match fs::remove_file(dir.join(name)) {
        Ok(()) => sync_dir(dir),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes a directory and all in it, if it is there. The caller syncs the parent.
pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub(super) fn io_at(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { path, source }
}
