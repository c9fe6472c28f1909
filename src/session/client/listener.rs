//! What the protocol crate tells, as it tells it. Runs inside the crate's own dispatch, so it
//! only writes values: the link's state, the verdict, the bounded queue. It never awaits.
//!
//! How a connection ends is read from the stanzas themselves (`stream:error`, `failure`): the
//! crate has events for some endings and none for others, and one source has one table.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use wacore::net::DisconnectReason;
use wacore::types::events::{Event as Told, EventHandler, EventInterest, EventKind};
use whatsapp_rust::pair::NATIVE_CAMERA_DEEP_LINK_PREFIX;
use whatsapp_rust::wacore_binary::NodeRef;

mod account;

use super::translate;
use crate::message::{MessageId, ServerTime};
use crate::session::acquaintance::Acquaintance;
use crate::session::client::Context;
use crate::session::clock::Clock;
use crate::session::ending::Ending;
use crate::session::link::{Code, Link, LinkTrouble, Linking};
use crate::session::machine::Moment;
use crate::session::queue::Queue;
use crate::session::runtime::Leash;
use crate::session::transport::Line;
use crate::session::verdict::Verdict;
use crate::session::{Event, Settings};
use crate::store::Store;

/// What the runner of a connection must do something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The service let us in. The crate says that it is ready once the phone has shared what it
    /// shares with a new device, which may be never.
    LoggedIn,
    /// A QR is shown; a pairing code can be asked for on the same connection.
    CodeShown,
    /// The pairing code died and another one may be asked for.
    CodeDied,
    /// The link was shown as online.
    Online,
    /// It was written down that the phone was seen.
    PhoneSeen,
    /// The service let us in under a number that this box must not be linked to.
    Forbidden,
    /// The linking with a passkey came to its next step, which has a time of its own.
    PasskeyMoved,
    /// The service knew the box by an earlier link: nobody has to compare codes.
    PasskeyKnown,
    /// The last ref expired, and the connection was left up for the sake of a pairing code.
    RefsUsedUp,
}

/// What one connection did, beside how it ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Run {
    /// When the first code was shown.
    pub code_shown: Option<Moment>,
    /// Since when it was online.
    pub online: Option<Moment>,
    /// The service said something that could be decrypted.
    pub heard: bool,
}

/// Registered with one client for its whole life.
pub struct Listener {
    /// False between two runs: what trickles in then is about a connection that is over.
    live: AtomicBool,
    client: OnceLock<Weak<whatsapp_rust::Client>>,
    pub(super) link: watch::Sender<Link>,
    pub(super) verdict: Verdict,
    queue: Queue,
    signals: mpsc::Sender<Signal>,
    pub(super) clock: Clock,
    settings: Settings,
    acquaintance: Arc<Acquaintance>,
    pub(super) line: Arc<Line>,
    store: Store,
    /// The crate's task that shows one code after the other.
    pub(super) showing: Mutex<Option<Leash>>,
    /// The phone's own names, as stanzas spell them.
    phone: Mutex<Vec<String>>,
    run: Mutex<Run>,
}

impl Listener {
    /// Tells nothing until [`Self::begin`].
    pub fn new(
        context: &Context,
        line: Arc<Line>,
        verdict: Verdict,
        signals: mpsc::Sender<Signal>,
    ) -> Self {
        Self {
            live: AtomicBool::new(false),
            client: OnceLock::new(),
            link: context.link.clone(),
            verdict,
            queue: context.queue.clone(),
            signals,
            clock: context.clock,
            settings: context.settings.clone(),
            acquaintance: context.acquaintance.clone(),
            line,
            store: context.store.clone(),
            showing: Mutex::default(),
            phone: Mutex::default(),
            run: Mutex::default(),
        }
    }

    /// The client this is registered with; it must outlive no one.
    pub fn know(&self, client: &Arc<whatsapp_rust::Client>) {
        if self.client.set(Arc::downgrade(client)).is_err() {
            tracing::debug!("a listener belongs to one client");
        }
    }

    /// From here on it is about a new connection.
    pub fn begin(&self) {
        *self.run() = Run::default();
        self.live.store(true, Ordering::Release);
    }

    /// From here on nothing changes the link's state.
    pub fn end(&self) -> Run {
        self.live.store(false, Ordering::Release);
        *self.run()
    }

    /// Until when the pairing code that is shown can be typed in.
    pub fn pairing_code_expires(&self) -> Option<Instant> {
        match &*self.link.borrow() {
            Link::Linking(linking) => linking.pairing_code.as_ref().map(|code| code.expires),
            _ => None,
        }
    }

    fn run(&self) -> std::sync::MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn signal(&self, signal: Signal) {
        if self.signals.try_send(signal).is_err() {
            tracing::warn!(?signal, "nobody runs the connection");
        }
    }

    /// Changes the codes that are shown; shows none that were not asked for.
    fn linking(&self, change: impl FnOnce(&mut Linking)) {
        self.link.send_modify(|link| {
            if !matches!(link, Link::Linking(_)) {
                *link = Link::Linking(Linking::default());
            }
            if let Link::Linking(linking) = link {
                change(linking);
            }
        });
    }

    pub(super) fn code(&self, text: String, lifetime: Duration) -> Code {
        let lifetime = self.clock.real_of(lifetime);
        Code {
            text,
            expires: Instant::now() + lifetime,
            lifetime,
        }
    }

    /// The dispatcher hears whose messages follow, and what time the service has.
    fn let_in(&self, server_time: Option<ServerTime>) {
        let client = self.client.get().and_then(Weak::upgrade);
        if let Some(client) = &client {
            let names = [client.pn(), client.lid()].into_iter().flatten();
            let names = names.map(|name| name.to_non_ad().to_string()).collect();
            *self.phone.lock().unwrap_or_else(PoisonError::into_inner) = names;
        }
        if let Some(number) = client.and_then(|client| client.pn()) {
            let number = number.user_base().to_owned();
            self.queue.offer(Event::Online {
                number,
                server_time,
            });
        }
        self.signal(Signal::LoggedIn);
    }

    fn stanza(&self, node: &NodeRef<'_>) {
        self.run().heard = true;
        let text = |key: &str| node.get_attr(key).map(|value| value.as_str().into_owned());
        match node.tag.as_ref() {
            "stream:error" => {
                let conflict = node.get_optional_child("conflict").map(|conflict| {
                    conflict
                        .get_attr("type")
                        .map(|kind| kind.as_str().into_owned())
                        .unwrap_or_default()
                });
                let code = text("code");
                let ending = Ending::of_stream_error(code.as_deref(), conflict.as_deref());
                tracing::info!(?code, ?conflict, ?ending, "the service reports an error");
                if let Some(ending) = ending {
                    self.verdict.pass(ending);
                }
            }
            "failure" => {
                let number = |key| text(key).and_then(|digits| digits.parse::<u64>().ok());
                let reason = number("reason").and_then(|reason| u16::try_from(reason).ok());
                let ending = Ending::of_failure(reason, number("expire"));
                tracing::info!(?reason, ?ending, "the service refuses the login");
                self.verdict.pass(ending);
            }
            "success" => {
                let time = text("t").and_then(|seconds| seconds.parse().ok());
                let time = time.map(ServerTime);
                if self.is_forbidden() {
                    self.signal(Signal::Forbidden);
                    return;
                }
                if let Some(seen) = self.acquaintance.let_in(time, self.clock.now()) {
                    self.phone_seen(seen);
                }
                self.let_in(time);
            }
            "ib" if node.get_optional_child("downgrade_webclient").is_some() => {
                tracing::info!("the code was scanned by a phone without multi-device");
                self.linking(|linking| linking.trouble = Some(LinkTrouble::NotMultidevice));
            }
            "iq" => self.refuse_number(node),
            "message" | "receipt" | "call" | "chatstate" => self.notice_phone(node),
            _ => {}
        }
    }

    fn linking_event(&self, told: &Told) {
        match told {
            // Whatever else was on offer for linking, the phone has chosen.
            Told::PairingQrCode(_)
            | Told::PairingCode(_)
            | Told::PairingCodeRefresh(_)
            | Told::PairingCodeError(_)
            | Told::PairingQrCodesExhausted(_)
                if self.is_about_passkey() => {}
            Told::PairingQrCode(qr) => {
                self.codes_are_shown();
                let prefix = if self.settings.qr_prefix {
                    NATIVE_CAMERA_DEEP_LINK_PREFIX
                } else {
                    ""
                };
                let code = self.code(format!("{prefix}{}", qr.code), qr.timeout);
                self.linking(|linking| {
                    linking.qr = Some(code);
                    linking.trouble = None;
                });
                let first = self.run().code_shown.replace(self.clock.now());
                match first {
                    None => self.signal(Signal::CodeShown),
                    Some(first) => self.run().code_shown = Some(first),
                }
            }
            Told::PairingCode(pairing) => {
                let code = self.code(pairing.code.clone(), pairing.timeout);
                self.linking(|linking| linking.pairing_code = Some(code));
            }
            Told::PairingCodeRefresh(_) => {
                self.linking(|linking| linking.pairing_code = None);
                self.signal(Signal::CodeDied);
            }
            Told::PairingCodeError(error) => {
                tracing::warn!(rejection = ?error.rejection, "no pairing code");
                self.linking(|linking| linking.pairing_code = None);
            }
            Told::PairingQrCodesExhausted(exhausted) => {
                self.linking(|linking| linking.qr = None);
                if exhausted.disconnected {
                    self.verdict.pass(Ending::RefsUsedUp);
                } else {
                    self.signal(Signal::RefsUsedUp);
                }
            }
            Told::PairPasskeyRequest(request) => {
                self.passkey_wanted(&request.request_options_json);
            }
            Told::PairPasskeyConfirmation(shown) => {
                self.passkey_code(&shown.code, shown.skip_handoff_ux);
            }
            Told::PairPasskeyError(_) => self.passkey_refused(),
            Told::PairError(_) if self.is_about_passkey() => self.passkey_refused(),
            Told::PairError(_) => {
                tracing::warn!("the phone scanned a code, and the linking broke off");
                self.linking(|linking| linking.trouble = Some(LinkTrouble::Refused));
            }
            // The login that follows ends the link; it is not worth a word.
            Told::PairSuccess(_) if self.is_forbidden() => self.verdict.pass(Ending::Paired),
            Told::PairSuccess(_) => {
                tracing::info!("linked");
                self.link.send_replace(Link::Connecting {
                    failures: 0,
                    next_try: None,
                });
                self.verdict.pass(Ending::Paired);
            }
            _ => {}
        }
    }

    /// What must reach the dispatcher, whatever becomes of the connection meanwhile.
    fn fact(&self, told: &Told) {
        match told {
            Told::ServerAck(ack) if ack.class.as_deref() == Some("message") => {
                self.queue.offer(Event::Ack {
                    id: MessageId(ack.id.clone()),
                    error: ack.error.clone(),
                });
            }
            Told::Receipt(receipt) => {
                let client = self.client.get().and_then(Weak::upgrade);
                let own: Vec<_> = client
                    .iter()
                    .flat_map(|client| [client.pn(), client.lid()])
                    .flatten()
                    .collect();
                if let Some(event) = translate::receipt(receipt, &own) {
                    self.queue.offer(event);
                }
            }
            // The hook has stored all others before this event.
            Told::Messages(batch) if !batch.hook_committed => {
                self.queue
                    .offer_messages(batch.iter().filter_map(translate::message).collect());
            }
            Told::UndecryptableMessage(undecryptable) => {
                self.queue
                    .offer_messages(translate::placeholder(undecryptable).into_iter().collect());
            }
            _ => {}
        }
    }
}

impl EventHandler for Listener {
    fn handle_event(&self, told: Arc<Told>) {
        self.fact(&told);
        if !self.live.load(Ordering::Acquire) {
            return;
        }
        match &*told {
            Told::RawNode(node) => self.stanza(node.get()),
            Told::Connected(_) => self.online(),
            Told::SelfPushNameUpdated(update) => self.renamed(&update.new_name),
            Told::Disconnected(ended) => self.verdict.pass(match &ended.reason {
                DisconnectReason::ServerClose { .. } | DisconnectReason::StreamEnded => {
                    Ending::Closed
                }
                DisconnectReason::ReadError(_) | DisconnectReason::Unknown => Ending::Broken,
            }),
            linking => self.linking_event(linking),
        }
    }

    fn interest(&self) -> EventInterest {
        EventInterest::of(&[
            EventKind::RawNode,
            EventKind::Connected,
            EventKind::Disconnected,
            EventKind::SelfPushNameUpdated,
            EventKind::PairingQrCode,
            EventKind::PairingCode,
            EventKind::PairingCodeRefresh,
            EventKind::PairingCodeError,
            EventKind::PairingQrCodesExhausted,
            EventKind::PairPasskeyRequest,
            EventKind::PairPasskeyConfirmation,
            EventKind::PairPasskeyError,
            EventKind::PairError,
            EventKind::PairSuccess,
            EventKind::ServerAck,
            EventKind::Receipt,
            EventKind::Messages,
            EventKind::UndecryptableMessage,
        ])
    }
}

#[cfg(test)]
mod tests;
