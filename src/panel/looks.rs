//! Every screen at every size in both languages: nothing falls off the glass, no text is cut, and
//! the code is read back from the pixels.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::draw::draw;
use super::sample::samples;
use super::screen::Screen;
use super::sheet::{looks, name};
use super::tests::scan;

#[test]
fn nothing_is_cut_off_at_any_size_in_any_language() {
    let mut faults = Vec::new();
    for look in looks() {
        for (screen, shown) in samples() {
            for fault in draw(&shown.on(&look.glass), &look).faults {
                faults.push(format!("{screen} {}: {fault}", name(&look)));
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
    let expected = [
        (128, 64),
        (250, 122),
        (240, 240),
        (240, 320),
        (320, 240),
        (480, 320),
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
