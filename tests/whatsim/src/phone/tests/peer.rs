//! Companions ask their phone for what they lack; strangers get nothing.

use buffa::{Message as _, MessageField};
use wacore::messages::{MessageUtils, decode_plaintext};
use wacore_binary::Jid;
use wacore_binary::builder::NodeBuilder;
use waproto::whatsapp as wa;
use waproto::whatsapp::message::peer_data_operation_request_message::PlaceholderMessageResendRequest;
use waproto::whatsapp::message::protocol_message::Type;
use waproto::whatsapp::message::{PeerDataOperationRequestType, ProtocolMessage};

use super::linking::link;
use super::{NOW, Tables, deliver, phones, tagged};
use crate::phone::Phone;
use crate::phone::signal::Signal;
use crate::phone::stanza::{bytes, text};

/// Sends a request from a device to a phone; answers what the device can read of the reply.
fn ask(
    phone: &mut Phone,
    from: &Jid,
    signal: &mut Signal,
    request: ProtocolMessage,
    tables: &mut Tables,
) -> Option<ProtocolMessage> {
    let request = wa::Message {
        protocol_message: MessageField::some(request),
        ..Default::default()
    };
    let me = phone.lid().clone();
    let bundle = phone.bundle();
    signal.open(&me, &bundle).unwrap();
    let plain = MessageUtils::encode_and_pad(&request);
    let (kind, ciphertext) = signal.encrypt(&me, &plain).unwrap();
    let stanza = NodeBuilder::new("message")
        .attr("id", "ASK")
        .attr("from", from)
        .attr("category", "peer")
        .attr("t", NOW)
        .children([NodeBuilder::new("enc")
            .attr("v", "2")
            .attr("type", kind)
            .bytes(ciphertext)
            .build()])
        .build();
    let answers = phone.receive(&stanza, tables);
    let reply = deliver(tagged(&answers, "message")?, &me, from)?;
    let enc = reply.get_optional_child("enc").unwrap();
    let plain = signal
        .decrypt(&me, &text(enc, "type").unwrap(), bytes(enc).unwrap())
        .unwrap();
    let message = decode_plaintext(&plain, 2).unwrap();
    message.protocol_message.as_option().cloned()
}

fn key_request() -> ProtocolMessage {
    ProtocolMessage {
        r#type: Some(Type::APP_STATE_SYNC_KEY_REQUEST),
        ..Default::default()
    }
}

#[test]
fn a_companion_may_ask_for_the_key_again_and_a_stranger_may_not() {
    let (mut ana, beto, mut tables) = phones();
    link(&mut ana, 1);
    let mut companion = tables.companion(&ana, 1);
    let device = ana.lid().with_device(1);
    let reply = ask(
        &mut ana,
        &device,
        &mut companion,
        key_request(),
        &mut tables,
    )
    .unwrap();
    assert_eq!(reply.app_state_sync_key_share.keys.len(), 1);
    let mut stranger = tables.companion(&beto, 3);
    let device = beto.lid().with_device(3);
    let reply = ask(&mut ana, &device, &mut stranger, key_request(), &mut tables);
    assert!(reply.is_none());
}

#[test]
fn a_companion_that_could_not_read_a_message_gets_it_from_its_phone() {
    let (mut ana, mut beto, mut tables) = phones();
    let (id, stanza) = beto.compose_text(ana.lid(), "hola", &mut tables).unwrap();
    let incoming = deliver(&stanza, beto.lid(), ana.lid()).unwrap();
    ana.receive(&incoming, &mut tables);
    link(&mut ana, 1);
    let mut companion = tables.companion(&ana, 1);
    let device = ana.lid().with_device(1);
    let wanted = |id: &str| PlaceholderMessageResendRequest {
        message_key: MessageField::some(wa::MessageKey {
            id: Some(id.to_owned()),
            ..Default::default()
        }),
    };
    let request = ProtocolMessage {
        r#type: Some(Type::PEER_DATA_OPERATION_REQUEST_MESSAGE),
        peer_data_operation_request_message: MessageField::some(
            wa::message::PeerDataOperationRequestMessage {
                peer_data_operation_request_type: Some(
                    PeerDataOperationRequestType::PLACEHOLDER_MESSAGE_RESEND,
                ),
                placeholder_message_resend_request: vec![wanted(&id), wanted("NONE")],
                ..Default::default()
            },
        ),
        ..Default::default()
    };
    let reply = ask(&mut ana, &device, &mut companion, request, &mut tables).unwrap();
    let response = &reply.peer_data_operation_request_response_message;
    assert_eq!(response.stanza_id.as_deref(), Some("ASK"));
    let [found, missing] = &response.peer_data_operation_result[..] else {
        panic!("one result for each request");
    };
    let info = &found.placeholder_message_resend_response;
    let info =
        wa::WebMessageInfo::decode_from_slice(info.web_message_info_bytes.as_deref().unwrap());
    assert_eq!(info.unwrap().message.conversation.as_deref(), Some("hola"));
    assert!(!missing.placeholder_message_resend_response.is_set());
    assert!(ana.unknown().is_empty());
}
