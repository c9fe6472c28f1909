//! When the latest stanzas passed over the wire. For those who measure a client from outside: the
//! times are taken between wire and cipher, so that the server's and the phones' own work is not
//! in them.

use std::collections::VecDeque;

use tokio::time::Instant;

/// How many stanzas are remembered.
const KEPT: usize = 64;

/// One stanza on its way.
#[derive(Debug, Clone)]
pub struct Passage {
    /// The stanza's tag.
    pub tag: String,
    /// A client sent it; otherwise the server did.
    pub from_client: bool,
    /// When its frame was whole in the server's hands, or about to be written.
    pub at: Instant,
}

/// The latest passages, the oldest first.
#[derive(Debug, Default)]
pub struct Tap(VecDeque<Passage>);

impl Tap {
    /// Remembers a stanza.
    pub fn note(&mut self, tag: &str, from_client: bool, at: Instant) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Passage {
            tag: tag.into(),
            from_client,
            at,
        });
    }

    /// What is remembered.
    pub fn latest(&self) -> Vec<Passage> {
        self.0.iter().cloned().collect()
    }
}
