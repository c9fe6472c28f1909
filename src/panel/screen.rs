//! What the glass shows, as a value: everything that is visible and nothing else, so that two
//! equal screens are the same picture and need no drawing.

use std::net::IpAddr;

use super::Today;
use super::qr::Qr;
use crate::history::What;
use crate::host::Kind;
use crate::session::link::{LinkTrouble, Remover, StopReason};

/// One screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Screen {
    /// The first picture.
    Starting,
    /// No route to the service.
    WaitingNetwork,
    /// The clock is not set.
    WaitingTime,
    /// Logging in; `again` after a failed attempt.
    Connecting {
        /// An attempt has failed before.
        again: bool,
    },
    /// A code to link with is on its way.
    Preparing,
    /// A code to scan.
    Linking {
        /// The code.
        qr: Qr,
        /// How long it lives.
        left: Countdown,
        /// Nobody scanned for long: the phone may have no slot free.
        maybe_full: bool,
    },
    /// A code to type.
    PairingCode {
        /// The eight characters.
        code: String,
        /// How long it lives.
        left: Countdown,
        /// The address of the box's own page, as a small code.
        page: Option<Qr>,
    },
    /// A passkey is to be handed in.
    PasskeyWanted,
    /// What was given for a passkey is on its way.
    PasskeyChecking,
    /// A code to compare with the phone's.
    PasskeyCode {
        /// The eight characters.
        code: String,
        /// How long it lives.
        left: Countdown,
    },
    /// A code cannot be shown on this glass, and none to type is configured.
    TooSmall,
    /// The codes ran out.
    Expired,
    /// Nobody scanned for long, and the glass has no room to say why beside a code: the phone may
    /// have no slot free.
    PhoneFull,
    /// A scan did not link.
    Trouble(LinkTrouble),
    /// Left alone until a press.
    Resting,
    /// Linked.
    Online(Online),
    /// Linked, on a glass that wears out: a word in one of [`Screen::PLACES`] places.
    Asleep {
        /// Which place.
        place: u8,
        /// There is something a person should know.
        warned: bool,
    },
    /// First page behind a press: the link in words.
    Status(Vec<Row>),
    /// Second page: how many messages.
    Messages(Vec<Row>),
    /// Third page: how the box is connected.
    Network(Vec<Row>),
    /// Fourth page: what became of the link, the latest first.
    Events(Vec<Happened>),
    /// Last page: what this box is.
    About(Vec<Row>),
    /// The session is used elsewhere.
    Conflict {
        /// When the box takes it back by itself, in words.
        until: Option<String>,
    },
    /// The box was removed.
    Unlinked {
        /// Who did it.
        by: Remover,
        /// When, in words.
        at: Option<String>,
    },
    /// The account is locked.
    Locked,
    /// The account is banned, until a time where it is known.
    Banned {
        /// In words.
        until: Option<String>,
    },
    /// The service wants a newer client.
    Outdated,
    /// The service wants to be left alone.
    RateLimited {
        /// In words.
        until: Option<String>,
    },
    /// Only a person can mend it.
    Stopped(StopReason),
    /// The button is held.
    Hold {
        /// How much of the ring is filled, in fiftieths.
        fiftieths: u8,
        /// Whole seconds left.
        seconds: u32,
    },
    /// Unlinking and erasing.
    Resetting,
    /// The button was down at power-on.
    Stuck,
    /// What is kept cannot be used: the card fails.
    CardFault,
}

/// How long a code lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Countdown {
    /// Whole seconds left, rounded up.
    pub seconds: u32,
    /// Of so many.
    pub of: u32,
}

/// The glance at a linked box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Online {
    /// Spaced for reading, with its plus sign.
    pub number: String,
    /// May be empty.
    pub name: String,
    /// The latest message: who wrote, what, and when (may be empty).
    pub last: Option<Last>,
    /// How busy it was today, where it is known what day it is.
    pub today: Option<Today>,
    /// Something a person should know though the box is online.
    pub warning: Option<Warning>,
    /// Another box answers; this one listens.
    pub listens: bool,
}

/// The latest message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// The name or number of who wrote.
    pub from: String,
    /// The text.
    pub text: String,
    /// The time of day, where it is known.
    pub time: Option<String>,
}

/// What a person should know though the box is online.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// A database did not open and was set aside.
    StoreSetAside,
    /// The service refuses messages to new chats for a while.
    SendingLimited,
    /// The phone has not been seen for so long that the service will soon unlink everything.
    PhoneUnseen,
}

/// A line of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What.
    pub label: Label,
    /// How much, or which.
    pub value: Value,
}

/// Something that became of the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// The latest time it did, where it is known.
    pub when: Option<String>,
    /// What.
    pub what: What,
    /// How often.
    pub times: u32,
}

/// The labels of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the text of the same name")]
pub enum Label {
    State,
    Number,
    Name,
    Since,
    Devices,
    Last,
    Received,
    Answered,
    Pending,
    Failed,
    Connection,
    Address,
    Signal,
    Version,
    Board,
    Serial,
    Licence,
}

/// The values of the pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// As it is.
    Text(String),
    /// So many of the account's slots are taken.
    Taken(u8),
    /// The heading of a screen, in whatever language is drawn.
    Heading(Box<Screen>),
    /// So many today; `None` while nobody knows what day it is.
    Today(Option<u64>),
    /// An interface; `None` without a way out.
    Way(Option<(Kind, String)>),
    /// An address of the box; `None` where the kernel names none.
    Address(Option<IpAddr>),
    /// In dBm; `None` where the driver does not tell.
    Signal(Option<i16>),
}

impl Screen {
    /// In how many places [`Screen::Asleep`] may stand.
    pub const PLACES: u8 = 8;

    /// The screen's name in the status page and for `vinculo render`: stable, lower case.
    pub fn name(&self) -> &'static str {
        match self {
            Screen::Starting => "starting",
            Screen::WaitingNetwork => "waiting_network",
            Screen::WaitingTime => "waiting_time",
            Screen::Connecting { again: false } => "connecting",
            Screen::Connecting { again: true } => "connecting_again",
            Screen::Preparing => "preparing",
            Screen::Linking { .. } => "linking",
            Screen::PairingCode { .. } => "pairing_code",
            Screen::TooSmall => "too_small",
            Screen::Expired => "expired",
            Screen::PhoneFull => "phone_full",
            Screen::Trouble(LinkTrouble::NotMultidevice) => "not_multidevice",
            Screen::PasskeyWanted => "passkey_wanted",
            Screen::PasskeyChecking => "passkey_checking",
            Screen::PasskeyCode { .. } => "passkey_code",
            Screen::Trouble(LinkTrouble::PasskeyRefused) => "passkey_refused",
            Screen::Trouble(LinkTrouble::PasskeyLate) => "passkey_late",
            Screen::Trouble(LinkTrouble::Refused) => "refused",
            Screen::Resting => "resting",
            Screen::Online(_) => "online",
            Screen::Asleep { .. } => "asleep",
            Screen::Status(_) => "status",
            Screen::Messages(_) => "messages",
            Screen::Network(_) => "network",
            Screen::Events(_) => "events",
            Screen::About(_) => "about",
            Screen::Conflict { .. } => "conflict",
            Screen::Unlinked { .. } => "unlinked",
            Screen::Locked => "locked",
            Screen::Banned { .. } => "banned",
            Screen::Outdated => "outdated",
            Screen::RateLimited { .. } => "rate_limited",
            Screen::Stopped(_) => "stopped",
            Screen::Hold { .. } => "hold",
            Screen::Resetting => "resetting",
            Screen::Stuck => "stuck",
            Screen::CardFault => "card_fault",
        }
    }
}
