//! Linking with a passkey, as far as the protocol crate goes: the assertion and the word that both
//! codes are the same go out, what follows is shown. It makes no assertion, and logs neither one nor a
//! code.
//!
//! All of it happens on the connection on which the phone scanned a code. The crate goes on showing
//! codes meanwhile, and hangs up with the last of them: its showing is ended first
//! ([`Listener::passkey_wanted`]).

use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use wacore::runtime::Runtime as _;
use whatsapp_rust::passkey::{Assertion as Theirs, build_webauthn_assertion_json};

use super::Client;
use super::listener::{Listener, Signal};
use crate::session::ending::Ending;
use crate::session::link::{Link, Passkey};
use crate::session::passkey::{Assertion, PasskeyError, Proof, is_request};
use crate::session::runtime::Leash;

/// The time for an assertion: the web client's `assertion_timeout_seconds`, 600 by default. What the
/// phone is given afterwards no source tells; it gets as much again.
pub const TIME: Duration = Duration::from_secs(600);

/// For the service to answer one step.
const STEP: Duration = Duration::from_secs(60);

/// Where the outcome is told.
pub type Answer = oneshot::Sender<Result<(), PasskeyError>>;

impl Client {
    /// Hands an assertion to the service. Does not wait.
    pub fn hand_in_passkey(&self, assertion: &Assertion, answer: Answer) {
        let proof = match self.listener.take_assertion(assertion) {
            Ok(proof) => proof,
            Err(error) => {
                // Who asked may have gone.
                let _ = answer.send(Err(error));
                return;
            }
        };
        let (client, listener) = (self.inner.clone(), self.listener.clone());
        let limit = self.clock.limit(STEP);
        self.runtime.spawn_detached(Box::pin(async move {
            let handed = client.send_passkey_response(in_their_form(proof));
            let taken = match tokio::time::timeout(limit, handed).await {
                Ok(Ok(())) => Ok(()),
                _ if !client.is_connected() => Err(PasskeyError::Interrupted),
                _ => {
                    listener.passkey_refused();
                    Err(PasskeyError::Refused)
                }
            };
            let _ = answer.send(taken);
        }));
    }

    /// Somebody saw the same code on the phone: the phone is told this device's keys.
    pub fn confirm_passkey(&self) {
        if !self.listener.take_confirmation() {
            return;
        }
        let (client, listener) = (self.inner.clone(), self.listener.clone());
        let limit = self.clock.limit(STEP);
        self.runtime.spawn_detached(Box::pin(async move {
            let told = client.send_passkey_confirmation();
            let taken = matches!(tokio::time::timeout(limit, told).await, Ok(Ok(())));
            if !taken && client.is_connected() {
                listener.passkey_refused();
            }
        }));
    }

    /// Nobody did what was to be done in time.
    pub(super) fn give_passkey_up(&self) {
        tracing::info!("the time for the passkey is over");
        self.verdict.pass(Ending::PasskeyLate);
        self.line.hang_up();
    }
}

fn in_their_form(proof: Proof) -> Theirs {
    Theirs {
        assertion_json: build_webauthn_assertion_json(
            &proof.credential,
            &proof.client_data,
            &proof.authenticator_data,
            &proof.signature,
            proof.user_handle.as_deref(),
        ),
        credential_id: proof.credential,
    }
}

impl Listener {
    /// To be called by whoever tells of a code: it is the crate's task that shows one after the other.
    pub(super) fn codes_are_shown(&self) {
        *self.showing.lock().unwrap_or_else(PoisonError::into_inner) = Leash::on_this_task();
    }

    /// A passkey is wanted, and the linking under way is about nothing else any more.
    pub fn is_about_passkey(&self) -> bool {
        matches!(*self.link.borrow(), Link::Passkey(_))
    }

    /// When the step that is shown is given up.
    pub fn passkey_expires(&self) -> Option<Instant> {
        match &*self.link.borrow() {
            Link::Passkey(passkey) => Some(passkey.expires()),
            _ => None,
        }
    }

    /// The service asks for a passkey, with WebAuthn's options.
    pub(super) fn passkey_wanted(&self, options: &str) {
        tracing::info!("the service wants a passkey before it links this device");
        let showing = self.showing.lock();
        if let Some(showing) = showing.unwrap_or_else(PoisonError::into_inner).take() {
            showing.end();
        }
        if !is_request(options) {
            tracing::warn!("its request cannot be read");
            return self.passkey_refused();
        }
        self.show_passkey(Passkey::Wanted(self.code(options.to_owned(), TIME)));
    }

    /// Phone and box show a code, to be compared. `known` if the service recognised the box by an
    /// earlier link, and nobody has to.
    pub(super) fn passkey_code(&self, code: &str, known: bool) {
        self.show_passkey(Passkey::Compare(self.code(code.to_owned(), TIME)));
        if known {
            self.signal(Signal::PasskeyKnown);
        }
    }

    /// The linking with a passkey broke off.
    pub fn passkey_refused(&self) {
        tracing::warn!("the linking with a passkey was refused");
        self.verdict.pass(Ending::PasskeyRefused);
        self.line.hang_up();
    }

    /// The request is answered, if `assertion` can be its answer.
    fn take_assertion(&self, assertion: &Assertion) -> Result<Proof, PasskeyError> {
        let request = match &*self.link.borrow() {
            Link::Passkey(Passkey::Wanted(request)) => request.clone(),
            Link::Passkey(Passkey::Checking { .. } | Passkey::Compare(_)) => {
                return Err(PasskeyError::Given);
            }
            _ => return Err(PasskeyError::NotWanted),
        };
        let proof = assertion.answers(&request.text)?;
        self.passkey_underway();
        Ok(proof)
    }

    /// The codes are the same, if there is one to be compared.
    fn take_confirmation(&self) -> bool {
        let compares = matches!(*self.link.borrow(), Link::Passkey(Passkey::Compare(_)));
        if compares {
            self.passkey_underway();
        }
        compares
    }

    fn passkey_underway(&self) {
        let expires = Instant::now() + self.clock.real_of(TIME);
        self.show_passkey(Passkey::Checking { expires });
    }

    fn show_passkey(&self, passkey: Passkey) {
        self.link.send_replace(Link::Passkey(passkey));
        self.signal(Signal::PasskeyMoved);
    }
}
