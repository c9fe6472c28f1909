//! Linking by code: the primary's side of the exchange.
//!
//! Owns the exchange under way. The code never travels: it only keys what does. It must never
//! endorse a companion whose key bundle the code did not open.

use wacore::crypto::hkdf_sha256_into;
use wacore::pair_code::PairCodeUtils;
use wacore_libsignal::crypto::aes_256_gcm_decrypt;
use wacore_libsignal::protocol::KeyPair;

use super::signal::{bare, public};
use super::{Endorsement, Phone, PhoneError, rng};

const BUNDLE_INFO: &[u8] = b"link_code_pairing_key_bundle_encryption_key";
const ADV_INFO: &[u8] = b"adv_secret";

/// What the phone answers to a companion's hello once the code was typed in.
#[derive(Debug, Clone)]
pub struct PrimaryHello {
    /// The phone's ephemeral key, wrapped with the code: salt, IV, key, 80 bytes.
    pub wrapped_ephemeral: Vec<u8>,
    /// The phone's identity key.
    pub identity: [u8; 32],
}

pub(super) struct Exchange {
    ephemeral: KeyPair,
    companion_ephemeral: [u8; 32],
}

impl Phone {
    /// A person typed in the code that their companion shows. `wrapped_companion_ephemeral` is
    /// what the companion's hello carried. Whether the code was right shows only in
    /// [`Phone::finish_code`].
    pub fn enter_code(
        &mut self,
        code: &str,
        wrapped_companion_ephemeral: &[u8],
    ) -> Result<PrimaryHello, PhoneError> {
        if !self.multidevice {
            return Err(PhoneError::NotMultidevice);
        }
        // People type the hyphen they see, and lower case.
        let code: String = code
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|letter| letter.to_ascii_uppercase())
            .collect();
        if !PairCodeUtils::validate_code(&code) {
            return Err(PhoneError::WrongCode);
        }
        // Both sides wrap their ephemeral the same way, so one unwrapping serves both.
        let companion_ephemeral =
            PairCodeUtils::decrypt_primary_ephemeral_pub(wrapped_companion_ephemeral, &code)
                .map_err(|_| PhoneError::Malformed("companion hello"))?;
        let ephemeral = KeyPair::generate(&mut rng());
        let wrapped_ephemeral =
            PairCodeUtils::encrypt_ephemeral_pub(&bare(&ephemeral.public_key), &code).to_vec();
        self.pairing = Some(Exchange {
            ephemeral,
            companion_ephemeral,
        });
        Ok(PrimaryHello {
            wrapped_ephemeral,
            identity: self.signal.identity_bytes(),
        })
    }

    /// Opens the key bundle of the companion's finish and endorses it as device `device_index`.
    pub fn finish_code(
        &mut self,
        wrapped_key_bundle: &[u8],
        companion_identity: &[u8; 32],
        device_index: u16,
    ) -> Result<Endorsement, PhoneError> {
        let exchange = self.pairing.take().ok_or(PhoneError::NoPairing)?;
        let wrong = |_| PhoneError::WrongCode;
        let shared = exchange
            .ephemeral
            .calculate_agreement(&public(&exchange.companion_ephemeral)?)
            .map_err(wrong)?;
        let (salt, rest) = wrapped_key_bundle
            .split_first_chunk::<32>()
            .ok_or(PhoneError::Malformed("key bundle"))?;
        let (iv, ciphertext) = rest
            .split_first_chunk::<12>()
            .ok_or(PhoneError::Malformed("key bundle"))?;
        let mut key = [0; 32];
        hkdf_sha256_into(&shared, Some(salt), BUNDLE_INFO, &mut key)
            .map_err(|_| PhoneError::Malformed("key length"))?;
        let mut bundle = Vec::new();
        aes_256_gcm_decrypt(&key, iv, b"", ciphertext, &mut bundle)
            .map_err(|_| PhoneError::WrongCode)?;
        let [companion, primary, random] = bundle
            .as_chunks::<32>()
            .0
            .try_into()
            .map_err(|_| PhoneError::Malformed("key bundle"))?;
        if companion != *companion_identity || primary != self.signal.identity_bytes() {
            return Err(PhoneError::Forged("key bundle"));
        }
        let identity_shared = self
            .signal
            .identity()
            .private_key()
            .calculate_agreement(&public(&companion)?)
            .map_err(|_| PhoneError::Forged("identity key"))?;
        let mut adv_secret = [0; 32];
        hkdf_sha256_into(
            &[shared, identity_shared, random].concat(),
            None,
            ADV_INFO,
            &mut adv_secret,
        )
        .map_err(|_| PhoneError::Malformed("key length"))?;
        self.endorse(companion, &adv_secret, device_index)
    }
}
