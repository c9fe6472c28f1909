//! How the outbox behaves, and what suits most boxes.

use std::time::Duration;

/// How much the outbox takes, and how fast it sends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Drafts waiting at most.
    pub max_pending: u64,
    /// Bytes of text waiting at most.
    pub max_bytes: u64,
    /// Finished drafts that are still recognised.
    pub keep_finished: u64,
    /// The pauses between sends.
    pub pacing: Pacing,
    /// A draft that could not be sent for this long after it was queued, by the service's clock,
    /// is not sent any more: nobody wants an answer hours later. 0 switches it off. 15 minutes.
    pub max_age: Duration,
    /// Without an acknowledgement for this long, a draft is sent again. Doubles with every
    /// sending, up to 15 minutes.
    pub ack_timeout: Duration,
}

/// Pauses between one send and the next. A send after a longer silence waits for nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pacing {
    /// To a chat the box has written to before.
    pub gap: Duration,
    /// To a chat it never wrote to. The service watches for accounts that open many chats.
    pub gap_to_new: Duration,
    /// By how much a pause may be longer: 0.5 adds up to a half. Derived from the message's id.
    pub jitter: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_pending: 2_000,
            max_bytes: 4 << 20,
            keep_finished: 2_000,
            pacing: Pacing::default(),
            max_age: Duration::from_secs(15 * 60),
            ack_timeout: Duration::from_secs(30),
        }
    }
}

impl Default for Pacing {
    fn default() -> Self {
        Self {
            gap: Duration::from_secs(1),
            gap_to_new: Duration::from_secs(4),
            jitter: 0.5,
        }
    }
}
