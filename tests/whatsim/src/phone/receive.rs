//! What a phone does with a stanza that reached it.
//!
//! It decrypts, files, receipts and acknowledges. It must never acknowledge less than a device
//! does, or the service would deliver for ever, and never act on a companion's request that did
//! not come from one of its own.

use wacore::messages::decode_plaintext;
use wacore_binary::{Jid, Node};
use waproto::whatsapp as wa;

use super::inbox::InboxEntry;
use super::stanza::{Head, bytes, text};
use super::{Phone, PhoneError};
use crate::directory::Directory;

impl Phone {
    /// Takes one stanza from the service and answers what the phone sends back for it.
    pub fn receive(&mut self, stanza: &Node, dir: &mut dyn Directory) -> Vec<Node> {
        let Some(head) = Head::read(stanza) else {
            self.note_unknown(&stanza.tag);
            return Vec::new();
        };
        match &*stanza.tag {
            "message" => self.message(&head, stanza, dir),
            "receipt" => self.receipt(&head, stanza, dir),
            "notification" => vec![head.ack("notification")],
            "ack" => {
                self.server_ack(&head, stanza);
                Vec::new()
            }
            other => {
                self.note_unknown(other);
                Vec::new()
            }
        }
    }

    fn server_ack(&mut self, head: &Head, stanza: &Node) {
        if text(stanza, "class").as_deref() != Some("message") {
            return;
        }
        if let Some(sent) = self.log.sent_mut(&head.id) {
            match text(stanza, "error") {
                None => sent.server = true,
                refusal => sent.refused = refusal,
            }
        }
    }

    fn receipt(&mut self, head: &Head, stanza: &Node, dir: &mut dyn Directory) -> Vec<Node> {
        let mut answers = vec![head.ack("receipt")];
        let kind = head.kind.as_deref().unwrap_or("");
        match kind {
            "retry" => answers.extend(self.resend(head, stanza, dir)),
            "" | "inactive" | "sender" | "read" | "played" => {
                let listed: Vec<String> = stanza
                    .get_optional_child("list")
                    .into_iter()
                    .flat_map(|list| list.get_children_by_tag("item"))
                    .filter_map(|item| text(item, "id"))
                    .collect();
                for id in listed.iter().chain(std::iter::once(&head.id)) {
                    if let Some(sent) = self.log.sent_mut(id) {
                        let devices = match kind {
                            "read" | "played" => &mut sent.read,
                            _ => &mut sent.delivered,
                        };
                        if !devices.contains(&head.sender) {
                            devices.push(head.sender.clone());
                        }
                    }
                }
            }
            // Companions report what they did with peer messages, and what was read elsewhere.
            "peer_msg" | "hist_sync" | "read-self" | "played-self" | "server-error" => {}
            other => self.note_unknown(&format!("receipt {other}")),
        }
        answers
    }

    fn message(&mut self, head: &Head, stanza: &Node, dir: &mut dyn Directory) -> Vec<Node> {
        let sender = self.canonical(&head.sender, dir);
        let key = (sender.to_non_ad(), head.id.clone());
        let again = self.log.again(&key);
        let (messages, failure) = self.open(head, &sender, stanza);
        let mut answers = vec![head.ack("message")];
        if let Some(error) = failure.filter(|_| !again) {
            tracing::debug!(%error, id = %head.id, "a message does not decrypt");
            answers.extend(self.ask_again(head));
            return answers;
        }
        self.retries.remove(&head.id);
        answers.push(self.delivered(head));
        // Nothing came out if the ratchet had been here before; should the sender try again under
        // the same id, that is still news.
        if again || messages.is_empty() {
            return answers;
        }
        if let Some(name) = text(stanza, "notify").filter(|_| !self.is_me(&sender)) {
            self.contacts.retain(|(contact, _)| *contact != key.0);
            self.contacts.push((key.0.clone(), name));
        }
        let mut entry = None;
        for message in messages {
            answers.extend(self.file(head, &sender, message, &mut entry, dir));
        }
        self.log.receive(key, entry);
        answers
    }

    /// Decrypts every part. A failure counts only if no part with content came out.
    fn open(
        &mut self,
        head: &Head,
        sender: &Jid,
        stanza: &Node,
    ) -> (Vec<wa::Message>, Option<PhoneError>) {
        let mut messages = Vec::new();
        let mut failure = None;
        let mut content = false;
        for enc in stanza.get_children_by_tag("enc") {
            let kind = text(enc, "type").unwrap_or_default();
            let ciphertext = bytes(enc).unwrap_or_default();
            let plaintext = if kind == "skmsg" {
                self.signal.decrypt_group(&head.from, sender, ciphertext)
            } else {
                self.signal.decrypt(sender, &kind, ciphertext)
            };
            let decoded = plaintext.and_then(|plaintext| {
                decode_plaintext(&plaintext, 2).map_err(|_| PhoneError::Malformed("plaintext"))
            });
            match decoded {
                Ok(message) => {
                    if let Some(key) = message.sender_key_distribution_message.as_option() {
                        self.learn(head, sender, key);
                    }
                    content |= kind == "skmsg" || !is_key_only(&message);
                    messages.push(message);
                }
                // The ratchet was here before: the message is known, or lost by its sender.
                Err(PhoneError::Duplicate) => content = true,
                Err(error) => failure = Some(error),
            }
        }
        if messages.is_empty() && failure.is_none() && !content {
            failure = Some(PhoneError::Malformed("message without content"));
        }
        (messages, failure.filter(|_| !content))
    }

    fn learn(
        &mut self,
        head: &Head,
        sender: &Jid,
        key: &wa::message::SenderKeyDistributionMessage,
    ) {
        let bytes = key
            .axolotl_sender_key_distribution_message
            .as_deref()
            .unwrap_or_default();
        if let Err(error) = self.signal.learn(&head.from, sender, bytes) {
            tracing::warn!(%error, "a sender key was not accepted");
        }
    }

    /// Files one decrypted message; the first text becomes the entry shown.
    fn file(
        &mut self,
        head: &Head,
        sender: &Jid,
        message: wa::Message,
        entry: &mut Option<InboxEntry>,
        dir: &mut dyn Directory,
    ) -> Vec<Node> {
        let from_me = self.is_me(sender);
        let (chat, message) = self.unwrap(head, from_me, message);
        if let Some(protocol) = message.protocol_message.as_option() {
            if from_me && head.peer {
                return self.peer_request(head, protocol, dir);
            }
            return Vec::new();
        }
        let Some(text) = text_of(&message) else {
            return Vec::new();
        };
        let at = head.at.unwrap_or_else(|| dir.now());
        if entry.is_none() {
            *entry = Some(InboxEntry {
                id: head.id.clone(),
                chat: chat.clone(),
                from: head.sender.to_non_ad(),
                from_me,
                text: text.to_owned(),
                at,
                deliveries: 1,
            });
        }
        let info = wa::WebMessageInfo {
            key: buffa::MessageField::some(wa::MessageKey {
                remote_jid: Some(chat.to_string()),
                from_me: Some(from_me),
                id: Some(head.id.clone()),
                participant: head.is_group().then(|| head.sender.to_non_ad().to_string()),
            }),
            message: buffa::MessageField::some(message),
            message_timestamp: Some(at),
            ..Default::default()
        };
        self.log.hold(&head.id, info);
        Vec::new()
    }

    /// The chat a message belongs to, and the message without the wrapping that a companion puts
    /// around copies of what it sent.
    fn unwrap(&self, head: &Head, from_me: bool, mut message: wa::Message) -> (Jid, wa::Message) {
        if from_me && let Some(copy) = message.device_sent_message.take() {
            let chat = copy
                .destination_jid
                .as_deref()
                .and_then(|jid| jid.parse().ok())
                .or_else(|| head.recipient.clone())
                .unwrap_or_else(|| head.from.to_non_ad());
            let inner = copy.message.as_option().cloned().unwrap_or_default();
            return (chat, inner);
        }
        let chat = if head.is_group() {
            head.from.clone()
        } else {
            head.recipient.as_ref().unwrap_or(&head.from).to_non_ad()
        };
        (chat, message)
    }

    fn delivered(&self, head: &Head) -> Node {
        let receipt = head.answer("receipt");
        if head.is_group() || !self.is_me(&head.sender) {
            return receipt.build();
        }
        if head.peer {
            return receipt.attr("type", "peer_msg").build();
        }
        let receipt = receipt.attr("type", "sender");
        match &head.recipient {
            Some(recipient) => receipt.attr("recipient", recipient.to_non_ad()).build(),
            None => receipt.build(),
        }
    }
}

fn is_key_only(message: &wa::Message) -> bool {
    message.sender_key_distribution_message.is_set()
        && text_of(message).is_none()
        && !message.protocol_message.is_set()
        && !message.device_sent_message.is_set()
}

fn text_of(message: &wa::Message) -> Option<&str> {
    message.conversation.as_deref().or_else(|| {
        message
            .extended_text_message
            .as_option()
            .and_then(|extended| extended.text.as_deref())
    })
}
