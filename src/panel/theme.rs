//! Colours, and the severity they stand for. Each severity also has a shape of its own (see
//! `emblem`), and the colours differ in brightness, so that nobody has to tell red from green.

use embedded_graphics::pixelcolor::Rgb888;

use crate::hardware::Depth;

/// How a screen wants to be taken at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// All is well.
    Good,
    /// Working on it; nothing for people to do.
    Busy,
    /// A person is asked for something.
    Ask,
    /// Something is off; it may mend itself, or a press mends it.
    Warn,
    /// It does not work and will not by itself.
    Bad,
}

/// The colours of one depth.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    /// Behind everything.
    pub ground: Rgb888,
    /// Headings and numbers.
    pub ink: Rgb888,
    /// What is read second.
    pub soft: Rgb888,
    /// Lines that part things.
    pub line: Rgb888,
    depth: Depth,
}

/// The light ground below a code.
pub const PAPER: Rgb888 = Rgb888::new(255, 255, 255);
/// The dark modules of a code, and text beside it.
pub const PRINT: Rgb888 = Rgb888::new(0, 0, 0);
/// Text beside a code that is read second.
pub const SOFT_PRINT: Rgb888 = Rgb888::new(84, 96, 110);
/// A countdown at the edge of a code: so light that a scanner takes it for ground.
pub const PALE_GOOD: Rgb888 = Rgb888::new(118, 222, 178);
/// The same, with ten seconds left.
pub const PALE_WARN: Rgb888 = Rgb888::new(255, 196, 84);

/// A frame around a code while the button is down, as light.
pub const PALE_TOUCH: Rgb888 = Rgb888::new(138, 196, 255);

impl Theme {
    /// The colours for a display.
    pub fn new(depth: Depth) -> Self {
        match depth {
            Depth::Colour => Self {
                ground: Rgb888::new(14, 19, 26),
                ink: Rgb888::new(255, 255, 255),
                soft: Rgb888::new(172, 184, 198),
                line: Rgb888::new(48, 60, 74),
                depth,
            },
            Depth::Mono => Self {
                ground: PRINT,
                ink: PAPER,
                soft: PAPER,
                line: PAPER,
                depth,
            },
        }
    }

    /// A severity's ground, and the ink upon it.
    pub fn band(&self, severity: Severity) -> (Rgb888, Rgb888) {
        match (self.depth, severity) {
            (Depth::Mono, _) => (PAPER, PRINT),
            (Depth::Colour, Severity::Good) => (Rgb888::new(0, 132, 96), PAPER),
            (Depth::Colour, Severity::Busy) => (Rgb888::new(62, 84, 110), PAPER),
            (Depth::Colour, Severity::Ask) => (Rgb888::new(20, 104, 200), PAPER),
            (Depth::Colour, Severity::Warn) => (Rgb888::new(244, 182, 26), Rgb888::new(30, 22, 0)),
            (Depth::Colour, Severity::Bad) => (Rgb888::new(194, 50, 34), PAPER),
        }
    }
}
