//! A whatsapp-rust client on a plain WebSocket, for tests: what a box would be, without its own doors.
//! It must stay the crate's stock behaviour, so that a failure points at the simulator.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::SplitSink;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use wacore::net::{
    DisconnectReason, HttpClient, HttpRequest, HttpResponse, Transport, TransportEvent,
    TransportFactory,
};
use wacore::runtime::{AbortHandle, Runtime};
use wacore::store::in_memory::InMemoryBackend;
use wacore::types::events::{Event, EventHandler};
use whatsapp_rust::Client;
use whatsapp_rust::bot::{Bot, BotHandle};
use whatsapp_rust::pair_code::PairCodeOptions;

/// Longer than anything here takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running client and what it reported.
pub struct Companion {
    pub client: Arc<Client>,
    handle: BotHandle,
    events: mpsc::Receiver<Arc<Event>>,
}

impl Companion {
    /// Starts a client on a store; an empty store is a client that wants to be linked.
    pub async fn start(url: &str, store: &Arc<InMemoryBackend>) -> Self {
        Self::start_with(url, store, None).await
    }

    /// The same, asking for a pairing code for a number.
    pub async fn start_by_code(url: &str, store: &Arc<InMemoryBackend>, number: &str) -> Self {
        let options = PairCodeOptions {
            phone_number: number.into(),
            ..PairCodeOptions::default()
        };
        Self::start_with(url, store, Some(options)).await
    }

    async fn start_with(
        url: &str,
        store: &Arc<InMemoryBackend>,
        code: Option<PairCodeOptions>,
    ) -> Self {
        let (tell, events) = mpsc::channel(4096);
        let mut builder = Bot::builder()
            .with_backend_arc(Arc::clone(store) as Arc<_>)
            .with_transport_factory(Wire(url.to_owned()))
            .with_http_client(NoWeb)
            .with_runtime(Tokio)
            .with_version((2, 3000, 1_027_868_167))
            .with_device_props(
                wacore::store::DevicePropsOverride::new()
                    .with_os("Linux")
                    .with_platform_type(waproto::whatsapp::device_props::PlatformType::CHROME),
            )
            .with_event_handler(Tell(tell));
        if let Some(options) = code {
            builder = builder.with_pair_code(options);
        }
        let handle = builder.build().await.unwrap().spawn();
        Self {
            client: handle.client(),
            handle,
            events,
        }
    }

    /// The first event that `pick` takes; earlier ones are dropped.
    pub async fn expect<T>(&mut self, what: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        let wait = async {
            loop {
                let event = self.events.recv().await.expect("the client's events ended");
                if let Some(found) = pick(&event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait)
            .await
            .unwrap_or_else(|_| panic!("waited in vain for {what}"))
    }

    pub async fn qr(&mut self) -> String {
        self.expect("a QR", |event| match event {
            Event::PairingQrCode(qr) => Some(qr.code.clone()),
            _ => None,
        })
        .await
    }

    pub async fn code(&mut self) -> String {
        self.expect("a pairing code", |event| match event {
            Event::PairingCode(code) => Some(code.code.clone()),
            _ => None,
        })
        .await
    }

    pub async fn connected(&mut self) {
        self.expect("the connection", |event| {
            matches!(event, Event::Connected(_)).then_some(())
        })
        .await;
    }

    /// So many texts from others, in the order of their arrival.
    pub async fn texts(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        while texts.len() < count {
            let arrived = self
                .expect("a text", |event| match event {
                    Event::Messages(batch) => Some(
                        batch
                            .iter()
                            .filter(|message| !message.info.source.is_from_me)
                            .filter_map(|message| message.message.conversation.clone())
                            .collect::<Vec<_>>(),
                    ),
                    _ => None,
                })
                .await;
            texts.extend(arrived);
        }
        texts
    }

    pub async fn say(&self, to: &str, text: &str) -> String {
        let message = waproto::whatsapp::Message {
            conversation: Some(text.into()),
            ..Default::default()
        };
        let to = to.parse().unwrap();
        let sent = self.client.send_message(&to, message).await.unwrap();
        sent.message_id.clone()
    }

    pub async fn stop(self) {
        self.handle.shutdown().await;
    }
}

struct Tell(mpsc::Sender<Arc<Event>>);

impl EventHandler for Tell {
    fn handle_event(&self, event: Arc<Event>) {
        // A test that is over does not listen any more.
        let _ = self.0.try_send(event);
    }
}

struct NoWeb;

#[async_trait]
impl HttpClient for NoWeb {
    async fn execute(&self, request: HttpRequest) -> anyhow::Result<HttpResponse> {
        anyhow::bail!("nothing may leave this machine: {}", request.url)
    }
}

struct Tokio;

#[async_trait]
impl Runtime for Tokio {
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> AbortHandle {
        let task = tokio::spawn(future);
        AbortHandle::new(move || task.abort())
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn spawn_blocking(
        &self,
        work: Box<dyn FnOnce() + Send>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            tokio::task::spawn_blocking(work).await.unwrap();
        })
    }

    fn yield_now(&self) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        Some(Box::pin(tokio::task::yield_now()))
    }
}

struct Wire(String);

#[async_trait]
impl TransportFactory for Wire {
    async fn create_transport(
        &self,
    ) -> anyhow::Result<(Arc<dyn Transport>, async_channel::Receiver<TransportEvent>)> {
        let authority = self.0.trim_start_matches("ws://");
        let address = authority.split('/').next().unwrap_or(authority);
        let stream = TcpStream::connect(address).await?;
        let (socket, _) = tokio_tungstenite::client_async(&self.0, stream).await?;
        let (write, mut read) = socket.split();
        let (tell, events) = async_channel::bounded(64);
        tokio::spawn(async move {
            let mut reason = DisconnectReason::StreamEnded;
            while let Some(message) = read.next().await {
                match message {
                    Ok(Message::Binary(data)) => {
                        if tell.send(TransportEvent::DataReceived(data)).await.is_err() {
                            return;
                        }
                    }
                    Ok(Message::Close(_)) => break,
                    Ok(_) => {}
                    Err(error) => {
                        reason = DisconnectReason::ReadError(error.to_string());
                        break;
                    }
                }
            }
            let _ = tell.send(TransportEvent::Disconnected(reason)).await;
        });
        Ok((Arc::new(Socket(Mutex::new(write))), events))
    }
}

struct Socket(Mutex<SplitSink<WebSocketStream<TcpStream>, Message>>);

#[async_trait]
impl Transport for Socket {
    async fn send(&self, data: Bytes) -> anyhow::Result<()> {
        self.0.lock().await.send(Message::Binary(data)).await?;
        Ok(())
    }

    async fn disconnect(&self) {
        let _ = self.0.lock().await.close().await;
    }
}
