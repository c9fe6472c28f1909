//! Looking in from the same machine: what the panel shows, as JSON and as a picture; and the one thing
//! that a button cannot say, a signed passkey. It owns no state. Until there is a login it answers on
//! loopback only and not to pages of other sites, and a press comes in only where the board has handed
//! out the right to make one.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::bot::Voice;
use crate::hardware::{DisplayHealth, Frame, RemoteButton};
use crate::history::History;
use crate::message::Seq;
use crate::outbox::Pending;
use crate::session::{Handle, Link};

mod answer;
mod button;
mod look;
mod passkey;

/// The largest body a request may have, in bytes.
const BODY: usize = 4096;

/// Everything the web side shows; all of it belongs to others.
#[derive(Clone, Debug)]
pub struct States {
    /// The session's state.
    pub link: watch::Receiver<Link>,
    /// What the panel shows.
    pub frames: watch::Receiver<Arc<Frame>>,
    /// The latest message in the inbox.
    pub inbox: watch::Receiver<Seq>,
    /// What waits in the outbox, and what was refused.
    pub outbox: watch::Receiver<Pending>,
    /// Where a passkey is handed in; `None` while there is no session.
    pub session: Option<Handle>,
    /// What became of the link; `None` while there is no store.
    pub history: Option<History>,
    /// The board's name.
    pub board: String,
    /// How the board's display is.
    pub display: watch::Receiver<DisplayHealth>,
    /// Whether this box answers.
    pub voice: watch::Receiver<Voice>,
}

/// Why there is nothing to listen on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Everybody on the network could look in.
    #[error(
        "the web side must not listen on {0}: it has no login yet; use 127.0.0.1 or [::1], and \
         forward the port with ssh to look in from elsewhere"
    )]
    NotLoopback(SocketAddr),
    /// The system refused.
    #[error("cannot listen on {addr}: {source}")]
    Refused {
        /// On what.
        addr: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// Opens the port.
///
/// # Errors
/// When the address is not this machine's own, or the system refuses.
pub async fn bind(addr: SocketAddr) -> Result<TcpListener, BindError> {
    if !addr.ip().to_canonical().is_loopback() {
        return Err(BindError::NotLoopback(addr));
    }
    TcpListener::bind(addr)
        .await
        .map_err(|source| BindError::Refused { addr, source })
}

/// Answers until `shutdown` completes. `POST /button` exists only with `button`.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    states: States,
    button: Option<RemoteButton>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, router(states, button))
        .with_graceful_shutdown(shutdown)
        .await
}

fn router(states: States, button: Option<RemoteButton>) -> Router {
    let mut routes = Router::new()
        .route("/healthz", get(look::healthz))
        .route("/status", get(look::status))
        .route("/screen.png", get(look::screen))
        .route("/events", get(look::events))
        .route(
            "/passkey",
            get(passkey::request)
                .post(passkey::hand_in)
                .layer(DefaultBodyLimit::max(passkey::BODY)),
        )
        .with_state(states);
    if let Some(button) = button {
        routes = routes.route("/button", post(button::press).with_state(button));
    }
    routes
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::wrong_method)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(axum::middleware::from_fn(answer::own_host))
}

#[cfg(test)]
mod tests;
