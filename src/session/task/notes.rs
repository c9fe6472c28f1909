//! Writes down how often the session was taken back, while that is of interest.

use std::time::Duration;

use tokio::time::Instant;

use super::Session;
use crate::session::record;

/// How often it is written down that time has passed since the session was taken. Without it a
/// box that is restarted every day would never forget.
const NOTE: Duration = Duration::from_secs(3600);

impl Session {
    /// Before the session is taken, and now and then while the takings grow old.
    pub(super) async fn note_takings(&mut self) -> anyhow::Result<()> {
        let now = self.context.clock.now();
        self.noted = now;
        self.state.takings.age_to(now);
        record::keep_takings(&self.context.store, &self.state.takings, now).await
    }

    /// When the takings are written down next; never, while there are none.
    pub(super) fn next_note(&self) -> Option<Instant> {
        let any = !self.state.takings.past().is_empty();
        any.then(|| self.context.clock.instant(self.noted + NOTE))
    }
}
