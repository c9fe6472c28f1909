//! What is shown of the events that no simulator brings about at the right moment.
#![allow(clippy::unwrap_used)]

use std::num::NonZeroU32;

use wacore::types::events::{PairPasskeyError, PairPasskeyRequest, PairingCode, PairingQrCode};

use super::*;
use crate::session::link::Passkey;
use crate::session::queue::queue;
use crate::session::{Endpoint, tls};
use crate::store::Store;

/// A listener that hears of a connection, and what can be seen of it.
struct Stage {
    listener: Listener,
    link: watch::Receiver<Link>,
    verdict: Verdict,
    _signals: mpsc::Receiver<Signal>,
    _dir: tempfile::TempDir,
}

fn stage() -> Stage {
    let (events, _told) = mpsc::channel(4);
    let (queue, _pump) = queue(events.clone());
    let (link, shown) = watch::channel(Link::Linking(Linking::default()));
    let (signals, signalled) = mpsc::channel(8);
    let verdict = Verdict::default();
    let clock = Clock::scaled(NonZeroU32::MIN);
    let dir = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::new("ws://127.0.0.1:9/ws/chat").unwrap();
    let tls = tls::connector().unwrap();
    let line = Line::new(endpoint.clone(), tls.clone(), clock, verdict.clone());
    let context = Context {
        settings: Settings::new(endpoint),
        clock,
        store: Store::open(dir.path()).unwrap(),
        tls,
        link,
        queue,
        events,
        acquaintance: Arc::default(),
        panics: Arc::new(watch::Sender::new(None)),
    };
    let listener = Listener::new(&context, Arc::new(line), verdict.clone(), signals);
    listener.begin();
    Stage {
        listener,
        link: shown,
        verdict,
        _signals: signalled,
        _dir: dir,
    }
}

fn request(options: &str) -> Arc<Told> {
    let options = options.to_owned();
    let request = PairPasskeyRequest::builder().request_options_json(options);
    Arc::new(Told::PairPasskeyRequest(request.build()))
}

fn is_wanted(link: &Link) -> bool {
    matches!(link, Link::Passkey(Passkey::Wanted(_)))
}

#[tokio::test]
async fn once_a_passkey_is_wanted_no_code_takes_its_place() {
    let stage = stage();
    let qr = PairingQrCode::builder()
        .code("ref,noise,identity,adv".to_owned())
        .timeout(Duration::from_secs(60))
        .build();
    stage
        .listener
        .handle_event(Arc::new(Told::PairingQrCode(qr.clone())));
    stage
        .listener
        .handle_event(request(r#"{"challenge":"aG9sYQ"}"#));
    assert!(is_wanted(&stage.link.borrow()));
    let typed = PairingCode::builder()
        .code("ABCDEFGH".to_owned())
        .timeout(Duration::from_secs(180))
        .build();
    for late in [Told::PairingQrCode(qr), Told::PairingCode(typed)] {
        stage.listener.handle_event(Arc::new(late));
        assert!(is_wanted(&stage.link.borrow()));
    }
    assert_eq!(stage.verdict.take(), None);
}

#[tokio::test]
async fn a_request_that_nobody_could_sign_is_a_refusal() {
    let stage = stage();
    stage.listener.handle_event(request("{}"));
    assert!(!is_wanted(&stage.link.borrow()));
    assert_eq!(stage.verdict.take(), Some(Ending::PasskeyRefused));
}

#[tokio::test]
async fn an_exchange_with_the_phone_that_breaks_off_is_a_refusal() {
    let stage = stage();
    stage
        .listener
        .handle_event(request(r#"{"challenge":"aG9sYQ"}"#));
    let error = PairPasskeyError::builder()
        .error("companion_nonce iq failed".to_owned())
        .continuation(true)
        .build();
    stage
        .listener
        .handle_event(Arc::new(Told::PairPasskeyError(error)));
    assert_eq!(stage.verdict.take(), Some(Ending::PasskeyRefused));
}
