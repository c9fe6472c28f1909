//! A press over the network. What it holds is a [`RemoteButton`], which no board with a real
//! button hands out; nothing here could make a press of a finger.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::Deserialize;

use super::answer::Refusal;
use crate::hardware::RemoteButton;

/// The longest press that may be asked for, in milliseconds.
const LONGEST: u64 = 30_000;

/// `{"hold_ms": 100}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Press {
    hold_ms: u64,
}

/// `POST /button`: answered when the press has begun, not when it is over.
pub async fn press(
    State(button): State<RemoteButton>,
    body: Result<Json<Press>, JsonRejection>,
) -> Result<StatusCode, Refusal> {
    let Json(press) = body.map_err(Refusal::of_json)?;
    if press.hold_ms > LONGEST {
        let detail = format!("hold_ms is {}; at most {LONGEST}", press.hold_ms);
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "bad_request", detail));
    }
    let pressed = button.press(Duration::from_millis(press.hold_ms));
    pressed.map_err(|gone| {
        Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "button_busy",
            gone.to_string(),
        )
    })?;
    Ok(StatusCode::ACCEPTED)
}
