//! The task that hands what is pending to the session, while the link is online. Without anything
//! pending, or without a link, it sleeps until that changes: it has no tick.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::plan::{Plan, Waiting};
use super::record::{self, QueueRow, State};
use super::{Outbox, Settings};
use crate::message::{ChatId, Draft, MessageId};
use crate::session::{Handle, Link, Release, SendError};
use crate::store::{Batch, StoreError};
use crate::waiting::until;

/// How far into the queue the plan looks: past this many drafts that wait for something, it waits
/// with them.
const HORIZON: usize = 256;

/// Rows read at once.
const PAGE: usize = 16;

/// Chats remembered as written to before.
const CHATS: u64 = 10_000;

/// The session answers every order; this is for the case that it does not.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);

/// After an error of the store. While it is being reset there is no link either.
const STORE_PAUSE: Duration = Duration::from_secs(10);

/// The code under which a message is kept that the session could not even make a stanza of.
const UNSENDABLE: &str = "unsendable";

/// Sends until the session's task ends. Drafts go in order, a chat's next one only after the
/// service acknowledged the one before; different chats do not wait for one another.
pub async fn deliver(outbox: Outbox, session: Handle) {
    let mut link = session.link();
    let mut connection = None;
    loop {
        let online = match &*link.borrow_and_update() {
            Link::Online(account) => Some((account.since, account.number.clone())),
            _ => None,
        };
        let Some((since, number)) = online else {
            if link.changed().await.is_err() {
                return;
            }
            continue;
        };
        let begun = if connection == Some(since) {
            Ok(())
        } else {
            outbox.begin(&number)
        };
        if begun.is_ok() {
            connection = Some(since);
        }
        let plan = match begun.and_then(|()| outbox.plan(Instant::now())) {
            Ok(Plan::Send(id)) => match outbox.send(&id, &session).await {
                Ok(()) => continue,
                Err(error) => Err(error),
            },
            other => other,
        };
        let wake_at = match plan {
            Ok(Plan::Wait(at)) => Some(at),
            Ok(Plan::Idle | Plan::Send(_)) => None,
            Err(error) => {
                tracing::error!(%error, "the outbox cannot be read or written; trying again");
                Some(Instant::now() + STORE_PAUSE)
            }
        };
        tokio::select! {
            changed = link.changed() => if changed.is_err() {
                return;
            },
            () = outbox.0.wake.notified() => {}
            () = until(wake_at) => {}
        }
    }
}

impl Outbox {
    /// A new connection, of the account with this number.
    fn begin(&self, number: &str) -> Result<(), StoreError> {
        self.belongs_to(number)?;
        self.live().flights.reconnected();
        Ok(())
    }

    pub(super) fn plan(&self, now: Instant) -> Result<Plan, StoreError> {
        let live = self.live();
        let mut from = Vec::new();
        let mut page = Vec::new().into_iter();
        let queue = std::iter::from_fn(|| {
            loop {
                let Some((_, value)) = page.next() else {
                    let rows = match self.0.queue.scan(&from, PAGE) {
                        Ok(rows) => rows,
                        Err(error) => return Some(Err(error)),
                    };
                    let (last, _) = rows.last()?;
                    from = [last.as_slice(), &[0]].concat();
                    page = rows.into_iter();
                    continue;
                };
                if let Some(row) = QueueRow::read(&value) {
                    return Some(Ok(Waiting {
                        id: MessageId(row.id),
                        chat: row.chat,
                    }));
                }
            }
        });
        let known = |chat: &str| Ok(self.0.chats.get(chat.as_bytes())?.is_some());
        let pacing = &self.0.settings.pacing;
        live.flights.plan(now, queue.take(HORIZON), known, pacing)
    }

    async fn send(&self, id: &MessageId, session: &Handle) -> Result<(), StoreError> {
        let Some((draft, release)) = self.take_off(id)? else {
            return Ok(());
        };
        let chat = draft.chat.clone();
        let sent = timeout(SEND_TIMEOUT, session.send(draft, release)).await;
        let sent = sent.unwrap_or_else(|_| Err(SendError::Interrupted("no answer".to_owned())));
        let now = Instant::now();
        match sent {
            Ok(()) => {
                let Settings { ack_timeout, .. } = self.0.settings;
                let mut live = self.live();
                live.flights.wired(id, now, ack_timeout);
                self.remember(&chat)
            }
            Err(SendError::Offline | SendError::Interrupted(_)) => {
                tracing::debug!(%id, "not sent; it stays queued");
                self.live().flights.broke(id, now);
                Ok(())
            }
            Err(SendError::Refused(reason)) => {
                tracing::warn!(%id, "a message can never be sent");
                tracing::trace!(%id, reason);
                let mut live = self.live();
                if let Some(mut entry) = self.entry(id)? {
                    UNSENDABLE.clone_into(&mut entry.code);
                    self.settle(&mut live, entry, State::Failed)?;
                }
                drop(live);
                self.publish()
            }
        }
    }

    /// The draft, marked as in flight, and what it has to wait for. `None` when it was settled
    /// meanwhile, or is too old.
    pub(super) fn take_off(&self, id: &MessageId) -> Result<Option<(Draft, Release)>, StoreError> {
        let mut live = self.live();
        let entry = self.entry(id)?;
        let Some(entry) = entry.filter(|entry| entry.state() == State::Pending) else {
            return Ok(None);
        };
        if self.expire(&mut live, &entry)? {
            drop(live);
            self.publish()?;
            return Ok(None);
        }
        live.flights
            .take_off(id, Instant::now(), self.0.settings.ack_timeout);
        let release = if entry.order > live.durable {
            Release::new(self.0.synced.subscribe(), live.written)
        } else {
            Release::at_once()
        };
        let draft = Draft {
            id: id.clone(),
            chat: ChatId::new(entry.chat),
            text: entry.text,
        };
        Ok(Some((draft, release)))
    }

    /// Notes that the box has written to a chat; forgets the longest known one beyond the bound.
    /// The caller holds the state's lock.
    fn remember(&self, chat: &ChatId) -> Result<(), StoreError> {
        let inner = &*self.0;
        let name = chat.as_str().as_bytes();
        if inner.chats.get(name)?.is_some() {
            return Ok(());
        }
        let mut meta = self.meta()?;
        let mut batch = Batch::default();
        meta.last_chat += 1;
        meta.chats += 1;
        batch.put(&inner.chats, name, Vec::new());
        batch.put(&inner.chats_by_age, &meta.last_chat.to_be_bytes(), name);
        if meta.chats > CHATS {
            for (place, name) in inner.chats_by_age.scan(&[], 1)? {
                batch.delete(&inner.chats, &name);
                batch.delete(&inner.chats_by_age, &place);
                meta.chats -= 1;
            }
        }
        batch.put(&inner.meta, record::META, meta.bytes());
        inner.log.apply(batch)
    }
}
