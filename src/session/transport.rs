//! The protocol crate's way to the service: a WebSocket over TLS, with a limit on everything.
//!
//! It knows bytes and time, not the protocol. What it sees of an ending (no network, silence) it
//! tells the [`Verdict`]; it never connects by itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderValue, header};
use tokio_tungstenite::tungstenite::{self, Message};
use wacore::net::{
    DisconnectReason, Transport, TransportEvent, TransportFactory, WHATSAPP_WEB_ORIGIN,
};

use super::clock::Clock;
use super::ending::Ending;
use super::endpoint::Endpoint;
use super::release::Release;
use super::verdict::Verdict;

/// For name, route, TLS and upgrade together (as the web client has it).
const CONNECT: Duration = Duration::from_secs(20);

/// An idle connection carries a ping of the protocol and its answer every 15 to 30 s, so one on which
/// no frame has arrived for this long is deaf, though its socket may be well. "Online" therefore
/// means that one arrived within the last minute. The protocol crate may need 65 s to notice.
const IDLE: Duration = Duration::from_secs(55);

/// For one write. A socket whose buffer stays full this long leads nowhere.
const WRITE: Duration = Duration::from_secs(20);

/// For the closing frame; a courtesy.
const CLOSE: Duration = Duration::from_secs(1);

/// Frames read ahead of the protocol crate. It bounds memory, not throughput.
const READ_AHEAD: usize = 32;

/// The service serves browsers; a WebSocket without this header stands out.
const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
     Chrome/131.0.0.0 Safari/537.36";

/// A TCP stream, or one wrapped in TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

type Socket = WebSocketStream<Box<dyn Stream>>;

/// Opens connections to one endpoint, and can end the one that is up.
pub struct Line {
    endpoint: Endpoint,
    tls: TlsConnector,
    clock: Clock,
    verdict: Verdict,
    /// Ends the reader of the connection opened last.
    current: Mutex<Option<watch::Sender<bool>>>,
    held: Held,
}

/// What the next frame waits for, whatever it carries: their order is part of the encryption.
type Held = Arc<Mutex<Release>>;

impl Line {
    /// Nothing is opened before the protocol crate asks.
    pub fn new(endpoint: Endpoint, tls: TlsConnector, clock: Clock, verdict: Verdict) -> Self {
        Self {
            endpoint,
            tls,
            clock,
            verdict,
            current: Mutex::new(None),
            held: Arc::new(Mutex::new(Release::at_once())),
        }
    }

    /// Closes the connection that is up, if there is one. The protocol crate sees the end of the
    /// stream and can be run again.
    pub fn hang_up(&self) {
        let current = self
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(current) = current {
            current.send_replace(true);
        }
    }

    /// Keeps back whatever is to be written from now on until `release` is given.
    pub fn hold(&self, release: Release) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = release;
    }

    async fn open(&self) -> Result<Socket, (Ending, anyhow::Error)> {
        let (host, port) = (self.endpoint.host(), self.endpoint.port());
        let stream =
            open_stream(host, port, self.endpoint.is_secure().then_some(&self.tls)).await?;
        let defect = |error: anyhow::Error| (Ending::Untrusted, error);
        let mut request = self
            .endpoint
            .as_str()
            .into_client_request()
            .context("asking for a WebSocket")
            .map_err(defect)?;
        let headers = request.headers_mut();
        headers.insert(
            header::ORIGIN,
            HeaderValue::from_static(WHATSAPP_WEB_ORIGIN),
        );
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(socket),
            Err(tungstenite::Error::Http(answer)) => {
                let status = answer.status().as_u16();
                Err((
                    Ending::of_upgrade(status),
                    anyhow::anyhow!("the service answered {status} instead of a WebSocket"),
                ))
            }
            Err(error) => Err((
                Ending::Broken,
                anyhow::Error::new(error).context("asking for a WebSocket"),
            )),
        }
    }
}

/// A connection to `host`, wrapped in TLS if a connector is given.
///
/// # Errors
/// With what the failure means for the session.
pub(super) async fn open_stream(
    host: &str,
    port: u16,
    tls: Option<&TlsConnector>,
) -> Result<Box<dyn Stream>, (Ending, anyhow::Error)> {
    let tcp = TcpStream::connect((host, port)).await.map_err(|error| {
        let error = anyhow::Error::new(error).context(format!("connecting to {host}:{port}"));
        (Ending::NoNetwork, error)
    })?;
    // Stanzas are small and somebody is waiting for each of them.
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%error, "writes may be delayed");
    }
    let Some(tls) = tls else {
        return Ok(Box::new(tcp));
    };
    let untrusted = |error: anyhow::Error| (Ending::Untrusted, error);
    let name = ServerName::try_from(host.to_owned())
        .context("the host's name fits no certificate")
        .map_err(untrusted)?;
    let wrapped = tls
        .connect(name, tcp)
        .await
        .with_context(|| format!("TLS with {host}; is the clock right?"))
        .map_err(untrusted)?;
    Ok(Box::new(wrapped))
}

#[async_trait]
impl TransportFactory for Line {
    async fn create_transport(
        &self,
    ) -> anyhow::Result<(Arc<dyn Transport>, async_channel::Receiver<TransportEvent>)> {
        let opened = tokio::time::timeout(self.clock.limit(CONNECT), self.open()).await;
        let socket = match opened {
            Ok(Ok(socket)) => socket,
            Ok(Err((ending, error))) => {
                self.verdict.pass(ending);
                tracing::info!(error = format!("{error:#}"), "no connection");
                return Err(error);
            }
            Err(_) => {
                self.verdict.pass(Ending::NoNetwork);
                tracing::info!("no connection: no answer in time");
                anyhow::bail!("no answer from the service in time");
            }
        };
        let (writer, reader) = socket.split();
        let (hang_up, hung_up) = watch::channel(false);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(hang_up.clone());
        let (events, received) = async_channel::bounded(READ_AHEAD);
        tokio::spawn(read(
            reader,
            hung_up,
            events,
            self.clock.limit(IDLE),
            self.verdict.clone(),
        ));
        let connection = Connection {
            writer: AsyncMutex::new(writer),
            hang_up,
            held: self.held.clone(),
            clock: self.clock,
        };
        Ok((Arc::new(connection), received))
    }
}

/// The writing half, and the means to end the reading half.
struct Connection {
    writer: AsyncMutex<SplitSink<Socket, Message>>,
    hang_up: watch::Sender<bool>,
    held: Held,
    clock: Clock,
}

impl Connection {
    fn held(&self) -> Release {
        let held = self.held.lock();
        held.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Transport for Connection {
    async fn send(&self, data: Bytes) -> anyhow::Result<()> {
        let write = async {
            let mut writer = self.writer.lock().await;
            let release = self.held();
            anyhow::ensure!(release.given().await, "what it rests on was not stored");
            // Whoever hung up does not want the last word to go out after all.
            anyhow::ensure!(!*self.hang_up.borrow(), "the connection was hung up");
            writer
                .send(Message::Binary(data))
                .await
                .context("writing to the service")
        };
        match tokio::time::timeout(self.clock.limit(WRITE), write).await {
            Ok(written) => written,
            Err(_) => {
                self.hang_up.send_replace(true);
                anyhow::bail!("nothing could be written in time");
            }
        }
    }

    async fn disconnect(&self) {
        let close = async { self.writer.lock().await.close().await };
        match tokio::time::timeout(self.clock.real_of(CLOSE), close).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::trace!(%error, "closed without a closing frame"),
            Err(_) => tracing::trace!("closed without waiting for the closing frame"),
        }
        self.hang_up.send_replace(true);
    }
}

/// Hands everything that arrives to the protocol crate, until one of the two is gone.
async fn read(
    mut reader: SplitStream<Socket>,
    mut hung_up: watch::Receiver<bool>,
    events: async_channel::Sender<TransportEvent>,
    idle: Duration,
    verdict: Verdict,
) {
    let reading = async {
        let mut heard = Instant::now();
        loop {
            let data = match tokio::time::timeout_at(heard + idle, reader.next()).await {
                Err(_) => {
                    verdict.pass(Ending::Silence);
                    return DisconnectReason::ReadError("nothing arrives any more".to_owned());
                }
                Ok(None) => return DisconnectReason::StreamEnded,
                Ok(Some(Err(error))) => return DisconnectReason::ReadError(error.to_string()),
                Ok(Some(Ok(Message::Binary(data)))) => {
                    heard = Instant::now();
                    data
                }
                Ok(Some(Ok(Message::Close(frame)))) => {
                    return DisconnectReason::ServerClose {
                        code: frame.as_ref().map(|frame| u16::from(frame.code)),
                        reason: frame.map(|f| f.reason.to_string()).unwrap_or_default(),
                    };
                }
                // Pings are answered by the WebSocket itself; the service sends no text. Neither
                // proves that anybody speaks the protocol at the other end.
                Ok(Some(Ok(_))) => continue,
            };
            if events
                .send(TransportEvent::DataReceived(data))
                .await
                .is_err()
            {
                return DisconnectReason::Unknown;
            }
        }
    };
    let reason = tokio::select! {
        reason = reading => reason,
        _ = hung_up.wait_for(|hung_up| *hung_up) => DisconnectReason::Unknown,
    };
    // Nobody may be left to hear it; then nobody needs to.
    if events
        .send(TransportEvent::Disconnected(reason))
        .await
        .is_err()
    {
        tracing::trace!("the end of the connection went unheard");
    }
}

#[cfg(test)]
mod tests;
