//! The line against servers that answer, stay silent, refuse or are not there.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::session::tls;
use std::num::NonZeroU32;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

fn line(port: u16, verdict: &Verdict) -> Line {
    let endpoint = Endpoint::new(&format!("ws://127.0.0.1:{port}/ws/chat")).unwrap();
    // Fifty-five seconds of silence in the two that are the least.
    let clock = Clock::scaled(NonZeroU32::new(220).unwrap());
    Line::new(endpoint, tls::connector().unwrap(), clock, verdict.clone())
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn bytes_go_both_ways_and_silence_is_noticed() {
    let (listener, port) = listener().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        let first = socket.next().await.unwrap().unwrap();
        socket.send(first).await.unwrap();
        // From here on it says nothing, and does not close either.
        std::future::pending::<()>().await;
    });
    let verdict = Verdict::default();
    let (transport, events) = line(port, &verdict).create_transport().await.unwrap();
    transport.send(Bytes::from_static(b"hola")).await.unwrap();
    match events.recv().await.unwrap() {
        TransportEvent::DataReceived(data) => assert_eq!(&data[..], b"hola"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        events.recv().await.unwrap(),
        TransportEvent::Disconnected(DisconnectReason::ReadError(_))
    ));
    assert_eq!(verdict.take(), Some(Ending::Silence));
    server.abort();
}

#[tokio::test]
async fn a_socket_that_lives_and_says_nothing_is_deaf() {
    let (listener, port) = listener().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        // Something in between keeps the socket alive, a hundred times in the time allowed.
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        loop {
            beat.tick().await;
            if socket.send(Message::Ping(Bytes::new())).await.is_err() {
                return;
            }
        }
    });
    let verdict = Verdict::default();
    let (_transport, events) = line(port, &verdict).create_transport().await.unwrap();
    assert!(matches!(
        events.recv().await.unwrap(),
        TransportEvent::Disconnected(DisconnectReason::ReadError(_))
    ));
    assert_eq!(verdict.take(), Some(Ending::Silence));
    server.abort();
}

#[tokio::test]
async fn what_is_held_back_leaves_when_it_may_and_keeps_its_place() {
    let (listener, port) = listener().await;
    let (heard, mut frames) = tokio::sync::mpsc::channel(4);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        while let Some(Ok(frame)) = socket.next().await {
            heard.send(frame.into_data()).await.unwrap();
        }
    });
    let line = line(port, &Verdict::default());
    let (transport, _events) = line.create_transport().await.unwrap();
    let (reached, watched) = watch::channel(6);
    line.hold(Release::new(watched.clone(), 7));
    let answer = tokio::spawn({
        let transport = transport.clone();
        async move { transport.send(Bytes::from_static(b"answer")).await }
    });
    let ack = tokio::spawn(async move { transport.send(Bytes::from_static(b"ack")).await });
    // Whoever could write has had its turn many times over.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(frames.try_recv().is_err());
    reached.send_replace(7);
    assert_eq!(&frames.recv().await.unwrap()[..], b"answer");
    assert_eq!(&frames.recv().await.unwrap()[..], b"ack");
    answer.await.unwrap().unwrap();
    ack.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_can_never_be_released_is_never_written() {
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        assert!(socket.next().await.is_none_or(|read| read.is_err()));
    });
    let line = line(port, &Verdict::default());
    let (transport, _events) = line.create_transport().await.unwrap();
    line.hold(Release::new(watch::channel(6).1, 7));
    assert!(transport.send(Bytes::from_static(b"no")).await.is_err());
}

#[tokio::test]
async fn nothing_is_sent_after_hanging_up() {
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        while socket.next().await.is_some_and(|read| read.is_ok()) {}
    });
    let line = line(port, &Verdict::default());
    let (transport, _events) = line.create_transport().await.unwrap();
    line.hang_up();
    assert!(transport.send(Bytes::from_static(b"yes")).await.is_err());
}

#[tokio::test]
async fn hanging_up_ends_the_stream() {
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        while socket.next().await.is_some_and(|read| read.is_ok()) {}
    });
    let verdict = Verdict::default();
    let line = line(port, &verdict);
    let (_transport, events) = line.create_transport().await.unwrap();
    line.hang_up();
    assert!(matches!(
        events.recv().await.unwrap(),
        TransportEvent::Disconnected(DisconnectReason::Unknown)
    ));
    assert_eq!(verdict.take(), None);
}

#[tokio::test]
async fn it_asks_as_a_browser_does_and_reads_a_refusal() {
    let (listener, port) = listener().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = [0; 2048];
        let size = stream.read(&mut asked).await.unwrap();
        let refusal = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(refusal).await.unwrap();
        String::from_utf8_lossy(&asked[..size]).to_lowercase()
    });
    let verdict = Verdict::default();
    assert!(line(port, &verdict).create_transport().await.is_err());
    assert_eq!(verdict.take(), Some(Ending::RateLimited));
    let asked = server.await.unwrap();
    assert!(asked.starts_with("get /ws/chat http/1.1"), "{asked}");
    assert!(
        asked.contains("origin: https://web.whatsapp.com"),
        "{asked}"
    );
    assert!(asked.contains("user-agent: mozilla/5.0"), "{asked}");
}

#[tokio::test]
async fn nobody_at_the_other_end_is_no_network() {
    let (listener, port) = listener().await;
    drop(listener);
    let verdict = Verdict::default();
    assert!(line(port, &verdict).create_transport().await.is_err());
    assert_eq!(verdict.take(), Some(Ending::NoNetwork));
}

#[tokio::test]
async fn a_host_without_a_trusted_certificate_is_untrusted() {
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"this is not TLS at all").await.unwrap();
    });
    let verdict = Verdict::default();
    let endpoint = Endpoint::new(&format!("wss://127.0.0.1:{port}/ws/chat")).unwrap();
    let tls = tls::connector().unwrap();
    let line = Line::new(endpoint, tls, Clock::real(), verdict.clone());
    assert!(line.create_transport().await.is_err());
    assert_eq!(verdict.take(), Some(Ending::Untrusted));
}
