//! What the crate remembers about others: who has our sender key, LID mappings, device lists,
//! group metadata, privacy tokens, sent messages, and messages on their way to the inbox.

use async_trait::async_trait;
use wacore::store::error::{Result, StoreError as CrateError};
use wacore::store::traits::{
    DeviceListRecord, LidPnMappingEntry, PendingInboundKey, PendingInboundRow, ProtocolStore,
    TcTokenEntry,
};
use wacore::time::now_secs;

use super::rows::{self, Dated, DeviceList, Mapping, Token};
use super::{Keys, failed, key, second_part};
use crate::store::{Batch, Space};

#[async_trait]
impl ProtocolStore for Keys {
    async fn get_sender_key_devices(&self, group_jid: &str) -> Result<Vec<(String, bool)>> {
        self.sender_key_devices
            .scan_prefix(&key([group_jid]))
            .map_err(failed)?
            .into_iter()
            .map(|(key, row)| {
                let device = second_part(&key).ok_or_else(|| {
                    CrateError::Validation("a stored sender-key device has no name".to_owned())
                })?;
                Ok((device.to_owned(), rows::raw_of(row)? == [1]))
            })
            .collect()
    }

    async fn set_sender_key_status(&self, group_jid: &str, entries: &[(&str, bool)]) -> Result<()> {
        self.change(|batch| {
            for (device, has_key) in entries {
                batch.put(
                    &self.sender_key_devices,
                    &key([group_jid, device]),
                    rows::raw(&[u8::from(*has_key)]),
                );
            }
            Ok(())
        })?;
        // To distribute a key once more is harmless, to believe it distributed is not.
        if entries.iter().all(|(_, has_key)| *has_key) {
            return Ok(());
        }
        self.db.commit().await.map_err(failed)
    }

    async fn clear_sender_key_devices(&self, group_jid: &str) -> Result<()> {
        self.forget_sender_key_devices(&key([group_jid]), |_| true)
            .await
    }

    async fn delete_sender_key_device_rows(&self, device_jids: &[&str]) -> Result<()> {
        self.forget_sender_key_devices(b"", |device| device_jids.contains(&device))
            .await
    }

    async fn clear_all_sender_key_devices(&self) -> Result<()> {
        self.forget_sender_key_devices(b"", |_| true).await
    }

    async fn get_lid_mapping(&self, lid: &str) -> Result<Option<LidPnMappingEntry>> {
        Ok(self.mapping(lid)?.map(Into::into))
    }

    async fn get_pn_mapping(&self, phone: &str) -> Result<Option<LidPnMappingEntry>> {
        let mut latest: Option<Mapping> = None;
        for (key, _) in self.numbers.scan_prefix(&key([phone])).map_err(failed)? {
            if let Some(mapping) = second_part(&key).map_or(Ok(None), |lid| self.mapping(lid))?
                && latest
                    .as_ref()
                    .is_none_or(|latest| latest.updated_at < mapping.updated_at)
            {
                latest = Some(mapping);
            }
        }
        Ok(latest.map(Into::into))
    }

    async fn put_lid_mapping(&self, entry: &LidPnMappingEntry) -> Result<()> {
        self.put_lid_mappings(std::slice::from_ref(entry)).await
    }

    async fn put_lid_mappings(&self, entries: &[LidPnMappingEntry]) -> Result<()> {
        self.change(|batch| {
            for (at, entry) in entries.iter().enumerate() {
                let mut row = Mapping::from(entry);
                // An earlier entry of this very call is not in the database yet.
                let earlier = entries[..at].iter().rfind(|other| other.lid == entry.lid);
                if let Some(before) = self.mapping(&entry.lid)? {
                    row.created_at = before.created_at;
                    batch.delete(&self.numbers, &key([&before.number, &entry.lid]));
                } else if let Some(first) = entries.iter().find(|other| other.lid == entry.lid) {
                    row.created_at = first.created_at;
                }
                if let Some(earlier) = earlier {
                    batch.delete(&self.numbers, &key([&earlier.phone_number, &entry.lid]));
                }
                batch.put(&self.lids, entry.lid.as_bytes(), rows::message(&row));
                batch.put(&self.numbers, &key([&row.number, &entry.lid]), []);
            }
            Ok(())
        })
    }

    async fn get_all_lid_mappings(&self) -> Result<Vec<LidPnMappingEntry>> {
        self.lids
            .scan_prefix(b"")
            .map_err(failed)?
            .into_iter()
            .map(|(_, row)| Ok(rows::message_of::<Mapping>(&row)?.into()))
            .collect()
    }

    async fn save_base_key(&self, address: &str, message_id: &str, base_key: &[u8]) -> Result<()> {
        self.put(
            &self.base_keys,
            &key([address, message_id]),
            rows::raw(base_key),
        )
    }

    async fn has_same_base_key(
        &self,
        address: &str,
        message_id: &str,
        current_base_key: &[u8],
    ) -> Result<bool> {
        let saved = self.read(&self.base_keys, &key([address, message_id]))?;
        Ok(saved.as_deref() == Some(current_base_key))
    }

    async fn delete_base_key(&self, address: &str, message_id: &str) -> Result<()> {
        self.delete(&self.base_keys, &key([address, message_id]))
    }

    async fn update_device_list(&self, record: DeviceListRecord) -> Result<()> {
        self.update_device_lists(vec![record]).await
    }

    async fn update_device_lists(&self, records: Vec<DeviceListRecord>) -> Result<()> {
        self.change(|batch| {
            for record in &records {
                let row = rows::message(&DeviceList::from(record));
                batch.put(&self.device_lists, record.user.as_bytes(), row);
            }
            Ok(())
        })
    }

    async fn get_devices(&self, user: &str) -> Result<Option<DeviceListRecord>> {
        let row = self.device_lists.get(user.as_bytes()).map_err(failed)?;
        row.map(|row| Ok(rows::message_of::<DeviceList>(&row)?.into_record(user)))
            .transpose()
    }

    async fn delete_devices(&self, user: &str) -> Result<()> {
        self.delete(&self.device_lists, user.as_bytes())
    }

    async fn get_group_metadata(&self, group_jid: &str) -> Result<Option<Vec<u8>>> {
        self.read(&self.groups, group_jid.as_bytes())
    }

    async fn put_group_metadata(&self, group_jid: &str, blob: &[u8]) -> Result<()> {
        self.put(&self.groups, group_jid.as_bytes(), rows::raw(blob))
    }

    async fn delete_group_metadata(&self, group_jid: &str) -> Result<()> {
        self.delete(&self.groups, group_jid.as_bytes())
    }

    async fn get_tc_token(&self, jid: &str) -> Result<Option<TcTokenEntry>> {
        Ok(self.token(jid)?.map(Into::into))
    }

    async fn put_tc_token(&self, jid: &str, entry: &TcTokenEntry) -> Result<()> {
        self.change_durably(|batch| {
            let row = rows::message(&Token::from(entry));
            batch.put(&self.tokens, jid.as_bytes(), row);
            Ok(())
        })
        .await
    }

    async fn delete_tc_token(&self, jid: &str) -> Result<()> {
        self.delete(&self.tokens, jid.as_bytes())
    }

    async fn get_all_tc_token_jids(&self) -> Result<Vec<String>> {
        self.tokens
            .scan_prefix(b"")
            .map_err(failed)?
            .into_iter()
            .map(|(jid, _)| {
                String::from_utf8(jid).map_err(|error| CrateError::Serialization(Box::new(error)))
            })
            .collect()
    }

    async fn delete_expired_tc_tokens(&self, token_cutoff: i64, sender_cutoff: i64) -> Result<u32> {
        self.sweep(&self.tokens, |row| {
            let row: Token = rows::message_of(row)?;
            let token_stale = row.token.is_empty() || row.token_timestamp < token_cutoff;
            let sender_stale = row.sender_timestamp.is_none_or(|at| at < sender_cutoff);
            Ok(token_stale && sender_stale)
        })
    }

    async fn touch_tc_token_sender_timestamp(
        &self,
        jid: &str,
        sender_timestamp: i64,
    ) -> Result<()> {
        self.change(|batch| {
            let mut row = self.token(jid)?.unwrap_or(Token {
                token: Vec::new(),
                token_timestamp: sender_timestamp,
                sender_timestamp: None,
            });
            // `None` is less than every `Some`: it only ever moves forward.
            row.sender_timestamp = row.sender_timestamp.max(Some(sender_timestamp));
            batch.put(&self.tokens, jid.as_bytes(), rows::message(&row));
            Ok(())
        })
    }

    async fn store_received_tc_token(
        &self,
        jid: &str,
        token: &[u8],
        token_timestamp: i64,
    ) -> Result<()> {
        self.change_durably(|batch| {
            let before = self.token(jid)?;
            if let Some(before) = &before
                && !before.token.is_empty()
                && token_timestamp < before.token_timestamp
            {
                return Ok(());
            }
            let row = Token {
                token: token.to_vec(),
                token_timestamp,
                sender_timestamp: before.and_then(|before| before.sender_timestamp),
            };
            batch.put(&self.tokens, jid.as_bytes(), rows::message(&row));
            Ok(())
        })
        .await
    }

    async fn store_sent_message(
        &self,
        chat_jid: &str,
        message_id: &str,
        payload: &[u8],
    ) -> Result<()> {
        self.put(&self.sent, &key([chat_jid, message_id]), dated(payload))
    }

    async fn take_sent_message(&self, chat_jid: &str, message_id: &str) -> Result<Option<Vec<u8>>> {
        self.change(|batch| {
            let key = key([chat_jid, message_id]);
            let Some(row) = self.sent.get(&key).map_err(failed)? else {
                return Ok(None);
            };
            batch.delete(&self.sent, &key);
            Ok(Some(rows::message_of::<Dated>(&row)?.payload))
        })
    }

    async fn delete_expired_sent_messages(&self, cutoff_timestamp: i64) -> Result<u32> {
        self.sweep(&self.sent, |row| {
            Ok(rows::message_of::<Dated>(row)?.since < cutoff_timestamp)
        })
    }

    async fn store_pending_inbound(
        &self,
        chat: &str,
        sender: &str,
        id: &str,
        message: &[u8],
    ) -> Result<()> {
        self.put(&self.pending, &key([chat, sender, id]), dated(message))
    }

    async fn get_pending_inbound(
        &self,
        chat: &str,
        sender: &str,
        id: &str,
    ) -> Result<Option<Vec<u8>>> {
        let row = self.pending.get(&key([chat, sender, id])).map_err(failed)?;
        row.map(|row| Ok(rows::message_of::<Dated>(&row)?.payload))
            .transpose()
    }

    async fn delete_pending_inbound(&self, chat: &str, sender: &str, id: &str) -> Result<()> {
        self.delete(&self.pending, &key([chat, sender, id]))
    }

    async fn delete_expired_pending_inbound(&self, cutoff_timestamp: i64) -> Result<u32> {
        self.sweep(&self.pending, |row| {
            Ok(rows::message_of::<Dated>(row)?.since < cutoff_timestamp)
        })
    }

    async fn store_pending_inbound_batch(&self, rows: &[PendingInboundRow<'_>]) -> Result<()> {
        self.change(|batch| {
            for row in rows {
                let key = key([row.chat, row.sender, row.id]);
                batch.put(&self.pending, &key, dated(row.message));
            }
            Ok(())
        })
    }

    async fn delete_pending_inbound_batch(&self, keys: &[PendingInboundKey<'_>]) -> Result<()> {
        self.change(|batch| {
            for row in keys {
                batch.delete(&self.pending, &key([row.chat, row.sender, row.id]));
            }
            Ok(())
        })
    }
}

impl Keys {
    fn put(&self, space: &Space, key: &[u8], row: Vec<u8>) -> Result<()> {
        self.change(|batch| {
            batch.put(space, key, row);
            Ok(())
        })
    }

    fn delete(&self, space: &Space, key: &[u8]) -> Result<()> {
        self.change(|batch| {
            batch.delete(space, key);
            Ok(())
        })
    }

    fn mapping(&self, lid: &str) -> Result<Option<Mapping>> {
        let row = self.lids.get(lid.as_bytes()).map_err(failed)?;
        row.map(|row| rows::message_of(&row)).transpose()
    }

    fn token(&self, jid: &str) -> Result<Option<Token>> {
        let row = self.tokens.get(jid.as_bytes()).map_err(failed)?;
        row.map(|row| rows::message_of(&row)).transpose()
    }

    /// Deletes the rows of a space that are stale; tells how many.
    fn sweep(&self, space: &Space, stale: impl Fn(&[u8]) -> Result<bool>) -> Result<u32> {
        self.change(|batch| {
            let mut deleted = 0;
            for (key, row) in space.scan_prefix(b"").map_err(failed)? {
                if stale(&row)? {
                    batch.delete(space, &key);
                    deleted += 1;
                }
            }
            Ok(deleted)
        })
    }

    async fn forget_sender_key_devices(
        &self,
        start: &[u8],
        which: impl Fn(&str) -> bool + Send,
    ) -> Result<()> {
        let forget = |batch: &mut Batch| {
            let rows = self.sender_key_devices.scan_prefix(start).map_err(failed)?;
            for (key, _) in rows {
                // One without a name is of no use to anybody.
                if second_part(&key).is_none_or(&which) {
                    batch.delete(&self.sender_key_devices, &key);
                }
            }
            Ok(())
        };
        self.change(forget)?;
        self.db.commit().await.map_err(failed)
    }
}

fn dated(payload: &[u8]) -> Vec<u8> {
    rows::message(&Dated {
        payload: payload.to_vec(),
        since: now_secs(),
    })
}
