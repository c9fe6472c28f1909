//! Faults on demand: what shall go wrong, for whom, how often. It decides; the places where things go
//! wrong ask it. It must never strike a number it was not set for.
//!
//! A fault is for one `number` (all its linked devices; its phone with `ignore_retries` alone), for
//! one `device` of it, or for everyone. There are two sorts:
//!
//! | kind | when | what happens |
//! |---|---|---|
//! | `drop` | at once | the TCP connection ends without a word |
//! | `stall` | at once | the connection stays open; nothing is read or written any more |
//! | `stream_error` | at once | `<stream:error code=…/>` (default 503), then the connection closes |
//! | `conflict_replaced` | at once | thrown out as if another server had taken the keys |
//! | `conflict_removed` | at once | thrown out as if the person had removed the device; it stays listed |
//! | `corrupt_frame` | at once | a frame that cannot be decrypted |
//! | `downgrade_webclient` | at once | `<ib><downgrade_webclient/></ib>` |
//! | `failure` | standing | a login ends with `<failure reason=…/>` (default 500); with `until`, it says when that ends |
//! | `temp_ban` | standing | a login ends with 402, with its expiry if `until` is given |
//! | `refuse_login` | standing | a login ends with `<failure reason=…/>` (default 503) |
//! | `delay` | standing | everything the server writes is `delay_ms` late, in order |
//! | `withhold_acks` | standing | messages are taken and delivered, the server's ack is not sent |
//! | `refuse_acks` | standing | messages are refused in the ack with `code` (default 463), and not delivered |
//! | `duplicate` | standing | messages arrive twice |
//! | `reorder` | standing | a message arrives behind the one that follows it |
//! | `ignore_retries` | standing | the number's phone does not answer retry receipts: what a device could not read is not sent again |
//! | `refuse_passkey` | standing | the steps of linking the number with a passkey are refused with `code` (default 403) |
//! | `clear` | at once | every fault set for this number and device (or for everyone) ends |
//!
//! `times` is how often it happens; without it a fault of the first sort happens once and a standing
//! one until it is cleared. A fault of the first sort that finds fewer live connections than `times`
//! waits for the next logins. `until` is Unix seconds: the end of a ban, and of any standing fault.
//! For faults of the first sort `delay_ms` postpones the blow.

mod strikes;

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What goes wrong; the module's documentation has the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The connection ends without a word.
    Drop,
    /// The connection goes half open.
    Stall,
    /// A stream error with a code.
    StreamError,
    /// Thrown out by another server with the same keys.
    ConflictReplaced,
    /// Thrown out because the device was removed.
    ConflictRemoved,
    /// A frame that cannot be decrypted.
    CorruptFrame,
    /// The phone does not know multi-device.
    DowngradeWebclient,
    /// Logins fail with a code.
    Failure,
    /// Logins fail with a temporary ban.
    TempBan,
    /// Logins are refused.
    RefuseLogin,
    /// The server writes late.
    Delay,
    /// The server does not acknowledge messages.
    WithholdAcks,
    /// The server refuses messages.
    RefuseAcks,
    /// Messages arrive twice.
    Duplicate,
    /// Messages arrive in another order.
    Reorder,
    /// A phone does not answer retry receipts.
    IgnoreRetries,
    /// A linking with a passkey is refused.
    RefusePasskey,
    /// All faults end.
    Clear,
}

impl Kind {
    fn strikes_at_once(self) -> bool {
        match self {
            Self::Drop
            | Self::Stall
            | Self::StreamError
            | Self::ConflictReplaced
            | Self::ConflictRemoved
            | Self::CorruptFrame
            | Self::DowngradeWebclient
            | Self::Clear => true,
            Self::Failure
            | Self::TempBan
            | Self::RefuseLogin
            | Self::Delay
            | Self::WithholdAcks
            | Self::RefuseAcks
            | Self::Duplicate
            | Self::Reorder
            | Self::IgnoreRetries
            | Self::RefusePasskey => false,
        }
    }
}

/// A fault as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// For this number; without it, for everyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// For this linked device of the number; without it, for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<u16>,
    /// What goes wrong.
    pub kind: Kind,
    /// A code, where the kind has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// How often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

impl Fault {
    /// A fault of this kind for everyone, with nothing else said.
    pub fn new(kind: Kind) -> Self {
        Self {
            number: None,
            device: None,
            kind,
            code: None,
            times: None,
            delay_ms: None,
            until: None,
        }
    }

    /// For one number only.
    #[must_use]
    pub fn on(mut self, number: &str) -> Self {
        self.number = Some(number.into());
        self
    }

    /// For one linked device of the number only.
    #[must_use]
    pub fn device(mut self, device: u16) -> Self {
        self.device = Some(device);
        self
    }

    /// With a code.
    #[must_use]
    pub fn code(mut self, code: u16) -> Self {
        self.code = Some(code);
        self
    }

    /// So many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Late by so many milliseconds.
    #[must_use]
    pub fn delay_ms(mut self, delay: u64) -> Self {
        self.delay_ms = Some(delay);
        self
    }

    /// Until a Unix time.
    #[must_use]
    pub fn until(mut self, until: u64) -> Self {
        self.until = Some(until);
        self
    }
}

/// Somebody a fault may be for: a number, and one of its linked devices.
pub(crate) type Who<'a> = (&'a str, u16);

impl Fault {
    fn is_for(&self, who: Option<Who<'_>>) -> bool {
        match (&self.number, who) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(wanted), Some((number, device))) => {
                wanted == number && self.device.is_none_or(|wanted| wanted == device)
            }
        }
    }
}

/// What is to become of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginVerdict {
    /// It may go on.
    Admit,
    /// It ends with a failure.
    Refuse {
        /// The failure's reason.
        reason: u16,
        /// Seconds until a ban ends.
        expire: Option<u64>,
    },
}

/// The faults in force.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Uses a fault of one of these kinds up by one, if one is in force for the number.
    fn take(&mut self, kinds: &[Kind], who: Option<Who<'_>>) -> Option<Fault> {
        let now = crate::unix_now();
        self.0
            .retain(|fault| fault.times != Some(0) && fault.until.is_none_or(|until| until > now));
        let strikes = |fault: &&mut Fault| kinds.contains(&fault.kind) && fault.is_for(who);
        let fault = self.0.iter_mut().find(strikes)?;
        let found = fault.clone();
        if let Some(times) = &mut fault.times {
            *times -= 1;
        }
        Some(found)
    }

    /// How late the next stanza for a device is.
    pub(crate) fn delay(&mut self, who: Option<Who<'_>>) -> Option<Duration> {
        let fault = self.take(&[Kind::Delay], who)?;
        Some(Duration::from_millis(fault.delay_ms.unwrap_or(1000)))
    }

    /// What becomes of a login of a device.
    pub(crate) fn login(&mut self, who: Who<'_>, now: u64) -> LoginVerdict {
        self.verdict(Some(who), now)
    }

    /// What becomes of a client that wants to be linked.
    pub(crate) fn registration(&mut self) -> LoginVerdict {
        self.verdict(None, crate::unix_now())
    }

    fn verdict(&mut self, who: Option<Who<'_>>, now: u64) -> LoginVerdict {
        let kinds = [Kind::Failure, Kind::TempBan, Kind::RefuseLogin];
        let Some(fault) = self.take(&kinds, who) else {
            return LoginVerdict::Admit;
        };
        let reason = match fault.kind {
            Kind::TempBan => 402,
            Kind::Failure => fault.code.unwrap_or(500),
            _ => fault.code.unwrap_or(503),
        };
        LoginVerdict::Refuse {
            reason,
            expire: fault.until.map(|until| until.saturating_sub(now)),
        }
    }

    /// Whether the ack of a message is withheld.
    pub(crate) fn withholds_ack(&mut self, who: Who<'_>) -> bool {
        self.take(&[Kind::WithholdAcks], Some(who)).is_some()
    }

    /// The code a message is refused with.
    pub(crate) fn refuses(&mut self, who: Who<'_>) -> Option<u16> {
        let fault = self.take(&[Kind::RefuseAcks], Some(who))?;
        Some(fault.code.unwrap_or(463))
    }

    /// Whether a number's phone leaves a retry receipt unanswered.
    pub(crate) fn ignores_retry(&mut self, number: &str) -> bool {
        self.take(&[Kind::IgnoreRetries], Some((number, 0)))
            .is_some()
    }

    /// The code that a step of linking a number with a passkey is refused with.
    pub(crate) fn refuses_passkey(&mut self, number: &str) -> Option<u16> {
        let fault = self.take(&[Kind::RefusePasskey], Some((number, 0)))?;
        Some(fault.code.unwrap_or(403))
    }

    /// Whether a message arrives twice.
    fn duplicates(&mut self, who: Option<Who<'_>>) -> bool {
        self.take(&[Kind::Duplicate], who).is_some()
    }

    /// Whether a message waits for the next one.
    fn reorders(&mut self, who: Option<Who<'_>>) -> bool {
        self.take(&[Kind::Reorder], who).is_some()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_fault_strikes_its_number_as_often_as_it_says() {
        let mut faults = Faults(vec![
            Fault::new(Kind::RefuseAcks).on("573000000001").times(2),
        ]);
        assert_eq!(faults.refuses(("573000000002", 1)), None);
        assert_eq!(faults.refuses(("573000000001", 1)), Some(463));
        assert_eq!(faults.refuses(("573000000001", 2)), Some(463));
        assert_eq!(faults.refuses(("573000000001", 1)), None);
    }

    #[test]
    fn a_fault_for_one_device_spares_the_others() {
        let fault = Fault::new(Kind::WithholdAcks).on("573000000001").device(2);
        let mut faults = Faults(vec![fault]);
        assert!(!faults.withholds_ack(("573000000001", 1)));
        assert!(faults.withholds_ack(("573000000001", 2)));
        assert!(!faults.withholds_ack(("573000000002", 2)));
    }

    #[test]
    fn a_ban_says_when_it_ends_only_if_that_was_asked_for() {
        let now = crate::unix_now();
        let mut faults = Faults(vec![
            Fault::new(Kind::TempBan).times(1).until(now + 90),
            Fault::new(Kind::TempBan).times(1),
        ]);
        let LoginVerdict::Refuse { reason, expire } = faults.login(("573000000001", 1), now) else {
            unreachable!("not refused");
        };
        assert_eq!((reason, expire), (402, Some(90)));
        assert_eq!(
            faults.login(("573000000001", 1), now),
            LoginVerdict::Refuse {
                reason: 402,
                expire: None
            }
        );
        assert_eq!(faults.login(("573000000001", 1), now), LoginVerdict::Admit);
    }

    #[test]
    fn the_words_of_the_control_interface_are_read() {
        let fault: Fault =
            serde_json::from_str(r#"{"number":"573000000001","kind":"stream_error","code":515}"#)
                .unwrap();
        assert_eq!(
            fault,
            Fault::new(Kind::StreamError).on("573000000001").code(515)
        );
    }
}
