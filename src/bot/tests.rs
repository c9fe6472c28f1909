//! The bot, as a shop sees it. A restart is the store dropped and opened again; times are the
//! service's. The tables of words, hours and templates are in the file below.
#![allow(clippy::unwrap_used)]

mod killed;
mod rules;
mod running;
mod two;

use super::*;
use crate::inbox::fixtures::{Disk, MONDAY_TEN, inbox, lid_only, number_only, owner, text};
use crate::inbox::{self, ServiceClock};
use crate::message::{Body, ChatId, Delivery, Incoming, ServerTime};
use crate::outbox::{self, Enqueued};

fn rule(when: &str, say: &str) -> RuleSettings {
    RuleSettings {
        when: vec![when.to_owned()],
        say: say.to_owned(),
        ..RuleSettings::default()
    }
}

fn settings(rules: Vec<RuleSettings>) -> Settings {
    Settings::new(Rules::new(rules).unwrap())
}

fn later(mut message: Incoming, seconds: i64) -> Incoming {
    message.sent_at = ServerTime(MONDAY_TEN + seconds);
    message
}

fn verdict(
    settings: &Settings,
    message: &Incoming,
    chat: &ChatState,
    now: i64,
) -> Result<String, Why> {
    match decide(settings, message, chat, ServerTime(MONDAY_TEN + now)) {
        Decision::Answer { draft, .. } => Ok(draft.text),
        Decision::Silent(why) => Err(why),
    }
}

#[test]
fn who_is_answered_and_who_is_not() {
    let settings = settings(vec![rule("hola", "¡Hola, {name}!")]);
    let fresh = ChatState::default();
    let says = |message: &Incoming| verdict(&settings, message, &fresh, 0);
    let hola = text(1, "A", "Hola, ¿qué tal?");
    let hello = Ok("¡Hola, Marta!".to_owned());
    assert_eq!(says(&hola), hello);
    assert_eq!(says(&lid_only(hola.clone())), hello);
    assert_eq!(says(&text(1, "A", "adiós")), Err(Why::NoRule));

    let mut own = owner(1, "A");
    own.body = Body::Text("hola".to_owned());
    assert_eq!(says(&own), Err(Why::Own));
    for (chat, why) in [
        ("status@broadcast", Why::NotAPerson),
        ("1203630000@newsletter", Why::NotAPerson),
        ("0@s.whatsapp.net", Why::NotAPerson),
        ("1203630000@g.us", Why::NoRule),
    ] {
        let mut message = hola.clone();
        message.chat = ChatId::new(chat);
        assert_eq!(says(&message), Err(why), "{chat}");
    }
    for body in [Body::Undecryptable, Body::Other("image".to_owned())] {
        let mut message = hola.clone();
        message.body = body;
        assert_eq!(says(&message), Err(Why::NoText));
    }
}

#[test]
fn groups_are_answered_where_a_rule_or_the_bot_says_so() {
    let mut everywhere = rule("hola", "todos");
    everywhere.groups = Some(true);
    let mut direct = rule("precio", "aquí no");
    direct.groups = Some(false);
    let mut settings = settings(vec![everywhere, direct, rule("precio", "aquí")]);
    let in_group = |says: &str| {
        let mut message = text(1, "A", says);
        message.chat = ChatId::new("1203630000@g.us");
        message.chat_alt = None;
        message
    };
    let fresh = ChatState::default();
    assert_eq!(
        verdict(&settings, &in_group("hola"), &fresh, 0).unwrap(),
        "todos"
    );
    assert_eq!(
        verdict(&settings, &in_group("precio"), &fresh, 0),
        Err(Why::NoRule)
    );
    settings.groups = true;
    assert_eq!(
        verdict(&settings, &in_group("precio"), &fresh, 0).unwrap(),
        "aquí"
    );
    assert_eq!(
        verdict(&settings, &text(1, "A", "precio"), &fresh, 0).unwrap(),
        "aquí no"
    );
}

#[test]
fn fifteen_minutes_make_a_message_too_old() {
    let settings = settings(vec![rule("hola", "hola")]);
    let fresh = ChatState::default();
    let message = text(1, "A", "hola");
    assert!(verdict(&settings, &message, &fresh, 900).is_ok());
    assert_eq!(verdict(&settings, &message, &fresh, 901), Err(Why::Old));
    assert!(
        verdict(&settings, &message, &fresh, -900).is_ok(),
        "a clock behind"
    );
}

#[test]
fn the_owner_silences_for_half_an_hour_and_zero_switches_it_off() {
    let mut settings = settings(vec![rule("hola", "hola")]);
    let mut chat = ChatState::default();
    chat.note_owner(ServerTime(MONDAY_TEN));
    let says =
        |settings: &Settings, at| verdict(settings, &later(text(1, "A", "hola"), at), &chat, at);
    assert_eq!(
        says(&settings, -60),
        Err(Why::OwnerThere),
        "he answered what came before"
    );
    assert_eq!(says(&settings, 1799), Err(Why::OwnerThere));
    assert!(says(&settings, 1800).is_ok());
    settings.owner_pause = Duration::ZERO;
    assert!(says(&settings, 1).is_ok());
}

#[test]
fn each_rule_pauses_by_itself_and_the_first_that_matches_wins() {
    let mut quick = rule("eco", "eco: {text}");
    quick.every = Some("0s".to_owned());
    let settings = settings(vec![
        quick,
        rule("hola", "uno"),
        rule("hola", "dos"),
        rule("precio", "tres"),
    ]);
    let mut chat = ChatState::default();
    for rule in settings.rules.iter() {
        if rule.index < 2 {
            chat.note_answer(&rule.key, ServerTime(MONDAY_TEN));
        }
    }
    let says = |text_: &str, at| verdict(&settings, &later(text(1, "A", text_), at), &chat, at);
    assert_eq!(says("eco eco", 0).unwrap(), "eco: eco eco");
    assert_eq!(
        says("hola", 3599),
        Err(Why::Paused),
        "the next rule gets no chance"
    );
    assert_eq!(says("hola", 3600).unwrap(), "uno");
    assert_eq!(says("precio hola", 1), Err(Why::Paused));
    assert_eq!(says("precio", 1).unwrap(), "tres");
}

#[test]
fn out_of_hours_the_next_rule_is_asked() {
    let mut open = rule("/./", "abierto");
    open.hours = vec!["08:00-10:30".to_owned()];
    let mut settings = settings(vec![open, rule("/./", "cerrado")]);
    settings.time_zone = TimeZone::fixed(jiff::tz::offset(-5));
    let fresh = ChatState::default();
    let says = |at| verdict(&settings, &later(text(1, "A", "¿hay?"), at), &fresh, at).unwrap();
    assert_eq!(says(0), "abierto");
    assert_eq!(says(1799), "abierto");
    assert_eq!(says(1800), "cerrado");
    assert_eq!(says(-7201), "cerrado");
}

#[test]
fn an_answers_id_looks_like_the_services_and_depends_on_message_and_rule_alone() {
    let settings = settings(vec![rule("hola", "{text}"), rule("precio", "{text}")]);
    let id = |n, id: &str, says: &str, at| {
        let message = later(text(n, id, says), at);
        match decide(&settings, &message, &ChatState::default(), message.sent_at) {
            Decision::Answer { draft, .. } => draft.id.0,
            Decision::Silent(why) => panic!("{why:?}"),
        }
    };
    let first = id(1, "A", "hola", 0);
    assert_eq!(first.len(), 22);
    assert!(first.starts_with("3EB0"));
    assert!(
        first
            .chars()
            .all(|c| c.is_ascii_digit() || ('A'..='F').contains(&c))
    );
    assert_eq!(first, id(1, "A", "hola otra vez", 60));
    let others = [
        id(2, "A", "hola", 0),
        id(1, "B", "hola", 0),
        id(1, "A", "precio", 0),
    ];
    assert!(!others.contains(&first), "{first} {others:?}");
}
