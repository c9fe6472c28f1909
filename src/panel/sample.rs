//! Every screen with invented contents, for `vinculo render`, for the tests and for people's eyes.

use super::draw::{Look, draw};
use super::qr::Qr;
use super::screen::{Countdown, Label, Last, Online, Row, Screen, Value, Warning};
use crate::hardware::Frame;
use crate::session::link::{LinkTrouble, StopReason};

/// As long as a real payload, so that the code has as many modules: 239 bytes, 57 modules.
const PAYLOAD: &str = "2@MuestraInventadaQueNoVinculaNada0123456789MuestraInventadaQueNoVinculaNada0123456789MuestraInventada,bXVlc3RyYQbXVlc3RyYQbXVlc3RyYQbXVlc3RyYQbXV=,ZWplbXBsbwZWplbXBsbwZWplbXBsbwZWplbXBsbwZWp=,aW52ZW50bwaW52ZW50bwaW52ZW50bwaW52ZW50bwaW5=,1";

/// All screens, by name, in the order in which people meet them.
pub fn samples() -> Vec<(&'static str, Screen)> {
    let left = Countdown {
        seconds: 42,
        of: 60,
    };
    let mut screens = vec![
        Screen::Starting,
        Screen::WaitingNetwork,
        Screen::WaitingTime,
        Screen::Connecting { again: false },
        Screen::Connecting { again: true },
        Screen::Resting,
        Screen::Preparing,
    ];
    screens.extend(Qr::encode(PAYLOAD).map(|qr| Screen::Linking { qr, left }));
    screens.extend([
        Screen::PairingCode {
            code: "K7QW3MXD".into(),
            left: Countdown {
                seconds: 118,
                of: 160,
            },
            page: None,
        },
        Screen::TooSmall,
        Screen::Expired,
        Screen::Trouble(LinkTrouble::NotMultidevice),
        Screen::Trouble(LinkTrouble::PasskeyWanted),
        Screen::Trouble(LinkTrouble::Refused),
        Screen::Online(online(None)),
        status(),
        Screen::Messages(vec![
            row(Label::Received, "128"),
            row(Label::Answered, "97"),
            row(Label::Pending, "2"),
            row(Label::Failed, "0"),
        ]),
        Screen::About(vec![
            row(Label::Version, env!("CARGO_PKG_VERSION")),
            row(Label::Board, "desk"),
            row(Label::Licence, "AGPL-3.0"),
        ]),
        Screen::Conflict,
        Screen::Unlinked,
        Screen::Locked,
        Screen::Banned {
            until: Some("24/11 14:05".into()),
        },
        Screen::Outdated,
        Screen::RateLimited {
            until: Some("14:05".into()),
        },
        Screen::Stopped(StopReason::Refused(413)),
        Screen::Hold {
            fiftieths: 31,
            seconds: 2,
        },
        Screen::Resetting,
        Screen::Stuck,
    ]);
    let mut named: Vec<_> = screens.into_iter().map(|s| (s.name(), s)).collect();
    named.extend([
        (
            "online_warning",
            Screen::Online(online(Some(Warning::StoreSetAside))),
        ),
        (
            "online_limited",
            Screen::Online(online(Some(Warning::SendingLimited))),
        ),
        (
            "online_new",
            Screen::Online(Online {
                name: String::new(),
                last: None,
                received: 0,
                answered: 0,
                pending: 0,
                ..online(None)
            }),
        ),
        (
            "online_long",
            Screen::Online(Online {
                number: "+593 000 000 000 000".into(),
                name: "Ferretería y Cerrajería La Ñapa de Doña Encarnación".into(),
                received: 1_234_567,
                answered: 1_234_566,
                pending: 20_000,
                last: Some(Last {
                    from: "Maximiliano Bartolomé Gutiérrez".into(),
                    text: "Buenos días, ¿me puede decir si tienen tornillos de tres octavos?"
                        .into(),
                    time: Some("10:05".into()),
                }),
                ..online(None)
            }),
        ),
        (
            "pairing_code_page",
            Screen::PairingCode {
                code: "K7QW3MXD".into(),
                left,
                page: Qr::encode("http://192.168.100.200:8080"),
            },
        ),
        ("banned_open", Screen::Banned { until: None }),
        ("rate_limited_open", Screen::RateLimited { until: None }),
        (
            "stopped_marked",
            Screen::Stopped(StopReason::MarkedDirectory),
        ),
        ("stopped_full", Screen::Stopped(StopReason::NoRoom)),
    ]);
    named
}

/// Draws a sample, as `vinculo render` does.
///
/// # Errors
/// A name that is not known, with those that are.
pub fn render(name: &str, look: &Look) -> Result<Frame, String> {
    let known = samples();
    match known.iter().find(|(known, _)| *known == name) {
        Some((_, Screen::Linking { qr, .. })) if qr.place(&look.glass).is_none() => {
            Ok(draw(&Screen::TooSmall, look).frame)
        }
        Some((_, screen)) => Ok(draw(screen, look).frame),
        None => {
            let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
            Err(format!(
                "unknown screen {name:?}; known are: {}",
                names.join(", ")
            ))
        }
    }
}

fn online(warning: Option<Warning>) -> Online {
    Online {
        number: "+57 300 000 0001".into(),
        name: "Panadería La Ñapa".into(),
        last: Some(Last {
            from: "Doña Inés".into(),
            text: "¿A qué hora abren mañana?".into(),
            time: Some("10:05".into()),
        }),
        received: 128,
        answered: 97,
        pending: 2,
        warning,
    }
}

fn status() -> Screen {
    Screen::Status(vec![
        Row {
            label: Label::State,
            value: Value::Heading(Box::new(Screen::Online(online(None)))),
        },
        row(Label::Number, "+57 300 000 0001"),
        row(Label::Name, "Panadería La Ñapa"),
        row(Label::Since, "09:12"),
    ])
}

fn row(label: Label, value: &str) -> Row {
    Row {
        label,
        value: Value::Text(value.into()),
    }
}
