//! Counts what the owner wants to see at a glance, out of the inbox and the outbox. It also tells
//! both that the store was reset underneath them.

use tokio::sync::watch;

use crate::inbox::Inbox;
use crate::message::{Body, Incoming, Seq};
use crate::outbox::{Outbox, Pending};
use crate::panel::{Counters, LastMessage};
use crate::session::Link;

/// Messages read in one go.
const ROUND: usize = 256;

/// Keeps the counters of this run of the process.
pub struct Tally {
    inbox: Inbox,
    outbox: Outbox,
    counters: watch::Sender<Counters>,
    cursor: Seq,
}

impl Tally {
    /// Begins to count at the inbox's present end.
    pub fn new(inbox: Inbox, outbox: Outbox) -> (Self, watch::Receiver<Counters>) {
        let (counters, seen) = watch::channel(Counters::default());
        let cursor = *inbox.watch().borrow();
        let tally = Self {
            inbox,
            outbox,
            counters,
            cursor,
        };
        (tally, seen)
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
            let now_resetting = matches!(*link.borrow_and_update(), Link::Resetting);
            if resetting && !now_resetting {
                self.begin_anew()?;
            }
            resetting = now_resetting;
            if !resetting {
                seq.mark_unchanged();
                self.read_new()?;
                self.take(*pending.borrow_and_update());
            }
            let changed = tokio::select! {
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

    fn take(&self, now: Pending) {
        self.counters.send_if_modified(|counters| {
            let before = (counters.pending, counters.failed, counters.answered);
            // What is neither waiting nor refused any more has been sent.
            let done =
                (counters.pending + counters.failed).saturating_sub(now.pending + now.failed);
            counters.answered += done;
            counters.pending = now.pending;
            counters.failed = now.failed;
            before != (counters.pending, counters.failed, counters.answered)
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
