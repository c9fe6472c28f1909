//! What is shown of the events that no simulator brings about.
#![allow(clippy::unwrap_used)]

use std::num::NonZeroU32;

use wacore::types::events::{PairPasskeyRequest, PairingQrCode};

use super::*;
use crate::session::queue::queue;

#[tokio::test]
async fn a_wanted_passkey_ends_the_connection_and_shows_no_other_code() {
    let (events, _told) = mpsc::channel(4);
    let (queue, _pump) = queue(events);
    let (link, shown) = watch::channel(Link::Linking(Linking::default()));
    let (signals, _signalled) = mpsc::channel(4);
    let verdict = Verdict::default();
    let clock = Clock::scaled(NonZeroU32::MIN);
    let listener = Listener::new(link, verdict.clone(), queue, signals, clock, false);
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
