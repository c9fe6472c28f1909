//! A board on paper: which display, which button, on which pins, and what a person must wire and
//! set for it. It reads `board/NAME.toml`; it never touches hardware.

use std::path::PathBuf;

use embedded_graphics::geometry::Size;
use toml::de::DeTable;

use super::{Depth, Glass};
use crate::toml_reader::{self, Fault, Faults, Section};

/// The labels of the chips that carry the pins of a Raspberry Pi's header: up to the 3 and the
/// Zero 2 W, the 4, the 5. Numbers and names of chips change with the kernel; labels do not.
const HEADER: [&str; 3] = ["pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1"];
/// A module narrower than this, in micrometres, is unreliable in front of a phone's camera.
const MODULE: u32 = 250;
/// What is drawn for a framebuffer that has not been seen yet.
const FRAMEBUFFER: Size = Size::new(480, 320);

/// A board, as its file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What it is sold as.
    pub title: String,
    /// How it is wired, in words.
    pub wiring: String,
    /// The lines it needs in `config.txt`.
    pub config_txt: Vec<String>,
    /// What no bench has confirmed yet.
    pub unverified: Vec<String>,
    /// Its display.
    pub display: DisplayProfile,
    /// Its button; only boards without a real one have none.
    pub button: Option<ButtonProfile>,
}

/// A display, as its file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayProfile {
    /// What drives it.
    pub driver: Driver,
    /// Where it is attached.
    pub bus: Bus,
    /// Pixels, as a person sees them.
    pub size: Size,
    /// Clockwise, in quarter turns.
    pub turns: u8,
    /// Where the glass begins in the controller's memory, before it is turned.
    pub offset: (u16, u16),
    /// Whether the controller must show its colours inverted.
    pub inverted: bool,
    /// Whether blue comes first.
    pub bgr: bool,
    /// From pixel to pixel, in micrometres; `None` where the glass is not known.
    pub pitch: Option<u32>,
    /// Pins; all on the chip with one of `chips` as its label.
    pub pins: Pins,
    /// Labels of chips, any of which will do.
    pub chips: Vec<String>,
}

/// Offsets of lines on the chip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    /// Tells commands and data apart.
    pub dc: Option<u32>,
    /// Active low.
    pub reset: Option<u32>,
    /// High while an e-paper works.
    pub busy: Option<u32>,
    /// High for light.
    pub backlight: Option<u32>,
}

/// What drives a display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// Colour, SPI.
    St7789,
    /// Colour, SPI.
    St7735s,
    /// 128x64, I2C or SPI.
    Ssd1306,
    /// 128x64, I2C or SPI.
    Sh1106,
    /// E-paper of 122x250, SPI, third version.
    Epd2in13V3,
    /// E-paper of 122x250, SPI, with the waveforms that the panel itself carries.
    Epd2in13,
    /// Whatever the kernel drives.
    Framebuffer,
    /// The terminal.
    Desk,
    /// Nothing.
    Headless,
}

/// Where a display is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bus {
    /// `/dev/spidevBUS.SELECT`.
    Spi {
        /// Of the controller.
        bus: u8,
        /// Of the device on it.
        select: u8,
        /// Cycles a second.
        hz: u32,
    },
    /// `/dev/i2c-BUS`.
    I2c {
        /// Of the controller.
        bus: u8,
        /// Seven bits.
        address: u8,
    },
    /// A framebuffer's device.
    File(PathBuf),
    /// None.
    None,
}

/// A button, as its file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ButtonProfile {
    /// Labels of chips, any of which will do.
    pub chips: Vec<String>,
    /// The button's line.
    pub line: u32,
    /// Turns to the next page.
    pub next: Option<u32>,
    /// Turns a page back.
    pub back: Option<u32>,
    /// Pressed reads as low.
    pub active_low: bool,
    /// What holds the line while nobody presses.
    pub pull: Pull,
}

/// What holds a line while nobody presses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    /// Towards the supply.
    Up,
    /// Towards ground.
    Down,
    /// A resistor on the board.
    Off,
}

impl Profile {
    /// Reads a file's text.
    ///
    /// # Errors
    /// With every fault it has, in the order of their lines.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        toml_reader::parse(text, build)
    }

    /// What whoever draws must know of its display.
    pub fn glass(&self) -> Glass {
        let display = &self.display;
        let paper = matches!(display.driver, Driver::Epd2in13 | Driver::Epd2in13V3);
        let oled = matches!(display.driver, Driver::Ssd1306 | Driver::Sh1106);
        let mono = paper || oled;
        let glass = Glass::colour(display.size);
        Glass {
            depth: if mono { Depth::Mono } else { Depth::Colour },
            least_module: display
                .pitch
                .map_or(glass.least_module, |pitch| MODULE.div_ceil(pitch)),
            countdown: !paper,
            wears: oled,
            ..glass
        }
    }
}

impl Bus {
    /// The device node, if there is one.
    pub fn node(&self) -> Option<PathBuf> {
        match self {
            Bus::Spi { bus, select, .. } => Some(format!("/dev/spidev{bus}.{select}").into()),
            Bus::I2c { bus, .. } => Some(format!("/dev/i2c-{bus}").into()),
            Bus::File(path) => Some(path.clone()),
            Bus::None => None,
        }
    }
}

fn build(table: &DeTable, faults: &mut Faults) -> Profile {
    let mut top = Section::new("", Some(table));
    let title = top.text("title", faults).unwrap_or_default();
    if title.is_empty() {
        faults.note(0, "`title` is missing", "write what the board is sold as");
    }
    let mut profile = Profile {
        title,
        wiring: top.text("wiring", faults).unwrap_or_default(),
        config_txt: top.texts("config_txt", faults).unwrap_or_default(),
        unverified: top.texts("unverified", faults).unwrap_or_default(),
        display: DisplayProfile {
            driver: Driver::Headless,
            bus: Bus::None,
            size: FRAMEBUFFER,
            turns: 0,
            offset: (0, 0),
            inverted: false,
            bgr: false,
            pitch: None,
            pins: Pins::default(),
            chips: Vec::new(),
        },
        button: None,
    };
    let display_at = top.offset("display");
    match top.table("display", faults) {
        Some(table) => display(table, display_at, &mut profile.display, faults),
        None => faults.note(0, "[display] is missing", "begin with its `driver`"),
    }
    let button_at = top.offset("button");
    profile.button = top
        .table("button", faults)
        .and_then(|table| button(table, button_at, faults));
    top.finish(faults);
    profile
}

fn display(table: &DeTable, at: usize, into: &mut DisplayProfile, faults: &mut Faults) {
    let mut section = Section::new("display", Some(table));
    let driver = section.choice(
        "driver",
        &[
            ("st7789", Driver::St7789),
            ("st7735s", Driver::St7735s),
            ("ssd1306", Driver::Ssd1306),
            ("sh1106", Driver::Sh1106),
            ("epd2in13-v3", Driver::Epd2in13V3),
            ("epd2in13", Driver::Epd2in13),
            ("framebuffer", Driver::Framebuffer),
            ("desk", Driver::Desk),
            ("headless", Driver::Headless),
        ],
        faults,
    );
    if driver.is_none() && section.offset("driver") == 0 {
        faults.note(at, "`driver` is missing", "name the display's controller");
    }
    let wired = !matches!(
        driver,
        Some(Driver::Framebuffer | Driver::Desk | Driver::Headless) | None
    );
    into.driver = driver.unwrap_or(Driver::Headless);
    let bus_at = section.offset("bus");
    let bus = section.text("bus", faults);
    let hz = section.number("hz", 10_000..=125_000_000, faults);
    let address = section.number("address", 0x08..=0x77, faults);
    let known = bus.is_some();
    into.bus = match bus.map(|bus| read_bus(&bus, hz, address)) {
        Some(Some(bus)) => bus,
        Some(None) => {
            faults.note(
                bus_at,
                "`bus` is no bus",
                "write \"spi0.0\", \"i2c-1\" or \"/dev/fb0\"",
            );
            Bus::None
        }
        None => Bus::None,
    };
    let fits = match (into.driver, &into.bus) {
        (Driver::Framebuffer, Bus::File(_)) | (Driver::Desk | Driver::Headless, Bus::None) => true,
        (Driver::Ssd1306 | Driver::Sh1106, Bus::I2c { .. }) => true,
        (_, Bus::Spi { hz, .. }) if wired => {
            if *hz == 0 {
                faults.note(
                    at,
                    "`hz` is missing",
                    "write the bus's clock, such as 8_000_000",
                );
            }
            true
        }
        _ => false,
    };
    if driver.is_some() && !fits && (known || into.driver != Driver::Headless) {
        faults.note(
            bus_at,
            "`bus` does not fit the driver",
            "OLEDs take SPI or I2C, a framebuffer its device, the others SPI",
        );
    }
    let width = section.number("width", 64..=4096, faults);
    let height = section.number("height", 64..=4096, faults);
    match (width, height) {
        (Some(w), Some(h)) => into.size = Size::new(narrow(w), narrow(h)),
        (None, None) if !wired => {}
        _ => faults.note(
            at,
            "`width` or `height` is missing",
            "write both, in pixels",
        ),
    }
    into.turns = section
        .number("turns", 0..=3, faults)
        .map_or(0, |turns| u8::try_from(turns).unwrap_or(0));
    let mut start = |key| {
        section
            .number(key, 0..=320, faults)
            .map_or(0, |pixels| u16::try_from(pixels).unwrap_or(0))
    };
    into.offset = (start("offset_x"), start("offset_y"));
    into.inverted = section.flag("inverted", faults).unwrap_or(false);
    into.bgr = section.flag("bgr", faults).unwrap_or(false);
    into.pitch = section.number("pitch_um", 20..=2000, faults).map(narrow);
    into.pins = Pins {
        dc: line(&mut section, "dc", faults),
        reset: line(&mut section, "reset", faults),
        busy: line(&mut section, "busy", faults),
        backlight: line(&mut section, "backlight", faults),
    };
    into.chips = chips(&mut section, faults);
    let paper = matches!(into.driver, Driver::Epd2in13 | Driver::Epd2in13V3);
    let spi = matches!(into.bus, Bus::Spi { .. });
    let needed = [
        (spi && into.pins.dc.is_none(), "dc"),
        (paper && into.pins.busy.is_none(), "busy"),
        (paper && into.pins.reset.is_none(), "reset"),
    ];
    for (_, pin) in needed.iter().filter(|(missing, _)| *missing) {
        faults.note(at, format!("`{pin}` is missing"), "write the line's number");
    }
    section.finish(faults);
}

fn read_bus(text: &str, hz: Option<u64>, address: Option<u64>) -> Option<Bus> {
    if text.starts_with("/dev/") {
        return Some(Bus::File(text.into()));
    }
    if let Some(bus) = text.strip_prefix("i2c-") {
        return Some(Bus::I2c {
            bus: bus.parse().ok()?,
            address: u8::try_from(address.unwrap_or(0x3C)).ok()?,
        });
    }
    let (bus, select) = text.strip_prefix("spi")?.split_once('.')?;
    Some(Bus::Spi {
        bus: bus.parse().ok()?,
        select: select.parse().ok()?,
        hz: hz.map_or(0, narrow),
    })
}

fn button(table: &DeTable, at: usize, faults: &mut Faults) -> Option<ButtonProfile> {
    let mut section = Section::new("button", Some(table));
    let line_of = line(&mut section, "line", faults);
    if line_of.is_none() && section.offset("line") == 0 {
        faults.note(
            at,
            "`line` is missing",
            "write the number of the button's line",
        );
    }
    let button = ButtonProfile {
        chips: chips(&mut section, faults),
        line: line_of.unwrap_or(0),
        next: line(&mut section, "next", faults),
        back: line(&mut section, "back", faults),
        active_low: section
            .choice("active", &[("low", true), ("high", false)], faults)
            .unwrap_or(true),
        pull: section
            .choice(
                "pull",
                &[("up", Pull::Up), ("down", Pull::Down), ("off", Pull::Off)],
                faults,
            )
            .unwrap_or(Pull::Up),
    };
    section.finish(faults);
    line_of.map(|_| button)
}

fn chips(section: &mut Section, faults: &mut Faults) -> Vec<String> {
    section
        .texts("chip", faults)
        .unwrap_or_else(|| HEADER.map(str::to_owned).to_vec())
}

/// The number of a line. A chip of the kernel's has at most a few hundred.
fn line(section: &mut Section, key: &'static str, faults: &mut Faults) -> Option<u32> {
    section.number(key, 0..=1023, faults).map(narrow)
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
