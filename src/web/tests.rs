//! The web side over a real socket, as somebody on this machine would use it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use bytes::Bytes;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::Rgb888;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::*;
use crate::hardware::{Button, ButtonEvent, DisplayHealth, Source, headless};
use crate::session::link::{Account, Code, Passkey};
use crate::session::{Order, PasskeyError};

struct Stage {
    history: History,
    addr: SocketAddr,
    link: watch::Sender<Link>,
    _inbox: watch::Sender<Seq>,
    _outbox: watch::Sender<Pending>,
    _frames: watch::Sender<Arc<Frame>>,
    button: Button,
    orders: mpsc::Receiver<Order>,
    shutdown: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<io::Result<()>>,
}

async fn stage(with_button: bool) -> Stage {
    let board = headless::open(Some(Size::new(64, 48)));
    let mut frame = Frame::new(board.glass.size, Rgb888::new(1, 2, 3));
    frame.screen = "resting";
    let (link, link_watch) = watch::channel(Link::Resting);
    let (frames, frames_watch) = watch::channel(Arc::new(frame));
    let (inbox, inbox_watch) = watch::channel(Seq(17));
    let counts = Pending {
        pending: 2,
        failed: 1,
        limited: true,
        ..Pending::default()
    };
    let (outbox, outbox_watch) = watch::channel(counts);
    let data = tempfile::tempdir().unwrap();
    let store = crate::store::Store::open(data.path()).unwrap();
    let history = History::open(&store, Default::default()).unwrap();
    let (order, orders) = mpsc::channel(4);
    let states = States {
        session: Some(Handle::new(order, link_watch.clone())),
        link: link_watch,
        frames: frames_watch,
        inbox: inbox_watch,
        outbox: outbox_watch,
        history: Some(history.clone()),
        board: board.name,
        display: watch::channel(DisplayHealth::Shows).1,
        voice: watch::channel(crate::bot::Voice::Listens).1,
    };
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (shutdown, wanted) = oneshot::channel();
    let remote = board.remote.filter(|_| with_button);
    let served = tokio::spawn(serve(listener, states, remote, async {
        let _ = wanted.await;
    }));
    Stage {
        history,
        addr,
        link,
        _inbox: inbox,
        _outbox: outbox,
        _frames: frames,
        button: board.button,
        orders,
        shutdown: Some(shutdown),
        served,
    }
}

impl Stage {
    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Bytes) {
        let host = self.addr.to_string();
        self.ask_as(&host, method, path, body).await
    }

    async fn ask_as(&self, host: &str, method: &str, path: &str, body: &str) -> (u16, Bytes) {
        self.ask_for(host, None, method, path, body).await
    }

    /// As a browser asks for a page.
    async fn ask_for(
        &self,
        host: &str,
        origin: Option<&str>,
        method: &str,
        path: &str,
        body: &str,
    ) -> (u16, Bytes) {
        ask_at(self.addr, host, origin, method, path, body).await
    }

    async fn json(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let (status, body) = self.ask(method, path, body).await;
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }
}

async fn ask_at(
    addr: SocketAddr,
    host: &str,
    origin: Option<&str>,
    method: &str,
    path: &str,
    body: &str,
) -> (u16, Bytes) {
    let stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", host)
        .header("content-type", "application/json");
    let request = match origin {
        Some(origin) => request.header("origin", origin),
        None => request,
    };
    let request = request
        .body(Full::new(Bytes::from(body.to_owned())))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    (
        status,
        response.into_body().collect().await.unwrap().to_bytes(),
    )
}

#[tokio::test]
async fn what_became_of_the_link_is_told_in_its_order() {
    use crate::history::{Cause, Event, What};
    let stage = stage(false).await;
    let (_, body) = stage.ask("GET", "/events", "").await;
    let told: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(told, json!({ "events": [] }));
    stage.history.note(Event::new(What::Online)).await;
    let unlinked = Event::new(What::Unlinked).because(Cause::RemovedOutside);
    stage.history.note(unlinked).await;
    let (code, body) = stage.ask("GET", "/events", "").await;
    let told: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(code, 200);
    assert_eq!(told["events"][0]["what"], "online");
    assert_eq!(told["events"][1]["what"], "unlinked");
    assert_eq!(told["events"][1]["cause"], "removed_outside");
    assert!(told["events"][1]["last"]["uptime_s"].is_u64());
}

#[tokio::test]
async fn the_status_tells_the_whole_box() {
    let stage = stage(false).await;
    let (status, told) = stage.json("GET", "/status", "").await;
    assert_eq!(status, 200);
    let expected = json!({
        "link": "resting", "number": null, "name": null, "since": null, "screen": "resting",
        "companions": null, "phone_unseen_days": null, "next_try": null, "reason": null,
        "voice": "listens", "inbox": { "seq": 17 },
        "outbox": { "pending": 2, "failed": 1, "limited": true },
        "version": env!("CARGO_PKG_VERSION"), "board": "headless",
        "display_fault": null, "brightness": 100,
    });
    assert_eq!(told, expected);

    stage.link.send_replace(Link::Online(Account {
        number: "573000000001".into(),
        lid: None,
        name: "Tienda".into(),
        since: Instant::now(),
        companions: None,
        phone_unseen: None,
    }));
    let (_, told) = stage.json("GET", "/status", "").await;
    assert_eq!(told["link"], "online");
    assert_eq!(told["number"], "573000000001");
    assert_eq!(told["name"], "Tienda");
    let since: jiff::Timestamp = told["since"].as_str().unwrap().parse().unwrap();
    assert!(jiff::Timestamp::now().as_second() - since.as_second() <= 5);
}

#[tokio::test]
async fn the_picture_is_what_the_panel_shows() {
    let stage = stage(false).await;
    let (status, body) = stage.ask("GET", "/screen.png", "").await;
    assert_eq!(status, 200);
    let mut reader = png::Decoder::new(std::io::Cursor::new(&body))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height), (64, 48));
    assert_eq!(pixels[..3], [1, 2, 3]);
    let frame = stage._frames.borrow();
    assert_eq!(frame.size(), Size::new(64, 48));
}

#[tokio::test]
async fn a_press_over_the_network_reaches_the_panel_as_one() {
    let mut stage = stage(true).await;
    let (status, _) = stage.ask("POST", "/button", r#"{"hold_ms":100}"#).await;
    assert_eq!(status, 202);
    assert_eq!(
        stage.button.event().await,
        (Source::Remote, ButtonEvent::Down)
    );
    assert_eq!(
        stage.button.event().await,
        (Source::Remote, ButtonEvent::Press)
    );
}

#[tokio::test]
async fn without_the_right_to_press_there_is_no_such_route() {
    let stage = stage(false).await;
    let (status, told) = stage.json("POST", "/button", r#"{"hold_ms":100}"#).await;
    assert_eq!((status, &told["error"]), (404, &json!("not_found")));
}

#[tokio::test]
async fn what_cannot_be_understood_is_refused_in_json() {
    let stage = stage(true).await;
    for (method, path, body, status, error) in [
        ("POST", "/button", "{", 400, "bad_request"),
        ("POST", "/button", r#"{"hold_ms":-1}"#, 422, "bad_request"),
        ("POST", "/button", r#"{"hold":1}"#, 422, "bad_request"),
        (
            "POST",
            "/button",
            r#"{"hold_ms":30001}"#,
            400,
            "bad_request",
        ),
        ("GET", "/button", "", 405, "wrong_method"),
        ("POST", "/status", "", 405, "wrong_method"),
        ("GET", "/nothing", "", 404, "not_found"),
    ] {
        let (told_status, told) = stage.json(method, path, body).await;
        assert_eq!(
            (told_status, &told["error"]),
            (status, &json!(error)),
            "{method} {path} {body}"
        );
        assert!(!told["detail"].as_str().unwrap().is_empty());
    }
    let huge = format!(r#"{{"hold_ms":1,"x":"{}"}}"#, "x".repeat(10_000));
    let (status, told) = stage.json("POST", "/button", &huge).await;
    assert_eq!((status, &told["error"]), (413, &json!("too_large")));
}

#[tokio::test]
async fn a_page_of_another_name_cannot_look_in() {
    let stage = stage(true).await;
    let (status, _) = stage
        .ask_as("evil.example:80", "GET", "/screen.png", "")
        .await;
    assert_eq!(status, 403);
    for own in ["localhost:1", "[::1]:80", "127.0.0.1"] {
        assert_eq!(
            stage.ask_as(own, "GET", "/healthz", "").await.0,
            200,
            "{own}"
        );
    }
}

#[tokio::test]
async fn another_page_cannot_send_what_it_may_not_read() {
    let stage = stage(true).await;
    let host = stage.addr.to_string();
    let press = r#"{"hold_ms":100}"#;
    for (origin, expected) in [
        ("https://evil.example", 403),
        ("null", 403),
        ("http://127.0.0.1.evil.example:80", 403),
        ("http://localhost:8080", 202),
        ("http://[::1]:8080", 202),
    ] {
        let (status, _) = stage
            .ask_for(&host, Some(origin), "POST", "/button", press)
            .await;
        assert_eq!(status, expected, "{origin}");
    }
}

fn passkey_wanted() -> Link {
    Link::Passkey(Passkey::Wanted(Code {
        text: r#"{"challenge":"aG9sYQ","rpId":"whatsapp.com"}"#.to_owned(),
        expires: Instant::now() + Duration::from_secs(600),
        lifetime: Duration::from_secs(600),
    }))
}

const ASSERTION: &str = r#"{"id":"AA","rawId":"AA","type":"public-key","response":
    {"clientDataJSON":"AA","authenticatorData":"AA","signature":"AA"}}"#;

#[tokio::test]
async fn a_passkeys_request_goes_out_while_one_is_wanted() {
    let stage = stage(false).await;
    let (status, told) = stage.json("GET", "/passkey", "").await;
    assert_eq!((status, &told["error"]), (404, &json!("not_wanted")));
    stage.link.send_replace(passkey_wanted());
    let (status, told) = stage.json("GET", "/passkey", "").await;
    assert_eq!(status, 200);
    assert_eq!(
        told,
        json!({ "challenge": "aG9sYQ", "rpId": "whatsapp.com" })
    );
    let (_, told) = stage.json("GET", "/status", "").await;
    assert_eq!(
        (&told["link"], &told["reason"]),
        (&json!("passkey"), &json!("wanted"))
    );
    let expires = Instant::now();
    let checking = Link::Passkey(Passkey::Checking { expires });
    stage.link.send_replace(checking);
    assert_eq!(stage.json("GET", "/passkey", "").await.0, 404);
}

#[tokio::test]
async fn an_assertion_reaches_the_session_and_its_word_comes_back() {
    let mut stage = stage(false).await;
    let outcomes = [
        (Ok(()), 202, None),
        (Err(PasskeyError::NotWanted), 409, Some("not_wanted")),
        (Err(PasskeyError::Given), 409, Some("given")),
        (Err(PasskeyError::Unusable("so")), 422, Some("unusable")),
        (Err(PasskeyError::Refused), 502, Some("refused")),
        (Err(PasskeyError::Interrupted), 502, Some("interrupted")),
    ];
    for (outcome, expected, error) in outcomes {
        let (answer, orders) = (outcome.clone(), &mut stage.orders);
        let session = async {
            match orders.recv().await {
                Some(Order::Passkey(_, told)) => told.send(answer).unwrap(),
                other => panic!("{other:?}"),
            }
        };
        let addr = stage.addr;
        let host = addr.to_string();
        let asking = ask_at(addr, &host, None, "POST", "/passkey", ASSERTION);
        let ((status, body), ()) = tokio::join!(asking, session);
        let told: Value = serde_json::from_slice(&body).unwrap_or_default();
        assert_eq!(status, expected, "{outcome:?}");
        assert_eq!(told["error"].as_str(), error, "{told}");
    }
}

#[tokio::test]
async fn what_is_no_assertion_never_reaches_the_session() {
    let mut stage = stage(false).await;
    stage.link.send_replace(passkey_wanted());
    let huge = ASSERTION.replacen("AA", &"A".repeat(20_000), 1);
    for (body, expected, error) in [
        ("", 400, "bad_request"),
        ("{", 400, "bad_request"),
        ("{}", 422, "bad_request"),
        (r#"{"rawId":7}"#, 422, "bad_request"),
        (huge.as_str(), 413, "too_large"),
    ] {
        let (status, told) = stage.json("POST", "/passkey", body).await;
        assert_eq!((status, &told["error"]), (expected, &json!(error)));
    }
    assert!(stage.orders.try_recv().is_err());
}

#[tokio::test]
async fn it_listens_to_this_machine_only() {
    for addr in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8080"] {
        let refused = bind(addr.parse().unwrap()).await.unwrap_err();
        assert!(matches!(refused, BindError::NotLoopback(_)), "{addr}");
        assert!(refused.to_string().contains("127.0.0.1"));
    }
}

#[tokio::test]
async fn it_ends_when_it_is_asked_to() {
    let mut stage = stage(false).await;
    assert_eq!(stage.ask("GET", "/healthz", "").await.0, 200);
    stage.shutdown.take().unwrap().send(()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), stage.served).await;
    ended.unwrap().unwrap().unwrap();
}
