//! The protocol crate's durability hook: messages are acknowledged once it returns `Ok`, and
//! delivered again if it does not. It never answers before the dispatcher did.

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use wacore::types::events::InboundMessage;
use whatsapp_rust::InboundDurabilityHook;

use super::translate;
use crate::session::{Event, Settings};

/// Stores what arrived before the service hears that it did.
pub struct Hook {
    events: mpsc::Sender<Event>,
    settings: Settings,
}

impl Hook {
    /// Waits for `events` to take a batch, and for the answer.
    /// Takes nothing for a number that the box must not be linked to.
    pub fn new(events: mpsc::Sender<Event>, settings: Settings) -> Self {
        Self { events, settings }
    }
}

#[async_trait]
impl InboundDurabilityHook for Hook {
    async fn on_messages(
        &self,
        client: Arc<whatsapp_rust::Client>,
        inbound: &[InboundMessage],
    ) -> anyhow::Result<()> {
        let number = client.pn();
        if number.is_some_and(|number| self.settings.forbids(number.user_base())) {
            anyhow::bail!("these messages are for a production box");
        }
        let batch: Vec<_> = inbound.iter().filter_map(translate::message).collect();
        if batch.is_empty() {
            return Ok(());
        }
        let (durable, stored) = oneshot::channel();
        self.events
            .send(Event::Messages { batch, durable })
            .await
            .ok()
            .context("nobody stores messages any more")?;
        match stored.await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => anyhow::bail!("messages were not stored"),
        }
    }
}
