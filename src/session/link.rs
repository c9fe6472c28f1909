//! The link's state as everybody sees it. Values only: no sockets, no clocks of its own.

use std::time::Duration;

use tokio::time::Instant;

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
    /// Not linked, and nobody seems to be there: the service is left alone until a press.
    Resting,
    /// Linked and logged in.
    Online(Account),
    /// Somebody else uses this link's keys. The socket stays closed until a person decides.
    Conflict,
    /// The device was removed, by the owner on the phone or by the service.
    Unlinked,
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
    /// The service wants a passkey first.
    PasskeyWanted,
    /// The service or the phone broke the linking off.
    Refused,
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
}

/// Why the session stopped for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The service refused this client's kind (`failure` 400, 409, 413 to 418).
    Refused(u16),
    /// The data directory was written by a test program and must not meet the real service.
    MarkedDirectory,
    /// The disk is full. The one that ends by itself, when there is room again.
    NoRoom,
}

impl StopReason {
    /// The reason's name in the status page.
    pub fn name(&self) -> &'static str {
        match self {
            StopReason::Refused(_) => "refused",
            StopReason::MarkedDirectory => "marked_directory",
            StopReason::NoRoom => "no_room",
        }
    }
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
            Link::Resting => "resting",
            Link::Online(_) => "online",
            Link::Conflict => "conflict",
            Link::Unlinked => "unlinked",
            Link::Locked => "locked",
            Link::Banned { .. } => "banned",
            Link::Outdated => "outdated",
            Link::RateLimited { .. } => "rate_limited",
            Link::Stopped { .. } => "stopped",
            Link::Resetting => "resetting",
        }
    }
}
