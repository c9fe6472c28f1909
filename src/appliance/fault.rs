//! A box that cannot start says so on its display, for as long as a person needs to read it. Then it
//! ends, and its service manager starts it anew. It mends nothing.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::hardware::{DisplayThread, Frame};
use crate::panel::{self, Fault};
use crate::store::{self, OpenError, StoreError};

/// How long it is shown. Short enough to go on soon after somebody made room.
const SHOWN: Duration = Duration::from_secs(30);

/// What a person should know about an error of the start; `None` where a start by hand says it.
pub fn of(error: &anyhow::Error) -> Option<Fault> {
    if store::is_full(error.as_ref()) {
        return Some(Fault::CardFull);
    }
    let causes = || error.chain();
    let opening = causes().find_map(|cause| cause.downcast_ref::<OpenError>());
    match opening {
        Some(OpenError::InUse(_) | OpenError::Newer { .. }) => None,
        Some(OpenError::Io { .. } | OpenError::Database { .. }) => Some(Fault::Card),
        None => causes()
            .any(|cause| cause.is::<StoreError>() || cause.is::<std::io::Error>())
            .then_some(Fault::Card),
    }
}

/// Shows it until it was read or `stop` is ready, and lets go of the display.
pub async fn show(
    fault: Fault,
    settings: &panel::Settings,
    frames: watch::Sender<Arc<Frame>>,
    display: DisplayThread,
    stop: impl Future<Output = ()>,
) {
    frames.send_replace(panel::fault(fault, settings));
    // Whether somebody read it or it must end: both are the end.
    let _ = tokio::time::timeout(SHOWN, stop).await;
    drop(frames);
    display.join();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::io;

    use anyhow::Context as _;

    use super::*;

    fn full() -> io::Error {
        io::Error::from_raw_os_error(28)
    }

    fn at(source: io::Error) -> anyhow::Error {
        let path = "/var/lib/vinculo".into();
        anyhow::Error::new(OpenError::Io { path, source })
    }

    #[test]
    fn a_full_card_is_told_from_one_that_fails_however_deep_it_is() {
        let database = |error| OpenError::Database {
            name: "link",
            source: error,
        };
        let sled = StoreError::Database(sled::Error::Io(full()));
        let disk = StoreError::Disk {
            what: "write",
            source: Arc::new(full()),
        };
        let told = [
            at(full()),
            database(sled).into(),
            anyhow::Error::new(disk).context("opening the inbox"),
            Err::<(), _>(full()).context("marking").unwrap_err(),
        ];
        for error in told {
            assert_eq!(of(&error), Some(Fault::CardFull), "{error:#}");
        }
        let worn = || io::Error::from_raw_os_error(5);
        for error in [at(worn()), database(StoreError::Panicked).into()] {
            assert_eq!(of(&error), Some(Fault::Card), "{error:#}");
        }
    }

    #[test]
    fn what_only_a_person_at_a_terminal_can_mend_is_no_fault_of_the_card() {
        let used = OpenError::InUse("/var/lib/vinculo".into());
        assert_eq!(of(&used.into()), None);
        assert_eq!(of(&anyhow::anyhow!("belongs to a real link")), None);
    }
}
