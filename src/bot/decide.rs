//! Whether and how a message is answered: a pure function of the settings, the message, what is
//! known of its chat, and the service's present.
//!
//! Only the message's age is measured against the present. Hours, pauses and the owner's silence
//! are measured at the moment the message was written, so that deciding again after a crash comes
//! to the same answer with the same id.

use std::time::Duration;

use super::rules::Rule;
use super::state::{ChatState, is_before, seconds};
use super::words::words;
use super::{Settings, mark};
use crate::message::{Body, ChatKind, Draft, Incoming, ServerTime};

/// What to do about a message.
#[derive(Clone, Debug)]
pub enum Decision<'a> {
    /// Send this.
    Answer {
        /// The rule that won.
        rule: &'a Rule,
        /// The answer, under the id derived from message and rule.
        draft: Draft,
    },
    /// Leave it.
    Silent(Why),
}

/// Why a message is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The owner's own account wrote it.
    Own,
    /// It has no text, or none that could be decrypted yet.
    NoText,
    /// A status, a broadcast, a channel or the service itself wrote.
    NotAPerson,
    /// It is too old to be answered now.
    Old,
    /// The owner wrote in this chat not long ago.
    OwnerThere,
    /// No rule matches here and now.
    NoRule,
    /// The rule that matches answered in this chat not long ago.
    Paused,
}

/// See the module. `now` is the service's time.
pub fn decide<'a>(
    settings: &'a Settings,
    message: &Incoming,
    chat: &ChatState,
    now: ServerTime,
) -> Decision<'a> {
    match answer(settings, message, chat, now) {
        Ok((rule, text)) => Decision::Answer {
            rule,
            draft: Draft {
                id: mark::id(mark::part(message), &rule.key),
                chat: message.chat.clone(),
                text,
            },
        },
        Err(why) => Decision::Silent(why),
    }
}

fn answer<'a>(
    settings: &'a Settings,
    message: &Incoming,
    chat: &ChatState,
    now: ServerTime,
) -> Result<(&'a Rule, String), Why> {
    if message.from_me {
        return Err(Why::Own);
    }
    let in_group = match message.chat.kind() {
        // Number 0 is the service's own account.
        ChatKind::Direct if message.chat.user() == "0" => return Err(Why::NotAPerson),
        ChatKind::Direct => false,
        ChatKind::Group => true,
        ChatKind::Broadcast | ChatKind::Other => return Err(Why::NotAPerson),
    };
    let Body::Text(text) = &message.body else {
        return Err(Why::NoText);
    };
    if !within(message.sent_at, settings.fresh_for, now) {
        return Err(Why::Old);
    }
    let at = message.sent_at;
    let there =
        |wrote| settings.owner_pause > Duration::ZERO && is_before(at, wrote, settings.owner_pause);
    if chat.owner_wrote().is_some_and(there) {
        return Err(Why::OwnerThere);
    }
    let folded = words(text);
    let rule = settings.rules.iter().find(|rule| {
        (!in_group || rule.groups.unwrap_or(settings.groups))
            && rule.matches(text, &folded)
            && rule.hours.hold(at, &settings.time_zone)
    });
    let rule = rule.ok_or(Why::NoRule)?;
    let paused = |answered| rule.every > Duration::ZERO && is_before(at, answered, rule.every);
    if chat.answered(&rule.key).is_some_and(paused) {
        return Err(Why::Paused);
    }
    Ok((rule, rule.say.fill(&message.sender.name, text)))
}

/// `at` is not longer ago than `span`. Of a moment in the future, it is not.
fn within(at: ServerTime, span: Duration, now: ServerTime) -> bool {
    now.0.saturating_sub(at.0) <= seconds(span)
}
