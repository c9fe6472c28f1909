//! `[panel]`: how bright the glass is.

use jiff::civil::Time;

use crate::panel::Light;
use crate::toml_reader::{Faults, Section};

/// `[panel]`.
pub fn panel(top: &mut Section, faults: &mut Faults) -> Light {
    let mut section = Section::new("panel", top.table("panel", faults));
    let default = Light::default();
    let narrow = |number: u64| u8::try_from(number).unwrap_or(u8::MAX);
    let day = section
        .number("brightness", 1..=100, faults)
        .map_or(default.day, narrow);
    let night_at = section.offset("night");
    let night = section.text("night", faults).and_then(|text| {
        let night = span(&text);
        if night.is_none() {
            faults.note(
                night_at,
                format!("`night` cannot be read: \"{text}\" is no part of a day"),
                "write when it begins and ends, such as \"22:00-06:00\"",
            );
        }
        night
    });
    let dimmed = section
        .number("night_brightness", 0..=100, faults)
        .map_or(default.dimmed, narrow);
    section.finish(faults);
    Light { day, night, dimmed }
}

/// Two times of the clock that differ.
fn span(text: &str) -> Option<(Time, Time)> {
    let (from, to) = text.split_once('-')?;
    let time = |text: &str| Time::strptime("%H:%M", text.trim()).ok();
    let (from, to) = (time(from)?, time(to)?);
    (from != to).then_some((from, to))
}
