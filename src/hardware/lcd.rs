//! Small colour displays with a controller of the MIPI family (ST7789, ST7735S) on SPI.

use std::io;

use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::{Rgb565, Rgb888};
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::OutputPin;
use embedded_hal::spi::SpiDevice;
use mipidsi::Builder;
use mipidsi::interface::InterfacePixelFormat;
use mipidsi::models::Model;
use mipidsi::options::{ColorInversion, ColorOrder, Orientation, Rotation};

use super::changes::{Patch, changes};
use super::light::darkened;
use super::profile::DisplayProfile;
use super::wire::{SpiWire, failed};
use super::{Display, Frame};

/// Wakes the controller up.
///
/// # Errors
/// When the bus does not take it, or the profile does not fit the controller.
pub fn start<M, SPI, PIN, DELAY>(
    model: M,
    spi: SPI,
    dc: PIN,
    reset: Option<PIN>,
    light: Option<PIN>,
    delay: DELAY,
    profile: &DisplayProfile,
) -> io::Result<Box<dyn Display>>
where
    M: Model<ColorFormat = Rgb565> + Send + 'static,
    Rgb565: InterfacePixelFormat<u8>,
    SPI: SpiDevice + Send + 'static,
    PIN: OutputPin + Send + 'static,
    DELAY: DelayNs + Send + 'static,
{
    let rotation = match profile.turns {
        1 => Rotation::Deg90,
        2 => Rotation::Deg180,
        3 => Rotation::Deg270,
        _ => Rotation::Deg0,
    };
    let Size { width, height } = profile.size;
    let (width, height) = match profile.turns % 2 {
        1 => (height, width),
        _ => (width, height),
    };
    let short = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX);
    let builder = Builder::new(model, SpiWire::new(spi, dc))
        .display_size(short(width), short(height))
        .display_offset(profile.offset.0, profile.offset.1)
        .orientation(Orientation::new().rotate(rotation))
        .color_order(match profile.bgr {
            true => ColorOrder::Bgr,
            false => ColorOrder::Rgb,
        })
        .invert_colors(match profile.inverted {
            true => ColorInversion::Inverted,
            false => ColorInversion::Normal,
        });
    let mut delay = delay;
    let woken = "waking the display";
    Ok(match reset {
        Some(reset) => Box::new(Lcd {
            panel: builder
                .reset_pin(reset)
                .init(&mut delay)
                .map_err(|error| failed(woken)(&error))?,
            delay,
            light,
            lit: false,
            size: profile.size,
            shown: None,
        }),
        None => Box::new(Lcd {
            panel: builder
                .init(&mut delay)
                .map_err(|error| failed(woken)(&error))?,
            delay,
            light,
            lit: false,
            size: profile.size,
            shown: None,
        }),
    })
}

struct Lcd<M, SPI, DC, RST, LIGHT, DELAY>
where
    M: Model<ColorFormat = Rgb565>,
    SPI: SpiDevice,
    DC: OutputPin,
    RST: OutputPin,
{
    panel: mipidsi::Display<SpiWire<SPI, DC>, M, RST>,
    delay: DELAY,
    light: Option<LIGHT>,
    lit: bool,
    size: Size,
    /// What is on the glass; `None`: something that is not ours.
    shown: Option<Frame>,
}

impl<M, SPI, DC, RST, LIGHT, DELAY> Lcd<M, SPI, DC, RST, LIGHT, DELAY>
where
    M: Model<ColorFormat = Rgb565>,
    SPI: SpiDevice,
    DC: OutputPin,
    RST: OutputPin,
    LIGHT: OutputPin,
{
    fn send(&mut self, patch: Patch, frame: &Frame) -> io::Result<()> {
        let short = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX);
        let Patch { x, y, w, h } = patch;
        let colours = patch
            .points()
            .map(|(x, y)| frame.pixel(x, y).map_or(Rgb565::default(), Rgb565::from));
        self.panel.set_pixels(
            short(x),
            short(y),
            short(x + w - 1),
            short(y + h - 1),
            colours,
        )
    }

    fn light(&mut self, on: bool) -> io::Result<()> {
        match &mut self.light {
            Some(light) if self.lit != on => {
                light
                    .set_state(on.into())
                    .map_err(|error| failed("the backlight's pin")(&error))?;
            }
            _ => {}
        }
        self.lit = on;
        Ok(())
    }
}

impl<M, SPI, DC, RST, LIGHT, DELAY> Display for Lcd<M, SPI, DC, RST, LIGHT, DELAY>
where
    M: Model<ColorFormat = Rgb565> + Send,
    SPI: SpiDevice + Send,
    DC: OutputPin + Send,
    RST: OutputPin + Send,
    LIGHT: OutputPin + Send,
    DELAY: DelayNs + Send,
{
    fn size(&self) -> Size {
        self.size
    }

    fn present(&mut self, frame: &Frame) -> io::Result<()> {
        if frame.size() != self.size {
            return Err(io::Error::other("a picture of another size"));
        }
        let before = self.shown.take();
        let frame = darkened(frame);
        for patch in changes(before.as_ref(), &frame) {
            self.send(patch, &frame)?;
        }
        // Not before there is something to see: the memory holds noise, or an old picture.
        self.light(frame.light > 0)?;
        self.shown = Some(frame.into_owned());
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        self.shown = None;
        let dark = Frame::new(self.size, Rgb888::default());
        self.send(Patch::whole(self.size), &dark)?;
        self.light(false)?;
        self.panel.sleep(&mut self.delay)
    }
}
