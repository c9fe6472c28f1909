//! Has the library drop the pages it need not keep in memory, which it would do too late by itself.
//!
//! Its cache is cut into 256 shards. Each notes down what is asked of its pages and looks at what it may
//! drop only when it has 64 such notes. Pages that are touched a few times and then left alone, as in an
//! index by random ids, so stay by the thousand: 20,000 messages leave 8 MiB of them. One key that is
//! asked for 64 times makes its shard look, so a sample of what was written or read lately, larger than the
//! number of shards, makes nearly all of them look.

use std::sync::{Mutex, PoisonError};

/// Notes that fill a shard's queue (`MAX_QUEUE_ITEMS` in the library's `lru.rs`).
pub(super) const ASKED: usize = 64;

/// One key in so many is kept.
const EVERY: usize = 8;

/// So many kept keys are worth a round while things go on: a seventh of the shards is missed on average.
const BUSY: usize = 512;

/// And so many when it is quiet.
const QUIET: usize = 64;

/// A sample of the keys that were touched since the last round.
#[derive(Debug, Default)]
pub(super) struct Sample(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    seen: usize,
    keys: Vec<Vec<u8>>,
}

impl Sample {
    /// Takes some of these. What a long backlog brings beyond a round is left out.
    pub fn note<'a>(&self, touched: impl Iterator<Item = &'a Vec<u8>>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in touched {
            kept.seen += 1;
            if kept.seen.is_multiple_of(EVERY) && kept.keys.len() < 2 * BUSY {
                kept.keys.push(key.clone());
            }
        }
    }

    /// The sample, if it is worth a round; then the next one begins.
    pub fn take(&self, quiet: bool) -> Option<Vec<Vec<u8>>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let enough = if quiet { QUIET } else { BUSY };
        (kept.keys.len() >= enough).then(|| std::mem::take(&mut kept.keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|i| i.to_be_bytes().to_vec()).collect()
    }

    #[test]
    fn a_few_keys_are_worth_no_round_and_many_are_worth_one_at_once() {
        let sample = Sample::default();
        sample.note(keys(EVERY * (QUIET - 1)).iter());
        assert_eq!(sample.take(true), None);
        sample.note(keys(EVERY).iter());
        assert_eq!(sample.take(false), None);
        assert_eq!(sample.take(true).map(|keys| keys.len()), Some(QUIET));
        assert_eq!(sample.take(true), None);
        // One key at a time is sampled like many together.
        for key in keys(EVERY * BUSY) {
            sample.note([key].iter());
        }
        assert_eq!(sample.take(false).map(|keys| keys.len()), Some(BUSY));
    }

    #[test]
    fn a_backlog_that_nobody_interrupts_keeps_the_sample_small() {
        let sample = Sample::default();
        sample.note(keys(EVERY * BUSY * 10).iter());
        assert_eq!(sample.take(false).map(|keys| keys.len()), Some(2 * BUSY));
    }
}
