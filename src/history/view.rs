//! The history as `GET /events` serves it. Its words are stable; a reader that meets one it does
//! not know shows it as it is.

use serde::{Deserialize, Serialize};

use super::log::Row;
use super::stamp::Stamp;
use super::words::{Cause, Did};

/// The whole answer, the latest event last.
#[derive(Debug, Serialize, Deserialize)]
pub struct Events {
    /// One a row.
    pub events: Vec<Seen>,
}

/// One row.
#[derive(Debug, Serialize, Deserialize)]
pub struct Seen {
    /// A link's state under its name in `/status`, or something beside it.
    pub what: String,
    /// Why, where the box can know it.
    pub cause: Option<String>,
    /// What the box did about it.
    pub did: Option<String>,
    /// The service's code, where it gave one.
    pub code: Option<u32>,
    /// Until when, as RFC 3339 in UTC, where that is known.
    pub until: Option<String>,
    /// How often, from `first` to `last`.
    pub times: u32,
    /// The first time.
    pub first: Moment,
    /// The latest time.
    pub last: Moment,
}

/// When.
#[derive(Debug, Serialize, Deserialize)]
pub struct Moment {
    /// RFC 3339 in UTC.
    pub at: String,
    /// Whether the board's clock was right, as far as it could know.
    pub sure: bool,
    /// Seconds since the board came up.
    pub uptime_s: u64,
    /// Which run of the board: the same for all events between two power cuts.
    pub boot: String,
}

impl From<Vec<Row>> for Events {
    fn from(rows: Vec<Row>) -> Self {
        let events = rows.iter().map(|row| Seen {
            what: row.event.what.name().to_owned(),
            cause: row.event.cause.map(|cause| Cause::name(cause).to_owned()),
            did: row.event.did.map(|did| Did::name(did).to_owned()),
            code: row.event.code,
            until: row.event.until.map(utc),
            times: row.times,
            first: moment(&row.first),
            last: moment(&row.last),
        });
        Self {
            events: events.collect(),
        }
    }
}

fn moment(stamp: &Stamp) -> Moment {
    Moment {
        at: utc(stamp.clock),
        sure: stamp.sure,
        uptime_s: stamp.uptime,
        boot: format!("{:016x}", stamp.boot),
    }
}

fn utc(seconds: i64) -> String {
    let at = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    at.to_string()
}
