//! The link's state as everybody sees it. Values only: no sockets, no clocks of its own.

use std::time::Duration;

use tokio::time::Instant;

pub use super::ending::Remover;

/// The state of the link. One value, from which screen, status page and log all speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// The process has just come up.
    Starting,
    /// No route to the service; tried again at `next_try`.
    WaitingNetwork {
        /// When the next attempt is made.
        next_try: Instant,
    },
    /// The board does not know the time yet, so TLS cannot be trusted.
    WaitingTime,
    /// Opening the connection, logging in, or between two attempts.
    Connecting {
        /// How many attempts failed in a row.
        failures: u32,
        /// When the next attempt is made; `None` while one is under way.
        next_try: Option<Instant>,
    },
    /// Not linked, and codes to link with are (about to be) on the screen.
    Linking(Linking),
    /// A phone scanned a code, and the service wants a passkey before it links this device.
    Passkey(Passkey),
    /// Not linked, and nobody seems to be there: the service is left alone until a press.
    Resting,
    /// Linked and logged in.
    Online(Account),
    /// Somebody else uses this link's keys. The socket stays closed until a person decides, or,
    /// with the primary of production, until it is its turn.
    Conflict {
        /// When the session is taken back; `None` leaves that to a person.
        next_try: Option<Instant>,
    },
    /// The device was removed, by the owner on the phone or by the service.
    Unlinked {
        /// Who did it.
        by: Remover,
        /// When.
        at: Instant,
    },
    /// The service locked the account.
    Locked,
    /// The service banned the account for a while.
    Banned {
        /// When the ban ends, where the service said so.
        until: Option<Instant>,
    },
    /// The service wants a newer client than this one claims to be.
    Outdated,
    /// Too many requests; the service wants to be left alone until `next_try`.
    RateLimited {
        /// When the next attempt is made.
        next_try: Instant,
    },
    /// Something only a person can mend, with what happened.
    Stopped {
        /// Which.
        reason: StopReason,
    },
    /// Removing the device at the service and deleting everything.
    Resetting,
}

/// Codes to link with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Linking {
    /// The QR's payload; `None` while the service has not sent one, and once it expired.
    pub qr: Option<Code>,
    /// The eight characters to type on the phone, when a phone number is configured.
    pub pairing_code: Option<Code>,
    /// What went wrong with the latest scan, until the next code.
    pub trouble: Option<LinkTrouble>,
    /// Two rounds of codes were not scanned: the phone may hold four linked devices already, which
    /// only a linked box can ask.
    pub maybe_full: bool,
}

/// A code and the moment it dies. `Debug` never shows it: it is a credential.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    /// The payload or the eight characters.
    pub text: String,
    /// Not to be shown at or after this moment.
    pub expires: Instant,
    /// How long it lived in all, for a countdown.
    pub lifetime: Duration,
}

impl Code {
    /// A QR's payload without the address of the phone's linking page, whose fragment it is where
    /// the configuration asks for one. No payload has a `#` of its own: it is base64 and commas.
    pub fn bare(&self) -> &str {
        self.text
            .split_once('#')
            .map_or(self.text.as_str(), |(_, bare)| bare)
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Code")
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Why a scan did not link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkTrouble {
    /// The phone's WhatsApp knows no linked devices of this kind.
    NotMultidevice,
    /// The service or the phone did not accept the passkey.
    PasskeyRefused,
    /// Nobody gave the passkey, or compared the codes, in time.
    PasskeyLate,
    /// The service or the phone broke the linking off.
    Refused,
}

/// What is to be done before a device is linked to an account that has a passkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passkey {
    /// Somebody is to sign the request, which is the code's text: the options of WebAuthn's `get`,
    /// as JSON, as the service wrote them.
    Wanted(Code),
    /// What was given is with the service, or with the phone.
    Checking {
        /// When that is given up.
        expires: Instant,
    },
    /// Somebody is to look whether the phone shows the same: eight characters in two groups.
    Compare(Code),
}

impl Passkey {
    /// When this step is given up.
    pub fn expires(&self) -> Instant {
        match self {
            Self::Wanted(code) | Self::Compare(code) => code.expires,
            Self::Checking { expires } => *expires,
        }
    }
}

/// The linked account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its phone number's digits.
    pub number: String,
    /// Its LID's digits, when known.
    pub lid: Option<String>,
    /// The name it shows; may be empty until the phone has told it.
    pub name: String,
    /// Since when it is online without a break.
    pub since: Instant,
    /// How many of its [`SLOTS`] are taken, this box's own included, once the service has told.
    pub companions: Option<u8>,
    /// Whole days since the owner's phone was last seen, from [`UNSEEN_DAYS`] on.
    pub phone_unseen: Option<u16>,
}

/// So many devices can be linked to a phone at once.
pub const SLOTS: u8 = 4;

/// Unseen for so many days, the phone is warned about: after 14 the service unlinks everything.
pub const UNSEEN_DAYS: u16 = 12;

impl Account {
    /// An account of which nothing else is known yet.
    pub fn new(number: impl Into<String>, since: Instant) -> Self {
        Self {
            number: number.into(),
            lid: None,
            name: String::new(),
            since,
            companions: None,
            phone_unseen: None,
        }
    }
}

/// Why the session stopped for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The service refused this client's kind (`failure` 400, 409, 413 to 418).
    Refused(u16),
    /// The data directory was written by a test program and must not meet the real service.
    MarkedDirectory,
    /// The number is one of production's, and this box is not.
    ProductionNumber,
    /// The disk is full. The one that ends by itself, when there is room again.
    NoRoom,
}

impl Link {
    /// The state's name in the status page: stable, lower case, one of the set the README lists.
    pub fn name(&self) -> &'static str {
        match self {
            Link::Starting => "starting",
            Link::WaitingNetwork { .. } => "waiting_network",
            Link::WaitingTime => "waiting_time",
            Link::Connecting { .. } => "connecting",
            Link::Linking(_) => "linking",
            Link::Passkey(_) => "passkey",
            Link::Resting => "resting",
            Link::Online(_) => "online",
            Link::Conflict { .. } => "conflict",
            Link::Unlinked { .. } => "unlinked",
            Link::Locked => "locked",
            Link::Banned { .. } => "banned",
            Link::Outdated => "outdated",
            Link::RateLimited { .. } => "rate_limited",
            Link::Stopped { .. } => "stopped",
            Link::Resetting => "resetting",
        }
    }
}
