//! Frames on the wire: the connection header, three bytes of length, encryption by counter, and the
//! coding of stanzas inside them. It must never interpret a stanza.

use std::io::Write as _;

use anyhow::{Context as _, bail, ensure};
use bytes::BytesMut;
use flate2::{Compression, write::ZlibEncoder};
use wacore_binary::consts::WA_CONN_HEADER;
use wacore_binary::{Node, OwnedNodeRef};
use wacore_noise::NoiseCipher;
use wacore_noise::framing::{FrameDecoder, encode_frame};

/// Opens the edge-routing pre-intro that a client may send before the connection header.
const EDGE_ROUTING: &[u8; 4] = b"ED\x00\x01";
/// A stanza from this size on is compressed, as the service does with large ones.
const COMPRESS_FROM: usize = 2048;
/// The first byte of a stanza: a compressed body follows.
const COMPRESSED: u8 = 2;

/// Splits a stream of bytes into frames.
#[derive(Default)]
pub struct Incoming {
    head: Vec<u8>,
    opened: bool,
    frames: FrameDecoder,
}

impl Incoming {
    /// Takes bytes off the wire.
    ///
    /// # Errors
    /// If the stream does not start with the connection header of a supported version.
    pub fn feed(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        if self.opened {
            self.frames.feed(bytes);
            return Ok(());
        }
        self.head.extend_from_slice(bytes);
        let start = match self.head.strip_prefix(EDGE_ROUTING) {
            Some([a, b, c, ..]) => 7 + u32::from_be_bytes([0, *a, *b, *c]) as usize,
            Some(_) => return Ok(()),
            None => 0,
        };
        let Some(header) = self.head.get(start..start + WA_CONN_HEADER.len()) else {
            return Ok(());
        };
        if header != WA_CONN_HEADER {
            bail!("not the connection header of a supported version");
        }
        let rest = self.head.split_off(start + WA_CONN_HEADER.len());
        self.head.clear();
        self.opened = true;
        self.frames.feed(&rest);
        Ok(())
    }

    /// The next whole frame, if it has arrived.
    pub fn take(&mut self) -> Option<BytesMut> {
        self.frames.decode_frame()
    }
}

/// Frames a handshake message.
///
/// # Errors
/// If it is too large for a frame.
pub fn plain(message: &[u8]) -> anyhow::Result<Vec<u8>> {
    encode_frame(message, None)
}

/// One direction of an encrypted connection: a cipher and its frame counter.
pub struct Direction {
    cipher: NoiseCipher,
    counter: u32,
}

impl Direction {
    /// Starts counting frames at zero.
    pub fn new(cipher: NoiseCipher) -> Self {
        Self { cipher, counter: 0 }
    }

    /// Codes, encrypts and frames a stanza.
    ///
    /// # Errors
    /// If the stanza cannot be coded or is too large.
    pub fn seal(&mut self, stanza: &Node) -> anyhow::Result<Vec<u8>> {
        // The coder writes the flag byte itself, as "not compressed".
        let mut body = wacore_binary::marshal(stanza).context("coding a stanza")?;
        if body.len() >= COMPRESS_FROM {
            let mut zlib = ZlibEncoder::new(vec![COMPRESSED], Compression::fast());
            zlib.write_all(&body[1..])?;
            body = zlib.finish()?;
        }
        let sealed = self.cipher.encrypt_with_counter(self.counter, &body)?;
        self.counter += 1;
        encode_frame(&sealed, None)
    }

    /// Decrypts a frame and decodes its stanza.
    ///
    /// # Errors
    /// If it was made with another key or counter, or holds no stanza.
    pub fn open(&mut self, mut frame: BytesMut) -> anyhow::Result<Node> {
        ensure!(frame.len() > 16, "a frame with a body");
        self.cipher
            .decrypt_in_place_with_counter(self.counter, &mut frame)?;
        self.counter += 1;
        let body = wacore_binary::util::unpack_bytes(frame)?;
        Ok(OwnedNodeRef::new(body)?.to_owned_node())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use wacore_binary::builder::NodeBuilder;

    fn pair() -> (Direction, Direction) {
        let key = [7; 32];
        (
            Direction::new(NoiseCipher::new(&key).unwrap()),
            Direction::new(NoiseCipher::new(&key).unwrap()),
        )
    }

    #[test]
    fn small_and_large_stanzas_survive_the_wire_in_order() {
        let (mut send, mut receive) = pair();
        for size in [10, 5000] {
            let stanza = NodeBuilder::new("message")
                .attr("id", "3EB0")
                .bytes(vec![b'x'; size])
                .build();
            let frame = send.seal(&stanza).unwrap();
            assert!(frame.len() < 2500);
            let opened = receive.open(BytesMut::from(&frame[3..])).unwrap();
            assert_eq!(opened, stanza);
        }
    }

    #[test]
    fn the_edge_routing_pre_intro_is_tolerated_byte_by_byte() {
        let mut wire = b"ED\x00\x01\x00\x00\x03abc".to_vec();
        wire.extend_from_slice(&WA_CONN_HEADER);
        wire.extend_from_slice(&[0, 0, 2, 9, 9]);
        let mut incoming = Incoming::default();
        for byte in wire {
            incoming.feed(&[byte]).unwrap();
        }
        assert_eq!(incoming.take().unwrap().as_ref(), &[9, 9]);
    }

    #[test]
    fn another_protocol_is_refused() {
        assert!(Incoming::default().feed(b"GET / HTTP/1.1").is_err());
    }
}
