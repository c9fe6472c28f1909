//! The protocol crate's client, and the only place (with its helpers below) that names it.
//!
//! A [`Client`] is built, run once for every connection, and closed. It reconnects never: one run
//! is one connection, and what follows is the state machine's business. Messages leave through
//! the [`hook`], which returns only after the dispatcher has stored them; everything else through
//! the [`listener`].

mod hook;
mod listener;
mod passkey;
mod presence;
mod sending;
mod translate;
mod watching;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use futures_util::FutureExt as _;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use wacore::runtime::Runtime as _;
use wacore::store::DevicePropsOverride;
use wacore::store::traits::Backend;
use wacore::types::events::Subscription;
use whatsapp_rust::RawNodeLease;
use whatsapp_rust::pair_code::PairCodeOptions;
use whatsapp_rust::store::commands::DeviceCommand;
use whatsapp_rust::store::persistence_manager::PersistenceManager;
use whatsapp_rust::waproto::whatsapp::device_props::PlatformType;

use self::hook::Hook;
use self::listener::{Listener, Run, Signal};
use super::acquaintance::Acquaintance;
use super::clock::Clock;
use super::ending::Ending;
use super::http::VersionPage;
use super::link::Link;
use super::machine::Moment;
use super::queue::Queue;
use super::runtime::{Panics, TokioRuntime};
use super::transport::Line;
use super::verdict::Verdict;
use super::{Event, SendError, Sending, Settings};
use crate::store::Store;
use crate::waiting::until;

/// The service closes after most errors by itself; where it does not, this long is enough.
const GRACE: Duration = Duration::from_secs(3);

/// From the login on the link is up, and the crate may still hold its word back: for ever, if the
/// phone never shares its app-state keys. After this long people are told the truth.
const READY: Duration = Duration::from_secs(60);

/// For telling the service that this device is gone. A courtesy; the box resets without it.
const LOGOUT: Duration = Duration::from_secs(5);

/// How often the account is looked after while it is online.
const LOOK: Duration = Duration::from_secs(3600);

/// For handing in what is under way before a connection is closed on purpose.
const CLOSE: Duration = Duration::from_millis(1_800);

/// For the tasks of a closed client to be dropped.
const DROP: Duration = Duration::from_millis(500);

/// Messages that may wait for the one that is being sent.
const SENDS: usize = 32;

/// What every client of one session shares.
pub struct Context {
    /// How to behave.
    pub settings: Settings,
    /// Time.
    pub clock: Clock,
    /// Where the version page's last good copy is.
    pub store: Store,
    /// Trust in servers.
    pub tls: TlsConnector,
    /// The state that everybody sees.
    pub link: watch::Sender<Link>,
    /// To the dispatcher, without waiting.
    pub queue: Queue,
    /// To the dispatcher, waiting.
    pub events: mpsc::Sender<Event>,
    /// What is known of the account.
    pub acquaintance: Arc<Acquaintance>,
    /// To the supervisor.
    pub panics: Panics,
}

/// How a connection went.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// How it ended.
    pub ending: Ending,
    /// How long it was online, if it ever was.
    pub online: Option<Duration>,
    /// When the first code was shown, if one was.
    pub code_shown: Option<Moment>,
}

/// One client of the protocol crate.
pub struct Client {
    inner: Arc<whatsapp_rust::Client>,
    line: Arc<Line>,
    listener: Arc<Listener>,
    signals: Mutex<mpsc::Receiver<Signal>>,
    sends: mpsc::Sender<Sending>,
    verdict: Verdict,
    runtime: TokioRuntime,
    clock: Clock,
    settings: Settings,
    acquaintance: Arc<Acquaintance>,
    store: Store,
    used: AtomicBool,
    _subscription: Subscription,
    _raw_nodes: RawNodeLease,
}

impl Client {
    /// A client that has not connected yet, on the keys in `backend`.
    ///
    /// # Errors
    /// When the keys cannot be read, or the backend cannot keep pending messages.
    pub async fn build(context: &Context, backend: Arc<dyn Backend>) -> anyhow::Result<Self> {
        let Context {
            settings, clock, ..
        } = context;
        let verdict = Verdict::default();
        let runtime = TokioRuntime::new(*clock, context.panics.clone());
        let line = Arc::new(Line::new(
            settings.endpoint.clone(),
            context.tls.clone(),
            *clock,
            verdict.clone(),
        ));
        let outside = (!settings.endpoint.is_loopback()).then(|| context.tls.clone());
        let page = VersionPage::new(outside, context.store.clone(), *clock);
        let keys = PersistenceManager::new(backend)
            .await
            .context("reading the link's keys")?;
        // The phone lists the device under these, from the linking on; a name that no browser
        // has makes pairing codes fail.
        let props = DevicePropsOverride::new()
            .with_os(settings.system.clone())
            .with_platform_type(PlatformType::CHROME);
        if keys.get_device_snapshot().pn.is_none() {
            keys.process_command(DeviceCommand::SetDeviceProps(props))
                .await;
        }
        let inner = whatsapp_rust::Client::builder()
            .with_runtime(runtime.clone())
            .with_persistence_manager(Arc::new(keys))
            .with_transport_factory_arc(line.clone())
            .with_http_client(page)
            .with_skip_history_sync(true)
            .with_background_saver_interval(Duration::from_secs(30))
            .with_inbound_durability_hook(Hook::new(context.events.clone(), settings.clone()))
            .build()
            .await
            .context("setting up the protocol")?
            .into_client();
        // One run is one connection.
        inner.enable_auto_reconnect.store(false, Ordering::Relaxed);
        let (signal, signals) = mpsc::channel(16);
        let listener = Listener::new(context, line.clone(), verdict.clone(), signal);
        let listener = Arc::new(listener);
        listener.know(&inner);
        let (sends, drafts) = mpsc::channel(SENDS);
        runtime.spawn_detached(Box::pin(sending::send_all(
            Arc::downgrade(&inner),
            line.clone(),
            drafts,
            *clock,
        )));
        if !settings.stay_available {
            runtime.spawn_detached(Box::pin(presence::stay_unavailable(Arc::downgrade(&inner))));
        }
        Ok(Self {
            _subscription: inner.subscribe_handler(listener.clone()),
            _raw_nodes: inner.acquire_raw_node_forwarding(),
            inner,
            line,
            listener,
            signals: Mutex::new(signals),
            sends,
            verdict,
            runtime,
            clock: *clock,
            settings: settings.clone(),
            acquaintance: context.acquaintance.clone(),
            store: context.store.clone(),
            used: AtomicBool::new(false),
        })
    }

    /// A phone has accepted this device's keys.
    pub fn is_linked(&self) -> bool {
        self.inner.pn().is_some()
    }

    /// It is linked to a number that belongs to production, and this box does not.
    pub fn is_forbidden(&self) -> bool {
        self.listener.is_forbidden()
    }

    /// The client can be run; if it must be `fresh`, for the first time. One that disconnected
    /// itself, as with used-up refs, never can again.
    pub fn is_usable(&self, fresh: bool) -> bool {
        let used = self.used.load(Ordering::Relaxed);
        !self.inner.shutdown_signal().is_fired() && (!fresh || !used)
    }

    /// Opens a connection and returns when it is over.
    pub async fn run(&self) -> Ended {
        self.used.store(true, Ordering::Relaxed);
        self.verdict.take();
        self.listener.begin();
        self.inner
            .enable_auto_reconnect
            .store(false, Ordering::Relaxed);
        let mut signals = self.signals.lock().await;
        while signals.try_recv().is_ok() {}
        {
            let running = AssertUnwindSafe(self.inner.run()).catch_unwind();
            tokio::pin!(running);
            let overdue = async {
                self.verdict.passed().await;
                self.listener.lost();
                let grace = match self.is_forbidden() {
                    true => self.clock.limit(LOGOUT),
                    false => self.clock.real_of(GRACE),
                };
                tokio::time::sleep(grace).await;
                self.line.hang_up();
                std::future::pending::<()>().await;
            };
            tokio::pin!(overdue);
            let mut ready_by = None;
            let mut look = None;
            let mut passkey_by = None;
            loop {
                tokio::select! {
                    ended = &mut running => {
                        if ended.is_err() {
                            // Its words went to standard error, as with any panic.
                            tracing::error!("the protocol panicked while it ran a connection");
                        }
                        break;
                    }
                    () = &mut overdue => {}
                    () = until(ready_by) => {
                        ready_by = None;
                        self.listener.online();
                    }
                    () = until(look) => {
                        look = Some(Instant::now() + self.clock.real_of(LOOK));
                        self.look_around();
                    }
                    () = until(passkey_by) => {
                        passkey_by = None;
                        self.give_passkey_up();
                    }
                    Some(signal) = signals.recv() => match signal {
                        Signal::LoggedIn => {
                            ready_by = Some(Instant::now() + self.clock.real_of(READY));
                        }
                        Signal::Online => look = Some(Instant::now()),
                        Signal::PhoneSeen => self.commit(),
                        Signal::Forbidden => self.leave(),
                        Signal::CodeShown | Signal::CodeDied => self.ask_for_pairing_code(),
                        Signal::RefsUsedUp => self.wait_for_pairing_code(),
                        Signal::PasskeyMoved => passkey_by = self.listener.passkey_expires(),
                        Signal::PasskeyKnown => self.confirm_passkey(),
                    },
                }
            }
        }
        let run = self.listener.end();
        self.finish(run).await
    }

    async fn finish(&self, run: Run) -> Ended {
        let ending = self.verdict.take().unwrap_or(if run.heard {
            Ending::Closed
        } else {
            Ending::Untrusted
        });
        if ending == Ending::Outdated {
            // The version page is read at most once a day, unless it is told otherwise.
            self.keys()
                .modify_device(|device| device.app_version_last_fetched_ms = 0)
                .await;
        }
        if let Err(error) = self.keys().flush().await {
            tracing::error!(%error, "the device's state is not saved");
        }
        let now = self.clock.now();
        Ended {
            ending,
            online: run.online.map(|since| now.saturating_sub(since)),
            code_shown: run.code_shown,
        }
    }

    fn keys(&self) -> Arc<PersistenceManager> {
        self.inner.persistence_manager()
    }

    fn ask_for_pairing_code(&self) {
        let Some(phone_number) = self.settings.phone_number.clone() else {
            return;
        };
        let client = self.inner.clone();
        self.runtime.spawn_detached(Box::pin(async move {
            let options = PairCodeOptions {
                phone_number,
                ..PairCodeOptions::default()
            };
            // The listener hears of the code, and of a refusal.
            if client.pair_with_code(options).await.is_err() {
                tracing::info!("the QR is the only way to link for now");
            }
        }));
    }

    /// The pairing code outlives the refs; what is left of it is worth waiting for.
    fn wait_for_pairing_code(&self) {
        let (line, verdict) = (self.line.clone(), self.verdict.clone());
        let listener = self.listener.clone();
        let expires = self.listener.pairing_code_expires();
        self.runtime.spawn_detached(Box::pin(async move {
            if let Some(expires) = expires {
                tokio::time::sleep_until(expires).await;
            }
            if !listener.is_about_passkey() {
                verdict.pass(Ending::RefsUsedUp);
                line.hang_up();
            }
        }));
    }

    /// Ends the connection that is up as [`Ending::Asked`].
    pub fn hang_up(&self) {
        self.verdict.pass(Ending::Asked);
        self.line.hang_up();
    }

    /// Puts a message on the wire, after those that were given before it. Does not wait.
    pub fn send(&self, sending: Sending) {
        if let Err(error) = self.sends.try_send(sending) {
            let answer = error.into_inner().answer;
            // Who asked may have gone.
            let _ = answer.send(Err(SendError::Interrupted(
                "too many messages at once".to_owned(),
            )));
        }
    }

    /// Tells the service that this device is gone, if there is a connection to say it on.
    pub async fn log_out(&self) {
        if !self.inner.is_logged_in() || !self.inner.is_connected() {
            return;
        }
        let limit = self.clock.limit(LOGOUT);
        if tokio::time::timeout(limit, self.inner.logout())
            .await
            .is_err()
        {
            tracing::warn!("the service did not confirm the removal in time");
        }
    }

    /// Disconnects cleanly, and ends everything this client ever began.
    pub async fn close(&self) {
        self.listener.end();
        let closing = async {
            self.inner.disconnect().await;
            if let Err(error) = self.keys().flush().await {
                tracing::error!(%error, "the device's state is not saved");
            }
        };
        if tokio::time::timeout(CLOSE, closing).await.is_err() {
            tracing::warn!("the connection could not be closed cleanly in time");
        }
        self.line.hang_up();
        if tokio::time::timeout(DROP, self.runtime.close())
            .await
            .is_err()
        {
            tracing::warn!("a task of the protocol does not end");
        }
    }
}
