//! No code outlives itself: whatever becomes of the link, whatever is pressed and whenever somebody
//! looks, what is on the glass is a code that can still be used, or none.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use embedded_graphics::geometry::Size;

use super::*;
use crate::hardware::{Depth, Glass};
use crate::panel::Language;
use crate::panel::draw::{Look, draw};
use crate::panel::sample::PAYLOAD;
use crate::panel::tests::{scan, settings};
use crate::session::link::{Code, LinkTrouble, Linking, Remover};

/// The address of the phone's linking page, as WhatsApp's own clients write it.
const ADDRESS: &str = "https://wa.me/settings/linked_devices#";

fn code(text: String, now: Instant, milliseconds: u64) -> Code {
    let lifetime = Duration::from_millis(milliseconds);
    Code {
        text,
        expires: now + lifetime,
        lifetime,
    }
}

/// Dice that fall the same way every time.
struct Dice(u32);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        u64::from(self.0) % most
    }

    fn link(&mut self, now: Instant, round: usize) -> Link {
        match self.below(12) {
            0..=6 => {
                let qr = code(format!("2@{round},A,B,C,1"), now, 1 + self.below(60_000));
                let typed = code(format!("{round:08}"), now, 1 + self.below(160_000));
                Link::Linking(Linking {
                    qr: (self.below(4) > 0).then_some(qr),
                    pairing_code: (self.below(2) > 0).then_some(typed),
                    trouble: (self.below(8) == 0).then_some(LinkTrouble::Refused),
                    maybe_full: self.below(4) == 0,
                })
            }
            7 => Link::Connecting {
                failures: 0,
                next_try: None,
            },
            8 => Link::Online(Account::new("573000000001", now)),
            9 => Link::Unlinked {
                by: Remover::Owner,
                at: now,
            },
            10 => Link::Conflict { next_try: None },
            _ => Link::Resetting,
        }
    }

    fn button(&mut self, now: Instant) -> ButtonEvent {
        match self.below(9) {
            0 => ButtonEvent::Next,
            1 => ButtonEvent::Back,
            2 => ButtonEvent::Down,
            3 => ButtonEvent::Holding {
                since: now,
                completes: now + Duration::from_secs(5),
            },
            4 => ButtonEvent::Cancelled,
            5 => ButtonEvent::Held,
            6 => ButtonEvent::Stuck,
            7 => ButtonEvent::Released,
            _ => ButtonEvent::Press,
        }
    }
}

/// What is shown can be used now, and somebody looks again before it no longer can.
fn assert_alive(
    model: &Model,
    link: &Link,
    code: Option<&Qr>,
    now: Instant,
) -> Option<&'static str> {
    let (picture, next) = model.picture(now, None);
    let offered = match link {
        Link::Linking(linking) => Some(linking),
        _ => None,
    };
    let shown = match &picture.screen {
        Screen::Linking { qr, left, .. } => {
            assert_eq!(Some(qr), code);
            let code = offered.and_then(|linking| linking.qr.as_ref());
            Some((code.unwrap(), left))
        }
        Screen::PairingCode { code, left, .. } => {
            let offered = offered.and_then(|linking| linking.pairing_code.as_ref());
            assert_eq!(Some(code), offered.map(|code| &code.text));
            offered.map(|offered| (offered, left))
        }
        _ => None,
    };
    let (code, left) = shown?;
    assert!(now < code.expires, "a dead code is on the glass");
    assert!(left.seconds > 0, "a code without time is on the glass");
    assert!(
        next.unwrap() <= code.expires,
        "nobody takes it down in time"
    );
    Some(picture.screen.name())
}

#[test]
fn no_story_ever_leaves_a_dead_code_on_the_glass() {
    let mut shown = std::collections::BTreeMap::new();
    let mut dice = Dice(0x2545_f491);
    for size in [(240, 240), (32, 32)] {
        let mut now = Instant::now();
        let mut model = Model::new(settings(Glass::colour(Size::new(size.0, size.1))));
        let (mut link, mut qr) = (Link::Starting, None);
        for round in 0..4_000 {
            match dice.below(4) {
                0 => {
                    link = dice.link(now, round);
                    qr = match &link {
                        Link::Linking(Linking { qr: Some(code), .. }) => Qr::encode(&code.text),
                        _ => None,
                    };
                    model.set_link(link.clone());
                }
                1 => {
                    let event = dice.button(now);
                    if model.button(event, now) == Some(Action::Unlink) && dice.below(2) == 0 {
                        model.done(Action::Unlink);
                    }
                }
                2 => now += Duration::from_millis(dice.below(5_000)),
                // Whoever sleeps until it is told to look again wakes up in time.
                _ => now = model.picture(now, None).1.unwrap_or(now).max(now),
            }
            if let Some(screen) = assert_alive(&model, &link, qr.as_ref(), now) {
                *shown.entry(screen).or_insert(0) += 1;
            }
            model.done(Action::Unlink);
        }
    }
    // Both kinds were there to be looked at, and often.
    assert!(
        shown["linking"] > 200 && shown["pairing_code"] > 200,
        "{shown:?}"
    );
}

#[test]
fn what_the_model_no_longer_shows_it_no_longer_knows() {
    let now = Instant::now();
    let mut model = Model::new(settings(Glass::colour(Size::new(240, 240))));
    let secret = code("2@secret,A,B,C,1".into(), now, 20_000);
    let linking = Linking {
        qr: Some(secret),
        ..Linking::default()
    };
    model.set_link(Link::Linking(linking));
    assert!(model.qr.is_some());
    model.set_link(Link::Linking(Linking::default()));
    assert!(model.qr.is_none());
}

/// What a phone reads off this glass when the configuration asks for the address.
fn prefixed(glass: Glass) -> String {
    let now = Instant::now();
    let mut model = Model::new(settings(glass));
    let linking = Linking {
        qr: Some(code(format!("{ADDRESS}{PAYLOAD}"), now, 20_000)),
        ..Linking::default()
    };
    model.set_link(Link::Linking(linking));
    let language = Language::Es;
    let picture = model.picture(now, None).0;
    scan(&draw(&picture.screen, &Look { glass, language }).frame).unwrap()
}

#[test]
fn the_address_stands_before_the_payload_only_where_it_costs_no_larger_modules() {
    let colour = |w, h| Glass::colour(Size::new(w, h));
    let paper = Glass {
        depth: Depth::Mono,
        countdown: false,
        ..colour(250, 122)
    };
    for (glass, kept) in [
        (colour(128, 128), true),
        (paper, false),
        (colour(240, 240), false),
        (colour(320, 240), false),
        (colour(480, 320), false),
        (colour(800, 480), false),
        (colour(200, 200), true),
    ] {
        let address = if kept { ADDRESS } else { "" };
        assert_eq!(prefixed(glass), format!("{address}{PAYLOAD}"), "{glass:?}");
    }
}

#[test]
fn a_countdown_never_covers_the_code_and_paper_has_none() {
    let now = Instant::now();
    let glass = |w, h, countdown| Glass {
        countdown,
        ..Glass::colour(Size::new(w, h))
    };
    for glass in [
        glass(128, 128, true),
        glass(240, 240, true),
        glass(320, 240, true),
        glass(240, 320, true),
        glass(480, 320, true),
        glass(250, 122, false),
    ] {
        let mut model = Model::new(settings(glass));
        let linking = Linking {
            qr: Some(code(PAYLOAD.into(), now, 20_000)),
            ..Linking::default()
        };
        model.set_link(Link::Linking(linking));
        let at = |seconds| {
            let screen = model
                .picture(now + Duration::from_secs(seconds), None)
                .0
                .screen;
            let language = Language::Es;
            draw(&screen, &Look { glass, language }).frame
        };
        let first = at(0);
        let area = first.code.unwrap();
        let quiet = (3 * area.scale).div_ceil(2);
        let side = area.modules * area.scale + 2 * quiet;
        for second in [1, 5, 9, 10, 15, 19] {
            let frame = at(second);
            assert_eq!(scan(&frame).as_deref(), Some(PAYLOAD), "{glass:?} {second}");
            // Dark stays dark and light stays light, the quiet zone too.
            for (x, y) in (0..side).flat_map(|y| (0..side).map(move |x| (x, y))) {
                let (x, y) = (area.left - quiet + x, area.top - quiet + y);
                let dark = |frame: &crate::hardware::Frame| frame.grey(x, y) < 128;
                assert_eq!(dark(&first), dark(&frame), "{glass:?} {second} {x} {y}");
            }
            let same = frame.rgb() == first.rgb();
            assert_eq!(same, !glass.countdown, "{glass:?} {second}");
        }
        let after = model.picture(now + Duration::from_secs(20), None).0.screen;
        assert_eq!(after, Screen::Expired);
    }
}
