//! The server's certificate chain: a root of its own, an intermediate, a leaf for the Noise static
//! key. It issues once at start and must never hand out a private key.
//!
//! Validity dates are set because a client keeps a chain, and with it the shortened handshake, only
//! while both certificates are in date. The issuer serial of the intermediate is written although it
//! is 0: a client that reads the field by presence refuses the chain otherwise.

use anyhow::Context as _;
use buffa::{Message as _, MessageField};
use wacore::libsignal::protocol::{KeyPair, PrivateKey};
use waproto::whatsapp::CertChain;
use waproto::whatsapp::cert_chain::{NoiseCertificate, noise_certificate::Details};

/// Serial of the root, as the clients expect it in the intermediate.
const ROOT_SERIAL: u32 = 0;
const INTERMEDIATE_SERIAL: u32 = 1;
const LEAF_SERIAL: u32 = 2;
/// Half a year either way, in seconds: wide enough for any clock a test sets.
const VALIDITY: u64 = 183 * 24 * 3600;

/// The key pairs of the server and the encoded chain that vouches for its static key.
pub struct Credentials {
    /// The Noise static key pair.
    pub server: KeyPair,
    /// The encoded chain, sent in every handshake.
    pub chain: Vec<u8>,
    /// The root's public key: what a client must trust.
    pub root_public: [u8; 32],
}

impl Credentials {
    /// Issues a chain under `root` (a private key), or under a fresh one. `now` is Unix seconds.
    ///
    /// # Errors
    /// If the root is not a usable private key.
    pub fn issue(root: Option<[u8; 32]>, now: u64) -> anyhow::Result<Self> {
        let root = match root {
            Some(bytes) => {
                let private = PrivateKey::deserialize(&bytes).context("the Noise root")?;
                let public = private
                    .public_key()
                    .context("the Noise root's public key")?;
                KeyPair::new(public, private)
            }
            None => KeyPair::generate(&mut rand::rng()),
        };
        let intermediate = KeyPair::generate(&mut rand::rng());
        let server = KeyPair::generate(&mut rand::rng());
        let chain = CertChain {
            intermediate: MessageField::some(certify(
                &root,
                ROOT_SERIAL,
                INTERMEDIATE_SERIAL,
                &intermediate,
                now,
            )?),
            leaf: MessageField::some(certify(
                &intermediate,
                INTERMEDIATE_SERIAL,
                LEAF_SERIAL,
                &server,
                now,
            )?),
        };
        Ok(Self {
            root_public: bare(&root)?,
            chain: chain.encode_to_vec(),
            server,
        })
    }
}

/// The 32 bytes of a public key, without its type byte.
pub fn bare(pair: &KeyPair) -> anyhow::Result<[u8; 32]> {
    pair.public_key
        .public_key_bytes()
        .try_into()
        .context("a public key of 32 bytes")
}

fn certify(
    issuer: &KeyPair,
    issuer_serial: u32,
    serial: u32,
    subject: &KeyPair,
    now: u64,
) -> anyhow::Result<NoiseCertificate> {
    let details = Details {
        serial: Some(serial),
        issuer_serial: Some(issuer_serial),
        key: Some(bare(subject)?.to_vec()),
        not_before: Some(now.saturating_sub(VALIDITY)),
        not_after: Some(now + VALIDITY),
    }
    .encode_to_vec();
    let signature = issuer
        .calculate_signature(&details, &mut rand::rng())
        .context("signing a certificate")?;
    Ok(NoiseCertificate {
        signature: Some(signature.to_vec()),
        details: Some(details),
    })
}
