//! Rules: from what the configuration says to what the decision needs. Every fault of every rule
//! is reported, each with its remedy.

use std::time::Duration;

use jiff::SignedDuration;
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};

use super::hours::Hours;
use super::say::Say;
use super::words::{contains, words};

/// Between two answers of one rule in one chat, unless it says otherwise. Two bots that set each
/// other off then exchange 24 messages a day.
const EVERY: Duration = Duration::from_secs(3600);

/// Memory one regular expression may take when compiled, in bytes.
const REGEX_SIZE: usize = 256 << 10;

/// One `[[answer]]` of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSettings {
    /// Words or phrases, any of which is enough, matched without case, accents and punctuation;
    /// or `/a regular expression/`, with an `i` behind it to leave case aside.
    #[serde(deserialize_with = "one_or_many")]
    pub when: Vec<String>,
    /// The answer. `{name}` is the sender's name, `{text}` what he wrote.
    pub say: String,
    /// When the rule holds, by the clock of the configured time zone; outside, the next rule is
    /// asked. `mon-fri 08:00-18:00, sat 09:00-13:00`; `22:00-06:00` ends on the next day.
    #[serde(default, deserialize_with = "one_or_many")]
    pub hours: Vec<String>,
    /// The least time between two answers of this rule in one chat: `90s`, `10m`, `1h 30m`. One
    /// hour unless set; `0s` for none.
    pub every: Option<String>,
    /// Answer in groups as well; the bot's own setting unless set.
    pub groups: Option<bool>,
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("answer {}: `{key}` {problem}; {remedy}", rule + 1)]
pub struct Fault {
    /// Which `[[answer]]`, counted from 0.
    pub rule: usize,
    /// Which of its keys.
    pub key: &'static str,
    /// What is wrong with it.
    pub problem: String,
    /// What to do about it.
    pub remedy: &'static str,
}

/// The rules, in their order. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Rules(std::sync::Arc<[Rule]>);

/// A rule that was understood.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Which `[[answer]]`, counted from 0.
    pub index: usize,
    /// Names the rule across restarts and reorderings: a digest of its `when`.
    pub(super) key: Vec<u8>,
    when: Vec<When>,
    pub(super) say: Say,
    pub(super) hours: Hours,
    /// The least time between two answers in one chat.
    pub(super) every: Duration,
    pub(super) groups: Option<bool>,
}

#[derive(Clone, Debug)]
enum When {
    Phrase(Vec<String>),
    Pattern(Regex),
}

impl Rules {
    /// # Errors
    /// Every fault of every rule.
    pub fn new(settings: Vec<RuleSettings>) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let rules: Vec<_> = settings
            .iter()
            .enumerate()
            .filter_map(|(index, settings)| Rule::new(index, settings, &mut faults))
            .collect();
        if faults.is_empty() {
            Ok(Self(rules.into()))
        } else {
            Err(faults)
        }
    }

    /// The rules, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.0.iter()
    }

    /// The rule a key stands for, if it is still in the configuration.
    pub(super) fn by_key(&self, key: &[u8]) -> Option<&Rule> {
        self.iter().find(|rule| rule.key == key)
    }
}

impl Rule {
    fn new(index: usize, settings: &RuleSettings, faults: &mut Vec<Fault>) -> Option<Self> {
        let before = faults.len();
        let mut fault = |key, problem: String, remedy| {
            faults.push(Fault {
                rule: index,
                key,
                problem,
                remedy,
            });
        };
        if settings.when.is_empty() {
            let remedy = "name at least one word, or /./ for every text";
            fault("when", "is empty".to_owned(), remedy);
        }
        let mut when = Vec::new();
        for text in &settings.when {
            match When::parse(text) {
                Ok(parsed) => when.push(parsed),
                Err((problem, remedy)) => fault("when", problem, remedy),
            }
        }
        let say = Say::parse(&settings.say)
            .map_err(|problem| {
                let remedy = "use {name}, {text} or plain words; write {{ and }} for braces";
                fault("say", problem, remedy);
            })
            .ok();
        let hours = Hours::parse(&settings.hours)
            .map_err(|problem| {
                let remedy = "write it like \"mon-fri 08:00-18:00, sat 09:00-13:00\", or leave it \
                              out for always";
                fault("hours", problem, remedy);
            })
            .ok();
        let every = match settings.every.as_deref() {
            None => Some(EVERY),
            Some(text) => {
                let every = text.parse::<SignedDuration>().ok();
                let every = every.and_then(|every| Duration::try_from(every).ok());
                if every.is_none() {
                    let remedy =
                        "write a time like \"90s\", \"10m\" or \"1h 30m\"; \"0s\" for none";
                    fault("every", format!("is not a time: {text:?}"), remedy);
                }
                every
            }
        };
        if faults.len() > before {
            return None;
        }
        let mut digest = Sha256::new();
        for text in &settings.when {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        }
        Some(Self {
            index,
            key: digest.finalize()[..8].to_vec(),
            when,
            say: say?,
            hours: hours?,
            every: every?,
            groups: settings.groups,
        })
    }

    /// The rule's words are in the text.
    pub(super) fn matches(&self, text: &str, folded: &[String]) -> bool {
        self.when.iter().any(|when| match when {
            When::Phrase(phrase) => contains(folded, phrase),
            When::Pattern(pattern) => pattern.is_match(text),
        })
    }
}

impl When {
    fn parse(text: &str) -> Result<Self, (String, &'static str)> {
        let Some((pattern, flags)) = text.strip_prefix('/').and_then(|t| t.rsplit_once('/')) else {
            let phrase = words(text);
            if phrase.is_empty() {
                let remedy = "name a word, or write signs as /a regular expression/";
                return Err((format!("has no word in {text:?}"), remedy));
            }
            return Ok(When::Phrase(phrase));
        };
        if !matches!(flags, "" | "i") {
            let remedy = "only an i may follow the second slash";
            return Err((format!("has unknown flags in {text:?}"), remedy));
        }
        RegexBuilder::new(pattern)
            .case_insensitive(flags == "i")
            .size_limit(REGEX_SIZE)
            .dfa_size_limit(REGEX_SIZE)
            .build()
            .map(When::Pattern)
            .map_err(|error| {
                // The library draws the place over several lines; the last one says it in words.
                let error = error.to_string();
                let error = error.lines().last().unwrap_or_default().trim().to_owned();
                let remedy = "correct the expression between the slashes, or make it smaller";
                (
                    format!("is no regular expression: {text:?}: {error}"),
                    remedy,
                )
            })
    }
}

fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a text or a list of texts")]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(from)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}
