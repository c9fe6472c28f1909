//! One finished picture, and how it becomes a PNG. Pixels only: what is on it is decided elsewhere.

use std::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::primitives::Rectangle;

/// Three bytes a pixel: red, green, blue.
const BYTES: usize = 3;

/// A picture of one size, row by row from the top left.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// The stable name of the screen it shows, for the status page.
    pub screen: &'static str,
    /// Where a QR is, if there is one: a display that must shrink the picture needs to know.
    pub code: Option<CodeArea>,
    /// It may stand for days: a glass that wears out shows it dimmed.
    pub calm: bool,
    /// It shows what must not outlive it, not even as a ghost.
    pub secret: bool,
    /// How bright the glass is to be, in hundredths; 0 is dark. What has no light of its own
    /// knows nothing of it.
    pub light: u8,
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

/// The place of a QR in a frame, without its quiet zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeArea {
    /// The code's left edge, in pixels.
    pub left: u32,
    /// The code's upper edge, in pixels.
    pub top: u32,
    /// Modules along one side.
    pub modules: u32,
    /// Pixels along one side of a module.
    pub scale: u32,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame")
            .field("screen", &self.screen)
            .field("width", &self.width)
            .field("height", &self.height)
            .finish_non_exhaustive()
    }
}

impl Frame {
    /// A picture of one colour.
    pub fn new(size: Size, ground: Rgb888) -> Self {
        let pixel = [ground.r(), ground.g(), ground.b()];
        let pixels = (size.width as usize) * (size.height as usize);
        Self {
            screen: "",
            code: None,
            calm: false,
            secret: false,
            light: 100,
            width: size.width,
            height: size.height,
            rgb: pixel.repeat(pixels),
        }
    }

    /// The colour of a pixel, `None` outside the picture.
    pub fn pixel(&self, x: u32, y: u32) -> Option<Rgb888> {
        let at = self.offset(x, y)?;
        match self.rgb.get(at..at + BYTES)? {
            &[r, g, b] => Some(Rgb888::new(r, g, b)),
            _ => None,
        }
    }

    /// Sets a pixel; one outside the picture is ignored and answered with `false`.
    pub fn set(&mut self, x: u32, y: u32, colour: Rgb888) -> bool {
        let Some(at) = self.offset(x, y) else {
            return false;
        };
        match self.rgb.get_mut(at..at + BYTES) {
            Some(pixel) => {
                pixel.copy_from_slice(&[colour.r(), colour.g(), colour.b()]);
                true
            }
            None => false,
        }
    }

    /// How bright a pixel is, 0 to 255, by the weights of ITU-R BT.601; outside it is dark.
    pub fn grey(&self, x: u32, y: u32) -> u8 {
        self.pixel(x, y).map_or(0, |c| {
            let weighted = 299 * u32::from(c.r()) + 587 * u32::from(c.g()) + 114 * u32::from(c.b());
            u8::try_from(weighted / 1000).unwrap_or(u8::MAX)
        })
    }

    /// One row, three bytes a pixel; empty outside the picture.
    pub fn row(&self, y: u32) -> &[u8] {
        let width = self.width as usize * BYTES;
        let start = y as usize * width;
        self.rgb.get(start..start + width).unwrap_or_default()
    }

    /// All pixels, three bytes each.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The picture as a PNG file.
    ///
    /// # Errors
    /// When the encoder refuses, which a picture of a whole size above nothing does not give it
    /// a reason for.
    pub fn png(&self) -> Result<Vec<u8>, png::EncodingError> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.rgb)?;
        writer.finish()?;
        Ok(file)
    }

    fn offset(&self, x: u32, y: u32) -> Option<usize> {
        (x < self.width && y < self.height)
            .then(|| (y as usize * self.width as usize + x as usize) * BYTES)
    }
}

impl OriginDimensions for Frame {
    fn size(&self) -> Size {
        Size::new(self.width, self.height)
    }
}

impl DrawTarget for Frame {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<Rgb888>>,
    {
        for Pixel(point, colour) in pixels {
            if let (Ok(x), Ok(y)) = (u32::try_from(point.x), u32::try_from(point.y)) {
                self.set(x, y, colour);
            }
        }
        Ok(())
    }

    fn fill_solid(&mut self, area: &Rectangle, colour: Rgb888) -> Result<(), Infallible> {
        let inside = area.intersection(&Rectangle::new(
            embedded_graphics::geometry::Point::zero(),
            self.size(),
        ));
        self.draw_iter(inside_points(inside).map(|point| Pixel(point, colour)))
    }
}

fn inside_points(area: Rectangle) -> impl Iterator<Item = embedded_graphics::geometry::Point> {
    use embedded_graphics::primitives::PointsIter;
    area.points()
}
