//! A bus that is not there: it takes what the real drivers send, decodes it as the controller
//! would, counts it, and fails when it is told to.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use embedded_graphics::geometry::Size;
use embedded_graphics::pixelcolor::raw::RawU16;
use embedded_graphics::pixelcolor::{Rgb565, Rgb888, RgbColor};
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{self, InputPin, OutputPin};
use embedded_hal::i2c::{self, I2c};
use embedded_hal::spi::{self, SpiDevice};

use super::glass::{Controller, Glass};
use crate::hardware::profile::{Bus, DisplayProfile};
use crate::hardware::wired::{Parts, on_i2c, on_spi};
use crate::hardware::{Display, Frame};

/// The longest transfer that spidev takes unless it is told otherwise.
const SPIDEV: usize = 4096;

/// The far end of the wires, and what has come over them.
#[derive(Default)]
pub struct State {
    /// Bytes since the last time somebody asked.
    pub bytes: usize,
    /// Cycles of the bus's clock since the last time somebody asked.
    pub cycles: usize,
    /// Transfers since the last time somebody asked.
    pub transfers: usize,
    /// Times somebody tried to send.
    pub tries: usize,
    /// The cable is out.
    pub out: bool,
    /// The busy line never falls.
    pub busy: bool,
    /// The backlight is on.
    pub light: bool,
    data: bool,
    /// What decodes.
    pub glass: Glass,
}

/// A handle on the far end.
#[derive(Clone)]
pub struct Fake(Arc<Mutex<State>>);

/// The cable is out.
#[derive(Debug)]
pub struct CableOut;

impl spi::Error for CableOut {
    fn kind(&self) -> spi::ErrorKind {
        spi::ErrorKind::Other
    }
}

impl i2c::Error for CableOut {
    fn kind(&self) -> i2c::ErrorKind {
        i2c::ErrorKind::NoAcknowledge(i2c::NoAcknowledgeSource::Address)
    }
}

impl Fake {
    pub fn new(controller: Controller) -> Self {
        let glass = Glass::new(controller);
        Self(Arc::new(Mutex::new(State {
            glass,
            ..State::default()
        })))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Bytes since the last time.
    pub fn count(&self) -> usize {
        std::mem::take(&mut self.state().bytes)
    }

    /// Cycles of the bus's clock, and transfers, since the last time.
    pub fn clocked(&self) -> (usize, usize) {
        let mut state = self.state();
        (
            std::mem::take(&mut state.cycles),
            std::mem::take(&mut state.transfers),
        )
    }

    /// The real driver of a profile, on this bus.
    pub fn open(&self, profile: &DisplayProfile) -> std::io::Result<Box<dyn Display>> {
        match profile.bus {
            Bus::I2c { address, .. } => on_i2c(profile, self.clone(), address),
            _ => {
                let pin = |line: Option<u32>, role| line.map(|_| Pin(self.clone(), role));
                let parts = Parts {
                    spi: self.clone(),
                    dc: Pin(self.clone(), Role::Data),
                    reset: pin(profile.pins.reset, Role::Reset),
                    light: pin(profile.pins.backlight, Role::Light),
                    busy: pin(profile.pins.busy, Role::Busy),
                    delay: NoDelay,
                };
                on_spi(profile, parts)
            }
        }
    }

    /// What a person sees.
    pub fn picture(&self, size: Size) -> Frame {
        let state = self.state();
        let mut frame = Frame::new(size, Rgb888::new(255, 0, 255));
        for y in 0..size.height {
            for x in 0..size.width {
                let seen = Rgb565::from(RawU16::new(state.glass.seen(x, y)));
                frame.set(x, y, Rgb888::from(seen));
            }
        }
        frame
    }

    fn take(&self, bytes: &[u8], data: bool) -> Result<(), CableOut> {
        let mut state = self.state();
        state.tries += 1;
        if state.out {
            return Err(CableOut);
        }
        state.bytes += bytes.len();
        for byte in bytes {
            state.glass.take(*byte, data);
        }
        Ok(())
    }
}

impl spi::ErrorType for Fake {
    type Error = CableOut;
}

impl SpiDevice for Fake {
    fn transaction(&mut self, operations: &mut [spi::Operation<'_, u8>]) -> Result<(), CableOut> {
        for operation in operations {
            let spi::Operation::Write(bytes) = operation else {
                panic!("these displays are only written to");
            };
            assert!(bytes.len() <= SPIDEV, "spidev refuses {}", bytes.len());
            let data = self.state().data;
            self.take(bytes, data)?;
            let mut state = self.state();
            state.cycles += bytes.len() * 8;
            state.transfers += 1;
        }
        Ok(())
    }
}

impl i2c::ErrorType for Fake {
    type Error = CableOut;
}

impl I2c for Fake {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [i2c::Operation<'_>],
    ) -> Result<(), CableOut> {
        assert_eq!(address, 0x3C);
        for operation in operations {
            let i2c::Operation::Write([first, bytes @ ..]) = operation else {
                panic!("these displays are only written to");
            };
            assert!(matches!(first, 0x00 | 0x40));
            self.take(bytes, *first == 0x40)?;
            let mut state = self.state();
            state.bytes += 1;
            // The address and what tells commands from data; nine cycles a byte, the ninth to
            // acknowledge it; a start and a stop.
            state.cycles += (bytes.len() + 2) * 9 + 2;
            state.transfers += 1;
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Data,
    Reset,
    Light,
    Busy,
}

/// A pin of the far end.
struct Pin(Fake, Role);

impl digital::ErrorType for Pin {
    type Error = Infallible;
}

impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        match self.1 {
            Role::Data => self.0.state().data = false,
            Role::Reset => self.0.state().glass.reset(),
            Role::Light => self.0.state().light = false,
            Role::Busy => panic!("the display drives this one"),
        }
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        match self.1 {
            Role::Data => self.0.state().data = true,
            Role::Light => self.0.state().light = true,
            Role::Reset => {}
            Role::Busy => panic!("the display drives this one"),
        }
        Ok(())
    }
}

impl InputPin for Pin {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok(self.0.state().busy)
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        self.is_high().map(|high| !high)
    }
}

/// Nobody waits for a display that is not there.
struct NoDelay;

impl DelayNs for NoDelay {
    fn delay_ns(&mut self, _: u32) {}
}

/// A colour as a controller of 16 bits shows it.
pub fn rounded(colour: Rgb888) -> Rgb888 {
    Rgb888::from(Rgb565::from(colour))
}

/// Black or white, as a display of one bit shows it.
pub fn one_bit(grey: u8) -> Rgb888 {
    match grey > 127 {
        true => Rgb888::WHITE,
        false => Rgb888::BLACK,
    }
}
