//! Less light. A backlight that the kernel can dim is dimmed; where there is only a switch, the
//! picture itself is darkened, which dims every glass that glows, and the switch is for the dark.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use embedded_graphics::geometry::OriginDimensions;
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};

use super::Frame;

/// Where the kernel shows the backlights it can dim.
pub const SYSFS: &str = "/sys/class/backlight";
/// As bright as it can be, in hundredths.
const FULL: u8 = 100;

/// The picture as it looks in the light it asks for.
pub fn darkened(frame: &Frame) -> Cow<'_, Frame> {
    if frame.light >= FULL {
        return Cow::Borrowed(frame);
    }
    let channel = |value: u8| {
        let dark = u32::from(value) * u32::from(frame.light) / u32::from(FULL);
        u8::try_from(dark).unwrap_or(value)
    };
    let mut dark = frame.clone();
    let size = frame.size();
    for y in 0..size.height {
        for x in 0..size.width {
            let c = frame.pixel(x, y).unwrap_or_default();
            dark.set(
                x,
                y,
                Rgb888::new(channel(c.r()), channel(c.g()), channel(c.b())),
            );
        }
    }
    Cow::Owned(dark)
}

/// A backlight of the kernel's.
pub struct Backlight {
    dir: PathBuf,
    most: u32,
    /// How it was found, to be left so.
    found: u32,
    set: Option<u8>,
}

impl Backlight {
    /// The first one there is, where it may be dimmed.
    pub fn find(sysfs: &Path) -> Option<Self> {
        let mut dirs: Vec<_> = std::fs::read_dir(sysfs)
            .ok()?
            .flatten()
            .map(|entry| entry.path())
            .collect();
        dirs.sort();
        dirs.into_iter().find_map(|dir| match Self::at(&dir) {
            Ok(backlight) => Some(backlight),
            Err(error) => {
                let path = dir.display();
                tracing::info!(%path, %error, "a backlight that may not be dimmed");
                None
            }
        })
    }

    fn at(dir: &Path) -> io::Result<Self> {
        let read = |name: &str| -> io::Result<u32> {
            let text = std::fs::read_to_string(dir.join(name))?;
            text.trim().parse().map_err(io::Error::other)
        };
        let found = read("brightness")?;
        let backlight = Self {
            dir: dir.into(),
            most: read("max_brightness")?,
            found,
            set: None,
        };
        // What may not be written is of no use, and is found out here rather than in the evening.
        backlight.write(found)?;
        Ok(backlight)
    }

    /// Makes it so bright, in hundredths.
    ///
    /// # Errors
    /// When the kernel does not take it.
    pub fn set(&mut self, light: u8) -> io::Result<()> {
        if self.set == Some(light) {
            return Ok(());
        }
        let share = u64::from(self.most) * u64::from(light.min(FULL));
        let value = share.div_ceil(u64::from(FULL));
        self.write(u32::try_from(value).unwrap_or(self.most))?;
        self.set = Some(light);
        Ok(())
    }

    /// Leaves it as it was found.
    ///
    /// # Errors
    /// When the kernel does not take it.
    pub fn leave(&mut self) -> io::Result<()> {
        self.set = None;
        self.write(self.found)
    }

    fn write(&self, value: u32) -> io::Result<()> {
        std::fs::write(self.dir.join("brightness"), value.to_string())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use embedded_graphics::geometry::Size;

    use super::*;

    #[test]
    fn half_the_light_is_half_of_every_colour_and_none_is_black() {
        let mut frame = Frame::new(Size::new(2, 1), Rgb888::new(200, 100, 3));
        assert!(matches!(darkened(&frame), Cow::Borrowed(_)));
        frame.light = 50;
        let half = darkened(&frame).pixel(1, 0);
        assert_eq!(half, Some(Rgb888::new(100, 50, 1)));
        frame.light = 0;
        assert_eq!(darkened(&frame).pixel(0, 0), Some(Rgb888::BLACK));
    }

    #[test]
    fn a_backlight_is_dimmed_by_its_own_measure_and_left_as_it_was() {
        let sysfs = tempfile::tempdir().unwrap();
        let dir = sysfs.path().join("10-0045");
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("max_brightness"), "31\n").unwrap();
        std::fs::write(dir.join("brightness"), "25\n").unwrap();
        let told = || std::fs::read_to_string(dir.join("brightness")).unwrap();
        let mut backlight = Backlight::find(sysfs.path()).unwrap();
        let steps = [100, 20, 1, 0].map(|light| {
            backlight.set(light).unwrap();
            told()
        });
        assert_eq!(steps, ["31", "7", "1", "0"]);
        backlight.leave().unwrap();
        assert_eq!(told(), "25");
    }

    #[test]
    fn without_a_backlight_there_is_none() {
        let sysfs = tempfile::tempdir().unwrap();
        assert!(Backlight::find(sysfs.path()).is_none());
        assert!(Backlight::find(Path::new("/nonexistent")).is_none());
        std::fs::create_dir(sysfs.path().join("odd")).unwrap();
        assert!(Backlight::find(sysfs.path()).is_none());
    }
}
