//! What goes over the wires, counted by whoever is at their far end: a second of countdown, a whole
//! picture, nothing at all.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use embedded_graphics::geometry::Size;

use super::{assert_shown, fake, look, picture, wired};
use crate::hardware::profile::{Bus, Driver, Profile};
use crate::hardware::{Depth, Frame};
use crate::panel::draw::draw;
use crate::panel::screen::Countdown;
use crate::panel::{Screen, samples};

/// What the kernel takes to begin a transfer and to move the DC pin before it, in milliseconds:
/// two system calls on the slowest board. An estimate: no bench has measured it.
const BEGIN: f64 = 0.01;

/// The bytes of one whole picture.
fn whole(profile: &Profile) -> usize {
    let Size { width, height } = profile.display.size;
    let needed = match profile.display.driver {
        Driver::St7789 | Driver::St7735s => width * height * 2,
        Driver::Ssd1306 | Driver::Sh1106 => width * height / 8,
        // Sixteen bytes a row; the newer driver keeps a second copy to compare with.
        Driver::Epd2in13 => 250 * 16,
        _ => 250 * 16 * 2,
    };
    needed as usize
}

/// What a box with this board shows while it can be linked, at every second of a code's life.
fn ticking(profile: &Profile, of: u32) -> Vec<Frame> {
    let look = look(profile);
    let glass = profile.glass();
    let all = samples();
    let named = |name: &str| {
        all.iter()
            .find(|(known, _)| *known == name)
            .unwrap()
            .1
            .clone()
    };
    let frame = |seconds| {
        // The model's own rule: where it cannot count, it does not.
        let seconds = if glass.countdown { seconds } else { of };
        let now = Countdown { seconds, of };
        let screen = match named("linking").on(&glass) {
            Screen::Linking { qr, maybe_full, .. } => Screen::Linking {
                qr,
                left: now,
                maybe_full,
            },
            _ => match named("pairing_code_page") {
                Screen::PairingCode { code, page, .. } => Screen::PairingCode {
                    code,
                    left: now,
                    page,
                },
                other => other,
            },
        };
        draw(&screen, &look).frame
    };
    (1..=of).rev().map(frame).collect()
}

#[test]
fn a_second_of_countdown_is_a_few_hundredths_of_a_frame() {
    for (name, profile) in wired() {
        let fake = fake(&profile);
        let mut display = fake.open(&profile.display).unwrap();
        let mut most = 0;
        for of in [20, 60] {
            let ticks = ticking(&profile, of);
            display.present(&picture("starting", &profile)).unwrap();
            display.present(&ticks[0]).unwrap();
            fake.count();
            for frame in &ticks[1..] {
                display.present(frame).unwrap();
                most = most.max(fake.count());
                assert_shown(name, &fake, frame, profile.glass().depth);
            }
        }
        let counts = matches!(profile.display.driver, Driver::St7789 | Driver::St7735s);
        println!(
            "{name}: a tick of {most} bytes, a frame of {}",
            whole(&profile)
        );
        assert_eq!(most > 0, counts, "{name}: {most} bytes");
        // A bar at the edge of a square glass; where there is room, a dial with large digits.
        let square = profile.display.size.width == profile.display.size.height;
        let hundredths = if square { 3 } else { 4 };
        assert!(
            most * 100 < whole(&profile) * hundredths,
            "{name}: {most} bytes"
        );
    }
}

#[test]
fn a_whole_picture_takes_little_longer_than_its_own_bytes_and_an_idle_one_nothing() {
    for (name, profile) in wired() {
        let fake = fake(&profile);
        let mut display = fake.open(&profile.display).unwrap();
        fake.count();
        fake.clocked();
        let online = picture("online", &profile);
        display.present(&online).unwrap();
        let sent = fake.count();
        let (cycles, transfers) = fake.clocked();
        let needed = whole(&profile);
        assert!(sent * 10 <= needed * 13, "{name}: {sent} of {needed} bytes");
        // I2C: nine cycles a byte, at the rate that the profile's own lines set.
        let (hz, least) = match profile.display.bus {
            Bus::Spi { hz, .. } => (hz, needed * 8),
            _ => {
                let lines = profile.config_txt.join("\n");
                assert!(lines.contains("i2c_arm_baudrate=400000"), "{name}");
                (400_000, needed * 9)
            }
        };
        let clock = f64::from(hz) / 1e3;
        let (least, taken) = (least as f64 / clock, cycles as f64 / clock);
        let begun = taken + transfers as f64 * BEGIN;
        println!(
            "{name}: {taken:.2} ms on the bus, {begun:.2} with {transfers} transfers begun; its \
             bytes alone: {least:.2}"
        );
        assert!(taken <= least * 1.3, "{name}: {taken} ms for {least}");
        // The colour displays send a picture whole. The others' drivers send it in small pieces:
        // that is milliseconds on an OLED, and nothing beside the seconds that paper needs.
        if profile.glass().depth == Depth::Colour {
            assert!(begun <= least * 1.3, "{name}: {begun} ms for {least}");
        }
        for _ in 0..100 {
            display.present(&online).unwrap();
        }
        assert_eq!((fake.count(), fake.clocked()), (0, (0, 0)), "{name}");
    }
}
