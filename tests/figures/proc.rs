//! What the kernel knows of another process: its memory, its writes, its wake-ups. Looks once and
//! never asks the process itself, which would wake it.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Context as _;

/// Resident memory, in MiB.
pub struct Memory {
    resident: f64,
    /// Of it, what belongs to no file: the program's own data. The rest can be dropped and read
    /// again at any time.
    anonymous: f64,
    peak: f64,
}

impl Memory {
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let mib = |name| Ok::<_, anyhow::Error>(field(&status, name)? as f64 / 1024.0);
        Ok(Self {
            resident: mib("VmRSS:")?,
            anonymous: mib("RssAnon:")?,
            peak: mib("VmHWM:")?,
        })
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.1} MiB, {:.1} of it anonymous, at most {:.1}",
            self.resident, self.anonymous, self.peak
        )
    }
}

/// Bytes the kernel has sent to the disk for this process.
pub fn written(pid: u32) -> anyhow::Result<u64> {
    field(
        &std::fs::read_to_string(format!("/proc/{pid}/io"))?,
        "write_bytes:",
    )
}

/// How often each thread has gone to sleep of its own will, which is how often it was woken.
pub fn switches(pid: u32) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut threads = BTreeMap::new();
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = thread?.path();
        let status = std::fs::read_to_string(path.join("status"))?;
        let name = std::fs::read_to_string(path.join("comm"))?;
        let number = path.file_name().unwrap_or_default().to_string_lossy();
        threads.insert(
            format!("{} {number}", name.trim()),
            field(&status, "voluntary_ctxt_switches:")?,
        );
    }
    Ok(threads)
}

fn field(text: &str, name: &str) -> anyhow::Result<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .with_context(|| format!("no {name} in /proc"))
}
