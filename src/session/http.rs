//! The protocol crate's HTTP client. It serves one page: the web client's service worker, which
//! names the version the service expects.
//!
//! The page comes from the network, else from the last good answer on disk, else from what this
//! program was built with, so that a missing page never keeps the box from connecting. With a
//! simulator as endpoint nothing leaves the machine. Every other request is refused: this version
//! moves no media.

use std::time::Duration;

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::Request;
use hyper_util::rt::TokioIo;
use tokio_rustls::TlsConnector;
use url::Url;
use wacore::net::{HttpClient, HttpRequest, HttpResponse};
use wacore::version::parse_sw_js;

use super::clock::Clock;
use super::transport::{Stream, open_stream};
use crate::store::{Batch, Store};

const HOST: &str = "web.whatsapp.com";
const PATH: &str = "/sw.js";

/// The revision the protocol crate's release was made with; any later one is better.
const BUILT_IN: u32 = 1_042_742_319;

/// The protocol crate gives the page and the socket 20 s together.
const LIMIT: Duration = Duration::from_secs(12);

/// The page is about 10 KiB.
const LARGEST: usize = 1 << 20;

const SPACE: &str = "web-version";
const KEY: &[u8] = b"revision";

/// Answers for one session.
pub struct VersionPage {
    /// `None` keeps everything on this machine.
    tls: Option<TlsConnector>,
    store: Store,
    clock: Clock,
}

impl VersionPage {
    /// `tls` is `None` when the endpoint is a simulator.
    pub fn new(tls: Option<TlsConnector>, store: Store, clock: Clock) -> Self {
        Self { tls, store, clock }
    }

    async fn page(&self, tls: &TlsConnector, request: &HttpRequest) -> anyhow::Result<Vec<u8>> {
        let stream = open_stream(HOST, 443, Some(tls))
            .await
            .map_err(|(_, error)| error)?;
        fetch(stream, request).await
    }

    /// The newest revision that can be had.
    async fn revision(&self, request: &HttpRequest) -> u32 {
        let Some(tls) = &self.tls else {
            return BUILT_IN;
        };
        let read = tokio::time::timeout(self.clock.limit(LIMIT), self.page(tls, request)).await;
        let revision = match read {
            Ok(Ok(page)) => std::str::from_utf8(&page)
                .ok()
                .and_then(parse_sw_js)
                .map(|(_, _, revision)| revision)
                .filter(|revision| *revision > 0),
            Ok(Err(error)) => {
                tracing::info!(error = format!("{error:#}"), "no version page");
                None
            }
            Err(_) => None,
        };
        let last_good = self.last_good();
        match revision {
            Some(revision) => {
                if last_good != Some(revision)
                    && let Err(error) = self.keep(revision).await
                {
                    tracing::warn!(error = format!("{error:#}"), "the version is not kept");
                }
                revision
            }
            None => last_good.unwrap_or(0).max(BUILT_IN),
        }
    }

    fn last_good(&self) -> Option<u32> {
        let kept = self.store.link().space(SPACE).get(KEY).ok()??;
        Some(u32::from_be_bytes(kept.try_into().ok()?))
    }

    async fn keep(&self, revision: u32) -> anyhow::Result<()> {
        let mut batch = Batch::default();
        let space = self.store.link().space(SPACE);
        batch.put(&space, KEY, revision.to_be_bytes());
        self.store.link().apply(batch)?;
        self.store.link().commit().await?;
        Ok(())
    }
}

/// Reads the page over a connection to its host.
async fn fetch(stream: Box<dyn Stream>, request: &HttpRequest) -> anyhow::Result<Vec<u8>> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .context("asking for the version page")?;
    // Ends by itself with the sender; what it fails with, the exchange fails with.
    let connection = tokio::spawn(connection);
    let mut builder = Request::get(PATH).header(hyper::header::HOST, HOST);
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    let answer = sender
        .send_request(builder.body(Empty::<Bytes>::new())?)
        .await
        .context("asking for the version page")?;
    let status = answer.status();
    if !status.is_success() {
        connection.abort();
        bail!("the version page answered {status}");
    }
    let body = Limited::new(answer.into_body(), LARGEST).collect().await;
    connection.abort();
    let body = body
        .map_err(anyhow::Error::from_boxed)
        .context("reading the version page")?;
    Ok(body.to_bytes().to_vec())
}

#[async_trait]
impl HttpClient for VersionPage {
    async fn execute(&self, request: HttpRequest) -> anyhow::Result<HttpResponse> {
        let url = Url::parse(&request.url).context("the protocol crate asks for no URL")?;
        if request.method != "GET" || url.host_str() != Some(HOST) || url.path() != PATH {
            bail!("this version fetches no media and no other page");
        }
        let revision = self.revision(&request).await;
        Ok(HttpResponse {
            status_code: 200,
            body: format!("\"client_revision\":{revision},").into_bytes(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn asked() -> HttpRequest {
        HttpRequest::get(format!("https://{HOST}{PATH}"))
    }

    async fn answer(page: &VersionPage) -> Option<(u32, u32, u32)> {
        let answer = page.execute(asked()).await.unwrap();
        assert_eq!(answer.status_code, 200);
        parse_sw_js(&answer.body_string().unwrap())
    }

    #[tokio::test]
    async fn a_simulators_client_is_told_the_built_in_version() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let page = VersionPage::new(None, store, Clock::real());
        assert_eq!(answer(&page).await, Some((2, 3000, BUILT_IN)));
    }

    #[tokio::test]
    async fn a_good_revision_is_kept_for_days_without_the_page() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let page = VersionPage::new(None, store.clone(), Clock::real());
        assert_eq!(page.last_good(), None);
        page.keep(BUILT_IN + 7).await.unwrap();
        let later = VersionPage::new(None, store, Clock::real());
        assert_eq!(later.last_good(), Some(BUILT_IN + 7));
    }

    /// One answer to whoever connects first.
    async fn host(answer: &'static [u8]) -> Box<dyn Stream> {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (host, port) = ("127.0.0.1", listener.local_addr().unwrap().port());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 2048];
            let size = stream.read(&mut asked).await.unwrap();
            let asked = String::from_utf8_lossy(&asked[..size]).to_lowercase();
            assert!(asked.starts_with("get /sw.js http/1.1"), "{asked}");
            assert!(asked.contains("host: web.whatsapp.com"), "{asked}");
            stream.write_all(answer).await.unwrap();
        });
        open_stream(host, port, None)
            .await
            .map_err(|(_, e)| e)
            .unwrap()
    }

    #[tokio::test]
    async fn the_page_is_read_whole_even_from_a_host_that_closes() {
        let answer = b"HTTP/1.1 200 OK\r\n\r\n\"client_revision\":1042742320,";
        let page = fetch(host(answer).await, &asked()).await.unwrap();
        let page = String::from_utf8(page).unwrap();
        assert_eq!(parse_sw_js(&page), Some((2, 3000, 1_042_742_320)));
        let refused = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
        assert!(fetch(host(refused).await, &asked()).await.is_err());
    }

    #[tokio::test]
    async fn nothing_else_is_fetched() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let page = VersionPage::new(None, store, Clock::real());
        let post = HttpRequest::post(format!("https://{HOST}{PATH}"));
        let other = HttpRequest::get("https://mmg.whatsapp.net/media");
        for request in [post, other] {
            assert!(page.execute(request).await.is_err());
        }
    }
}
