//! How a value lies in records of at most [`CHUNK`] bytes. Bytes only: nothing is read or written
//! here.
//!
//! The library puts a record or a leaf page above a quarter of its segment (128 KiB of 512) into a
//! file that it never syncs. A leaf holds some 16 records, so records of 4 KiB keep every page
//! below half of that. A larger value becomes a *head* at its own key and chunks in a region of
//! their own, under a generation number that is never used twice at a time: the head decides which
//! generation is the value, so that chunks can be brought to the disk before it, and be taken away
//! after it.

use prost::Message;

use super::StoreError;

/// The longest record, without its tag.
pub(super) const CHUNK: usize = 4096;

const INLINE: u8 = 0;
const HEAD: u8 = 1;

/// Keys of the store's own begin with a zero byte; a space's name never does.
pub(super) const VERSION_KEY: &[u8] = b"\0v";
pub(super) const CHUNK_REGION: &[u8] = b"\0c";
/// Generations that no head names: begun and not finished, or replaced and not yet deleted.
pub(super) const GARBAGE_REGION: &[u8] = b"\0g";

/// Where a large value lies.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct Head {
    #[prost(uint64, tag = "1")]
    pub generation: u64,
    #[prost(uint32, tag = "2")]
    pub chunks: u32,
    #[prost(uint64, tag = "3")]
    pub length: u64,
}

/// The record that says how to read all others.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct Format {
    #[prost(uint32, tag = "1")]
    pub version: u32,
}

/// What a record at an ordinary key is.
pub(super) enum Record<'a> {
    Inline(&'a [u8]),
    Head(Head),
}

pub(super) fn parse(record: &[u8]) -> Result<Record<'_>, StoreError> {
    match record.split_first() {
        Some((&INLINE, value)) => Ok(Record::Inline(value)),
        Some((&HEAD, head)) => Head::decode(head)
            .map(Record::Head)
            .map_err(|_| StoreError::Damaged("the head of a large value")),
        _ => Err(StoreError::Damaged("a record of unknown kind")),
    }
}

pub(super) fn inline(value: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(value.len() + 1);
    record.push(INLINE);
    record.extend_from_slice(value);
    record
}

pub(super) fn head(head: Head) -> Vec<u8> {
    let mut record = vec![HEAD];
    record.extend_from_slice(&head.encode_to_vec());
    record
}

pub(super) fn generation_prefix(generation: u64) -> Vec<u8> {
    [CHUNK_REGION, &generation.to_be_bytes()].concat()
}

pub(super) fn chunk_key(generation: u64, index: u32) -> Vec<u8> {
    [
        CHUNK_REGION,
        &generation.to_be_bytes(),
        &index.to_be_bytes(),
    ]
    .concat()
}

pub(super) fn garbage_key(generation: u64) -> Vec<u8> {
    [GARBAGE_REGION, &generation.to_be_bytes()].concat()
}

/// The generation in a key of either region.
pub(super) fn generation_of(key: &[u8]) -> Option<u64> {
    let bytes = key.get(2..10)?.try_into().ok()?;
    Some(u64::from_be_bytes(bytes))
}
