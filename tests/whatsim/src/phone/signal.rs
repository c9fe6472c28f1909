//! The phone's end-to-end encryption.
//!
//! Owns its identity, prekeys, pairwise sessions and sender keys. Addresses passed in are
//! canonical (see `Phone::canonical`). It must never know what a plaintext means.

use std::future::Future;

use futures_util::FutureExt as _;
use wacore::types::jid::{JidExt as _, make_sender_key_name};
use wacore_binary::Jid;
use wacore_libsignal::protocol::{
    CiphertextMessage, GenericSignedPreKey as _, IdentityKey, IdentityKeyPair, KeyPair,
    PreKeyBundle, PreKeyRecord, PreKeySignalMessage, PublicKey, SenderKeyDistributionMessage,
    SenderKeyName, SignalMessage, SignalProtocolError, SignedPreKeyRecord, Timestamp, UsePQRatchet,
    create_sender_key_distribution_message, group_decrypt, group_encrypt, message_decrypt,
    message_encrypt, process_prekey_bundle, process_sender_key_distribution_message,
};

use super::keys::{Identities, PreKeys, SenderKeys, Sessions, SignedPreKeys};
use super::{PhoneError, rng, unix_now};
use crate::directory::KeyBundle;

const SIGNED_PREKEY_ID: u32 = 1;

pub(super) struct Signal {
    sessions: Sessions,
    identities: Identities,
    prekeys: PreKeys,
    signed_prekeys: SignedPreKeys,
    sender_keys: SenderKeys,
    signed_prekey: ([u8; 32], [u8; 64]),
    next_prekey: u32,
}

impl From<SignalProtocolError> for PhoneError {
    fn from(error: SignalProtocolError) -> Self {
        match error {
            SignalProtocolError::DuplicatedMessage(..) => Self::Duplicate,
            other => Self::Signal(other.to_string()),
        }
    }
}

/// The stores answer at once, so every future of the cipher is ready at its first poll.
fn now<T>(future: impl Future<Output = Result<T, SignalProtocolError>>) -> Result<T, PhoneError> {
    match future.now_or_never() {
        Some(result) => result.map_err(PhoneError::from),
        None => Err(PhoneError::Signal("a store in memory waited".to_owned())),
    }
}

impl Signal {
    pub(super) fn new() -> Self {
        let mut rng = rng();
        let own = IdentityKeyPair::generate(&mut rng);
        let pair = KeyPair::generate(&mut rng);
        let signature = sign(&own, &pair.public_key.serialize());
        let record = SignedPreKeyRecord::new(
            SIGNED_PREKEY_ID.into(),
            Timestamp::from_epoch_millis(unix_now() * 1000),
            &pair,
            &signature,
        );
        let registration_id = rand::random_range(1..0x3fff_u32);
        Self {
            sessions: Sessions::default(),
            identities: Identities {
                own,
                registration_id,
                others: Default::default(),
            },
            prekeys: PreKeys::default(),
            signed_prekeys: SignedPreKeys(SIGNED_PREKEY_ID, record),
            sender_keys: SenderKeys::default(),
            signed_prekey: (bare(&pair.public_key), signature),
            next_prekey: 1,
        }
    }

    pub(super) fn identity(&self) -> &IdentityKeyPair {
        &self.identities.own
    }

    pub(super) fn registration_id(&self) -> u32 {
        self.identities.registration_id
    }

    pub(super) fn identity_bytes(&self) -> [u8; 32] {
        bare(self.identities.own.public_key())
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        sign(&self.identities.own, message)
    }

    pub(super) fn bundle(&mut self) -> KeyBundle {
        let id = self.next_prekey;
        // Ids travel as three bytes.
        self.next_prekey = if id >= 0xff_fffe { 1 } else { id + 1 };
        let pair = KeyPair::generate(&mut rng());
        self.prekeys
            .0
            .insert(id, PreKeyRecord::new(id.into(), &pair));
        KeyBundle {
            registration_id: self.identities.registration_id,
            identity: self.identity_bytes(),
            signed_prekey: (SIGNED_PREKEY_ID, self.signed_prekey.0, self.signed_prekey.1),
            prekey: Some((id, bare(&pair.public_key))),
        }
    }

    pub(super) fn has_session(&self, device: &Jid) -> bool {
        self.sessions
            .0
            .contains_key(device.to_protocol_address().name())
    }

    pub(super) fn forget(&mut self, device: &Jid) {
        let address = device.to_protocol_address();
        self.sessions.0.remove(address.name());
        self.identities.others.remove(address.name());
    }

    /// Starts a session from published key material, replacing the current one.
    pub(super) fn open(&mut self, device: &Jid, bundle: &KeyBundle) -> Result<(), PhoneError> {
        let prekey = match bundle.prekey {
            Some((id, key)) => Some((id.into(), public(&key)?)),
            None => None,
        };
        let (id, key, signature) = &bundle.signed_prekey;
        let bundle = PreKeyBundle::new(
            bundle.registration_id,
            u32::from(device.device).into(),
            prekey,
            (*id).into(),
            public(key)?,
            signature.to_vec(),
            IdentityKey::new(public(&bundle.identity)?),
        )?;
        now(process_prekey_bundle(
            &device.to_protocol_address(),
            &mut self.sessions,
            &mut self.identities,
            &bundle,
            &mut rng(),
            UsePQRatchet::No,
        ))?;
        Ok(())
    }

    /// Encrypts for one device; the name is the `type` of its `<enc>`.
    pub(super) fn encrypt(
        &mut self,
        device: &Jid,
        plaintext: &[u8],
    ) -> Result<(&'static str, Vec<u8>), PhoneError> {
        let message = now(message_encrypt(
            plaintext,
            &device.to_protocol_address(),
            &mut self.sessions,
            &mut self.identities,
        ))?;
        let kind = match &message {
            CiphertextMessage::PreKeySignalMessage(_) => "pkmsg",
            CiphertextMessage::SignalMessage(_) => "msg",
            CiphertextMessage::SenderKeyMessage(_) | CiphertextMessage::PlaintextContent(_) => {
                return Err(PhoneError::Malformed("pairwise ciphertext"));
            }
        };
        Ok((kind, message.serialize().to_vec()))
    }

    /// Decrypts a pairwise `<enc>`.
    pub(super) fn decrypt(
        &mut self,
        device: &Jid,
        kind: &str,
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, PhoneError> {
        let message = match kind {
            "pkmsg" => {
                CiphertextMessage::PreKeySignalMessage(PreKeySignalMessage::try_from(ciphertext)?)
            }
            "msg" => CiphertextMessage::SignalMessage(SignalMessage::try_from(ciphertext)?),
            _ => return Err(PhoneError::Malformed("enc type")),
        };
        let result = now(message_decrypt(
            &message,
            &device.to_protocol_address(),
            &mut self.sessions,
            &mut self.identities,
            &mut self.prekeys,
            &self.signed_prekeys,
            &mut rng(),
            UsePQRatchet::No,
        ))?;
        if let Some(id) = result.consumed_prekey_id {
            self.prekeys.0.remove(&id.into());
        }
        Ok(result.plaintext)
    }

    /// Our sender key for a group as others need it, made now if there is none.
    pub(super) fn distribution(&mut self, group: &Jid, me: &Jid) -> Result<Vec<u8>, PhoneError> {
        let message = now(create_sender_key_distribution_message(
            &name(group, me),
            &mut self.sender_keys,
            &mut rng(),
        ))?;
        Ok(message.serialized().to_vec())
    }

    /// Takes note of someone's sender key.
    pub(super) fn learn(
        &mut self,
        group: &Jid,
        sender: &Jid,
        distribution: &[u8],
    ) -> Result<(), PhoneError> {
        let message = SenderKeyDistributionMessage::try_from(distribution)?;
        now(process_sender_key_distribution_message(
            &name(group, sender),
            &message,
            &mut self.sender_keys,
        ))
    }

    /// Throws our sender key for a group away, so that the next message starts a new one.
    pub(super) fn rotate(&mut self, group: &Jid, me: &Jid) {
        self.sender_keys.0.remove(name(group, me).cache_key());
    }

    pub(super) fn encrypt_group(
        &mut self,
        group: &Jid,
        me: &Jid,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, PhoneError> {
        let message = now(group_encrypt(
            &mut self.sender_keys,
            &name(group, me),
            plaintext,
            &mut rng(),
        ))?;
        Ok(message.serialized().to_vec())
    }

    pub(super) fn decrypt_group(
        &mut self,
        group: &Jid,
        sender: &Jid,
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, PhoneError> {
        now(group_decrypt(
            ciphertext,
            &mut self.sender_keys,
            &name(group, sender),
        ))
    }
}

fn name(group: &Jid, sender: &Jid) -> SenderKeyName {
    make_sender_key_name(group, &sender.to_protocol_address())
}

fn sign(identity: &IdentityKeyPair, message: &[u8]) -> [u8; 64] {
    #[expect(
        clippy::expect_used,
        reason = "signing fails only for a key of another curve, and ours was generated here"
    )]
    identity
        .private_key()
        .calculate_signature(message, &mut rng())
        .expect("our own key signs")
}

/// The 32 bytes of a key without its type.
pub(super) fn bare(key: &PublicKey) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(key.public_key_bytes());
    bytes
}

pub(super) fn public(key: &[u8]) -> Result<PublicKey, PhoneError> {
    PublicKey::from_djb_public_key_bytes(key).map_err(|_| PhoneError::Malformed("public key"))
}
