//! The one device: its keys and what it was told about itself.

use async_trait::async_trait;
use wacore::store::Device;
use wacore::store::error::Result;
use wacore::store::traits::DeviceStore;

use super::rows;
use super::{Keys, failed};

/// There is one device in a data directory.
const ONLY: i32 = 1;

#[async_trait]
impl DeviceStore for Keys {
    async fn save(&self, device: &Device) -> Result<()> {
        let row = rows::json(device)?;
        // The crate saves whenever anything might have changed.
        if self.device.get(b"").map_err(failed)?.as_ref() == Some(&row) {
            return self.db.commit().await.map_err(failed);
        }
        self.change_durably(|batch| {
            batch.put(&self.device, b"", row);
            Ok(())
        })
        .await
    }

    async fn load(&self) -> Result<Option<Device>> {
        let row = self.device.get(b"").map_err(failed)?;
        row.map(|row| rows::json_of(&row)).transpose()
    }

    async fn exists(&self) -> Result<bool> {
        self.device.contains(b"").map_err(failed)
    }

    async fn create(&self) -> Result<i32> {
        self.save(&Device::new()).await?;
        Ok(ONLY)
    }
}
