//! What can be looked at: health, status, the picture.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::time::Instant;

use super::States;
use super::answer::Refusal;
use crate::hardware::DisplayHealth;
use crate::history::view::Events;
use crate::session::Link;
use crate::session::link::{LinkTrouble, Passkey, Remover, StopReason};

/// The process is up; whether the link is, `/status` tells.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// The whole box in one answer.
#[derive(Serialize)]
pub struct Status {
    link: &'static str,
    number: Option<String>,
    name: Option<String>,
    /// Since when it is online without a break, as RFC 3339 in UTC; `null` when it is not.
    since: Option<String>,
    /// How many of the account's four slots are taken; `null` until the service has told.
    companions: Option<u8>,
    /// Days since the phone was seen, once there are enough to open WhatsApp on it.
    phone_unseen_days: Option<u16>,
    /// When the box tries again by itself, as RFC 3339 in UTC; `null` when it does not.
    next_try: Option<String>,
    /// What the state's name does not say: why it stopped, who removed the device.
    reason: Option<&'static str>,
    screen: &'static str,
    /// How bright the display is, in hundredths.
    brightness: u8,
    /// `speaks`, or `listens` while another box on the number answers.
    voice: &'static str,
    inbox: Inbox,
    outbox: Outbox,
    version: &'static str,
    board: String,
    /// Why the display shows nothing; `null` while it does.
    display_fault: Option<String>,
}

#[derive(Serialize)]
struct Inbox {
    seq: u64,
}

#[derive(Serialize)]
struct Outbox {
    pending: u64,
    failed: u64,
    /// The service refuses messages to new chats for a while (463, 475).
    limited: bool,
}

/// `GET /status`.
pub async fn status(State(states): State<States>) -> Json<Status> {
    let link = states.link.borrow().clone();
    let account = match &link {
        Link::Online(account) => Some(account),
        _ => None,
    };
    let outbox = *states.outbox.borrow();
    Json(Status {
        link: link.name(),
        number: account.map(|account| account.number.clone()),
        name: account.map(|account| account.name.clone()),
        since: account.and_then(|account| timestamp(account.since)),
        companions: account.and_then(|account| account.companions),
        phone_unseen_days: account.and_then(|account| account.phone_unseen),
        next_try: next_try(&link).and_then(timestamp),
        reason: reason(&link),
        screen: states.frames.borrow().screen,
        brightness: states.frames.borrow().light,
        voice: states.voice.borrow().name(),
        inbox: Inbox {
            seq: states.inbox.borrow().0,
        },
        outbox: Outbox {
            pending: outbox.pending,
            failed: outbox.failed,
            limited: outbox.limited,
        },
        version: env!("CARGO_PKG_VERSION"),
        board: states.board,
        display_fault: match &*states.display.borrow() {
            DisplayHealth::Shows => None,
            DisplayHealth::Fails(why) => Some(why.clone()),
        },
    })
}

/// The wall clock may have been set since: the time that has passed, or is left, is measured.
fn timestamp(at: Instant) -> Option<String> {
    let whole =
        |time: Duration| jiff::SignedDuration::try_from(Duration::from_secs(time.as_secs())).ok();
    let now = Instant::now();
    let (behind, ahead) = (
        whole(now.saturating_duration_since(at))?,
        whole(at.saturating_duration_since(now))?,
    );
    let now = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).ok()?;
    let at = now.checked_sub(behind).ok()?.checked_add(ahead).ok()?;
    Some(at.to_string())
}

fn next_try(link: &Link) -> Option<Instant> {
    match link {
        Link::WaitingNetwork { next_try } | Link::RateLimited { next_try } => Some(*next_try),
        Link::Connecting { next_try, .. } | Link::Conflict { next_try } => *next_try,
        Link::Banned { until } => *until,
        Link::Starting
        | Link::WaitingTime
        | Link::Linking(_)
        | Link::Passkey(_)
        | Link::Resting
        | Link::Online(_)
        | Link::Unlinked { .. }
        | Link::Locked
        | Link::Outdated
        | Link::Stopped { .. }
        | Link::Resetting => None,
    }
}

fn reason(link: &Link) -> Option<&'static str> {
    match link {
        Link::Unlinked { by, .. } => Some(match by {
            Remover::Owner => "removed_on_the_phone",
            Remover::Untold => "removed",
        }),
        Link::Stopped { reason } => Some(match reason {
            StopReason::Refused(_) => "refused",
            StopReason::MarkedDirectory => "marked_directory",
            StopReason::ProductionNumber => "production_number",
            StopReason::NoRoom => "no_room",
        }),
        Link::Linking(linking) => match linking.trouble {
            Some(LinkTrouble::NotMultidevice) => Some("not_multidevice"),
            Some(LinkTrouble::PasskeyRefused) => Some("passkey_refused"),
            Some(LinkTrouble::PasskeyLate) => Some("passkey_late"),
            Some(LinkTrouble::Refused) => Some("refused"),
            None => linking.maybe_full.then_some("phone_may_be_full"),
        },
        Link::Passkey(passkey) => Some(match passkey {
            Passkey::Wanted(_) => "wanted",
            Passkey::Checking { .. } => "checking",
            Passkey::Compare(_) => "compare",
        }),
        Link::Starting
        | Link::WaitingNetwork { .. }
        | Link::WaitingTime
        | Link::Connecting { .. }
        | Link::Resting
        | Link::Online(_)
        | Link::Conflict { .. }
        | Link::Locked
        | Link::Banned { .. }
        | Link::Outdated
        | Link::RateLimited { .. }
        | Link::Resetting => None,
    }
}

/// `GET /events`: what became of the link, the latest last. Without a store there is nothing to tell
/// yet.
pub async fn events(State(states): State<States>) -> Result<Json<Events>, StatusCode> {
    let history = states.history.ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(Json(history.rows().into()))
}

/// `GET /screen.png`: what the panel shows now.
pub async fn screen(State(states): State<States>) -> Response {
    let frame = Arc::clone(&states.frames.borrow());
    match frame.png() {
        Ok(png) => {
            let headers = [
                (header::CONTENT_TYPE, "image/png"),
                // The picture may show a code that lives for seconds.
                (header::CACHE_CONTROL, "no-store"),
            ];
            (headers, png).into_response()
        }
        Err(error) => {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Refusal::new(status, "no_picture", error.to_string()).into_response()
        }
    }
}
