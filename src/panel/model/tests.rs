//! What a person sees, told as a fold of states. Longer than 400 lines because the states follow one
//! another and are read side by side.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use embedded_graphics::geometry::Size;

use super::super::screen::Value;
use super::*;
use crate::hardware::Glass;
use crate::panel::Language;
use crate::session::link::{Code, LinkTrouble, Linking, Passkey, Remover};

const PAYLOAD: &str = "2@invented,AAAA,BBBB,CCCC,1";

fn model(width: u32, height: u32) -> Model {
    Model::new(Settings {
        glass: Glass::colour(Size::new(width, height)),
        language: Language::Es,
        board: "headless".into(),
        prefer_pairing_code: false,
        page: None,
        time_zone: jiff::tz::TimeZone::UTC,
        light: crate::panel::Light::default(),
    })
}

fn code(text: &str, now: Instant, seconds: u64) -> Option<Code> {
    let lifetime = Duration::from_secs(seconds);
    Some(Code {
        text: text.into(),
        expires: now + lifetime,
        lifetime,
    })
}

fn linking(now: Instant, qr: bool, typed: bool) -> Link {
    Link::Linking(Linking {
        qr: code(PAYLOAD, now, 20).filter(|_| qr),
        pairing_code: code("ABCD1234", now, 160).filter(|_| typed),
        ..Linking::default()
    })
}

fn online(now: Instant) -> Link {
    Link::Online(Account {
        name: "Tienda".into(),
        ..Account::new("573000000001", now)
    })
}

fn name(model: &Model, now: Instant) -> &'static str {
    model.picture(now, None).0.screen.name()
}

fn after(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_code_counts_down_by_the_second_and_is_gone_when_it_expires() {
    let now = Instant::now();
    let mut model = model(240, 240);
    model.set_link(linking(now, false, false));
    assert_eq!(name(&model, now), "preparing");
    model.set_link(linking(now, true, false));
    let (picture, next) = model.picture(now, None);
    let Screen::Linking { left, .. } = picture.screen else {
        panic!("no code")
    };
    assert_eq!((left.seconds, left.of), (20, 20));
    assert_eq!(next, Some(now + after(1)));
    let (picture, next) = model.picture(now + Duration::from_millis(19_500), None);
    let Screen::Linking { left, .. } = picture.screen else {
        panic!("no code")
    };
    assert_eq!(left.seconds, 1);
    assert_eq!(next, Some(now + after(20)));
    assert_eq!(name(&model, now + after(20)), "expired");
    assert_eq!(model.picture(now + after(20), None).1, None);
}

#[test]
fn an_idle_box_needs_no_waking() {
    let now = Instant::now();
    let mut model = model(240, 240);
    model.set_link(online(now));
    let (picture, next) = model.picture(now, None);
    assert_eq!((picture.screen.name(), next), ("online", None));
}

#[test]
fn a_press_turns_the_page_and_the_page_turns_back() {
    let now = Instant::now();
    let mut model = model(240, 240);
    model.set_link(online(now));
    for page in ["status", "messages", "network", "events", "about", "online"] {
        assert_eq!(model.button(ButtonEvent::Press, now), None);
        assert_eq!(name(&model, now), page);
    }
    model.button(ButtonEvent::Press, now);
    assert_eq!(model.picture(now, None).1, Some(now + after(30)));
    assert_eq!(name(&model, now + after(30)), "online");
}

#[test]
fn a_press_asks_for_what_the_screen_offers() {
    let now = Instant::now();
    let mut model = model(240, 240);
    for (link, action) in [
        (Link::Starting, None),
        (Link::Resting, Some(Action::Link)),
        (
            Link::Unlinked {
                by: Remover::Owner,
                at: now,
            },
            Some(Action::Link),
        ),
        (Link::Conflict { next_try: None }, Some(Action::TakeOver)),
        (
            Link::Conflict {
                next_try: Some(now),
            },
            Some(Action::TakeOver),
        ),
        (
            Link::Stopped {
                reason: StopReason::ProductionNumber,
            },
            Some(Action::Link),
        ),
        (linking(now, true, false), Some(Action::Link)),
        (linking(now, false, false), Some(Action::Link)),
        (Link::Resetting, None),
        (Link::Locked, Some(Action::Link)),
    ] {
        model.set_link(link.clone());
        assert_eq!(model.button(ButtonEvent::Press, now), action, "{link:?}");
    }
}

#[test]
fn with_both_codes_a_press_shows_the_other_one_and_the_next_asks_for_fresh_ones() {
    let now = Instant::now();
    let mut model = model(240, 240);
    model.set_link(linking(now, true, true));
    assert_eq!(name(&model, now), "linking");
    assert_eq!(model.button(ButtonEvent::Press, now), None);
    assert_eq!(name(&model, now), "pairing_code");
    assert_eq!(model.button(ButtonEvent::Press, now), Some(Action::Link));
    assert_eq!(name(&model, now), "linking");
}

#[test]
fn a_glass_too_small_for_a_code_falls_back() {
    let now = Instant::now();
    let mut model = model(32, 32);
    model.set_link(linking(now, true, true));
    assert_eq!(name(&model, now), "pairing_code");
    model.set_link(linking(now, true, false));
    assert_eq!(name(&model, now), "too_small");
}

#[test]
fn a_scan_that_did_not_link_says_why() {
    let now = Instant::now();
    let mut model = model(240, 240);
    model.set_link(Link::Linking(Linking {
        trouble: Some(LinkTrouble::NotMultidevice),
        ..Linking::default()
    }));
    assert_eq!(name(&model, now), "not_multidevice");
}

#[test]
fn a_passkey_is_asked_for_and_its_code_is_confirmed_by_a_press() {
    let now = Instant::now();
    let mut model = model(240, 240);
    let wanted = Passkey::Wanted(code("{}", now, 600).unwrap());
    let checking = Passkey::Checking {
        expires: now + after(600),
    };
    let compare = Passkey::Compare(code("ABCD-1234", now, 600).unwrap());
    for (passkey, screen, action) in [
        (wanted, "passkey_wanted", Some(Action::Link)),
        (checking, "passkey_checking", None),
        (compare, "passkey_code", Some(Action::ConfirmPasskey)),
    ] {
        model.set_link(Link::Passkey(passkey));
        assert_eq!(name(&model, now), screen);
        assert_eq!(model.button(ButtonEvent::Next, now), None);
        assert_eq!(name(&model, now), screen, "it is no page");
        assert_eq!(model.button(ButtonEvent::Press, now), action);
    }
    assert_eq!(name(&model, now + after(600)), "passkey_checking");
}

#[test]
fn the_ring_fills_while_the_button_is_held_and_empties_when_it_is_let_go() {
    let now = Instant::now();
    let mut model = model(240, 240);
    model.set_link(online(now));
    let completes = now + after(5);
    let holding = ButtonEvent::Holding {
        since: now,
        completes,
    };
    model.button(holding, now);
    let at = |ms| model.picture(now + Duration::from_millis(ms), None);
    let (picture, next) = at(2500);
    let half = Screen::Hold {
        fiftieths: 25,
        seconds: 3,
    };
    assert_eq!(picture.screen, half);
    assert_eq!(next, Some(now + Duration::from_millis(2600)));
    assert_eq!(at(5000).1, None);
    model.button(ButtonEvent::Cancelled, now);
    assert_eq!(name(&model, now), "online");
}

#[test]
fn a_complete_hold_unlinks_once_and_shows_it_until_it_is_done() {
    let now = Instant::now();
    let mut model = model(240, 240);
    model.set_link(online(now));
    assert_eq!(model.button(ButtonEvent::Held, now), Some(Action::Unlink));
    assert_eq!(name(&model, now), "resetting");
    assert_eq!(model.button(ButtonEvent::Held, now), None);
    assert_eq!(model.button(ButtonEvent::Press, now), None);
    model.set_link(linking(now, true, false));
    assert_eq!(name(&model, now), "resetting");
    model.done(Action::Unlink);
    assert_eq!(name(&model, now), "linking");
}

#[test]
fn a_stuck_button_is_named_but_does_not_hide_the_box_for_ever() {
    let now = Instant::now();
    let mut model = model(240, 240);
    model.set_link(Link::Resting);
    model.button(ButtonEvent::Stuck, now);
    assert_eq!(name(&model, now), "stuck");
    assert_eq!(name(&model, now + after(10)), "resting");
    model.button(ButtonEvent::Released, now);
    assert_eq!(name(&model, now), "resting");
}

#[test]
fn something_wrong_beside_the_link_is_told_on_the_online_screen() {
    let now = Instant::now();
    let mut model = model(240, 240);
    model.set_link(online(now));
    model.set_notices(Notices {
        sending_limited: true,
        ..Notices::default()
    });
    let Screen::Online(online) = model.picture(now, None).0.screen else {
        panic!("not online")
    };
    assert_eq!(online.warning, Some(Warning::SendingLimited));
}

#[test]
fn a_phone_that_was_not_seen_for_long_is_warned_about_before_anything_else() {
    let now = Instant::now();
    let mut model = model(240, 240);
    model.set_link(Link::Online(Account {
        phone_unseen: Some(12),
        companions: Some(3),
        ..Account::new("573000000001", now)
    }));
    model.set_notices(Notices {
        sending_limited: true,
        ..Notices::default()
    });
    let Screen::Online(online) = model.picture(now, None).0.screen else {
        panic!("not online")
    };
    assert_eq!(online.warning, Some(Warning::PhoneUnseen));
    model.button(ButtonEvent::Press, now);
    let Screen::Status(rows) = model.picture(now, None).0.screen else {
        panic!("not the page")
    };
    assert!(rows.iter().any(|row| row.value == Value::Taken(3)));
}

#[test]
fn other_buttons_turn_pages_both_ways_and_leave_a_code_alone() {
    let now = Instant::now();
    let mut model = model(240, 240);
    model.set_link(online(now));
    let turned = |model: &mut Model, event| {
        assert_eq!(model.button(event, now), None);
        model.picture(now, None).0.screen.name()
    };
    let pages = ["status", "messages", "network", "events", "about"];
    let there = [ButtonEvent::Next; 6].map(|event| turned(&mut model, event));
    assert_eq!((&there[..5], there[5]), (&pages[..], "online"));
    let mut back = [ButtonEvent::Back; 6].map(|event| turned(&mut model, event));
    back[..5].reverse();
    assert_eq!((&back[..5], back[5]), (&pages[..], "online"));
    model.set_link(linking(now, true, false));
    assert_eq!(turned(&mut model, ButtonEvent::Next), "linking");
    assert_eq!(turned(&mut model, ButtonEvent::Back), "linking");
}

#[test]
fn a_page_that_turned_back_by_itself_begins_with_the_first_one() {
    let now = Instant::now();
    let mut model = model(240, 240);
    model.set_link(online(now));
    model.button(ButtonEvent::Press, now);
    model.button(ButtonEvent::Press, now);
    assert_eq!(name(&model, now), "messages");
    let later = now + after(60);
    model.button(ButtonEvent::Press, later);
    assert_eq!(name(&model, later), "status");
}

#[test]
fn the_network_is_looked_at_only_while_somebody_looks_and_told_as_it_is() {
    use crate::host::{Kind, Network};
    let now = Instant::now();
    let mut model = model(240, 240);
    model.set_link(online(now));
    assert!(!model.shows_network(now));
    for _ in 0..3 {
        model.button(ButtonEvent::Press, now);
    }
    assert!(model.shows_network(now) && model.misses_network(now));
    assert!(!model.shows_network(now + after(30)));
    let values = |model: &Model| match model.picture(now, None).0.screen {
        Screen::Network(rows) => rows.into_iter().map(|row| row.value).collect::<Vec<_>>(),
        other => panic!("not the page but {other:?}"),
    };
    model.set_network(None);
    assert_eq!(values(&model), [Value::Way(None)]);
    let address = Some("192.168.0.20".parse().unwrap());
    let mut network = Network {
        interface: "wlan0".into(),
        kind: Kind::Wifi,
        address,
        signal: None,
    };
    model.set_network(Some(network.clone()));
    let way = Value::Way(Some((Kind::Wifi, "wlan0".into())));
    let told = [way, Value::Address(address), Value::Signal(None)];
    assert_eq!(values(&model), told);
    network.kind = Kind::Cable;
    model.set_network(Some(network));
    assert_eq!(values(&model).len(), 2, "a cable has no signal");
    assert!(!model.misses_network(now));
}

#[test]
fn that_the_phone_may_be_full_is_told_on_every_glass() {
    let sizes = [
        (128, 64),
        (128, 128),
        (250, 122),
        (240, 240),
        (320, 240),
        (480, 320),
    ];
    for (width, height) in sizes {
        let now = Instant::now();
        let mut model = model(width, height);
        // As long as a real one, so that the code is as large.
        let payload = format!("2@{},1", "x".repeat(237));
        let round = |came: Instant, has_code: bool| {
            let lifetime = after(60);
            let code = |text: &str| {
                has_code.then(|| Code {
                    text: text.into(),
                    expires: came + lifetime,
                    lifetime,
                })
            };
            Link::Linking(Linking {
                qr: code(&payload),
                pairing_code: code("ABCD1234").filter(|_| height < 100),
                maybe_full: true,
                ..Linking::default()
            })
        };
        model.set_link(round(now, false));
        model.set_link(round(now, true));
        let told = |model: &Model, at: Instant| match model.picture(at, None).0.screen {
            Screen::PhoneFull => true,
            Screen::Linking { qr, maybe_full, .. } => {
                let place = qr.place(&model.settings.glass).unwrap();
                maybe_full && place.beside.is_some()
            }
            Screen::PairingCode { .. } => false,
            other => panic!("{other:?}"),
        };
        assert!(told(&model, now), "{width}x{height}");
        // And the code comes, in good time; the next one of the round comes at once.
        let later = now + after(7);
        let shown = model.picture(later, None).0.screen.name();
        assert!(["linking", "pairing_code"].contains(&shown), "{shown}");
        model.set_link(round(later, true));
        let shown = model.picture(later, None).0.screen.name();
        assert!(["linking", "pairing_code"].contains(&shown), "{shown}");
        // Who presses wants a code, and has it at once.
        model.set_link(round(later, false));
        model.set_link(round(later, true));
        assert!(told(&model, later));
        model.button(ButtonEvent::Press, later);
        let shown = model.picture(later, None).0.screen.name();
        assert_ne!(shown, "phone_full", "{width}x{height}");
    }
}
