//! What a client does for the truth about its account: counts the slots, remembers the phone, and
//! leaves a number that it must not be linked to.

use std::hash::{BuildHasher as _, RandomState};

use wacore::iq::usync::DeviceListSpec;
use wacore::runtime::Runtime as _;

use super::{Client, LOGOUT};
use crate::session::ending::Ending;

impl Client {
    /// Once the link is online, and every hour from then on.
    pub(super) fn look_around(&self) {
        self.listener.judge_phone();
        let now = self.clock.now();
        let own = self.inner.pn().map(|own| own.to_non_ad());
        let (Some(own), true) = (own, self.acquaintance.is_count_due(now)) else {
            return;
        };
        let (client, listener) = (self.inner.clone(), self.listener.clone());
        self.runtime.spawn_detached(Box::pin(async move {
            // Any text that was not used before.
            let sid = format!("{:x}", RandomState::new().hash_one(0));
            match client.execute(DeviceListSpec::new(vec![own], sid)).await {
                Ok(answer) => {
                    let devices = answer.device_lists.iter().flat_map(|list| &list.devices);
                    let companions = devices.filter(|device| device.device != 0).count();
                    listener.counted(u8::try_from(companions).unwrap_or(u8::MAX));
                }
                Err(error) => tracing::info!(%error, "the slots are counted in an hour"),
            }
        }));
    }

    /// What was written down about the phone is made durable.
    pub(super) fn commit(&self) {
        let store = self.store.clone();
        self.runtime.spawn_detached(Box::pin(async move {
            if let Err(error) = store.link().commit().await {
                tracing::warn!(%error, "when the phone was seen is not kept");
            }
        }));
    }

    /// Tells the service that this device is gone, and ends the connection.
    pub(super) fn leave(&self) {
        tracing::warn!("the number is one of production's and this box is not: it unlinks");
        self.verdict.pass(Ending::Forbidden);
        let (client, line) = (self.inner.clone(), self.line.clone());
        let limit = self.clock.limit(LOGOUT);
        self.runtime.spawn_detached(Box::pin(async move {
            if tokio::time::timeout(limit, client.logout()).await.is_err() {
                tracing::warn!("the service did not confirm the removal in time");
            }
            line.hang_up();
        }));
    }
}
