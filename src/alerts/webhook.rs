//! Posts one alert as JSON, signed, so that the receiver can tell whom it is from and that it is
//! fresh, and can drop a second copy: the id is the same in every attempt.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::Full;
use hyper::Request;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use sha2::Sha256;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::failure::{Failure, Progress, Step};
use super::settings::Webhook;

const PATIENCE: Duration = Duration::from_secs(30);

/// The signature over a timestamp, a dot and a body.
pub fn sign(secret: &str, timestamp: u64, body: &str) -> String {
    // Any length is a key.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    let sum = mac.finalize().into_bytes();
    let hex: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

/// Posts `body` under `id`.
///
/// # Errors
/// When the receiver does not answer with a success.
pub async fn post(webhook: &Webhook, id: &str, body: &str) -> Result<(), Failure> {
    let server = webhook.url.host_str().unwrap_or_default().to_owned();
    let secret = webhook.secret.read()?;
    let step = Progress::new();
    let posted = exchange(webhook, &server, &secret, id, body, &step);
    match timeout(PATIENCE, posted).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failure::Silent {
            server: server.clone(),
            step: step.get(),
        }),
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

async fn exchange(
    webhook: &Webhook,
    server: &str,
    secret: &str,
    id: &str,
    body: &str,
    step: &Progress,
) -> Result<(), Failure> {
    let host = server.trim_start_matches('[').trim_end_matches(']');
    let port = webhook.url.port_or_known_default().unwrap_or(443);
    let addresses: Vec<_> = match tokio::net::lookup_host((host, port)).await {
        Ok(addresses) => addresses.collect(),
        Err(_) => Vec::new(),
    };
    if addresses.is_empty() {
        return Err(Failure::NoName {
            server: server.to_owned(),
        });
    }
    step.set(Step::Connect);
    let tcp = TcpStream::connect(addresses.as_slice()).await;
    let tcp = tcp.map_err(|error| Failure::NoConnection {
        server: server.to_owned(),
        port,
        error: error.to_string(),
    })?;
    let stream: Box<dyn Stream> = if webhook.url.scheme() == "https" {
        step.set(Step::Tls);
        let untrusted = |error: String| Failure::Tls {
            server: server.to_owned(),
            error,
        };
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|error| untrusted(error.to_string()))?;
        let connected = connector(webhook)?.connect(name, tcp).await;
        Box::new(connected.map_err(|error| untrusted(error.to_string()))?)
    } else {
        Box::new(tcp)
    };
    step.set(Step::Message);
    let dropped = || Failure::Dropped {
        server: server.to_owned(),
        step: Step::Message,
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|_| dropped())?;
    // Ends by itself with the sender; what it fails with, the exchange fails with.
    let connection = tokio::spawn(connection);
    let timestamp = SystemTime::now().duration_since(UNIX_EPOCH);
    let timestamp = timestamp.unwrap_or_default().as_secs();
    let path = match webhook.url.query() {
        Some(query) => format!("{}?{query}", webhook.url.path()),
        None => webhook.url.path().to_owned(),
    };
    let authority = match webhook.url.port() {
        Some(port) => format!("{server}:{port}"),
        None => server.to_owned(),
    };
    let request = Request::post(path)
        .header(HOST, authority)
        .header(CONTENT_TYPE, "application/json")
        .header("x-vinculo-id", id)
        .header("x-vinculo-timestamp", timestamp)
        .header("x-vinculo-signature", sign(secret, timestamp, body))
        .body(Full::new(Bytes::from(body.to_owned())))
        .map_err(|error| Failure::Unwritable(error.to_string()))?;
    let answer = sender.send_request(request).await;
    connection.abort();
    let status = answer.map_err(|_| dropped())?.status();
    if status.is_success() {
        return Ok(());
    }
    Err(Failure::Status {
        server: server.to_owned(),
        status: status.as_u16(),
    })
}

fn connector(webhook: &Webhook) -> Result<TlsConnector, Failure> {
    let mut roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(file) = &webhook.ca_file {
        let unusable =
            |error: &dyn std::fmt::Display| Failure::CaFile(format!("{}: {error}", file.display()));
        let read = CertificateDer::pem_file_iter(file).map_err(|error| unusable(&error))?;
        for certificate in read {
            let certificate = certificate.map_err(|error| unusable(&error))?;
            roots.add(certificate).map_err(|error| unusable(&error))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::Unwritable(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::sign;

    #[test]
    fn the_signature_is_the_one_that_openssl_computes() {
        // printf '1700000000.{"event":"test"}' | openssl dgst -sha256 -hmac 'correct horse'
        assert_eq!(
            sign("correct horse", 1_700_000_000, "{\"event\":\"test\"}"),
            "sha256=2b84ab388dcc4a2bc978309e02e292f3c58596dd5ef579dacb5b493186e17e5f"
        );
    }
}
