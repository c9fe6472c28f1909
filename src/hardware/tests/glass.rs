//! What controllers make of the bytes they are sent, by their data sheets: commands in, dots out.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use embedded_graphics::geometry::Size;

/// Which data sheet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Controller {
    /// ST7789 and ST7735S; memory of this size, glass of that, which begins at an offset.
    #[default]
    Mipi,
    /// SSD1306 in horizontal addressing mode.
    Ssd1306,
    /// SH1106: pages, and 132 columns.
    Sh1106,
    /// SSD1680 and its kin.
    Paper {
        /// Quarter turns of the glass in its board.
        turns: u8,
    },
}

const WIDE: usize = 512;
const WHITE: u16 = 0xFFFF;

/// A controller with its memory.
#[derive(Default)]
pub struct Glass {
    controller: Controller,
    command: u8,
    args: Vec<u8>,
    memory: Vec<u16>,
    window: [usize; 4],
    cursor: (usize, usize),
    half: Option<u8>,
    /// The addresses that pixels were written to: left, top, right, bottom.
    pub touched: Option<[usize; 4]>,
    /// Colours are shown inverted.
    pub inverted: bool,
    /// The latest contrast.
    pub contrast: u8,
    /// The display is on.
    pub on: bool,
    /// What e-paper shows, and by which kind of refresh it came: the argument of 0x22.
    paper: Vec<u16>,
    /// Every refresh of e-paper.
    pub refreshes: Vec<u8>,
    update: u8,
}

impl Glass {
    pub fn new(controller: Controller) -> Self {
        // Noise: what a controller's memory holds when it gets power.
        let memory: Vec<u16> = (0..WIDE * WIDE)
            .map(|at| (at * 7919 % 65_521) as u16)
            .collect();
        Self {
            controller,
            paper: memory.clone(),
            memory,
            ..Self::default()
        }
    }

    pub fn reset(&mut self) {
        self.on = false;
        self.command = 0;
        self.args.clear();
    }

    /// The dot at a place of the glass, as a person sees it.
    pub fn seen(&self, x: u32, y: u32) -> u16 {
        let (x, y) = (x as usize, y as usize);
        match self.controller {
            Controller::Mipi => {
                let [left, top, ..] = self.touched.expect("nothing was sent");
                self.memory[(top + y) * WIDE + left + x]
            }
            Controller::Ssd1306 => self.memory[y * WIDE + x],
            Controller::Sh1106 => self.memory[y * WIDE + x + 2],
            Controller::Paper { turns } => {
                let (column, row) = match turns {
                    1 => (121 - y, x),
                    2 => (121 - x, 249 - y),
                    3 => (y, 249 - x),
                    _ => (x, y),
                };
                self.paper[row * WIDE + column]
            }
        }
    }

    /// How large the addresses that were written to are together.
    pub fn size(&self) -> Size {
        let [left, top, right, bottom] = self.touched.expect("nothing was sent");
        Size::new((right - left + 1) as u32, (bottom - top + 1) as u32)
    }

    pub fn take(&mut self, byte: u8, data: bool) {
        match self.controller {
            Controller::Mipi => self.mipi(byte, data),
            Controller::Ssd1306 | Controller::Sh1106 => self.oled(byte, data),
            Controller::Paper { .. } => self.paper(byte, data),
        }
    }

    fn set(&mut self, x: usize, y: usize, value: u16) {
        self.memory[y * WIDE + x] = value;
        let [l, t, r, b] = self.touched.unwrap_or([x, y, x, y]);
        self.touched = Some([l.min(x), t.min(y), r.max(x), b.max(y)]);
    }

    fn mipi(&mut self, byte: u8, data: bool) {
        if !data {
            self.command = byte;
            self.args.clear();
            match byte {
                0x20 => self.inverted = false,
                0x21 => self.inverted = true,
                0x28 => self.on = false,
                0x29 => self.on = true,
                0x2C => {
                    self.cursor = (self.window[0], self.window[1]);
                    self.half = None;
                }
                _ => {}
            }
            return;
        }
        self.args.push(byte);
        match (self.command, self.args.as_slice()) {
            (0x2A, &[a, b, c, d]) => {
                self.window[0] = usize::from(u16::from_be_bytes([a, b]));
                self.window[2] = usize::from(u16::from_be_bytes([c, d]));
            }
            (0x2B, &[a, b, c, d]) => {
                self.window[1] = usize::from(u16::from_be_bytes([a, b]));
                self.window[3] = usize::from(u16::from_be_bytes([c, d]));
            }
            (0x3A, &[depth]) => assert_eq!(depth & 7, 5, "16 bits a pixel"),
            (0x2C, _) => {
                self.args.clear();
                let Some(high) = self.half.take() else {
                    self.half = Some(byte);
                    return;
                };
                let (x, y) = self.cursor;
                self.set(x, y, u16::from_be_bytes([high, byte]));
                let [left, top, right, bottom] = self.window;
                self.cursor = match (x == right, y == bottom) {
                    (false, _) => (x + 1, y),
                    (true, false) => (left, y + 1),
                    (true, true) => (left, top),
                };
            }
            _ => {}
        }
    }

    fn oled(&mut self, byte: u8, data: bool) {
        if data {
            let (column, page) = self.cursor;
            for bit in 0..8 {
                let lit = if byte >> bit & 1 == 1 { WHITE } else { 0 };
                self.set(column, page * 8 + bit, lit);
            }
            let [left, top, right, bottom] = self.window;
            self.cursor = match self.controller {
                Controller::Sh1106 => (column + 1, page),
                _ if column < right => (column + 1, page),
                _ if page < bottom => (left, page + 1),
                _ => (left, top),
            };
            return;
        }
        self.args.push(byte);
        let pages = self.controller == Controller::Sh1106;
        match *self.args.as_slice() {
            [0x21 | 0x22] | [0x21 | 0x22, _] if !pages => return,
            [0x20 | 0x8D] if !pages => return,
            [0x81 | 0xA8 | 0xD3 | 0xD5 | 0xD9 | 0xDA | 0xDB] => return,
            [0xAD] if pages => return,
            [0x20, mode] if !pages => assert_eq!(mode, 0, "horizontal addressing"),
            [0x21, left, right] => {
                self.window[0] = left.into();
                self.window[2] = right.into();
                self.cursor.0 = left.into();
            }
            [0x22, top, bottom] => {
                self.window[1] = top.into();
                self.window[3] = bottom.into();
                self.cursor.1 = top.into();
            }
            [0x81, contrast] => self.contrast = contrast,
            [low @ 0x00..=0x0F] if pages => {
                self.cursor.0 = self.cursor.0 & 0xF0 | usize::from(low);
            }
            [high @ 0x10..=0x1F] if pages => {
                self.cursor.0 = self.cursor.0 & 0x0F | usize::from(high & 0x0F) << 4;
            }
            [page @ 0xB0..=0xB7] if pages => self.cursor.1 = usize::from(page & 7),
            [on @ 0xAE..=0xAF] => self.on = on == 0xAF,
            _ => {}
        }
        self.args.clear();
    }

    fn paper(&mut self, byte: u8, data: bool) {
        if !data {
            self.command = byte;
            self.args.clear();
            // Bit 2: show what is in the memory.
            if byte == 0x20 && self.update & 0x04 != 0 {
                self.paper = self.memory.clone();
                self.refreshes.push(self.update);
            }
            return;
        }
        self.args.push(byte);
        match (self.command, self.args.as_slice()) {
            (0x22, &[update]) => self.update = update,
            (0x44, &[left, right]) => {
                self.window[0] = left.into();
                self.window[2] = right.into();
            }
            (0x45, &[a, b, c, d]) => {
                self.window[1] = usize::from(u16::from_le_bytes([a, b]));
                self.window[3] = usize::from(u16::from_le_bytes([c, d]));
            }
            (0x4E, &[column]) => self.cursor.0 = column.into(),
            (0x4F, &[a, b]) => self.cursor.1 = usize::from(u16::from_le_bytes([a, b])),
            (0x24, _) => {
                let (column, row) = self.cursor;
                for bit in 0..8 {
                    let white = if byte >> (7 - bit) & 1 == 1 { WHITE } else { 0 };
                    self.set(column * 8 + bit, row, white);
                }
                let [left, top, right, bottom] = self.window;
                self.cursor = match (column == right, row == bottom) {
                    (false, _) => (column + 1, row),
                    (true, false) => (left, row + 1),
                    (true, true) => (left, top),
                };
            }
            _ => {}
        }
    }
}
