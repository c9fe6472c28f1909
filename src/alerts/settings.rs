//! What a person sets about alerts. Secrets stay in their files and are read when they are needed.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use lettre::message::Mailbox;
use url::Url;

use super::failure::Failure;
use crate::panel::Language;

/// `[alerts]`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the box is called in a subject.
    pub name: String,
    /// The language of the mails.
    pub language: Language,
    /// The time zone of the times in them.
    pub time_zone: TimeZone,
    /// Not online for so long is worth a mail.
    pub offline_after: Duration,
    /// `[alerts.mail]`.
    pub mail: Option<Mail>,
    /// `[alerts.webhook]`.
    pub webhook: Option<Webhook>,
}

/// `[alerts.mail]`.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The server's name or address.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// Who logs in, and the secret for it.
    pub login: Option<(String, Secret)>,
    /// Whom the mail is from.
    pub from: Mailbox,
    /// Whom it goes to; never empty.
    pub to: Vec<Mailbox>,
    /// Certificates to trust beside the web's own.
    pub ca_file: Option<PathBuf>,
}

/// How a connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// It begins in the clear and must change over.
    StartTls,
    /// From the first byte.
    Tls,
    /// Not at all; on this machine only.
    None,
}

impl Security {
    /// The usual port.
    pub fn port(self) -> u16 {
        match self {
            Security::StartTls => 587,
            Security::Tls => 465,
            Security::None => 25,
        }
    }
}

/// `[alerts.webhook]`.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Where the alert is posted: https, or http on this machine.
    pub url: Url,
    /// What it is signed with.
    pub secret: Secret,
    /// Certificates to trust beside the web's own.
    pub ca_file: Option<PathBuf>,
}

/// Where a secret is kept: a path, or the bare name of a credential that the service manager puts
/// in `$CREDENTIALS_DIRECTORY`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub PathBuf);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// Reads it. The line end that editors leave is not part of it.
    ///
    /// # Errors
    /// When the file cannot be read, or is empty.
    pub fn read(&self) -> Result<String, Failure> {
        let path = self.path()?;
        let unreadable = |error: String| Failure::Secret {
            file: path.clone(),
            error,
        };
        let text = std::fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
        let secret = text.trim_end_matches(['\r', '\n']);
        if secret.is_empty() {
            return Err(unreadable("it is empty".to_owned()));
        }
        Ok(secret.to_owned())
    }

    fn path(&self) -> Result<PathBuf, Failure> {
        if self.0.components().count() > 1 || self.0.is_absolute() {
            return Ok(self.0.clone());
        }
        match std::env::var_os("CREDENTIALS_DIRECTORY") {
            Some(dir) => Ok(PathBuf::from(dir).join(&self.0)),
            None => Err(Failure::Secret {
                file: self.0.clone(),
                error: "a bare name is a credential, and $CREDENTIALS_DIRECTORY is not set: by \
                        hand, run this with systemd-run --pipe -p LoadCredential=NAME:FILE"
                    .to_owned(),
            }),
        }
    }
}

/// This machine, under one of its names.
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_secret_never_shows_itself_and_loses_its_line_end() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        std::fs::write(&file, "correct horse\n").unwrap();
        let secret = Secret(file.clone());
        assert_eq!(secret.read().unwrap(), "correct horse");
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        std::fs::write(&file, "\n").unwrap();
        let error = secret.read().unwrap_err().to_string();
        assert!(error.contains("it is empty"), "{error}");
    }

    #[test]
    fn only_this_machine_is_this_machine() {
        for host in ["localhost", "127.0.0.1", "[::1]", "::1", "127.9.9.9"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["mail.example", "10.0.0.1", "localhost.example"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
