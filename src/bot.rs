//! Automatic answers. Reads the inbox behind a durable cursor of its own, decides by the rules,
//! and hands answers to the outbox: answer, cursor and what it knows of the chat are committed in
//! one batch, and an answer's id is derived from message and rule. So each answer is sent once,
//! whatever happens in between. It reads messages before they are durable, so that the commit of
//! the answer is theirs too and a customer waits for one sync, not for two in a row.
//!
//! What it must never do: answer a backlog in one burst, talk over the owner, talk to itself, to a
//! status broadcast or to another bot without end. The pure decision is [`decide`]; times in it
//! are the service's, never the board's.

mod decide;
mod hours;
mod rules;
mod say;
mod state;
#[cfg(test)]
mod tests;
mod words;

use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::sync::watch;

pub use decide::{Decision, Why, decide};
pub use rules::{Fault, Rule, RuleSettings, Rules};
pub use state::ChatState;

use crate::inbox::Inbox;
use crate::message::{Draft, Seq};
use crate::outbox::{Outbox, OutboxError, Pending};
use crate::session::Link;
use crate::store::{Batch, Database, Space, Store, StoreError};
use state::Chats;

/// Messages looked at in one round, and committed together.
const ROUND: usize = 64;

/// After an error of the store.
const STORE_PAUSE: Duration = Duration::from_secs(10);

const CURSOR: &[u8] = b"cursor";

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
        Self {
            settings,
            inbox,
            outbox,
            log: log.clone(),
            cursor: log.space("bot.cursor"),
            chats: Chats::new(log.space("bot.chat")),
        }
    }

    /// Answers until the inbox or the session goes away. Begins when the link is online for the
    /// first time: no answer could leave sooner, and what the service's time is, is known then.
    pub async fn run(mut self, mut link: watch::Receiver<Link>) {
        if link
            .wait_for(|link| matches!(link, Link::Online(_)))
            .await
            .is_err()
        {
            return;
        }
        let mut last = self.inbox.watch_written();
        let mut room = self.outbox.watch();
        loop {
            last.mark_unchanged();
            let before = *room.borrow_and_update();
            let ended = match self.round().await {
                Ok(Round::Read { .. }) => false,
                Ok(Round::Idle) => last.changed().await.is_err(),
                Ok(Round::Full) => {
                    let fewer = |now: &Pending| now.pending < before.pending;
                    room.wait_for(fewer).await.is_err()
                }
                Err(error) => {
                    tracing::error!(%error, "the bot cannot read or write; trying again");
                    tokio::time::sleep(STORE_PAUSE).await;
                    false
                }
            };
            if ended {
                return;
            }
        }
    }

    /// Reads what is new, at most one batch of it, and answers.
    ///
    /// # Errors
    /// When the store fails. What was not committed is decided again, with the same result.
    pub async fn round(&mut self) -> Result<Round, StoreError> {
        match self.attempt(ROUND).await {
            Ok(round) => Ok(round),
            // A few may fit where many do not; and a text too long must not stop the others.
            Err(OutboxError::Full { .. } | OutboxError::TooLong { .. }) => {
                match self.attempt(1).await {
                    Ok(round) => Ok(round),
                    Err(OutboxError::Full { .. }) => Ok(Round::Full),
                    Err(OutboxError::TooLong { bytes }) => {
                        tracing::warn!(bytes, "an answer is too long to be sent; leaving it out");
                        self.skip()
                    }
                    Err(OutboxError::Store(error)) => Err(error),
                }
            }
            Err(OutboxError::Store(error)) => Err(error),
        }
    }

    /// How far the bot has read.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn cursor(&self) -> Result<Seq, StoreError> {
        let bytes = self.cursor.get(CURSOR)?;
        let bytes = bytes.and_then(|bytes| <[u8; 8]>::try_from(bytes.as_slice()).ok());
        Ok(Seq(bytes.map_or(0, u64::from_be_bytes)))
    }

    /// Behind what was read, and behind what was written to another account.
    fn next(&self) -> Result<Seq, StoreError> {
        Ok(self.cursor()?.max(self.inbox.beginning()?))
    }

    async fn attempt(&mut self, most: usize) -> Result<Round, OutboxError> {
        let messages = self.inbox.after_written(self.next()?, most)?;
        let Some((last, _)) = messages.last() else {
            return Ok(Round::Idle);
        };
        let now = self.inbox.clock().now();
        let mut chats = self.chats.session();
        // All of the owner's messages first: he may have answered by hand what is still unread.
        for (_, message) in messages.iter().filter(|(_, message)| message.from_me) {
            // The bot's own answers, should the service ever show them, are not the owner's.
            if self.outbox.delivery(&message.id)?.is_none() {
                chats.owner_wrote(message)?;
            }
        }
        let mut drafts: Vec<Draft> = Vec::new();
        for (seq, message) in &messages {
            match decide(&self.settings, message, &chats.of(message)?, now) {
                Decision::Answer { rule, draft } => {
                    tracing::debug!(seq = seq.0, rule = rule.index, "answering");
                    chats.answered(message, rule)?;
                    drafts.push(draft);
                }
                Decision::Silent(why) => tracing::debug!(seq = seq.0, ?why, "not answering"),
            }
        }
        let changed = chats.finish();
        let mut batch = Batch::default();
        batch.put(&self.cursor, CURSOR, last.0.to_be_bytes());
        self.chats.forget(&self.settings, now, &mut batch)?;
        self.chats.write(changed, &self.settings, now, &mut batch);
        self.outbox.stage(&drafts, &mut batch)?.apply(batch)?;
        if !drafts.is_empty() {
            // Without an answer the next commit is soon enough: deciding again is harmless.
            self.outbox.commit().await?;
        }
        Ok(Round::Read {
            answers: drafts.len(),
        })
    }

    /// Moves the cursor past the next message.
    fn skip(&self) -> Result<Round, StoreError> {
        if let Some((seq, _)) = self.inbox.after_written(self.next()?, 1)?.first() {
            let mut batch = Batch::default();
            batch.put(&self.cursor, CURSOR, seq.0.to_be_bytes());
            self.log.apply(batch)?;
        }
        Ok(Round::Read { answers: 0 })
    }
}
