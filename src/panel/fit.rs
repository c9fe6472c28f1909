//! Text that fits. The largest size that holds the whole text is taken; if none does, that is a
//! fault of the layout and reported as one. Only foreign text (a message, a name) may be
//! shortened, and then with an ellipsis that shows it.

use embedded_graphics::pixelcolor::Rgb888;

use super::area::Area;
use super::canvas::Canvas;
use super::font::{Font, Weight, ladder};

/// Capitals that are still read without effort.
const LEAST: i32 = 8;

/// Where a text stands in its area, from left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Across {
    /// At the left edge.
    Left,
    /// In the middle.
    Middle,
    /// At the right edge.
    Right,
}

/// Where a text stands in its area, from top to bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Along {
    /// At the upper edge.
    Top,
    /// In the middle.
    Middle,
    /// At the lower edge.
    Bottom,
}

/// How a text is to look.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// How heavy.
    pub weight: Weight,
    /// The tallest its capitals may be, in pixels.
    pub cap: i32,
    /// The most lines it may take.
    pub lines: usize,
    /// Its colour.
    pub colour: Rgb888,
    /// From left to right.
    pub across: Across,
    /// From top to bottom.
    pub along: Along,
    /// Foreign text, which may be shortened.
    pub foreign: bool,
}

impl Style {
    /// A heading.
    pub fn bold(cap: i32, colour: Rgb888) -> Self {
        Self {
            weight: Weight::Bold,
            cap,
            lines: 1,
            colour,
            across: Across::Left,
            along: Along::Top,
            foreign: false,
        }
    }

    /// Text to read.
    pub fn regular(cap: i32, colour: Rgb888) -> Self {
        Self {
            weight: Weight::Regular,
            ..Self::bold(cap, colour)
        }
    }

    /// Over up to so many lines.
    pub fn lines(self, lines: usize) -> Self {
        Self { lines, ..self }
    }

    /// Placed so.
    pub fn at(self, across: Across, along: Along) -> Self {
        Self {
            across,
            along,
            ..self
        }
    }

    /// May be shortened.
    pub fn foreign(self) -> Self {
        Self {
            foreign: true,
            ..self
        }
    }
}

/// A text, laid out.
#[derive(Debug)]
pub struct Fitted {
    font: Font,
    lines: Vec<String>,
}

impl Fitted {
    /// The width of its widest line.
    pub fn width(&self) -> i32 {
        let widths = self.lines.iter().map(|line| px(self.font.width(line)));
        widths.max().unwrap_or(0)
    }

    /// The height of its capitals.
    pub fn cap(&self) -> i32 {
        px(self.font.cap())
    }

    /// From the highest ink of the first line to the lowest of the last, and the same two as
    /// room above the first baseline and below the last.
    fn extent(&self) -> (i32, i32, i32) {
        extent(&self.font, &self.lines)
    }
}

fn extent(font: &Font, lines: &[String]) -> (i32, i32, i32) {
    let above = lines.first().map_or(0, |line| px(font.extent(line).0));
    let below = lines.last().map_or(0, |line| px(font.extent(line).1));
    let between = i32::try_from(lines.len().saturating_sub(1)).unwrap_or(i32::MAX);
    (
        above + between * px(font.line_height()) + below,
        above,
        below,
    )
}

/// Lays a text out for an area of `w` by `h` pixels. `None`: at no size does it fit.
pub fn fit(text: &str, w: i32, h: i32, style: &Style, blended: bool) -> Option<Fitted> {
    let sizes = ladder(style.weight, u32::try_from(style.cap).unwrap_or(0), blended);
    // How many lines there is room for when nothing is known of their accents.
    let room = |font: &Font| {
        let more = (h - px(font.cap()) * 3 / 2).max(0) / px(font.line_height()).max(1);
        let any = h >= px(font.cap());
        usize::from(any) * style.lines.min(1 + usize::try_from(more).unwrap_or(0))
    };
    for font in &sizes {
        let whole = wrap(font, text, w)
            .filter(|lines| lines.len() <= style.lines && extent(font, lines).0 <= h);
        if let Some(lines) = whole {
            let lines = balance(font, text, w, lines);
            return Some(Fitted { font: *font, lines });
        }
        // A foreign text is shortened rather than shrunk below two thirds of its size, or to where
        // nobody reads it who was to read larger letters.
        let small = px(font.cap()) * 3 <= style.cap * 2;
        let smallest = px(font.cap()) == LEAST && style.cap > LEAST;
        if style.foreign && room(font) > 0 && (small || smallest) {
            return Some(Fitted {
                font: *font,
                lines: shorten(font, text, w, room(font)),
            });
        }
    }
    let smallest = sizes.iter().rfind(|font| room(font) > 0)?;
    style.foreign.then(|| Fitted {
        font: *smallest,
        lines: shorten(smallest, text, w, room(smallest)),
    })
}

impl Canvas {
    /// Draws a text in an area, as large as fits. Returns the width it took.
    pub fn paragraph(&mut self, area: Area, text: &str, style: &Style) -> i32 {
        if text.is_empty() {
            return 0;
        }
        match fit(text, area.w, area.h, style, self.blended()) {
            Some(fitted) => {
                self.place(area, &fitted, style);
                fitted.width()
            }
            None => {
                self.fault(format!("no room in {}x{} for: {text}", area.w, area.h));
                0
            }
        }
    }

    /// Draws a text that was laid out before.
    pub fn place(&mut self, area: Area, fitted: &Fitted, style: &Style) {
        let font = &fitted.font;
        let (height, above, below) = fitted.extent();
        // The eye takes the capitals for the line: they are what is centred, as far as accents
        // and descenders leave room for it.
        let body = height - above - below + px(font.cap());
        let highest = area.y + above;
        let lowest = area.y + area.h - (height - above);
        let first = match style.along {
            Along::Top => highest,
            Along::Middle => area.y + (area.h - body) / 2 + px(font.cap()),
            Along::Bottom => lowest,
        };
        let first = first.clamp(highest.min(lowest), lowest.max(highest));
        for (line, row) in fitted.lines.iter().zip(0i32..) {
            let baseline = first + row * px(font.line_height());
            let free = area.w - px(font.width(line));
            let x = area.x
                + match style.across {
                    Across::Left => 0,
                    Across::Middle => free / 2,
                    Across::Right => free,
                };
            self.text(font, x, baseline, line, style.colour);
        }
    }
}

/// Breaks a text at its spaces. `None`: a word is too wide.
fn wrap(font: &Font, text: &str, w: i32) -> Option<Vec<String>> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let longer = if line.is_empty() {
            word.to_owned()
        } else {
            format!("{line} {word}")
        };
        if px(font.width(&longer)) <= w {
            line = longer;
            continue;
        }
        if line.is_empty() || px(font.width(word)) > w {
            return None;
        }
        lines.push(std::mem::replace(&mut line, word.to_owned()));
    }
    lines.push(line);
    Some(lines)
}

/// Evens the lines out without adding one, so that no word is left alone at the end.
fn balance(font: &Font, text: &str, w: i32, lines: Vec<String>) -> Vec<String> {
    if lines.len() < 2 {
        return lines;
    }
    let (mut narrow, mut wide, mut best) = (w / 2, w, lines);
    while wide - narrow > 2 {
        let middle = (narrow + wide) / 2;
        match wrap(font, text, middle).filter(|tried| tried.len() == best.len()) {
            Some(tried) => {
                best = tried;
                wide = middle;
            }
            None => narrow = middle,
        }
    }
    best
}

/// As much as fits in so many lines, with an ellipsis at the end.
fn shorten(font: &Font, text: &str, w: i32, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for letter in text.chars() {
        let letter = if letter.is_whitespace() { ' ' } else { letter };
        let last = lines.len() + 1 >= most;
        let tail = if last { "..." } else { "" };
        if px(font.width(&format!("{line}{letter}{tail}"))) > w {
            if last {
                line = format!("{}...", line.trim_end());
                break;
            }
            // Break at the last space, unless the whole line is one word.
            let rest = match line.rfind(' ') {
                Some(space) => line.split_off(space),
                None => String::new(),
            };
            lines.push(std::mem::replace(&mut line, rest.trim_start().to_owned()));
        }
        if !(line.is_empty() && letter == ' ') {
            line.push(letter);
        }
    }
    lines.push(line);
    lines
}

fn px(pixels: u32) -> i32 {
    i32::try_from(pixels).unwrap_or(i32::MAX)
}
