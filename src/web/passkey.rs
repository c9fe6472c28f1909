//! The passkey that WhatsApp may want while a phone links this box: the request goes out here, what an
//! authenticator signed comes in. Neither is kept or logged.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::States;
use super::answer::Refusal;
use crate::session::link::{Link, Passkey};
use crate::session::{Assertion, PasskeyError};

/// The largest assertion that is taken, in bytes. A credential's id has 1,023 bytes at most
/// (WebAuthn, 4) and is in it twice; the rest is some hundred.
pub const BODY: usize = 16 * 1024;

/// `GET /passkey`: the options of WebAuthn's `get`, as the service wrote them.
pub async fn request(State(states): State<States>) -> Result<Response, Refusal> {
    let options = match &*states.link.borrow() {
        Link::Passkey(Passkey::Wanted(request)) => request.text.clone(),
        _ => {
            let status = StatusCode::NOT_FOUND;
            let detail = PasskeyError::NotWanted.to_string();
            return Err(Refusal::new(status, "not_wanted", detail));
        }
    };
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, options).into_response())
}

/// `POST /passkey`: answered once WhatsApp has taken the assertion, or why it did not come to that.
pub async fn hand_in(
    State(states): State<States>,
    body: Result<Json<Assertion>, JsonRejection>,
) -> Result<StatusCode, Refusal> {
    let Json(assertion) = body.map_err(Refusal::of_json)?;
    let handed = match states.session {
        Some(session) => session.hand_in_passkey(assertion).await,
        None => Err(PasskeyError::NotWanted),
    };
    handed.map(|()| StatusCode::ACCEPTED).map_err(|error| {
        let (status, word) = match error {
            PasskeyError::NotWanted => (StatusCode::CONFLICT, "not_wanted"),
            PasskeyError::Given => (StatusCode::CONFLICT, "given"),
            PasskeyError::Unusable(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unusable"),
            PasskeyError::Refused => (StatusCode::BAD_GATEWAY, "refused"),
            PasskeyError::Interrupted => (StatusCode::BAD_GATEWAY, "interrupted"),
        };
        Refusal::new(status, word, error.to_string())
    })
}
