//! Reads TOML tables and collects every fault on the way, each with its line and a remedy.
//!
//! A reader never stops at the first fault: it notes it, hands back the default, and goes on, so
//! that somebody editing the file on a laptop mends everything in one go.

use std::fmt;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Reads a text with `build`, which notes what it cannot use.
///
/// # Errors
/// With every fault, in the order of their lines.
pub fn parse<T>(
    text: &str,
    build: impl FnOnce(&DeTable, &mut Faults) -> T,
) -> Result<T, Vec<Fault>> {
    let mut faults = Faults::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        faults.note(
            error.span().map_or(0, |span| span.start),
            format!("not TOML: {}", error.message()),
            "compare the line with the examples in the README",
        );
    }
    // A half-parsed table would only add faults that are not the reader's.
    if !errors.is_empty() {
        return Err(faults.into_found());
    }
    let built = build(table.get_ref(), &mut faults);
    let found = faults.into_found();
    if found.is_empty() {
        Ok(built)
    } else {
        Err(found)
    }
}

/// One thing wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line it stands on, from 1; 0 where it belongs to no line.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        write!(f, "{}; {}", self.what, self.remedy)
    }
}

/// The text being read and the faults found so far.
pub struct Faults<'i> {
    input: &'i str,
    found: Vec<Fault>,
    absent: Vec<String>,
}

impl<'i> Faults<'i> {
    /// Begins with no faults.
    pub fn new(input: &'i str) -> Self {
        Self {
            input,
            found: Vec::new(),
            absent: Vec::new(),
        }
    }

    /// Notes a fault at a byte offset.
    pub fn note(&mut self, offset: usize, what: impl Into<String>, remedy: impl Into<String>) {
        let line = 1 + self.input.as_bytes()[..offset.min(self.input.len())]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        self.found.push(Fault {
            line,
            what: what.into(),
            remedy: remedy.into(),
        });
    }

    /// Every key that was asked for and is not in the text, as `section.key`.
    pub fn absent(&self) -> &[String] {
        &self.absent
    }

    /// Everything noted, in the order of lines.
    pub fn into_found(mut self) -> Vec<Fault> {
        self.found.sort_by_key(|fault| fault.line);
        self.found
    }
}

/// One table, whose keys are asked for by name. What nobody asked for is a fault.
pub struct Section<'t, 'i> {
    name: &'t str,
    table: Option<&'t DeTable<'i>>,
    known: Vec<&'static str>,
}

impl<'t, 'i> Section<'t, 'i> {
    /// Reads `table` as the section `name`; the top level has an empty name.
    pub fn new(name: &'t str, table: Option<&'t DeTable<'i>>) -> Self {
        Self {
            name,
            table,
            known: Vec::new(),
        }
    }

    /// What it is called.
    pub fn name(&self) -> &'t str {
        self.name
    }

    /// The value of a key, whatever it is.
    pub fn value(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'i>>> {
        self.known.push(key);
        self.table?.get(key)
    }

    /// A table below this one.
    pub fn table(&mut self, key: &'static str, faults: &mut Faults) -> Option<&'t DeTable<'i>> {
        let value = self.value(key)?;
        if value.get_ref().as_table().is_none() {
            faults.note(
                value.span().start,
                format!("`{key}` is not a section"),
                format!("write it as [{key}] on a line of its own, with its keys below"),
            );
        }
        value.get_ref().as_table()
    }

    /// An array of tables, such as `[[answer]]`, with the offset of each.
    pub fn tables(
        &mut self,
        key: &'static str,
        faults: &mut Faults,
    ) -> Vec<(usize, &'t DeTable<'i>)> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let entries: Option<Vec<_>> = value.get_ref().as_array().and_then(|array| {
            array
                .iter()
                .map(|entry| Some((entry.span().start, entry.get_ref().as_table()?)))
                .collect()
        });
        entries.unwrap_or_else(|| {
            faults.note(
                value.span().start,
                format!("`{key}` is not a list of sections"),
                format!("write each as [[{key}]] on a line of its own, with its keys below"),
            );
            Vec::new()
        })
    }

    /// Text.
    pub fn text(&mut self, key: &'static str, faults: &mut Faults) -> Option<String> {
        let value = self.value(key)?;
        if let Some(text) = value.get_ref().as_str() {
            return Some(text.to_owned());
        }
        self.wrong_type(key, value, "text in quotes", faults)
    }

    /// Yes or no.
    pub fn flag(&mut self, key: &'static str, faults: &mut Faults) -> Option<bool> {
        let value = self.value(key)?;
        if let Some(flag) = value.get_ref().as_bool() {
            return Some(flag);
        }
        self.wrong_type(key, value, "true or false", faults)
    }

    /// A whole number in a range.
    pub fn number(
        &mut self,
        key: &'static str,
        range: std::ops::RangeInclusive<u64>,
        faults: &mut Faults,
    ) -> Option<u64> {
        let value = self.value(key)?;
        let parsed = value
            .get_ref()
            .as_integer()
            .and_then(|number| u64::from_str_radix(number.as_str(), number.radix()).ok());
        match parsed {
            Some(number) if range.contains(&number) => Some(number),
            _ => {
                let wanted = format!("a whole number from {} to {}", range.start(), range.end());
                self.wrong_type(key, value, &wanted, faults)
            }
        }
    }

    /// A length of time: `"90s"`, `"15m"`, `"8h"`, `"30d"`; `"0s"` is allowed.
    pub fn duration(&mut self, key: &'static str, faults: &mut Faults) -> Option<Duration> {
        let value = self.value(key)?;
        match value.get_ref().as_str().and_then(parse_duration) {
            Some(duration) => Some(duration),
            None => self.wrong_type(
                key,
                value,
                "a length of time such as \"90s\", \"15m\", \"8h\" or \"30d\"",
                faults,
            ),
        }
    }

    /// One text, or a list of them.
    pub fn texts(&mut self, key: &'static str, faults: &mut Faults) -> Option<Vec<String>> {
        let value = self.value(key)?;
        if let Some(text) = value.get_ref().as_str() {
            return Some(vec![text.to_owned()]);
        }
        let list: Option<Vec<String>> = value.get_ref().as_array().and_then(|array| {
            array
                .iter()
                .map(|entry| entry.get_ref().as_str().map(str::to_owned))
                .collect()
        });
        match list {
            Some(list) => Some(list),
            None => self.wrong_type(key, value, "text, or a list such as [\"a\", \"b\"]", faults),
        }
    }

    /// One of a few words.
    pub fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&'static str, T)],
        faults: &mut Faults,
    ) -> Option<T> {
        let value = self.value(key)?;
        let chosen = value
            .get_ref()
            .as_str()
            .and_then(|text| choices.iter().find(|(word, _)| *word == text));
        if let Some((_, chosen)) = chosen {
            return Some(*chosen);
        }
        let words: Vec<_> = choices
            .iter()
            .map(|(word, _)| format!("\"{word}\""))
            .collect();
        self.wrong_type(key, value, &words.join(" or "), faults)
    }

    /// Where a key's value stands, or 0.
    pub fn offset(&self, key: &str) -> usize {
        self.table
            .and_then(|table| table.get(key))
            .map_or(0, |value| value.span().start)
    }

    /// Notes every key that was not asked for, and which of those asked for is absent.
    pub fn finish(self, faults: &mut Faults) {
        for key in &self.known {
            if self.table.is_none_or(|table| !table.contains_key(*key)) {
                faults.absent.push(format!("{}.{key}", self.name));
            }
        }
        for key in self.table.into_iter().flat_map(|table| table.keys()) {
            let name: &str = key.get_ref();
            if self.known.contains(&name) {
                continue;
            }
            let place = if self.name.is_empty() {
                "at the top of the file".to_owned()
            } else {
                format!("in [{}]", self.name)
            };
            let nearest = self
                .known
                .iter()
                .map(|known| (strsim::damerau_levenshtein(name, known), known))
                .min();
            let remedy = match nearest {
                Some((distance, known)) if distance <= 2 => format!("did you mean `{known}`?"),
                _ => format!("remove it; known here: {}", self.known.join(", ")),
            };
            faults.note(
                key.span().start,
                format!("unknown key `{name}` {place}"),
                remedy,
            );
        }
    }

    fn wrong_type<T>(
        &self,
        key: &str,
        value: &Spanned<DeValue>,
        wanted: &str,
        faults: &mut Faults,
    ) -> Option<T> {
        faults.note(
            value.span().start,
            format!("`{key}` cannot be read"),
            format!("write {wanted}"),
        );
        None
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit = text.chars().last()?;
    let number: u64 = text[..text.len() - unit.len_utf8()].trim().parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}
