//! Whose messages they are. A box that was removed on the phone keeps its log, and may be linked
//! to another number afterwards: what was written to the number before must not be answered under
//! the new one.

use prost::Message as _;

use super::{Inbox, record};
use crate::message::Seq;
use crate::store::{Batch, StoreError};

const KEY: &[u8] = b"account";

/// The account that is linked.
#[derive(Clone, PartialEq, prost::Message)]
struct Account {
    #[prost(string, tag = "1")]
    number: String,
    /// The last position that belongs to another account; 0 where none does.
    #[prost(uint64, tag = "2")]
    behind: u64,
}

impl Inbox {
    /// The box is linked to this number: whatever was stored for another one is that one's. To be
    /// told before anything that arrives on the connection. Durable with the next commit; when it
    /// is lost, the next login says it again, and then a little more counts as the other one's.
    /// `true` when the number is another one than before.
    ///
    /// # Errors
    /// When the store fails.
    pub fn belongs_to(&self, number: &str) -> Result<bool, StoreError> {
        let known = self.account()?;
        if known.as_ref().is_some_and(|known| known.number == number) {
            return Ok(false);
        }
        let changed = known.is_some();
        let mut batch = Batch::default();
        let mut behind = 0;
        if changed {
            let mut meta = self.meta()?;
            behind = meta.last;
            // How busy another account was is not the business of who is linked now.
            meta.received = None;
            batch.put(&self.0.meta, record::META, meta.bytes());
        }
        let account = Account {
            number: number.to_owned(),
            behind,
        };
        batch.put(&self.0.account, KEY, account.encode_to_vec());
        self.0.log.apply(batch)?;
        if changed {
            // Nothing new arrived, and yet who counts has to look again.
            self.0.last.send_modify(|_| ());
        }
        Ok(changed)
    }

    /// The position behind which the linked account's own messages begin.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn beginning(&self) -> Result<Seq, StoreError> {
        Ok(Seq(self.account()?.map_or(0, |account| account.behind)))
    }

    fn account(&self) -> Result<Option<Account>, StoreError> {
        let bytes = self.0.account.get(KEY)?;
        Ok(bytes.and_then(|bytes| Account::decode(bytes.as_slice()).ok()))
    }
}
