//! Drafts on the wire, one after the other. Whether the service took one is told later, by its ack;
//! nothing here tries a second time. A message is encrypted at once and leaves when it may.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::mpsc;
use wacore::proto_helpers::MessageBuilderExt as _;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::{Jid, SendOptions};

use crate::message::{ChatKind, Draft};
use crate::session::clock::Clock;
use crate::session::transport::Line;
use crate::session::{SendError, Sending};

/// For the keys and device lists that a send may have to fetch, and the write.
const SEND: Duration = Duration::from_secs(60);

/// Sends one message after the other, so that they leave in the order they were given.
pub async fn send_all(
    client: Weak<whatsapp_rust::Client>,
    line: Arc<Line>,
    mut drafts: mpsc::Receiver<Sending>,
    clock: Clock,
) {
    while let Some(sending) = drafts.recv().await {
        let Sending {
            draft,
            release,
            answer,
        } = sending;
        let Some(client) = client.upgrade() else {
            return;
        };
        line.hold(release);
        let sending = AssertUnwindSafe(send(&client, draft)).catch_unwind();
        let result = match tokio::time::timeout(clock.limit(SEND), sending).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(SendError::Interrupted("the protocol panicked".to_owned())),
            Err(_) => Err(SendError::Interrupted("it took too long".to_owned())),
        };
        // Who asked may have gone.
        let _ = answer.send(result);
    }
}

async fn send(client: &whatsapp_rust::Client, draft: Draft) -> Result<(), SendError> {
    if !client.is_logged_in() || !client.is_connected() {
        return Err(SendError::Offline);
    }
    match draft.chat.kind() {
        ChatKind::Direct | ChatKind::Group => {}
        ChatKind::Broadcast | ChatKind::Other => {
            return Err(SendError::Refused("it is no chat or group".to_owned()));
        }
    }
    let to: Jid = draft
        .chat
        .as_str()
        .parse()
        .map_err(|_| SendError::Refused("its chat is no JID".to_owned()))?;
    let options = SendOptions::default().with_message_id(draft.id.0);
    let sent = client
        .send_message_with_options(to, wa::Message::text(draft.text), options)
        .await;
    use whatsapp_rust::SendError as Theirs;
    match sent {
        Ok(_) => Ok(()),
        Err(Theirs::NotLoggedIn) => Err(SendError::Offline),
        Err(Theirs::InvalidRequest(reason)) => Err(SendError::Refused(reason)),
        Err(error) => Err(SendError::Interrupted(error.to_string())),
    }
}
