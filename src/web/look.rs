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
use crate::session::Link;
use crate::session::link::Account;

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
    /// Why it is stopped, where it is.
    stopped_by: Option<&'static str>,
    /// Since when it is online without a break, as RFC 3339 in UTC; `null` when it is not.
    since: Option<String>,
    screen: &'static str,
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
        stopped_by: match &link {
            Link::Stopped { reason } => Some(reason.name()),
            _ => None,
        },
        since: account.and_then(since),
        screen: states.frames.borrow().screen,
        inbox: Inbox {
            seq: states.inbox.borrow().0,
        },
        outbox: Outbox {
            pending: outbox.pending,
            failed: outbox.failed,
        },
        version: env!("CARGO_PKG_VERSION"),
        board: states.board,
        display_fault: match &*states.display.borrow() {
            DisplayHealth::Shows => None,
            DisplayHealth::Fails(why) => Some(why.clone()),
        },
    })
}

/// The wall clock may have been set since: the time that has passed is measured, and subtracted.
fn since(account: &Account) -> Option<String> {
    let online = Instant::now().saturating_duration_since(account.since);
    let online = jiff::SignedDuration::try_from(Duration::from_secs(online.as_secs())).ok()?;
    let now = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).ok()?;
    Some(now.checked_sub(online).ok()?.to_string())
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
