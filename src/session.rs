//! The room that owns the link: the socket, the link's state and when it is tried again.
//!
//! Only this room knows the protocol crate, and inside it only `client.rs` names its client. It
//! never imports the inbox, the outbox, the panel or the web: what arrives leaves through
//! [`Event`]s, what is wanted comes in as [`Order`]s, and what is true is in a `watch` of
//! [`Link`].

mod acquaintance;
mod backoff;
mod client;
mod clock;
mod ending;
mod endpoint;
mod http;
pub mod keys;
pub mod link;
mod machine;
pub mod passkey;
mod priority;
mod queue;
mod record;
mod release;
mod runtime;
mod task;
mod tls;
mod transport;
mod verdict;

use tokio::sync::{mpsc, oneshot, watch};

pub use clock::{Clock, SYNCHRONIZED};
pub use endpoint::{Endpoint, EndpointError};
pub use link::Link;
pub use passkey::{Assertion, PasskeyError};
pub use priority::{Rank, Role};
pub use release::Release;
pub use task::spawn;

use crate::message::{Draft, Incoming, MessageId, ServerTime};

/// How a session behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the service is.
    pub endpoint: Endpoint,
    /// The operating system that the phone shows beside the browser's name in its list of linked
    /// devices, such as "Linux". The service refuses pairing codes for names it does not know.
    pub system: String,
    /// The owner's phone number, digits with the country code. With it a pairing code is offered
    /// beside the QR.
    pub phone_number: Option<String>,
    /// Whether the QR begins with the web address that lets a phone's own camera open WhatsApp.
    /// The code grows by a version with it, from 57 modules to 61.
    pub qr_prefix: bool,
    /// Whether the account may appear online all day. That mutes the owner's phone.
    pub stay_available: bool,
    /// What this box is there for.
    pub role: Role,
    /// Its place among the boxes with the same role and number.
    pub rank: Rank,
    /// Digits of the numbers that only a production box may link.
    pub production_numbers: Vec<String>,
}

impl Settings {
    /// What suits most boxes.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            system: "Linux".to_owned(),
            phone_number: None,
            qr_prefix: false,
            stay_available: false,
            role: Role::default(),
            rank: Rank::default(),
            production_numbers: Vec::new(),
        }
    }
}

/// What the session tells the dispatcher.
#[derive(Debug)]
pub enum Event {
    /// Messages arrived. The service hears of it only after `durable` was answered with `true`;
    /// dropping it, or `false`, makes the service deliver them again.
    Messages {
        /// In the order of arrival.
        batch: Vec<Incoming>,
        /// Answered once the whole batch is on disk.
        durable: oneshot::Sender<bool>,
    },
    /// The service let this device in. Told before anything that arrives on the connection.
    Online {
        /// The account's phone number: digits.
        number: String,
        /// The service's present, where it said so.
        server_time: Option<ServerTime>,
    },
    /// The service took a sent message in, or refused it.
    Ack {
        /// Of the message that was sent.
        id: MessageId,
        /// The service's refusal code, if it is one.
        error: Option<String>,
    },
    /// The recipient's devices tell of messages we sent.
    Receipt {
        /// Which messages.
        ids: Vec<MessageId>,
        /// Opened, rather than merely delivered.
        read: bool,
    },
    /// Acks or receipts were lost because they were not taken in time: whatever waits for one
    /// must be sent again, under its id.
    Recheck,
}

/// What others may ask of the session. Every order is answered.
#[derive(Debug)]
pub enum Order {
    /// Show a fresh code: from the resting screen, or to renew the one that is shown.
    Link(oneshot::Sender<()>),
    /// Remove this device at the service, forget everything, show a fresh code.
    Unlink(oneshot::Sender<()>),
    /// Take the session back after a conflict.
    TakeOver(oneshot::Sender<()>),
    /// Hand an assertion to the service that asked for a passkey. Answered when the service took it,
    /// or why it did not come to that; what follows is shown by the link.
    Passkey(Assertion, oneshot::Sender<Result<(), PasskeyError>>),
    /// The phone shows the same code: link. Without a code to compare it does nothing.
    ConfirmPasskey(oneshot::Sender<()>),
    /// Put one message on the wire, not before `release` is given. Answered when it was written to
    /// the socket; that the service took it is told by [`Event::Ack`].
    Send(Sending),
}

/// A message on its way to the wire.
#[derive(Debug)]
pub struct Sending {
    /// What to send.
    pub draft: Draft,
    /// Nothing is written before it is given.
    pub release: Release,
    /// Where the outcome is told.
    pub answer: oneshot::Sender<Result<(), SendError>>,
}

/// Why a message did not get as far as the wire. The draft stays in the outbox in every case but
/// [`SendError::Refused`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The link is not online; try when it is.
    #[error("not online")]
    Offline,
    /// The connection broke, or a key could not be fetched, while sending; try again.
    #[error("interrupted while sending: {0}")]
    Interrupted(String),
    /// This message can never be sent, such as one to something that is no JID.
    #[error("cannot be sent: {0}")]
    Refused(String),
}

/// The session's door for everybody else. Cheap to clone; the task behind it owns the state.
#[derive(Clone, Debug)]
pub struct Handle {
    orders: mpsc::Sender<Order>,
    link: watch::Receiver<Link>,
}

/// The session's task has ended; the process is about to end as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session has ended")]
pub struct Ended;

impl Handle {
    /// Joins the two halves the task was built with.
    pub fn new(orders: mpsc::Sender<Order>, link: watch::Receiver<Link>) -> Self {
        Self { orders, link }
    }

    /// The link's state: the latest, and every change from now on.
    pub fn link(&self) -> watch::Receiver<Link> {
        self.link.clone()
    }

    /// See [`Order::Link`].
    pub async fn link_anew(&self) -> Result<(), Ended> {
        self.ask(Order::Link).await
    }

    /// See [`Order::Unlink`]. Returns when a fresh state is up.
    pub async fn unlink(&self) -> Result<(), Ended> {
        self.ask(Order::Unlink).await
    }

    /// See [`Order::TakeOver`].
    pub async fn take_over(&self) -> Result<(), Ended> {
        self.ask(Order::TakeOver).await
    }

    /// See [`Order::Passkey`]. A session that has ended wants none.
    ///
    /// # Errors
    /// Why the assertion was not taken, with what to do.
    pub async fn hand_in_passkey(&self, assertion: Assertion) -> Result<(), PasskeyError> {
        match self.ask(|answer| Order::Passkey(assertion, answer)).await {
            Ok(result) => result,
            Err(Ended) => Err(PasskeyError::NotWanted),
        }
    }

    /// See [`Order::ConfirmPasskey`].
    pub async fn confirm_passkey(&self) -> Result<(), Ended> {
        self.ask(Order::ConfirmPasskey).await
    }

    /// See [`Order::Send`]. A session that has ended counts as offline: the draft is kept.
    pub async fn send(&self, draft: Draft, release: Release) -> Result<(), SendError> {
        let sending = |answer| Sending {
            draft,
            release,
            answer,
        };
        match self.ask(|answer| Order::Send(sending(answer))).await {
            Ok(result) => result,
            Err(Ended) => Err(SendError::Offline),
        }
    }

    async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, Ended> {
        let (answer, answered) = oneshot::channel();
        self.orders.send(order(answer)).await.map_err(|_| Ended)?;
        answered.await.map_err(|_| Ended)
    }
}
