//! Tells what the owner wants to see at a glance, out of the books of inbox and outbox, and passes
//! on what he should know. Today's counts are theirs: a restart does not begin them anew, midnight
//! does. It also tells both that the store was reset underneath them.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::bot::Voice;
use crate::inbox::Inbox;
use crate::message::{Body, Incoming, Seq};
use crate::outbox::{Outbox, Pending};
use crate::panel::{Counters, LastMessage, Notices, Today};
use crate::session::Link;
use crate::waiting::{changed, until};

/// The clock tells whole seconds: so long after midnight it is the next day without a doubt.
const PAST: Duration = Duration::from_secs(1);

/// Messages read in one go.
const ROUND: usize = 256;

/// Keeps the counters and notices of this run of the process.
pub struct Tally {
    inbox: Inbox,
    outbox: Outbox,
    counters: watch::Sender<Counters>,
    notices: watch::Sender<Notices>,
    voice: watch::Receiver<Voice>,
    cursor: Seq,
    /// The number that the counts are about.
    account: Option<String>,
}

impl Tally {
    /// The latest message is the first to come after the inbox's present end.
    pub fn new(
        inbox: Inbox,
        outbox: Outbox,
        notices: Notices,
        voice: watch::Receiver<Voice>,
    ) -> (Self, watch::Receiver<Counters>, watch::Receiver<Notices>) {
        let (counters, counts) = watch::channel(Counters::default());
        let (notices, noticed) = watch::channel(notices);
        let cursor = *inbox.watch().borrow();
        let tally = Self {
            inbox,
            outbox,
            counters,
            notices,
            voice,
            cursor,
            account: None,
        };
        (tally, counts, noticed)
    }

    /// Tells until the rooms it watches are gone.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn run(mut self, mut link: watch::Receiver<Link>) -> anyhow::Result<()> {
        let mut seq = self.inbox.watch();
        let mut pending = self.outbox.watch();
        let mut sure = self.inbox.clock().watch();
        let mut resetting = false;
        loop {
            let (now_resetting, account) = match &*link.borrow_and_update() {
                Link::Resetting => (true, None),
                Link::Online(account) => (false, Some(account.number.clone())),
                _ => (false, None),
            };
            self.belong_to(account);
            if resetting && !now_resetting {
                self.begin_anew()?;
            }
            resetting = now_resetting;
            if !resetting {
                seq.mark_unchanged();
                sure.mark_unchanged();
                self.read_new()?;
                self.take(*pending.borrow_and_update());
                self.count()?;
            }
            let left = self.inbox.clock().rest_of_day();
            let midnight = left.map(|left| Instant::now() + left + PAST);
            let listens = *self.voice.borrow_and_update() == Voice::Listens;
            self.notices.send_if_modified(|notices| {
                std::mem::replace(&mut notices.listens, listens) != listens
            });
            let changed = tokio::select! {
                () = changed(&mut self.voice) => Ok(()),
                () = changed(&mut sure) => Ok(()),
                () = until(midnight) => Ok(()),
                changed = link.changed() => changed,
                changed = seq.changed(), if !resetting => changed,
                changed = pending.changed(), if !resetting => changed,
            };
            if changed.is_err() {
                return Ok(());
            }
        }
    }

    fn begin_anew(&mut self) -> anyhow::Result<()> {
        self.inbox.refresh()?;
        self.outbox.refresh()?;
        self.cursor = Seq(0);
        self.counters.send_replace(Counters::default());
        Ok(())
    }

    /// Another account's counts and last message are not the business of who is linked now.
    fn belong_to(&mut self, account: Option<String>) {
        if account.is_none() || account == self.account {
            return;
        }
        if self.account.is_some() {
            self.counters.send_replace(Counters::default());
        }
        self.account = account;
    }

    fn read_new(&mut self) -> anyhow::Result<()> {
        loop {
            let batch = self.inbox.after(self.cursor, ROUND)?;
            let Some((last, _)) = batch.last() else {
                return Ok(());
            };
            self.cursor = *last;
            let mut messages = batch.iter().map(|(_, message)| message);
            if let Some(message) = messages.rfind(|message| !message.from_me) {
                let last = Some(last_message(message));
                self.counters.send_if_modified(|counters| {
                    std::mem::replace(&mut counters.last_message, last.clone()) != last
                });
            }
        }
    }

    fn count(&self) -> anyhow::Result<()> {
        let (received, answered) = (self.inbox.received_today()?, self.outbox.answered_today()?);
        let today = received.zip(answered);
        let today = today.map(|(received, answered)| Today { received, answered });
        self.counters
            .send_if_modified(|counters| std::mem::replace(&mut counters.today, today) != today);
        Ok(())
    }

    fn take(&mut self, now: Pending) {
        self.counters.send_if_modified(|counters| {
            let before = (counters.pending, counters.failed);
            counters.pending = now.pending;
            counters.failed = now.failed;
            before != (counters.pending, counters.failed)
        });
        self.notices.send_if_modified(|notices| {
            std::mem::replace(&mut notices.sending_limited, now.limited) != now.limited
        });
    }
}

fn last_message(message: &Incoming) -> LastMessage {
    let sender = &message.sender;
    let from = if sender.name.is_empty() {
        sender.number.as_deref().or(sender.lid.as_deref())
    } else {
        Some(sender.name.as_str())
    };
    LastMessage {
        from: from.unwrap_or_default().to_owned(),
        text: match &message.body {
            Body::Text(text) => text.clone(),
            Body::Other(kind) => format!("[{kind}]"),
            Body::Undecryptable => "[…]".to_owned(),
        },
        at: message.sent_at,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use jiff::tz::{Offset, TimeZone};

    use super::*;
    use crate::inbox::fixtures::{MONDAY_TEN, owner, text};
    use crate::inbox::{self, ServiceClock};
    use crate::message::{Draft, MessageId, ServerTime};
    use crate::outbox;
    use crate::session::link::Account;
    use crate::store::Store;

    const NUMBER: &str = "573000000001";

    /// Waits for the disk. Paused time would leap to midnight meanwhile, but not past work that
    /// blocks.
    async fn still<T>(work: impl Future<Output = T>) -> T {
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let blocks = tokio::task::spawn_blocking(move || ended.recv().is_err());
        let done = work.await;
        drop(end);
        assert!(blocks.await.unwrap());
        done
    }

    /// A box from one start to the next, at five hours west of Greenwich.
    struct Running {
        inbox: Inbox,
        outbox: Outbox,
        counters: watch::Receiver<Counters>,
        link: watch::Sender<Link>,
        _voice: watch::Sender<Voice>,
        task: tokio::task::JoinHandle<anyhow::Result<()>>,
    }

    impl Running {
        fn start(store: &Store) -> Self {
            let zone = TimeZone::fixed(Offset::constant(-5));
            let clock = ServiceClock::new(|| ServerTime(0)).in_zone(zone);
            let inbox = Inbox::open(store, inbox::Settings::default(), clock.clone()).unwrap();
            let outbox = Outbox::open(store, outbox::Settings::default(), clock).unwrap();
            let (voice, speaks) = watch::channel(Voice::Speaks);
            let notices = Notices::default();
            let (tally, counters, _) = Tally::new(inbox.clone(), outbox.clone(), notices, speaks);
            let (link, watched) = watch::channel(Link::Starting);
            Self {
                task: tokio::spawn(tally.run(watched)),
                inbox,
                outbox,
                counters,
                link,
                _voice: voice,
            }
        }

        /// A login at this second of the service's clock.
        fn log_in(&self, time: i64, number: &str) {
            self.inbox.clock().observe(ServerTime(time), true);
            self.inbox.belongs_to(number).unwrap();
            let account = Account::new(number, Instant::now());
            self.link.send_replace(Link::Online(account));
        }

        async fn receive(&self, messages: &[Incoming]) {
            still(self.inbox.append(messages)).await.unwrap();
        }

        async fn answer(&self, id: &str) {
            let (id, chat) = (MessageId(id.into()), crate::inbox::fixtures::by_number(1));
            let text = "abrimos a las ocho".into();
            let draft = Draft { id, chat, text };
            still(self.outbox.enqueue(&draft)).await.unwrap();
            self.outbox.acked(&draft.id, None).unwrap();
            still(self.outbox.commit()).await.unwrap();
        }

        async fn shows(&mut self, received: u64, answered: u64) {
            let wanted = Some(Today { received, answered });
            let shown = self.counters.wait_for(|counters| counters.today == wanted);
            let waited = tokio::time::timeout(Duration::from_secs(60), shown).await;
            let shown = waited.map(|shown| shown.map(drop));
            assert!(
                matches!(shown, Ok(Ok(()))),
                "{wanted:?} never came: {:?}",
                self.counters
            );
        }

        async fn stop(self) {
            self.task.abort();
            let _ = self.task.await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn todays_counts_outlive_a_restart_and_end_at_the_local_midnight() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let mut running = Running::start(&store);
        running.log_in(MONDAY_TEN, NUMBER);
        let arrived = [text(1, "A", "hola"), text(2, "B", "buenas"), owner(1, "C")];
        running.receive(&arrived).await;
        running.answer("R1").await;
        running.shows(2, 1).await;
        running.stop().await;

        let mut running = Running::start(&store);
        tokio::task::yield_now().await;
        let before = running.counters.borrow().today;
        assert_eq!(before, None, "a day was told before anybody knew it");
        running.log_in(MONDAY_TEN + 3600, NUMBER);
        running.shows(2, 1).await;
        // What comes again is no second message.
        running.receive(&arrived).await;
        running.receive(&[text(3, "D", "¿abren?")]).await;
        running.shows(3, 1).await;

        // Thirteen hours from eleven in the morning: midnight by the shop's clock, not by UTC's.
        tokio::time::sleep(Duration::from_secs(13 * 3600 - 30)).await;
        assert_eq!(running.counters.borrow().today.unwrap().received, 3);
        running.shows(0, 0).await;
        running.receive(&[text(4, "E", "buen día")]).await;
        running.shows(1, 0).await;
        running.stop().await;
        still(store.close()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn another_account_begins_at_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let mut running = Running::start(&store);
        running.log_in(MONDAY_TEN, NUMBER);
        running.receive(&[text(1, "A", "hola")]).await;
        running.shows(1, 0).await;
        running.log_in(MONDAY_TEN + 60, "573000000009");
        running.shows(0, 0).await;
        running.stop().await;
        still(store.close()).await.unwrap();
    }
}
