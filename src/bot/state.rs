//! What the bot knows of a chat: when the owner wrote there, and when each rule answered. On disk
//! under every name of the chat, because the owner may write under a LID what a customer began
//! under a number.
//!
//! Bounded: a chat whose times no longer matter is forgotten, a few with every round.

use std::collections::BTreeMap;
use std::time::Duration;

use prost::Message;

use super::Settings;
use super::rules::Rule;
use crate::message::{Incoming, ServerTime};
use crate::store::{Batch, Space, StoreError};

const VERSION: u32 = 1;

/// Chats looked at for forgetting, a round.
const SWEEP: usize = 8;

/// Times that matter in one chat.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ChatState {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(int64, optional, tag = "2")]
    owner: Option<i64>,
    #[prost(message, repeated, tag = "3")]
    answers: Vec<Answered>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Answered {
    #[prost(bytes = "vec", tag = "1")]
    rule: Vec<u8>,
    #[prost(int64, tag = "2")]
    at: i64,
}

impl ChatState {
    /// When the owner last wrote here.
    pub fn owner_wrote(&self) -> Option<ServerTime> {
        self.owner.map(ServerTime)
    }

    /// The time of the last message that this rule answered here.
    pub(super) fn answered(&self, rule: &[u8]) -> Option<ServerTime> {
        let answer = self.answers.iter().find(|answer| answer.rule == rule);
        answer.map(|answer| ServerTime(answer.at))
    }

    pub(super) fn note_owner(&mut self, at: ServerTime) {
        self.owner = self.owner.max(Some(at.0));
    }

    pub(super) fn note_answer(&mut self, rule: &[u8], at: ServerTime) {
        match self.answers.iter_mut().find(|answer| answer.rule == rule) {
            Some(answer) => answer.at = answer.at.max(at.0),
            None => self.answers.push(Answered {
                rule: rule.to_vec(),
                at: at.0,
            }),
        }
    }

    fn join(&mut self, other: &Self) {
        self.owner = self.owner.max(other.owner);
        for answer in &other.answers {
            self.note_answer(&answer.rule, ServerTime(answer.at));
        }
    }

    /// Drops what no longer matters to any message fresh enough to be answered.
    fn trim(&mut self, settings: &Settings, now: ServerTime) {
        let fresh = settings.fresh_for;
        let matters =
            |since: i64, span| is_before(now, ServerTime(since), fresh.saturating_add(span));
        self.owner = self.owner.filter(|at| matters(*at, settings.owner_pause));
        self.answers.retain(|answer| {
            let rule = settings.rules.by_key(&answer.rule);
            rule.is_some_and(|rule| matters(answer.at, rule.every))
        });
    }

    fn is_empty(&self) -> bool {
        self.owner.is_none() && self.answers.is_empty()
    }
}

/// The states on disk.
#[derive(Debug)]
pub(super) struct Chats {
    space: Space,
    /// Where the next sweep begins.
    sweep: Vec<u8>,
}

/// The states as one round sees and changes them.
pub(super) struct Session<'a> {
    space: &'a Space,
    changed: BTreeMap<String, ChatState>,
}

impl Chats {
    pub fn new(space: Space) -> Self {
        Self {
            space,
            sweep: Vec::new(),
        }
    }

    pub fn session(&self) -> Session<'_> {
        Session {
            space: &self.space,
            changed: BTreeMap::new(),
        }
    }

    /// Forgets a few of the chats whose times no longer matter.
    pub fn forget(
        &mut self,
        settings: &Settings,
        now: ServerTime,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        let rows = self.space.scan(&self.sweep, SWEEP)?;
        self.sweep = match rows.last() {
            Some((name, _)) if rows.len() == SWEEP => [name.as_slice(), &[0]].concat(),
            _ => Vec::new(),
        };
        for (name, value) in rows {
            let mut state = ChatState::decode(value.as_slice()).unwrap_or_default();
            state.trim(settings, now);
            if state.is_empty() {
                batch.delete(&self.space, &name);
            }
        }
        Ok(())
    }

    /// Writes what a round changed. To be called after [`Self::forget`]: this must win.
    pub fn write(
        &self,
        changed: BTreeMap<String, ChatState>,
        settings: &Settings,
        now: ServerTime,
        batch: &mut Batch,
    ) {
        for (name, mut state) in changed {
            state.trim(settings, now);
            state.version = VERSION;
            if state.is_empty() {
                batch.delete(&self.space, name.as_bytes());
            } else {
                batch.put(&self.space, name.as_bytes(), state.encode_to_vec());
            }
        }
    }
}

fn read(space: &Space, name: &str) -> Result<ChatState, StoreError> {
    let bytes = space.get(name.as_bytes())?;
    let state = bytes.and_then(|bytes| ChatState::decode(bytes.as_slice()).ok());
    Ok(state.filter(|s| s.version == VERSION).unwrap_or_default())
}

impl Session<'_> {
    /// What is known of the message's chat under any of its names.
    pub fn of(&self, message: &Incoming) -> Result<ChatState, StoreError> {
        let mut state = ChatState::default();
        for name in message.chat_names() {
            match self.changed.get(name.as_str()) {
                Some(changed) => state.join(changed),
                None => state.join(&read(self.space, name.as_str())?),
            }
        }
        Ok(state)
    }

    pub fn owner_wrote(&mut self, message: &Incoming) -> Result<(), StoreError> {
        self.change(message, |state| state.note_owner(message.sent_at))
    }

    pub fn answered(&mut self, message: &Incoming, rule: &Rule) -> Result<(), StoreError> {
        self.change(message, |state| {
            state.note_answer(&rule.key, message.sent_at)
        })
    }

    /// What the round changed, by name.
    pub fn finish(self) -> BTreeMap<String, ChatState> {
        self.changed
    }

    fn change(
        &mut self,
        message: &Incoming,
        change: impl FnOnce(&mut ChatState),
    ) -> Result<(), StoreError> {
        let mut state = self.of(message)?;
        change(&mut state);
        for name in message.chat_names() {
            self.changed.insert(name.as_str().to_owned(), state.clone());
        }
        Ok(())
    }
}

/// `at` comes before `since` and `span` have passed, or even before `since`.
pub(super) fn is_before(at: ServerTime, since: ServerTime, span: Duration) -> bool {
    at.0 < since.0.saturating_add(seconds(span))
}

pub(super) fn seconds(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
}
