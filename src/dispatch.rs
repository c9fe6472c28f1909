//! Carries the session's events to the inbox and the outbox. Decides nothing: what it cannot
//! store, it does not confirm, and the service delivers it again.
//!
//! Whatever waits in the channel is taken together, so that one commit serves many messages.
//! Acknowledgements need no commit of their own while messages come in; otherwise one follows
//! within `SETTLE`, so that a restart does not send everything again.

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::inbox::Inbox;
use crate::message::Incoming;
use crate::outbox::Outbox;
use crate::session::Event;
use crate::store::StoreError;
use crate::waiting::until;

/// How long an acknowledgement may wait for a commit.
const SETTLE: Duration = Duration::from_secs(1);

/// Messages taken together at most.
const TOGETHER: usize = 256;

/// Messages that are stored together, and who waits to hear of it.
#[derive(Default)]
struct Arrived {
    messages: Vec<Incoming>,
    waiting: Vec<oneshot::Sender<bool>>,
}

/// Runs until the session drops its end of the channel.
pub async fn run(mut events: mpsc::Receiver<Event>, inbox: Inbox, outbox: Outbox) {
    let mut settle: Option<Instant> = None;
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            () = until(settle) => {
                settle = None;
                if let Err(error) = outbox.commit().await {
                    tracing::error!(%error, "acknowledgements are not on disk");
                }
                continue;
            }
        };
        let Some(first) = event else { break };
        let mut arrived = Arrived::default();
        let mut changed = take(first, &mut arrived, &inbox, &outbox);
        while arrived.messages.len() < TOGETHER
            && let Ok(event) = events.try_recv()
        {
            changed |= take(event, &mut arrived, &inbox, &outbox);
        }
        if changed && settle.is_none() {
            settle = Some(Instant::now() + SETTLE);
        }
        if !arrived.waiting.is_empty() {
            let stored = store(arrived, &inbox, &outbox).await;
            if stored.is_some() {
                // One database: this commit covered what the outbox had written before.
                settle = None;
            }
            if stored == Some(true) {
                settle = Some(Instant::now() + SETTLE);
            }
        }
    }
    if settle.is_some()
        && let Err(error) = outbox.commit().await
    {
        tracing::error!(%error, "acknowledgements are not on disk");
    }
}

/// `true` when the outbox wrote something that no commit has covered yet.
fn take(event: Event, arrived: &mut Arrived, inbox: &Inbox, outbox: &Outbox) -> bool {
    let changed = match event {
        Event::Messages { batch, durable } => {
            arrived.messages.extend(batch);
            arrived.waiting.push(durable);
            return false;
        }
        Event::Online {
            number,
            server_time,
        } => {
            if let Some(time) = server_time {
                inbox.clock().observe(time, true);
            }
            if let Err(error) = inbox.belongs_to(&number) {
                tracing::error!(%error, "whose messages follow was not stored");
            }
            return false;
        }
        Event::Ack { id, error } => outbox.acked(&id, error.as_deref()),
        Event::Receipt { ids, read } => outbox.receipt(&ids, read),
        Event::Recheck => {
            outbox.recheck();
            return false;
        }
    };
    changed.unwrap_or_else(|error: StoreError| {
        tracing::error!(%error, "an acknowledgement was not stored; the message is sent again");
        false
    })
}

/// Whether the outbox wrote something afterwards; `None` when nothing was stored.
async fn store(arrived: Arrived, inbox: &Inbox, outbox: &Outbox) -> Option<bool> {
    let result = inbox.append(&arrived.messages).await;
    if let Err(error) = &result {
        tracing::error!(%error, "messages were not stored; the service keeps them");
    }
    let mut changed = false;
    if result.is_ok() {
        // Before the session goes on: with the last message of a backlog the link is online, and
        // what another box has sent meanwhile must not be sent again.
        for message in arrived.messages.iter().filter(|message| message.from_me) {
            changed |= sent_elsewhere(message, outbox);
        }
    }
    for durable in arrived.waiting {
        // Who does not wait any more will see the message delivered again.
        let _ = durable.send(result.is_ok());
    }
    result.is_ok().then_some(changed)
}

/// The service shows a message of our own account, so it has it: as good as an acknowledgement
/// for one that waits under the same id, because another box on the number gave the same answer.
fn sent_elsewhere(message: &Incoming, outbox: &Outbox) -> bool {
    outbox.acked(&message.id, None).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer of the other box was not noted");
        false
    })
}
