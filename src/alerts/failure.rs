//! Why an alert did not arrive, in a sentence with what to do next. The sentence may name servers
//! and addresses: it is for whoever runs `vinculo test-alert`, and not for the log, which gets
//! [`Failure::code`].

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// At what a conversation broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Finding the address of a name.
    Name,
    /// Opening the connection.
    Connect,
    /// The server's greeting.
    Greeting,
    /// Protecting the connection.
    Tls,
    /// Logging in.
    Login,
    /// Handing the message over.
    Message,
}

/// How far a conversation has come.
#[derive(Debug)]
pub struct Progress(Mutex<Step>);

impl Progress {
    /// At the beginning.
    pub fn new() -> Self {
        Self(Mutex::new(Step::Name))
    }

    /// It has come to this.
    pub fn set(&self, step: Step) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = step;
    }

    /// Where it is.
    pub fn get(&self) -> Step {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Step {
    fn words(self) -> &'static str {
        match self {
            Step::Name => "while its name was looked up",
            Step::Connect => "while the connection was opened",
            Step::Greeting => "before it had greeted",
            Step::Tls => "while the connection was being protected",
            Step::Login => "while logging in",
            Step::Message => "while the message was handed over",
        }
    }
}

/// Why an alert did not arrive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A password or key cannot be read.
    #[error(
        "cannot read the secret {}: {error}; check the path, and that the user vinculo may read it",
        file.display()
    )]
    Secret {
        /// Which file.
        file: PathBuf,
        /// Why.
        error: String,
    },
    /// The extra certificates cannot be read.
    #[error("cannot use ca_file: {0}; it must hold certificates in PEM form")]
    CaFile(String),
    /// Nobody knows the name.
    #[error("no address is known for {server}; check `server`, and that this board has internet")]
    NoName {
        /// What was looked up.
        server: String,
    },
    /// Nobody listens.
    #[error(
        "nothing answers at {server} port {port} ({error}); check `server` and `port`, and \
         whether a firewall or the provider blocks that port"
    )]
    NoConnection {
        /// Where.
        server: String,
        /// Which port.
        port: u16,
        /// What the system said.
        error: String,
    },
    /// It fell silent.
    #[error(
        "{server} fell silent {}; check `port` and `security` (starttls is 587, tls is 465), \
         then try again later", step.words()
    )]
    Silent {
        /// Who.
        server: String,
        /// When.
        step: Step,
    },
    /// It hung up.
    #[error(
        "{server} broke the connection off {}; check `port` and `security` (starttls is 587, \
         tls is 465), then try again later", step.words()
    )]
    Dropped {
        /// Who.
        server: String,
        /// When.
        step: Step,
    },
    /// Its certificate is not trusted, or it speaks no TLS.
    #[error(
        "no protected connection to {server}: {error}; check that `port` and `security` belong \
         together (starttls is 587, tls is 465), that `server` is the name on its certificate and \
         the board's clock right, and for a server of your own set `ca_file`"
    )]
    Tls {
        /// Who.
        server: String,
        /// Why.
        error: String,
    },
    /// It offers no STARTTLS.
    #[error(
        "{server} offers no STARTTLS on port {port}, and the password does not travel in the \
         clear; try security = \"tls\" with port 465"
    )]
    NoStartTls {
        /// Who.
        server: String,
        /// Which port.
        port: u16,
    },
    /// It offers no login that this program knows.
    #[error("{server} offers no login with a password; leave `user` out, or use another port")]
    NoLogin {
        /// Who.
        server: String,
    },
    /// It did not accept the login.
    #[error(
        "{server} did not accept user and password ({answer}); many providers want an app \
         password here, made on their security page, instead of the usual one"
    )]
    Login {
        /// Who.
        server: String,
        /// Its own words.
        answer: String,
        /// It will not go away by itself.
        lasting: bool,
    },
    /// It did not take the message.
    #[error(
        "{server} did not take the message ({answer}); check `from`, which must belong to the \
         user, and `to`"
    )]
    Refused {
        /// Who.
        server: String,
        /// Its own words.
        answer: String,
        /// It will not go away by itself.
        lasting: bool,
    },
    /// The web server answered with something else than a success.
    #[error(
        "{server} answered {status}; check `url`, and that the receiver computes the signature \
         over the timestamp, a dot and the body with the same secret"
    )]
    Status {
        /// Who.
        server: String,
        /// Its code.
        status: u16,
    },
    /// No message can be made of it.
    #[error("the message cannot be written: {0}")]
    Unwritable(String),
}

impl Failure {
    /// For the log: tells of nobody.
    pub fn code(&self) -> &'static str {
        match self {
            Failure::Secret { .. } => "secret",
            Failure::CaFile(_) => "ca_file",
            Failure::NoName { .. } => "no_name",
            Failure::NoConnection { .. } => "no_connection",
            Failure::Silent { .. } => "silent",
            Failure::Dropped { .. } => "dropped",
            Failure::Tls { .. } => "tls",
            Failure::NoStartTls { .. } => "no_starttls",
            Failure::NoLogin { .. } => "no_login",
            Failure::Login { .. } => "login_refused",
            Failure::Refused { .. } => "message_refused",
            Failure::Status { .. } => "http_status",
            Failure::Unwritable(_) => "unwritable",
        }
    }

    /// It will not go away by itself: trying often would only look like an attack.
    pub fn is_lasting(&self) -> bool {
        match self {
            Failure::Login { lasting, .. } | Failure::Refused { lasting, .. } => *lasting,
            Failure::Status { status, .. } => (400..500).contains(status) && *status != 429,
            Failure::NoStartTls { .. }
            | Failure::NoLogin { .. }
            | Failure::Unwritable(_)
            | Failure::CaFile(_) => true,
            Failure::Secret { .. }
            | Failure::NoName { .. }
            | Failure::NoConnection { .. }
            | Failure::Silent { .. }
            | Failure::Dropped { .. }
            | Failure::Tls { .. } => false,
        }
    }
}
