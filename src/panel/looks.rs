//! Every screen at every size in both languages: nothing falls off the glass, no text is cut, and
//! the code is read back from the pixels. With `VINCULO_SHEET` naming a folder, every picture is
//! also written there for people to look at.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use embedded_graphics::geometry::Size;

use super::draw::{Look, draw};
use super::sample::samples;
use super::screen::Screen;
use super::tests::scan;
use super::text::Language;
use crate::hardware::{Depth, Glass};

const SIZES: [(u32, u32, Depth); 9] = [
    (128, 64, Depth::Mono),
    (128, 64, Depth::Colour),
    (128, 128, Depth::Colour),
    (250, 122, Depth::Mono),
    (160, 128, Depth::Colour),
    (240, 240, Depth::Colour),
    (240, 320, Depth::Colour),
    (320, 240, Depth::Colour),
    (480, 320, Depth::Colour),
];

pub(super) fn looks() -> impl Iterator<Item = Look> {
    SIZES.into_iter().flat_map(|(w, h, depth)| {
        let glass = Glass {
            depth,
            ..Glass::colour(Size::new(w, h))
        };
        [Language::Es, Language::En].map(|language| Look { glass, language })
    })
}

#[test]
fn nothing_is_cut_off_at_any_size_in_any_language() {
    let mut faults = Vec::new();
    for look in looks() {
        for (name, screen) in samples() {
            if let Screen::Linking { qr, .. } = &screen
                && qr.place(&look.glass).is_none()
            {
                continue;
            }
            let drawn = draw(&screen, &look);
            for fault in drawn.faults {
                faults.push(format!(
                    "{name} {:?} {:?}: {fault}",
                    look.glass.size, look.language
                ));
            }
            if let Some(dir) = std::env::var_os("VINCULO_SHEET") {
                let file = format!(
                    "{name}-{}x{}-{:?}-{:?}.png",
                    look.glass.size.width, look.glass.size.height, look.glass.depth, look.language
                );
                std::fs::write(
                    std::path::Path::new(&dir).join(file),
                    drawn.frame.png().unwrap(),
                )
                .unwrap();
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_code_is_read_back_wherever_one_is_shown() {
    let mut shown = Vec::new();
    for look in looks() {
        for (name, screen) in samples() {
            let Screen::Linking { qr, .. } = &screen else {
                continue;
            };
            let Some(place) = qr.place(&look.glass) else {
                continue;
            };
            let frame = draw(&screen, &look).frame;
            let read = scan(&frame);
            assert!(
                read.is_some_and(|text| text.starts_with("2@")),
                "{name} {look:?}"
            );
            assert_eq!(frame.code, Some(place.code));
            shown.push((
                look.glass.size.width,
                look.glass.size.height,
                place.code.scale,
            ));
        }
    }
    shown.dedup();
    let expected = [
        (128, 128, 2),
        (250, 122, 2),
        (160, 128, 2),
        (240, 240, 4),
        (240, 320, 4),
        (320, 240, 4),
        (480, 320, 5),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn the_boxs_own_page_scans_beside_the_code_to_type_or_is_not_shown() {
    let mut shown = Vec::new();
    for look in looks() {
        let all = samples();
        let (_, screen) = all.iter().find(|(n, _)| *n == "pairing_code_page").unwrap();
        let frame = draw(screen, &look).frame;
        // It is no credential: a display need not treat it as one.
        assert_eq!(frame.code, None);
        if let Some(text) = scan(&frame) {
            assert_eq!(text, "http://192.168.100.200:8080");
            shown.push((look.glass.size.width, look.glass.size.height));
        }
    }
    shown.dedup();
    let expected = [(250, 122), (240, 240), (240, 320), (320, 240), (480, 320)];
    assert_eq!(shown, expected);
}

#[test]
fn the_quiet_zone_is_light_to_a_scanner_and_at_least_a_module_and_a_half() {
    for look in looks() {
        for (_, screen) in samples() {
            let Screen::Linking { qr, .. } = &screen else {
                continue;
            };
            let Some(place) = qr.place(&look.glass) else {
                continue;
            };
            let frame = draw(&screen, &look).frame;
            let code = place.code;
            let side = code.modules * code.scale;
            let quiet = (3 * code.scale).div_ceil(2);
            assert!(code.left >= quiet && code.top >= quiet, "{look:?}");
            for y in code.top - quiet..code.top + side + quiet {
                for x in code.left - quiet..code.left + side + quiet {
                    let inside = (code.left..code.left + side).contains(&x)
                        && (code.top..code.top + side).contains(&y);
                    assert!(
                        inside || frame.grey(x, y) > 150,
                        "{look:?} dark at {x}, {y}"
                    );
                }
            }
        }
    }
}

#[test]
fn an_unknown_screen_is_answered_with_those_that_are_known() {
    let look = looks().next().unwrap();
    let error = super::render("nothing", &look).unwrap_err();
    assert!(
        error.contains("linking") && error.contains("online"),
        "{error}"
    );
}

/// What a phone's camera makes of the glass: enlarged, turned a little, out of focus, noisy, in a
/// dark bezel. Everything is computed, so that a failure can be repeated.
fn photograph(frame: &crate::hardware::Frame, turned: f32) -> Option<String> {
    use embedded_graphics::geometry::OriginDimensions;
    const MODULE: f32 = 6.0;
    const BEZEL: f32 = 30.0;
    const BLUR: i32 = 1;
    let size = frame.size();
    // People come as near as they need to: a module has the same size in every photograph.
    let zoom = MODULE / frame.code?.scale as f32;
    let side = |pixels: u32| ((pixels as f32 + 2.0 * BEZEL) * zoom) as usize;
    let (w, h) = (side(size.width), side(size.height));
    let (sin, cos) = turned.sin_cos();
    let mut sharp = vec![0u8; w * h];
    for (at, grey) in sharp.iter_mut().enumerate() {
        let (x, y) = (
            (at % w) as f32 - w as f32 / 2.0,
            (at / w) as f32 - h as f32 / 2.0,
        );
        let from_x = (x * cos + y * sin) / zoom + size.width as f32 / 2.0;
        let from_y = (y * cos - x * sin) / zoom + size.height as f32 / 2.0;
        *grey = match (from_x >= 0.0, from_y >= 0.0) {
            (true, true) => frame.grey(from_x as u32, from_y as u32).max(12),
            _ => 12,
        };
    }
    let mut noise = 0x2545_f491u32;
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(w, h, |x, y| {
        let mut sum = 0u32;
        for dy in -BLUR..=BLUR {
            for dx in -BLUR..=BLUR {
                let x = (x as i32 + dx).clamp(0, w as i32 - 1) as usize;
                let y = (y as i32 + dy).clamp(0, h as i32 - 1) as usize;
                sum += u32::from(sharp[y * w + x]);
            }
        }
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        let window = (2 * BLUR + 1) as u32;
        (sum / (window * window) * 9 / 10 + noise % 24) as u8
    });
    let grids = image.detect_grids();
    grids.first()?.decode().ok().map(|(_, text)| text)
}

#[test]
fn a_camera_reads_every_code_out_of_a_dark_bezel() {
    let mut unread = Vec::new();
    for look in looks().filter(|look| look.language == Language::Es) {
        for (_, screen) in samples() {
            if let Screen::Linking { qr, .. } = &screen
                && qr.place(&look.glass).is_some()
            {
                let frame = draw(&screen, &look).frame;
                // A phone films: it takes the first picture that it can read.
                let film = [0.0, 0.03, -0.05, 0.08, -0.1];
                let read = film.iter().find_map(|turned| photograph(&frame, *turned));
                if read.is_none_or(|text| !text.starts_with("2@")) {
                    unread.push(look.glass.size);
                }
            }
        }
    }
    assert_eq!(unread, []);
}
