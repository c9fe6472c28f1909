//! Linking with a passkey: the phone's side, and the passkey itself.
//!
//! Owns the key that a real phone keeps where no program reads it, and the exchange under way. The
//! companion commits to a nonce before it sees the phone's, so the code that both then show cannot
//! be steered by whoever carries the stanzas. It must never endorse a companion whose nonce does not
//! open its commitment, or whose keys did not travel under the key the two agreed on.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use buffa::{Enumeration as _, Message as _};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use wacore::crypto::hkdf_sha256_into;
use wacore_libsignal::crypto::aes_256_gcm_decrypt;
use wacore_libsignal::protocol::KeyPair;
use waproto::whatsapp as wa;

use super::signal::{bare, public};
use super::{Endorsement, Phone, PhoneError, rng};

/// The site every passkey of an account is for.
pub const RP_ID: &str = "whatsapp.com";
/// Where a browser shows the request.
const ORIGIN: &str = "https://web.whatsapp.com";
/// WebAuthn's flags: somebody was there, was recognised, and the key is kept in a backup.
const FLAGS: u8 = 0x01 | 0x04 | 0x08 | 0x10;
/// As the web client has it; the key's salt names the device and its ref.
const KEY_INFO: &[u8] = b"Pairing Information Encryption Key";
/// The letters of every code that WhatsApp shows.
const LETTERS: &[u8; 32] = b"123456789ABCDEFGHJKLMNPQRSTVWXYZ";

/// The account's passkey, as the phone holds it.
pub(super) struct Passkey {
    key: EcdsaKeyPair,
    credential: [u8; 16],
    uses: u32,
}

/// What the service knows of a passkey.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Its id.
    pub id: Vec<u8>,
    /// Its public key: a point of P-256, uncompressed.
    pub public_key: Vec<u8>,
}

pub(super) struct Exchange {
    ephemeral: KeyPair,
    nonce: [u8; 32],
    identity: Vec<u8>,
    commitment: Vec<u8>,
    companion_ephemeral: [u8; 32],
    salt: String,
    code: Option<String>,
}

impl Phone {
    /// Makes a passkey and keeps it. The answer is what the service is told of it.
    pub fn make_passkey(&mut self) -> Result<Credential, PhoneError> {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let failed = |_| PhoneError::Malformed("passkey");
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(failed)?;
        let key = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random)
            .map_err(|_| PhoneError::Malformed("passkey"))?;
        let credential: [u8; 16] = rand::random();
        let known = Credential {
            id: credential.to_vec(),
            public_key: key.public_key().as_ref().to_vec(),
        };
        self.passkey = Some(Passkey {
            key,
            credential,
            uses: 0,
        });
        Ok(known)
    }

    /// A person signs a request of the service with the passkey, in a browser on WhatsApp's own
    /// page: what `PublicKeyCredential.toJSON()` gives there.
    pub fn sign_request(&mut self, options: &Value) -> Result<Value, PhoneError> {
        let passkey = self.passkey.as_mut().ok_or(PhoneError::NoPasskey)?;
        let challenge = options["challenge"]
            .as_str()
            .ok_or(PhoneError::Malformed("request for a passkey"))?;
        let id = BASE64_URL_SAFE_NO_PAD.encode(passkey.credential);
        let allowed = options["allowCredentials"].as_array();
        let is_allowed = allowed.is_none_or(|allowed| {
            allowed.is_empty() || allowed.iter().any(|listed| listed["id"] == *id)
        });
        if options["rpId"] != RP_ID || !is_allowed {
            return Err(PhoneError::NoPasskey);
        }
        passkey.uses += 1;
        let client_data = json!({
            "type": "webauthn.get",
            "challenge": challenge,
            "origin": ORIGIN,
            "crossOrigin": false,
        })
        .to_string();
        let mut authenticator_data = Sha256::digest(RP_ID).to_vec();
        authenticator_data.push(FLAGS);
        authenticator_data.extend(passkey.uses.to_be_bytes());
        let signed = [
            &authenticator_data[..],
            &Sha256::digest(client_data.as_bytes())[..],
        ]
        .concat();
        let signature = passkey
            .key
            .sign(&SystemRandom::new(), &signed)
            .map_err(|_| PhoneError::Malformed("passkey"))?;
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        Ok(json!({
            "id": id,
            "rawId": id,
            "type": "public-key",
            "authenticatorAttachment": "cross-platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": text(client_data.as_bytes()),
                "authenticatorData": text(&authenticator_data),
                "signature": text(signature.as_ref()),
                "userHandle": text(self.pn.user.as_bytes()),
            },
        }))
    }

    /// A companion proved the passkey. The answer is an encoded `PrimaryEphemeralIdentity`.
    pub fn begin_passkey(&mut self, prologue: &[u8]) -> Result<Vec<u8>, PhoneError> {
        if !self.multidevice {
            return Err(PhoneError::NotMultidevice);
        }
        let malformed = |_| PhoneError::Malformed("prologue");
        let missing = PhoneError::Malformed("prologue");
        let prologue = wa::ProloguePayload::decode_from_slice(prologue).map_err(malformed)?;
        let commitment = prologue.commitment.as_option();
        let commitment = commitment.and_then(|commitment| commitment.hash.clone());
        let (Some(identity), Some(commitment)) =
            (prologue.companion_ephemeral_identity, commitment)
        else {
            return Err(missing);
        };
        let companion =
            wa::CompanionEphemeralIdentity::decode_from_slice(&identity).map_err(malformed)?;
        let companion_ephemeral = companion.public_key.unwrap_or_default();
        let companion_ephemeral = companion_ephemeral.as_slice().try_into();
        let (Ok(companion_ephemeral), Some(device), Some(reference)) =
            (companion_ephemeral, companion.device_type, companion.r#ref)
        else {
            return Err(missing);
        };
        let ephemeral = KeyPair::generate(&mut rng());
        let nonce: [u8; 32] = rand::random();
        let told = wa::PrimaryEphemeralIdentity {
            public_key: Some(bare(&ephemeral.public_key).to_vec()),
            nonce: Some(nonce.to_vec()),
        };
        self.with_passkey = Some(Exchange {
            ephemeral,
            nonce,
            identity,
            commitment,
            companion_ephemeral,
            salt: format!("Companion Pairing {} with ref {reference}", device.to_i32()),
            code: None,
        });
        Ok(told.encode_to_vec())
    }

    /// The companion opens its commitment: from here on the phone shows a code.
    pub fn open_passkey(&mut self, companion_nonce: &[u8]) -> Result<(), PhoneError> {
        let exchange = self.with_passkey.as_mut().ok_or(PhoneError::NoPairing)?;
        let opened = Sha256::digest([&exchange.identity[..], companion_nonce].concat());
        if companion_nonce.len() != 32 || opened[..] != exchange.commitment[..] {
            self.with_passkey = None;
            return Err(PhoneError::Forged("commitment"));
        }
        let own = bare(&exchange.ephemeral.public_key);
        let digest = Sha256::digest([companion_nonce, &own[..]].concat());
        let mixed = exchange.nonce.iter().zip(digest).take(5);
        let bits = mixed.fold(0_u64, |bits, (nonce, digest)| {
            (bits << 8) | u64::from(nonce ^ digest)
        });
        let letter = |place: u32| char::from(LETTERS[(bits >> (35 - 5 * place)) as usize & 31]);
        exchange.code = Some((0..8).map(letter).collect());
        Ok(())
    }

    /// The code that the phone shows, to be compared with the companion's: eight letters.
    pub fn passkey_code(&self) -> Option<&str> {
        self.with_passkey.as_ref()?.code.as_deref()
    }

    /// Opens the companion's request to be linked, once somebody there said that the codes are the
    /// same, and endorses it as device `device_index`.
    pub fn finish_passkey(
        &mut self,
        request: &[u8],
        companion_noise: &[u8; 32],
        device_index: u16,
    ) -> Result<Endorsement, PhoneError> {
        let exchange = self.with_passkey.take().ok_or(PhoneError::NoPairing)?;
        if exchange.code.is_none() {
            return Err(PhoneError::NoPairing);
        }
        let malformed = |_| PhoneError::Malformed("request to be linked");
        let missing = PhoneError::Malformed("request to be linked");
        let request = wa::EncryptedPairingRequest::decode_from_slice(request).map_err(malformed)?;
        let iv = request.iv.unwrap_or_default();
        let (Ok(iv), Some(sealed)) = (iv.as_slice().try_into(), request.encrypted_payload) else {
            return Err(missing);
        };
        let shared = exchange
            .ephemeral
            .calculate_agreement(&public(&exchange.companion_ephemeral)?)
            .map_err(|_| PhoneError::Forged("ephemeral key"))?;
        let mut key = [0; 32];
        hkdf_sha256_into(&shared, Some(exchange.salt.as_bytes()), KEY_INFO, &mut key)
            .map_err(|_| PhoneError::Malformed("key length"))?;
        let mut opened = Vec::new();
        aes_256_gcm_decrypt(&key, iv, b"", &sealed, &mut opened)
            .map_err(|_| PhoneError::Forged("request to be linked"))?;
        let opened = wa::PairingRequest::decode_from_slice(&opened).map_err(malformed)?;
        let key = |field: Option<Vec<u8>>| field.and_then(|bytes| bytes.try_into().ok());
        let (Some(noise), Some(identity), Some(secret)) = (
            key(opened.companion_public_key),
            key(opened.companion_identity_key),
            key(opened.adv_secret),
        ) else {
            return Err(missing);
        };
        if noise != *companion_noise {
            return Err(PhoneError::Forged("Noise key"));
        }
        self.endorse(identity, &secret, device_index)
    }
}
