//! The server's view of one connection: who it is, what is to be written to it. It is plain state; the
//! task that owns the wire is in `connection`. It must never block.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::Instant;
use wacore_binary::{Jid, Node};

use crate::accounts::DeviceId;

/// A connection, never reused.
pub type SocketId = u64;

/// What the connection's task is to do next.
#[derive(Debug)]
pub enum Out {
    /// Write a stanza.
    Stanza(Node),
    /// Write a frame that cannot be decrypted.
    Garbage,
    /// Close the WebSocket in order.
    Close,
    /// Drop the TCP connection without a word.
    Drop,
}

/// A registration that waits for the companion's countersignature.
#[derive(Debug, Clone)]
pub struct Pending {
    /// The device that is being linked.
    pub device: DeviceId,
    /// Its index in the account's key-index list.
    pub key_index: u32,
    /// The id of the `pair-success` iq.
    pub iq: String,
}

/// What a client that is not linked yet brought along.
#[derive(Debug, Clone, Default)]
pub struct Registration {
    /// Its Signal keys.
    pub keys: crate::prekeys::Keys,
    /// The platform it names.
    pub platform: String,
    /// The linking under way.
    pub pending: Option<Pending>,
    /// The linking that was completed on this connection.
    pub linked: Option<DeviceId>,
    /// The companion did not accept what the phone endorsed, or its countersignature did not hold.
    pub refused: bool,
}

/// One connection.
pub struct Socket {
    /// The client's Noise static key.
    pub client_static: [u8; 32],
    /// The device that logged in on it.
    pub device: Option<DeviceId>,
    /// Set while the client is not linked.
    pub registration: Option<Registration>,
    /// Half open: nothing is read or written any more.
    pub stalled: bool,
    /// Since when the client is present as `available`.
    pub available_since: Option<Instant>,
    /// Whose presence the client asked for.
    pub watching: Vec<Jid>,
    /// Held back to be sent after the message that follows it.
    pub held: Option<Node>,
    outbox: VecDeque<(Option<Instant>, Out)>,
    wake: Arc<Notify>,
    ending: bool,
}

impl Socket {
    /// A connection whose handshake is done.
    pub fn new(client_static: [u8; 32]) -> Self {
        Self {
            client_static,
            device: None,
            registration: None,
            stalled: false,
            available_since: None,
            watching: Vec::new(),
            held: None,
            outbox: VecDeque::new(),
            wake: Arc::new(Notify::new()),
            ending: false,
        }
    }

    /// What the task waits on while there is nothing to do.
    pub fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// Puts something behind all else, not to happen before `due`. Nothing follows an end.
    pub fn put(&mut self, out: Out, due: Option<Instant>) {
        if self.ending {
            return;
        }
        self.ending = matches!(out, Out::Close | Out::Drop);
        self.outbox.push_back((due, out));
        self.wake.notify_one();
    }

    /// Whether the server is done with the connection.
    pub fn ending(&self) -> bool {
        self.ending
    }

    /// The next thing to do, or when to ask again.
    pub fn take(&mut self, now: Instant) -> Next {
        if self.stalled {
            return Next::Wait(None);
        }
        match self.outbox.front() {
            None => Next::Wait(None),
            Some((Some(due), _)) if *due > now => Next::Wait(Some(*due)),
            Some(_) => self
                .outbox
                .pop_front()
                .map_or(Next::Wait(None), |(_, out)| Next::Do(out)),
        }
    }
}

/// What [`Socket::take`] found.
#[derive(Debug)]
pub enum Next {
    /// Do this.
    Do(Out),
    /// Nothing before this time, or before something is put.
    Wait(Option<Instant>),
}
