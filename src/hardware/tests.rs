//! The real drivers on a bus that is not there: what a person would see is read back from the
//! bytes that were sent. The pictures are the panel's own; nothing but these tests knows both.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use embedded_graphics::geometry::{OriginDimensions, Size};
use tokio::sync::watch;

use super::drive::tend;
use super::profile::{Bus, Driver, Profile};
use super::wired::Reopened;
use super::{Depth, Display, DisplayHealth, Frame, names, profile};
use crate::panel::draw::draw;
use crate::panel::screen::Countdown;
use crate::panel::tests::scan;
use crate::panel::{Language, Look, Screen, samples};

mod fake;
mod glass;

use fake::{Fake, one_bit, rounded};
use glass::Controller;

/// Every profile whose bytes can be decoded.
fn wired() -> Vec<(&'static str, Profile)> {
    names()
        .map(|name| (name, profile(name).unwrap()))
        .filter(|(_, profile)| matches!(profile.display.bus, Bus::Spi { .. } | Bus::I2c { .. }))
        .collect()
}

fn fake(profile: &Profile) -> Fake {
    let turns = profile.display.turns;
    Fake::new(match profile.display.driver {
        Driver::Ssd1306 => Controller::Ssd1306,
        Driver::Sh1106 => Controller::Sh1106,
        Driver::Epd2in13 | Driver::Epd2in13V3 => Controller::Paper { turns },
        _ => Controller::Mipi,
    })
}

fn picture(name: &str, profile: &Profile) -> Frame {
    let look = look(profile);
    let all = samples();
    let (_, screen) = all.iter().find(|(known, _)| *known == name).unwrap();
    draw(screen, &look).frame
}

fn look(profile: &Profile) -> Look {
    Look {
        glass: profile.glass(),
        language: Language::Es,
    }
}

/// The picture has arrived dot for dot, as far as the glass can show it.
fn assert_shown(name: &str, fake: &Fake, frame: &Frame, depth: Depth) {
    let seen = fake.picture(frame.size());
    for y in 0..frame.size().height {
        for x in 0..frame.size().width {
            let expected = match depth {
                Depth::Colour => rounded(frame.pixel(x, y).unwrap()),
                Depth::Mono => one_bit(frame.grey(x, y)),
            };
            assert_eq!(seen.pixel(x, y).unwrap(), expected, "{name} at {x}, {y}");
        }
    }
}

/// The screens with a code at every second of its life.
fn ticking(profile: &Profile, of: u32) -> Vec<Frame> {
    let look = look(profile);
    let (_, sample) = samples()
        .into_iter()
        .find(|(n, _)| *n == "linking")
        .unwrap();
    let Screen::Linking { qr, .. } = sample else {
        panic!("not the screen that was asked for")
    };
    (1..=of)
        .rev()
        .map(|seconds| {
            let (qr, left) = (qr.clone(), Countdown { seconds, of });
            let maybe_full = false;
            let screen = Screen::Linking {
                qr,
                left,
                maybe_full,
            };
            draw(&screen, &look).frame
        })
        .collect()
}

#[test]
fn every_wired_board_shows_a_code_that_scans_or_falls_back() {
    let mut fell_back = Vec::new();
    for (name, profile) in wired() {
        let fake = fake(&profile);
        let mut display = fake.open(&profile.display).unwrap();
        let depth = profile.glass().depth;
        let splash = picture("starting", &profile);
        display.present(&splash).unwrap();
        assert_shown(name, &fake, &splash, depth);
        assert_eq!(splash.size(), profile.display.size);
        let all = samples();
        let (_, linking) = all.iter().find(|(known, _)| *known == "linking").unwrap();
        let Screen::Linking { qr, .. } = linking else {
            panic!("not the screen that was asked for")
        };
        if qr.place(&profile.glass()).is_some() {
            display.present(&picture("linking", &profile)).unwrap();
            let text = scan(&fake.picture(profile.display.size));
            assert!(text.is_some_and(|text| text.starts_with("2@")), "{name}");
        } else {
            fell_back.push(name);
            let typed = picture("pairing_code", &profile);
            display.present(&typed).unwrap();
            assert_shown(name, &fake, &typed, depth);
        }
        // And away again: nothing of a code that is dead stays.
        let online = picture("online", &profile);
        display.present(&online).unwrap();
        assert_shown(name, &fake, &online, depth);
        assert_eq!(scan(&fake.picture(profile.display.size)), None);
    }
    assert_eq!(fell_back, ["oled-hat-1in3", "oled-0in96"]);
}

#[test]
fn a_second_of_countdown_is_less_than_three_hundredths_of_a_frame() {
    let profile = profile("lcd-hat-1in3").unwrap();
    let fake = fake(&profile);
    let mut display = fake.open(&profile.display).unwrap();
    fake.count();
    let whole = 240 * 240 * 2;
    for of in [20, 60] {
        let ticks = ticking(&profile, of);
        display.present(&picture("starting", &profile)).unwrap();
        display.present(&ticks[0]).unwrap();
        fake.count();
        for (at, frame) in ticks.iter().enumerate().skip(1) {
            display.present(frame).unwrap();
            let sent = fake.count();
            assert!(sent > 0, "tick {at} of {of}");
            assert!(sent * 100 < whole * 3, "tick {at} of {of}: {sent} bytes");
            assert_shown("a tick", &fake, frame, Depth::Colour);
        }
    }
}

#[test]
fn a_whole_picture_takes_little_more_than_its_own_bytes_and_an_idle_one_none() {
    for (name, profile) in wired() {
        let fake = fake(&profile);
        let mut display = fake.open(&profile.display).unwrap();
        fake.count();
        let online = picture("online", &profile);
        display.present(&online).unwrap();
        let Size { width, height } = profile.display.size;
        let needed = match profile.display.driver {
            Driver::St7789 | Driver::St7735s => width * height * 2,
            Driver::Ssd1306 | Driver::Sh1106 => width * height / 8,
            // Sixteen bytes a row; the newer driver keeps a second copy to compare with.
            Driver::Epd2in13 => 250 * 16,
            _ => 250 * 16 * 2,
        };
        let sent = fake.count();
        assert!(
            sent * 10 <= needed as usize * 13,
            "{name}: {sent} of {needed}"
        );
        for _ in 0..100 {
            display.present(&online).unwrap();
        }
        assert_eq!(fake.count(), 0, "{name}");
    }
}

#[test]
fn glass_that_is_part_of_a_larger_memory_is_addressed_where_it_is() {
    let expected = [
        ("lcd-hat-1in3", [0, 0, 239, 239], true),
        ("lcd-hat-1in44", [2, 1, 129, 128], false),
        ("display-hat-mini", [0, 0, 319, 239], true),
        // Mounted upside down: what is its first row counts from the memory's far end.
        ("tft-bonnet-1in3", [0, 80, 239, 319], true),
    ];
    for (name, touched, inverted) in expected {
        let profile = profile(name).unwrap();
        let fake = fake(&profile);
        let mut display = fake.open(&profile.display).unwrap();
        display.present(&picture("starting", &profile)).unwrap();
        let state = fake.state();
        assert_eq!(state.glass.touched, Some(touched), "{name}");
        assert_eq!(state.glass.inverted, inverted, "{name}");
        assert_eq!(state.glass.size(), profile.display.size, "{name}");
        assert!(state.glass.on && state.light, "{name}");
    }
}

#[test]
fn at_the_end_no_board_keeps_a_picture() {
    for (name, profile) in wired() {
        let fake = fake(&profile);
        let mut display = fake.open(&profile.display).unwrap();
        let before = match profile.glass().depth {
            Depth::Colour => "linking",
            Depth::Mono => "online",
        };
        display.present(&picture(before, &profile)).unwrap();
        display.rest().unwrap();
        let seen = fake.picture(profile.display.size);
        let first = seen.pixel(0, 0);
        for y in 0..profile.display.size.height {
            for x in 0..profile.display.size.width {
                assert_eq!(seen.pixel(x, y), first, "{name} at {x}, {y}");
            }
        }
        assert!(!fake.state().light, "{name}");
    }
}

#[test]
fn paper_refreshes_in_full_at_start_around_a_code_and_when_ghosts_gather() {
    let profile = profile("epaper-2in13-v3").unwrap();
    let fake = fake(&profile);
    let mut display = fake.open(&profile.display).unwrap();
    let full = |display: &mut Box<dyn Display>, screen: &str| {
        display.present(&picture(screen, &profile)).unwrap();
        // Bits 7 and 6 switch the voltages on: a quick refresh finds them on.
        fake.state().glass.refreshes.last().unwrap() & 0xC0 == 0xC0
    };
    assert!(full(&mut display, "starting"));
    assert!(!full(&mut display, "connecting"));
    assert!(full(&mut display, "linking"));
    assert!(full(&mut display, "expired"));
    let pages = ["status", "messages"];
    let quick = (0..100).take_while(|at| !full(&mut display, pages[at % 2]));
    assert_eq!(quick.count(), 20);
}

#[test]
fn paper_that_stays_busy_is_an_error_and_no_endless_wait() {
    for name in ["epaper-2in13-v2", "epaper-2in13-v3"] {
        let profile = profile(name).unwrap();
        let fake = fake(&profile);
        fake.state().busy = true;
        let error = fake.open(&profile.display).err().unwrap();
        assert!(error.to_string().contains("busy"), "{error}");
    }
}

#[test]
fn an_oled_is_dimmed_while_its_picture_may_stand_for_days() {
    for name in ["oled-hat-1in3", "oled-0in96"] {
        let profile = profile(name).unwrap();
        let fake = fake(&profile);
        let mut display = fake.open(&profile.display).unwrap();
        let mut contrast = |screen| {
            display.present(&picture(screen, &profile)).unwrap();
            fake.state().glass.contrast
        };
        let bright = contrast("pairing_code");
        assert!(contrast("online") < bright, "{name}");
        assert_eq!(contrast("status"), bright, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_display_that_is_pulled_for_a_minute_comes_back_by_itself() {
    for (name, profile) in wired() {
        let fake = fake(&profile);
        let (bus, paper) = (fake.clone(), profile.display.clone());
        let mut display = Reopened::new(profile.display.size, move || bus.open(&paper));
        let (frames, watch) = watch::channel(Arc::new(picture("starting", &profile)));
        let (told, mut health) = watch::channel(DisplayHealth::default());
        let work = tokio::spawn(async move { tend(&mut display, watch, told).await });
        tokio::task::yield_now().await;
        fake.state().out = true;
        let online = picture("online", &profile);
        frames.send_replace(Arc::new(online.clone()));
        let failed = |health: &DisplayHealth| *health != DisplayHealth::Shows;
        health.wait_for(failed).await.unwrap();
        fake.state().tries = 0;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let tries = fake.state().tries;
        assert!((30..=61).contains(&tries), "{name}: {tries} tries");
        fake.state().out = false;
        health.wait_for(|health| !failed(health)).await.unwrap();
        assert_shown(name, &fake, &online, profile.glass().depth);
        drop(frames);
        work.await.unwrap();
    }
}
