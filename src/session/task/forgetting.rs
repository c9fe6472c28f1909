//! The ends of a link: a removed device's keys, a reset, and the goodbye that a reset may still
//! owe after a restart.

use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::oneshot;

use super::{Next, Session, close_while, done};
use crate::session::link::Link;
use crate::session::machine::{Action, Input, Mode};
use crate::session::record;

/// How long a reset that goes on after a restart tries to reach the service.
const FAREWELL: Duration = Duration::from_secs(10);

impl Session {
    /// Tells the service what a reset that was cut off may have left unsaid: that this device is
    /// gone. Bounded, because offline is fine. Answers whether the process is to end first.
    pub(super) async fn say_farewell(&self) -> anyhow::Result<bool> {
        let past = record::load(&self.context.store, self.context.clock.wall_ms())?;
        // Whoever was thrown out does not come back, not even to say goodbye.
        if past.is_some_and(|past| past.ending.is_kept()) {
            return Ok(false);
        }
        let client = self.build().await?;
        if !client.is_linked() {
            client.close().await;
            return Ok(false);
        }
        let mut stop = self.doors.stop.clone();
        let mut link = self.context.link.subscribe();
        let told = async {
            let online = link.wait_for(|link| matches!(link, Link::Online(_)));
            if online.await.is_ok() {
                self.context.link.send_replace(Link::Resetting);
                client.log_out().await;
            }
        };
        let running = client.run();
        tokio::pin!(running);
        let (over, stopped) = tokio::select! {
            _ = &mut running => (true, false),
            _ = tokio::time::timeout(FAREWELL, told) => (false, false),
            _ = stop.wait_for(|stop| *stop) => (false, true),
        };
        if over {
            client.close().await;
        } else {
            close_while(&client, running).await;
        }
        self.context.link.send_replace(Link::Resetting);
        Ok(stopped)
    }

    /// Marks the reset as begun, then shows it: what is shown survives the process.
    pub(super) async fn begin_reset(&self) -> anyhow::Result<()> {
        let begun = self.context.store.begin_reset().await;
        begun.context("resetting")?;
        self.context.link.send_replace(Link::Resetting);
        Ok(())
    }

    /// Deletes what a removed device leaves behind; the inbox stays.
    pub(super) async fn forget(&mut self) -> anyhow::Result<Next> {
        if let Some(client) = self.client.take() {
            client.close().await;
        }
        self.context
            .store
            .forget_link()
            .await
            .context("deleting the keys of a link that is no more")?;
        self.context.acquaintance.forget();
        self.guarded = false;
        Ok(Next::Act(match self.state.mode {
            Mode::Trying => Action::Connect { fresh: true },
            Mode::Waiting { .. } | Mode::Holding(_) => Action::Hold,
        }))
    }

    /// Deletes everything. Whoever asked hears of it once the box is as on the first day.
    pub(super) async fn reset(&mut self, answer: oneshot::Sender<()>) -> anyhow::Result<Next> {
        self.begin_reset().await?;
        if let Some(client) = self.client.take() {
            client.close().await;
        }
        self.context.store.reset().await.context("resetting")?;
        self.context.acquaintance.forget();
        self.guarded = false;
        tracing::info!("everything is forgotten");
        let action = self.decide(Input::Forgotten).await?;
        done(answer);
        Ok(Next::Act(action))
    }
}
