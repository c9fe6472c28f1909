//! The one place where trust in servers is set up: the web's own roots, ring, nothing else. There
//! is no way round it.

use std::sync::Arc;

use anyhow::Context as _;
use tokio_rustls::TlsConnector;

/// A connector that trusts what browsers trust.
///
/// # Errors
/// When the cryptography cannot be set up, which is a defect of the build.
pub fn connector() -> anyhow::Result<TlsConnector> {
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .context("setting up TLS")?
    .with_root_certificates(roots)
    .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
