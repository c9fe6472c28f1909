//! The responder's side of the Noise handshake: XX, IK, and the fall-back when an IK hello was made
//! for a static key this server no longer has. It ends with two ciphers and the client's payload; it
//! must never decide who may log in.

use anyhow::{Context as _, ensure};
use buffa::{Message as _, MessageField};
use wacore::libsignal::protocol::KeyPair;
use wacore_binary::consts::{
    NOISE_PATTERN_IK, NOISE_PATTERN_XX, NOISE_PATTERN_XXFALLBACK, WA_CONN_HEADER,
};
use wacore_noise::{NoiseCipher, NoiseHandshake};
use waproto::whatsapp::HandshakeMessage;
use waproto::whatsapp::handshake_message::{ClientHello, ServerHello};

use crate::certificates::{Credentials, bare};

/// A completed handshake.
pub struct Established {
    /// Encrypts what the server sends.
    pub send: NoiseCipher,
    /// Decrypts what the client sends.
    pub receive: NoiseCipher,
    /// The client's Noise static key: what a registered device is recognised by.
    pub client_static: [u8; 32],
    /// The encoded `ClientPayload`.
    pub payload: Vec<u8>,
}

/// What the server answers to a hello.
pub enum Answer {
    /// XX, or XX fall-back: the client's finish is still to come.
    Hello(Vec<u8>, Box<AwaitFinish>),
    /// IK: nothing more is needed.
    Done(Vec<u8>, Box<Established>),
}

/// An XX handshake that waits for the client's finish.
pub struct AwaitFinish {
    noise: NoiseHandshake,
    ephemeral: KeyPair,
}

/// Answers the first message of a client.
///
/// # Errors
/// If the message is no hello, or its keys are not keys.
pub fn answer(credentials: &Credentials, hello: &[u8]) -> anyhow::Result<Answer> {
    let hello = HandshakeMessage::decode_from_slice(hello)
        .context("a handshake message")?
        .client_hello
        .into_option()
        .context("a client hello")?;
    if hello.r#static.is_none() {
        return xx(credentials, &hello, NOISE_PATTERN_XX);
    }
    match ik(credentials, &hello) {
        Ok(done) => Ok(done),
        // A client that kept the static key of an earlier run of the server.
        Err(_) => xx(credentials, &hello, NOISE_PATTERN_XXFALLBACK),
    }
}

fn key(bytes: Option<&Vec<u8>>, name: &'static str) -> anyhow::Result<[u8; 32]> {
    bytes
        .map(Vec::as_slice)
        .and_then(|bytes| bytes.try_into().ok())
        .context(name)
}

fn xx(credentials: &Credentials, hello: &ClientHello, pattern: &str) -> anyhow::Result<Answer> {
    let theirs = key(hello.ephemeral.as_ref(), "an ephemeral key of 32 bytes")?;
    let ephemeral = KeyPair::generate(&mut rand::rng());
    let ours = bare(&ephemeral)?;
    let mut noise = NoiseHandshake::new(pattern, &WA_CONN_HEADER)?;
    noise.authenticate(&theirs);
    noise.authenticate(&ours);
    noise.mix_shared_secret(ephemeral.private_key.serialize(), &theirs)?;
    let fixed = noise.encrypt(&bare(&credentials.server)?)?;
    noise.mix_shared_secret(credentials.server.private_key.serialize(), &theirs)?;
    let payload = noise.encrypt(&credentials.chain)?;
    let answer = server_hello(ours, Some(fixed), payload);
    Ok(Answer::Hello(
        answer,
        Box::new(AwaitFinish { noise, ephemeral }),
    ))
}

fn ik(credentials: &Credentials, hello: &ClientHello) -> anyhow::Result<Answer> {
    let theirs = key(hello.ephemeral.as_ref(), "an ephemeral key of 32 bytes")?;
    let mut noise = NoiseHandshake::new(NOISE_PATTERN_IK, &WA_CONN_HEADER)?;
    noise.authenticate(&bare(&credentials.server)?);
    noise.authenticate(&theirs);
    noise.mix_shared_secret(credentials.server.private_key.serialize(), &theirs)?;
    let client_static = key(
        Some(&noise.decrypt(hello.r#static.as_deref().unwrap_or_default())?),
        "a static key of 32 bytes",
    )?;
    noise.mix_shared_secret(credentials.server.private_key.serialize(), &client_static)?;
    let payload = noise.decrypt(hello.payload.as_deref().unwrap_or_default())?;

    let ephemeral = KeyPair::generate(&mut rand::rng());
    let ours = bare(&ephemeral)?;
    noise.authenticate(&ours);
    noise.mix_shared_secret(ephemeral.private_key.serialize(), &theirs)?;
    noise.mix_shared_secret(ephemeral.private_key.serialize(), &client_static)?;
    let chain = noise.encrypt(&credentials.chain)?;
    let (receive, send) = noise.finish()?;
    Ok(Answer::Done(
        server_hello(ours, None, chain),
        Box::new(Established {
            send,
            receive,
            client_static,
            payload,
        }),
    ))
}

fn server_hello(ephemeral: [u8; 32], fixed: Option<Vec<u8>>, payload: Vec<u8>) -> Vec<u8> {
    HandshakeMessage {
        server_hello: MessageField::some(ServerHello {
            ephemeral: Some(ephemeral.to_vec()),
            r#static: fixed,
            payload: Some(payload),
            ..Default::default()
        }),
        ..Default::default()
    }
    .encode_to_vec()
}

impl AwaitFinish {
    /// Reads the client's finish.
    ///
    /// # Errors
    /// If the message is no finish or was made with other keys.
    pub fn finish(mut self, finish: &[u8]) -> anyhow::Result<Established> {
        let finish = HandshakeMessage::decode_from_slice(finish)
            .context("a handshake message")?
            .client_finish
            .into_option()
            .context("a client finish")?;
        let fixed = self
            .noise
            .decrypt(finish.r#static.as_deref().unwrap_or_default())?;
        ensure!(fixed.len() == 32, "a static key of 32 bytes");
        let client_static = key(Some(&fixed), "a static key of 32 bytes")?;
        self.noise
            .mix_shared_secret(self.ephemeral.private_key.serialize(), &client_static)?;
        let payload = self
            .noise
            .decrypt(finish.payload.as_deref().unwrap_or_default())?;
        let (receive, send) = self.noise.finish()?;
        Ok(Established {
            send,
            receive,
            client_static,
            payload,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;
    use wacore_noise::{IkHandshakeState, IkServerHelloOutcome};

    fn agree(established: &Established, write: &NoiseCipher) {
        let sealed = write.encrypt_with_counter(0, b"una prueba").unwrap();
        let mut opened = sealed;
        established
            .receive
            .decrypt_in_place_with_counter(0, &mut opened)
            .unwrap();
        assert_eq!(opened, b"una prueba");
    }

    #[test]
    fn ik_needs_one_message_each_way() {
        let credentials = Credentials::issue(None, 1_800_000_000).unwrap();
        let client = KeyPair::generate(&mut rand::rng());
        let mut ik = IkHandshakeState::new(
            client,
            bare(&credentials.server).unwrap(),
            b"payload".to_vec(),
            &WA_CONN_HEADER,
        )
        .unwrap();
        let Answer::Done(hello, established) =
            answer(&credentials, &ik.build_client_hello().unwrap()).unwrap()
        else {
            panic!("an IK hello was not answered by IK");
        };
        assert_eq!(established.payload, b"payload");
        let IkServerHelloOutcome::Continue(outcome) = ik.read_server_hello(&hello).unwrap() else {
            panic!("the client fell back");
        };
        agree(&established, &outcome.write_cipher);
    }

    #[test]
    fn a_stale_static_key_is_told_to_fall_back() {
        let credentials = Credentials::issue(None, 1_800_000_000).unwrap();
        let earlier = Credentials::issue(None, 1_800_000_000).unwrap();
        let client = KeyPair::generate(&mut rand::rng());
        let mut ik = IkHandshakeState::new(
            client,
            bare(&earlier.server).unwrap(),
            b"payload".to_vec(),
            &WA_CONN_HEADER,
        )
        .unwrap();
        let Answer::Hello(hello, _) =
            answer(&credentials, &ik.build_client_hello().unwrap()).unwrap()
        else {
            panic!("a stale static key was accepted");
        };
        assert!(matches!(
            ik.read_server_hello(&hello).unwrap(),
            IkServerHelloOutcome::Fallback(_)
        ));
    }
}
