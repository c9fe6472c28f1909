//! Answers that fit a request, and all that do not.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;

fn text(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn options() -> Value {
    json!({
        "challenge": text(b"sign this"), "rpId": "whatsapp.com", "timeout": 600_000,
        "userVerification": "required",
        "allowCredentials": [{ "type": "public-key", "id": text(b"the passkey") }],
    })
}

fn client(kind: &str, challenge: &[u8], origin: &str) -> String {
    let client = json!({ "type": kind, "challenge": text(challenge), "origin": origin });
    text(client.to_string().as_bytes())
}

fn data(site: &str, flags: u8) -> String {
    text(&[&Sha256::digest(site)[..], &[flags], &[0; 4]].concat())
}

/// As a browser on WhatsApp's page hands it out, with more in it than is needed.
fn assertion() -> Value {
    json!({
        "id": text(b"the passkey"), "rawId": text(b"the passkey"), "type": "public-key",
        "authenticatorAttachment": "platform", "clientExtensionResults": {},
        "response": {
            "clientDataJSON": client("webauthn.get", b"sign this", "https://web.whatsapp.com"),
            "authenticatorData": data("whatsapp.com", PRESENT | RECOGNISED),
            "signature": text(b"signed"),
            "userHandle": null,
        },
    })
}

fn judge(assertion: Value, options: &Value) -> Result<Proof, PasskeyError> {
    let assertion: Assertion = serde_json::from_value(assertion).unwrap();
    assert_eq!(format!("{assertion:?}"), "Assertion { .. }");
    assertion.answers(&options.to_string())
}

#[test]
fn what_a_browser_on_whatsapps_page_gives_fits() {
    let proof = judge(assertion(), &options()).ok().unwrap();
    assert_eq!(proof.credential, b"the passkey");
    assert_eq!(proof.signature, b"signed");
    assert_eq!(proof.user_handle, None);
    // A request that names no passkey and no site, an answer on the site itself, padded.
    let bare = json!({ "challenge": text(b"sign this") });
    let mut padded = assertion();
    padded["rawId"] = json!(format!("{}=", text(b"the passkey")));
    padded["response"]["authenticatorData"] = json!(data("whatsapp.com", PRESENT));
    padded["response"]["userHandle"] = json!(text(b"somebody"));
    padded["response"]["clientDataJSON"] = json!(client(
        "webauthn.get",
        b"sign this",
        "https://whatsapp.com:443"
    ));
    let proof = judge(padded, &bare).ok().unwrap();
    assert_eq!(proof.user_handle.as_deref(), Some(&b"somebody"[..]));
}

#[test]
fn what_cannot_be_right_is_told_with_what_to_do() {
    let of = |path: &str, value: Value| {
        let mut changed = assertion();
        *changed.pointer_mut(path).unwrap() = value;
        changed
    };
    let said = |kind, challenge: &[u8], origin| {
        let path = "/response/clientDataJSON";
        of(path, json!(client(kind, challenge, origin)))
    };
    let authenticator = |data: String| of("/response/authenticatorData", json!(data));
    let (get, site) = ("webauthn.get", "https://web.whatsapp.com");
    let table = [
        (of("/type", json!("password")), "public-key"),
        (of("/rawId", json!("!")), "`rawId`"),
        (of("/rawId", json!("")), "`rawId`"),
        (of("/response/signature", json!("")), "`signature`"),
        (
            of("/response/clientDataJSON", json!(text(b"{"))),
            "client data",
        ),
        (
            said("webauthn.create", b"sign this", site),
            "credentials.get",
        ),
        (
            said(get, b"something else", site),
            "fetch the request again",
        ),
        (
            said(get, b"sign this", "https://whatsapp.com.example"),
            "another site",
        ),
        (
            said(get, b"sign this", "https://evilwhatsapp.com"),
            "another site",
        ),
        (
            said(get, b"sign this", "http://web.whatsapp.com"),
            "another site",
        ),
        (authenticator(text(b"short")), "too short"),
        (authenticator(data("example.com", 5)), "for another site"),
        (authenticator(data("whatsapp.com", PRESENT)), "recognised"),
        (
            of("/rawId", json!(text(b"another one"))),
            "not this account's",
        ),
    ];
    for (wrong, why) in table {
        let error = judge(wrong, &options()).err().unwrap();
        assert!(error.to_string().contains(why), "{error} has no {why:?}");
    }
}

#[test]
fn only_options_with_a_challenge_are_a_request() {
    assert!(is_request(&options().to_string()));
    for none in ["", "{}", "[]", r#"{"challenge":""}"#, r#"{"challenge":7}"#] {
        assert!(!is_request(none), "{none}");
    }
}
