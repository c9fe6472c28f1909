//! Automatic answers. Reads the inbox behind a durable cursor of its own, decides by the rules,
//! and hands answers to the outbox: answer, cursor and what it knows of the chat are committed in
//! one batch, and an answer's id is derived from message and rule. So each answer is sent once,
//! whatever happens in between. It reads messages before they are durable, so that the commit of
//! the answer is theirs too and a customer waits for one sync, not for two in a row.
//!
//! Two boxes on one number have one voice: `voice` says when a decided answer may leave, and what
//! is kept back lies on disk meanwhile. The bot works while the link is online, which it is once
//! everything that had waited on the server is stored: whatever the other box has answered by then
//! is known before anything is decided.
//!
//! What it must never do: answer a backlog in one burst, talk over the owner, talk to itself, to a
//! status broadcast or to another bot without end. The pure decision is [`decide`]; times in it
//! are the service's, never the board's.

mod decide;
mod held;
mod hours;
mod mark;
mod round;
mod rules;
mod say;
mod state;
#[cfg(test)]
mod tests;
mod voice;
mod words;

use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::sync::watch;
use tokio::time::Instant;

pub use decide::{Decision, Why, decide};
pub use rules::{Fault, Rule, RuleSettings, Rules};
pub use state::ChatState;

pub use voice::Voice;

use crate::inbox::Inbox;
use crate::message::{Delivery, Seq};
use crate::outbox::{Outbox, Pending};
use crate::session::{Link, Rank};
use crate::store::{Batch, Database, Space, Store, StoreError};
use crate::waiting::until;
use held::Books;
use state::Chats;
use voice::{Arbiter, Memory};

/// After an error of the store.
const STORE_PAUSE: Duration = Duration::from_secs(10);

/// How the bot behaves. The defaults are the careful ones.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What it answers; the first rule that matches wins.
    pub rules: Rules,
    /// Older messages are stored, not answered. 15 minutes.
    pub fresh_for: Duration,
    /// Silence in a chat after the owner wrote there. 30 minutes; 0 switches it off.
    pub owner_pause: Duration,
    /// Answer in groups as well, where a rule does not say otherwise. Off.
    pub groups: bool,
    /// Where the clock of `hours` hangs. UTC unless set.
    pub time_zone: TimeZone,
    /// Of two boxes on one number, which this one is.
    pub rank: Rank,
    /// As the secondary: how long a customer waits for the primary before this box answers.
    /// 90 seconds: a primary with a dead socket finds out within 65 and comes back by itself.
    pub takeover_after: Duration,
}

impl Settings {
    /// The defaults, with these rules.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            fresh_for: Duration::from_secs(15 * 60),
            owner_pause: Duration::from_secs(30 * 60),
            groups: false,
            time_zone: TimeZone::UTC,
            rank: Rank::Primary,
            takeover_after: Duration::from_secs(90),
        }
    }
}

/// The bot. Built once; [`Bot::run`] is its task.
#[derive(Debug)]
pub struct Bot {
    settings: Settings,
    inbox: Inbox,
    outbox: Outbox,
    log: Database,
    cursor: Space,
    chats: Chats,
    books: Books,
    arbiter: Arbiter,
    /// How far the owner's own messages, and the other box's, are known.
    scanned: Seq,
    /// The inbox's end when the link came up: what is not behind it had waited.
    came_up: Seq,
    speaking: watch::Sender<Voice>,
}

/// What a round came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Nothing was left to read.
    Idle,
    /// Messages were read, and this many answers queued.
    Read {
        /// How many.
        answers: usize,
    },
    /// The outbox has no room; nothing was read.
    Full,
}

impl Bot {
    /// Takes its place in `store.log()`.
    pub fn new(store: &Store, settings: Settings, inbox: Inbox, outbox: Outbox) -> Self {
        let log = store.log();
        let books = Books::new(
            log.space("bot.held"),
            log.space("bot.heard"),
            log.space("bot.voice"),
        );
        let memory = Memory::new(settings.rank);
        let arbiter = Arbiter::new(settings.rank, settings.takeover_after, memory);
        Self {
            speaking: watch::Sender::new(arbiter.voice()),
            settings,
            inbox,
            outbox,
            log: log.clone(),
            cursor: log.space("bot.cursor"),
            chats: Chats::new(log.space("bot.chat")),
            books,
            arbiter,
            scanned: Seq(0),
            came_up: Seq(0),
        }
    }

    /// Tells there whether this box speaks or listens.
    #[must_use]
    pub fn telling(self, speaking: watch::Sender<Voice>) -> Self {
        Self { speaking, ..self }
    }

    /// Answers while the link is online, until the inbox or the session goes away: no answer
    /// could leave sooner, and from then on the service's time is known, and what the other box
    /// did meanwhile.
    pub async fn run(mut self, mut link: watch::Receiver<Link>) {
        let mut last = self.inbox.watch_written();
        let mut room = self.outbox.watch();
        let mut connection = None;
        loop {
            let online = match &*link.borrow_and_update() {
                Link::Online(account) => Some(account.since),
                _ => None,
            };
            let Some(since) = online else {
                if link.changed().await.is_err() {
                    return;
                }
                continue;
            };
            last.mark_unchanged();
            let before = *room.borrow_and_update();
            let begun = match connection {
                Some(known) if known == since => Ok(()),
                _ => self.connected(),
            };
            let round = match begun {
                Ok(()) => {
                    connection = Some(since);
                    self.round().await
                }
                Err(error) => Err(error),
            };
            let full = matches!(round, Ok(Round::Full));
            let wake_at = match round {
                Ok(Round::Read { .. }) => continue,
                Ok(Round::Idle) => self.next_due(),
                Ok(Round::Full) => None,
                Err(error) => {
                    tracing::error!(%error, "the bot cannot read or write; trying again");
                    Some(Instant::now() + STORE_PAUSE)
                }
            };
            let fewer = |now: &Pending| now.pending < before.pending;
            let gone = tokio::select! {
                changed = link.changed() => changed.is_err(),
                changed = last.changed(), if !full => changed.is_err(),
                changed = room.wait_for(fewer), if full => changed.is_err(),
                () = until(wake_at) => false,
            };
            if gone {
                return;
            }
        }
    }

    /// When an answer that is kept back is due.
    fn next_due(&self) -> Option<Instant> {
        let wait = self
            .arbiter
            .next()?
            .saturating_sub(self.inbox.clock().millis());
        // Never at once: what is due and did not leave is no reason to spin.
        let wait = u64::try_from(wait).unwrap_or(0).max(10);
        Some(Instant::now() + Duration::from_millis(wait))
    }

    /// The link came up, and everything that had waited is in the inbox. What is remembered is
    /// read anew: the store may have been reset meanwhile.
    fn connected(&mut self) -> Result<(), StoreError> {
        let mut arbiter = Arbiter::new(
            self.settings.rank,
            self.settings.takeover_after,
            self.books.memory(self.settings.rank)?,
        );
        let beginning = self.inbox.beginning()?;
        let mut batch = Batch::default();
        for (seq, row) in self.books.all()? {
            let held = row.held().filter(|_| seq > beginning);
            match (held, self.outbox.delivery(&row.id())?) {
                (Some(held), None) => arbiter.restore(seq, held, false),
                (Some(held), Some(Delivery::Pending)) => arbiter.restore(seq, held, true),
                _ => self.books.drop(seq, &mut batch),
            }
        }
        if !batch.is_empty() {
            self.log.apply(batch)?;
        }
        arbiter.connected(self.inbox.clock().millis());
        self.arbiter = arbiter;
        self.scanned = Seq(0);
        self.came_up = *self.inbox.watch_written().borrow();
        self.tell();
        Ok(())
    }

    fn tell(&self) {
        let voice = self.arbiter.voice();
        self.speaking.send_if_modified(|told| {
            let news = std::mem::replace(told, voice) != voice;
            if news {
                tracing::info!(voice = voice.name(), "who answers has changed");
            }
            news
        });
    }
}
