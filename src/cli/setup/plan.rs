//! What the files of a machine become for a board. It reads texts and returns texts; it touches no
//! file. What it adds to `config.txt` stands between two marks, which the package's removal looks
//! for as well, and nothing outside of them is ever changed.

use std::path::Path;

use anyhow::{bail, ensure};

use super::{CONFIGURATION, MODULES};
use crate::config::{Config, EXAMPLE};
use crate::hardware::profile::{Bus, Profile};

/// Begins what was added to `config.txt`. systemd/debian/postrm and systemd/install.sh know it too.
pub const BEGIN: &str = "# vinculo begin";
/// Ends it.
pub const END: &str = "# vinculo end";
/// The whole file; made only if it is not there.
const I2C_DEV: &str = "# Written by vinculo setup-board: programs reach the I2C bus.\ni2c-dev\n";

/// The texts that matter, as they are.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// `config.txt`: where it lies and what it says.
    pub config_txt: Option<(&'static str, String)>,
    /// The modules that are loaded at the start.
    pub modules: Option<String>,
    /// The box's own configuration.
    pub configuration: Option<String>,
}

/// One file that becomes another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which, below the root.
    pub file: &'static str,
    /// What it says afterwards; `None` if it is deleted.
    pub text: Option<String>,
    /// Lines that come and lines that go.
    lines: Vec<String>,
    /// Whether the machine must start anew before it matters.
    pub restart: bool,
}

impl Change {
    fn new(file: &'static str, old: &str, text: Option<String>, restart: bool) -> Self {
        let new = text.as_deref().unwrap_or_default();
        // A new configuration is long, and was explained: only its settings are shown.
        let explained = |line: &str| {
            let silent = line.trim().is_empty() || line.starts_with('#');
            silent || (file == CONFIGURATION && line.starts_with('['))
        };
        let weighty = |line: &&str| !explained(line) || [BEGIN, END].contains(line);
        let missing = |from: &str, sign: char, other: &str| -> Vec<String> {
            from.lines()
                .filter(weighty)
                .filter(|line| !other.lines().any(|there| there == *line))
                .map(|line| format!("    {sign} {line}"))
                .collect()
        };
        let mut lines = missing(old, '-', new);
        lines.extend(missing(new, '+', old));
        Self {
            file,
            text,
            lines,
            restart,
        }
    }

    /// What is shown before anything is asked.
    pub fn shown(&self, root: &Path) -> String {
        let path = root.join(self.file);
        let head = match &self.text {
            Some(_) => format!("{} changes:", path.display()),
            None => format!("{} is deleted:", path.display()),
        };
        format!("{head}\n{}", self.lines.join("\n"))
    }
}

/// What must change for a board.
///
/// # Errors
/// When the configuration has faults of its own.
pub fn setup(files: &Files, name: &str, profile: &Profile) -> anyhow::Result<Vec<Change>> {
    let mut changes = Vec::new();
    if let Some((file, old)) = &files.config_txt {
        let new = with_lines(old, &profile.config_txt);
        if new != *old {
            changes.push(Change::new(file, old, Some(new), true));
        }
    }
    let i2c = matches!(profile.display.bus, Bus::I2c { .. });
    match &files.modules {
        None if i2c => changes.push(Change::new(MODULES, "", Some(I2C_DEV.into()), true)),
        Some(old) if !i2c && old == I2C_DEV => {
            changes.push(Change::new(MODULES, old, None, false));
        }
        _ => {}
    }
    let old = files.configuration.as_deref();
    let new = with_board(old.unwrap_or(EXAMPLE), name);
    match Config::parse(&new) {
        Ok(config) if config.board == name => {}
        Ok(config) => bail!(
            "/{CONFIGURATION} would still say the board is \"{}\"; change its line `board` by hand",
            config.board
        ),
        Err(faults) => {
            let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
            bail!("mend /{CONFIGURATION} first:\n  {}", faults.join("\n  "));
        }
    }
    if old != Some(new.as_str()) {
        let before = old.unwrap_or_default();
        changes.push(Change::new(CONFIGURATION, before, Some(new), false));
    }
    ensure!(
        !name.contains(['"', '\\']),
        "the board's path may have neither quotes nor backslashes in it"
    );
    Ok(changes)
}

/// What takes all of it back. The configuration stays, with a board that every machine has.
pub fn undo(files: &Files) -> Vec<Change> {
    let mut changes = Vec::new();
    if let Some((file, old)) = &files.config_txt {
        let new = without_block(old);
        if new != *old {
            changes.push(Change::new(file, old, Some(new), true));
        }
    }
    if let Some(old) = files.modules.as_deref().filter(|old| *old == I2C_DEV) {
        changes.push(Change::new(MODULES, old, None, true));
    }
    if let Some(old) = &files.configuration {
        let new = with_board(old, "headless");
        if new != *old {
            changes.push(Change::new(CONFIGURATION, old, Some(new), false));
        }
    }
    changes
}

/// The text without what an earlier run has added.
fn without_block(text: &str) -> String {
    let mut inside = false;
    let mut kept = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let word = line.trim_end();
        inside |= word == BEGIN;
        if !inside {
            kept.push_str(line);
        }
        inside &= word != END;
    }
    kept
}

/// The text with these lines in force for every model: each is added unless it is there already,
/// outside of a section for some models only.
fn with_lines(text: &str, lines: &[String]) -> String {
    let mut kept = without_block(text);
    let mut for_all = true;
    let mut there = Vec::new();
    for line in kept.lines().map(str::trim) {
        if line.starts_with('[') {
            for_all = line == "[all]";
        } else if for_all {
            there.push(line.to_owned());
        }
    }
    let missing: Vec<_> = lines
        .iter()
        .filter(|line| !there.contains(line))
        .map(String::as_str)
        .collect();
    if missing.is_empty() {
        return kept;
    }
    if !kept.is_empty() && !kept.ends_with('\n') {
        kept.push('\n');
    }
    format!("{kept}{BEGIN}\n[all]\n{}\n{END}\n", missing.join("\n"))
}

/// The configuration with another board: its line `board` above every section, or a new one.
fn with_board(text: &str, name: &str) -> String {
    let wanted = format!("board = \"{name}\"\n");
    let is_board = |line: &str| {
        line.trim_start()
            .strip_prefix("board")
            .is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let mut above = true;
    let mut found = false;
    let mut new = String::with_capacity(text.len() + wanted.len());
    for line in text.split_inclusive('\n') {
        above &= !line.trim_start().starts_with('[');
        if above && !found && is_board(line) {
            found = true;
            new.push_str(&wanted);
        } else {
            new.push_str(line);
        }
    }
    if found { new } else { wanted + &new }
}
