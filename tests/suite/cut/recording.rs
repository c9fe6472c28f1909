//! What a process did to the files below a directory: compiles the recorder, runs the process
//! under it, and reads the record.

use std::path::{Path, PathBuf};
use std::process::Command;

/// One thing done, in the order of doing. Paths are relative to the directory.
#[derive(Debug)]
pub enum Op {
    Open {
        fd: i32,
        path: PathBuf,
        truncate: bool,
    },
    Write {
        fd: i32,
        at: u64,
        data: Vec<u8>,
    },
    Truncate {
        fd: i32,
        length: u64,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    MakeDir {
        path: PathBuf,
    },
    /// `fsync` and `fdatasync`: both keep the data and the length.
    Sync {
        fd: i32,
    },
    /// `sync_file_range`, which promises nothing.
    Range,
    /// Something the process wanted noted.
    Mark(String),
}

/// The recorder, to be preloaded, made below `scratch`.
pub fn recorder(scratch: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/cut/record.c");
    let library = scratch.join("record.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(&source)
        .args(["-ldl", "-lpthread"])
        .status()
        .expect("a C compiler called cc is needed");
    assert!(compiled.success(), "record.c does not compile");
    library
}

/// Runs this very test binary again, under the recorder, as the ignored test `name`.
pub fn record(name: &str, scratch: &Path, dir: &Path, envs: &[(&str, &str)]) -> Vec<Op> {
    let library = recorder(scratch);

    let log = scratch.join("record");
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env("LD_PRELOAD", &library)
        .env("CUT_LOG", &log)
        .env("CUT_DIR", dir)
        .env("CUT_MARKS", scratch.join("marks"))
        .envs(envs.iter().copied())
        .output()
        .unwrap();
    assert!(
        child.status.success(),
        "{}{}",
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr)
    );
    let ops = parse(&std::fs::read(&log).unwrap(), dir);
    assert!(!ops.is_empty(), "nothing was recorded");
    ops
}

fn parse(mut log: &[u8], dir: &Path) -> Vec<Op> {
    fn take<'a>(log: &mut &'a [u8], length: usize) -> &'a [u8] {
        let (taken, rest) = log.split_at(length);
        *log = rest;
        taken
    }
    let mut ops = Vec::new();
    while !log.is_empty() {
        let op = take(&mut log, 1)[0];
        let fd = i32::from_ne_bytes(take(&mut log, 4).try_into().unwrap());
        let number = u64::from_ne_bytes(take(&mut log, 8).try_into().unwrap());
        let first = u32::from_ne_bytes(take(&mut log, 4).try_into().unwrap());
        let second = u32::from_ne_bytes(take(&mut log, 4).try_into().unwrap());
        let first = take(&mut log, first as usize);
        let second = take(&mut log, second as usize);
        let path = |bytes: &[u8]| {
            let path = Path::new(std::str::from_utf8(bytes).unwrap());
            path.strip_prefix(dir).unwrap().to_owned()
        };
        ops.push(match op {
            b'o' => Op::Open {
                fd,
                path: path(first),
                truncate: number == 1,
            },
            b'w' => Op::Write {
                fd,
                at: number,
                data: first.to_vec(),
            },
            b't' => Op::Truncate { fd, length: number },
            b'r' => Op::Rename {
                from: path(first),
                to: path(second),
            },
            b'u' | b'x' => Op::Remove { path: path(first) },
            b'd' => Op::MakeDir { path: path(first) },
            b's' => Op::Sync { fd },
            b'g' => Op::Range,
            b'm' => Op::Mark(String::from_utf8(first.to_vec()).unwrap()),
            other => panic!("unknown record {other}"),
        });
    }
    ops
}
