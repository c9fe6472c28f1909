//! What is to be told and has not been, on disk until it is or until nobody wants to hear it any
//! more, and when each channel is tried again. Owns its part of `log/`.
//!
//! It is bounded, survives a reset of the box, and writes nothing while nothing happens.

use std::collections::BTreeMap;

use super::plan::Moment;
use super::record::{Notice, State};
use crate::store::{Batch, Space, Store, StoreError};

const STATE: &[u8] = b"state";

/// Notices that may wait. More than a day of the maddest link brings.
pub const MOST: usize = 32;
/// After this many seconds nobody wants to hear it any more.
pub const KEEP: u64 = 24 * 3_600;
/// The first pause after a failure, in seconds; each further one doubles it.
const FIRST_PAUSE: u64 = 30;
/// The longest pause, and the one after a refusal that will not go away by itself.
const LONGEST_PAUSE: u64 = 3_600;

/// A way to the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// E-mail.
    Mail,
    /// A POST.
    Webhook,
}

impl Channel {
    /// Both.
    pub const ALL: [Channel; 2] = [Channel::Mail, Channel::Webhook];

    fn of(self, notice: &Notice) -> bool {
        match self {
            Channel::Mail => notice.mail,
            Channel::Webhook => notice.webhook,
        }
    }

    fn done(self, notice: &mut Notice) {
        match self {
            Channel::Mail => notice.mail = false,
            Channel::Webhook => notice.webhook = false,
        }
    }
}

#[derive(Debug, Default)]
struct Attempts {
    failures: u32,
    next: Moment,
    busy: bool,
    /// The latest failure will not go away by itself.
    lasting: bool,
}

/// See the module's description.
#[derive(Debug)]
pub struct Queue {
    store: Store,
    notices: Space,
    meta: Space,
    waiting: BTreeMap<u64, Notice>,
    /// The disk may lack some of them.
    unwritten: bool,
    last: u64,
    attempts: [Attempts; 2],
}

impl Queue {
    /// What an earlier run left, and where its plan stood.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(store: &Store) -> Result<(Self, State), StoreError> {
        let notices = store.log().space("alerts.queue");
        let meta = store.log().space("alerts.meta");
        let state = meta.get(STATE)?.and_then(|bytes| State::read(&bytes));
        let state = state.unwrap_or_default();
        let mut waiting = BTreeMap::new();
        for (key, value) in notices.scan_prefix(&[])? {
            if let (Ok(order), Some(notice)) = (key.try_into(), Notice::read(&value)) {
                waiting.insert(u64::from_be_bytes(order), notice);
            }
        }
        let newest = waiting.last_key_value().map_or(0, |(order, _)| *order);
        let queue = Self {
            store: store.clone(),
            notices,
            meta,
            waiting,
            unwritten: false,
            last: state.last_order.max(newest),
            attempts: Default::default(),
        };
        Ok((queue, state))
    }

    /// Takes notices in and keeps the plan's state with them. Durable when this returns, if there
    /// is a notice.
    ///
    /// # Errors
    /// When the store fails; they are told all the same, from memory.
    pub async fn keep(
        &mut self,
        news: Vec<Notice>,
        mut state: State,
        now: Moment,
    ) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        let known = self.last;
        for notice in news {
            self.last += 1;
            let notice = Notice {
                queued: now,
                ..notice
            };
            self.waiting.insert(self.last, notice);
        }
        while self.waiting.len() > MOST {
            if let Some((order, _)) = self.waiting.pop_first() {
                tracing::warn!("too many alerts wait; the oldest is dropped");
                batch.delete(&self.notices, &order.to_be_bytes());
            }
        }
        // A reset deletes it all; what was not told yet is to be told all the same.
        let whole = std::mem::replace(&mut self.unwritten, true) || self.meta.get(STATE)?.is_none();
        let mut durable = false;
        for (order, notice) in &self.waiting {
            if whole || *order > known {
                let value = prost::Message::encode_to_vec(notice);
                batch.put(&self.notices, &order.to_be_bytes(), value);
                durable = true;
            }
        }
        state.last_order = self.last;
        batch.put(&self.meta, STATE, state.bytes());
        self.store.log().apply(batch)?;
        if durable {
            self.store.log().commit().await?;
        }
        self.unwritten = false;
        Ok(())
    }

    /// What a channel is to tell now, the oldest first; it then is busy until [`Self::settle`].
    /// Empty while it has nothing, is busy, or pauses.
    pub fn begin(&mut self, channel: Channel, now: Moment) -> Vec<(u64, Notice)> {
        let attempts = &mut self.attempts[channel as usize];
        if attempts.busy || now < attempts.next {
            return Vec::new();
        }
        let waiting = self.waiting.iter();
        let ready: Vec<_> = waiting
            .filter(|(_, notice)| channel.of(notice))
            .map(|(order, notice)| (*order, notice.clone()))
            .collect();
        attempts.busy = !ready.is_empty();
        ready
    }

    /// A channel told these, or could not. `lasting`: it will not go away by itself.
    ///
    /// # Errors
    /// When the store fails; then it may be told twice, under the same name.
    pub fn settle(
        &mut self,
        channel: Channel,
        told: &[u64],
        failed: Option<bool>,
        now: Moment,
    ) -> Result<(), StoreError> {
        let attempts = &mut self.attempts[channel as usize];
        attempts.busy = false;
        match failed {
            None => *attempts = Attempts::default(),
            Some(lasting) => {
                let pause = FIRST_PAUSE
                    .checked_shl(attempts.failures)
                    .map_or(LONGEST_PAUSE, |pause| pause.min(LONGEST_PAUSE));
                attempts.failures = attempts.failures.saturating_add(1).min(16);
                attempts.lasting = lasting;
                attempts.next = now + if lasting { LONGEST_PAUSE } else { pause };
            }
        }
        let mut batch = Batch::default();
        for order in told {
            if let Some(notice) = self.waiting.get_mut(order) {
                channel.done(notice);
                let key = order.to_be_bytes();
                if notice.mail || notice.webhook {
                    let value = prost::Message::encode_to_vec(notice);
                    batch.put(&self.notices, &key, value);
                } else {
                    batch.delete(&self.notices, &key);
                    self.waiting.remove(order);
                }
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        self.store.log().apply(batch)
    }

    /// The network is there again: whoever may have paused because it was not is tried at once.
    pub fn hurry(&mut self, now: Moment) {
        for attempts in self
            .attempts
            .iter_mut()
            .filter(|attempts| !attempts.lasting)
        {
            attempts.next = attempts.next.min(now);
        }
    }

    /// Lets go of what has waited for a day, and of what no channel is there for any more.
    ///
    /// # Errors
    /// When the store fails.
    pub fn give_up(
        &mut self,
        channels: impl Fn(Channel) -> bool,
        now: Moment,
    ) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        self.waiting.retain(|order, notice| {
            for channel in Channel::ALL {
                if !channels(channel) {
                    channel.done(notice);
                }
            }
            let old = now.saturating_sub(notice.queued) >= KEEP;
            if old {
                tracing::warn!(
                    alert = notice.kind().name(),
                    "an alert could not be told for a day and is given up"
                );
            }
            let keep = !old && (notice.mail || notice.webhook);
            if !keep {
                batch.delete(&self.notices, &order.to_be_bytes());
            }
            keep
        });
        if batch.is_empty() {
            return Ok(());
        }
        self.store.log().apply(batch)
    }

    /// When there is something to do though nothing happens.
    pub fn due(&self) -> Option<Moment> {
        let mut due = self
            .waiting
            .values()
            .map(|notice| notice.queued + KEEP)
            .min();
        for channel in Channel::ALL {
            let attempts = &self.attempts[channel as usize];
            let waits = self.waiting.values().any(|notice| channel.of(notice));
            if waits && !attempts.busy {
                due = Some(due.map_or(attempts.next, |due| due.min(attempts.next)));
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::alerts::kind::Kind;
    use crate::history::Stamp;

    fn notice(kind: Kind) -> Notice {
        Notice {
            mail: true,
            webhook: true,
            ..Notice::new(kind, Stamp::default())
        }
    }

    fn kinds(ready: &[(u64, Notice)]) -> Vec<Kind> {
        ready.iter().map(|(_, notice)| notice.kind()).collect()
    }

    #[tokio::test]
    async fn what_was_not_told_is_told_by_the_next_run_under_the_same_name() {
        let dir = tempfile::tempdir().unwrap();
        let names = {
            let store = Store::open(dir.path()).unwrap();
            let (mut queue, state) = Queue::open(&store).unwrap();
            let news = vec![notice(Kind::Offline), notice(Kind::Normal)];
            queue.keep(news, state, 5).await.unwrap();
            let ready = queue.begin(Channel::Mail, 5);
            assert!(queue.begin(Channel::Mail, 5).is_empty(), "one at a time");
            queue.settle(Channel::Webhook, &[1], None, 6).unwrap();
            store.close().await.unwrap();
            ready.iter().map(|(_, n)| n.name()).collect::<Vec<_>>()
        };
        let store = Store::open(dir.path()).unwrap();
        let (mut queue, state) = Queue::open(&store).unwrap();
        assert_eq!(state.last_order, 2);
        let ready = queue.begin(Channel::Mail, 0);
        let again: Vec<_> = ready.iter().map(|(_, n)| n.name()).collect();
        assert_eq!(again, names);
        assert_eq!(kinds(&queue.begin(Channel::Webhook, 0)), [Kind::Normal]);
        queue.settle(Channel::Mail, &[1, 2], None, 1).unwrap();
        queue.settle(Channel::Webhook, &[2], None, 1).unwrap();
        assert!(
            store
                .log()
                .space("alerts.queue")
                .scan_prefix(&[])
                .unwrap()
                .is_empty()
        );
        assert_eq!(queue.due(), None);
    }

    #[tokio::test]
    async fn a_failing_channel_is_tried_in_growing_pauses_for_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let (mut queue, state) = Queue::open(&store).unwrap();
        queue
            .keep(vec![notice(Kind::Unlinked)], state, 0)
            .await
            .unwrap();
        let mut attempts = Vec::new();
        while let Some(due) = queue.due() {
            queue
                .give_up(|channel| channel == Channel::Mail, due)
                .unwrap();
            if !queue.begin(Channel::Mail, due).is_empty() {
                attempts.push(due);
                queue.settle(Channel::Mail, &[], Some(false), due).unwrap();
            }
        }
        assert_eq!(attempts[..5], [0, 30, 90, 210, 450]);
        assert!(attempts.iter().all(|at| *at < KEEP));
        assert!((25..40).contains(&attempts.len()), "{attempts:?}");
        let pauses = attempts.windows(2).map(|two| two[1] - two[0]);
        assert_eq!(pauses.max(), Some(LONGEST_PAUSE));
        assert!(
            store
                .log()
                .space("alerts.queue")
                .scan_prefix(&[])
                .unwrap()
                .is_empty()
        );
    }

    #[tokio::test]
    async fn a_refusal_is_not_hammered_and_the_return_of_the_network_is_used() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let (mut queue, state) = Queue::open(&store).unwrap();
        queue
            .keep(vec![notice(Kind::Offline)], state, 0)
            .await
            .unwrap();
        queue.begin(Channel::Mail, 0);
        queue.settle(Channel::Mail, &[], Some(true), 0).unwrap();
        queue.begin(Channel::Webhook, 0);
        queue.settle(Channel::Webhook, &[], Some(false), 0).unwrap();
        queue.hurry(10);
        assert_eq!(queue.begin(Channel::Webhook, 10).len(), 1);
        assert!(queue.begin(Channel::Mail, LONGEST_PAUSE - 1).is_empty());
        assert_eq!(queue.begin(Channel::Mail, LONGEST_PAUSE).len(), 1);
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_outlives_a_reset() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let (mut queue, state) = Queue::open(&store).unwrap();
        for _ in 0..MOST + 5 {
            let news = vec![notice(Kind::Conflict)];
            queue.keep(news, state.clone(), 0).await.unwrap();
        }
        let rows = || store.log().space("alerts.queue").scan_prefix(&[]).unwrap();
        assert_eq!(rows().len(), MOST);
        store.reset().await.unwrap();
        assert!(rows().is_empty());
        queue.keep(Vec::new(), state, 0).await.unwrap();
        assert_eq!(rows().len(), MOST);
    }
}
