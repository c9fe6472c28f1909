//! How the connection that is up will have ended: passed by whoever sees it first, read once the
//! connection is down.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::ending::Ending;

/// Shared by everything that can see an ending. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    ending: Arc<Mutex<Option<Ending>>>,
    passed: Arc<Notify>,
}

impl Verdict {
    /// Tells an ending. The first decisive one stays; a symptom gives way to it.
    pub fn pass(&self, ending: Ending) {
        let mut current = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        if current.is_none_or(|earlier| earlier.is_symptom() && !ending.is_symptom()) {
            tracing::debug!(?ending, "the connection is ending");
            *current = Some(ending);
            self.passed.notify_one();
        }
    }

    /// Returns once an ending was told since the last [`Self::take`].
    pub async fn passed(&self) {
        while self.peek().is_none() {
            self.passed.notified().await;
        }
    }

    /// Only a symptom has been told so far.
    pub fn is_symptom(&self) -> bool {
        self.peek().is_some_and(Ending::is_symptom)
    }

    /// What was told, for the next connection to begin with nothing.
    pub fn take(&self) -> Option<Ending> {
        self.ending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn peek(&self) -> Option<Ending> {
        *self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symptom_gives_way_to_what_the_service_decided() {
        let verdict = Verdict::default();
        verdict.pass(Ending::Closed);
        verdict.pass(Ending::Broken);
        assert_eq!(verdict.peek(), Some(Ending::Closed));
        verdict.pass(Ending::Replaced);
        verdict.pass(Ending::Locked);
        verdict.pass(Ending::Closed);
        assert_eq!(verdict.take(), Some(Ending::Replaced));
        assert_eq!(verdict.take(), None);
    }

    #[tokio::test]
    async fn waiting_ends_when_an_ending_is_told() {
        let verdict = Verdict::default();
        let (told, waited) = (verdict.clone(), verdict.clone());
        let waiting = tokio::spawn(async move { waited.passed().await });
        told.pass(Ending::Silence);
        assert!(waiting.await.is_ok());
        assert_eq!(verdict.take(), Some(Ending::Silence));
    }
}
