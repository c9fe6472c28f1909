//! One round of the bot: what is new is read and decided, what is due leaves, and all that follows
//! is one batch.
//!
//! The owner's own messages, and the other box's, are read ahead to the inbox's end before
//! anything is decided: one of them may answer what is still unread.

use std::collections::HashSet;

use super::decide::{Decision, decide};
use super::held::{self, Row};
use super::mark::{self, Part, parts};
use super::state::Session;
use super::voice::{Arbiter, Held, Moment, Turn};
use super::{Bot, Round};
use crate::message::{Delivery, Draft, Incoming, Seq, ServerTime};
use crate::outbox::{MAX_TEXT, OutboxError};
use crate::store::{Batch, StoreError};

/// Messages looked at in one round, and committed together.
const ROUND: usize = 64;

/// Answers kept back at most; the oldest goes unanswered beyond.
const HELD: usize = 2_000;

const CURSOR: &[u8] = b"cursor";

/// What a round comes to, before any of it is written.
struct Plan {
    now: Moment,
    arbiter: Arbiter,
    batch: Batch,
    drafts: Vec<Draft>,
    /// What the other box answered, as the messages read ahead told.
    answered: HashSet<Part>,
    /// Something was kept back whose deadline must survive a power cut.
    held: bool,
}

impl Bot {
    /// Reads what is new, at most one batch of it, and answers; gives what is due.
    ///
    /// # Errors
    /// When the store fails. What was not committed is decided again, with the same result.
    pub async fn round(&mut self) -> Result<Round, StoreError> {
        match self.attempt(ROUND).await {
            Ok(round) => Ok(round),
            // A few may fit where many do not.
            Err(OutboxError::Full { .. }) => match self.attempt(1).await {
                Ok(round) => Ok(round),
                Err(OutboxError::Full { .. }) => Ok(Round::Full),
                Err(error) => unlikely(error),
            },
            Err(error) => unlikely(error),
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

    async fn attempt(&mut self, most: usize) -> Result<Round, OutboxError> {
        let now = self.inbox.clock().millis();
        let today = ServerTime(now.div_euclid(1000));
        let mut plan = Plan {
            now,
            arbiter: self.arbiter.clone(),
            batch: Batch::default(),
            drafts: Vec::new(),
            answered: HashSet::new(),
            held: false,
        };
        self.close_books(&mut plan)?;

        // Behind what was read, and behind what was written to another account.
        let from = self.cursor()?.max(self.inbox.beginning()?);
        let mut messages = self.inbox.after_written(from, ROUND)?;
        let mut chats = self.chats.session();
        let scanned = self.read_ahead(&messages, from, &mut chats, &mut plan)?;

        let mut due = plan.arbiter.due(now);
        due.truncate(most);
        messages.truncate(most - due.len());
        if messages.is_empty() && due.is_empty() && scanned <= self.scanned.max(from) {
            return Ok(Round::Idle);
        }
        for seq in due {
            self.give(seq, today, &mut plan)?;
        }
        for (seq, message) in &messages {
            self.decide(*seq, message, today, &mut chats, &mut plan)?;
        }

        let changed = chats.finish();
        self.chats.forget(&self.settings, today, &mut plan.batch)?;
        self.books
            .forget(self.settings.fresh_for, today, &mut plan.batch)?;
        let Plan {
            arbiter,
            mut batch,
            drafts,
            held,
            ..
        } = plan;
        if let Some((last, _)) = messages.last() {
            batch.put(&self.cursor, CURSOR, last.0.to_be_bytes());
        }
        if arbiter.memory() != self.arbiter.memory() {
            self.books.remember(arbiter.memory(), &mut batch);
        }
        self.chats.write(changed, &self.settings, today, &mut batch);
        self.outbox.stage(&drafts, &mut batch)?.apply(batch)?;
        self.arbiter = arbiter;
        self.scanned = scanned;
        self.tell();
        if held || !drafts.is_empty() {
            // Without an answer the next commit is soon enough: deciding again is harmless.
            self.outbox.commit().await?;
        }
        Ok(Round::Read {
            answers: drafts.len(),
        })
    }

    /// Reads to the inbox's end what our own account wrote; how far that is.
    fn read_ahead(
        &self,
        page: &[(Seq, Incoming)],
        from: Seq,
        chats: &mut Session<'_>,
        plan: &mut Plan,
    ) -> Result<Seq, StoreError> {
        // Beyond the inbox's end only after a reset.
        let end = *self.inbox.watch_written().borrow();
        let known = if self.scanned > end {
            Seq(0)
        } else {
            self.scanned
        };
        let mut scanned = known.max(from);
        for (seq, message) in page {
            if *seq > scanned {
                self.own(message, chats, plan)?;
                scanned = *seq;
            }
        }
        let mut more = page.len() >= ROUND;
        while more {
            let page = self.inbox.after_written(scanned, ROUND)?;
            more = page.len() >= ROUND;
            for (seq, message) in &page {
                self.own(message, chats, plan)?;
                scanned = *seq;
            }
        }
        Ok(scanned)
    }

    /// A message of our own account is an answer of the other box, or the owner's word.
    fn own(
        &self,
        message: &Incoming,
        chats: &mut Session<'_>,
        plan: &mut Plan,
    ) -> Result<(), StoreError> {
        if !message.from_me {
            return Ok(());
        }
        if let Some(part) = mark::read(&message.id) {
            return self.other_box(part, message, plan);
        }
        // The bot's own answers, should the service ever show them, are not the owner's.
        if self.outbox.delivery(&message.id)?.is_some() {
            return Ok(());
        }
        chats.owner_wrote(message)?;
        if self.settings.owner_pause.is_zero() || plan.arbiter.waiting() == 0 {
            return Ok(());
        }
        for (seq, row) in self.books.all()? {
            if row.is_in(message) && plan.arbiter.done(seq).is_some() {
                tracing::debug!(seq = seq.0, "the owner answers by hand");
                self.books.drop(seq, &mut plan.batch);
            }
        }
        Ok(())
    }

    fn other_box(&self, part: Part, message: &Incoming, plan: &mut Plan) -> Result<(), StoreError> {
        let waited = message.offline;
        let heard = plan
            .arbiter
            .heard(part, held::since(message, waited, plan.now));
        for seq in &heard.dropped {
            tracing::debug!(seq = seq.0, "the other box has answered");
            self.books.drop(*seq, &mut plan.batch);
        }
        if heard.dropped.is_empty() {
            self.books.heard(part, message.sent_at, &mut plan.batch);
            plan.answered.insert(part);
        }
        // Under whichever rule this box would have answered, and has not sent yet.
        for rule in self.settings.rules.iter() {
            self.outbox.acked(&mark::id(part, &rule.key), None)?;
        }
        if heard.silenced {
            for seq in plan.arbiter.leaving().collect::<Vec<_>>() {
                let Some(row) = self.books.row(seq)? else {
                    continue;
                };
                if self.outbox.withdraw(&row.id())? {
                    plan.arbiter.taken_back(seq, plan.now);
                }
            }
        }
        Ok(())
    }

    /// Forgets released answers that the service has, or that were given up.
    fn close_books(&self, plan: &mut Plan) -> Result<(), StoreError> {
        for seq in plan.arbiter.leaving().collect::<Vec<_>>() {
            let row = self.books.row(seq)?;
            let delivery = match &row {
                Some(row) => self.outbox.delivery(&row.id())?,
                None => None,
            };
            match delivery {
                Some(Delivery::Pending) => {}
                None if row.is_some() => plan.arbiter.taken_back(seq, plan.now),
                _ => {
                    plan.arbiter.done(seq);
                    self.books.drop(seq, &mut plan.batch);
                }
            }
        }
        Ok(())
    }

    /// Gives an answer that is due.
    fn give(&self, seq: Seq, today: ServerTime, plan: &mut Plan) -> Result<(), StoreError> {
        let row = self.books.row(seq)?;
        let row = row.filter(|row| !held::is_stale(row, self.settings.fresh_for, today));
        let Some(row) = row else {
            plan.arbiter.done(seq);
            self.books.drop(seq, &mut plan.batch);
            return Ok(());
        };
        tracing::info!(seq = seq.0, "the other box has not answered; answering");
        plan.arbiter.released(seq, plan.now);
        if !plan.arbiter.leaving().any(|leaving| leaving == seq) {
            self.books.drop(seq, &mut plan.batch);
        }
        plan.drafts.push(row.into_draft());
        Ok(())
    }

    fn decide(
        &self,
        seq: Seq,
        message: &Incoming,
        today: ServerTime,
        chats: &mut Session<'_>,
        plan: &mut Plan,
    ) -> Result<(), StoreError> {
        let (rule, draft) = match decide(&self.settings, message, &chats.of(message)?, today) {
            Decision::Answer { rule, draft } => (rule, draft),
            Decision::Silent(why) => {
                tracing::debug!(seq = seq.0, ?why, "not answering");
                return Ok(());
            }
        };
        if draft.text.len() > MAX_TEXT {
            let bytes = draft.text.len();
            tracing::warn!(bytes, "an answer is too long to be sent; leaving it out");
            return Ok(());
        }
        chats.answered(message, rule)?;
        let known = parts(message)
            .iter()
            .any(|part| plan.answered.contains(part));
        if known || self.books.is_answered(message)? {
            tracing::debug!(seq = seq.0, "the other box has answered");
            return Ok(());
        }
        let waited = message.offline || seq <= self.came_up;
        let sent = message.sent_at.0.saturating_mul(1000);
        let held = Held::new(
            mark::part(message),
            sent,
            held::since(message, waited, plan.now),
        );
        let row = Row::new(message, &draft, &held);
        match plan.arbiter.decided(seq, held, waited) {
            Turn::Now => {
                tracing::debug!(seq = seq.0, rule = rule.index, "answering");
                plan.drafts.push(draft);
            }
            Turn::Later => {
                tracing::debug!(seq = seq.0, rule = rule.index, "keeping an answer back");
                self.books.hold(seq, &row, &mut plan.batch);
                plan.held = true;
                while plan.arbiter.waiting() > HELD
                    && let Some(oldest) = plan.arbiter.oldest()
                {
                    tracing::warn!("too many answers are kept back; leaving the oldest out");
                    plan.arbiter.done(oldest);
                    self.books.drop(oldest, &mut plan.batch);
                }
            }
        }
        Ok(())
    }
}

/// Every text was measured before it was staged, and what does not fit is tried again elsewhere.
fn unlikely(error: OutboxError) -> Result<Round, StoreError> {
    match error {
        OutboxError::Store(error) => Err(error),
        OutboxError::Full { .. } | OutboxError::TooLong { .. } => Ok(Round::Full),
    }
}
