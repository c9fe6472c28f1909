//! What has changed between two pictures, as few rectangles: what has not changed need not go
//! over a bus.

use embedded_graphics::geometry::{OriginDimensions, Size};

use super::Frame;

/// Pixels that are sent in vain rather than beginning another rectangle, which costs about a
/// dozen bytes and several transfers.
const SLACK: u32 = 48;
/// Unchanged pixels in a row that do not part what is around them.
const GAP: u32 = 12;

/// One rectangle; never empty, always inside the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patch {
    /// The left edge.
    pub x: u32,
    /// The upper edge.
    pub y: u32,
    /// Pixels across.
    pub w: u32,
    /// Pixels down.
    pub h: u32,
}

impl Patch {
    /// The whole of a picture.
    pub fn whole(size: Size) -> Self {
        Self {
            x: 0,
            y: 0,
            w: size.width,
            h: size.height,
        }
    }

    /// Pixels.
    pub fn area(&self) -> u32 {
        self.w * self.h
    }

    /// Every pixel's place, row by row.
    pub fn points(&self) -> impl Iterator<Item = (u32, u32)> + use<> {
        let Self { x, y, w, h } = *self;
        (y..y + h).flat_map(move |row| (x..x + w).map(move |column| (column, row)))
    }

    fn with(&self, other: &Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        Self {
            x,
            y,
            w: (self.x + self.w).max(other.x + other.w) - x,
            h: (self.y + self.h).max(other.y + other.h) - y,
        }
    }
}

/// What must be sent so that a glass that shows `before` shows `after`. Without a `before`, or
/// where most has changed, that is everything at once.
pub fn changes(before: Option<&Frame>, after: &Frame) -> Vec<Patch> {
    let size = after.size();
    let whole = vec![Patch::whole(size)];
    let Some(before) = before.filter(|before| before.size() == size) else {
        return whole;
    };
    if before.rgb() == after.rgb() {
        return Vec::new();
    }
    let mut done = Vec::new();
    let mut open: Vec<Patch> = Vec::new();
    for y in 0..size.height {
        let mut next: Vec<Patch> = Vec::new();
        for run in runs(before, after, y) {
            let fits = open.iter().position(|patch| {
                let grown = patch.with(&run);
                grown.area() <= patch.area() + run.area() + SLACK
            });
            next.push(match fits {
                Some(at) => open.swap_remove(at).with(&run),
                None => run,
            });
        }
        done.append(&mut open);
        open = next;
    }
    done.append(&mut open);
    let sent: u32 = done.iter().map(Patch::area).sum();
    match sent < Patch::whole(size).area() / 4 * 3 {
        true => done,
        false => whole,
    }
}

/// The stretches of a row that have changed.
fn runs(before: &Frame, after: &Frame, y: u32) -> Vec<Patch> {
    let mut runs: Vec<Patch> = Vec::new();
    if before.row(y) == after.row(y) {
        return runs;
    }
    for x in (0..after.size().width).filter(|x| before.pixel(*x, y) != after.pixel(*x, y)) {
        match runs.last_mut() {
            Some(run) if x <= run.x + run.w + GAP => run.w = x + 1 - run.x,
            _ => runs.push(Patch { x, y, w: 1, h: 1 }),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use embedded_graphics::pixelcolor::{Rgb888, RgbColor};

    use super::*;

    fn blank() -> Frame {
        Frame::new(Size::new(100, 80), Rgb888::BLACK)
    }

    fn paint(frame: &mut Frame, patch: Patch) {
        for (x, y) in patch.points() {
            frame.set(x, y, Rgb888::WHITE);
        }
    }

    fn patch(x: u32, y: u32, w: u32, h: u32) -> Patch {
        Patch { x, y, w, h }
    }

    #[test]
    fn the_same_picture_is_no_change_and_the_first_one_is_all() {
        assert_eq!(changes(Some(&blank()), &blank()), []);
        assert_eq!(changes(None, &blank()), [patch(0, 0, 100, 80)]);
    }

    #[test]
    fn corners_are_sent_apart() {
        let mut after = blank();
        let corners = [patch(0, 0, 5, 4), patch(90, 70, 10, 10)];
        for corner in corners {
            paint(&mut after, corner);
        }
        assert_eq!(changes(Some(&blank()), &after), corners);
    }

    #[test]
    fn what_is_sent_covers_every_change() {
        let mut noise = 0x2545_f491u32;
        for _ in 0..50 {
            let (before, mut after) = (blank(), blank());
            for _ in 0..6 {
                noise ^= noise << 13;
                noise ^= noise >> 17;
                noise ^= noise << 5;
                let (x, y) = (noise % 90, noise / 97 % 70);
                paint(&mut after, patch(x, y, 1 + noise % 10, 1 + noise / 7 % 10));
            }
            let mut glass = before.clone();
            for sent in changes(Some(&before), &after) {
                for (x, y) in sent.points() {
                    glass.set(x, y, after.pixel(x, y).unwrap());
                }
            }
            assert!(glass.rgb() == after.rgb());
        }
    }
}
