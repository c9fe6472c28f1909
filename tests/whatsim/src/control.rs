//! The control interface: JSON over HTTP, for programs that test against the simulator. It translates
//! and decides nothing; every call is one of the library's.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::accounts::Sent;
use crate::counters::Snapshot;
use crate::error::SimError;
use crate::faults::Fault;
use crate::shared::Shared;
use crate::sim::{Device, Received};

type Shares = State<Arc<Shared>>;
type Answer<T> = Result<Json<T>, SimError>;

/// Serves the control interface until its task is ended.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let routes = Router::new()
        .route("/phones", post(add_phone))
        .route("/phones/{number}/scan", post(scan))
        .route("/phones/{number}/code", post(enter_code))
        .route("/phones/{number}/passkey", get(passkey_code).post(passkey))
        .route("/phones/{number}/devices", get(devices))
        .route("/phones/{number}/devices/{id}", delete(remove_device))
        .route("/phones/{number}/send", post(send))
        .route("/phones/{number}/groups", post(create_group))
        .route("/phones/{number}/inbox", get(inbox))
        .route("/phones/{number}/sent/{id}", get(sent))
        .route("/faults", post(fault))
        .route("/counters", get(counters))
        .fallback(no_such_call)
        .method_not_allowed_fallback(no_such_call)
        .with_state(shared);
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::error!(%error, "the control interface ended");
    }
}

async fn no_such_call(method: Method, uri: Uri) -> SimError {
    SimError::BadRequest(format!("there is no {method} {}", uri.path()))
}

impl IntoResponse for SimError {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            error: &'static str,
            detail: String,
        }
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::BAD_REQUEST);
        let body = Body {
            error: self.reason(),
            detail: self.to_string(),
        };
        (status, Json(body)).into_response()
    }
}

impl From<JsonRejection> for SimError {
    fn from(rejection: JsonRejection) -> Self {
        Self::BadRequest(rejection.body_text())
    }
}

/// A JSON body whose faults are reported in the control interface's own form.
struct Body<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = SimError;

    async fn from_request(request: Request, state: &S) -> Result<Self, SimError> {
        let Json(body) = Json::<T>::from_request(request, state).await?;
        Ok(Self(body))
    }
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPhone {
    number: String,
    name: String,
    #[serde(default = "yes")]
    multidevice: bool,
    /// The account wants a passkey of whoever is to be linked.
    #[serde(default)]
    passkey: bool,
}

#[derive(Serialize)]
struct Phone {
    number: String,
    lid: String,
}

async fn add_phone(State(sim): Shares, Body(new): Body<NewPhone>) -> Answer<Phone> {
    let lid = sim.add_phone(&new.number, &new.name, new.multidevice)?;
    if new.passkey {
        sim.with(|world| world.require_passkey(&new.number))?;
    }
    Ok(Json(Phone {
        number: new.number,
        lid,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Qr {
    qr: String,
}

#[derive(Serialize)]
struct Linked {
    device: u16,
}

async fn scan(
    State(sim): Shares,
    Path(number): Path<String>,
    Body(Qr { qr }): Body<Qr>,
) -> Answer<Linked> {
    let device = sim.scan(&number, &qr).await?;
    Ok(Json(Linked { device }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    code: String,
}

async fn enter_code(
    State(sim): Shares,
    Path(number): Path<String>,
    Body(Code { code }): Body<Code>,
) -> Answer<Linked> {
    let device = sim.enter_code(&number, &code).await?;
    Ok(Json(Linked { device }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    options: serde_json::Value,
}

/// A person signs the service's request.
async fn passkey(
    State(sim): Shares,
    Path(number): Path<String>,
    Body(asked): Body<Asked>,
) -> Answer<serde_json::Value> {
    sim.with(|world| world.sign_request(&number, &asked.options))
        .map(Json)
}

#[derive(Serialize)]
struct Shown {
    code: String,
}

/// The code that the phone shows.
async fn passkey_code(State(sim): Shares, Path(number): Path<String>) -> Answer<Shown> {
    sim.peek(|world| {
        world.account(&number)?;
        world.passkey_code(&number).ok_or(SimError::NoPairing)
    })
    .map(|code| Json(Shown { code }))
}

async fn devices(State(sim): Shares, Path(number): Path<String>) -> Answer<Vec<Device>> {
    sim.peek(|world| world.devices_of(&number)).map(Json)
}

#[derive(Serialize)]
struct Done {}

async fn remove_device(
    State(sim): Shares,
    Path((number, id)): Path<(String, String)>,
) -> Answer<Done> {
    let id = id.parse().map_err(|_| SimError::NoSuchDevice)?;
    sim.with(|world| world.remove_device(&number, id))?;
    Ok(Json(Done {}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    to: Option<String>,
    group: Option<String>,
    text: String,
    /// Unix seconds the server dates it at, in place of now.
    at: Option<u64>,
}

#[derive(Serialize)]
struct SentId {
    id: String,
}

async fn send(
    State(sim): Shares,
    Path(number): Path<String>,
    Body(text): Body<Text>,
) -> Answer<SentId> {
    let to = match (text.to, text.group) {
        (Some(to), None) | (None, Some(to)) => to,
        (Some(_), Some(_)) | (None, None) => {
            return Err(SimError::BadRequest("either `to` or `group`".into()));
        }
    };
    let id = sim.with(|world| world.send_text(&number, &to, &text.text, text.at))?;
    Ok(Json(SentId { id }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewGroup {
    name: String,
    members: Vec<String>,
}

#[derive(Serialize)]
struct Grouped {
    group: String,
}

async fn create_group(
    State(sim): Shares,
    Path(number): Path<String>,
    Body(new): Body<NewGroup>,
) -> Answer<Grouped> {
    let group = sim.with(|world| world.create_group(&number, &new.name, &new.members))?;
    Ok(Json(Grouped {
        group: group.to_string(),
    }))
}

async fn inbox(State(sim): Shares, Path(number): Path<String>) -> Answer<Vec<Received>> {
    sim.peek(|world| world.inbox(&number)).map(Json)
}

async fn sent(State(sim): Shares, Path((number, id)): Path<(String, String)>) -> Answer<Sent> {
    sim.peek(|world| world.sent(&number, &id)).map(Json)
}

async fn fault(State(sim): Shares, Body(fault): Body<Fault>) -> Answer<Done> {
    sim.with(|world| world.fault(fault))?;
    Ok(Json(Done {}))
}

async fn counters(State(sim): Shares) -> Json<Snapshot> {
    Json(sim.peek(|world| world.snapshot()))
}
