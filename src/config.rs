//! The configuration: TOML in, [`Config`] out, every fault at once with its line and a remedy.
//!
//! Everything has a default, so that a box without a configuration file links and runs. It must
//! never guess: a key it does not know, or a value it cannot read, is a fault.

mod alerts;
mod link;
mod panel;
mod rooms;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use toml::de::DeTable;

use crate::panel::{Language, Light};
use crate::session::{Endpoint, Rank, Role};
pub use crate::toml_reader::Fault;
use crate::toml_reader::{self, Faults, Section};
use crate::{bot, hardware, inbox, outbox};

/// The example that is installed: every key with what it means. `vinculo setup-board` starts from it.
pub const EXAMPLE: &str = include_str!("../systemd/vinculo.example.toml");

/// Everything a person can set.
#[derive(Clone, Debug)]
pub struct Config {
    /// The language of the screen.
    pub language: Language,
    /// Which display and button.
    pub board: String,
    /// How bright the display is.
    pub light: Light,
    /// Where the days begin that are counted, and the nights: the bot's zone, or the system's.
    pub time_zone: TimeZone,
    /// Where the link and the messages are kept.
    pub data_dir: PathBuf,
    /// The status page's address.
    pub web: SocketAddr,
    /// Where a phone reaches the status page, if somebody has made that possible.
    pub web_page: Option<String>,
    /// The link's own settings.
    pub session: SessionConfig,
    /// How long messages are kept.
    pub inbox: inbox::Settings,
    /// How fast messages are sent.
    pub outbox: outbox::Settings,
    /// Automatic answers.
    pub bot: bot::Settings,
    /// Whom to tell when something goes wrong; `None` for nobody.
    pub alerts: Option<crate::alerts::Settings>,
}

/// What a person can set about the link.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The service's WebSocket.
    pub endpoint: Endpoint,
    /// For linking by pairing code: the number's digits with the country code.
    pub phone_number: Option<String>,
    /// Put the address of the phone's own linking page in front of the QR's payload.
    pub qr_prefix: bool,
    /// Show the account as online all day, which mutes the phone's notifications.
    pub stay_available: bool,
    /// What this box is there for.
    pub role: Role,
    /// Its place among the boxes with the same role and number.
    pub rank: Rank,
    /// Digits of the numbers that only a production box may link.
    pub production_numbers: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        let mut faults = Faults::new("");
        build(&DeTable::new(), &mut faults)
    }
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum ConfigError {
    /// The file could not be read.
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It was read, and these things are wrong with it.
    Faulty {
        /// Which file; `None` for the command line.
        file: Option<PathBuf>,
        /// In the order of their lines; never empty.
        faults: Vec<Fault>,
    },
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Unreadable { file, error } => write!(
                f,
                "cannot read {}: {error}; check the path and that this user may read it",
                file.display()
            ),
            ConfigError::Faulty { file, faults } => {
                match file {
                    Some(file) => write!(f, "{} has {}", file.display(), count(faults.len()))?,
                    None => write!(f, "the command line has {}", count(faults.len()))?,
                }
                for fault in faults {
                    write!(f, "\n  {fault}")?;
                }
                Ok(())
            }
        }
    }
}

fn count(faults: usize) -> String {
    if faults == 1 {
        "1 fault:".to_owned()
    } else {
        format!("{faults} faults:")
    }
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or with every fault it has.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|error| ConfigError::Unreadable {
            file: file.to_owned(),
            error,
        })?;
        Self::parse(&text).map_err(|faults| ConfigError::Faulty {
            file: Some(file.to_owned()),
            faults,
        })
    }

    /// Reads a text.
    ///
    /// # Errors
    /// With every fault it has, in the order of their lines.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        toml_reader::parse(text, build)
    }

    /// Lets the command line override the file.
    ///
    /// # Errors
    /// With every argument that cannot be used.
    pub fn apply_arguments(
        &mut self,
        board: Option<&str>,
        data_dir: Option<&Path>,
        endpoint: Option<&str>,
        web: Option<&str>,
    ) -> Result<(), ConfigError> {
        let mut faults = Faults::new("");
        if let Some(board) = board.and_then(|name| read_board(name, 0, &mut faults)) {
            self.board = board;
        }
        if let Some(dir) = data_dir {
            self.data_dir = dir.to_owned();
        }
        if let Some(url) = endpoint.and_then(|url| read_endpoint(url, 0, &mut faults)) {
            self.session.endpoint = url;
        }
        if let Some(web) = web.and_then(|web| read_address(web, 0, &mut faults)) {
            self.web = web;
        }
        command_line(faults)
    }

    /// For programs that trust a simulator: the endpoint must be on this machine.
    ///
    /// # Errors
    /// When it is not.
    pub fn require_loopback(&self) -> Result<(), ConfigError> {
        let mut faults = Faults::new("");
        if !self.session.endpoint.is_loopback() {
            faults.note(
                0,
                format!("{} is not on this machine", self.session.endpoint),
                "this program trusts simulators and takes only 127.0.0.1 and [::1]",
            );
        }
        command_line(faults)
    }
}

fn command_line(faults: Faults) -> Result<(), ConfigError> {
    let faults: Vec<_> = faults
        .into_found()
        .into_iter()
        .map(|fault| Fault { line: 0, ..fault })
        .collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(ConfigError::Faulty { file: None, faults })
    }
}

fn build(table: &DeTable, faults: &mut Faults) -> Config {
    let mut top = Section::new("", Some(table));
    let language = top
        .choice(
            "language",
            &[("es", Language::Es), ("en", Language::En)],
            faults,
        )
        .unwrap_or(Language::Es);
    let board_at = top.offset("board");
    let board = top
        .text("board", faults)
        .and_then(|name| read_board(&name, board_at, faults))
        .unwrap_or_else(|| hardware::desk::NAME.to_owned());
    let data_dir = top
        .text("data_dir", faults)
        .map_or_else(default_data_dir, PathBuf::from);

    let session = link::link(&mut top, faults);

    let mut web = Section::new("web", top.table("web", faults));
    let listen_at = web.offset("listen");
    let listen = web
        .text("listen", faults)
        .and_then(|text| read_address(&text, listen_at, faults))
        .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080)));
    let page_at = web.offset("page");
    let web_page = web
        .text("page", faults)
        .and_then(|page| read_page(page, page_at, faults));
    web.finish(faults);

    let inbox = rooms::inbox(&mut top, faults);
    let outbox = rooms::outbox(&mut top, faults);
    let (bot, time_zone) = rooms::bot(&mut top, faults);
    let light = panel::panel(&mut top, faults);
    let alerts = alerts::alerts(&mut top, language, &bot, faults);
    top.finish(faults);
    Config {
        language,
        board,
        light,
        time_zone: time_zone.unwrap_or_else(TimeZone::system),
        data_dir,
        web: listen,
        web_page,
        session,
        inbox,
        outbox,
        bot,
        alerts,
    }
}

/// systemd names the state directory; anybody else gets a folder of the user's own.
fn default_data_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("STATE_DIRECTORY") {
        return PathBuf::from(dir);
    }
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from);
    std::env::var_os("XDG_STATE_HOME")
        .map_or_else(|| home.join(".local/state"), PathBuf::from)
        .join("vinculo")
}

fn read_board(name: &str, at: usize, faults: &mut Faults) -> Option<String> {
    match hardware::profile(name) {
        Ok(_) => Some(name.to_owned()),
        Err(error) => {
            faults.note(at, error.what(), error.remedy());
            None
        }
    }
}

fn read_endpoint(text: &str, at: usize, faults: &mut Faults) -> Option<Endpoint> {
    match Endpoint::new(text) {
        Ok(endpoint) => Some(endpoint),
        Err(error) => {
            faults.note(
                at,
                error.to_string(),
                format!("leave it out, or write \"{}\"", Endpoint::SERVICE),
            );
            None
        }
    }
}

fn read_address(text: &str, at: usize, faults: &mut Faults) -> Option<SocketAddr> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Some(address),
        Ok(address) => {
            faults.note(
                at,
                format!("the status page has no login and would be open at {address}"),
                "use 127.0.0.1 or [::1] and reach it through ssh -L",
            );
            None
        }
        Err(_) => {
            faults.note(
                at,
                format!("\"{text}\" is no address with a port"),
                "write something like \"127.0.0.1:8080\"",
            );
            None
        }
    }
}

/// An address that makes a code of 25 modules at most (version 2 at level L holds 32 bytes).
fn read_page(page: String, at: usize, faults: &mut Faults) -> Option<String> {
    let known = page.starts_with("http://") || page.starts_with("https://");
    if known && page.len() <= 32 {
        return Some(page);
    }
    faults.note(
        at,
        "`page` is no short address of a page",
        "write at most 32 characters, such as \"http://192.168.1.20:8080\"",
    );
    None
}

#[cfg(test)]
mod tests;
