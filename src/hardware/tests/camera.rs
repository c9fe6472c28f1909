//! A phone in front of the glass, as numbers: where it is held, what its lens and its sensor make of
//! the light, what its own processor mends. Everything is computed from a seed, so that a picture
//! that is not read today is not read tomorrow either.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use embedded_graphics::geometry::{OriginDimensions, Size};

use crate::hardware::Frame;

/// Camera pixels on a millimetre of glass, as near as a phone still focuses: 1080 of them across a
/// view of some 55 degrees, 10 cm away. From here come the 2.5 pixels on a module of 0.25 mm.
pub const NEAREST: f32 = 10.0;
/// How far away that is, in millimetres.
const DISTANCE: f32 = 100.0;
/// Dark plastic around the glass, and what is seen beyond it, in millimetres.
const BEZEL: f32 = 3.0;
const BEYOND: f32 = 2.0;
/// Light, as a part of what the sensor takes: of the plastic, and of whatever lies behind.
const PLASTIC: f32 = 0.01;
const ROOM: f32 = 0.25;
/// The far corner is that much darker, and a lamp adds that much in one place.
const UNEVEN: f32 = 0.3;
const LAMP: f32 = 0.15;
/// A lens in focus spreads a point so far, in camera pixels; noise, in 255ths.
const LENS: f32 = 0.5;
const NOISE: f32 = 3.0;
/// What a phone does to every picture: sharpen it by so much, over so many pixels.
const SHARPER: f32 = 0.8;
const SHARPEN_OVER: f32 = 1.0;
const GAMMA: f32 = 2.2;
/// A sensor's pixel is an area: so many points of it are looked at, along each side.
const POINTS: usize = 2;

/// How the glass is held against the phone, in degrees: tipped, swung, turned.
type Pose = [f32; 3];

/// Held straight, held askew, held by somebody who does not care.
const HELD: [Pose; 3] = [[0.0, 0.0, 0.0], [9.0, -8.0, 10.0], [-14.0, 14.0, 35.0]];
/// A hand moves so far either way while a phone films, and so many pictures are a third of a second.
const TREMOR: f32 = 4.0;
const PICTURES: u32 = 10;

/// What is photographed.
pub struct Shot<'a> {
    /// What the glass shows.
    pub picture: &'a Frame,
    /// From pixel to pixel of the glass, in millimetres.
    pub pitch: f32,
    /// Camera pixels on a millimetre of it.
    pub per_mm: f32,
    /// It gives no light of its own.
    pub paper: bool,
}

impl Shot<'_> {
    /// What is read in each film, by the first picture in which something is; and how many pictures
    /// that took.
    pub fn read(&self) -> Vec<(Option<String>, u32)> {
        let films = HELD.iter().zip(1..).map(|(held, film)| {
            let mut taken = 0;
            let read = (0..PICTURES).find_map(|picture| {
                taken += 1;
                let mut dice = Dice::new(film * 7919 + picture);
                let pose = held.map(|angle| angle + TREMOR * (2.0 * dice.part() - 1.0));
                self.take(pose, &mut dice).read()
            });
            (read, taken)
        });
        films.collect()
    }

    /// One picture.
    fn take(&self, pose: Pose, dice: &mut Dice) -> Photo {
        let (away, focal) = (DISTANCE * NEAREST / self.per_mm, DISTANCE * NEAREST);
        let (across, down) = axes(pose);
        let normal = cross(across, down);
        let Size { width, height } = self.picture.size();
        let half = [width, height].map(|side| side as f32 * self.pitch / 2.0);
        let reach = half.map(|half| half + BEZEL + BEYOND);
        let corners = [(-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0), (1.0, 1.0)].map(|(x, y)| {
            let (x, y) = (x * reach[0], y * reach[1]);
            let at = [0, 1, 2].map(|i| x * across[i] + y * down[i]);
            [at[0], at[1]].map(|side| side * focal / (at[2] + away))
        });
        let ends = |axis: usize| {
            let all = corners.map(|corner| corner[axis]);
            let least = all.into_iter().fold(f32::MAX, f32::min);
            let most = all.into_iter().fold(f32::MIN, f32::max);
            (least, (most - least).ceil() as usize)
        };
        let ((left, w), (top, h)) = (ends(0), ends(1));
        // A hand is never still: by parts of a pixel, another one each time.
        let (left, top) = (left + dice.part(), top + dice.part());
        let shine: Vec<f32> = (0..=255u8).map(|grey| self.shine(grey)).collect();
        let seen = |column: f32, row: f32| {
            let ray = [(left + column) / focal, (top + row) / focal, 1.0];
            let far = away * normal[2] / dot(normal, ray);
            let at = [ray[0] * far, ray[1] * far, far - away];
            let (x, y) = (dot(at, across), dot(at, down));
            let even = 1.0 - UNEVEN * (x / half[0] + y / half[1] + 2.0) / 4.0;
            if x.abs() >= half[0] + BEZEL || y.abs() >= half[1] + BEZEL {
                return ROOM * even;
            }
            if x.abs() >= half[0] || y.abs() >= half[1] {
                return PLASTIC * even;
            }
            let (px, py) = ((x + half[0]) / self.pitch, (y + half[1]) / self.pitch);
            let grey = self.picture.grey(px as u32, py as u32);
            let lamp = (x / half[0] - 0.6).powi(2) + (y / half[1] + 0.6).powi(2);
            shine[usize::from(grey)] * even + LAMP * (-lamp * 2.0).exp()
        };
        let point = |at: usize| (at as f32 + 0.5) / POINTS as f32;
        let light = (0..w * h).map(|at| {
            let (column, row) = ((at % w) as f32, (at / w) as f32);
            let mut sum = 0.0;
            for part in 0..POINTS * POINTS {
                sum += seen(column + point(part % POINTS), row + point(part / POINTS));
            }
            sum / (POINTS * POINTS) as f32
        });
        let light = light.collect::<Vec<f32>>();
        let grey = blurred(&light, w, LENS).into_iter().map(|light| {
            let exposed = 255.0 * light.clamp(0.0, 1.0).powf(1.0 / GAMMA);
            exposed + NOISE * dice.bell()
        });
        let grey = grey.collect();
        Photo { w, grey }
    }

    /// The light of a pixel: no glass is quite dark, and paper is not quite light.
    fn shine(&self, grey: u8) -> f32 {
        let (dark, light) = match self.paper {
            true => (0.07, 0.55),
            false => (0.04, 1.0),
        };
        dark + (light - dark) * (f32::from(grey) / 255.0).powf(GAMMA)
    }
}

/// A picture of the camera's.
struct Photo {
    w: usize,
    grey: Vec<f32>,
}

impl Photo {
    /// What is read in it.
    fn read(&self) -> Option<String> {
        let soft = blurred(&self.grey, self.w, SHARPEN_OVER);
        let (w, h) = (self.w, self.grey.len() / self.w);
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(w, h, |x, y| {
            let at = y * w + x;
            let sharp = self.grey[at] + SHARPER * (self.grey[at] - soft[at]);
            sharp.clamp(0.0, 255.0) as u8
        });
        let grids = image.detect_grids();
        grids
            .iter()
            .find_map(|grid| grid.decode().ok().map(|(_, text)| text))
    }
}

/// Where the glass's own directions to the right and down point, seen from the phone.
fn axes([tipped, swung, turned]: Pose) -> ([f32; 3], [f32; 3]) {
    let (sa, ca) = tipped.to_radians().sin_cos();
    let (sb, cb) = swung.to_radians().sin_cos();
    let (sc, cc) = turned.to_radians().sin_cos();
    (
        [cb * cc, ca * sc + sa * sb * cc, sa * sc - ca * sb * cc],
        [-cb * sc, ca * cc - sa * sb * sc, sa * cc + ca * sb * sc],
    )
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

/// Spread by a bell curve, first along the rows, then along the columns.
fn blurred(from: &[f32], w: usize, sigma: f32) -> Vec<f32> {
    const REACH: usize = 2;
    let bell = [0, 1, 2].map(|at| (-((at * at) as f32) / (2.0 * sigma * sigma)).exp());
    let sum = bell[0] + 2.0 * (bell[1] + bell[2]);
    let bell = bell.map(|part| part / sum);
    let pass = |from: &[f32], step: usize, along: usize| -> Vec<f32> {
        let mut to = from.to_vec();
        for (at, spread) in to.iter_mut().enumerate() {
            let place = at / step % along;
            // The edge is room, and nobody looks for a code there.
            if place < REACH || place + REACH >= along {
                continue;
            }
            *spread = bell[0] * from[at]
                + bell[1] * (from[at - step] + from[at + step])
                + bell[2] * (from[at - 2 * step] + from[at + 2 * step]);
        }
        to
    };
    pass(&pass(from, 1, w), w, from.len() / w)
}

/// Dice that fall the same way every time.
struct Dice(u32);

impl Dice {
    fn new(seed: u32) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9) | 1)
    }

    /// Evenly, from nothing to one.
    fn part(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        (self.0 >> 8) as f32 / (1 << 24) as f32
    }

    /// Around nothing, like a bell with a deviation of one.
    fn bell(&mut self) -> f32 {
        // Four even parts deviate by the root of a third together.
        let sum = self.part() + self.part() + self.part() + self.part();
        (sum - 2.0) * 3.0f32.sqrt()
    }
}
