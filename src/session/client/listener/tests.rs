//! What is shown of the events that no simulator brings about.
#![allow(clippy::unwrap_used)]

use std::num::NonZeroU32;

use wacore::types::events::{PairPasskeyRequest, PairingQrCode};

use super::*;
use crate::session::queue::queue;
use crate::session::{Endpoint, tls};
use crate::store::Store;

#[tokio::test]
async fn a_wanted_passkey_ends_the_connection_and_shows_no_other_code() {
    let (events, _told) = mpsc::channel(4);
    let (queue, _pump) = queue(events.clone());
    let (link, shown) = watch::channel(Link::Linking(Linking::default()));
    let (signals, _signalled) = mpsc::channel(4);
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
    let qr = PairingQrCode::builder()
        .code("ref,noise,identity,adv".to_owned())
        .timeout(Duration::from_secs(60))
        .build();
    listener.handle_event(Arc::new(Told::PairingQrCode(qr)));
    let request = PairPasskeyRequest::builder()
        .request_options_json("{}".to_owned())
        .build();
    listener.handle_event(Arc::new(Told::PairPasskeyRequest(request)));
    let expected = Link::Linking(Linking {
        trouble: Some(LinkTrouble::PasskeyWanted),
        ..Linking::default()
    });
    assert_eq!(*shown.borrow(), expected);
    assert_eq!(verdict.take(), Some(Ending::PasskeyWanted));
}
