//! A picture as the characters of a terminal: each shows two pixels, one above the other. A code
//! is never blended: where the whole picture has no room, the code alone is shown, one pixel a
//! module.

use std::io::{self, Write};

use crossterm::cursor::MoveTo;
use crossterm::queue;
use crossterm::style::{Color, Print, SetBackgroundColor, SetForegroundColor};
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};

use crate::hardware::{CodeArea, Frame};

/// The upper half of a character's cell.
const UPPER: &str = "▀";
/// Light modules around a code in a terminal, whose own ground is dark.
const QUIET: u32 = 2;

/// What the terminal shows now: the upper and the lower colour of each cell.
#[derive(Debug, Default)]
pub struct Cells {
    columns: u32,
    shown: Vec<(Rgb888, Rgb888)>,
}

impl Cells {
    /// Writes the cells that have changed.
    pub fn show(&mut self, out: &mut impl Write, view: &Frame, columns: u16) -> io::Result<()> {
        let size = view.size();
        let rows = size.height.div_ceil(2);
        let black = Rgb888::new(0, 0, 0);
        let all: Vec<_> = (0..rows)
            .flat_map(|row| (0..size.width).map(move |column| (column, row)))
            .map(|(column, row)| {
                let pixel = |y| view.pixel(column, y).unwrap_or(black);
                (pixel(row * 2), pixel(row * 2 + 1))
            })
            .collect();
        let same_shape = self.columns == size.width && self.shown.len() == all.len();
        if !same_shape {
            queue!(
                out,
                crossterm::style::ResetColor,
                crossterm::terminal::Clear(crossterm::terminal::ClearType::All)
            )?;
        }
        let left = (u32::from(columns).saturating_sub(size.width)) / 2;
        let mut next = None;
        for (at, cell) in all.iter().enumerate() {
            if same_shape && self.shown.get(at) == Some(cell) {
                continue;
            }
            // Cells that follow one another need no new position, except over a line's end.
            let line_start = at % size.width.max(1) as usize == 0;
            if next != Some(at) || line_start {
                let column = left + at as u32 % size.width;
                let row = at as u32 / size.width;
                queue!(out, MoveTo(clamp(column), clamp(row)))?;
            }
            queue!(
                out,
                SetForegroundColor(colour(cell.0)),
                SetBackgroundColor(colour(cell.1)),
                Print(UPPER)
            )?;
            next = Some(at + 1);
        }
        self.columns = size.width;
        self.shown = all;
        Ok(())
    }
}

/// What fits into `room` pixels, and whether it is the whole picture.
pub fn view(frame: &Frame, room: Size) -> (Frame, bool) {
    let size = frame.size();
    if size.width <= room.width && size.height <= room.height {
        return (frame.clone(), true);
    }
    let view = match frame.code {
        Some(code) => code_alone(frame, code, room),
        None => None,
    };
    (view.unwrap_or_else(|| shrunk(frame, room)), false)
}

/// The code at one pixel a module, if there is room.
fn code_alone(frame: &Frame, code: CodeArea, room: Size) -> Option<Frame> {
    let side = code.modules + 2 * QUIET;
    if side > room.width || side > room.height {
        return None;
    }
    let mut view = Frame::new(Size::new(side, side), Rgb888::new(255, 255, 255));
    for y in 0..code.modules {
        for x in 0..code.modules {
            let (from_x, from_y) = (code.left + x * code.scale, code.top + y * code.scale);
            if let Some(module) = frame.pixel(from_x, from_y) {
                view.set(x + QUIET, y + QUIET, module);
            }
        }
    }
    Some(view)
}

/// The whole picture, each pixel the mean of those it stands for.
fn shrunk(frame: &Frame, room: Size) -> Frame {
    let size = frame.size();
    let (room_w, room_h) = (room.width.max(2), room.height.max(2));
    // The larger of the two ratios, so that both sides fit.
    let wide = size.width * room_h >= size.height * room_w;
    let (over, under) = if wide {
        (size.width, room_w)
    } else {
        (size.height, room_h)
    };
    let scaled = |side: u32| (side * under / over).max(1);
    let (w, h) = (scaled(size.width), scaled(size.height));
    let mut view = Frame::new(Size::new(w, h), Rgb888::new(0, 0, 0));
    for y in 0..h {
        for x in 0..w {
            let columns = x * size.width / w..((x + 1) * size.width).div_ceil(w);
            let lines = y * size.height / h..((y + 1) * size.height).div_ceil(h);
            let mut sum = [0u32; 4];
            for line in lines {
                for pixel in columns
                    .clone()
                    .filter_map(|column| frame.pixel(column, line))
                {
                    sum[0] += u32::from(pixel.r());
                    sum[1] += u32::from(pixel.g());
                    sum[2] += u32::from(pixel.b());
                    sum[3] += 1;
                }
            }
            let mean = |of: u32| u8::try_from(of / sum[3].max(1)).unwrap_or(u8::MAX);
            view.set(x, y, Rgb888::new(mean(sum[0]), mean(sum[1]), mean(sum[2])));
        }
    }
    view
}

fn colour(of: Rgb888) -> Color {
    Color::Rgb {
        r: of.r(),
        g: of.g(),
        b: of.b(),
    }
}

fn clamp(position: u32) -> u16 {
    u16::try_from(position).unwrap_or(u16::MAX)
}
