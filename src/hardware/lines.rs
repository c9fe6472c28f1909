//! Lines of the kernel's GPIO chips, as pins. A chip is found by its label, never by its number:
//! numbers change with the kernel.

use std::io;
use std::path::PathBuf;

use embedded_hal::digital;
use gpiocdev::line::Value;
use gpiocdev::{Chip, Request};

/// Who holds the lines, as `gpioinfo` shows it.
pub const CONSUMER: &str = "vinculo";

/// The chip with one of these labels.
///
/// # Errors
/// When there is none, or it may not be opened; the message says which chips there are.
pub fn chip(labels: &[String]) -> io::Result<PathBuf> {
    let mut found = Vec::new();
    let mut refused = None;
    for path in gpiocdev::chip::chips().unwrap_or_default() {
        match Chip::from_path(&path).and_then(|chip| chip.info()) {
            Ok(info) if labels.contains(&info.label) => return Ok(path),
            Ok(info) => found.push(info.label),
            Err(error) => refused = Some((path, error)),
        }
    }
    // What may not be opened is not listed: look whether it is there at all.
    let nodes = nodes();
    if let Some(node) = nodes.first().filter(|_| found.is_empty()) {
        let why = refused.map_or_else(String::new, |(_, error)| format!(": {error}"));
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{} may not be opened{why}", node.display()),
        ));
    }
    let found = match found.is_empty() {
        true => "there is none at all".to_owned(),
        false => format!("there is {}", found.join(", ")),
    };
    Err(io::Error::new(
        io::ErrorKind::NotFound,
        format!("no GPIO chip is labelled {}; {found}", labels.join(" or ")),
    ))
}

/// The device nodes of chips, whether they may be opened or not.
fn nodes() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/dev").into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("gpiochip"))
        .map(|entry| entry.path())
        .collect()
}

/// A pin, in or out; the line is let go when it is dropped.
pub struct Pin(Request);

/// What the kernel said about a pin.
pub struct PinError(gpiocdev::Error);

impl std::fmt::Debug for PinError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, f)
    }
}

impl digital::Error for PinError {
    fn kind(&self) -> digital::ErrorKind {
        digital::ErrorKind::Other
    }
}

impl Pin {
    /// A line that this program drives; low or high at first.
    ///
    /// # Errors
    /// When the chip is not there, or somebody else holds the line.
    pub fn output(labels: &[String], line: u32, high: bool) -> io::Result<Self> {
        let value = match high {
            true => Value::Active,
            false => Value::Inactive,
        };
        let asked = Request::builder()
            .on_chip(chip(labels)?)
            .with_consumer(CONSUMER)
            .with_line(line)
            .as_output(value)
            .request();
        asked.map(Self).map_err(|error| refused(line, &error))
    }

    /// A line that somebody else drives.
    ///
    /// # Errors
    /// When the chip is not there, or somebody else holds the line.
    pub fn input(labels: &[String], line: u32) -> io::Result<Self> {
        let asked = Request::builder()
            .on_chip(chip(labels)?)
            .with_consumer(CONSUMER)
            .with_line(line)
            .as_input()
            .request();
        asked.map(Self).map_err(|error| refused(line, &error))
    }

    fn set(&mut self, value: Value) -> Result<(), PinError> {
        self.0.set_lone_value(value).map(drop).map_err(PinError)
    }
}

/// Says which line the kernel did not give.
pub fn refused(line: u32, error: &gpiocdev::Error) -> io::Error {
    io::Error::other(format!("line {line}: {error}"))
}

impl digital::ErrorType for Pin {
    type Error = PinError;
}

impl digital::OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), PinError> {
        self.set(Value::Inactive)
    }

    fn set_high(&mut self) -> Result<(), PinError> {
        self.set(Value::Active)
    }
}

impl digital::InputPin for Pin {
    fn is_high(&mut self) -> Result<bool, PinError> {
        self.0
            .lone_value()
            .map(|value| value == Value::Active)
            .map_err(PinError)
    }

    fn is_low(&mut self) -> Result<bool, PinError> {
        self.is_high().map(|high| !high)
    }
}
