//! The real drivers on a bus that is not there: what a person would see is read back from the
//! bytes that were sent. The pictures are the panel's own; nothing but these tests knows both.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use embedded_graphics::geometry::OriginDimensions;
use tokio::sync::watch;

use super::drive::tend;
use super::profile::{Bus, Driver, Profile};
use super::wired::Reopened;
use super::{Depth, Display, DisplayHealth, Frame, names, profile};
use crate::panel::draw::draw;
use crate::panel::tests::scan;
use crate::panel::{Language, Look, Screen, samples};

mod bus;
mod camera;
mod fake;
mod glass;
mod scanning;

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
