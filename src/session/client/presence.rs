//! Staying out of sight: an account that is online on a companion mutes the owner's phone.

use std::sync::Weak;

use whatsapp_rust::client::NodeFilter;

/// Answers every `available` with `unavailable`: the crate says it on every login and on a change
/// of name, without a switch.
///
/// The next one is listened for before the answer is sent, so none is missed. The end of a
/// connection cancels the listening; it goes on for the next one.
pub async fn stay_unavailable(client: Weak<whatsapp_rust::Client>) {
    let listen = || {
        let available = NodeFilter::tag("presence").attr("type", "available");
        client
            .upgrade()
            .map(|client| client.wait_for_sent_node(available))
    };
    let Some(mut said) = listen() else { return };
    loop {
        let available = said.await.is_ok();
        let Some(next) = listen() else { return };
        said = next;
        if !available {
            continue;
        }
        // The stanza was seen just before it is written; let it go first.
        tokio::task::yield_now().await;
        let Some(client) = client.upgrade() else {
            return;
        };
        if let Err(error) = client.presence().set_unavailable().await {
            tracing::debug!(%error, "the connection ended before it could say unavailable");
        }
    }
}
