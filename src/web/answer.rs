//! How the web side says no: always JSON, always `{"error":"snake_case","detail":"..."}`.

use axum::Json;
use axum::extract::Request;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode, header};
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

    /// A body that is too large, or not the JSON that is wanted.
    pub fn of_json(rejection: JsonRejection) -> Self {
        let error = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => "too_large",
            _ => "bad_request",
        };
        Self::new(rejection.status(), error, rejection.body_text())
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

/// Refuses a page of the internet that had its name point at this machine, or that sends what it
/// cannot read the answer to: a browser names the host it believes to talk to and the page it talks
/// for, and both must be this machine.
pub async fn own_host(request: Request, next: Next) -> Response {
    match foreign(request.headers()) {
        Some(refusal) => refusal.into_response(),
        None => next.run(request).await,
    }
}

fn foreign(headers: &HeaderMap) -> Option<Refusal> {
    let header = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    // HTTP/1.0 knows no host; browsers do not speak it.
    if header(header::HOST).is_some_and(|host| !is_own(host)) {
        let detail = "this address answers to 127.0.0.1, [::1] and localhost only";
        return Some(Refusal::new(StatusCode::FORBIDDEN, "foreign_host", detail));
    }
    if header(header::ORIGIN).is_some_and(|origin| !is_own(without_scheme(origin))) {
        let detail = "only pages of this machine may ask; use curl instead of another page";
        return Some(Refusal::new(
            StatusCode::FORBIDDEN,
            "foreign_origin",
            detail,
        ));
    }
    None
}

fn without_scheme(origin: &str) -> &str {
    origin.split_once("://").map_or(origin, |(_, host)| host)
}

/// A name of this machine, with or without a port.
fn is_own(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.to_canonical().is_loopback())
}
