//! How the web side says no: always JSON, always `{"error":"snake_case","detail":"..."}`.

use axum::Json;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// A refusal.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    error: &'static str,
    detail: String,
}

impl Refusal {
    /// `error` is for programs, `detail` for people.
    pub fn new(status: StatusCode, error: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            error,
            detail: detail.into(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "error": self.error, "detail": self.detail });
        (self.status, Json(body)).into_response()
    }
}

/// No such path.
pub async fn not_found(request: Request) -> Refusal {
    let detail = format!("there is nothing at {}", request.uri().path());
    Refusal::new(StatusCode::NOT_FOUND, "not_found", detail)
}

/// A path that takes another method.
pub async fn wrong_method(request: Request) -> Refusal {
    let detail = format!(
        "{} does not take {}",
        request.uri().path(),
        request.method()
    );
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", detail)
}

/// Refuses a page of the internet that had its name point at this machine: a browser names the
/// host it believes to talk to, and that must be this one.
pub async fn own_host(request: Request, next: Next) -> Response {
    let host = match request.headers().get(header::HOST) {
        Some(value) => value.to_str().unwrap_or("?"),
        // HTTP/1.0 knows no host; browsers do not speak it.
        None => return next.run(request).await,
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let own = name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.to_canonical().is_loopback());
    if own {
        return next.run(request).await;
    }
    let detail = "this address answers to 127.0.0.1, [::1] and localhost only";
    Refusal::new(StatusCode::FORBIDDEN, "foreign_host", detail).into_response()
}
