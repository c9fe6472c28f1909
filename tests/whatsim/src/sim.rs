//! The simulator as a library: start it, then do to its phones in process what the control interface
//! does over HTTP. It binds loopback only and must never reach beyond it.

mod calls;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::accounts::Sent;
use crate::certificates::Credentials;
use crate::connection;
use crate::control;
use crate::counters::Snapshot;
use crate::error::SimError;
use crate::faults::Fault;
use crate::shared::Shared;
use crate::tap::Passage;
use crate::world::World;

/// How a simulator is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where clients connect; loopback, port 0 for any.
    pub listen: SocketAddr,
    /// Where the control interface listens, if it is wanted; loopback.
    pub control: Option<SocketAddr>,
    /// The private key of the Noise root; a fresh one without it.
    pub noise_root: Option<[u8; 32]>,
    /// By how much every duration is shortened.
    pub time_scale: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            control: None,
            noise_root: None,
            time_scale: 1.0,
        }
    }
}

/// A linked device as its phone lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its number within the account.
    pub id: u16,
    /// The platform it named.
    pub platform: String,
    /// Whether it is logged in.
    pub online: bool,
}

/// A text as a phone received it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// The message's id.
    pub id: String,
    /// Who wrote it.
    pub from: String,
    /// The conversation: a person's or a group's address.
    pub chat: String,
    /// One of the account's own linked devices wrote it.
    pub from_me: bool,
    /// The text.
    pub text: String,
    /// Unix seconds, by the server.
    pub at: u64,
    /// How often it was delivered, repetitions included.
    pub deliveries: u32,
}

/// A running simulator; dropping it ends every connection.
pub struct Sim {
    shared: Arc<Shared>,
    listen: SocketAddr,
    control: Option<SocketAddr>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Sim {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Sim {
    /// Starts a simulator.
    ///
    /// # Errors
    /// If an address is not loopback or taken, the time scale is not above zero, or the root key is
    /// unusable.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        ensure!(
            options.time_scale.is_finite() && options.time_scale > 0.0,
            "the time scale must be above zero"
        );
        let listener = bind(options.listen).await?;
        let credentials = Credentials::issue(options.noise_root, crate::unix_now())?;
        let shared = Arc::new(Shared::new(World::new(options.time_scale), credentials));
        let listen = listener.local_addr()?;
        let mut tasks = vec![tokio::spawn(accept(listener, Arc::clone(&shared)))];
        let mut control_address = None;
        if let Some(address) = options.control {
            let listener = bind(address).await?;
            control_address = Some(listener.local_addr()?);
            tasks.push(tokio::spawn(control::serve(listener, Arc::clone(&shared))));
        }
        Ok(Self {
            shared,
            listen,
            control: control_address,
            tasks,
        })
    }

    /// Where clients connect.
    pub fn ws_url(&self) -> String {
        format!("ws://{}{}", self.listen, connection::PATH)
    }

    /// Where the control interface is, if it was wanted.
    pub fn control_url(&self) -> Option<String> {
        self.control.map(|address| format!("http://{address}"))
    }

    /// The Noise root's public key, which clients must trust.
    pub fn noise_root_public(&self) -> [u8; 32] {
        self.shared.credentials().root_public
    }

    /// Adds a phone; answers its LID.
    ///
    /// # Errors
    /// `bad_number`, `number_taken`.
    pub fn add_phone(
        &self,
        number: &str,
        name: &str,
        multidevice: bool,
    ) -> Result<String, SimError> {
        self.shared.add_phone(number, name, multidevice)
    }

    /// A phone scans a QR; answers the device once it is linked.
    ///
    /// # Errors
    /// `no_such_phone`, `bad_qr`, `expired_ref`, `no_free_slot`, `not_multidevice`, `not_linked`.
    pub async fn scan(&self, number: &str, qr: &str) -> Result<u16, SimError> {
        self.shared.scan(number, qr).await
    }

    /// From now on this number's account wants a passkey of whoever is to be linked; its phone holds it.
    ///
    /// # Errors
    /// `no_such_phone`.
    pub fn require_passkey(&self, number: &str) -> Result<(), SimError> {
        self.shared.with(|world| world.require_passkey(number))
    }

    /// A person signs the service's request (the options of WebAuthn's `get`) with the phone's
    /// passkey; answers what a browser gives: the assertion.
    ///
    /// # Errors
    /// `no_such_phone`, `no_passkey`.
    pub fn sign_request(
        &self,
        number: &str,
        options: &serde_json::Value,
    ) -> Result<serde_json::Value, SimError> {
        self.shared
            .with(|world| world.sign_request(number, options))
    }

    /// A code is typed into a phone; answers the device once it is linked.
    ///
    /// # Errors
    /// `no_such_phone`, `bad_code`, `no_free_slot`, `not_multidevice`, `not_linked`.
    pub async fn enter_code(&self, number: &str, code: &str) -> Result<u16, SimError> {
        self.shared.enter_code(number, code).await
    }

    /// The devices linked to a phone.
    ///
    /// # Errors
    /// `no_such_phone`.
    pub fn devices(&self, number: &str) -> Result<Vec<Device>, SimError> {
        self.shared.peek(|world| world.devices_of(number))
    }

    /// A phone removes a linked device.
    ///
    /// # Errors
    /// `no_such_phone`, `no_such_device`.
    pub fn remove_device(&self, number: &str, device: u16) -> Result<(), SimError> {
        self.shared
            .with(|world| world.remove_device(number, device))
    }

    /// A phone sends a text to a number, or to a group by its address; answers the message's id.
    ///
    /// # Errors
    /// `no_such_phone`, `no_such_group`, `phone_refused`.
    pub fn send_text(&self, number: &str, to: &str, text: &str) -> Result<String, SimError> {
        self.shared
            .with(|world| world.send_text(number, to, text, None))
    }

    /// The same, dated by the server at `at`, Unix seconds: a message that was long on its way.
    ///
    /// # Errors
    /// `no_such_phone`, `no_such_group`, `phone_refused`.
    pub fn send_text_dated(
        &self,
        number: &str,
        to: &str,
        text: &str,
        at: u64,
    ) -> Result<String, SimError> {
        self.shared
            .with(|world| world.send_text(number, to, text, Some(at)))
    }

    /// A phone makes a group; answers its address.
    ///
    /// # Errors
    /// `no_such_phone`.
    pub fn create_group(
        &self,
        number: &str,
        name: &str,
        members: &[&str],
    ) -> Result<String, SimError> {
        let members: Vec<String> = members.iter().map(|member| (*member).into()).collect();
        self.shared
            .with(|world| world.create_group(number, name, &members))
            .map(|group| group.to_string())
    }

    /// What a phone has received.
    ///
    /// # Errors
    /// `no_such_phone`.
    pub fn inbox(&self, number: &str) -> Result<Vec<Received>, SimError> {
        self.shared.peek(|world| world.inbox(number))
    }

    /// What became of a message that a number's devices sent.
    ///
    /// # Errors
    /// `no_such_phone`, `no_such_message`.
    pub fn sent(&self, number: &str, id: &str) -> Result<Sent, SimError> {
        self.shared.peek(|world| world.sent(number, id))
    }

    /// Sets a fault.
    ///
    /// # Errors
    /// `no_such_phone`, `bad_fault`.
    pub fn fault(&self, fault: Fault) -> Result<(), SimError> {
        self.shared.with(|world| world.fault(fault))
    }

    /// The counters.
    pub fn counters(&self) -> Snapshot {
        self.shared.peek(|world| world.snapshot())
    }

    /// The latest stanzas on the wire, the oldest first.
    pub fn passages(&self) -> Vec<Passage> {
        self.shared.peek(|world| world.tap.latest())
    }

    /// Waits until `look` finds something in what can be seen of the simulator. It is asked again
    /// after every change; for what passes with time alone, ask [`Sim::counters`].
    pub async fn until<T>(&self, mut look: impl FnMut(&mut View<'_>) -> Option<T>) -> T {
        self.shared.until(|world| look(&mut View { world })).await
    }
}

/// What can be seen of the simulator at one moment.
pub struct View<'a> {
    world: &'a mut World,
}

impl View<'_> {
    /// The counters.
    pub fn counters(&self) -> Snapshot {
        self.world.snapshot()
    }

    /// The devices linked to a phone; none if there is no such phone.
    pub fn devices(&self, number: &str) -> Vec<Device> {
        self.world.devices_of(number).unwrap_or_default()
    }

    /// What a phone has received; nothing if there is no such phone.
    pub fn inbox(&mut self, number: &str) -> Vec<Received> {
        self.world.inbox(number).unwrap_or_default()
    }

    /// The code that a phone shows while a companion is linked to it with a passkey.
    pub fn passkey_code(&self, number: &str) -> Option<String> {
        self.world.passkey_code(number)
    }

    /// What became of a sent message.
    pub fn sent(&self, number: &str, id: &str) -> Option<Sent> {
        self.world.sent(number, id).ok()
    }
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    ensure!(
        address.ip().is_loopback(),
        "{address} is not a loopback address: the simulator serves this machine only"
    );
    TcpListener::bind(address)
        .await
        .with_context(|| format!("listening on {address}"))
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let shared = Arc::clone(&shared);
                    connections.spawn(async move {
                        if let Err(error) = connection::serve(shared, stream).await {
                            tracing::debug!(%error, "a connection ended");
                        }
                    });
                }
                // Out of file descriptors: what ends makes room.
                Err(error) => tracing::warn!(%error, "a connection could not be accepted"),
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}
