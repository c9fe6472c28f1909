//! Waiting for what may never come, for the loops of every room. Nothing is lost when one of these
//! futures is dropped unfinished.

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Ready when `moment` has come; never for `None`.
pub async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Ready when the value is another; never where nobody can change it any more.
pub async fn changed<T>(watch: &mut watch::Receiver<T>) {
    if watch.changed().await.is_err() {
        std::future::pending().await
    }
}
