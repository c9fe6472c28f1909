//! The sections that belong to one room each: the inbox, the outbox and the bot.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::toml_reader::{Faults, Section};
use crate::{bot, inbox, outbox};

/// `[inbox]`.
pub fn inbox(top: &mut Section, faults: &mut Faults) -> inbox::Settings {
    let mut section = Section::new("inbox", top.table("inbox", faults));
    let default = inbox::Settings::default();
    let settings = inbox::Settings {
        max_messages: section
            .number("max_messages", 100..=1_000_000, faults)
            .unwrap_or(default.max_messages),
        max_age: section
            .duration("max_age", faults)
            .unwrap_or(default.max_age),
        ..default
    };
    section.finish(faults);
    settings
}

/// `[outbox]`.
pub fn outbox(top: &mut Section, faults: &mut Faults) -> outbox::Settings {
    let mut section = Section::new("outbox", top.table("outbox", faults));
    let default = outbox::Settings::default();
    let settings = outbox::Settings {
        max_pending: section
            .number("max_pending", 1..=100_000, faults)
            .unwrap_or(default.max_pending),
        pacing: outbox::Pacing {
            gap: section
                .duration("gap", faults)
                .unwrap_or(default.pacing.gap),
            gap_to_new: section
                .duration("new_chat_gap", faults)
                .unwrap_or(default.pacing.gap_to_new),
            ..default.pacing
        },
        max_age: section
            .duration("max_age", faults)
            .unwrap_or(default.max_age),
        ..default
    };
    section.finish(faults);
    settings
}

/// `[bot]`, and every `[[answer]]`; and the time zone, if one is named.
pub fn bot(top: &mut Section, faults: &mut Faults) -> (bot::Settings, Option<TimeZone>) {
    let mut section = Section::new("bot", top.table("bot", faults));
    let mut settings = bot::Settings::new(bot::Rules::default());
    if let Some(age) = section.duration("max_age", faults) {
        settings.fresh_for = age;
    }
    if let Some(pause) = section.duration("owner_pause", faults) {
        settings.owner_pause = pause;
    }
    if let Some(groups) = section.flag("groups", faults) {
        settings.groups = groups;
    }
    let takeover_at = section.offset("takeover_after");
    if let Some(after) = section.duration("takeover_after", faults) {
        if after < Duration::from_secs(1) || after >= settings.fresh_for {
            faults.note(
                takeover_at,
                "`takeover_after` is less than a second, or as long as `max_age` and more",
                "write something like \"90s\"; what is older than max_age is answered by nobody",
            );
        } else {
            settings.takeover_after = after;
        }
    }
    let mut named = None;
    let zone_at = section.offset("time_zone");
    if let Some(name) = section.text("time_zone", faults) {
        match TimeZone::get(&name) {
            Ok(zone) => named = Some(zone),
            Err(_) => faults.note(
                zone_at,
                format!("this machine knows no time zone \"{name}\""),
                "write it as in \"America/Bogota\", and install tzdata if it is missing",
            ),
        }
    }
    section.finish(faults);
    settings.time_zone = named.clone().unwrap_or(settings.time_zone);
    settings.rules = rules(top, faults);
    (settings, named)
}

fn rules(top: &mut Section, faults: &mut Faults) -> bot::Rules {
    let tables = top.tables("answer", faults);
    let mut offsets = Vec::with_capacity(tables.len());
    let mut rules = Vec::with_capacity(tables.len());
    for (start, table) in tables {
        let mut section = Section::new("[answer]", Some(table));
        let when = section.texts("when", faults);
        let say = section.text("say", faults);
        for (key, missing) in [("when", when.is_none()), ("say", say.is_none())] {
            if missing && section.value(key).is_none() {
                faults.note(
                    start,
                    format!("an [[answer]] without `{key}`"),
                    format!("add `{key} = \"...\"` to it"),
                );
            }
        }
        let hours = section.texts("hours", faults).unwrap_or_default();
        let every = section.text("every", faults);
        let groups = section.flag("groups", faults);
        let at = |key: &str| match section.offset(key) {
            0 => start,
            offset => offset,
        };
        let places = ["when", "say", "hours", "every", "groups"].map(|key| (key, at(key)));
        section.finish(faults);
        if let (Some(when), Some(say)) = (when, say) {
            offsets.push(places);
            rules.push(bot::RuleSettings {
                when,
                say,
                hours,
                every,
                groups,
            });
        }
    }
    match bot::Rules::new(rules) {
        Ok(rules) => rules,
        Err(found) => {
            for fault in found {
                let at = offsets
                    .get(fault.rule)
                    .and_then(|places| places.iter().find(|(key, _)| *key == fault.key))
                    .map_or(0, |(_, at)| *at);
                let what = format!("`{}` {}", fault.key, fault.problem);
                faults.note(at, what, fault.remedy);
            }
            bot::Rules::default()
        }
    }
}
