//! Where screens are drawn: a frame, with blended edges, and a list of everything that did not
//! fit. It never hides a fault: what would fall off the glass is reported, and tests read that.

use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};

use super::area::Area;
use super::font::Font;
use super::theme::Theme;
use crate::hardware::{Depth, Frame};

/// Steps from one colour of an edge to the other. More of them the eye does not tell apart on a
/// letter's edge; fewer colours make a picture small wherever it is kept.
const STEPS: u32 = 7;

/// A frame under construction.
#[derive(Debug)]
pub struct Canvas {
    frame: Frame,
    depth: Depth,
    theme: Theme,
    faults: Vec<String>,
}

impl Canvas {
    /// An empty picture in the theme's ground.
    pub fn new(size: Size, depth: Depth) -> Self {
        let theme = Theme::new(depth);
        Self {
            frame: Frame::new(size, theme.ground),
            depth,
            theme,
            faults: Vec::new(),
        }
    }

    /// The whole glass.
    pub fn area(&self) -> Area {
        let size = self.frame.size();
        Area::new(0, 0, side(size.width), side(size.height))
    }

    /// The colours in force.
    pub fn theme(&self) -> Theme {
        self.theme
    }

    /// Whether edges may be blended.
    pub fn blended(&self) -> bool {
        self.depth == Depth::Colour
    }

    /// The finished picture, and what did not fit on it.
    pub fn finish(self) -> (Frame, Vec<String>) {
        (self.frame, self.faults)
    }

    /// Gives access to the frame for what is exact to the pixel, such as a code.
    pub fn frame(&mut self) -> &mut Frame {
        &mut self.frame
    }

    /// Notes something that did not fit.
    pub fn fault(&mut self, what: impl Into<String>) {
        self.faults.push(what.into());
    }

    /// Fills a rectangle.
    pub fn fill(&mut self, area: Area, colour: Rgb888) {
        for y in area.y..area.bottom() {
            for x in area.x..area.right() {
                self.blend(x, y, colour, u8::MAX);
            }
        }
    }

    /// Lays `part` of 255 of a colour over a pixel.
    pub fn blend(&mut self, x: i32, y: i32, colour: Rgb888, part: u8) {
        if part == 0 {
            return;
        }
        let at = (u32::try_from(x), u32::try_from(y));
        let under = match at {
            (Ok(x), Ok(y)) => self.frame.pixel(x, y).map(|under| (x, y, under)),
            _ => None,
        };
        let Some((x, y, under)) = under else {
            // A breath of ink beyond the edge is no loss.
            if part > 48 && !self.faults.iter().any(|f| f.starts_with("off the glass")) {
                self.fault(format!("off the glass at {x}, {y}"));
            }
            return;
        };
        let colour = match (self.depth, part) {
            (_, u8::MAX) => colour,
            (Depth::Mono, 128..) => colour,
            (Depth::Mono, _) => under,
            (Depth::Colour, _) => mix(under, colour, step(part)),
        };
        self.frame.set(x, y, colour);
    }

    /// Draws one line of text from the start of its baseline.
    pub fn text(&mut self, font: &Font, x: i32, baseline: i32, text: &str, colour: Rgb888) {
        font.draw(text, |dx, dy, ink| {
            self.blend(x + dx, baseline + dy, colour, ink);
        });
    }

    /// Fills the part of an area where `distance` (in pixels, to the shape's edge, negative
    /// inside it) says so, with the edge blended.
    pub fn shade(&mut self, area: Area, colour: Rgb888, distance: impl Fn(f32, f32) -> f32) {
        for y in area.y..area.bottom() {
            for x in area.x..area.right() {
                let inside = 0.5 - distance(x as f32 + 0.5, y as f32 + 0.5);
                self.blend(x, y, colour, (inside.clamp(0.0, 1.0) * 255.0) as u8);
            }
        }
    }
}

fn side(pixels: u32) -> i32 {
    i32::try_from(pixels).unwrap_or(i32::MAX)
}

/// The nearest step.
fn step(part: u8) -> u8 {
    let most = u32::from(u8::MAX);
    let nearest = (u32::from(part) * STEPS + most / 2) / most;
    u8::try_from(nearest * most / STEPS).unwrap_or(u8::MAX)
}

fn mix(under: Rgb888, over: Rgb888, part: u8) -> Rgb888 {
    let channel = |u: u8, o: u8| {
        let part = u32::from(part);
        let sum = u32::from(u) * (255 - part) + u32::from(o) * part;
        u8::try_from((sum + 127) / 255).unwrap_or(u8::MAX)
    };
    Rgb888::new(
        channel(under.r(), over.r()),
        channel(under.g(), over.g()),
        channel(under.b(), over.b()),
    )
}
