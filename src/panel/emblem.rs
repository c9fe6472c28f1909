//! The shapes: one for each severity, the ring that fills, the two linked rings of the name.
//! Drawn from distances, so that they are round at every size.

use std::f32::consts::{FRAC_PI_2, TAU};

use embedded_graphics::pixelcolor::Rgb888;

use super::area::Area;
use super::canvas::Canvas;
use super::theme::Severity;

impl Canvas {
    /// The shape of a severity, as large as the area allows, in `ink` with its sign in `ground`.
    pub fn emblem(&mut self, area: Area, severity: Severity, ink: Rgb888, ground: Rgb888) {
        let at = area.square(i32::MAX);
        let r = at.w as f32 / 2.0;
        let (cx, cy) = (at.x as f32 + r, at.y as f32 + r);
        let stroke = (r * 0.16).max(0.8);
        let sign = |canvas: &mut Canvas, points: &[(f32, f32)]| {
            for pair in points.windows(2) {
                if let [from, to] = pair {
                    let (ax, ay) = (cx + from.0 * r, cy + from.1 * r);
                    let (bx, by) = (cx + to.0 * r, cy + to.1 * r);
                    canvas.shade(at, ground, |x, y| segment(x, y, ax, ay, bx, by) - stroke);
                }
            }
        };
        match severity {
            Severity::Good => {
                self.shade(at, ink, |x, y| circle(x - cx, y - cy, r));
                sign(self, &[(-0.46, 0.04), (-0.12, 0.38), (0.46, -0.32)]);
            }
            Severity::Busy => {
                self.shade(at, ink, |x, y| rounded(x - cx, y - cy, r, r * 0.45));
                for dot in [-0.5, 0.0, 0.5] {
                    self.shade(at, ground, |x, y| {
                        circle(x - cx - dot * r, y - cy, (r * 0.15).max(0.9))
                    });
                }
            }
            Severity::Ask => {
                self.shade(at, ink, |x, y| circle(x - cx, y - cy, r));
                self.shade(at, ground, |x, y| circle(x - cx, y - cy, r * 0.74));
                self.shade(at, ink, |x, y| circle(x - cx, y - cy, r * 0.46));
            }
            Severity::Warn => {
                self.shade(at, ink, |x, y| triangle(x - cx, y - cy, r));
                sign(self, &[(0.0, -0.22), (0.0, 0.24)]);
                sign(self, &[(0.0, 0.6), (0.0, 0.61)]);
            }
            Severity::Bad => {
                self.shade(at, ink, |x, y| octagon(x - cx, y - cy, r));
                sign(self, &[(-0.36, -0.36), (0.36, 0.36)]);
                sign(self, &[(-0.36, 0.36), (0.36, -0.36)]);
            }
        }
    }

    /// A ring, of which `part` (0 to 1) is lit, clockwise from the top.
    pub fn ring(&mut self, area: Area, part: f32, lit: Rgb888, unlit: Rgb888) {
        let at = area.square(i32::MAX);
        let r = at.w as f32 / 2.0;
        let (cx, cy) = (at.x as f32 + r, at.y as f32 + r);
        let half = (r * 0.1).max(1.0);
        let band = move |x: f32, y: f32| ((x - cx).hypot(y - cy) - (r - half)).abs() - half;
        let thin = move |x: f32, y: f32| band(x, y) + half * 0.5;
        if self.blended() {
            self.shade(at, unlit, band);
        } else {
            self.shade(at, unlit, thin);
        }
        self.shade(at, lit, |x, y| {
            let turn = ((y - cy).atan2(x - cx) + FRAC_PI_2).rem_euclid(TAU) / TAU;
            if turn < part { band(x, y) } else { 1.0 }
        });
    }

    /// Two linked rings: the sign of the name.
    pub fn links(&mut self, area: Area, left: Rgb888, right: Rgb888, ground: Rgb888) {
        let w = area.w.min(area.h * 8 / 5) as f32;
        let r = w / 3.3;
        let half = (r * 0.15).max(0.9);
        let (mx, my) = (
            area.x as f32 + area.w as f32 / 2.0,
            area.y as f32 + area.h as f32 / 2.0,
        );
        let reach = r - half;
        let apart = w / 2.0 - r;
        let hoop = move |x: f32, y: f32, cx: f32| ((x - cx).hypot(y - my) - reach).abs() - half;
        let (lx, rx) = (mx - apart, mx + apart);
        let gap = (half * 0.7).max(0.8);
        self.shade(area, left, |x, y| hoop(x, y, lx));
        // The right ring passes over the left one above, and under it below.
        self.shade(area, ground, |x, y| {
            (hoop(x, y, rx) - gap).max(hoop(x, y, lx)).max(y - my)
        });
        self.shade(area, right, |x, y| {
            let over = y < my;
            let hidden = !over && hoop(x, y, lx) < gap;
            if hidden { 1.0 } else { hoop(x, y, rx) }
        });
    }
}

fn circle(x: f32, y: f32, r: f32) -> f32 {
    x.hypot(y) - r
}

fn rounded(x: f32, y: f32, r: f32, corner: f32) -> f32 {
    let (dx, dy) = (x.abs() - r + corner, y.abs() - r + corner);
    dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - corner
}

fn octagon(x: f32, y: f32, r: f32) -> f32 {
    let (x, y) = (x.abs(), y.abs());
    x.max(y).max((x + y) * std::f32::consts::FRAC_1_SQRT_2) - r
}

/// Standing on its base, as high as it is wide, with slightly rounded corners.
fn triangle(x: f32, y: f32, r: f32) -> f32 {
    let round = r * 0.12;
    let (half, top, base) = (r - round, -r + round * 1.6, r * 0.92 - round);
    let slope = half / (base - top);
    let edge = (x.abs() - (y - top) * slope) / (1.0 + slope * slope).sqrt();
    edge.max(y - base) - round
}

fn segment(x: f32, y: f32, ax: f32, ay: f32, bx: f32, by: f32) -> f32 {
    let (dx, dy) = (bx - ax, by - ay);
    let along = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy).max(f32::EPSILON);
    let along = along.clamp(0.0, 1.0);
    (x - ax - along * dx).hypot(y - ay - along * dy)
}
