//! E-paper of 122x250 dots. It keeps its picture without power, so a code that has been on it is
//! driven out by a full refresh, never by a quick one that leaves its ghost; and what was on the
//! glass when the program starts is unknown and is overwritten in full.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{ErrorType, InputPin, OutputPin};
use embedded_hal::spi::SpiDevice;
use epd_waveshare::epd2in13_v2::Epd2in13;
use epd_waveshare::prelude::{RefreshLut, WaveshareDisplay};

use super::wire::{SpiWire, Wire, failed};
use super::{Display, Frame};

#[cfg(test)]
mod tests;

/// Dots, in the controller's own orientation.
const WIDTH: u32 = 122;
/// Dots, in the controller's own orientation.
const HEIGHT: u32 = 250;
/// Bytes in a row of dots.
const ROW: usize = 16;
/// After so many quick refreshes a full one clears what they have left behind.
const QUICK: u32 = 20;
/// How often a busy controller is asked, in microseconds.
const ASKED: u32 = 10_000;
/// A controller that is busy for so many looks (6 s) is not there: a full refresh takes 2 to 4 s.
const LOOKS: u32 = 600;

/// Ways to change what is on the glass.
pub trait Paper: Send {
    /// Redraws everything, black and white in turns.
    ///
    /// # Errors
    /// When the bus does not take it, or the controller stays busy.
    fn full(&mut self, dots: &[u8]) -> io::Result<()>;

    /// Redraws what differs, without flashing. `None`: it cannot.
    ///
    /// # Errors
    /// When the bus does not take it, or the controller stays busy.
    fn quick(&mut self, dots: &[u8]) -> Option<io::Result<()>>;

    /// Takes the high voltages off the glass.
    ///
    /// # Errors
    /// When the bus does not take it, or the controller stays busy.
    fn sleep(&mut self) -> io::Result<()>;
}

/// A busy pin that cannot hold the thread for ever: drivers wait for it without an end.
pub struct Busy<PIN> {
    pin: PIN,
    looks: u32,
    stuck: Arc<AtomicBool>,
}

impl<PIN> Busy<PIN> {
    /// Watches `pin`; the flag is set when it has been busy for too long.
    pub fn new(pin: PIN) -> (Self, Arc<AtomicBool>) {
        let stuck = Arc::new(AtomicBool::new(false));
        let busy = Self {
            pin,
            looks: 0,
            stuck: Arc::clone(&stuck),
        };
        (busy, stuck)
    }
}

impl<PIN: ErrorType> ErrorType for Busy<PIN> {
    type Error = PIN::Error;
}

impl<PIN: InputPin> InputPin for Busy<PIN> {
    fn is_high(&mut self) -> Result<bool, Self::Error> {
        if self.stuck.load(Ordering::Relaxed) || !self.pin.is_high()? {
            self.looks = 0;
            return Ok(false);
        }
        self.looks += 1;
        if self.looks > LOOKS {
            self.stuck.store(true, Ordering::Relaxed);
        }
        Ok(self.looks <= LOOKS)
    }

    fn is_low(&mut self) -> Result<bool, Self::Error> {
        self.is_high().map(|high| !high)
    }
}

fn unless_stuck(stuck: &AtomicBool) -> io::Result<()> {
    match stuck.load(Ordering::Relaxed) {
        true => Err(io::Error::other(
            "the e-paper stays busy; is it plugged in?",
        )),
        false => Ok(()),
    }
}

/// The third version of the 2.13" panel, with quick refreshes.
pub struct V3<SPI, BUSY, PIN, DELAY> {
    spi: SPI,
    delay: DELAY,
    panel: Epd2in13<SPI, Busy<BUSY>, PIN, PIN, DELAY>,
    stuck: Arc<AtomicBool>,
}

impl<SPI, BUSY, PIN, DELAY> V3<SPI, BUSY, PIN, DELAY>
where
    SPI: SpiDevice,
    BUSY: InputPin,
    PIN: OutputPin,
    DELAY: DelayNs,
{
    /// Wakes it up.
    ///
    /// # Errors
    /// When the bus does not take it, or the controller stays busy.
    pub fn start(
        mut spi: SPI,
        busy: BUSY,
        dc: PIN,
        reset: PIN,
        mut delay: DELAY,
    ) -> io::Result<Self> {
        let (busy, stuck) = Busy::new(busy);
        let panel = Epd2in13::new(&mut spi, busy, dc, reset, &mut delay, Some(ASKED))
            .map_err(|error| failed("waking the e-paper")(&error))?;
        unless_stuck(&stuck)?;
        Ok(Self {
            spi,
            delay,
            panel,
            stuck,
        })
    }

    fn refresh(&mut self, dots: &[u8], how: RefreshLut) -> io::Result<()> {
        self.panel
            .set_refresh(&mut self.spi, &mut self.delay, how)
            .and_then(|()| {
                self.panel
                    .update_and_display_frame(&mut self.spi, dots, &mut self.delay)
            })
            .map_err(|error| failed("the SPI bus")(&error))?;
        unless_stuck(&self.stuck)
    }
}

impl<SPI, BUSY, PIN, DELAY> Paper for V3<SPI, BUSY, PIN, DELAY>
where
    SPI: SpiDevice + Send,
    BUSY: InputPin + Send,
    PIN: OutputPin + Send,
    DELAY: DelayNs + Send,
{
    fn full(&mut self, dots: &[u8]) -> io::Result<()> {
        self.refresh(dots, RefreshLut::Full)
    }

    fn quick(&mut self, dots: &[u8]) -> Option<io::Result<()>> {
        Some(self.refresh(dots, RefreshLut::Quick))
    }

    fn sleep(&mut self) -> io::Result<()> {
        self.panel
            .sleep(&mut self.spi, &mut self.delay)
            .map_err(|error| failed("the SPI bus")(&error))?;
        unless_stuck(&self.stuck)
    }
}

/// A panel of the SSD1680 family that is driven with the waveforms in its own memory: they fit
/// every version, and know full refreshes only.
pub struct Plain<SPI, BUSY, PIN, DELAY> {
    wire: SpiWire<SPI, PIN>,
    busy: Busy<BUSY>,
    stuck: Arc<AtomicBool>,
    delay: DELAY,
}

/// Commands of the SSD1680's data sheet, section 7.
mod command {
    pub const DRIVER_OUTPUT: u8 = 0x01;
    pub const DEEP_SLEEP: u8 = 0x10;
    pub const DATA_ENTRY: u8 = 0x11;
    pub const RESET: u8 = 0x12;
    pub const SENSOR: u8 = 0x18;
    pub const ACTIVATE: u8 = 0x20;
    pub const UPDATE: u8 = 0x22;
    pub const DOTS: u8 = 0x24;
    pub const BORDER: u8 = 0x3C;
    pub const COLUMNS: u8 = 0x44;
    pub const ROWS: u8 = 0x45;
    pub const COLUMN: u8 = 0x4E;
    pub const ROW: u8 = 0x4F;
}

impl<SPI, BUSY, PIN, DELAY> Plain<SPI, BUSY, PIN, DELAY>
where
    SPI: SpiDevice,
    BUSY: InputPin,
    PIN: OutputPin,
    DELAY: DelayNs,
{
    /// Wakes it up.
    ///
    /// # Errors
    /// When the bus does not take it, or the controller stays busy.
    pub fn start(
        spi: SPI,
        busy: BUSY,
        dc: PIN,
        mut reset: PIN,
        mut delay: DELAY,
    ) -> io::Result<Self> {
        for high in [true, false, true] {
            reset
                .set_state(high.into())
                .map_err(|error| failed("the reset pin")(&error))?;
            delay.delay_ms(20);
        }
        let (busy, stuck) = Busy::new(busy);
        let mut paper = Self {
            wire: SpiWire::new(spi, dc),
            busy,
            stuck,
            delay,
        };
        paper.wait()?;
        paper.send(command::RESET, &[])?;
        paper.wait()?;
        let [last, more] = [(HEIGHT - 1) as u8, 0];
        paper.send(command::DRIVER_OUTPUT, &[last, more, 0])?;
        // Left to right, then down.
        paper.send(command::DATA_ENTRY, &[0x03])?;
        paper.send(command::COLUMNS, &[0, (ROW - 1) as u8])?;
        paper.send(command::ROWS, &[0, 0, last, more])?;
        // The border follows the white of the waveform.
        paper.send(command::BORDER, &[0x05])?;
        // The waveform is chosen by the temperature that the controller itself measures.
        paper.send(command::SENSOR, &[0x80])?;
        paper.wait()?;
        Ok(paper)
    }

    fn send(&mut self, command: u8, data: &[u8]) -> io::Result<()> {
        self.wire.command(&[command])?;
        match data {
            [] => Ok(()),
            data => self.wire.data(data),
        }
    }

    fn wait(&mut self) -> io::Result<()> {
        while self
            .busy
            .is_high()
            .map_err(|error| failed("the busy pin")(&error))?
        {
            self.delay.delay_us(ASKED);
        }
        unless_stuck(&self.stuck)
    }
}

impl<SPI, BUSY, PIN, DELAY> Paper for Plain<SPI, BUSY, PIN, DELAY>
where
    SPI: SpiDevice + Send,
    BUSY: InputPin + Send,
    PIN: OutputPin + Send,
    DELAY: DelayNs + Send,
{
    fn full(&mut self, dots: &[u8]) -> io::Result<()> {
        self.send(command::COLUMN, &[0])?;
        self.send(command::ROW, &[0, 0])?;
        self.send(command::DOTS, dots)?;
        // Load the temperature and its waveform, show, and switch everything off.
        self.send(command::UPDATE, &[0xF7])?;
        self.send(command::ACTIVATE, &[])?;
        self.wait()
    }

    fn quick(&mut self, _: &[u8]) -> Option<io::Result<()>> {
        None
    }

    fn sleep(&mut self) -> io::Result<()> {
        self.send(command::DEEP_SLEEP, &[0x01])
    }
}

/// When which refresh is due.
pub struct EPaper<P> {
    paper: P,
    turns: u8,
    size: Size,
    shown: Option<Shown>,
}

struct Shown {
    dots: Vec<u8>,
    code: bool,
    quick: u32,
}

impl<P: Paper> EPaper<P> {
    /// A panel in the orientation of its profile.
    pub fn new(paper: P, turns: u8) -> Self {
        let size = match turns % 2 {
            1 => Size::new(HEIGHT, WIDTH),
            _ => Size::new(WIDTH, HEIGHT),
        };
        Self {
            paper,
            turns,
            size,
            shown: None,
        }
    }

    /// A bit for a dot, white is 1, in the controller's own orientation.
    fn dots(&self, frame: &Frame) -> Vec<u8> {
        let mut dots = vec![0xFF; ROW * HEIGHT as usize];
        for row in 0..HEIGHT {
            for column in 0..WIDTH {
                let (x, y) = match self.turns {
                    1 => (row, WIDTH - 1 - column),
                    2 => (WIDTH - 1 - column, HEIGHT - 1 - row),
                    3 => (HEIGHT - 1 - row, column),
                    _ => (column, row),
                };
                if frame.grey(x, y) <= 127
                    && let Some(byte) = dots.get_mut(row as usize * ROW + column as usize / 8)
                {
                    *byte &= !(0x80 >> (column % 8));
                }
            }
        }
        dots
    }
}

impl<P: Paper> Display for EPaper<P> {
    fn size(&self) -> Size {
        self.size
    }

    fn present(&mut self, frame: &Frame) -> io::Result<()> {
        if frame.size() != self.size {
            return Err(io::Error::other("a picture of another size"));
        }
        let dots = self.dots(frame);
        let code = frame.secret;
        let before = self.shown.take();
        if let Some(before) = &before
            && before.dots == dots
        {
            let (code, quick) = (before.code, before.quick);
            self.shown = Some(Shown { dots, code, quick });
            return Ok(());
        }
        let quick = match before {
            Some(before) if !code && !before.code && before.quick < QUICK => {
                match self.paper.quick(&dots) {
                    Some(done) => {
                        done?;
                        before.quick + 1
                    }
                    None => self.paper.full(&dots).map(|()| 0)?,
                }
            }
            _ => self.paper.full(&dots).map(|()| 0)?,
        };
        self.shown = Some(Shown { dots, code, quick });
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        self.shown = None;
        let white = Frame::new(self.size, Rgb888::WHITE);
        let dots = self.dots(&white);
        self.paper.full(&dots)?;
        self.paper.sleep()
    }
}
