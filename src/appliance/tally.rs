//! Counts what the owner wants to see at a glance, out of the inbox and the outbox, and passes on
//! what he should know. It also tells both that the store was reset underneath them.

use tokio::sync::watch;

use crate::bot::Voice;
use crate::inbox::Inbox;
use crate::message::{Body, Incoming, Seq};
use crate::outbox::{Outbox, Pending};
use crate::panel::{Counters, LastMessage, Notices};
use crate::session::Link;
use crate::waiting::changed;

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
    /// What the outbox had sent when it was last looked at.
    sent: u64,
    /// The number that the counts are about.
    account: Option<String>,
}

impl Tally {
    /// Begins to count at the inbox's present end.
    pub fn new(
        inbox: Inbox,
        outbox: Outbox,
        notices: Notices,
        voice: watch::Receiver<Voice>,
    ) -> (Self, watch::Receiver<Counters>, watch::Receiver<Notices>) {
        let (counters, counts) = watch::channel(Counters::default());
        let (notices, noticed) = watch::channel(notices);
        let cursor = *inbox.watch().borrow();
        let sent = outbox.watch().borrow().sent;
        let tally = Self {
            inbox,
            outbox,
            counters,
            notices,
            voice,
            cursor,
            sent,
            account: None,
        };
        (tally, counts, noticed)
    }

    /// Counts until the rooms it watches are gone.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn run(mut self, mut link: watch::Receiver<Link>) -> anyhow::Result<()> {
        let mut seq = self.inbox.watch();
        let mut pending = self.outbox.watch();
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
                self.read_new()?;
                self.take(*pending.borrow_and_update());
            }
            let listens = *self.voice.borrow_and_update() == Voice::Listens;
            self.notices.send_if_modified(|notices| {
                std::mem::replace(&mut notices.listens, listens) != listens
            });
            let changed = tokio::select! {
                () = changed(&mut self.voice) => Ok(()),
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
        self.sent = 0;
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
            let from_others: Vec<_> = batch
                .iter()
                .map(|(_, message)| message)
                .filter(|message| !message.from_me)
                .collect();
            self.counters.send_if_modified(|counters| {
                counters.received += from_others.len() as u64;
                if let Some(message) = from_others.last() {
                    counters.last_message = Some(last_message(message));
                }
                !from_others.is_empty()
            });
        }
    }

    fn take(&mut self, now: Pending) {
        // It goes back only when the queue was begun anew.
        let more = now.sent.saturating_sub(self.sent);
        self.sent = now.sent;
        self.counters.send_if_modified(|counters| {
            let before = (counters.pending, counters.failed, counters.answered);
            counters.answered += more;
            counters.pending = now.pending;
            counters.failed = now.failed;
            before != (counters.pending, counters.failed, counters.answered)
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
