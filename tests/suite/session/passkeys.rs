//! Linking to an account that wants a passkey: somebody signs the service's request, hands it in, and
//! compares a code with the phone's. The simulator holds the passkey's public key and checks all of it.

use serde_json::{Value, json};

use super::*;

/// A service whose owner's account wants a passkey.
async fn wanting(scale: u32) -> Sim {
    let sim = sim(scale).await;
    sim.require_passkey(OWNER).unwrap();
    sim
}

impl Running {
    /// The service's request, as the box hands it out.
    async fn passkey_request(&mut self) -> Value {
        let wanted = |link: &Link| matches!(link, Link::Passkey(Passkey::Wanted(_)));
        match self.until("a passkey is wanted", wanted).await {
            Link::Passkey(Passkey::Wanted(request)) => serde_json::from_str(&request.text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    async fn hand_in(&self, assertion: Value) -> Result<(), PasskeyError> {
        let assertion = serde_json::from_value(assertion).unwrap();
        self.handle.hand_in_passkey(assertion).await
    }

    async fn code_to_compare(&mut self) -> String {
        let shown = |link: &Link| matches!(link, Link::Passkey(Passkey::Compare(_)));
        match self.until("a code to compare", shown).await {
            Link::Passkey(Passkey::Compare(code)) => code.text,
            other => panic!("{other:?}"),
        }
    }

    async fn trouble(&mut self, trouble: LinkTrouble) {
        let is = |link: &Link| match link {
            Link::Linking(linking) => linking.trouble == Some(trouble) && linking.qr.is_none(),
            _ => false,
        };
        self.until(&format!("{trouble:?}"), is).await;
    }
}

#[tokio::test]
async fn passkey_given() {
    let (sim, dir) = (wanting(1).await, TempDir::new().unwrap());
    let mut running = Running::start(&sim, dir.path(), 1);
    let unasked = json!({
        "id": "AA", "rawId": "AA", "type": "public-key",
        "response": { "clientDataJSON": "AA", "authenticatorData": "AA", "signature": "AA" },
    });
    let handed = running.hand_in(unasked.clone()).await;
    assert_eq!(handed, Err(PasskeyError::NotWanted));
    let qr = running.qr().await;
    let story = async {
        let request = running.passkey_request().await;
        assert_eq!(request["rpId"], "whatsapp.com");
        // What cannot be right is said at once, and the request stays.
        let mut other = request.clone();
        other["challenge"] = json!("YW5vdGhlcg");
        let stale = sim.sign_request(OWNER, &other).unwrap();
        for wrong in [unasked, stale] {
            let handed = running.hand_in(wrong).await;
            assert!(
                matches!(handed, Err(PasskeyError::Unusable(_))),
                "{handed:?}"
            );
        }
        let signed = sim.sign_request(OWNER, &request).unwrap();
        assert_eq!(running.hand_in(signed.clone()).await, Ok(()));
        let code = running.code_to_compare().await;
        assert_eq!(running.hand_in(signed).await, Err(PasskeyError::Given));
        let shown = sim.until(|view| view.passkey_code(OWNER)).await;
        assert_eq!(code, format!("{}-{}", &shown[..4], &shown[4..]));
        running.handle.confirm_passkey().await.unwrap();
        running.online().await;
    };
    let (device, ()) = tokio::join!(sim.scan(OWNER, &qr), story);
    assert!(is_online(&sim, device.unwrap()));
    running.stop().await;
    // The secret that was made on the way is the one that counts: no scan is needed again.
    let refs = sim.counters().refs;
    let mut again = Running::start(&sim, dir.path(), 1);
    again.online().await;
    assert_eq!(sim.counters().refs, refs);
    again.stop().await;
    let unknown = sim.counters().unknown;
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[tokio::test]
async fn passkey_refused() {
    let (sim, dir) = (wanting(SCALE).await, TempDir::new().unwrap());
    let mut running = Running::start(&sim, dir.path(), SCALE);
    let refuse = || {
        let refusal = Fault::new(Kind::RefusePasskey).on(OWNER).times(1);
        sim.fault(refusal).unwrap();
    };
    for at_the_end in [false, true] {
        let qr = running.qr().await;
        let story = async {
            let request = running.passkey_request().await;
            let signed = sim.sign_request(OWNER, &request).unwrap();
            if at_the_end {
                assert_eq!(running.hand_in(signed).await, Ok(()));
                running.code_to_compare().await;
                refuse();
                running.handle.confirm_passkey().await.unwrap();
            } else {
                refuse();
                assert_eq!(running.hand_in(signed).await, Err(PasskeyError::Refused));
            }
            running.trouble(LinkTrouble::PasskeyRefused).await;
        };
        let (linked, ()) = tokio::join!(sim.scan(OWNER, &qr), story);
        assert!(linked.is_err());
        // A fresh code would only lead to the same question.
        nobody_connects(&sim, 2, SCALE).await;
        running.handle.link_anew().await.unwrap();
    }
    running.qr().await;
    assert!(sim.devices(OWNER).unwrap().is_empty());
    running.stop().await;
}

#[tokio::test]
async fn passkey_late() {
    let (sim, dir) = (wanting(SCALE).await, TempDir::new().unwrap());
    let mut running = Running::start(&sim, dir.path(), SCALE);
    let qr = running.qr().await;
    let story = async {
        let request = running.passkey_request().await;
        let asked = Instant::now();
        running.trouble(LinkTrouble::PasskeyLate).await;
        // Ten minutes, though the codes that were on offer lasted for less than three.
        let ten = Duration::from_secs(600) / SCALE;
        assert!(asked.elapsed() >= ten - Duration::from_millis(500));
        assert_eq!(sim.counters().refs, 6);
        let signed = sim.sign_request(OWNER, &request).unwrap();
        let handed = running.hand_in(signed).await;
        assert_eq!(handed, Err(PasskeyError::NotWanted));
    };
    let (linked, ()) = tokio::join!(sim.scan(OWNER, &qr), story);
    assert!(linked.is_err());
    nobody_connects(&sim, 2, SCALE).await;
    running.handle.link_anew().await.unwrap();
    running.qr().await;
    running.stop().await;
}

#[tokio::test]
async fn a_linking_with_a_passkey_that_is_cut_short_begins_anew() {
    let (sim, dir) = (wanting(1).await, TempDir::new().unwrap());
    let mut running = Running::start(&sim, dir.path(), 1);
    let qr = running.qr().await;
    let story = async {
        running.passkey_request().await;
        // A press.
        running.handle.link_anew().await.unwrap();
        let qr = running.qr().await;
        let lost = async {
            running.passkey_request().await;
            // The connection.
            sim.fault(Fault::new(Kind::Drop)).unwrap();
            running.qr().await
        };
        let (linked, qr) = tokio::join!(sim.scan(OWNER, &qr), lost);
        assert!(linked.is_err());
        qr
    };
    let (linked, qr) = tokio::join!(sim.scan(OWNER, &qr), story);
    assert!(linked.is_err());
    // A new start of the process, with the assertion already given.
    let story = async {
        let request = running.passkey_request().await;
        let signed = sim.sign_request(OWNER, &request).unwrap();
        running.hand_in(signed).await.unwrap();
        running.code_to_compare().await;
        running.stop().await;
    };
    let (linked, ()) = tokio::join!(sim.scan(OWNER, &qr), story);
    assert!(linked.is_err());
    let mut again = Running::start(&sim, dir.path(), 1);
    again.qr().await;
    assert!(sim.devices(OWNER).unwrap().is_empty());
    again.stop().await;
}
