//! Hands a letter to a mail server. What it needs is built when there is something to send and
//! dropped afterwards. A server that hangs, refuses or drops costs a minute and nobody else.

use std::error::Error as _;
use std::io;
use std::time::{Duration, SystemTime};

use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message};
use tokio::time::timeout;

use super::failure::{Failure, Progress, Step};
use super::letter::Letter;
use super::settings::{Mail, Security};

/// For one recipient, from the first packet to the server's last word.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a letter to everybody; what came of it, for each. Each gets a conversation of its own, so
/// that an address that is refused does not cost the others their mail.
///
/// # Errors
/// When no conversation can be begun at all.
pub async fn send(
    mail: &Mail,
    letter: &Letter,
) -> Result<Vec<(Address, Result<(), Failure>)>, Failure> {
    let message = message(mail, letter)?;
    let password = match &mail.login {
        Some((user, secret)) => Some(Credentials::new(user.clone(), secret.read()?)),
        None => None,
    };
    let tls = tls(mail)?;
    let mut outcomes = Vec::new();
    for to in &mail.to {
        let step = Progress::new();
        let told = deliver(mail, &message, &to.email, password.as_ref(), &tls, &step);
        let outcome = match timeout(PATIENCE, told).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::Silent {
                server: mail.server.clone(),
                step: step.get(),
            }),
        };
        outcomes.push((to.email.clone(), outcome));
    }
    Ok(outcomes)
}

async fn deliver(
    mail: &Mail,
    message: &[u8],
    to: &Address,
    password: Option<&Credentials>,
    tls: &TlsParameters,
    step: &Progress,
) -> Result<(), Failure> {
    let host = mail.server.trim_start_matches('[').trim_end_matches(']');
    let addresses: Vec<_> = match tokio::net::lookup_host((host, mail.port)).await {
        Ok(addresses) => addresses.collect(),
        Err(_) => Vec::new(),
    };
    if addresses.is_empty() {
        return Err(Failure::NoName {
            server: mail.server.clone(),
        });
    }
    let failed = |error| explain(mail, step.get(), &error);
    let hello = ClientId::default();
    step.set(Step::Connect);
    let wrapper = (mail.security == Security::Tls).then(|| tls.clone());
    let connected = AsyncSmtpConnection::connect_tokio1(
        addresses.as_slice(),
        // The whole conversation has one limit, of which the step is known.
        None,
        &hello,
        wrapper,
        None,
    );
    let mut server = connected.await.map_err(failed)?;
    if mail.security == Security::StartTls {
        step.set(Step::Tls);
        if !server.can_starttls() {
            server.abort().await;
            return Err(Failure::NoStartTls {
                server: mail.server.clone(),
                port: mail.port,
            });
        }
        server.starttls(tls.clone(), &hello).await.map_err(failed)?;
    }
    if let Some(password) = password {
        step.set(Step::Login);
        let known = [Mechanism::Plain, Mechanism::Login];
        if server.server_info().get_auth_mechanism(&known).is_none() {
            server.abort().await;
            return Err(Failure::NoLogin {
                server: mail.server.clone(),
            });
        }
        server.auth(&known, password).await.map_err(failed)?;
    }
    step.set(Step::Message);
    let envelope = Envelope::new(Some(mail.from.email.clone()), vec![to.clone()])
        .map_err(|error| Failure::Unwritable(error.to_string()))?;
    server.send(&envelope, message).await.map_err(failed)?;
    // It has the message; how it says goodbye does not matter.
    drop(server.quit().await);
    Ok(())
}

fn tls(mail: &Mail) -> Result<TlsParameters, Failure> {
    let host = mail.server.trim_start_matches('[').trim_end_matches(']');
    let mut builder =
        TlsParameters::builder(host.to_owned()).certificate_store(CertificateStore::WebpkiRoots);
    if let Some(file) = &mail.ca_file {
        let pem = std::fs::read(file)
            .map_err(|error| Failure::CaFile(format!("{}: {error}", file.display())))?;
        let certificate = Certificate::from_pem(&pem)
            .map_err(|error| Failure::CaFile(format!("{}: {error}", file.display())))?;
        builder = builder.add_root_certificate(certificate);
    }
    let built = builder.build_rustls();
    built.map_err(|error| Failure::CaFile(error.to_string()))
}

fn message(mail: &Mail, letter: &Letter) -> Result<Vec<u8>, Failure> {
    let unwritable = |error: lettre::error::Error| Failure::Unwritable(error.to_string());
    let domain = mail.from.email.domain();
    let mut builder = Message::builder()
        .from(mail.from.clone())
        .subject(&letter.subject)
        .date(SystemTime::now())
        .message_id(Some(format!("<{}.vinculo@{domain}>", letter.id)))
        .header(ContentType::TEXT_PLAIN);
    for to in &mail.to {
        builder = builder.to(Mailbox::clone(to));
    }
    let mut message = builder.body(letter.text.clone()).map_err(unwritable)?;
    // So that no absence note is sent back.
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    let value = HeaderValue::new(automatic, "auto-generated".to_owned());
    message.headers_mut().insert_raw(value);
    Ok(message.formatted())
}

fn explain(mail: &Mail, step: Step, error: &lettre::transport::smtp::Error) -> Failure {
    let server = mail.server.clone();
    if let Some(code) = error.status() {
        let lasting = error.is_permanent();
        let words = error.source().map(ToString::to_string).unwrap_or_default();
        let answer = format!("{code} {words}").trim().to_owned();
        return match step {
            Step::Login => Failure::Login {
                server,
                answer,
                lasting,
            },
            _ => Failure::Refused {
                server,
                answer,
                lasting,
            },
        };
    }
    let mut source = error.source();
    let mut io = None;
    while let Some(inner) = source {
        io = io.or_else(|| inner.downcast_ref::<io::Error>());
        source = inner.source();
    }
    let in_words = || {
        let inner = error.source().map(ToString::to_string);
        inner.unwrap_or_else(|| error.to_string())
    };
    let wrapped = io.and_then(io::Error::get_ref);
    if error.is_tls() || wrapped.is_some_and(|inner| inner.is::<rustls::Error>()) {
        return Failure::Tls {
            server,
            error: in_words(),
        };
    }
    match io.map(io::Error::kind) {
        Some(io::ErrorKind::TimedOut) => Failure::Silent { server, step },
        Some(
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable,
        ) => Failure::NoConnection {
            server,
            port: mail.port,
            error: in_words(),
        },
        // Everything else is a conversation that did not go on: closed, reset, or garbled.
        _ if step == Step::Connect => Failure::Dropped {
            server,
            step: Step::Greeting,
        },
        _ => Failure::Dropped { server, step },
    }
}
