//! Every screen at every size in both languages: nothing falls off the glass, no text is cut, and
//! the code is read back from the pixels.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use embedded_graphics::geometry::Size;

use super::draw::{Look, draw};
use super::sample::samples;
use super::screen::Screen;
use super::text::Language;
use super::theme::Depth;

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
        [Language::Es, Language::En].map(|language| Look {
            depth,
            language,
            ..Look::new(Size::new(w, h))
        })
    })
}

#[test]
fn nothing_is_cut_off_at_any_size_in_any_language() {
    let mut faults = Vec::new();
    for look in looks() {
        for (name, screen) in samples() {
            if let Screen::Linking { qr, .. } = &screen
                && qr.place(look.size, look.least_module).is_none()
            {
                continue;
            }
            let drawn = draw(&screen, &look);
            for fault in drawn.faults {
                faults.push(format!(
                    "{name} {:?} {:?}: {fault}",
                    look.size, look.language
                ));
            }
            if let Some(dir) = std::env::var_os("VINCULO_SHEET") {
                let file = format!(
                    "{name}-{}x{}-{:?}-{:?}.png",
                    look.size.width, look.size.height, look.depth, look.language
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
