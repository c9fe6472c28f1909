//! What the service's refusal of a message means: whether the same message may be tried again.
//!
//! | code | meaning | what happens |
//! |---|---|---|
//! | 421 | the group's addressing changed under us | again, the client reads the group anew |
//! | 429 | too many messages | again later, and nothing else is sent until then |
//! | 463 | time-lock on reaching out, or no privacy token | for good: another try lengthens the lock |
//! | 475 | the allowance of new chats is used up | for good, as 463 |
//! | 479 | the stanza's fields: a stale device session or a wrong address | again, sessions may be fresh by then |
//! | 500, 503 and other 5xx | trouble in the service | again |
//! | 550, 551 | a kind of message it does not support there | for good |
//! | everything else (400, 403, 404, 487 to 499) | this message is wrong | for good |
//!
//! The codes' names are the protocol crate's (`NackReason`, and its notes on 463 and 479).

use std::time::Duration;

use tokio::time::Instant;

/// Tries after which a passing refusal counts as one for good.
const TRIES: u32 = 5;

/// What to do with a refused message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It will never be taken.
    Final,
    /// It may be tried again.
    Again {
        /// Not before this.
        at: Instant,
        /// Nothing else may be sent before either.
        everything: bool,
    },
}

/// The service says that the account writes to too many people who did not write first.
pub(super) fn is_limit(code: &str) -> bool {
    matches!(code, "463" | "475")
}

/// `before` is how often this message was refused for a while already.
pub(super) fn judge(code: &str, before: u32, now: Instant) -> Verdict {
    let Ok(number) = code.parse::<u16>() else {
        return Verdict::Final;
    };
    let (first, everything) = match number {
        429 => (Duration::from_secs(60), true),
        421 | 479 => (Duration::from_secs(5), false),
        550 | 551 => return Verdict::Final,
        500..=599 => (Duration::from_secs(10), false),
        _ => return Verdict::Final,
    };
    if before + 1 >= TRIES {
        return Verdict::Final;
    }
    Verdict::Again {
        at: now + first * 2u32.pow(before),
        everything,
    }
}
