//! Talking to one's own companions: keys and history after linking, and their requests later.
//!
//! It must never share the app-state key with a device that did not countersign.

use buffa::{Message as _, MessageField};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};
use waproto::whatsapp as wa;
use waproto::whatsapp::message::peer_data_operation_request_response_message as response;
use waproto::whatsapp::message::protocol_message::Type;
use waproto::whatsapp::message::{PeerDataOperationRequestType as Operation, ProtocolMessage};

use super::Phone;
use super::stanza::{Head, message_id};
use crate::directory::Directory;

impl Phone {
    /// What the phone sends a companion once it logged in for the first time: the app-state key
    /// and the history bootstrap.
    pub fn on_linked(&mut self, device: &Jid, dir: &mut dyn Directory) -> Vec<Node> {
        // An index may be handed out again; what its last holder shared with us is void.
        self.signal.forget(&self.canonical(device, dir));
        let mut messages = vec![self.key_share(device)];
        match self.history(&*dir) {
            Ok(history) => messages.extend(history),
            Err(error) => tracing::warn!(%error, "no history for a new companion"),
        }
        messages
            .iter()
            .filter_map(|message| self.peer(device, message, dir))
            .collect()
    }

    fn key_share(&self, device: &Jid) -> wa::Message {
        let devices = std::iter::once(0)
            .chain(self.adv.linked().into_iter().map(u32::from))
            .collect();
        let key = self
            .appstate
            .key(self.adv.raw_id(), self.adv.last_index(), devices);
        let keys = if self.adv.linked().contains(&device.device) {
            vec![key]
        } else {
            Vec::new()
        };
        protocol(ProtocolMessage {
            r#type: Some(Type::APP_STATE_SYNC_KEY_SHARE),
            app_state_sync_key_share: MessageField::some(wa::message::AppStateSyncKeyShare {
                keys,
            }),
            ..Default::default()
        })
    }

    fn peer(
        &mut self,
        device: &Jid,
        message: &wa::Message,
        dir: &mut dyn Directory,
    ) -> Option<Node> {
        let id = message_id();
        let enc = self.enc(device, message, None, dir)?;
        self.log
            .record_sent(&id, device, message.clone(), true, dir.now());
        Some(
            NodeBuilder::new("message")
                .attr("to", device)
                .attr("id", id)
                .attr("type", "text")
                .attr("category", "peer")
                .attr("push_priority", "high")
                .children([
                    NodeBuilder::new("meta").attr("appdata", "default").build(),
                    enc,
                ])
                .build(),
        )
    }

    /// Answers what a companion asked of its phone.
    pub(super) fn peer_request(
        &mut self,
        head: &Head,
        request: &ProtocolMessage,
        dir: &mut dyn Directory,
    ) -> Vec<Node> {
        let answer = match request.r#type {
            Some(Type::APP_STATE_SYNC_KEY_REQUEST) => Some(self.key_share(&head.sender)),
            Some(Type::PEER_DATA_OPERATION_REQUEST_MESSAGE) => {
                self.operation(head, &request.peer_data_operation_request_message)
            }
            other => {
                self.note_unknown(&format!("peer {other:?}"));
                None
            }
        };
        answer
            .and_then(|message| self.peer(&head.sender, &message, dir))
            .into_iter()
            .collect()
    }

    fn operation(
        &mut self,
        head: &Head,
        request: &wa::message::PeerDataOperationRequestMessage,
    ) -> Option<wa::Message> {
        let kind = request.peer_data_operation_request_type;
        if kind != Some(Operation::PLACEHOLDER_MESSAGE_RESEND) {
            self.note_unknown(&format!("peer operation {kind:?}"));
            return None;
        }
        let results = request
            .placeholder_message_resend_request
            .iter()
            .map(|wanted| {
                let held = wanted
                    .message_key
                    .as_option()
                    .and_then(|key| key.id.as_deref())
                    .and_then(|id| self.log.held(id));
                wa::message::peer_data_operation_request_response_message::PeerDataOperationResult {
                    placeholder_message_resend_response: held.map_or_else(
                        MessageField::none,
                        |info| {
                            MessageField::some(
                                response::peer_data_operation_result::PlaceholderMessageResendResponse {
                                    web_message_info_bytes: Some(info.encode_to_vec()),
                                },
                            )
                        },
                    ),
                    ..Default::default()
                }
            })
            .collect();
        Some(protocol(ProtocolMessage {
            r#type: Some(Type::PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE),
            peer_data_operation_request_response_message: MessageField::some(
                wa::message::PeerDataOperationRequestResponseMessage {
                    peer_data_operation_request_type: kind,
                    stanza_id: Some(head.id.clone()),
                    peer_data_operation_result: results,
                },
            ),
            ..Default::default()
        }))
    }
}

fn protocol(message: ProtocolMessage) -> wa::Message {
    wa::Message {
        protocol_message: MessageField::some(message),
        ..Default::default()
    }
}
