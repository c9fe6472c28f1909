//! What a row looks like on disk. Values only.

use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wacore::store::error::{Result, StoreError as CrateError};
use wacore::store::traits::{
    AppStateSyncKey, DeviceInfo, DeviceListRecord, LidPnMappingEntry, TcTokenEntry,
};

const VERSION: u8 = 1;

/// Bytes as the crate gave them.
pub(super) fn raw(bytes: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(bytes.len() + 1);
    row.push(VERSION);
    row.extend_from_slice(bytes);
    row
}

/// See [`raw`].
pub(super) fn raw_of(mut row: Vec<u8>) -> Result<Vec<u8>> {
    body(&row)?;
    row.remove(0);
    Ok(row)
}

/// One of the messages below.
pub(super) fn message(message: &impl Message) -> Vec<u8> {
    let mut row = vec![VERSION];
    row.extend_from_slice(&message.encode_to_vec());
    row
}

/// See [`message`].
pub(super) fn message_of<M: Message + Default>(row: &[u8]) -> Result<M> {
    M::decode(body(row)?).map_err(|error| CrateError::Serialization(Box::new(error)))
}

/// A type the crate serialises itself.
pub(super) fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut row = vec![VERSION];
    serde_json::to_writer(&mut row, value)
        .map_err(|error| CrateError::Serialization(Box::new(error)))?;
    Ok(row)
}

/// See [`json`].
pub(super) fn json_of<T: DeserializeOwned>(row: &[u8]) -> Result<T> {
    serde_json::from_slice(body(row)?).map_err(|error| CrateError::Serialization(Box::new(error)))
}

fn body(row: &[u8]) -> Result<&[u8]> {
    match row.split_first() {
        Some((&VERSION, body)) => Ok(body),
        _ => Err(CrateError::Validation(
            "a stored row has a version this program does not read".to_owned(),
        )),
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Prekey {
    #[prost(bytes = "vec", tag = "1")]
    pub record: Vec<u8>,
    #[prost(bool, tag = "2")]
    pub uploaded: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SyncKey {
    #[prost(bytes = "vec", tag = "1")]
    pub data: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub fingerprint: Vec<u8>,
    #[prost(int64, tag = "3")]
    pub timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Mapping {
    #[prost(string, tag = "1")]
    pub lid: String,
    #[prost(string, tag = "2")]
    pub number: String,
    #[prost(int64, tag = "3")]
    pub created_at: i64,
    #[prost(int64, tag = "4")]
    pub updated_at: i64,
    #[prost(string, tag = "5")]
    pub source: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Token {
    #[prost(bytes = "vec", tag = "1")]
    pub token: Vec<u8>,
    #[prost(int64, tag = "2")]
    pub token_timestamp: i64,
    #[prost(int64, optional, tag = "3")]
    pub sender_timestamp: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct DeviceList {
    #[prost(message, repeated, tag = "1")]
    pub devices: Vec<DeviceOfList>,
    #[prost(int64, tag = "2")]
    pub timestamp: i64,
    #[prost(string, optional, tag = "3")]
    pub phash: Option<String>,
    #[prost(uint32, optional, tag = "4")]
    pub raw_id: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct DeviceOfList {
    #[prost(uint32, tag = "1")]
    pub id: u32,
    #[prost(uint32, optional, tag = "2")]
    pub key_index: Option<u32>,
    #[prost(bool, tag = "3")]
    pub hosted: bool,
}

/// A sent or a pending message: bytes and when they came here.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Dated {
    #[prost(bytes = "vec", tag = "1")]
    pub payload: Vec<u8>,
    #[prost(int64, tag = "2")]
    pub since: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Secret {
    #[prost(bytes = "vec", tag = "1")]
    pub secret: Vec<u8>,
    #[prost(int64, tag = "2")]
    pub expires_at: i64,
    #[prost(int64, tag = "3")]
    pub message_ts: i64,
}

impl From<AppStateSyncKey> for SyncKey {
    fn from(key: AppStateSyncKey) -> Self {
        Self {
            data: key.key_data,
            fingerprint: key.fingerprint,
            timestamp: key.timestamp,
        }
    }
}

impl From<SyncKey> for AppStateSyncKey {
    fn from(row: SyncKey) -> Self {
        Self {
            key_data: row.data,
            fingerprint: row.fingerprint,
            timestamp: row.timestamp,
        }
    }
}

impl From<&LidPnMappingEntry> for Mapping {
    fn from(entry: &LidPnMappingEntry) -> Self {
        Self {
            lid: entry.lid.clone(),
            number: entry.phone_number.clone(),
            created_at: entry.created_at,
            updated_at: entry.updated_at,
            source: entry.learning_source.clone(),
        }
    }
}

impl From<Mapping> for LidPnMappingEntry {
    fn from(row: Mapping) -> Self {
        Self {
            lid: row.lid,
            phone_number: row.number,
            created_at: row.created_at,
            updated_at: row.updated_at,
            learning_source: row.source,
        }
    }
}

impl From<&TcTokenEntry> for Token {
    fn from(entry: &TcTokenEntry) -> Self {
        Self {
            token: entry.token.clone(),
            token_timestamp: entry.token_timestamp,
            sender_timestamp: entry.sender_timestamp,
        }
    }
}

impl From<Token> for TcTokenEntry {
    fn from(row: Token) -> Self {
        Self {
            token: row.token,
            token_timestamp: row.token_timestamp,
            sender_timestamp: row.sender_timestamp,
        }
    }
}

impl From<&DeviceListRecord> for DeviceList {
    fn from(record: &DeviceListRecord) -> Self {
        Self {
            devices: record
                .devices
                .iter()
                .map(|device| DeviceOfList {
                    id: device.device_id,
                    key_index: device.key_index,
                    hosted: device.is_hosted,
                })
                .collect(),
            timestamp: record.timestamp,
            phash: record.phash.clone(),
            raw_id: record.raw_id,
        }
    }
}

impl DeviceList {
    pub fn into_record(self, user: &str) -> DeviceListRecord {
        DeviceListRecord {
            user: user.to_owned(),
            devices: self
                .devices
                .into_iter()
                .map(|device| {
                    DeviceInfo::new(device.id, device.key_index).with_hosting(device.hosted)
                })
                .collect(),
            timestamp: self.timestamp,
            phash: self.phash,
            raw_id: self.raw_id,
        }
    }
}
