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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const WHITE: Rgb888 = Rgb888::new(255, 255, 255);
    const BLACK: Rgb888 = Rgb888::new(0, 0, 0);

    /// A picture of 240 by 240 with a made-up code of 57 modules, every second one dark.
    fn picture() -> Frame {
        let mut frame = Frame::new(Size::new(240, 240), WHITE);
        let code = CodeArea {
            left: 6,
            top: 6,
            modules: 57,
            scale: 4,
        };
        frame.code = Some(code);
        for y in 0..228 {
            for x in 0..228 {
                if (x / 4 + y / 4) % 2 == 0 {
                    frame.set(x + 6, y + 6, BLACK);
                }
            }
        }
        frame
    }

    #[test]
    fn a_picture_that_fits_is_shown_as_it_is() {
        let frame = picture();
        let (view, whole) = view(&frame, Size::new(240, 240));
        assert!(whole);
        assert_eq!(view.rgb(), frame.rgb());
    }

    #[test]
    fn a_code_without_room_is_shown_alone_at_a_pixel_a_module() {
        let (view, whole) = view(&picture(), Size::new(80, 72));
        assert!(!whole);
        assert_eq!(view.size(), Size::new(61, 61));
        for (x, y, dark) in [(1, 1, false), (2, 2, true), (3, 2, false), (58, 58, true)] {
            let expected = if dark { BLACK } else { WHITE };
            assert_eq!(view.pixel(x, y), Some(expected), "{x}, {y}");
        }
    }

    #[test]
    fn anything_else_is_shrunk_into_the_room_there_is() {
        let mut frame = picture();
        frame.code = None;
        for room in [(80, 44), (200, 100), (100, 220), (1, 1)] {
            let (view, whole) = view(&frame, Size::new(room.0, room.1));
            assert!(!whole);
            let size = view.size();
            assert!(
                size.width <= room.0.max(2) && size.height <= room.1.max(2),
                "{size:?}"
            );
        }
        let (view, _) = view(&frame, Size::new(30, 30));
        let mean = view.pixel(15, 15).unwrap().r();
        assert!((100..=155).contains(&mean), "{mean}");
    }

    #[test]
    fn only_cells_that_changed_are_written() {
        let mut cells = Cells::default();
        let mut frame = Frame::new(Size::new(40, 20), WHITE);
        let mut first = Vec::new();
        cells.show(&mut first, &frame, 80).unwrap();
        let mut again = Vec::new();
        cells.show(&mut again, &frame, 80).unwrap();
        assert!(again.is_empty());
        frame.set(3, 3, BLACK);
        cells.show(&mut again, &frame, 80).unwrap();
        let text = String::from_utf8(again).unwrap();
        assert_eq!(text.matches(UPPER).count(), 1);
        // Row 1, column 3, in a terminal that counts from one, with the picture in the middle.
        assert!(text.contains("\u{1b}[2;24H"), "{text:?}");
    }
}
