//! Every screen at every size in both languages: nothing falls off the glass, no text is cut, and
//! the code is read back from the pixels.
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

fn looks() -> impl Iterator<Item = Look> {
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
