//! The protocol crate's messages and receipts in our own vocabulary. Values in, values out.

use wacore::proto_helpers::MessageExt as _;
use wacore::types::events::{DecryptFailMode, InboundMessage, Receipt, UndecryptableMessage};
use wacore::types::message::{MessageCategory, MessageInfo};
use wacore::types::presence::ReceiptType;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::{Jid, Server};

use crate::message::{Body, ChatId, ChatKind, Incoming, MessageId, Sender, ServerTime};
use crate::session::Event;

/// A message for people, or `None` for what only programs say to each other.
pub fn message(inbound: &InboundMessage) -> Option<Incoming> {
    incoming(&inbound.info, body(&inbound.message)?)
}

/// The placeholder of a message that cannot be read (yet). `None` where the service says that
/// there is nothing for people in it.
pub fn placeholder(undecryptable: &UndecryptableMessage) -> Option<Incoming> {
    match undecryptable.decrypt_fail_mode {
        DecryptFailMode::Show => incoming(&undecryptable.info, Body::Undecryptable),
        DecryptFailMode::Hide => None,
    }
}

/// What the recipients' devices tell about messages we sent, or `None` for receipts that are about
/// something else. `own` are the account's own names: its other devices' receipts say nothing
/// about the recipient.
pub fn receipt(receipt: &Receipt, own: &[Jid]) -> Option<Event> {
    let read = match &receipt.r#type {
        ReceiptType::Delivered | ReceiptType::Inactive => false,
        ReceiptType::Read | ReceiptType::Played => true,
        ReceiptType::Sent
        | ReceiptType::Sender
        | ReceiptType::Retry
        | ReceiptType::EncRekeyRetry
        | ReceiptType::ReadSelf
        | ReceiptType::PlayedSelf
        | ReceiptType::ServerError
        | ReceiptType::PeerMsg
        | ReceiptType::HistorySync
        | ReceiptType::Other(_) => return None,
        // The crate may learn new kinds; none of them can be a promise to a sender.
        _ => return None,
    };
    let sender = &receipt.source.sender;
    let is_own = own
        .iter()
        .any(|own| own.user == sender.user && own.server == sender.server);
    if is_own || receipt.source.is_from_me || receipt.message_ids.is_empty() {
        return None;
    }
    Some(Event::Receipt {
        ids: receipt.message_ids.iter().cloned().map(MessageId).collect(),
        read,
    })
}

fn incoming(info: &MessageInfo, body: Body) -> Option<Incoming> {
    let source = &info.source;
    if matches!(info.category, MessageCategory::Peer) || source.chat.server == Server::Newsletter {
        return None;
    }
    let chat = ChatId::new(source.chat.to_non_ad_string());
    Some(Incoming {
        id: MessageId(info.id.to_string()),
        chat_alt: chat_alt(info, &chat),
        chat,
        sender: sender(info),
        from_me: source.is_from_me,
        sent_at: ServerTime(info.timestamp.timestamp()),
        offline: info.is_offline,
        body,
    })
}

/// The other name of a direct chat. Of our own messages the sender's other name is our own; the
/// recipient's has fields of its own.
fn chat_alt(info: &MessageInfo, chat: &ChatId) -> Option<ChatId> {
    if chat.kind() != ChatKind::Direct {
        return None;
    }
    let source = &info.source;
    let alt = if source.is_from_me {
        source
            .recipient_alt
            .as_ref()
            .or(info.peer_recipient_pn.as_ref())
    } else {
        source.sender_alt.as_ref()
    }?;
    let alt = ChatId::new(alt.to_non_ad_string());
    (alt != *chat).then_some(alt)
}

fn sender(info: &MessageInfo) -> Sender {
    let names = [Some(&info.source.sender), info.source.sender_alt.as_ref()];
    let digits = |wanted: fn(&Jid) -> bool| {
        names
            .into_iter()
            .flatten()
            .find(|jid| wanted(jid))
            .map(|jid| jid.user_base().to_owned())
    };
    Sender {
        number: digits(|jid| jid.server.is_pn_family()),
        lid: digits(|jid| jid.server.is_lid_family()),
        name: info.push_name.clone(),
        device: info.source.sender.device,
    }
}

fn body(message: &wa::Message) -> Option<Body> {
    if let Some(text) = message.text_content() {
        return Some(Body::Text(text.to_owned()));
    }
    let base = message.get_base_message();
    if let Some(protocol) = base.protocol_message.as_option() {
        use wa::message::protocol_message::Type;
        // All others carry keys, settings and requests from one device to another.
        return match protocol.r#type {
            Some(Type::REVOKE) => Some(Body::Other("revoke".to_owned())),
            Some(Type::MESSAGE_EDIT) => Some(Body::Other("edit".to_owned())),
            _ => None,
        };
    }
    kind(base).map(|kind| Body::Other(kind.to_owned()))
}

/// The field's name in the protocol, without its "Message".
fn kind(message: &wa::Message) -> Option<&'static str> {
    macro_rules! first_set {
        ($($field:ident => $name:literal),* $(,)?) => {
            $(if message.$field.is_set() {
                return Some($name);
            })*
        };
    }
    first_set! {
        image_message => "image",
        video_message => "video",
        ptv_message => "ptv",
        audio_message => "audio",
        document_message => "document",
        sticker_message => "sticker",
        lottie_sticker_message => "lottieSticker",
        sticker_pack_message => "stickerPack",
        contact_message => "contact",
        contacts_array_message => "contactsArray",
        location_message => "location",
        live_location_message => "liveLocation",
        reaction_message => "reaction",
        enc_reaction_message => "encReaction",
        poll_creation_message => "pollCreation",
        poll_update_message => "pollUpdate",
        event_message => "event",
        group_invite_message => "groupInvite",
        template_message => "template",
        template_button_reply_message => "templateButtonReply",
        buttons_message => "buttons",
        buttons_response_message => "buttonsResponse",
        list_message => "list",
        list_response_message => "listResponse",
        interactive_message => "interactive",
        interactive_response_message => "interactiveResponse",
        product_message => "product",
        order_message => "order",
        send_payment_message => "sendPayment",
        request_payment_message => "requestPayment",
        album_message => "album",
        pin_in_chat_message => "pinInChat",
        keep_in_chat_message => "keepInChat",
        comment_message => "comment",
        secret_encrypted_message => "secretEncrypted",
        associated_child_message => "associatedChild",
        group_mentioned_message => "groupMentioned",
        call => "call",
    }
    // A sender key alone is not for people; neither is an empty message.
    let only_keys =
        message.sender_key_distribution_message.is_set() || *message == wa::Message::default();
    (!only_keys).then_some("unknown")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::sync::Arc;
    use wacore::proto_helpers::MessageBuilderExt as _;
    use wacore::types::message::MessageSource;

    const CUSTOMER: &str = "573000000010@s.whatsapp.net";
    const CUSTOMER_LID: &str = "100000000000010@lid";
    const OWNER: &str = "573000000001@s.whatsapp.net";

    fn jid(text: &str) -> Jid {
        text.parse().unwrap()
    }

    fn inbound(message: wa::Message, source: MessageSource) -> InboundMessage {
        InboundMessage::builder()
            .message(Arc::new(message))
            .info(Arc::new(MessageInfo {
                source,
                id: "3EB0AA".into(),
                push_name: "Rosa".to_owned(),
                is_offline: true,
                ..MessageInfo::default()
            }))
            .build()
    }

    fn from_customer() -> MessageSource {
        MessageSource {
            chat: jid(CUSTOMER_LID),
            sender: jid("100000000000010:7@lid"),
            sender_alt: Some(jid("573000000010:7@s.whatsapp.net")),
            ..MessageSource::default()
        }
    }

    #[test]
    fn a_customers_text_arrives_under_both_names() {
        let inbound = inbound(wa::Message::text("hola"), from_customer());
        let incoming = message(&inbound).unwrap();
        assert_eq!(incoming.chat, ChatId::new(CUSTOMER_LID));
        assert_eq!(incoming.chat_alt, Some(ChatId::new(CUSTOMER)));
        assert_eq!(incoming.sender.number.as_deref(), Some("573000000010"));
        assert_eq!(incoming.sender.lid.as_deref(), Some("100000000000010"));
        assert_eq!(incoming.sender.device, 7);
        assert_eq!(incoming.sender.name, "Rosa");
        assert_eq!(incoming.body, Body::Text("hola".to_owned()));
        assert!(incoming.offline && !incoming.from_me);
    }

    #[test]
    fn the_owners_own_message_belongs_to_the_customers_chat() {
        let source = MessageSource {
            chat: jid(CUSTOMER),
            sender: jid(OWNER),
            sender_alt: Some(jid("100000000000001@lid")),
            recipient_alt: Some(jid(CUSTOMER_LID)),
            is_from_me: true,
            ..MessageSource::default()
        };
        let incoming = message(&inbound(wa::Message::text("ya voy"), source)).unwrap();
        assert!(incoming.from_me);
        assert_eq!(incoming.chat, ChatId::new(CUSTOMER));
        assert_eq!(incoming.chat_alt, Some(ChatId::new(CUSTOMER_LID)));
        assert_eq!(incoming.sender.number.as_deref(), Some("573000000001"));
    }

    #[test]
    fn a_group_has_one_name() {
        let source = MessageSource {
            chat: jid("120363000000000001@g.us"),
            is_group: true,
            ..from_customer()
        };
        let incoming = message(&inbound(wa::Message::text("hola"), source)).unwrap();
        assert_eq!(incoming.chat.kind(), ChatKind::Group);
        assert_eq!(incoming.chat_alt, None);
    }

    #[test]
    fn what_is_not_read_is_named_and_what_is_not_for_people_is_left_out() {
        let picture = wa::Message {
            image_message: Some(wa::message::ImageMessage::default()).into(),
            ..wa::Message::default()
        };
        let incoming = message(&inbound(picture, from_customer())).unwrap();
        assert_eq!(incoming.body, Body::Other("image".to_owned()));
        let nothing = inbound(wa::Message::default(), from_customer());
        assert_eq!(message(&nothing), None);
    }

    #[test]
    fn receipts_of_our_own_devices_say_nothing() {
        let told = |sender: &str, kind| {
            let built = Receipt::builder()
                .source(MessageSource {
                    chat: jid(CUSTOMER),
                    sender: jid(sender),
                    ..MessageSource::default()
                })
                .message_ids(vec!["3EB0AA".into()])
                .timestamp(Default::default())
                .r#type(kind)
                .offline(false)
                .build();
            receipt(&built, &[jid(OWNER)])
        };
        assert!(matches!(
            told(CUSTOMER, ReceiptType::Read),
            Some(Event::Receipt { read: true, .. })
        ));
        assert!(matches!(
            told(CUSTOMER, ReceiptType::Delivered),
            Some(Event::Receipt { read: false, .. })
        ));
        assert!(told(CUSTOMER, ReceiptType::Retry).is_none());
        assert!(told("573000000001:3@s.whatsapp.net", ReceiptType::Delivered).is_none());
    }
}
