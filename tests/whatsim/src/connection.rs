//! One connection's task: WebSocket, handshake, frames in, frames out. It owns the wire and the
//! ciphers; what a stanza means is the world's business.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use buffa::Message as _;
use bytes::BytesMut;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use waproto::whatsapp::ClientPayload;

use crate::frames::{self, Direction, Incoming};
use crate::noise::{self, Answer, Established};
use crate::shared::Shared;
use crate::socket::{Next, Out, SocketId};

type Wire = WebSocketStream<TcpStream>;

/// The one path the server answers on.
pub const PATH: &str = "/ws/chat";

/// How long a client may take to close after the server has.
const LINGER: Duration = Duration::from_secs(5);

/// Serves one client until either side ends it.
///
/// # Errors
/// If the client does not speak the protocol or the wire breaks.
pub async fn serve(shared: Arc<Shared>, stream: TcpStream) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut wire = tokio_tungstenite::accept_hdr_async(stream, on_chat_path).await?;
    let mut incoming = Incoming::default();
    let established = handshake(&shared, &mut wire, &mut incoming).await?;
    let payload =
        ClientPayload::decode_from_slice(&established.payload).context("the client's payload")?;
    let (id, wake) = shared.with(|world| world.open(established.client_static));
    let _close = OnExit(&shared, id);
    shared.with(|world| world.admit(id, &payload));
    converse(&shared, id, &wake, wire, incoming, established).await
}

/// Tells the world that a connection is gone, however its task ends.
struct OnExit<'a>(&'a Shared, SocketId);

impl Drop for OnExit<'_> {
    fn drop(&mut self) {
        self.0.with(|world| world.gone(self.1));
    }
}

#[expect(clippy::result_large_err, reason = "the shape tungstenite asks for")]
fn on_chat_path(request: &Request, response: Response) -> Result<Response, ErrorResponse> {
    if request.uri().path() == PATH {
        return Ok(response);
    }
    let mut refusal = ErrorResponse::new(Some(format!("the server is at {PATH}")));
    *refusal.status_mut() = tokio_tungstenite::tungstenite::http::StatusCode::NOT_FOUND;
    Err(refusal)
}

async fn handshake(
    shared: &Shared,
    wire: &mut Wire,
    incoming: &mut Incoming,
) -> anyhow::Result<Established> {
    let hello = frame(wire, incoming).await?;
    match noise::answer(shared.credentials(), &hello)? {
        Answer::Done(hello, established) => {
            wire.send(Message::Binary(frames::plain(&hello)?.into()))
                .await?;
            Ok(*established)
        }
        Answer::Hello(hello, wait) => {
            wire.send(Message::Binary(frames::plain(&hello)?.into()))
                .await?;
            wait.finish(&frame(wire, incoming).await?)
        }
    }
}

/// The next whole frame off the wire.
async fn frame<S>(wire: &mut S, incoming: &mut Incoming) -> anyhow::Result<BytesMut>
where
    S: futures_util::Stream<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin,
{
    loop {
        if let Some(frame) = incoming.take() {
            return Ok(frame);
        }
        match wire.next().await.context("the client went away")?? {
            Message::Binary(bytes) => incoming.feed(&bytes)?,
            Message::Close(_) => bail!("the client closed"),
            Message::Text(_) => bail!("text on a binary connection"),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

async fn converse(
    shared: &Shared,
    id: SocketId,
    wake: &Notify,
    wire: Wire,
    mut incoming: Incoming,
    established: Established,
) -> anyhow::Result<()> {
    let mut seal = Direction::new(established.send);
    let mut open = Direction::new(established.receive);
    let (mut write, mut read) = wire.split();
    loop {
        let out = tokio::select! {
            frame = frame(&mut read, &mut incoming) => {
                let at = Instant::now();
                let stanza = open.open(frame?)?;
                shared.peek(|world| world.tap.note(&stanza.tag, true, at));
                tracing::trace!(socket = id, stanza = ?stanza, "in");
                shared.with(|world| world.heard(id, &stanza));
                continue;
            }
            out = next(shared, id, wake) => out,
        };
        match out {
            Out::Stanza(stanza) => {
                tracing::trace!(socket = id, stanza = ?stanza, "out");
                let frame = seal.seal(&stanza)?;
                shared.peek(|world| world.tap.note(&stanza.tag, false, Instant::now()));
                write.send(Message::Binary(frame.into())).await?;
            }
            Out::Garbage => {
                let frame = frames::plain(&[0x5a; 48])?;
                write.send(Message::Binary(frame.into())).await?;
            }
            Out::Close => {
                write.close().await?;
                // What the client sent meanwhile is read: an unread byte at the end would reset the
                // connection, and with it take the last stanza from the client.
                let rest = async { while let Some(Ok(_)) = read.next().await {} };
                let _ = tokio::time::timeout(LINGER, rest).await;
                return Ok(());
            }
            Out::Drop => return Ok(()),
        }
    }
}

/// Waits until there is something to do on the connection.
async fn next(shared: &Shared, id: SocketId, wake: &Notify) -> Out {
    loop {
        match shared.peek(|world| world.next_out(id)) {
            Next::Do(out) => return out,
            Next::Wait(None) => wake.notified().await,
            Next::Wait(Some(due)) => {
                tokio::select! {
                    () = tokio::time::sleep_until(due) => {}
                    () = wake.notified() => {}
                }
            }
        }
    }
}
