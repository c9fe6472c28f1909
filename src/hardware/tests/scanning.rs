//! Whether a phone reads what a board shows: the panel's picture, through the board's own driver,
//! off the far end of its bus, by a camera. And that the camera is no flatterer.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use embedded_graphics::geometry::Size;
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use tokio::time::Instant;

use super::camera::{NEAREST, Shot};
use super::fake;
use crate::hardware::profile::{Bus, Driver, Profile};
use crate::hardware::{Frame, Glass, names, profile};
use crate::panel::draw::draw;
use crate::panel::model::Model;
use crate::panel::sample::PAYLOAD;
use crate::panel::tests::settings;
use crate::panel::{Language, Look, Screen, Settings};
use crate::session::Link;
use crate::session::link::{Code, Linking};

/// The address of the phone's linking page, as WhatsApp's own clients write it.
const ADDRESS: &str = "https://wa.me/settings/linked_devices#";
const PAGE: &str = "http://192.168.100.200:8080";
/// The narrowest module that HARDWARE.md trusts, in millimetres.
const NARROWEST: f32 = 0.25;
/// Whoever sees a large code well enough stays where they are: camera pixels on a module.
const WELL: f32 = 4.0;

/// From pixel to pixel, in millimetres.
fn pitch(profile: &Profile) -> f32 {
    let known = profile.display.pitch.map(|pitch| pitch as f32 / 1000.0);
    known.unwrap_or(match profile.display.driver {
        // The smallest glass that a kernel drives and people own: 480x320 on 3.5 inches.
        Driver::Framebuffer => 0.153,
        // No glass of its own: the picture is looked at on a monitor.
        _ => 0.25,
    })
}

/// What a box with this board makes of a code to scan and one to type.
fn chosen(name: &str, profile: &Profile, text: &str) -> Screen {
    let now = Instant::now();
    let code = |text: &str| {
        Some(Code {
            text: text.into(),
            expires: now + Duration::from_secs(60),
            lifetime: Duration::from_secs(60),
        })
    };
    let mut model = Model::new(Settings {
        board: name.into(),
        page: Some(PAGE.into()),
        ..settings(profile.glass())
    });
    model.set_link(Link::Linking(Linking {
        qr: code(text),
        pairing_code: code("K7QW3MXD"),
        ..Linking::default()
    }));
    model.picture(now, None).0.screen
}

/// The picture as it is on the glass: over the bus, where there is one.
fn shown(profile: &Profile, screen: &Screen) -> Frame {
    let look = Look {
        glass: profile.glass(),
        language: Language::Es,
    };
    let frame = draw(screen, &look).frame;
    if !matches!(profile.display.bus, Bus::Spi { .. } | Bus::I2c { .. }) {
        return frame;
    }
    let fake = fake(profile);
    let mut display = fake.open(&profile.display).unwrap();
    display.present(&frame).unwrap();
    let mut seen = fake.picture(profile.display.size);
    seen.code = frame.code;
    seen
}

/// What is read in each film, and how many pictures all of them took.
fn films(picture: &Frame, pitch: f32, per_mm: f32, paper: bool) -> (Vec<Option<String>>, u32) {
    let shot = Shot {
        picture,
        pitch,
        per_mm,
        paper,
    };
    let read = shot.read();
    let taken = read.iter().map(|(_, taken)| taken).sum();
    (read.into_iter().map(|(text, _)| text).collect(), taken)
}

#[test]
fn a_camera_reads_every_board_that_shows_a_code_and_the_others_fall_back() {
    let (mut fell_back, mut done) = (Vec::new(), Vec::new());
    for name in names() {
        let profile = profile(name).unwrap();
        let (pitch, paper) = (pitch(&profile), !profile.glass().countdown);
        for text in [PAYLOAD.to_owned(), format!("{ADDRESS}{PAYLOAD}")] {
            let screen = chosen(name, &profile, &text);
            let picture = shown(&profile, &screen);
            let (module, wanted) = match &screen {
                Screen::Linking { qr, .. } => {
                    let place = qr.place(&profile.glass()).unwrap().code;
                    assert_eq!(picture.code, Some(place), "{name}");
                    let bare = place.modules == 57;
                    (place.scale, if bare { PAYLOAD } else { &text })
                }
                Screen::PairingCode { .. } => {
                    if !fell_back.contains(&name) {
                        fell_back.push(name);
                    }
                    (profile.glass().least_module, PAGE)
                }
                other => panic!("{name} shows {}", other.name()),
            };
            let module = module as f32 * pitch;
            assert!(module >= NARROWEST, "{name}: a module of {module} mm");
            let per_mm = NEAREST.min(WELL / module);
            // Boards with the same glass show the same: one of them is enough for the camera.
            let same = (picture.rgb().to_vec(), profile.display.pitch);
            if done.contains(&same) {
                continue;
            }
            done.push(same);
            let (read, taken) = films(&picture, pitch, per_mm, paper);
            println!(
                "{name}: {:.1} pixels a module, {taken} pictures",
                module * per_mm
            );
            for (film, read) in read.iter().enumerate() {
                assert_eq!(read.as_deref(), Some(wanted), "{name}, film {film}");
            }
        }
    }
    assert_eq!(fell_back, ["oled-hat-1in3", "oled-0in96"]);
    assert!(done.len() >= 8, "{} pictures were looked at", done.len());
}

/// Nothing is read in any film.
fn unread(picture: &Frame, pitch: f32, per_mm: f32) -> bool {
    let (read, _) = films(picture, pitch, per_mm, false);
    read.iter().all(Option::is_none)
}

#[test]
fn the_same_camera_reads_no_code_that_breaks_the_rules() {
    let board = profile("lcd-hat-1in3").unwrap();
    let (pitch, screen) = (pitch(&board), chosen("", &board, PAYLOAD));
    let good = shown(&board, &screen);
    let code = good.code.unwrap();
    let module = code.scale as f32 * pitch;
    let near = WELL / module;
    assert!(!unread(&good, pitch, near), "not even what keeps them");

    let side = code.modules * code.scale;
    let part = |border: u32, dark: bool| {
        let mut frame = Frame::new(
            Size::new(side + 2 * border, side + 2 * border),
            Rgb888::WHITE,
        );
        for (x, y) in (0..side).flat_map(|y| (0..side).map(move |x| (x, y))) {
            let pixel = good.pixel(code.left + x, code.top + y).unwrap();
            frame.set(border + x, border + y, pixel);
        }
        if dark {
            let size = side + 2 * border;
            for (x, y) in (0..size).flat_map(|y| (0..size).map(move |x| (x, y))) {
                let grey = u8::MAX - frame.grey(x, y);
                frame.set(x, y, Rgb888::new(grey, grey, grey));
            }
        }
        frame
    };
    // The rule asks for a module and a half of quiet zone, dark on light.
    let quiet = (3 * code.scale).div_ceil(2);
    assert!(
        !unread(&part(quiet, false), pitch, near),
        "the rule's own quiet zone"
    );
    assert!(
        unread(&part(quiet, true), pitch, near),
        "light on dark was read"
    );
    assert!(
        unread(&part(0, false), pitch, near),
        "no quiet zone was read"
    );

    // From far away; and as near as can be, with modules as narrow as a pixel of an OLED.
    assert!(!unread(&good, pitch, 2.5 / module), "2.5 pixels a module");
    assert!(
        unread(&good, pitch, 1.5 / module),
        "1.5 pixels a module were read"
    );
    let oled = profile("oled-0in96").unwrap();
    let careless = Glass {
        least_module: 1,
        ..Glass::colour(oled.display.size)
    };
    let language = Language::Es;
    let glass = careless;
    let tiny = draw(&screen, &Look { glass, language }).frame;
    assert_eq!(tiny.code.unwrap().scale, 1);
    let narrow = oled.display.pitch.unwrap() as f32 / 1000.0;
    assert!(
        unread(&tiny, narrow, NEAREST),
        "modules of 0.17 mm were read"
    );
}
