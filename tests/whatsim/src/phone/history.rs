//! What a new companion is told about the past.
//!
//! A simulated phone has little: its name, its contacts' addresses. Both fit into the notification
//! itself, so nothing is uploaded. It must never refer a companion to media that is not there.

use std::io::Write as _;

use buffa::{Message as _, MessageField};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use waproto::whatsapp as wa;
use waproto::whatsapp::history_sync::HistorySyncType as Stored;
use waproto::whatsapp::message::HistorySyncType as Notified;
use waproto::whatsapp::message::protocol_message::Type;

use super::{Phone, PhoneError};
use crate::directory::Directory;

impl Phone {
    /// The bootstrap and the push names, each as a peer message with the payload inline.
    pub(super) fn history(&self, dir: &dyn Directory) -> Result<[wa::Message; 2], PhoneError> {
        let known = self
            .contacts
            .iter()
            .filter_map(|(contact, _)| Some((dir.pn_of(contact)?, contact.clone())));
        let mappings = std::iter::once((self.pn.clone(), self.lid.clone()))
            .chain(known)
            .map(|(pn, lid)| wa::PhoneNumberToLIDMapping {
                pn_jid: Some(pn.to_string()),
                lid_jid: Some(lid.to_string()),
            })
            .collect();
        let names = std::iter::once((&self.pn, &self.name))
            .chain(self.contacts.iter().map(|(contact, name)| (contact, name)))
            .map(|(jid, name)| wa::Pushname {
                id: Some(jid.to_string()),
                pushname: Some(name.clone()),
            })
            .collect();
        let bootstrap = wa::HistorySync {
            sync_type: Stored::INITIAL_BOOTSTRAP,
            chunk_order: Some(1),
            progress: Some(100),
            phone_number_to_lid_mappings: mappings,
            ..Default::default()
        };
        let names = wa::HistorySync {
            sync_type: Stored::PUSH_NAME,
            chunk_order: Some(1),
            progress: Some(100),
            pushnames: names,
            ..Default::default()
        };
        Ok([
            notification(Notified::INITIAL_BOOTSTRAP, &bootstrap)?,
            notification(Notified::PUSH_NAME, &names)?,
        ])
    }
}

fn notification(kind: Notified, history: &wa::HistorySync) -> Result<wa::Message, PhoneError> {
    let malformed = |_| PhoneError::Malformed("history");
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
    packer
        .write_all(&history.encode_to_vec())
        .map_err(malformed)?;
    let payload = packer.finish().map_err(malformed)?;
    Ok(wa::Message {
        protocol_message: MessageField::some(wa::message::ProtocolMessage {
            r#type: Some(Type::HISTORY_SYNC_NOTIFICATION),
            history_sync_notification: MessageField::some(wa::message::HistorySyncNotification {
                sync_type: Some(kind),
                chunk_order: Some(1),
                progress: Some(100),
                file_length: Some(payload.len() as u64),
                initial_hist_bootstrap_inline_payload: Some(payload),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    })
}
