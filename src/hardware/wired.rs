//! From a profile to a display that is driven: the parts are put together the same way whether
//! the bus is real or a fake, and taken apart and put together again when it fails.

use std::io;

use embedded_graphics::geometry::Size;
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{InputPin, OutputPin};
use embedded_hal::i2c::I2c;
use embedded_hal::spi::SpiDevice;
use linux_embedded_hal::spidev::{SpiModeFlags, SpidevOptions};
use linux_embedded_hal::{Delay, I2cdev, SpidevDevice};
use mipidsi::models::{ST7735s, ST7789};

use super::epaper::{EPaper, Plain, V3};
use super::framebuffer::{self, Framebuffer};
use super::lines::Pin;
use super::oled::{Sh1106, Ssd1306};
use super::profile::{Bus, DisplayProfile, Driver, Profile};
use super::wire::{I2cWire, SpiWire};
use super::{Board, Display, Frame, contact, lcd};

/// What a display on SPI is made of.
pub struct Parts<SPI, PIN, BUSY, DELAY> {
    /// The bus, with the select line.
    pub spi: SPI,
    /// Tells commands and data apart.
    pub dc: PIN,
    /// Active low.
    pub reset: Option<PIN>,
    /// High for light.
    pub light: Option<PIN>,
    /// High while an e-paper works.
    pub busy: Option<BUSY>,
    /// Waits.
    pub delay: DELAY,
}

/// Wakes a display on SPI up.
///
/// # Errors
/// When the bus fails, or the profile lacks a part.
pub fn on_spi<SPI, PIN, BUSY, DELAY>(
    profile: &DisplayProfile,
    parts: Parts<SPI, PIN, BUSY, DELAY>,
) -> io::Result<Box<dyn Display>>
where
    SPI: SpiDevice + Send + 'static,
    PIN: OutputPin + Send + 'static,
    BUSY: InputPin + Send + 'static,
    DELAY: DelayNs + Send + 'static,
{
    let Parts {
        spi,
        dc,
        reset,
        light,
        busy,
        mut delay,
    } = parts;
    let turns = profile.turns;
    match profile.driver {
        Driver::St7789 => lcd::start(ST7789, spi, dc, reset, light, delay, profile),
        Driver::St7735s => lcd::start(ST7735s, spi, dc, reset, light, delay, profile),
        Driver::Ssd1306 => {
            wake(reset, &mut delay)?;
            Ok(Box::new(Ssd1306::start(SpiWire::new(spi, dc), turns)?))
        }
        Driver::Sh1106 => {
            wake(reset, &mut delay)?;
            Ok(Box::new(Sh1106::start(SpiWire::new(spi, dc), turns)?))
        }
        Driver::Epd2in13V3 | Driver::Epd2in13 => {
            let (Some(reset), Some(busy)) = (reset, busy) else {
                return Err(unfit("an e-paper needs `reset` and `busy`"));
            };
            Ok(match profile.driver {
                Driver::Epd2in13V3 => {
                    let paper = V3::start(spi, busy, dc, reset, delay)?;
                    Box::new(EPaper::new(paper, turns))
                }
                _ => {
                    let paper = Plain::start(spi, busy, dc, reset, delay)?;
                    Box::new(EPaper::new(paper, turns))
                }
            })
        }
        Driver::Framebuffer | Driver::Desk | Driver::Headless => {
            Err(unfit("this driver knows no SPI"))
        }
    }
}

/// Wakes a display on I2C up.
///
/// # Errors
/// When the bus fails, or the driver knows no I2C.
pub fn on_i2c<I2C: I2c + Send + 'static>(
    profile: &DisplayProfile,
    i2c: I2C,
    address: u8,
) -> io::Result<Box<dyn Display>> {
    let wire = I2cWire::new(i2c, address);
    match profile.driver {
        Driver::Ssd1306 => Ok(Box::new(Ssd1306::start(wire, profile.turns)?)),
        Driver::Sh1106 => Ok(Box::new(Sh1106::start(wire, profile.turns)?)),
        _ => Err(unfit("this driver knows no I2C")),
    }
}

fn unfit(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

/// OLEDs want their reset line low for 3 us at least; there is time for more.
fn wake<PIN: OutputPin>(reset: Option<PIN>, delay: &mut impl DelayNs) -> io::Result<()> {
    let Some(mut reset) = reset else {
        return Ok(());
    };
    for high in [true, false, true] {
        reset
            .set_state(high.into())
            .map_err(|error| super::wire::failed("the reset pin")(&error))?;
        delay.delay_ms(10);
    }
    Ok(())
}

/// Opens the real thing.
fn attach(profile: &DisplayProfile, size: Size) -> io::Result<Box<dyn Display>> {
    let named = |error: &dyn std::fmt::Display| {
        let node = profile.bus.node().unwrap_or_default();
        io::Error::other(format!("{}: {error}", node.display()))
    };
    match &profile.bus {
        Bus::Spi { hz, .. } => {
            let node = profile.bus.node().unwrap_or_default();
            let mut spi = SpidevDevice::open(node).map_err(|error| named(&error))?;
            let options = SpidevOptions::new()
                .bits_per_word(8)
                .max_speed_hz(*hz)
                .mode(SpiModeFlags::SPI_MODE_0)
                .build();
            spi.configure(&options).map_err(|error| named(&error))?;
            let pins = profile.pins;
            let output = |line: Option<u32>, high| {
                line.map(|line| Pin::output(&profile.chips, line, high))
                    .transpose()
            };
            let parts = Parts {
                spi,
                dc: output(pins.dc, false)?.ok_or_else(|| unfit("`dc` is missing"))?,
                reset: output(pins.reset, true)?,
                light: output(pins.backlight, false)?,
                busy: pins
                    .busy
                    .map(|line| Pin::input(&profile.chips, line))
                    .transpose()?,
                delay: Delay,
            };
            on_spi(profile, parts)
        }
        Bus::I2c { address, .. } => {
            let node = profile.bus.node().unwrap_or_default();
            let i2c = I2cdev::new(node).map_err(|error| named(&error))?;
            on_i2c(profile, i2c, *address)
        }
        Bus::File(device) => {
            let open = Framebuffer::open(&framebuffer::sysfs(), device, size)?;
            Ok(Box::new(open.lit_by(framebuffer::backlight())))
        }
        Bus::None => Err(unfit("this board has no display")),
    }
}

/// How a display is put together.
type Opener = Box<dyn FnMut() -> io::Result<Box<dyn Display>> + Send>;

/// A display that is put together when it is first needed, and anew after it has failed: whatever
/// was on its way is lost, and the glass may have lost its settings with its power.
pub struct Reopened {
    open: Opener,
    size: Size,
    now: Option<Box<dyn Display>>,
}

impl Reopened {
    /// Nothing is opened yet.
    pub fn new(
        size: Size,
        open: impl FnMut() -> io::Result<Box<dyn Display>> + Send + 'static,
    ) -> Self {
        Self {
            open: Box::new(open),
            size,
            now: None,
        }
    }
}

impl Display for Reopened {
    fn size(&self) -> Size {
        self.size
    }

    fn present(&mut self, frame: &Frame) -> io::Result<()> {
        // Taken out: on an error it is dropped, so that its lines are free to be asked for again.
        let mut display = match self.now.take() {
            Some(display) => display,
            None => (self.open)()?,
        };
        display.present(frame)?;
        self.now = Some(display);
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        match self.now.take() {
            Some(mut display) => display.rest(),
            None => Ok(()),
        }
    }
}

/// Opens a board by its profile. The display is opened on its own thread, and neither it nor the
/// button need be there.
pub fn open(name: &str, profile: &Profile) -> Board {
    let mut glass = profile.glass();
    let display = profile.display.clone();
    if let Bus::File(device) = &display.bus
        && let Some(size) = framebuffer::picture(&framebuffer::sysfs(), device)
    {
        glass.size = size;
    }
    let size = glass.size;
    let (button, remote) = match &profile.button {
        Some(button) => (contact::open(button), None),
        None => {
            let (button, remote) = super::Button::remote_only();
            (button, Some(remote))
        }
    };
    Board {
        name: name.to_owned(),
        glass,
        display: Box::new(Reopened::new(size, move || attach(&display, size))),
        button,
        remote,
        quit: None,
    }
}
