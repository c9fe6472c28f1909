//! Why the simulator would not do what it was asked, with the reason a program can read.

use crate::phone::PhoneError;

/// A refusal.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SimError {
    /// Not a phone number.
    #[error("a number is digits only, with its country code")]
    BadNumber,
    /// The number has an account.
    #[error("there is a phone with this number already")]
    NumberTaken,
    /// No account has the number.
    #[error("there is no phone with this number; add it first")]
    NoSuchPhone,
    /// No such linked device.
    #[error("the phone has no such linked device")]
    NoSuchDevice,
    /// No such group.
    #[error("there is no such group")]
    NoSuchGroup,
    /// The phone sent no such message.
    #[error("the phone sent no message with this id")]
    NoSuchMessage,
    /// The text is not a linking QR of a client that is connected here.
    #[error("not a linking QR of a connected client: {0}")]
    BadQr(String),
    /// The ref is not on offer any more.
    #[error("the ref in this QR has expired")]
    ExpiredRef,
    /// Four devices are linked.
    #[error("the phone has four linked devices; remove one first")]
    NoFreeSlot,
    /// The phone cannot link devices.
    #[error("the phone is too old to link devices")]
    NotMultidevice,
    /// No client asked for a pairing code for this number, or the code is wrong.
    #[error("the pairing code was not accepted: {0}")]
    BadCode(String),
    /// The phone has no passkey for what is asked.
    #[error("the phone has no passkey for this")]
    NoPasskey,
    /// No companion is being linked with a passkey, so the phone shows no code.
    #[error("the phone shows no code: no linking with a passkey is that far")]
    NoPairing,
    /// What was handed in for a passkey does not prove it.
    #[error("the passkey is not proven: {0}")]
    BadAssertion(String),
    /// The companion did not complete the linking.
    #[error("the companion did not complete the linking: {0}")]
    NotLinked(String),
    /// A fault of this description does not exist.
    #[error("no such fault: {0}")]
    BadFault(String),
    /// The request could not be read.
    #[error("{0}")]
    BadRequest(String),
    /// The phone would not do it.
    #[error("the phone refused: {0}")]
    Phone(String),
    /// The phone is in the middle of something.
    #[error("the phone is busy")]
    Busy,
}

impl SimError {
    /// The reason in snake case, stable for programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::BadNumber => "bad_number",
            Self::NumberTaken => "number_taken",
            Self::NoSuchPhone => "no_such_phone",
            Self::NoSuchDevice => "no_such_device",
            Self::NoSuchGroup => "no_such_group",
            Self::NoSuchMessage => "no_such_message",
            Self::BadQr(_) => "bad_qr",
            Self::ExpiredRef => "expired_ref",
            Self::NoFreeSlot => "no_free_slot",
            Self::NotMultidevice => "not_multidevice",
            Self::BadCode(_) => "bad_code",
            Self::NoPasskey => "no_passkey",
            Self::NoPairing => "no_pairing",
            Self::BadAssertion(_) => "bad_assertion",
            Self::NotLinked(_) => "not_linked",
            Self::BadFault(_) => "bad_fault",
            Self::BadRequest(_) => "bad_request",
            Self::Phone(_) => "phone_refused",
            Self::Busy => "busy",
        }
    }

    /// The HTTP status that goes with it.
    pub fn status(&self) -> u16 {
        match self {
            Self::NoSuchPhone
            | Self::NoSuchDevice
            | Self::NoSuchGroup
            | Self::NoSuchMessage
            | Self::NoPasskey
            | Self::NoPairing => 404,
            Self::NumberTaken | Self::NoFreeSlot | Self::Busy => 409,
            Self::ExpiredRef => 410,
            Self::BadNumber
            | Self::BadQr(_)
            | Self::NotMultidevice
            | Self::BadCode(_)
            | Self::BadAssertion(_)
            | Self::NotLinked(_)
            | Self::BadFault(_)
            | Self::BadRequest(_)
            | Self::Phone(_) => 400,
        }
    }
}

/// What the phone said, in the words of the control interface.
pub(crate) fn refusal(error: PhoneError) -> SimError {
    match error {
        PhoneError::NoFreeSlot => SimError::NoFreeSlot,
        PhoneError::NotMultidevice => SimError::NotMultidevice,
        PhoneError::BadQr(what) => SimError::BadQr(what.into()),
        PhoneError::WrongCode | PhoneError::NoPairing => SimError::BadCode(error.to_string()),
        PhoneError::NoPasskey => SimError::NoPasskey,
        PhoneError::Forged(_)
        | PhoneError::Malformed(_)
        | PhoneError::Unreachable(_)
        | PhoneError::Duplicate
        | PhoneError::Signal(_) => SimError::Phone(error.to_string()),
    }
}
