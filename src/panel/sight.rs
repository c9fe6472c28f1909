//! Looks how the box is connected, for as long as somebody looks at the page that says so. Reading
//! may wait for the radio, so it happens on a thread that may block.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::host::{Host, Network};

/// How often it is looked again meanwhile.
const AGAIN: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub struct Sight {
    host: Host,
    reading: Option<JoinHandle<Option<Network>>>,
    due: Instant,
}

impl Sight {
    /// Has not looked yet.
    pub fn new(host: Host) -> Self {
        Self {
            host,
            reading: None,
            due: Instant::now(),
        }
    }

    /// The next look, while somebody is `watching`: the first at once, the others one by one.
    /// Waits for ever while nobody is. Dropping the future loses nothing.
    pub async fn next(&mut self, watching: bool) -> Option<Network> {
        if !watching {
            self.due = Instant::now();
            return std::future::pending().await;
        }
        let reading = match &mut self.reading {
            Some(reading) => reading,
            none => {
                sleep_until(self.due).await;
                let host = self.host.clone();
                none.insert(tokio::task::spawn_blocking(move || host.network()))
            }
        };
        let seen = reading.await;
        self.reading = None;
        self.due = Instant::now() + AGAIN;
        seen.unwrap_or_else(|error| {
            tracing::warn!(%error, "the network could not be looked at");
            None
        })
    }
}
