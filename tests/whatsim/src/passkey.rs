//! Linking accounts that want a passkey: the request, the proof, and what the server carries between
//! the companion and the phone afterwards. It must never let a phone hear of a companion that did not
//! prove the account's passkey.
//!
//! After the scan of such an account's phone the client gets, on the connection it shows its codes on:
//!
//! ```text
//! notification passkey_prologue_request   the options of WebAuthn's `get`, as JSON
//!   iq get ref                            a ref for this exchange
//!   iq set passkey_prologue               the signed assertion, and the companion's half of the exchange
//! notification crsc_continuation          the phone's half
//!   iq set companion_nonce                both show a code from here on
//!   iq set encrypted_pairing_request      a person says that the codes are the same
//! iq set pair-success                     as after any scan
//! ```
//!
//! The stanzas are those that the protocol crate and whatsmeow send and read. The codes of refusals
//! are this simulator's own: no source shows those of the service.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, SERVER_JID};

use crate::accounts::DeviceId;
use crate::directory::Directory as _;
use crate::error::{SimError, refusal};
use crate::phone::{Credential, Endorsement, RP_ID};
use crate::registration::random_text;
use crate::socket::SocketId;
use crate::stanza::{self, child_bytes, leaf};
use crate::world::World;

/// How long the service waits for an assertion, and how long its options hold.
const TIME: Duration = Duration::from_secs(600);

/// A phone's answer is not there before a client has read that its request was taken: it travels to
/// the phone, is opened there, and comes back.
const PHONE: Duration = Duration::from_millis(250);

/// A client that was asked for a passkey.
pub struct Demand {
    account: usize,
    challenge: String,
    options: String,
    expires: Instant,
    proven: bool,
}

impl World {
    /// From now on this account wants a passkey of whoever is to be linked, and its phone holds it.
    ///
    /// # Errors
    /// If there is no such phone.
    pub fn require_passkey(&mut self, number: &str) -> Result<(), SimError> {
        let account = self.account(number)?;
        let made = self.with_phone(account, |phone, _| phone.make_passkey())?;
        self.accounts[account].passkey = Some(made.map_err(refusal)?);
        Ok(())
    }

    /// A person signs what the service asks for, with the phone's passkey.
    ///
    /// # Errors
    /// If there is no such phone, or it has no passkey for this request.
    pub fn sign_request(&mut self, number: &str, options: &Value) -> Result<Value, SimError> {
        let account = self.account(number)?;
        let signed = self.with_phone(account, |phone, _| phone.sign_request(options))?;
        signed.map_err(refusal)
    }

    /// The code that a phone shows while it is asked whether a companion shows the same.
    pub(crate) fn passkey_code(&self, number: &str) -> Option<String> {
        let account = self.account(number).ok()?;
        let phone = self.accounts[account].phone.as_ref()?;
        phone.passkey_code().map(str::to_owned)
    }

    /// The phone was shown a client's code, and its account wants a passkey first.
    pub(crate) fn demand_passkey(&mut self, socket: SocketId, account: usize) {
        let Some(passkey) = &self.accounts[account].passkey else {
            return;
        };
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let options = json!({
            "challenge": challenge,
            "rpId": RP_ID,
            "timeout": TIME.as_millis(),
            "userVerification": "required",
            "allowCredentials": [{
                "type": "public-key",
                "id": BASE64_URL_SAFE_NO_PAD.encode(&passkey.id),
            }],
        })
        .to_string();
        let content = leaf("passkey_request_options", options.as_bytes());
        let demand = Demand {
            account,
            challenge,
            options,
            expires: Instant::now() + self.scaled(TIME),
            proven: false,
        };
        self.refs.retain(|_, reference| reference.socket != socket);
        self.passkeys.insert(socket, demand);
        let notification = self.passkey_notification("passkey_prologue_request", content);
        self.write(socket, notification);
    }

    fn passkey_notification(&mut self, kind: &'static str, content: Node) -> Node {
        NodeBuilder::new("notification")
            .attr("from", SERVER_JID)
            .attr("type", kind)
            .attr("id", self.fresh_id())
            .attr("t", self.now())
            .children([content])
            .build()
    }

    /// A query of a client that was asked for a passkey; `false` if it is about something else.
    pub(crate) fn passkey_query(&mut self, id: SocketId, iq: &str, stanza: &Node) -> bool {
        let Some(demand) = self.passkeys.get(&id) else {
            return false;
        };
        let Some(child) = stanza::first(stanza) else {
            return false;
        };
        let account = demand.account;
        match &*child.tag {
            "ref" => {
                let reference = leaf("ref", format!("2@{}", random_text(24)));
                self.write(id, stanza::result(iq, vec![reference]));
            }
            "passkey_request_options" => {
                let options = leaf("passkey_request_options", demand.options.as_bytes());
                self.write(id, stanza::result(iq, vec![options]));
            }
            "passkey_prologue" => {
                let phone = self.prove(id, account, child);
                let told = self.passkey_step(id, iq, account, phone);
                if let Some(identity) = told {
                    let content = leaf("primary_ephemeral_identity", identity);
                    let notification = self.passkey_notification("crsc_continuation", content);
                    self.write(id, notification);
                }
            }
            "companion_nonce" => {
                let nonce = stanza::bytes(child).to_vec();
                let shown = self.with_phone(account, |phone, _| phone.open_passkey(&nonce));
                let shown = shown.and_then(|shown| shown.map_err(refusal));
                self.passkey_step(id, iq, account, shown);
            }
            "encrypted_pairing_request" => {
                let endorsed = self.accept(id, account, stanza::bytes(child));
                let endorsed = self.passkey_step(id, iq, account, endorsed);
                if let Some((device, endorsement)) = endorsed {
                    self.passkeys.remove(&id);
                    self.succeed(
                        id,
                        device,
                        endorsement.key_index,
                        &endorsement.device_identity,
                        Some(Instant::now() + PHONE),
                    );
                }
            }
            _ => return false,
        }
        true
    }

    /// Answers one step of the exchange. A step that fails ends it.
    fn passkey_step<T>(
        &mut self,
        id: SocketId,
        iq: &str,
        account: usize,
        step: Result<T, SimError>,
    ) -> Option<T> {
        let number = self.accounts[account].number.clone();
        let refused = self.faults.refuses_passkey(&number);
        let (answer, passed) = match (refused, step) {
            (None, Ok(passed)) => (stanza::result(iq, Vec::new()), Some(passed)),
            (Some(code), _) => (stanza::error(iq, code, "forbidden"), None),
            (None, Err(error)) => {
                tracing::debug!(%error, "a linking with a passkey failed");
                (stanza::error(iq, 403, "forbidden"), None)
            }
        };
        self.write(id, answer);
        if passed.is_none() {
            self.passkeys.remove(&id);
            if let Some(registration) = self.registration(id) {
                registration.refused = true;
            }
        }
        passed
    }

    /// The assertion must be the account's passkey's, for this request. The answer is the phone's.
    fn prove(
        &mut self,
        id: SocketId,
        account: usize,
        prologue: &Node,
    ) -> Result<Vec<u8>, SimError> {
        let refused = |what: &str| SimError::BadAssertion(what.to_owned());
        let demand = self.passkeys.get(&id);
        let demand = demand.filter(|demand| !demand.proven && Instant::now() < demand.expires);
        let demand = demand.ok_or_else(|| refused("nobody asked for one, or it is late"))?;
        let passkey = self.accounts[account].passkey.as_ref();
        let passkey = passkey.ok_or_else(|| refused("the account has no passkey"))?;
        let assertion = child_bytes(prologue, "webauthn_assertion").unwrap_or_default();
        let credential = child_bytes(prologue, "credential_id").unwrap_or_default();
        verify(assertion, credential, passkey, &demand.challenge).map_err(refused)?;
        let payload = child_bytes(prologue, "prologue_payload").unwrap_or_default();
        let answer = self
            .with_phone(account, |phone, _| phone.begin_passkey(payload))?
            .map_err(refusal)?;
        if let Some(demand) = self.passkeys.get_mut(&id) {
            demand.proven = true;
        }
        Ok(answer)
    }

    fn accept(
        &mut self,
        id: SocketId,
        account: usize,
        request: &[u8],
    ) -> Result<(DeviceId, Endorsement), SimError> {
        let socket = self.sockets.get(&id).ok_or(SimError::Busy)?;
        let noise = socket.client_static;
        let device = self.reserve(account)?;
        let endorsement = self
            .with_phone(account, |phone, _| {
                phone.finish_passkey(request, &noise, device.device)
            })?
            .map_err(refusal)?;
        Ok((device, endorsement))
    }
}

/// What WebAuthn demands of a site that is handed an assertion.
fn verify(
    assertion: &[u8],
    credential: &[u8],
    passkey: &Credential,
    challenge: &str,
) -> Result<(), &'static str> {
    let assertion: Value = serde_json::from_slice(assertion).map_err(|_| "no JSON")?;
    let bytes = |value: &Value| {
        let text = value.as_str().ok_or("a part is missing")?;
        let decoded = BASE64_URL_SAFE_NO_PAD.decode(text);
        decoded.map_err(|_| "a part is no base64url")
    };
    let response = &assertion["response"];
    let client_data = bytes(&response["clientDataJSON"])?;
    let authenticator_data = bytes(&response["authenticatorData"])?;
    let signature = bytes(&response["signature"])?;
    if assertion["type"] != "public-key"
        || bytes(&assertion["rawId"])? != passkey.id
        || credential != passkey.id
    {
        return Err("it is another passkey's");
    }
    let told: Value = serde_json::from_slice(&client_data).map_err(|_| "no client data")?;
    let origin = told["origin"].as_str().unwrap_or_default();
    let site = origin.strip_prefix("https://").unwrap_or_default();
    let is_site = site == RP_ID || site.ends_with(&format!(".{RP_ID}"));
    if told["type"] != "webauthn.get" || told["challenge"] != challenge || !is_site {
        return Err("it answers another request");
    }
    let flags = authenticator_data.get(32).copied().unwrap_or_default();
    if !authenticator_data.starts_with(&Sha256::digest(RP_ID)) || flags & 5 != 5 {
        return Err("nobody was recognised, or for another site");
    }
    let signed = [&authenticator_data[..], &Sha256::digest(&client_data)[..]].concat();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &passkey.public_key)
        .verify(&signed, &signature)
        .map_err(|_| "the signature does not hold")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::phone::Phone;

    const CHALLENGE: &str = "c2lnbiB0aGlz";

    fn signed(phone: &mut Phone) -> Value {
        phone
            .sign_request(&json!({ "challenge": CHALLENGE, "rpId": RP_ID }))
            .unwrap()
    }

    #[test]
    fn only_the_accounts_own_passkey_proves_it_and_only_for_this_request() {
        let mut phone = Phone::new("573000000001", "100000000000001", "Tienda", true);
        let passkey = phone.make_passkey().unwrap();
        let mut stranger = Phone::new("573000000002", "100000000000002", "Otra", true);
        stranger.make_passkey().unwrap();
        let judge = |assertion: &Value, credential: &[u8], challenge: &str| {
            let text = assertion.to_string();
            verify(text.as_bytes(), credential, &passkey, challenge)
        };
        let good = signed(&mut phone);
        assert_eq!(judge(&good, &passkey.id, CHALLENGE), Ok(()));
        assert!(judge(&good, &passkey.id, "b3RybyByZXRv").is_err());
        assert!(judge(&good, b"another", CHALLENGE).is_err());
        assert!(judge(&signed(&mut stranger), &passkey.id, CHALLENGE).is_err());
        // Somebody else's signature under this one's name.
        let mut forged = signed(&mut stranger);
        forged["id"] = good["id"].clone();
        forged["rawId"] = good["rawId"].clone();
        let refused = judge(&forged, &passkey.id, CHALLENGE);
        assert_eq!(refused, Err("the signature does not hold"));
        assert!(verify(b"{", &passkey.id, &passkey, CHALLENGE).is_err());
    }

    #[test]
    fn a_phone_signs_for_whatsapp_alone() {
        let mut phone = Phone::new("573000000001", "100000000000001", "Tienda", true);
        let request = json!({ "challenge": CHALLENGE, "rpId": RP_ID });
        assert!(phone.sign_request(&request).is_err(), "it has no passkey");
        phone.make_passkey().unwrap();
        let elsewhere = json!({ "challenge": CHALLENGE, "rpId": "example.com" });
        assert!(phone.sign_request(&elsewhere).is_err());
        let others = json!({
            "challenge": CHALLENGE, "rpId": RP_ID, "allowCredentials": [{ "id": "b3RoZXI" }],
        });
        assert!(phone.sign_request(&others).is_err());
    }
}
