//! Every picture beside the code, one file a screen with every size and language on it: a change
//! that was not meant turns a test red that names the screen, the size and the language. After one
//! that was meant, look at the pictures and run `VINCULO_BLESS=1 cargo test --lib golden` once; it
//! writes only what has changed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::Rgb888;

use super::area::Area;
use super::draw::{Look, draw};
use super::sample::samples;
use super::screen::{Label, Screen, Value};
use super::sheet::{looks, name, places, sheet};
use crate::hardware::{Frame, glass, names};

/// Pixels across a sheet: two of the widest pictures.
const WIDTH: i32 = 980;
/// Bytes of all sheets together: they are in every clone, and so is what they once were.
const ENOUGH: usize = 2560 * 1024;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures/golden")
}

/// Every screen, without what changes with every release.
fn screens() -> Vec<(&'static str, Screen)> {
    let mut all = samples();
    for (_, screen) in &mut all {
        if let Screen::About(rows) = screen {
            let version = rows.iter_mut().find(|row| row.label == Label::Version);
            version.unwrap().value = Value::Text("1.2.3".into());
        }
    }
    all
}

/// A screen on every kind of glass that a board has. Where one has no room for a code, there is
/// another screen's picture.
fn pictures(screen: &Screen) -> Vec<(String, Frame)> {
    let glasses: Vec<_> = names().map(|name| glass(name).unwrap()).collect();
    let owned = |look: &Look| {
        let mut glasses = glasses.iter();
        glasses.any(|glass| (glass.size, glass.depth) == (look.glass.size, look.glass.depth))
    };
    looks()
        .filter(owned)
        .filter(|look| screen.clone().on(&look.glass) == *screen)
        .map(|look| (name(&look), draw(screen, &look).frame))
        .collect()
}

/// A picture that was kept.
struct Kept {
    size: Size,
    rgb: Vec<u8>,
}

impl Kept {
    fn read(path: &Path) -> Option<Self> {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(fs::read(path).ok()?));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut rgb).unwrap();
        assert_eq!(info.color_type, png::ColorType::Rgb, "{}", path.display());
        let size = Size::new(info.width, info.height);
        Some(Self { size, rgb })
    }

    fn is(&self, frame: &Frame) -> bool {
        self.size == frame.size() && self.rgb == frame.rgb()
    }

    fn pixel(&self, x: u32, y: u32) -> [u8; 3] {
        let at = (y * self.size.width + x) as usize * 3;
        self.rgb[at..at + 3].try_into().unwrap()
    }

    /// The part that lies at `place`, if there is one.
    fn part(&self, place: Area) -> Option<Frame> {
        let Area { x, y, w, h } = place;
        let [x, y, w, h] = [x, y, w, h].map(|side| u32::try_from(side).unwrap());
        if x + w > self.size.width || y + h > self.size.height {
            return None;
        }
        let mut frame = Frame::new(Size::new(w, h), Rgb888::default());
        for (row, column) in (0..h).flat_map(|row| (0..w).map(move |column| (row, column))) {
            let [r, g, b] = self.pixel(x + column, y + row);
            frame.set(column, row, Rgb888::new(r, g, b));
        }
        Some(frame)
    }
}

/// A PNG with a palette where that is possible; the same bytes for the same picture.
fn encode(frame: &Frame) -> Vec<u8> {
    let Size { width, height } = frame.size();
    let colours: BTreeSet<&[u8]> = frame.rgb().chunks(3).collect();
    let palette: Vec<&[u8]> = colours.into_iter().collect();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_compression(png::Compression::High);
    if palette.len() > 256 {
        encoder.set_color(png::ColorType::Rgb);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(frame.rgb()).unwrap();
        writer.finish().unwrap();
        return file;
    }
    let (depth, bits) = match palette.len() {
        ..=4 => (png::BitDepth::Two, 2),
        5..=16 => (png::BitDepth::Four, 4),
        _ => (png::BitDepth::Eight, 8),
    };
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(depth);
    encoder.set_filter(png::Filter::NoFilter);
    encoder.set_palette(palette.concat());
    let index = |colour: &[u8]| palette.binary_search(&colour).unwrap() as u8;
    let mut packed = Vec::new();
    for y in 0..height {
        for byte in frame.row(y).chunks(3 * 8 / bits) {
            let mut value = 0;
            for (at, colour) in byte.chunks(3).enumerate() {
                value |= index(colour) << (8 - bits * (at + 1));
            }
            packed.push(value);
        }
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&packed).unwrap();
    writer.finish().unwrap();
    file
}

/// Writes what was drawn beside what was to be drawn; returns where.
fn beside(screen: &str, look: &str, got: &Frame, wanted: Option<Frame>) -> PathBuf {
    let folder = std::env::temp_dir().join("vinculo-pictures");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{screen} {look}.png").replace(' ', "-"));
    let mut pictures = vec![("got".to_owned(), got.clone())];
    pictures.extend(wanted.map(|wanted| ("wanted".to_owned(), wanted)));
    fs::write(&file, encode(&sheet(&pictures, WIDTH, 1))).unwrap();
    file
}

/// Each picture that is not the one that was kept.
fn compare(screen: &str, kept: &Kept, pictures: &[(String, Frame)], faults: &mut Vec<String>) {
    let sizes = pictures.iter().map(|(_, frame)| frame.size());
    let (places, _) = places(sizes, WIDTH);
    let before = faults.len();
    for ((look, got), place) in pictures.iter().zip(places) {
        let wanted = kept.part(place);
        if wanted.as_ref().map(Frame::rgb) != Some(got.rgb()) {
            let file = beside(screen, look, got, wanted);
            faults.push(format!("{screen} {look}: see {}", file.display()));
        }
    }
    if faults.len() == before {
        faults.push(format!("{screen}: other sizes or languages"));
    }
}

#[test]
fn every_picture_is_the_one_that_was_looked_at() {
    let folder = folder();
    let bless = std::env::var_os("VINCULO_BLESS").is_some();
    let (mut faults, mut bytes, mut names) = (Vec::new(), 0, BTreeSet::new());
    fs::create_dir_all(&folder).unwrap();
    for (screen, shown) in screens() {
        let file = folder.join(format!("{screen}.png"));
        let pictures = pictures(&shown);
        let drawn = sheet(&pictures, WIDTH, 1);
        match Kept::read(&file) {
            Some(kept) if kept.is(&drawn) => {}
            _ if bless => fs::write(&file, encode(&drawn)).unwrap(),
            Some(kept) => compare(screen, &kept, &pictures, &mut faults),
            None => faults.push(format!("{screen}: nobody has looked at it yet")),
        }
        bytes += fs::metadata(&file).map_or(0, |file| file.len() as usize);
        names.insert(file);
    }
    for file in fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path())
    {
        if !names.contains(&file) && bless {
            fs::remove_file(&file).unwrap();
        } else if !names.contains(&file) {
            faults.push(format!("{}: of no screen", file.display()));
        }
    }
    assert!(
        faults.is_empty(),
        "{}\nif that was meant, look at them, then: VINCULO_BLESS=1 cargo test --lib golden",
        faults.join("\n")
    );
    assert!(bytes < ENOUGH, "{bytes} bytes of pictures are kept");
}

#[test]
fn one_dot_that_differs_is_told_with_its_screen_size_and_language() {
    let (screen, shown) = screens().into_iter().next().unwrap();
    let pictures = pictures(&shown);
    let drawn = sheet(&pictures, WIDTH, 1);
    let kept = || Kept {
        size: drawn.size(),
        rgb: drawn.rgb().to_vec(),
    };
    let mut told = Vec::new();
    let mut spoiled = kept();
    assert!(spoiled.is(&drawn));
    let sizes = pictures.iter().map(|(_, frame)| frame.size());
    let last = *places(sizes, WIDTH).0.last().unwrap();
    let at = (last.bottom() - 1) * drawn.size().width as i32 + last.right() - 1;
    spoiled.rgb[at as usize * 3] ^= 1;
    assert!(!spoiled.is(&drawn));
    compare(screen, &spoiled, &pictures, &mut told);
    let [told] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert!(told.starts_with("starting 480x320 en: see "), "{told}");
    let file = PathBuf::from(told.split_once("see ").unwrap().1);
    assert_eq!(Kept::read(&file).unwrap().size.height, 320 + 6 + 14);
    fs::remove_file(file).unwrap();
}
