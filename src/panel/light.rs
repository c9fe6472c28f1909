//! How bright the glass is: by day and by night, for a code always as bright as it can be, and
//! after a press for a while. Where nobody knows what time it is, it is day.

use std::time::Duration;

use jiff::Zoned;
use jiff::civil::Time;
use tokio::time::Instant;

use super::screen::Screen;
use super::wall::Wall;
use crate::hardware::ButtonEvent;

/// As bright as it can be, in hundredths.
pub const FULL: u8 = 100;
/// How long a press makes the night day: as long as a page stays, and longer than a hold.
const AWAKE: Duration = Duration::from_secs(30);

/// What a person can set about the light.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Light {
    /// In hundredths, 1 to 100.
    pub day: u8,
    /// When the night begins and ends by the clock; it may end on the next day.
    pub night: Option<(Time, Time)>,
    /// In hundredths, 0 to 100; 0 is dark.
    pub dimmed: u8,
}

impl Default for Light {
    /// No night at all; 20 when there is one.
    fn default() -> Self {
        Self {
            day: FULL,
            night: None,
            dimmed: 20,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Dimmer {
    light: Light,
    awake_until: Option<Instant>,
    /// What [`Dimmer::level`] last came to.
    level: u8,
    /// A press began on a dark glass: it wakes, and does nothing else.
    waking: bool,
}

impl Dimmer {
    /// Begins by day.
    pub fn new(light: Light) -> Self {
        Self {
            level: light.day,
            light,
            awake_until: None,
            waking: false,
        }
    }

    /// How bright the glass is with this screen on it, in hundredths, and when that changes by
    /// itself.
    pub fn level(
        &mut self,
        screen: &Screen,
        now: Instant,
        wall: Option<&Wall>,
    ) -> (u8, Option<Instant>) {
        let turn = self.night(wall).map(|(night, left)| (night, now + left));
        let awake = self.awake_until.filter(|until| now < *until);
        let (level, next) = match turn {
            _ if asks(screen) => (FULL, None),
            Some((true, morning)) => match awake {
                Some(until) => (self.light.day, Some(until.min(morning))),
                None => (self.light.dimmed, Some(morning)),
            },
            Some((false, evening)) => (self.light.day, Some(evening)),
            None => (self.light.day, None),
        };
        self.level = level;
        (level, next)
    }

    /// Somebody touched the button. What he meant is answered, for somebody who cannot see what he
    /// presses means light.
    pub fn felt(&mut self, event: ButtonEvent, now: Instant) -> ButtonEvent {
        self.awake_until = Some(now + AWAKE);
        let dark = self.level == 0;
        match event {
            ButtonEvent::Down => {
                self.waking = dark;
                event
            }
            ButtonEvent::Press if std::mem::take(&mut self.waking) => ButtonEvent::Released,
            ButtonEvent::Next | ButtonEvent::Back if dark => ButtonEvent::Released,
            _ => event,
        }
    }

    /// Whether it is night, and how long that lasts.
    fn night(&self, wall: Option<&Wall>) -> Option<(bool, Duration)> {
        let (from, to) = self.light.night?;
        let wall = wall.filter(|wall| wall.sure)?;
        let time = wall.time.time();
        let night = match from < to {
            true => (from..to).contains(&time),
            false => time >= from || time < to,
        };
        let left = until(&wall.time, if night { to } else { from })?;
        Some((night, left))
    }
}

/// How long it is until a clock shows `time` next.
fn until(now: &Zoned, time: Time) -> Option<Duration> {
    let on = |date: jiff::civil::Date| {
        let then = date
            .to_datetime(time)
            .to_zoned(now.time_zone().clone())
            .ok()?;
        let left = then.timestamp().duration_since(now.timestamp());
        Duration::try_from(left).ok().filter(|left| !left.is_zero())
    };
    on(now.date()).or_else(|| on(now.date().tomorrow().ok()?))
}

/// Somebody stands there with a phone in his hand, and its camera needs light.
fn asks(screen: &Screen) -> bool {
    matches!(
        screen,
        Screen::Linking { .. }
            | Screen::PairingCode { .. }
            | Screen::Preparing
            | Screen::Expired
            | Screen::PhoneFull
            | Screen::TooSmall
            | Screen::Trouble(_)
            | Screen::PasskeyWanted
            | Screen::PasskeyCode { .. }
            | Screen::PasskeyChecking
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use jiff::civil::{date, time};
    use jiff::tz::{Offset, TimeZone};

    use super::*;

    fn nightly(dimmed: u8) -> Dimmer {
        Dimmer::new(Light {
            day: 80,
            night: Some((time(22, 0, 0, 0), time(6, 0, 0, 0))),
            dimmed,
        })
    }

    fn at(hour: i8, minute: i8) -> Option<Wall> {
        let zone = TimeZone::fixed(Offset::constant(-5));
        let time = date(2026, 3, 2).at(hour, minute, 0, 0).to_zoned(zone);
        Some(Wall {
            time: time.unwrap(),
            sure: true,
        })
    }

    #[test]
    fn it_dims_in_the_evening_and_lights_up_in_the_morning() {
        let now = Instant::now();
        let mut dimmer = nightly(20);
        let mut level = |wall: Option<Wall>| {
            let (level, next) = dimmer.level(&Screen::Resting, now, wall.as_ref());
            (level, next.map(|next| (next - now).as_secs() / 60))
        };
        assert_eq!(level(at(12, 0)), (80, Some(600)));
        assert_eq!(level(at(22, 0)), (20, Some(480)));
        assert_eq!(level(at(5, 59)), (20, Some(1)));
        assert_eq!(level(at(6, 0)), (80, Some(960)));
    }

    #[test]
    fn without_a_clock_it_is_day() {
        let now = Instant::now();
        let unsure = at(23, 0).map(|wall| Wall {
            sure: false,
            ..wall
        });
        for wall in [None, unsure] {
            let level = nightly(0).level(&Screen::Resting, now, wall.as_ref());
            assert_eq!(level, (80, None));
        }
    }

    #[test]
    fn who_holds_a_phone_before_it_has_all_the_light_there_is() {
        let now = Instant::now();
        let night = at(23, 0);
        for (name, screen) in crate::panel::samples() {
            let (level, _) = nightly(0).level(&screen, now, night.as_ref());
            let code = name.starts_with("linking") || name.starts_with("pairing_code");
            assert!(!code || level == FULL, "{name}");
        }
        assert_eq!(nightly(0).level(&Screen::Locked, now, night.as_ref()).0, 0);
    }

    #[test]
    fn a_press_in_the_dark_is_for_light_and_the_next_one_for_what_it_does() {
        let (now, night) = (Instant::now(), at(23, 0));
        let mut dimmer = nightly(0);
        let screen = Screen::Locked;
        assert_eq!(dimmer.level(&screen, now, night.as_ref()).0, 0);
        assert_eq!(dimmer.felt(ButtonEvent::Down, now), ButtonEvent::Down);
        let (level, next) = dimmer.level(&screen, now, night.as_ref());
        assert_eq!((level, next), (80, Some(now + AWAKE)));
        assert_eq!(dimmer.felt(ButtonEvent::Press, now), ButtonEvent::Released);
        assert_eq!(dimmer.felt(ButtonEvent::Down, now), ButtonEvent::Down);
        assert_eq!(dimmer.felt(ButtonEvent::Press, now), ButtonEvent::Press);
        let later = now + AWAKE;
        assert_eq!(dimmer.level(&screen, later, night.as_ref()).0, 0);
        assert_eq!(dimmer.felt(ButtonEvent::Next, later), ButtonEvent::Released);
    }
}
