//! Every way a connection can end, and which wire codes mean which.
//!
//! Values only. What follows from an ending is decided in [`super::machine`]; nothing here waits,
//! writes or knows the protocol crate.
//!
//! Each row is the test of its name in `tests/suite/session/endings.rs`, over the wire; those about
//! passkeys are in `passkeys.rs` beside it.
//!
//! | what arrives | ending | what is shown | what the box does | test |
//! |---|---|---|---|---|
//! | `stream:error` with `conflict type="replaced"`, or 409 | [`Replaced`][Ending::Replaced] | conflict | keeps the socket closed; the primary of production takes it back in its time, all others wait for a person | `same_keys_elsewhere` |
//! | `conflict type="device_removed"` | [`Removed`][Ending::Removed] by the owner | unlinked, by whom and when | forgets its keys; codes on a press | `removed_on_the_phone` |
//! | `stream:error` 401, 516; `failure` 401, 406 | [`Removed`][Ending::Removed], untold by whom | unlinked and when | the same | `removed_by_the_service` |
//! | `failure` 403 | [`Locked`][Ending::Locked] | locked | waits for a person | `locked` |
//! | `failure` 402 | [`Banned`][Ending::Banned] | banned, until when | waits for the end of it, across restarts; if untold a day, or a person | `banned` |
//! | `failure` 405 | [`Outdated`][Ending::Outdated] | outdated | reads the version anew and tries after a minute; then after 1, 6 and 24 h | `outdated` |
//! | `stream:error` 515 | [`RestartWanted`][Ending::RestartWanted] | connecting | comes back at once, if once in a row | `restart_wanted` |
//! | 429 | [`RateLimited`][Ending::RateLimited] | rate limited | waits 89 s, then 15 min; a short success does not reset it | `rate_limited` |
//! | 500, 501, 503 | [`ServerTrouble`][Ending::ServerTrouble] | connecting | backs off | `server_trouble` |
//! | any other `failure` | [`Refused`][Ending::Refused] | stopped | waits for a person | `refused` |
//! | nothing for 55 s | [`Silence`][Ending::Silence] | connecting | hangs up, backs off | `silence` |
//! | the connection closes, breaks, carries garbage | [`Closed`][Ending::Closed], [`Broken`][Ending::Broken], [`Untrusted`][Ending::Untrusted] | connecting | backs off | `connection_lost` |
//! | no way to the service | [`NoNetwork`][Ending::NoNetwork] | waiting for the network | backs off | `no_network` |
//! | `ib` with `downgrade_webclient` | none: the codes stay | what to do on the phone | goes on with codes | `not_multi_device` |
//! | `passkey_prologue_request` | none: the connection stays | that a passkey is wanted, then a code to compare | hands the request out, the assertion and a person's word in | `passkey_given` |
//! | the same, and nothing is done for ten minutes | [`PasskeyLate`][Ending::PasskeyLate] | that it was too late | waits for a person | `passkey_late` |
//! | a step of it is refused | [`PasskeyRefused`][Ending::PasskeyRefused] | that it was not accepted | waits for a person | `passkey_refused` |
//! | six refs expire | [`RefsUsedUp`][Ending::RefsUsedUp] | fresh codes; after two rounds that the phone may be full; after ten minutes rest | asks for more, then rests | `nobody_scanned` |
//! | a number of production, on a box that is not | [`Forbidden`][Ending::Forbidden] | stopped, and why | does not link; unlinks at the service and forgets its keys | `number_of_production` |
//! | 463 in a message's ack | none: the link is well | online, with a warning of its own | the outbox gives the message up and slows down | `send_time_lock` |

use std::time::Duration;

/// How one connection ended, or why it never came about.
///
/// Nobody matches on this with a `_` arm: a new variant must force a decision everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Another socket logged in with our keys: `conflict type="replaced"`, or `stream:error` 409.
    Replaced,
    /// The owner or the service removed this device: `conflict type="device_removed"`,
    /// `stream:error` 401 and 516, `failure` 401 and 406.
    Removed(Remover),
    /// The service locked the account: `failure` 403.
    Locked,
    /// The account is banned for a while: `failure` 402.
    Banned {
        /// How long, counted from its arrival, where the service said so.
        lasts: Option<Duration>,
    },
    /// This client's version is no longer accepted: `failure` 405.
    Outdated,
    /// The service asks us to come back at once: `stream:error` 515.
    RestartWanted,
    /// Too many requests: 429.
    RateLimited,
    /// The service is in trouble, with its code: 500, 501, 503 and codes nobody has documented.
    ServerTrouble(u16),
    /// The service does not want a client of this kind: `failure` 400, 409, 413 to 418 and the
    /// codes nobody has documented.
    Refused(u16),
    /// No way to the service: no address for its name, no route, no answer in time.
    NoNetwork,
    /// Somebody answered, but neither TLS nor the service's own handshake came about.
    Untrusted,
    /// Nothing arrived for as long as even an idle connection never is: half-open.
    Silence,
    /// The service, or something in between, closed the connection.
    Closed,
    /// The connection broke while it was read or written.
    Broken,
    /// Nobody scanned while the service's codes lasted.
    RefsUsedUp,
    /// The service or the phone did not accept the passkey that somebody gave. A fresh code would
    /// only lead to the same question.
    PasskeyRefused,
    /// The service wanted a passkey, and nobody gave it or compared the codes in time.
    PasskeyLate,
    /// The phone has linked this device; the service wants it to log in now.
    Paired,
    /// The number belongs to production and this box does not: it will not be linked, and was
    /// unlinked if it had been.
    Forbidden,
    /// This room hung up itself, to show a fresh code.
    Asked,
}

/// Who removed this device, as far as the service tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remover {
    /// The owner did, in the phone's list of linked devices: `device_removed`.
    Owner,
    /// The service gives no reason: it may have been the owner while the box was away, or the
    /// service itself.
    Untold,
}

impl Ending {
    /// What a `stream:error` stanza means. `None` is no ending: the service reports a stanza it
    /// could not route and goes on, or ends the stream by itself in a moment.
    pub fn of_stream_error(code: Option<&str>, conflict: Option<&str>) -> Option<Self> {
        match conflict {
            Some("replaced") => return Some(Self::Replaced),
            Some("device_removed") => return Some(Self::Removed(Remover::Owner)),
            Some(_) => return Some(Self::Removed(Remover::Untold)),
            None => {}
        }
        Some(match code?.parse::<u16>().ok()? {
            401 | 516 => Self::Removed(Remover::Untold),
            409 => Self::Replaced,
            429 => Self::RateLimited,
            515 => Self::RestartWanted,
            other => Self::ServerTrouble(other),
        })
    }

    /// What a `failure` stanza means. `lasts` is its `expire`, in seconds from now.
    ///
    /// A code nobody has documented is a refusal: going on against a server that has just refused
    /// us is how accounts get banned.
    pub fn of_failure(reason: Option<u16>, lasts: Option<u64>) -> Self {
        match reason {
            Some(401 | 406) => Self::Removed(Remover::Untold),
            Some(402) => Self::Banned {
                lasts: lasts.map(Duration::from_secs),
            },
            Some(403) => Self::Locked,
            Some(405) => Self::Outdated,
            Some(429) => Self::RateLimited,
            Some(code @ (500 | 501 | 503)) => Self::ServerTrouble(code),
            Some(code) => Self::Refused(code),
            None => Self::Refused(0),
        }
    }

    /// What a status other than 101 means when the WebSocket is asked for.
    pub fn of_upgrade(status: u16) -> Self {
        match status {
            429 => Self::RateLimited,
            other => Self::ServerTrouble(other),
        }
    }

    /// A later ending may take this one's place: it says what was seen, not what was decided.
    pub fn is_symptom(self) -> bool {
        match self {
            Self::ServerTrouble(_)
            | Self::NoNetwork
            | Self::Untrusted
            | Self::Silence
            | Self::Closed
            | Self::Broken => true,
            Self::Replaced
            | Self::Removed(_)
            | Self::Locked
            | Self::Banned { .. }
            | Self::Outdated
            | Self::RestartWanted
            | Self::RateLimited
            | Self::Refused(_)
            | Self::RefsUsedUp
            | Self::PasskeyRefused
            | Self::PasskeyLate
            | Self::Paired
            | Self::Forbidden
            | Self::Asked => false,
        }
    }

    /// The ending must still be known after a restart of the process, so it goes to disk before
    /// anything else happens.
    pub fn is_kept(self) -> bool {
        match self {
            Self::Replaced
            | Self::Removed(_)
            | Self::Locked
            | Self::Banned { .. }
            | Self::Outdated
            | Self::RateLimited
            | Self::Refused(_) => true,
            Self::RestartWanted
            | Self::ServerTrouble(_)
            | Self::NoNetwork
            | Self::Untrusted
            | Self::Silence
            | Self::Closed
            | Self::Broken
            | Self::RefsUsedUp
            | Self::PasskeyRefused
            | Self::PasskeyLate
            | Self::Paired
            | Self::Forbidden
            | Self::Asked => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_errors_mean_what_the_field_says_they_mean() {
        let removed = |by| Some(Ending::Removed(by));
        let table = [
            (None, Some("replaced"), Some(Ending::Replaced)),
            (Some("401"), Some("device_removed"), removed(Remover::Owner)),
            (None, Some("never_seen"), removed(Remover::Untold)),
            (Some("401"), None, removed(Remover::Untold)),
            (Some("516"), None, removed(Remover::Untold)),
            (Some("409"), None, Some(Ending::Replaced)),
            (Some("515"), None, Some(Ending::RestartWanted)),
            (Some("429"), None, Some(Ending::RateLimited)),
            (Some("500"), None, Some(Ending::ServerTrouble(500))),
            (Some("503"), None, Some(Ending::ServerTrouble(503))),
            (Some("999"), None, Some(Ending::ServerTrouble(999))),
            (None, None, None),
            (Some(""), None, None),
            (Some("ack"), None, None),
        ];
        for (code, conflict, meaning) in table {
            assert_eq!(
                Ending::of_stream_error(code, conflict),
                meaning,
                "code {code:?}, conflict {conflict:?}"
            );
        }
    }

    #[test]
    fn failures_mean_what_the_field_says_they_mean() {
        let hour = Duration::from_secs(3600);
        let table = [
            (Some(400), None, Ending::Refused(400)),
            (Some(401), None, Ending::Removed(Remover::Untold)),
            (Some(402), Some(3600), Ending::Banned { lasts: Some(hour) }),
            (Some(402), None, Ending::Banned { lasts: None }),
            (Some(403), None, Ending::Locked),
            (Some(405), None, Ending::Outdated),
            (Some(406), None, Ending::Removed(Remover::Untold)),
            (Some(409), None, Ending::Refused(409)),
            (Some(413), None, Ending::Refused(413)),
            (Some(414), None, Ending::Refused(414)),
            (Some(415), None, Ending::Refused(415)),
            (Some(418), None, Ending::Refused(418)),
            (Some(429), None, Ending::RateLimited),
            (Some(500), None, Ending::ServerTrouble(500)),
            (Some(501), None, Ending::ServerTrouble(501)),
            (Some(503), None, Ending::ServerTrouble(503)),
            (Some(999), None, Ending::Refused(999)),
            (None, None, Ending::Refused(0)),
        ];
        for (reason, lasts, meaning) in table {
            assert_eq!(Ending::of_failure(reason, lasts), meaning, "{reason:?}");
        }
    }
}
