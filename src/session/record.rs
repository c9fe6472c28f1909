//! What must outlive the process, on disk: the last ending, so that a restart never reopens what must
//! stay closed; how often the session was taken back, so that no restart makes it more often; and
//! when the phone was last seen.
//!
//! Small rows in the link's database. An ending is committed before the session acts on it, and
//! deleted when it is over; a taking before the session is taken. They hold no key, number or name.

use std::time::Duration;

use anyhow::Context as _;
use prost::Message as _;

use super::ending::{Ending, Remover};
use super::machine::{Moment, Past, State, Taking, Takings};
use crate::message::ServerTime;
use crate::store::{Batch, Store};

const SPACE: &str = "ending";
const KEY: &[u8] = b"last";
const TAKINGS: &[u8] = b"takings";

/// The phone's row: seconds of the service's time, eight bytes, big end first.
const PHONE: &str = "phone";
const SEEN: &[u8] = b"seen";

#[derive(Clone, PartialEq, prost::Message)]
struct Record {
    /// Which ending; see [`encode`].
    #[prost(uint32, tag = "1")]
    kind: u32,
    /// The code of a refusal.
    #[prost(uint32, tag = "2")]
    code: u32,
    /// The ban's length in milliseconds, where the service told it.
    #[prost(uint64, optional, tag = "3")]
    lasts_ms: Option<u64>,
    /// Wall time of the ending, in milliseconds since 1970.
    #[prost(int64, tag = "4")]
    at_ms: i64,
    /// How long after it the next attempt is made, in milliseconds.
    #[prost(uint64, tag = "5")]
    wait_ms: u64,
    #[prost(uint32, tag = "6")]
    rate_limits: u32,
    #[prost(uint32, tag = "7")]
    outdated: u32,
    /// Who removed the device; 0, as in records of before it was told, where nobody knows.
    #[prost(uint32, tag = "8")]
    remover: u32,
}

/// The takings, oldest first, as of the moment of writing.
#[derive(Clone, PartialEq, prost::Message)]
struct TakingsRecord {
    /// How long ago each was, in milliseconds of this box's running time.
    #[prost(uint64, repeated, tag = "1")]
    ages_ms: Vec<u64>,
    /// Which of them a person made.
    #[prost(bool, repeated, tag = "2")]
    by_person: Vec<bool>,
    /// The latest had not been seen online.
    #[prost(bool, tag = "3")]
    under_way: bool,
}

/// What the last process left, with `wall_ms` as the time now.
///
/// # Errors
/// When the store cannot read. A record that cannot be understood (a later version's) counts as
/// none.
pub fn load(store: &Store, wall_ms: i64) -> anyhow::Result<Option<Past>> {
    let Some(bytes) = store
        .link()
        .space(SPACE)
        .get(KEY)
        .context("reading the last ending")?
    else {
        return Ok(None);
    };
    let Ok(record) = Record::decode(bytes.as_slice()) else {
        tracing::warn!("the record of the last ending cannot be read; it is ignored");
        return Ok(None);
    };
    Ok(decode(&record).map(|ending| Past {
        ending,
        left: left(&record, wall_ms),
        rate_limits: record.rate_limits,
        outdated: record.outdated,
    }))
}

/// Keeps `ending` and what `state` made of it. Durable when this returns.
///
/// # Errors
/// When the store cannot write; the session must then not go on.
pub async fn keep(
    store: &Store,
    ending: Ending,
    state: &State,
    left: Duration,
    wall_ms: i64,
) -> anyhow::Result<()> {
    let (kind, code, lasts) = encode(ending);
    let record = Record {
        kind,
        code,
        lasts_ms: lasts.map(millis),
        at_ms: wall_ms,
        wait_ms: millis(left),
        rate_limits: state.rate_limits,
        outdated: state.outdated,
        remover: match ending {
            Ending::Removed(Remover::Owner) => 1,
            _ => 0,
        },
    };
    let mut batch = Batch::default();
    batch.put(&store.link().space(SPACE), KEY, record.encode_to_vec());
    store
        .link()
        .apply(batch)
        .context("keeping the last ending")?;
    store
        .link()
        .commit()
        .await
        .context("keeping the last ending")
}

/// Deletes the record, if there is one. Durable when this returns.
///
/// # Errors
/// When the store cannot read or write.
pub async fn clear(store: &Store) -> anyhow::Result<()> {
    let space = store.link().space(SPACE);
    if space.get(KEY).context("reading the last ending")?.is_none() {
        return Ok(());
    }
    let mut batch = Batch::default();
    batch.delete(&space, KEY);
    store
        .link()
        .apply(batch)
        .context("deleting the last ending")?;
    store
        .link()
        .commit()
        .await
        .context("deleting the last ending")
}

/// The takings that an earlier process left. One that cannot be understood counts as three just now:
/// the box then leaves the session to a person for a day.
///
/// # Errors
/// When the store cannot read.
pub fn load_takings(store: &Store, now: Moment) -> anyhow::Result<Takings> {
    let row = store.link().space(SPACE).get(TAKINGS);
    let Some(bytes) = row.context("reading the takings")? else {
        return Ok(Takings::default());
    };
    let record = TakingsRecord::decode(bytes.as_slice()).unwrap_or_else(|_| {
        tracing::warn!("the record of the takings cannot be read; the box takes nothing for a day");
        TakingsRecord {
            ages_ms: vec![0; 3],
            by_person: vec![false; 3],
            under_way: false,
        }
    });
    let past = record
        .ages_ms
        .iter()
        .zip(record.by_person.iter().chain(std::iter::repeat(&false)))
        .map(|(age, by_person)| Taking {
            age: Duration::from_millis(*age),
            by_person: *by_person,
        })
        .collect();
    Ok(Takings::restored(past, record.under_way, now))
}

/// Keeps the takings as of `now`; deletes the row where there are none. Durable when this returns.
///
/// # Errors
/// When the store cannot write; the session must then take nothing.
pub async fn keep_takings(store: &Store, takings: &Takings, now: Moment) -> anyhow::Result<()> {
    let mut takings = takings.clone();
    takings.age_to(now);
    let space = store.link().space(SPACE);
    let mut batch = Batch::default();
    if takings.past().is_empty() && !takings.is_under_way() {
        batch.delete(&space, TAKINGS);
    } else {
        let record = TakingsRecord {
            ages_ms: takings.past().iter().map(|past| millis(past.age)).collect(),
            by_person: takings.past().iter().map(|past| past.by_person).collect(),
            under_way: takings.is_under_way(),
        };
        batch.put(&space, TAKINGS, record.encode_to_vec());
    }
    store.link().apply(batch).context("keeping the takings")?;
    store.link().commit().await.context("keeping the takings")
}

/// When the phone was last seen, if that is known.
pub fn phone_seen(store: &Store) -> Option<ServerTime> {
    let row = store.link().space(PHONE).get(SEEN).ok()??;
    Some(ServerTime(i64::from_be_bytes(row.try_into().ok()?)))
}

/// Writes down when the phone was last seen. Durable with the next commit; it does not wait.
///
/// # Errors
/// When the store cannot write.
pub fn put_phone_seen(store: &Store, seen: ServerTime) -> anyhow::Result<()> {
    let mut batch = Batch::default();
    let space = store.link().space(PHONE);
    batch.put(&space, SEEN, seen.0.to_be_bytes());
    let written = store.link().apply(batch);
    written.context("writing down when the phone was seen")
}

/// What is certainly left of the wait. The board's clock may have been set back to an earlier time
/// by the power cut, so a time before the ending proves nothing and the whole wait counts.
fn left(record: &Record, wall_ms: i64) -> Duration {
    let waited = u64::try_from(wall_ms.saturating_sub(record.at_ms)).unwrap_or(0);
    Duration::from_millis(record.wait_ms.saturating_sub(waited))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The numbers are on disk: they are never given a new meaning.
fn encode(ending: Ending) -> (u32, u32, Option<Duration>) {
    match ending {
        Ending::Replaced => (1, 0, None),
        Ending::Removed(_) => (2, 0, None),
        Ending::Locked => (3, 0, None),
        Ending::Banned { lasts } => (4, 0, lasts),
        Ending::Outdated => (5, 0, None),
        Ending::RateLimited => (6, 0, None),
        Ending::Refused(code) => (7, u32::from(code), None),
        Ending::RestartWanted
        | Ending::ServerTrouble(_)
        | Ending::NoNetwork
        | Ending::Untrusted
        | Ending::Silence
        | Ending::Closed
        | Ending::Broken
        | Ending::RefsUsedUp
        | Ending::PasskeyRefused
        | Ending::PasskeyLate
        | Ending::Paired
        | Ending::Forbidden
        | Ending::Asked => (0, 0, None),
    }
}

fn decode(record: &Record) -> Option<Ending> {
    Some(match record.kind {
        1 => Ending::Replaced,
        2 => Ending::Removed(match record.remover {
            1 => Remover::Owner,
            _ => Remover::Untold,
        }),
        3 => Ending::Locked,
        4 => Ending::Banned {
            lasts: record.lasts_ms.map(Duration::from_millis),
        },
        5 => Ending::Outdated,
        6 => Ending::RateLimited,
        7 => Ending::Refused(u16::try_from(record.code).unwrap_or(0)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    async fn kept(ending: Ending, wait: Duration, at: i64, now: i64) -> Option<Past> {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let mut state = State::new(true);
        state.rate_limits = 3;
        keep(&store, ending, &state, wait, at).await.unwrap();
        load(&store, now).unwrap()
    }

    #[tokio::test]
    async fn every_kept_ending_comes_back_as_it_was() {
        for ending in [
            Ending::Replaced,
            Ending::Removed(Remover::Owner),
            Ending::Removed(Remover::Untold),
            Ending::Locked,
            Ending::Banned { lasts: Some(DAY) },
            Ending::Banned { lasts: None },
            Ending::Outdated,
            Ending::RateLimited,
            Ending::Refused(418),
        ] {
            assert!(ending.is_kept());
            let past = kept(ending, DAY, 1_000, 61_000).await.unwrap();
            assert_eq!(past.ending, ending);
            assert_eq!(past.left, DAY - Duration::from_secs(60));
            assert_eq!(past.rate_limits, 3);
        }
    }

    #[tokio::test]
    async fn a_clock_that_went_back_shortens_no_wait() {
        let ending = Ending::Banned { lasts: Some(DAY) };
        let past = kept(ending, DAY, 1_800_000_000_000, 0).await.unwrap();
        assert_eq!(past.left, DAY);
    }

    #[tokio::test]
    async fn takings_come_back_with_no_time_passed_and_outlive_the_ending() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(
            load_takings(&store, DAY).unwrap(),
            Takings::default(),
            "a box of an earlier version has none"
        );
        let past = vec![
            Taking {
                age: Duration::from_secs(7),
                by_person: false,
            },
            Taking {
                age: Duration::from_secs(3),
                by_person: true,
            },
        ];
        let takings = Takings::restored(past.clone(), true, DAY);
        keep_takings(&store, &takings, DAY).await.unwrap();
        let state = State::new(true);
        keep(&store, Ending::Replaced, &state, DAY, 5)
            .await
            .unwrap();
        clear(&store).await.unwrap();
        let back = load_takings(&store, Duration::ZERO).unwrap();
        assert_eq!(back, Takings::restored(past, true, Duration::ZERO));
        keep_takings(&store, &Takings::default(), DAY)
            .await
            .unwrap();
        assert_eq!(load_takings(&store, DAY).unwrap(), Takings::default());
    }

    #[tokio::test]
    async fn takings_that_cannot_be_read_leave_the_session_to_a_person() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let mut batch = Batch::default();
        batch.put(&store.link().space(SPACE), TAKINGS, [0xff; 3]);
        store.link().apply(batch).unwrap();
        let takings = load_takings(&store, DAY).unwrap();
        assert_eq!(takings.past().len(), 3);
    }

    #[tokio::test]
    async fn the_phone_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(phone_seen(&store), None);
        let seen = ServerTime(1_795_000_000);
        put_phone_seen(&store, seen).unwrap();
        assert_eq!(phone_seen(&store), Some(seen));
    }

    #[tokio::test]
    async fn a_cleared_record_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        clear(&store).await.unwrap();
        let state = State::new(true);
        keep(&store, Ending::Replaced, &state, Duration::ZERO, 5)
            .await
            .unwrap();
        clear(&store).await.unwrap();
        assert_eq!(load(&store, 9).unwrap(), None);
    }
}
