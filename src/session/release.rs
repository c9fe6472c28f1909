//! When a message may be written to the wire: not before what it rests on is on the disk.
//!
//! A message is encrypted while the disk syncs, so that who waits for an answer waits for the longer of
//! the two and not for both. What holds it back is the connection itself, at its very last step.

use tokio::sync::watch;

/// A position, and how far things have come. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Release {
    reached: watch::Receiver<u64>,
    at: u64,
}

impl Release {
    /// Given once `reached` is at least `at`.
    pub fn new(reached: watch::Receiver<u64>, at: u64) -> Self {
        Self { reached, at }
    }

    /// For a message that rests on nothing.
    pub fn at_once() -> Self {
        Self::new(watch::channel(0).1, 0)
    }

    /// Returns once it is given; `false` when it never will be, because nobody is left to give it.
    pub async fn given(mut self) -> bool {
        let at = self.at;
        self.reached
            .wait_for(|reached| *reached >= at)
            .await
            .is_ok()
    }
}
