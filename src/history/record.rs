//! How a row looks on disk: a prost message that carries a format version. A field's number never
//! gets a second meaning. A row that a later version wrote is left out, and stays on disk.

use prost::Message as _;

use super::log::{Event, Row};
use super::stamp::Stamp;
use super::words::{Cause, Did, What};

const VERSION: u32 = 1;

#[derive(Clone, PartialEq, prost::Message)]
struct Record {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(uint64, tag = "2")]
    latest: u64,
    #[prost(uint32, tag = "3")]
    what: u32,
    /// 0 for none, as below.
    #[prost(uint32, tag = "4")]
    cause: u32,
    #[prost(uint32, tag = "5")]
    did: u32,
    #[prost(uint32, optional, tag = "6")]
    code: Option<u32>,
    #[prost(int64, optional, tag = "7")]
    until: Option<i64>,
    #[prost(uint32, tag = "8")]
    times: u32,
    #[prost(message, optional, tag = "9")]
    first: Option<Moment>,
    #[prost(message, optional, tag = "10")]
    last: Option<Moment>,
}

/// A [`Stamp`] on disk; the alerts keep theirs the same way.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Moment {
    #[prost(fixed64, tag = "1")]
    boot: u64,
    #[prost(uint64, tag = "2")]
    uptime: u64,
    #[prost(int64, tag = "3")]
    clock: i64,
    #[prost(bool, tag = "4")]
    sure: bool,
}

impl From<Stamp> for Moment {
    fn from(stamp: Stamp) -> Self {
        Self {
            boot: stamp.boot,
            uptime: stamp.uptime,
            clock: stamp.clock,
            sure: stamp.sure,
        }
    }
}

impl From<Moment> for Stamp {
    fn from(moment: Moment) -> Self {
        Self {
            boot: moment.boot,
            uptime: moment.uptime,
            clock: moment.clock,
            sure: moment.sure,
        }
    }
}

pub fn write(row: &Row) -> Vec<u8> {
    Record {
        version: VERSION,
        latest: row.latest,
        what: row.event.what.number(),
        cause: row.event.cause.map_or(0, Cause::number),
        did: row.event.did.map_or(0, Did::number),
        code: row.event.code,
        until: row.event.until,
        times: row.times,
        first: Some(row.first.into()),
        last: Some(row.last.into()),
    }
    .encode_to_vec()
}

pub fn read(key: &[u8], value: &[u8]) -> Option<Row> {
    let record = Record::decode(value).ok()?;
    if record.version != VERSION {
        return None;
    }
    Some(Row {
        order: u64::from_be_bytes(key.try_into().ok()?),
        latest: record.latest,
        event: Event {
            what: What::of_number(record.what)?,
            cause: Cause::of_number(record.cause),
            did: Did::of_number(record.did),
            code: record.code,
            until: record.until,
        },
        first: record.first?.into(),
        last: record.last?.into(),
        times: record.times,
    })
}
