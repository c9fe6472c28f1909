//! Whatever display the kernel drives, as the file it offers: pixels are written where they
//! belong. No other program may draw there; the profile says how the console is kept off.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};

use super::changes::{Patch, changes};
use super::light::{self, Backlight, darkened};
use super::{Display, Frame};

/// Where the kernel describes its framebuffers.
pub const SYSFS: &str = "/sys/class/graphics";
/// A picture is drawn no larger, and enlarged by a whole number: screens are read from a distance,
/// and a drawing of two million pixels takes a small board long.
const MOST: Size = Size::new(960, 640);
/// Lines in one write, where whole ones are written.
const LINES: u32 = 16;

/// What the kernel says about a framebuffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Pixels that are seen.
    pub size: Size,
    /// Bytes from a row to the next.
    pub stride: usize,
    /// Bytes in a pixel.
    pub bytes: usize,
}

impl Geometry {
    /// Reads it for a device such as `/dev/fb0`.
    ///
    /// # Errors
    /// When there is no such framebuffer, or its pixels are of a kind that is not known.
    pub fn read(sysfs: &Path, device: &Path) -> io::Result<Self> {
        let name = device.file_name().unwrap_or_default();
        let read = |key: &str| -> io::Result<String> {
            let path = sysfs.join(name).join(key);
            std::fs::read_to_string(&path)
                .map(|text| text.trim().to_owned())
                .map_err(|error| {
                    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
                })
        };
        let unknown = |what: &str, text: &str| {
            io::Error::other(format!("the framebuffer's {what} \"{text}\" is not known"))
        };
        let pair = |text: &str, mark: char| {
            let (w, h) = text.split_once(mark)?;
            Some(Size::new(w.trim().parse().ok()?, h.trim().parse().ok()?))
        };
        // The virtual size may be larger than what is seen; the mode, where there is one, is not.
        let mode = read("modes").unwrap_or_default();
        let seen = mode
            .lines()
            .next()
            .and_then(|mode| mode.split_once(':'))
            .and_then(|(_, mode)| pair(mode.split(['p', 'i']).next()?, 'x'));
        let whole = read("virtual_size")?;
        let size = seen
            .or_else(|| pair(&whole, ','))
            .filter(|size| size.width > 0 && size.height > 0)
            .ok_or_else(|| unknown("size", &whole))?;
        let depth = read("bits_per_pixel")?;
        let bytes = match depth.as_str() {
            "16" => 2,
            "24" => 3,
            "32" => 4,
            _ => return Err(unknown("depth", &depth)),
        };
        let stride = read("stride")?;
        let stride = stride
            .parse()
            .ok()
            .filter(|stride| *stride >= size.width as usize * bytes)
            .ok_or_else(|| unknown("stride", &stride))?;
        Ok(Self {
            size,
            stride,
            bytes,
        })
    }

    /// The size of the pictures for it.
    pub fn picture(&self) -> Size {
        let Size { width, height } = self.size;
        let by = width
            .div_ceil(MOST.width)
            .max(height.div_ceil(MOST.height))
            .max(1);
        Size::new(width / by, height / by)
    }
}

/// A framebuffer that is open.
pub struct Framebuffer {
    file: File,
    geometry: Geometry,
    size: Size,
    scale: u32,
    /// Where the picture begins.
    corner: (u32, u32),
    shown: Option<Frame>,
    /// Where the kernel can dim it.
    backlight: Option<Backlight>,
}

impl Framebuffer {
    /// Opens it for pictures of some size.
    ///
    /// # Errors
    /// When it cannot be opened, or is smaller than the pictures.
    pub fn open(sysfs: &Path, device: &Path, size: Size) -> io::Result<Self> {
        let geometry = Geometry::read(sysfs, device)?;
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("{}: {error}", device.display()))
        };
        let file = OpenOptions::new().write(true).open(device).map_err(named)?;
        let Size { width, height } = geometry.size;
        let scale = (width / size.width.max(1)).min(height / size.height.max(1));
        if scale == 0 {
            return Err(io::Error::other(format!(
                "the framebuffer has {width}x{height} pixels and pictures have {}x{}; \
                 start again with this display attached",
                size.width, size.height
            )));
        }
        let corner = (
            (width - size.width * scale) / 2,
            (height - size.height * scale) / 2,
        );
        Ok(Self {
            file,
            geometry,
            size,
            scale,
            corner,
            shown: None,
            backlight: None,
        })
    }

    /// With a backlight, if there is one: of a display on HDMI only the pictures can be dimmed.
    #[must_use]
    pub fn lit_by(self, backlight: Option<Backlight>) -> Self {
        Self { backlight, ..self }
    }

    fn encode(&self, colour: Rgb888, into: &mut Vec<u8>) {
        let (r, g, b) = (colour.r(), colour.g(), colour.b());
        match self.geometry.bytes {
            2 => {
                let packed = u16::from(r >> 3) << 11 | u16::from(g >> 2) << 5 | u16::from(b >> 3);
                into.extend(packed.to_ne_bytes());
            }
            3 => into.extend([b, g, r]),
            _ => into.extend((u32::from_be_bytes([0xFF, r, g, b])).to_ne_bytes()),
        }
    }

    fn write(&self, x: u32, y: u32, bytes: &[u8]) -> io::Result<()> {
        let at = y as usize * self.geometry.stride + x as usize * self.geometry.bytes;
        self.file.write_all_at(bytes, at as u64)
    }

    fn send(&self, patch: Patch, frame: &Frame) -> io::Result<()> {
        let (left, top) = self.corner;
        let ends = left + (patch.x + patch.w) * self.scale;
        if ends as usize * self.geometry.bytes == self.geometry.stride {
            let first = top + patch.y * self.scale;
            return self.lines(first, first + patch.h * self.scale, Some(frame));
        }
        let mut row = Vec::new();
        for y in patch.y..patch.y + patch.h {
            row.clear();
            self.row(patch.x..patch.x + patch.w, y, frame, &mut row);
            for line in 0..self.scale {
                self.write(
                    left + patch.x * self.scale,
                    top + y * self.scale + line,
                    &row,
                )?;
            }
        }
        Ok(())
    }

    fn row(&self, columns: Range<u32>, y: u32, frame: &Frame, into: &mut Vec<u8>) {
        for x in columns {
            let colour = frame.pixel(x, y).unwrap_or_default();
            for _ in 0..self.scale {
                self.encode(colour, into);
            }
        }
    }

    /// Writes whole lines of the display, black where there is no picture, and never one alone:
    /// where the kernel copies what was written to the display later on, its reckoning takes a
    /// write within one line that reaches the line's end for one without width (seen in 6.1).
    fn lines(&self, first: u32, end: u32, frame: Option<&Frame>) -> io::Result<()> {
        let (left, top) = self.corner;
        let mut block = Vec::new();
        let mut line = first.min(end.saturating_sub(2));
        while line < end {
            let most = (line + LINES).min(end);
            let next = if end - most == 1 { end } else { most };
            block.clear();
            for (at, y) in (line..next).enumerate() {
                let begins = block.len();
                for _ in 0..left {
                    self.encode(Rgb888::BLACK, &mut block);
                }
                let y = y.checked_sub(top).map(|y| y / self.scale);
                if let Some((frame, y)) = frame.zip(y.filter(|y| *y < self.size.height)) {
                    self.row(0..self.size.width, y, frame, &mut block);
                }
                let seen = self.geometry.size.width as usize * self.geometry.bytes;
                while block.len() - begins < seen {
                    self.encode(Rgb888::BLACK, &mut block);
                }
                block.resize((at + 1) * self.geometry.stride, 0);
            }
            self.write(0, line, &block)?;
            line = next;
        }
        Ok(())
    }

    fn dark(&self) -> io::Result<()> {
        self.lines(0, self.geometry.size.height, None)
    }
}

impl Display for Framebuffer {
    fn size(&self) -> Size {
        self.size
    }

    fn present(&mut self, frame: &Frame) -> io::Result<()> {
        if frame.size() != self.size {
            return Err(io::Error::other("a picture of another size"));
        }
        let before = self.shown.take();
        if before.is_none() {
            self.dark()?;
        }
        let frame = match &self.backlight {
            Some(_) => Cow::Borrowed(frame),
            None => darkened(frame),
        };
        for patch in changes(before.as_ref(), &frame) {
            self.send(patch, &frame)?;
        }
        if let Some(backlight) = &mut self.backlight {
            backlight.set(frame.light)?;
        }
        self.shown = Some(frame.into_owned());
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        self.shown = None;
        self.dark()?;
        self.backlight.as_mut().map_or(Ok(()), Backlight::leave)
    }
}

/// The size of the pictures for a device; `None` while it is not there.
pub fn picture(sysfs: &Path, device: &Path) -> Option<Size> {
    Geometry::read(sysfs, device)
        .ok()
        .map(|geometry| geometry.picture())
}

/// The backlight of the kernel's only display that has one.
pub fn backlight() -> Option<Backlight> {
    Backlight::find(Path::new(light::SYSFS))
}

/// Where the kernel describes its framebuffers.
pub fn sysfs() -> PathBuf {
    SYSFS.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn machine(mode: &str, depth: &str, stride: usize, rows: usize) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let fb = dir.path().join("fb0");
        std::fs::create_dir(&fb).unwrap();
        for (key, value) in [
            ("modes", mode),
            ("virtual_size", "480,640"),
            ("bits_per_pixel", depth),
            ("stride", &stride.to_string()),
        ] {
            std::fs::write(fb.join(key), format!("{value}\n")).unwrap();
        }
        std::fs::create_dir(dir.path().join("dev")).unwrap();
        std::fs::write(dir.path().join("dev/fb0"), vec![7; stride * rows]).unwrap();
        dir
    }

    #[test]
    fn only_what_is_seen_counts_and_large_screens_get_a_picture_they_can_enlarge() {
        let dir = machine("U:480x320p-0", "16", 960, 640);
        let geometry = Geometry::read(dir.path(), Path::new("/dev/fb0")).unwrap();
        assert_eq!(geometry.size, Size::new(480, 320));
        assert_eq!(geometry.picture(), Size::new(480, 320));
        let hdmi = Geometry {
            size: Size::new(1920, 1080),
            ..geometry
        };
        assert_eq!(hdmi.picture(), Size::new(960, 540));
        assert!(picture(dir.path(), Path::new("/dev/fb7")).is_none());
    }

    #[test]
    fn pixels_arrive_in_the_kernels_order_and_only_those_that_changed() {
        let dir = machine("U:8x4p-0", "32", 40, 4);
        let device = dir.path().join("dev/fb0");
        let mut display = Framebuffer::open(dir.path(), &device, Size::new(4, 2)).unwrap();
        let mut frame = Frame::new(Size::new(4, 2), Rgb888::WHITE);
        display.present(&frame).unwrap();
        let red = Rgb888::new(255, 0, 0);
        frame.set(3, 1, red);
        std::fs::write(&device, vec![0; 160]).unwrap();
        display.present(&frame).unwrap();
        let bytes = std::fs::read(&device).unwrap();
        let lit: Vec<_> = bytes.chunks(4).map(|pixel| pixel[2] == 255).collect();
        // Enlarged twice: columns 6 and 7 of rows 2 and 3, ten pixels to a row.
        let expected: Vec<_> = (0..40).map(|at| [26, 27, 36, 37].contains(&at)).collect();
        assert_eq!(lit, expected);
        display.rest().unwrap();
        let bytes = std::fs::read(&device).unwrap();
        assert!(bytes.chunks(4).all(|pixel| pixel[..3] == [0, 0, 0]));
    }

    #[test]
    fn what_reaches_the_end_of_a_line_is_written_with_the_line_before_it() {
        let dir = machine("U:8x4p-0", "32", 32, 4);
        let device = dir.path().join("dev/fb0");
        let mut display = Framebuffer::open(dir.path(), &device, Size::new(8, 4)).unwrap();
        let mut frame = Frame::new(Size::new(8, 4), Rgb888::WHITE);
        display.present(&frame).unwrap();
        let bytes = std::fs::read(&device).unwrap();
        assert!(bytes.chunks(4).all(|pixel| pixel[..3] == [255, 255, 255]));
        frame.set(7, 3, Rgb888::new(255, 0, 0));
        std::fs::write(&device, [7; 128]).unwrap();
        display.present(&frame).unwrap();
        let bytes = std::fs::read(&device).unwrap();
        assert!(bytes[..64].iter().all(|byte| *byte == 7), "more than it");
        assert!(bytes[64..].iter().all(|byte| *byte != 7), "it alone");
        assert_eq!(&bytes[124..127], &[0, 0, 255]);
    }

    #[test]
    fn less_light_is_a_darker_picture_unless_the_kernel_has_a_backlight() {
        let dir = machine("U:8x4p-0", "32", 32, 4);
        let device = dir.path().join("dev/fb0");
        let mut frame = Frame::new(Size::new(8, 4), Rgb888::WHITE);
        frame.light = 50;
        let shows = |display: &mut Framebuffer, grey: u8| {
            display.present(&frame).unwrap();
            let bytes = std::fs::read(&device).unwrap();
            assert!(bytes.chunks(4).all(|pixel| pixel[..3] == [grey; 3]));
        };
        let open = || Framebuffer::open(dir.path(), &device, Size::new(8, 4)).unwrap();
        shows(&mut open(), 127);
        let lamp = dir.path().join("class/lamp");
        std::fs::create_dir_all(&lamp).unwrap();
        for (name, value) in [("max_brightness", "200"), ("brightness", "200")] {
            std::fs::write(lamp.join(name), value).unwrap();
        }
        let told = || std::fs::read_to_string(lamp.join("brightness")).unwrap();
        let mut lit = open().lit_by(Backlight::find(&dir.path().join("class")));
        shows(&mut lit, 255);
        assert_eq!(told(), "100");
        lit.rest().unwrap();
        assert_eq!(told(), "200");
    }

    #[test]
    fn a_screen_that_is_too_small_is_refused_in_words() {
        let dir = machine("U:8x4p-0", "16", 16, 4);
        let device = dir.path().join("dev/fb0");
        let refused = Framebuffer::open(dir.path(), &device, Size::new(480, 320)).err();
        assert!(refused.unwrap().to_string().contains("8x4"));
    }
}
