//! What is worth a mail, and what a state of the link means for it. Pure; nobody matches on
//! [`Link`] with a `_` arm, so that a new state forces a decision here.

use tokio::time::Instant;

use crate::history::{Stamp, What};
use crate::session::Link;
use crate::session::link::StopReason;

/// What an alert is about. The numbers are on disk and never get another meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Kind {
    /// Sent by hand, to see whether alerts arrive.
    Test = 0,
    /// Not online for longer than the owner wants to wait.
    Offline = 1,
    /// Somebody else uses this link's keys.
    Conflict = 2,
    /// The device was removed.
    Unlinked = 3,
    /// The account is locked.
    Locked = 4,
    /// The account is banned for a while.
    Banned = 5,
    /// The service wants a newer version.
    Outdated = 6,
    /// The service does not want a client of this kind.
    Stopped = 7,
    /// A database did not open and was set aside.
    Store = 8,
    /// Online again after one of the others.
    Normal = 9,
    /// How often what came and went meanwhile.
    Summary = 10,
}

impl Kind {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Test => "test",
            Kind::Offline => "offline",
            Kind::Conflict => "conflict",
            Kind::Unlinked => "unlinked",
            Kind::Locked => "locked",
            Kind::Banned => "banned",
            Kind::Outdated => "outdated",
            Kind::Stopped => "stopped",
            Kind::Store => "store_trouble",
            Kind::Normal => "back_to_normal",
            Kind::Summary => "summary",
        }
    }
}

/// What a state of the link means for the alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It says nothing yet.
    Unknown,
    /// Online.
    Well,
    /// Not online, and perhaps soon again.
    Down(What),
    /// Somebody should know at once.
    Grave {
        /// What.
        kind: Kind,
        /// The service's code, where it gave one.
        code: Option<u32>,
        /// Until when, in seconds since 1970, where that is known.
        until: Option<i64>,
    },
}

impl Condition {
    /// What `link` means at `now`, which is `stamp`.
    pub fn of(link: &Link, now: Instant, stamp: &Stamp) -> Self {
        let grave = |kind| Condition::Grave {
            kind,
            code: None,
            until: None,
        };
        let until = |end: Instant| {
            let ahead = end.saturating_duration_since(now).as_secs();
            Some(stamp.clock.saturating_add(i64::try_from(ahead).ok()?))
        };
        match link {
            Link::Starting => Condition::Unknown,
            Link::Online(_) => Condition::Well,
            Link::WaitingNetwork { .. } => Condition::Down(What::WaitingNetwork),
            Link::WaitingTime => Condition::Down(What::WaitingTime),
            Link::Connecting { .. } => Condition::Down(What::Connecting),
            Link::RateLimited { .. } => Condition::Down(What::RateLimited),
            Link::Linking(_) | Link::Passkey(_) => Condition::Down(What::Linking),
            Link::Resting => Condition::Down(What::Resting),
            // Whoever holds the button knows; who does not hears of a box that is not linked.
            Link::Resetting => Condition::Down(What::Linking),
            Link::Conflict { .. } => grave(Kind::Conflict),
            Link::Unlinked { .. } => grave(Kind::Unlinked),
            Link::Locked => grave(Kind::Locked),
            Link::Banned { until: end } => Condition::Grave {
                kind: Kind::Banned,
                code: None,
                until: end.and_then(until),
            },
            Link::Outdated => grave(Kind::Outdated),
            Link::Stopped {
                reason: StopReason::Refused(code),
            } => Condition::Grave {
                kind: Kind::Stopped,
                code: Some(u32::from(*code)),
                until: None,
            },
            Link::Stopped {
                reason: StopReason::MarkedDirectory,
            } => grave(Kind::Stopped),
            // Without a store there are no alerts either.
            Link::Stopped {
                reason: StopReason::NoRoom,
            } => Condition::Unknown,
            // Whoever scanned reads why on the screen; others hear that the box is not linked.
            Link::Stopped {
                reason: StopReason::ProductionNumber,
            } => Condition::Down(What::Resting),
        }
    }
}
