//! Letters at any size. Small ones come from pixel fonts that were drawn dot by dot; larger ones
//! are a big font scaled down with its edges blended, so that a small colour display reads like
//! print.
//!
//! The large font is Free Universal (Stephen Wilson, SIL Open Font License), the small ones are
//! Adobe's Helvetica and the 4x6 of the X11 distribution; all as u8g2 carries them.

use std::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::pixelcolor::BinaryColor;
use u8g2_fonts::types::{FontColor, VerticalPosition};
use u8g2_fonts::{FontRenderer, fonts};

/// How heavy the letters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// For reading.
    Regular,
    /// For headings and numbers.
    Bold,
}

/// The height of a capital letter in the fonts that are scaled down.
const MASTER_CAP: u32 = 42;
/// Below this height a blended letter turns to fog, and a pixel font is the sharper one.
const LEAST_BLENDED_CAP: u32 = 9;

static MASTER_REGULAR: FontRenderer =
    FontRenderer::new::<fonts::u8g2_font_fur42_tf>().with_ignore_unknown_chars(true);
static MASTER_BOLD: FontRenderer =
    FontRenderer::new::<fonts::u8g2_font_fub42_tf>().with_ignore_unknown_chars(true);

macro_rules! pixel_font {
    ($name:ident) => {
        FontRenderer::new::<fonts::$name>().with_ignore_unknown_chars(true)
    };
}

/// Largest first, each with the height of its capitals.
static PIXEL_REGULAR: [(u32, FontRenderer); 7] = [
    (25, pixel_font!(u8g2_font_helvR24_tf)),
    (19, pixel_font!(u8g2_font_helvR18_tf)),
    (14, pixel_font!(u8g2_font_helvR14_tf)),
    (12, pixel_font!(u8g2_font_helvR12_tf)),
    (11, pixel_font!(u8g2_font_helvR10_tf)),
    (8, pixel_font!(u8g2_font_helvR08_tf)),
    (5, pixel_font!(u8g2_font_4x6_tf)),
];
static PIXEL_BOLD: [(u32, FontRenderer); 7] = [
    (25, pixel_font!(u8g2_font_helvB24_tf)),
    (19, pixel_font!(u8g2_font_helvB18_tf)),
    (14, pixel_font!(u8g2_font_helvB14_tf)),
    (12, pixel_font!(u8g2_font_helvB12_tf)),
    (11, pixel_font!(u8g2_font_helvB10_tf)),
    (8, pixel_font!(u8g2_font_helvB08_tf)),
    (5, pixel_font!(u8g2_font_4x6_tf)),
];

/// One size of one weight.
#[derive(Clone, Copy)]
pub struct Font {
    renderer: &'static FontRenderer,
    /// The height of a capital letter in the source font.
    source_cap: u32,
    cap: u32,
    weight: Weight,
}

impl std::fmt::Debug for Font {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {}", self.weight, self.cap)
    }
}

/// Every size from capitals of `most` pixels down, largest first. `blended` allows grey edges.
pub fn ladder(weight: Weight, most: u32, blended: bool) -> Vec<Font> {
    let (master, pixel) = match weight {
        Weight::Regular => (&MASTER_REGULAR, &PIXEL_REGULAR),
        Weight::Bold => (&MASTER_BOLD, &PIXEL_BOLD),
    };
    let sizes = (LEAST_BLENDED_CAP..=most.min(MASTER_CAP)).rev();
    let smooth = sizes.filter(|_| blended).map(|cap| Font {
        renderer: master,
        source_cap: MASTER_CAP,
        cap,
        weight,
    });
    let dotted = pixel
        .iter()
        .filter(|(cap, _)| *cap <= most && (!blended || *cap < LEAST_BLENDED_CAP))
        .map(|(cap, renderer)| Font {
            renderer,
            source_cap: *cap,
            cap: *cap,
            weight,
        });
    let mut all: Vec<Font> = smooth.chain(dotted).collect();
    if all.is_empty() {
        let (cap, renderer) = &pixel[pixel.len() - 1];
        all.push(Font {
            renderer,
            source_cap: *cap,
            cap: *cap,
            weight,
        });
    }
    all
}

impl Font {
    /// The height of a capital letter, in pixels.
    pub fn cap(&self) -> u32 {
        self.cap
    }

    /// From one line's baseline to the next one's.
    pub fn line_height(&self) -> u32 {
        match self.cap {
            0..=5 => self.cap + 2,
            6..LEAST_BLENDED_CAP => self.cap * 3 / 2,
            _ => (self.cap * 8).div_ceil(5),
        }
    }

    /// The room a line of text takes above and below its baseline: at least a capital, and more
    /// where it has accents and descenders.
    pub fn extent(&self, text: &str) -> (u32, u32) {
        let measured =
            self.renderer
                .get_rendered_dimensions(text, Point::zero(), VerticalPosition::Baseline);
        let Some(area) = measured.ok().and_then(|measured| measured.bounding_box) else {
            return (self.cap, 0);
        };
        let scaled = |dots: i32| {
            let dots = u32::try_from(dots).unwrap_or(0);
            (dots * self.cap).div_ceil(self.source_cap)
        };
        let below = area.top_left.y + i32::try_from(area.size.height).unwrap_or(0);
        (scaled(-area.top_left.y).max(self.cap), scaled(below))
    }

    /// How far one line of text reaches, in pixels, ink and pen both.
    pub fn width(&self, text: &str) -> u32 {
        let Ok(measured) =
            self.renderer
                .get_rendered_dimensions(text, Point::zero(), VerticalPosition::Baseline)
        else {
            return 0;
        };
        let ink = measured.bounding_box.map_or(0, |area| {
            area.top_left.x + i32::try_from(area.size.width).unwrap_or(0)
        });
        let reach = u32::try_from(ink.max(measured.advance.x)).unwrap_or(0);
        (reach * self.cap).div_ceil(self.source_cap)
    }

    /// Whether every character is in the font.
    pub fn knows(&self, text: &str) -> bool {
        let strict = self.renderer.clone().with_ignore_unknown_chars(false);
        strict
            .get_rendered_dimensions(text, Point::zero(), VerticalPosition::Baseline)
            .is_ok()
    }

    /// Calls `dot` with each touched pixel, relative to the start of the baseline, and how much
    /// of it is ink (255: all).
    pub fn draw(&self, text: &str, mut dot: impl FnMut(i32, i32, u8)) {
        if self.cap == self.source_cap {
            self.render(text, &mut Dots(|x, y| dot(x, y, u8::MAX)));
            return;
        }
        // A dot of the source covers a small square of the target: its area is shared out among
        // the pixels below it. One target pixel is source_cap x source_cap parts.
        let (from, to) = (i64::from(self.source_cap), i64::from(self.cap));
        let width = self.width(text) as usize + 3;
        let (above, below) = self.extent(text);
        let height = (above + below) as usize + 4;
        let above = i64::from(above) + 2;
        let mut parts = vec![0u32; width * height];
        self.render(
            text,
            &mut Dots(|x, y| {
                let left = i64::from(x) * to + from;
                let top = i64::from(y) * to + above * from;
                for (column, wide) in shares(left, to, from) {
                    for (row, high) in shares(top, to, from) {
                        let inside = column < width && row < height;
                        if let Some(part) = parts.get_mut(row * width + column).filter(|_| inside) {
                            *part += wide * high;
                        }
                    }
                }
            }),
        );
        let whole = self.source_cap * self.source_cap;
        for (at, part) in parts.iter().enumerate().filter(|(_, part)| **part > 0) {
            let ink = u8::try_from((part * 255) / whole).unwrap_or(u8::MAX);
            let x = i32::try_from(at % width).unwrap_or(0) - 1;
            let y = i32::try_from((at / width) as i64 - above).unwrap_or(0);
            dot(x, y, ink);
        }
    }

    fn render(
        &self,
        text: &str,
        target: &mut impl DrawTarget<Color = BinaryColor, Error = Infallible>,
    ) {
        let drawn = self.renderer.render(
            text,
            Point::zero(),
            VerticalPosition::Baseline,
            FontColor::Transparent(BinaryColor::On),
            target,
        );
        if let Err(error) = drawn {
            tracing::debug!(%error, "a text could not be drawn");
        }
    }
}

/// The cells of `cell` parts each that `[from, from + length)` touches, with the parts in each.
fn shares(from: i64, length: i64, cell: i64) -> impl Iterator<Item = (usize, u32)> {
    let first = from.div_euclid(cell);
    let last = (from + length - 1).div_euclid(cell);
    (first..=last).filter_map(move |index| {
        let begin = from.max(index * cell);
        let end = (from + length).min((index + 1) * cell);
        Some((
            usize::try_from(index).ok()?,
            u32::try_from(end - begin).ok()?,
        ))
    })
}

/// Hands each dot of a font to a closure.
struct Dots<F>(F);

impl<F: FnMut(i32, i32)> DrawTarget for Dots<F> {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<BinaryColor>>,
    {
        for Pixel(point, _) in pixels {
            (self.0)(point.x, point.y);
        }
        Ok(())
    }
}

impl<F> OriginDimensions for Dots<F> {
    fn size(&self) -> Size {
        // The renderer asks for nothing but a target; dots outside are the closure's to drop.
        Size::new(u32::from(u16::MAX), u32::from(u16::MAX))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn every_font_draws_what_spanish_needs() {
        let letters = "ñáéíóúüÑÁÉÍÓÚÜ¿¡«»·ABCXYZabcxyz0123456789+-:,.%()";
        for weight in [Weight::Regular, Weight::Bold] {
            for blended in [true, false] {
                for font in ladder(weight, 60, blended) {
                    for letter in letters.chars() {
                        let text = letter.to_string();
                        assert!(font.knows(&text), "{font:?} does not know {letter}");
                        let mut ink = 0;
                        font.draw(&text, |_, _, part| ink += u32::from(part));
                        assert!(ink > 0, "{font:?} draws nothing for {letter}");
                    }
                }
            }
        }
    }

    #[test]
    fn letters_stay_within_the_room_the_font_claims() {
        for weight in [Weight::Regular, Weight::Bold] {
            for blended in [true, false] {
                for font in ladder(weight, 60, blended) {
                    let text = "Ágü¿Ñ(j)";
                    let wide = i32::try_from(font.width(text)).unwrap();
                    let (above, below) = font.extent(text);
                    let (above, below) =
                        (i32::try_from(above).unwrap(), i32::try_from(below).unwrap());
                    let mut touched = (0, 0);
                    font.draw(text, |x, y, ink| {
                        assert!(ink == 0 || y >= -above, "{font:?} too high: {y}");
                        assert!(ink == 0 || y < below, "{font:?} too low: {y}");
                        assert!(ink == 0 || (x >= -1 && x < wide), "{font:?} too wide: {x}");
                        touched = (touched.0.min(y), touched.1.max(y));
                    });
                    assert_eq!(
                        touched,
                        (-above, below - 1),
                        "{font:?} claims more than it needs"
                    );
                }
            }
        }
    }
}
