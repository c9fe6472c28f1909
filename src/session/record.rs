//! The last ending, on disk, so that a restart of the process never reopens what must stay closed.
//!
//! One small record in the link's database. It is committed before the session acts on the ending,
//! and deleted when the ending is over. It never holds a key, a number or a name.

use std::time::Duration;

use anyhow::Context as _;
use prost::Message as _;

use super::ending::Ending;
use super::machine::{Past, State};
use crate::store::{Batch, Store};

const SPACE: &str = "ending";
const KEY: &[u8] = b"last";

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
        Ending::Removed => (2, 0, None),
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
        | Ending::PasskeyWanted
        | Ending::Paired
        | Ending::Asked => (0, 0, None),
    }
}

fn decode(record: &Record) -> Option<Ending> {
    Some(match record.kind {
        1 => Ending::Replaced,
        2 => Ending::Removed,
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
            Ending::Removed,
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
