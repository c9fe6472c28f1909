//! A box and a phone whose account wants a passkey, as the installer meets them: the request is fetched
//! and the assertion handed in at the box's own page, the code is read on its screen.

use std::time::Duration;

use serde_json::{Value, json};

use crate::town::{SHOP, Town};

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_with_a_passkey_is_linked_through_the_boxs_page_and_its_button() {
    let town = Town::new().await;
    town.sim.require_passkey(SHOP).unwrap();
    let running = town.start();
    assert_eq!(running.ask("GET", "/passkey", "").0, 404);
    let qr = running.wait_qr();
    let story = async {
        running.wait("the passkey", |status| {
            status["link"] == "passkey" && status["screen"] == "passkey_wanted"
        });
        let (code, request) = running.ask("GET", "/passkey", "");
        assert_eq!(code, 200);
        let request: Value = serde_json::from_slice(&request).unwrap();
        let (code, answer) = running.ask("POST", "/passkey", "{}");
        assert_eq!(code, 422, "{}", String::from_utf8_lossy(&answer));
        let signed = town.sim.sign_request(SHOP, &request).unwrap();
        let (code, answer) = running.ask("POST", "/passkey", &signed.to_string());
        assert_eq!(code, 202, "{}", String::from_utf8_lossy(&answer));
        running.wait("the code", |status| {
            status["reason"] == "compare" && status["screen"] == "passkey_code"
        });
        assert_eq!(running.ask("GET", "/passkey", "").0, 404);
        let shown = town.sim.until(|view| view.passkey_code(SHOP)).await;
        // Somebody looks at both, and presses.
        running.hold(Duration::from_millis(100));
        running.wait_link("online");
        (signed, shown)
    };
    let (linked, (signed, shown)) = tokio::join!(town.sim.scan(SHOP, &qr), story);
    linked.unwrap();
    running.wait_events("why, and what came of it", |events| {
        let rows = events["events"].as_array().unwrap();
        let causes: Vec<_> = rows.iter().map(|row| &row["cause"]).collect();
        ["passkey_wanted", "passkey_given"]
            .iter()
            .all(|cause| causes.contains(&&json!(cause)))
    });
    let log = running.log();
    assert!(log.contains("linked"), "{log}");
    let signature = signed["response"]["signature"].as_str().unwrap();
    for secret in [signature, &shown, &shown[..4]] {
        assert!(!log.contains(secret), "the log holds {secret}:\n{log}");
    }
}
