//! A box that cannot start says so on its display, for as long as a person needs to read it. Then it
//! ends, and its service manager starts it anew. It mends nothing.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::hardware::{DisplayThread, Frame};
use crate::panel;
use crate::store::{OpenError, StoreError};

/// How long it is shown. Short enough to go on soon after somebody made room.
const SHOWN: Duration = Duration::from_secs(30);

/// Whether the card is to blame, and not something that whoever started the box should hear of. A
/// card that is full is another matter: see [`super::room`].
pub fn is_the_cards(error: &anyhow::Error) -> bool {
    let causes = || error.chain();
    match causes().find_map(|cause| cause.downcast_ref::<OpenError>()) {
        Some(OpenError::InUse(_) | OpenError::Newer { .. }) => false,
        Some(OpenError::Io { .. } | OpenError::Database { .. }) => true,
        None => causes().any(|cause| cause.is::<StoreError>() || cause.is::<std::io::Error>()),
    }
}

/// Shows it until it was read or `stop` is ready, and lets go of the display.
pub async fn show(
    settings: &panel::Settings,
    frames: watch::Sender<Arc<Frame>>,
    display: DisplayThread,
    stop: impl Future<Output = ()>,
) {
    frames.send_replace(panel::card_fault(settings));
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

    fn at(source: io::Error) -> anyhow::Error {
        let path = "/var/lib/vinculo".into();
        anyhow::Error::new(OpenError::Io { path, source })
    }

    #[test]
    fn a_card_that_fails_is_to_blame_however_deep_it_is() {
        let worn = || io::Error::from_raw_os_error(5);
        let database = OpenError::Database {
            name: "link",
            source: StoreError::Panicked,
        };
        let disk = StoreError::Disk {
            what: "write",
            source: Arc::new(worn()),
        };
        let told = [
            at(worn()),
            database.into(),
            anyhow::Error::new(disk).context("opening the inbox"),
            Err::<(), _>(worn()).context("marking").unwrap_err(),
        ];
        for error in told {
            assert!(is_the_cards(&error), "{error:#}");
        }
    }

    #[test]
    fn what_only_a_person_at_a_terminal_can_mend_is_no_fault_of_the_card() {
        let used = OpenError::InUse("/var/lib/vinculo".into());
        assert!(!is_the_cards(&used.into()));
        assert!(!is_the_cards(&anyhow::anyhow!("belongs to a real link")));
    }
}
