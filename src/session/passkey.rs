//! A passkey's request and the answer to it, as WebAuthn has them, and whether the one can be the
//! other's. Values in, values out: nothing here waits, sends or knows the protocol crate.
//!
//! The service asks for a passkey of some accounts after the scan: a signature made by an
//! authenticator that holds the account's passkey, on a page of WhatsApp. The box holds none and
//! makes none. It shows that one is wanted, hands the request out ([`super::link::Passkey`]) and takes
//! the signed answer in ([`super::Handle::hand_in_passkey`]).
//!
//! What can be known here is checked here, because whoever made the answer can mend it, and the
//! service only says no. The signature itself cannot be checked: its public key is the service's.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// For whom a request is that does not say so.
const RP_ID: &str = "whatsapp.com";

/// Bytes of authenticator data: the hash of the site's name, the flags, a counter (WebAuthn, 6.1).
const LEAST: usize = 32 + 1 + 4;

/// Flags of the authenticator data: somebody was there; and was recognised.
const PRESENT: u8 = 0x01;
const RECOGNISED: u8 = 0x04;

/// What the service wants signed: the part of WebAuthn's request options that decides whether an
/// answer can be the right one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    challenge: String,
    rp_id: Option<String>,
    #[serde(default)]
    allow_credentials: Vec<Allowed>,
    user_verification: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Allowed {
    id: String,
}

/// What an authenticator signed, as a browser's `PublicKeyCredential.toJSON()` writes it. `Debug`
/// never shows it: it is a credential.
#[derive(Deserialize)]
pub struct Assertion {
    #[serde(rename = "rawId")]
    raw_id: String,
    #[serde(rename = "type")]
    kind: String,
    response: Response,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    #[serde(rename = "clientDataJSON")]
    client_data: String,
    authenticator_data: String,
    signature: String,
    user_handle: Option<String>,
}

#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
}

impl std::fmt::Debug for Assertion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assertion").finish_non_exhaustive()
    }
}

/// An assertion that may be the answer to a request, in its parts.
pub struct Proof {
    /// The passkey's id.
    pub credential: Vec<u8>,
    /// What the browser says of the request.
    pub client_data: Vec<u8>,
    /// What the authenticator says of itself.
    pub authenticator_data: Vec<u8>,
    /// Over both.
    pub signature: Vec<u8>,
    /// Whose passkey it is, where the authenticator says so.
    pub user_handle: Option<Vec<u8>>,
}

/// Why an assertion was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyError {
    /// Nobody asked.
    #[error("no passkey is wanted now; it is once a phone that needs one has scanned the code")]
    NotWanted,
    /// One was handed in before.
    #[error("an assertion was handed in already; the screen says how it goes")]
    Given,
    /// It cannot be the answer to this request.
    #[error("this assertion cannot be right: {0}")]
    Unusable(&'static str),
    /// The service did not accept it. The linking is over.
    #[error("WhatsApp did not accept it; press the button and begin anew with the fresh code")]
    Refused,
    /// The connection broke. The linking is over.
    #[error("the connection broke meanwhile; begin anew with the fresh code on the screen")]
    Interrupted,
}

/// Whether these are options that an authenticator could sign for.
pub fn is_request(options: &str) -> bool {
    serde_json::from_str::<Request>(options).is_ok_and(|request| !request.challenge.is_empty())
}

impl Assertion {
    /// Takes the assertion apart, if it may be the answer to the request with these `options`.
    ///
    /// # Errors
    /// [`PasskeyError::Unusable`], with what does not fit and what to do about it.
    pub fn answers(&self, options: &str) -> Result<Proof, PasskeyError> {
        self.fits(options).map_err(PasskeyError::Unusable)
    }

    fn fits(&self, options: &str) -> Result<Proof, &'static str> {
        let request: Request =
            serde_json::from_str(options).map_err(|_| "the request itself cannot be read")?;
        if self.kind != "public-key" {
            return Err("its `type` is not \"public-key\"");
        }
        let response = &self.response;
        let user_handle = response
            .user_handle
            .as_deref()
            .filter(|text| !text.is_empty());
        let proof = Proof {
            credential: bytes(&self.raw_id).ok_or("`rawId` is no base64url")?,
            client_data: bytes(&response.client_data).ok_or("`clientDataJSON` is no base64url")?,
            authenticator_data: bytes(&response.authenticator_data)
                .ok_or("`authenticatorData` is no base64url")?,
            signature: bytes(&response.signature).ok_or("`signature` is no base64url")?,
            user_handle: match user_handle {
                Some(text) => Some(bytes(text).ok_or("`userHandle` is no base64url")?),
                None => None,
            },
        };
        let site = request.rp_id.as_deref().unwrap_or(RP_ID);
        proof.is_for(&request, site)?;
        Ok(proof)
    }
}

impl Proof {
    fn is_for(&self, request: &Request, site: &str) -> Result<(), &'static str> {
        let client: ClientData = serde_json::from_slice(&self.client_data)
            .map_err(|_| "`clientDataJSON` holds no client data")?;
        if client.kind != "webauthn.get" {
            return Err("it makes a new passkey; use `navigator.credentials.get`");
        }
        if bytes(&client.challenge) != bytes(&request.challenge) {
            return Err("it answers an earlier request; fetch the request again and sign that");
        }
        if !is_page_of(&client.origin, site) {
            return Err("it was signed on another site; open a page of WhatsApp and sign there");
        }
        let (about, rest) = self
            .authenticator_data
            .split_at_checked(32)
            .filter(|_| self.authenticator_data.len() >= LEAST)
            .ok_or("`authenticatorData` is too short")?;
        if about != &Sha256::digest(site)[..] {
            return Err("it was made with a passkey for another site");
        }
        let flags = rest.first().copied().unwrap_or_default();
        let wanted = match request.user_verification.as_deref() {
            Some("required") => PRESENT | RECOGNISED,
            _ => PRESENT,
        };
        if flags & wanted != wanted {
            return Err(
                "nobody was recognised when it was made; unlock the passkey and sign again",
            );
        }
        let allowed = &request.allow_credentials;
        let own = Some(&self.credential);
        if !allowed.is_empty() && !allowed.iter().any(|one| bytes(&one.id).as_ref() == own) {
            return Err("it was made with a passkey that is not this account's");
        }
        Ok(())
    }
}

/// A page of a site: of its own name or one below it, over a protected connection.
fn is_page_of(origin: &str, site: &str) -> bool {
    let host = origin.strip_prefix("https://");
    let host = host.map(|host| host.split_once(':').map_or(host, |(host, _)| host));
    host.is_some_and(|host| {
        host == site
            || host
                .strip_suffix(site)
                .is_some_and(|above| above.ends_with('.'))
    })
}

/// Bytes as WebAuthn writes them; never none.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('='));
    decoded.ok().filter(|bytes| !bytes.is_empty())
}

#[cfg(test)]
mod tests;
