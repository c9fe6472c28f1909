//! Power cuts. A process lives a busy day with the store under a recorder; then the power is cut
//! at 300 points of that day, on a disk that keeps what was synced and, of the rest, what it
//! likes. Each time the store must open, the link be whole, and every message whose commit had
//! returned be there.
//!
//! That the test can fail is part of it: with the one `fdatasync` of a commit left out, it must.
//!
//! The same recorder can fill the disk up; what is told then is checked here, too.

mod disk;
mod extremes;
pub mod recording;
mod workload;

use std::path::PathBuf;

use disk::{Chance, Disk};
use recording::Op;
use workload::Promised;

const POINTS: usize = 300;

#[test]
fn nothing_promised_is_lost_in_a_power_cut() {
    let lived = Lived::record("yes", "60000");
    lived.tell_the_cost();
    lived.lose_nothing(1);
}

/// As above, while the library collects garbage all the time and not once a minute.
#[test]
fn nor_while_the_library_tidies_up() {
    Lived::record("yes", "25").lose_nothing(2);
}

/// The library tidies up while it opens, and most where little is kept and much was written.
#[test]
fn an_opening_that_loses_power_costs_nothing() {
    let lived = Lived::record_with("cut::churn", &[]);
    let reopened = |op: &Op| matches!(op, Op::Mark(mark) if mark == "reopening");
    let first = lived.ops.iter().position(reopened).unwrap();
    let mut disk = Disk::new();
    let mut chance = Chance(3);
    let dir = lived.scratch.path().join("cut");
    for (at, op) in lived.ops.iter().enumerate() {
        disk.apply(op);
        for _ in 0..if at < first { 0 } else { 2 } {
            disk.cut(&dir, &mut chance);
            if let Err(what) = extremes::check_churned(&dir) {
                panic!("operation {at}: {what}");
            }
            std::fs::remove_dir_all(&dir).unwrap();
        }
    }
}

#[test]
fn without_the_sync_the_same_cuts_lose_something() {
    let lived = Lived::record("no", "60000");
    let mut lost = false;
    lived.cut_at(&lived.points(1), 1, |_, _, result| {
        lost = result.is_err();
        !lost
    });
    assert!(lost, "a commit without its sync survived {POINTS} cuts");
}

#[test]
fn a_full_disk_is_told_to_everybody_and_costs_nothing_promised() {
    let lived = Lived::record_with("cut::fill", &[("CUT_ROOM", "900000")]);
    let mut promised = None;
    for op in &lived.ops {
        if let Op::Mark(mark) = op {
            promised = Some(mark.parse().unwrap());
        }
    }
    extremes::check_filled(&lived.dir(), promised.expect("nothing fitted"));
}

/// The process that lives the day; alone it does nothing.
#[test]
#[ignore = "a part of the tests above, which run it in a process of its own"]
fn live() {
    workload::live();
}

/// Writes much and keeps little.
#[test]
#[ignore = "a part of the tests above, which run it in a process of its own"]
fn churn() {
    extremes::churn();
}

/// Writes until the disk is full.
#[test]
#[ignore = "a part of the tests above, which run it in a process of its own"]
fn fill() {
    extremes::fill();
}

struct Lived {
    ops: Vec<Op>,
    scratch: tempfile::TempDir,
}

impl Lived {
    fn record(sync: &str, housekeeping_ms: &str) -> Self {
        let lived = Self::record_with(
            "cut::live",
            &[("CUT_SYNC", sync), ("CUT_HOUSEKEEPING_MS", housekeeping_ms)],
        );
        std::fs::remove_dir_all(lived.dir()).unwrap();
        lived
    }

    fn record_with(name: &str, envs: &[(&str, &str)]) -> Self {
        let scratch = scratch();
        let dir = scratch.path().join("data");
        std::fs::create_dir(&dir).unwrap();
        let ops = recording::record(name, scratch.path(), &dir, envs);
        Self { ops, scratch }
    }

    fn dir(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    fn lose_nothing(&self, seed: u64) {
        let mut lost = Vec::new();
        self.cut_at(&self.points(seed), seed, |point, seed, result| {
            if let Err(what) = result {
                lost.push(format!("operation {point}, seed {seed}: {what}"));
            }
            true
        });
        assert!(
            lost.is_empty(),
            "{} of {POINTS} cuts, among them\n{}",
            lost.len(),
            lost[..lost.len().min(10)].join("\n")
        );
    }

    /// Half anywhere, half within a few operations after something was promised, where a promise
    /// that was made too early shows.
    fn points(&self, seed: u64) -> Vec<usize> {
        let mut chance = Chance(seed);
        let marks: Vec<usize> = (0..self.ops.len())
            .filter(|at| matches!(self.ops[*at], Op::Mark(_)))
            .collect();
        let mut points: Vec<usize> = (0..POINTS)
            .map(|number| {
                if number % 2 == 0 {
                    chance.below(self.ops.len())
                } else {
                    let mark = marks[chance.below(marks.len())];
                    (mark + 1 + chance.below(4)).min(self.ops.len() - 1)
                }
            })
            .collect();
        points.sort_unstable();
        points
    }

    /// Cuts before each of these operations, until told to stop.
    fn cut_at(
        &self,
        points: &[usize],
        seed: u64,
        mut judge: impl FnMut(usize, u64, Result<(), String>) -> bool,
    ) {
        let mut disk = Disk::new();
        let mut promised = Promised::default();
        let mut done = 0;
        for (number, point) in points.iter().enumerate() {
            for op in &self.ops[done..*point] {
                disk.apply(op);
                if let Op::Mark(mark) = op {
                    promised.note(mark);
                }
            }
            done = *point;
            let seed = seed.wrapping_mul(1_000_003) + number as u64;
            let dir = self.scratch.path().join("cut");
            disk.cut(&dir, &mut Chance(seed));
            let result = promised.check(&dir);
            std::fs::remove_dir_all(&dir).unwrap();
            if !judge(*point, seed, result) {
                return;
            }
        }
    }

    fn tell_the_cost(&self) {
        let (mut messages, mut syncs, mut ranges, mut bytes) = (0u64, 0u64, 0u64, 0u64);
        let mut plain = false;
        for op in &self.ops {
            match op {
                Op::Mark(mark) if mark == "plain" => plain = true,
                Op::Mark(mark) if mark == "other" => plain = false,
                Op::Mark(mark) if plain && mark.starts_with("log ") => messages += 1,
                Op::Sync { .. } if plain => syncs += 1,
                Op::Range if plain => ranges += 1,
                Op::Write { data, .. } if plain => bytes += data.len() as u64,
                _ => {}
            }
        }
        assert!(messages > 0);
        println!(
            "{} operations; a message costs {:.2} fdatasyncs, {:.2} writes, {} bytes",
            self.ops.len(),
            syncs as f64 / messages as f64,
            ranges as f64 / messages as f64,
            bytes / messages
        );
        assert!(
            syncs <= 2 * messages + messages / 10,
            "a message costs more than a sync for each database"
        );
    }
}

/// In memory where there is such a place: what is tested does not depend on the real disk.
fn scratch() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}
