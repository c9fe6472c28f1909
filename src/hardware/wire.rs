//! Bytes on a bus: commands and data told apart as each controller wants it, in transfers the
//! kernel takes. Everything here blocks, and belongs on the display's thread.

use std::io;

use display_interface::{
    AsyncWriteOnlyDataCommand, DataFormat, DisplayError, WriteOnlyDataCommand,
};
use embedded_hal::digital::OutputPin;
use embedded_hal::i2c::I2c;
use embedded_hal::spi::SpiDevice;
use mipidsi::interface::{Interface, InterfaceKind};

/// The kernel refuses longer SPI transfers unless it is started with another `spidev.bufsiz`.
const TRANSFER: usize = 4096;
/// Data in one I2C message; many adapters take no longer ones.
const MESSAGE: usize = 32;
/// The first byte of an I2C message to an OLED: commands follow.
const COMMANDS: u8 = 0x00;
/// The first byte of an I2C message to an OLED: data follow.
const DATA: u8 = 0x40;

/// A way to a controller.
pub trait Wire {
    /// Sends a command with its arguments, all told as commands.
    ///
    /// # Errors
    /// When the bus does not take it.
    fn command(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Sends data.
    ///
    /// # Errors
    /// When the bus does not take it.
    fn data(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// What a bus or a pin has to say, for a log.
pub fn failed(what: &str) -> impl FnOnce(&dyn std::fmt::Debug) -> io::Error + '_ {
    move |error| io::Error::other(format!("{what}: {error:?}"))
}

/// SPI with a pin that tells commands and data apart.
pub struct SpiWire<SPI, DC> {
    spi: SPI,
    dc: DC,
    buffer: Vec<u8>,
}

impl<SPI: SpiDevice, DC: OutputPin> SpiWire<SPI, DC> {
    /// Puts the two together.
    pub fn new(spi: SPI, dc: DC) -> Self {
        Self {
            spi,
            dc,
            buffer: Vec::with_capacity(TRANSFER),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        for part in bytes.chunks(TRANSFER) {
            self.spi
                .write(part)
                .map_err(|error| failed("the SPI bus")(&error))?;
        }
        Ok(())
    }

    fn tell(&mut self, data: bool) -> io::Result<()> {
        self.dc
            .set_state(data.into())
            .map_err(|error| failed("the DC pin")(&error))
    }

    fn stream(&mut self, bytes: impl Iterator<Item = u8>) -> io::Result<()> {
        self.tell(true)?;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let mut sent = Ok(());
        for byte in bytes {
            buffer.push(byte);
            if buffer.len() == TRANSFER {
                sent = self.write(&buffer);
                buffer.clear();
                if sent.is_err() {
                    break;
                }
            }
        }
        if sent.is_ok() && !buffer.is_empty() {
            sent = self.write(&buffer);
        }
        self.buffer = buffer;
        sent
    }
}

impl<SPI: SpiDevice, DC: OutputPin> Wire for SpiWire<SPI, DC> {
    fn command(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tell(false)?;
        self.write(bytes)
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tell(true)?;
        self.write(bytes)
    }
}

impl<SPI: SpiDevice, DC: OutputPin> Interface for SpiWire<SPI, DC> {
    type Word = u8;
    type Error = io::Error;
    const KIND: InterfaceKind = InterfaceKind::Serial4Line;

    fn send_command(&mut self, command: u8, args: &[u8]) -> io::Result<()> {
        self.command(&[command])?;
        match args {
            [] => Ok(()),
            args => self.data(args),
        }
    }

    fn send_pixels<const N: usize>(
        &mut self,
        pixels: impl IntoIterator<Item = [u8; N]>,
    ) -> io::Result<()> {
        self.stream(pixels.into_iter().flatten())
    }

    fn send_repeated_pixel<const N: usize>(
        &mut self,
        pixel: [u8; N],
        count: u32,
    ) -> io::Result<()> {
        self.stream((0..count).flat_map(|_| pixel))
    }
}

/// I2C with a first byte that tells commands and data apart.
pub struct I2cWire<I2C> {
    i2c: I2C,
    address: u8,
}

impl<I2C: I2c> I2cWire<I2C> {
    /// To whoever answers at `address`.
    pub fn new(i2c: I2C, address: u8) -> Self {
        Self { i2c, address }
    }

    fn write(&mut self, first: u8, bytes: &[u8]) -> io::Result<()> {
        let mut message = [first; MESSAGE + 1];
        for part in bytes.chunks(MESSAGE) {
            let whole = &mut message[..=part.len()];
            whole[1..].copy_from_slice(part);
            self.i2c
                .write(self.address, whole)
                .map_err(|error| failed("the I2C bus")(&error))?;
        }
        Ok(())
    }
}

impl<I2C: I2c> Wire for I2cWire<I2C> {
    fn command(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(COMMANDS, bytes)
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(DATA, bytes)
    }
}

/// A wire as the drivers of OLEDs want it. Its asynchronous half never waits: it blocks.
pub struct Plug<W>(pub W);

impl<W: Wire> Plug<W> {
    fn send(&mut self, data: bool, bytes: DataFormat<'_>) -> Result<(), DisplayError> {
        let collected: Vec<u8>;
        let bytes = match bytes {
            DataFormat::U8(bytes) => bytes,
            DataFormat::U8Iter(bytes) => {
                collected = bytes.collect();
                &collected
            }
            _ => return Err(DisplayError::DataFormatNotImplemented),
        };
        let sent = match data {
            true => self.0.data(bytes),
            false => self.0.command(bytes),
        };
        sent.map_err(|error| {
            tracing::debug!(%error, "a transfer to the display");
            DisplayError::BusWriteError
        })
    }
}

impl<W: Wire> WriteOnlyDataCommand for Plug<W> {
    fn send_commands(&mut self, commands: DataFormat<'_>) -> Result<(), DisplayError> {
        self.send(false, commands)
    }

    fn send_data(&mut self, data: DataFormat<'_>) -> Result<(), DisplayError> {
        self.send(true, data)
    }
}

impl<W: Wire> AsyncWriteOnlyDataCommand for Plug<W> {
    async fn send_commands(&mut self, commands: DataFormat<'_>) -> Result<(), DisplayError> {
        self.send(false, commands)
    }

    async fn send_data(&mut self, data: DataFormat<'_>) -> Result<(), DisplayError> {
        self.send(true, data)
    }
}
