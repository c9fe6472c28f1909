//! Opens what the rooms are built on, however long that takes: a full disk is waited out, and a card
//! that fails is shown before the process ends. It mends nothing.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::Flavor;
use super::room::{self, Face};
use crate::config::Config;
use crate::history::History;
use crate::inbox::{Inbox, ServiceClock};
use crate::outbox::Outbox;
use crate::session::Clock;
use crate::store::{self, OpenError, Store, StoreError};
use crate::watchdog::{ServiceManager, Watchdog};
use crate::{panel, web};

/// How long a failing card is told of. Long enough to be read; then the service manager tries again.
const SHOWN: Duration = Duration::from_secs(30);

/// The store, and the rooms that keep something in it.
pub struct Kept {
    pub store: Store,
    pub inbox: Inbox,
    pub outbox: Outbox,
    pub history: History,
}

/// Opens it all; `None` when `stop` was ready before that.
///
/// # Errors
/// When the data directory cannot be used, though there is room on its disk.
pub async fn open(
    config: &Config,
    flavor: Flavor,
    clock: Clock,
    manager: &ServiceManager,
    face: Face<'_>,
    mut stop: Pin<&mut impl Future<Output = ()>>,
) -> anyhow::Result<Option<Kept>> {
    let mut may_open = !room::was_missed() || !room::is_missing(&config.data_dir).await;
    loop {
        if may_open {
            match keep(config, flavor) {
                Ok(kept) => return Ok(Some(kept)),
                Err(error) if !room::is_missing(&config.data_dir).await => {
                    // Somebody at a terminal reads the error; behind a service manager stands a
                    // person in front of the box.
                    if manager.is_there() && is_the_cards(&error) {
                        tracing::error!(error = format!("{error:#}"), "the box cannot start");
                        face.frames.send_replace(panel::card_fault(face.settings));
                        // Whether somebody read it or it must end: both are the end.
                        let _ = tokio::time::timeout(SHOWN, stop).await;
                    }
                    return Err(error);
                }
                Err(error) => tracing::error!(error = format!("{error:#}"), "cannot begin"),
            }
        }
        let listener = web::bind(config.web).await?;
        tracing::info!(address = %listener.local_addr()?, "status page listens");
        manager.ready();
        let watchdog = Watchdog::new(manager.clone());
        tokio::select! {
            () = room::wait(&config.data_dir, clock, listener, &face) => may_open = true,
            () = watchdog.run() => {}
            () = &mut stop => return Ok(None),
        }
    }
}

fn keep(config: &Config, flavor: Flavor) -> anyhow::Result<Kept> {
    let store = open_store(config, flavor)?;
    let service = ServiceClock::default().in_zone(config.time_zone.clone());
    Ok(Kept {
        inbox: Inbox::open(&store, config.inbox, service.clone()).context("opening the inbox")?,
        outbox: Outbox::open(&store, config.outbox, service.clone())
            .context("opening the outbox")?,
        history: History::open(&store, service).context("opening the history")?,
        store,
    })
}

/// A directory belongs either to the real service or to simulators: a certificate chain that a
/// simulator made the link accept is kept with it.
fn open_store(config: &Config, flavor: Flavor) -> anyhow::Result<Store> {
    let dir = &config.data_dir;
    std::fs::create_dir_all(dir)
        .with_context(|| format!("cannot create the data directory {}", dir.display()))?;
    match flavor {
        Flavor::Service if store::is_simulated(dir) => bail!(
            "{} was used with a simulator and must not meet the real service; \
             choose another data directory, or delete this one",
            dir.display()
        ),
        Flavor::Service => {}
        Flavor::Simulator => {
            let used = ["link", "log"].iter().any(|name| dir.join(name).exists());
            if used && !store::is_simulated(dir) {
                bail!(
                    "{} belongs to a real link, which a simulator must not touch; \
                     choose another data directory",
                    dir.display()
                );
            }
            store::mark_simulated(dir).context("marking the data directory")?;
        }
    }
    Ok(Store::open(dir)?)
}

/// Whether the card is to blame, and not something that whoever started the box should hear of. A
/// card that is full is another matter: see [`room`].
fn is_the_cards(error: &anyhow::Error) -> bool {
    let causes = || error.chain();
    match causes().find_map(|cause| cause.downcast_ref::<OpenError>()) {
        Some(OpenError::InUse(_) | OpenError::Newer { .. }) => false,
        Some(OpenError::Io { .. } | OpenError::Database { .. }) => true,
        None => causes().any(|cause| cause.is::<StoreError>() || cause.is::<std::io::Error>()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::io;
    use std::sync::Arc;

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
