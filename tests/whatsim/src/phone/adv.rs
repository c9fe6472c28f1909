//! Endorsing companions: account device verification (ADV).
//!
//! Owns the list of companions and the signatures that bind their identity keys to the account's.
//! It must never endorse a fifth device, nor count one as linked before it countersigned.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use buffa::Message as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use wacore::companion_reg::NATIVE_CAMERA_DEEP_LINK_PREFIX;
use waproto::whatsapp as wa;

use super::signal::{Signal, public};
use super::{COMPANION_SLOTS, Phone, PhoneError, unix_now};

/// Domain separators of the signatures, from the web client's ADV constants.
const ACCOUNT_SIGNATURE: &[u8] = &[6, 0];
const DEVICE_SIGNATURE: &[u8] = &[6, 1];
const KEY_INDEX_LIST: &[u8] = &[6, 2];

/// What a linking QR says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedQr {
    /// The ref the service handed out.
    pub reference: String,
    /// The companion's Noise key.
    pub noise: [u8; 32],
    /// The companion's identity key.
    pub identity: [u8; 32],
    /// The secret that authenticates the endorsement.
    pub adv_secret: [u8; 32],
    /// What kind of client it says it is, where the QR says so.
    pub client_type: Option<String>,
}

impl ScannedQr {
    /// Reads the text of a QR, with or without the deep-link prefix for the system camera.
    pub fn parse(text: &str) -> Result<Self, PhoneError> {
        let text = text
            .strip_prefix(NATIVE_CAMERA_DEEP_LINK_PREFIX)
            .unwrap_or(text);
        let mut fields = text.split(',');
        let mut next = || fields.next().filter(|field| !field.is_empty());
        let reference = next().ok_or(PhoneError::BadQr("no ref"))?.to_owned();
        let mut key = |what| {
            let bytes = next()
                .and_then(|field| BASE64_STANDARD.decode(field).ok())
                .ok_or(PhoneError::BadQr(what))?;
            bytes.try_into().map_err(|_| PhoneError::BadQr(what))
        };
        Ok(Self {
            reference,
            noise: key("no Noise key")?,
            identity: key("no identity key")?,
            adv_secret: key("no ADV secret")?,
            client_type: next().map(str::to_owned),
        })
    }
}

/// What the phone hands the service so that it can complete a linking.
#[derive(Debug, Clone)]
pub struct Endorsement {
    /// An encoded `ADVSignedDeviceIdentityHMAC`, for `pair-success`.
    pub device_identity: Vec<u8>,
    /// The companion's place in the key index list.
    pub key_index: u32,
    /// The new signed key index list, this companion included.
    pub key_index_list: Vec<u8>,
}

struct Companion {
    key_index: u32,
    identity: [u8; 32],
    details: Vec<u8>,
    account_signature: [u8; 64],
    linked: bool,
}

pub(super) struct Adv {
    raw_id: u32,
    last_index: u32,
    changed_at: u64,
    companions: BTreeMap<u16, Companion>,
}

impl Adv {
    pub(super) fn new() -> Self {
        Self {
            raw_id: rand::random_range(1..=u32::MAX >> 1),
            last_index: 0,
            changed_at: unix_now(),
            companions: BTreeMap::new(),
        }
    }

    pub(super) fn linked(&self) -> Vec<u16> {
        self.companions
            .iter()
            .filter(|(_, companion)| companion.linked)
            .map(|(device, _)| *device)
            .collect()
    }

    pub(super) fn remove(&mut self, device: u16) {
        if self.companions.remove(&device).is_some() {
            self.changed_at = unix_now();
        }
    }

    pub(super) fn raw_id(&self) -> u32 {
        self.raw_id
    }

    pub(super) fn last_index(&self) -> u32 {
        self.last_index
    }

    fn endorse(
        &mut self,
        signal: &Signal,
        identity: [u8; 32],
        adv_secret: &[u8; 32],
        device: u16,
    ) -> Result<(Vec<u8>, u32), PhoneError> {
        if self.companions.len() >= COMPANION_SLOTS {
            // One that was endorsed and never came back must not hold a slot for ever.
            self.companions.retain(|_, companion| companion.linked);
        }
        if self.companions.len() >= COMPANION_SLOTS {
            return Err(PhoneError::NoFreeSlot);
        }
        self.last_index += 1;
        self.changed_at = unix_now();
        let details = wa::ADVDeviceIdentity {
            raw_id: Some(self.raw_id),
            timestamp: Some(self.changed_at),
            key_index: Some(self.last_index),
            account_type: Some(wa::ADVEncryptionType::E2EE),
            device_type: Some(wa::ADVEncryptionType::E2EE),
        }
        .encode_to_vec();
        let account_signature =
            signal.sign(&[ACCOUNT_SIGNATURE, &details[..], &identity[..]].concat());
        let signed = wa::ADVSignedDeviceIdentity {
            details: Some(details.clone()),
            account_signature_key: Some(signal.identity_bytes().to_vec()),
            account_signature: Some(account_signature.to_vec()),
            device_signature: None,
        }
        .encode_to_vec();
        let mut mac = Hmac::<Sha256>::new_from_slice(adv_secret)
            .map_err(|_| PhoneError::Malformed("ADV secret"))?;
        mac.update(&signed);
        let container = wa::ADVSignedDeviceIdentityHMAC {
            hmac: Some(mac.finalize().into_bytes().to_vec()),
            details: Some(signed),
            account_type: Some(wa::ADVEncryptionType::E2EE),
        };
        self.companions.insert(
            device,
            Companion {
                key_index: self.last_index,
                identity,
                details,
                account_signature,
                linked: false,
            },
        );
        Ok((container.encode_to_vec(), self.last_index))
    }

    fn countersigned(&mut self, signal: &Signal, answer: &[u8]) -> Result<u16, PhoneError> {
        let answer = wa::ADVSignedDeviceIdentity::decode_from_slice(answer)
            .map_err(|_| PhoneError::Malformed("device identity"))?;
        let details = answer.details.unwrap_or_default();
        let (device, companion) = self
            .companions
            .iter_mut()
            .find(|(_, companion)| companion.details == details)
            .ok_or(PhoneError::Forged("device identity"))?;
        if answer.account_signature.as_deref() != Some(&companion.account_signature[..]) {
            return Err(PhoneError::Forged("copy of the account signature"));
        }
        let message = [
            DEVICE_SIGNATURE,
            &details[..],
            &companion.identity[..],
            &signal.identity_bytes()[..],
        ]
        .concat();
        let signature = answer.device_signature.unwrap_or_default();
        if !public(&companion.identity)?.verify_signature(&message, &signature) {
            return Err(PhoneError::Forged("device signature"));
        }
        companion.linked = true;
        Ok(*device)
    }

    fn key_index_list(&self, signal: &Signal) -> Vec<u8> {
        let details = wa::ADVKeyIndexList {
            raw_id: Some(self.raw_id),
            timestamp: Some(self.changed_at),
            current_index: Some(self.last_index),
            // 0 is the phone itself.
            valid_indexes: std::iter::once(0)
                .chain(
                    self.companions
                        .values()
                        .map(|companion| companion.key_index),
                )
                .collect(),
            account_type: Some(wa::ADVEncryptionType::E2EE),
        }
        .encode_to_vec();
        let signature = signal.sign(&[KEY_INDEX_LIST, &details[..]].concat());
        wa::ADVSignedKeyIndexList {
            details: Some(details),
            account_signature: Some(signature.to_vec()),
            account_signature_key: None,
        }
        .encode_to_vec()
    }
}

impl Phone {
    /// Endorses the companion whose QR was scanned, as device `device_index` of the account.
    pub fn endorse_qr(
        &mut self,
        qr: &ScannedQr,
        device_index: u16,
    ) -> Result<Endorsement, PhoneError> {
        self.endorse(qr.identity, &qr.adv_secret, device_index)
    }

    pub(super) fn endorse(
        &mut self,
        identity: [u8; 32],
        adv_secret: &[u8; 32],
        device_index: u16,
    ) -> Result<Endorsement, PhoneError> {
        if !self.multidevice {
            return Err(PhoneError::NotMultidevice);
        }
        let (device_identity, key_index) =
            self.adv
                .endorse(&self.signal, identity, adv_secret, device_index)?;
        Ok(Endorsement {
            device_identity,
            key_index,
            key_index_list: self.key_index_list(),
        })
    }

    /// Checks the companion's answer to `pair-success` and counts it as linked from now on. The
    /// answer is its device index.
    pub fn countersigned(
        &mut self,
        device_identity_from_companion: &[u8],
    ) -> Result<u16, PhoneError> {
        self.adv
            .countersigned(&self.signal, device_identity_from_companion)
    }

    /// An encoded `ADVSignedKeyIndexList`: which companions are valid, for device queries.
    pub fn key_index_list(&self) -> Vec<u8> {
        self.adv.key_index_list(&self.signal)
    }
}
