//! Many pictures on one sheet, each with its name below it: what people look through, and what is
//! kept to compare with. It never looks at what a picture shows.

use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::Rgb888;

use super::area::Area;
use super::canvas::Canvas;
use super::draw::{Look, draw};
use super::fit::{Across, Along, Style};
use super::sample::samples;
use super::screen::Screen;
use super::text::Language;
use super::theme::PAPER;
use crate::hardware::{Depth, Frame, Glass};

/// Every kind of glass that the screens are laid out for: pixels across and down, what a pixel can
/// show, and whether it is quick enough for a countdown. Those people own, and some in between.
const GLASSES: [(u32, u32, Depth, bool); 9] = [
    (128, 64, Depth::Mono, true),
    (128, 64, Depth::Colour, true),
    (128, 128, Depth::Colour, true),
    (250, 122, Depth::Mono, false),
    (160, 128, Depth::Colour, true),
    (240, 240, Depth::Colour, true),
    (240, 320, Depth::Colour, true),
    (320, 240, Depth::Colour, true),
    (480, 320, Depth::Colour, true),
];

/// Between two pictures, in pixels.
const GAP: i32 = 6;
/// Below a picture, for its name.
const NAME: i32 = 14;
/// Capitals of a name.
const CAP: i32 = 8;
/// Neither as dark as the ground of a screen nor as light as that of a code.
const DESK: Rgb888 = Rgb888::new(96, 100, 104);

/// Every glass in every language.
pub fn looks() -> impl Iterator<Item = Look> {
    GLASSES.into_iter().flat_map(|(w, h, depth, countdown)| {
        let glass = Glass {
            depth,
            countdown,
            ..Glass::colour(Size::new(w, h))
        };
        Language::ALL.map(|language| Look { glass, language })
    })
}

/// What a look is called: `240x240 es`, `128x64 mono en`.
pub fn name(look: &Look) -> String {
    let Size { width, height } = look.glass.size;
    let depth = match look.glass.depth {
        Depth::Colour => "",
        Depth::Mono => " mono",
    };
    format!("{width}x{height}{depth} {}", look.language.code())
}

/// Every screen as one glass shows it, enlarged by a whole number where it is small.
pub fn screens(look: &Look) -> Frame {
    const WIDTH: i32 = 2000;
    const WIDE: u32 = 256;
    let zoom = (WIDE / look.glass.size.width.max(1)).max(1);
    let pictures: Vec<_> = samples()
        .into_iter()
        .map(|(name, screen)| (name.to_owned(), draw(&screen.on(&look.glass), look).frame))
        .collect();
    sheet(&pictures, WIDTH, zoom)
}

/// Where each of these pictures lies on a sheet of about this width, and how large the sheet is.
pub fn places(sizes: impl Iterator<Item = Size>, width: i32) -> (Vec<Area>, Size) {
    let mut places = Vec::new();
    let (mut x, mut y, mut row, mut wide) = (GAP, GAP, 0, 0);
    for size in sizes {
        let (w, h) = (side(size.width), side(size.height));
        if x + w > width && x > GAP {
            (x, y, row) = (GAP, y + row + NAME + GAP, 0);
        }
        places.push(Area::new(x, y, w, h));
        x += w + GAP;
        row = row.max(h);
        wide = wide.max(x);
    }
    let size = Size::new(pixels(wide), pixels(y + row + NAME));
    (places, size)
}

/// Lays named pictures out, each enlarged by a whole number.
pub fn sheet(pictures: &[(String, Frame)], width: i32, zoom: u32) -> Frame {
    let sizes = pictures.iter().map(|(_, frame)| frame.size() * zoom);
    let (places, size) = places(sizes, width);
    // Names want the pixel font, whose edges are sharp.
    let mut canvas = Canvas::new(size, Depth::Mono);
    canvas.fill(canvas.area(), DESK);
    let style = Style::bold(CAP, PAPER)
        .foreign()
        .at(Across::Left, Along::Middle);
    for ((name, picture), at) in pictures.iter().zip(places) {
        canvas.paragraph(Area::new(at.x, at.bottom(), at.w, NAME), name, &style);
        let (left, top) = (pixels(at.x), pixels(at.y));
        for y in 0..pixels(at.h) {
            for x in 0..pixels(at.w) {
                if let Some(colour) = picture.pixel(x / zoom, y / zoom) {
                    canvas.frame().set(left + x, top + y, colour);
                }
            }
        }
    }
    canvas.finish().0
}

impl Screen {
    /// What the box shows in its place on a glass that has no room for a code.
    pub fn on(self, glass: &Glass) -> Self {
        match self {
            Self::Linking { qr, .. } if qr.place(glass).is_none() => Self::TooSmall,
            other => other,
        }
    }
}

fn side(pixels: u32) -> i32 {
    i32::try_from(pixels).unwrap_or(i32::MAX)
}

fn pixels(side: i32) -> u32 {
    u32::try_from(side).unwrap_or(0)
}
