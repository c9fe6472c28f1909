//! Every screen with invented contents, for `vinculo render`, for the tests and for people's eyes.

use super::Today;
use super::draw::{Look, draw};
use super::qr::Qr;
use super::screen::{Countdown, Happened, Label, Last, Online, Row, Screen, Value, Warning};
use crate::hardware::Frame;
use crate::history::What;
use crate::host::Kind;
use crate::session::link::{LinkTrouble, Remover, StopReason};

/// As long as a real payload, so that the code has as many modules: 239 bytes, 57 modules.
pub const PAYLOAD: &str = "2@MuestraInventadaQueNoVinculaNada0123456789MuestraInventadaQueNoVinculaNada0123456789MuestraInventada,bXVlc3RyYQbXVlc3RyYQbXVlc3RyYQbXVlc3RyYQbXV=,ZWplbXBsbwZWplbXBsbwZWplbXBsbwZWplbXBsbwZWp=,aW52ZW50bwaW52ZW50bwaW52ZW50bwaW52ZW50bwaW5=,1";

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
    screens.extend(Qr::encode(PAYLOAD).map(|qr| Screen::Linking {
        qr,
        left,
        maybe_full: false,
    }));
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
        Screen::PhoneFull,
        Screen::Trouble(LinkTrouble::NotMultidevice),
        Screen::PasskeyWanted,
        Screen::PasskeyCode {
            code: "K7QW-3MXD".into(),
            left: Countdown {
                seconds: 540,
                of: 600,
            },
        },
        Screen::PasskeyChecking,
        Screen::Trouble(LinkTrouble::PasskeyRefused),
        Screen::Trouble(LinkTrouble::PasskeyLate),
        Screen::Trouble(LinkTrouble::Refused),
        Screen::Online(online(None)),
        status(),
        Screen::Messages(vec![
            counted(Label::Received, Some(128)),
            counted(Label::Answered, Some(97)),
            row(Label::Pending, "2"),
            row(Label::Failed, "0"),
        ]),
        network(
            Some((Kind::Wifi, "wlan0")),
            Some("192.168.100.200"),
            Some(Some(-56)),
        ),
        Screen::Events(vec![
            happened("10:05", What::Online, 31),
            happened("10:04", What::Connecting, 30),
            happened("09:12", What::Unlinked, 1),
            happened("~07:58", What::Started, 1),
            happened("21/11", What::Conflict, 3),
        ]),
        Screen::About(vec![
            row(Label::Version, env!("CARGO_PKG_VERSION")),
            row(Label::Board, "desk"),
            row(Label::Serial, "10000000a1b2c3d4"),
            row(Label::Licence, "AGPL-3.0"),
        ]),
        Screen::Conflict { until: None },
        Screen::Unlinked {
            by: Remover::Owner,
            at: Some("24/11 14:05".into()),
        },
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
        Screen::CardFault,
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
            "online_unseen",
            Screen::Online(online(Some(Warning::PhoneUnseen))),
        ),
        (
            "online_listens",
            Screen::Online(Online {
                listens: true,
                ..online(None)
            }),
        ),
        (
            "online_new",
            Screen::Online(Online {
                name: String::new(),
                last: None,
                today: None,
                ..online(None)
            }),
        ),
        (
            "online_long",
            Screen::Online(Online {
                number: "+593 000 000 000 000".into(),
                name: "Ferretería y Cerrajería La Ñapa de Doña Encarnación".into(),
                today: Some(Today {
                    received: 1_234_567,
                    answered: 1_234_566,
                }),
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
            "asleep",
            Screen::Asleep {
                place: 3,
                warned: false,
            },
        ),
        (
            "messages_undated",
            Screen::Messages(vec![
                counted(Label::Received, None),
                counted(Label::Answered, None),
                row(Label::Pending, "20000"),
                row(Label::Failed, "2000"),
            ]),
        ),
        (
            "network_cable",
            network(Some((Kind::Cable, "eth0")), Some("10.0.0.7"), None),
        ),
        (
            "network_long",
            network(
                Some((Kind::Wifi, "wlx00c0ca000000")),
                Some("2001:db8:1234:5678:9abc:def0:1234:5678"),
                Some(None),
            ),
        ),
        (
            "network_weak",
            network(
                Some((Kind::Wifi, "wlan0")),
                Some("192.168.100.200"),
                Some(Some(-104)),
            ),
        ),
        ("network_none", network(None, None, None)),
        (
            "pairing_code_page",
            Screen::PairingCode {
                code: "K7QW3MXD".into(),
                left,
                page: Qr::encode("http://192.168.100.200:8080"),
            },
        ),
        (
            "events_long",
            Screen::Events(vec![
                happened("~24/11", What::Banned, 99),
                happened("24/11", What::SendingLimited, 99),
                happened("24/11", What::Locked, 1),
                happened("24/11", What::StoreSetAside, 2),
                happened("24/11", What::Outdated, 12),
            ]),
        ),
        (
            "conflict_until",
            Screen::Conflict {
                until: Some("24/11 14:05".into()),
            },
        ),
        (
            "unlinked_untold",
            Screen::Unlinked {
                by: Remover::Untold,
                at: Some("24/11 14:05".into()),
            },
        ),
        (
            "stopped_production",
            Screen::Stopped(StopReason::ProductionNumber),
        ),
        ("banned_open", Screen::Banned { until: None }),
        ("rate_limited_open", Screen::RateLimited { until: None }),
        (
            "stopped_marked",
            Screen::Stopped(StopReason::MarkedDirectory),
        ),
        ("stopped_full", Screen::Stopped(StopReason::NoRoom)),
    ]);
    named.extend(Qr::encode(PAYLOAD).map(|qr| {
        let maybe_full = true;
        let screen = Screen::Linking {
            qr,
            left,
            maybe_full,
        };
        ("linking_full", screen)
    }));
    named
}

/// Draws a sample, as `vinculo render` does.
///
/// # Errors
/// A name that is not known, with those that are.
pub fn render(name: &str, look: &Look) -> Result<Frame, String> {
    let known = samples();
    match known.iter().find(|(known, _)| *known == name) {
        Some((_, screen)) => Ok(draw(&screen.clone().on(&look.glass), look).frame),
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
        today: Some(Today {
            received: 128,
            answered: 97,
        }),
        warning,
        listens: false,
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
        Row {
            label: Label::Devices,
            value: Value::Taken(3),
        },
    ])
}

/// `signal`: of Wi-Fi, where the driver may not tell it.
fn network(
    way: Option<(Kind, &str)>,
    address: Option<&str>,
    signal: Option<Option<i16>>,
) -> Screen {
    let way = way.map(|(kind, interface)| (kind, interface.to_owned()));
    let mut rows = vec![Row {
        label: Label::Connection,
        value: Value::Way(way),
    }];
    let address = address.and_then(|address| address.parse().ok());
    rows.extend(address.map(|address| Row {
        label: Label::Address,
        value: Value::Address(Some(address)),
    }));
    rows.extend(signal.map(|signal| Row {
        label: Label::Signal,
        value: Value::Signal(signal),
    }));
    Screen::Network(rows)
}

fn counted(label: Label, count: Option<u64>) -> Row {
    Row {
        label,
        value: Value::Today(count),
    }
}

fn happened(when: &str, what: What, times: u32) -> Happened {
    Happened {
        when: Some(when.into()),
        what,
        times,
    }
}

fn row(label: Label, value: &str) -> Row {
    Row {
        label,
        value: Value::Text(value.into()),
    }
}
