//! The code on the glass: dark on light, the largest whole scale, light ground all around.
//!
//! It never draws a code too small to be scanned: whoever asks for a place may be refused one.

use qrcode::{Color, EcLevel, QrCode};

use super::area::Area;
use super::canvas::Canvas;
use super::theme::{PAPER, PRINT};
use crate::hardware::{CodeArea, Glass};
use crate::session::link::Code;

/// A payload as modules. `Debug` never shows them: they are a credential.
#[derive(Clone, PartialEq, Eq)]
pub struct Qr {
    modules: u32,
    dark: Vec<bool>,
}

impl std::fmt::Debug for Qr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Qr")
            .field("modules", &self.modules)
            .finish_non_exhaustive()
    }
}

/// Where a code is drawn, and what room is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The code without its quiet zone.
    pub code: CodeArea,
    /// Room for words and a countdown, outside the quiet zone; `None`: only the edge is left.
    pub beside: Option<Area>,
}

impl Qr {
    /// Encodes a payload at level L, the one with the largest modules. `None`: it is too long.
    pub fn encode(payload: &str) -> Option<Self> {
        let code = QrCode::with_error_correction_level(payload, EcLevel::L).ok()?;
        Some(Self {
            modules: u32::try_from(code.width()).ok()?,
            dark: code.to_colors().iter().map(|c| *c == Color::Dark).collect(),
        })
    }

    /// Encodes a code to link with as it is, unless the address that may stand before its payload
    /// would cost this glass larger modules: then without it.
    pub fn to_link(code: &Code, glass: &Glass) -> Option<Self> {
        let whole = Self::encode(&code.text);
        if code.bare() == code.text {
            return whole;
        }
        let bare = Self::encode(code.bare());
        let scale = |qr: &Option<Self>| qr.as_ref().and_then(|qr| qr.scale(glass));
        match scale(&whole) < scale(&bare) {
            true => bare,
            false => whole,
        }
    }

    /// The largest whole scale that leaves 1.5 modules of quiet zone.
    fn scale(&self, glass: &Glass) -> Option<u32> {
        let short = glass.size.width.min(glass.size.height);
        (1..=short / self.modules)
            .rev()
            .find(|scale| self.across(*scale) <= short)
    }

    /// Pixels across with the quiet zone on both sides: half pixels are rounded up.
    fn across(&self, scale: u32) -> u32 {
        self.modules * scale + 2 * (3 * scale).div_ceil(2)
    }

    /// The largest whole scale with 1.5 modules of quiet zone, if that is large enough for a
    /// camera.
    pub fn place(&self, glass: &Glass) -> Option<Placement> {
        let (n, size) = (self.modules, glass.size);
        let scale = self.scale(glass)?;
        if scale < glass.least_module.max(1) {
            return None;
        }
        let used = self.across(scale);
        let (w, h) = (size.width, size.height);
        let (free_w, free_h) = (w - used, h - used);
        let middle = |whole: u32| (whole - n * scale) / 2;
        let at = |left: u32, top: u32| CodeArea {
            left,
            top,
            modules: n,
            scale,
        };
        let px = |pixels: u32| i32::try_from(pixels).unwrap_or(i32::MAX);
        if free_w >= (w / 5).max(56) {
            // A square at the left for the code, the rest for words.
            let square = used.max(h.min(w - w / 5));
            Some(Placement {
                code: at(middle(square), middle(h)),
                beside: Some(Area::new(px(square), 0, px(w - square), px(h))),
            })
        } else if free_h >= (h / 6).max(24) {
            Some(Placement {
                code: at(middle(w), (used - n * scale) / 2),
                beside: Some(Area::new(0, px(used), px(w), px(h - used))),
            })
        } else {
            Some(Placement {
                code: at(middle(w), middle(h)),
                beside: None,
            })
        }
    }

    /// Draws the code small at the right of an area, and answers what is left for words; draws
    /// nothing where a camera could not read it.
    pub fn draw_beside(&self, canvas: &mut Canvas, area: Area, least: u32) -> Option<Area> {
        let px = |pixels: u32| i32::try_from(pixels).unwrap_or(i32::MAX);
        let room = area.h.min(area.w * 45 / 100);
        let scale = (least.max(1)..)
            .take_while(|scale| px(self.across(*scale)) <= room)
            .last()?;
        let (square, quiet) = (px(self.across(scale)), px((3 * scale).div_ceil(2)));
        let (words, corner) = area.split_left(area.w - square);
        let top = corner.y + (corner.h - square) / 2;
        canvas.fill(Area::new(corner.x, top, square, square), PAPER);
        for (module, _) in (0u32..).zip(&self.dark).filter(|(_, dark)| **dark) {
            let left = corner.x + quiet + px(module % self.modules * scale);
            let top = top + quiet + px(module / self.modules * scale);
            canvas.fill(Area::new(left, top, px(scale), px(scale)), PRINT);
        }
        Some(Area::new(
            words.x,
            words.y,
            words.w - px(2 * scale),
            words.h,
        ))
    }

    /// Draws the code, with light ground on the whole glass.
    pub fn draw(&self, canvas: &mut Canvas, code: CodeArea) {
        canvas.fill(canvas.area(), PAPER);
        let frame = canvas.frame();
        frame.code = Some(code);
        for (module, _) in (0u32..).zip(&self.dark).filter(|(_, dark)| **dark) {
            let left = code.left + module % self.modules * code.scale;
            let top = code.top + module / self.modules * code.scale;
            for y in top..top + code.scale {
                for x in left..left + code.scale {
                    frame.set(x, y, PRINT);
                }
            }
        }
    }
}
