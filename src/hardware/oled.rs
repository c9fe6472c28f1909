//! OLEDs of 128x64 dots, SSD1306 and SH1106, on I2C or SPI. A lit dot wears out: a picture that
//! may stand for days is shown dimmed. Contrast is their light: less of it by night, and none is a
//! display that is switched off.

use std::io;

use display_interface::DisplayError;
use embedded_graphics::geometry::{OriginDimensions, Size};
use futures_util::FutureExt;
use oled_async::displayrotation::DisplayRotation as Sh1106Rotation;
use oled_async::displays::sh1106::Sh1106_128_64;
use oled_async::properties::DisplayProperties;
use ssd1306::mode::BufferedGraphicsMode;
use ssd1306::prelude::{Brightness, DisplayConfig, DisplayRotation, DisplaySize128x64};

use super::wire::{Plug, Wire, failed};
use super::{Display, Frame};

/// The only size both drivers are set up for.
pub const SIZE: Size = Size::new(128, 64);
/// Dots in a byte: one stands for a column of eight.
const PAGE: u32 = 8;
/// Brighter than this, a dot is lit.
const LIT: u8 = 127;
/// The SH1106 has 132 columns, and the glass is in the middle of them.
const COLUMN: u8 = 2;
/// Contrast of an SSD1306 that is looked at, as its driver's authors found it good.
const SSD1306: u8 = 0x5F;
/// Contrast of an SH1106 that is looked at, and of one that rests.
const SH1106: (u8, u8) = (0x80, 0x08);
/// As bright as it can be, in hundredths.
const FULL: u8 = 100;

fn said(error: DisplayError) -> io::Error {
    failed("the display")(&error)
}

fn lit(frame: &Frame, x: u32, y: u32) -> bool {
    frame.grey(x, y) > LIT
}

fn check(frame: &Frame) -> io::Result<()> {
    match frame.size() {
        SIZE => Ok(()),
        _ => Err(io::Error::other("a picture of another size")),
    }
}

/// What of a picture is no dot: whether it may stand for days, and how bright it is to be.
fn glow(frame: &Frame) -> (bool, u8) {
    (frame.calm, frame.light.min(FULL))
}

/// Between `least` and `most`, by hundredths.
fn contrast(least: u8, most: u8, light: u8) -> u8 {
    let more = u32::from(most - least) * u32::from(light) / u32::from(FULL);
    least + u8::try_from(more).unwrap_or(0)
}

/// An SSD1306.
pub struct Ssd1306<W: Wire> {
    panel: ssd1306::Ssd1306<Plug<W>, DisplaySize128x64, BufferedGraphicsMode<DisplaySize128x64>>,
    shown: Option<Frame>,
}

impl<W: Wire> Ssd1306<W> {
    /// Wakes it up.
    ///
    /// # Errors
    /// When the bus does not take it.
    pub fn start(wire: W, turns: u8) -> io::Result<Self> {
        let rotation = match turns {
            2 => DisplayRotation::Rotate180,
            _ => DisplayRotation::Rotate0,
        };
        let mut panel = ssd1306::Ssd1306::new(Plug(wire), DisplaySize128x64, rotation)
            .into_buffered_graphics_mode();
        panel.init().map_err(said)?;
        Ok(Self { panel, shown: None })
    }
}

impl<W: Wire + Send> Display for Ssd1306<W> {
    fn size(&self) -> Size {
        SIZE
    }

    fn present(&mut self, frame: &Frame) -> io::Result<()> {
        check(frame)?;
        let before = self.shown.take();
        for y in 0..SIZE.height {
            for x in 0..SIZE.width {
                let on = lit(frame, x, y);
                if before.as_ref().is_none_or(|old| lit(old, x, y) != on) {
                    self.panel.set_pixel(x, y, on);
                }
            }
        }
        self.panel.flush().map_err(said)?;
        if before.is_none_or(|old| glow(&old) != glow(frame)) {
            let brightness = match glow(frame) {
                (true, _) => Brightness::DIMMEST,
                (false, light) => Brightness::custom(2, contrast(0, SSD1306, light)),
            };
            self.panel.set_brightness(brightness).map_err(said)?;
            self.panel.set_display_on(frame.light > 0).map_err(said)?;
        }
        self.shown = Some(frame.clone());
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        self.shown = None;
        self.panel.clear_buffer();
        self.panel.flush().map_err(said)?;
        self.panel.set_display_on(false).map_err(said)
    }
}

/// An SH1106.
pub struct Sh1106<W: Wire> {
    panel: DisplayProperties<Sh1106_128_64, Plug<W>>,
    /// What is on the glass, a byte for eight dots, and how it glows.
    shown: Option<(Vec<u8>, (bool, u8))>,
}

impl<W: Wire> Sh1106<W> {
    /// Wakes it up.
    ///
    /// # Errors
    /// When the bus does not take it.
    pub fn start(wire: W, turns: u8) -> io::Result<Self> {
        let rotation = match turns {
            2 => Sh1106Rotation::Rotate180,
            _ => Sh1106Rotation::Rotate0,
        };
        let mut panel = DisplayProperties::new(Sh1106_128_64 {}, Plug(wire), rotation);
        at_once(panel.init_column_mode())?;
        Ok(Self { panel, shown: None })
    }

    /// Sends what differs from `before`, one stretch a page.
    fn send(&mut self, before: Option<&[u8]>, bytes: &[u8]) -> io::Result<()> {
        let width = SIZE.width as usize;
        for (page, row) in (0u8..).zip(bytes.chunks(width)) {
            let old = before.and_then(|old| old.chunks(width).nth(usize::from(page)));
            let differs = |at: &usize| old.is_none_or(|old| old.get(*at) != row.get(*at));
            let Some(first) = (0..width).find(differs) else {
                continue;
            };
            let last = (0..width).rev().find(differs).unwrap_or(first);
            let column = |at: usize| COLUMN + u8::try_from(at).unwrap_or(0);
            let area = ((column(first), page), (column(last + 1), page + 1));
            at_once(self.panel.set_draw_area(area.0, area.1))?;
            at_once(self.panel.draw(&row[first..=last]))?;
        }
        Ok(())
    }
}

impl<W: Wire + Send> Display for Sh1106<W> {
    fn size(&self) -> Size {
        SIZE
    }

    fn present(&mut self, frame: &Frame) -> io::Result<()> {
        check(frame)?;
        let bytes: Vec<u8> = (0..SIZE.height / PAGE)
            .flat_map(|page| (0..SIZE.width).map(move |x| (page, x)))
            .map(|(page, x)| {
                (0..PAGE)
                    .filter(|bit| lit(frame, x, page * PAGE + bit))
                    .fold(0, |byte, bit| byte | 1 << bit)
            })
            .collect();
        let before = self.shown.take();
        self.send(before.as_ref().map(|(old, _)| old.as_slice()), &bytes)?;
        let glows = glow(frame);
        if before.is_none_or(|(_, before)| before != glows) {
            let contrast = match glows {
                (true, _) => SH1106.1,
                (false, light) => contrast(SH1106.1, SH1106.0, light),
            };
            at_once(self.panel.set_contrast(contrast))?;
            at_once(self.panel.display_on(frame.light > 0))?;
        }
        self.shown = Some((bytes, glows));
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        self.shown = None;
        self.send(None, &[0; (SIZE.width * SIZE.height / PAGE) as usize])?;
        at_once(self.panel.display_on(false))
    }
}

/// The driver is asynchronous and the wire is not: whatever it waits for is there at once.
fn at_once(work: impl Future<Output = Result<(), DisplayError>>) -> io::Result<()> {
    work.now_or_never()
        .ok_or_else(|| io::Error::other("the display's wire waited"))?
        .map_err(said)
}
