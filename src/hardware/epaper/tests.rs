//! Which refresh is due, on paper that keeps what was driven onto it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Mutex;

use super::*;

/// Paper and what was done to it; it outlives the program that drew on it.
#[derive(Clone, Default)]
struct Sheet(Arc<Mutex<Vec<What>>>);

#[derive(Clone, Debug, PartialEq)]
enum What {
    /// With so many black dots.
    Full(usize),
    Quick(usize),
    Failed,
    Sleep,
}

impl Sheet {
    fn take(&self) -> Vec<What> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn note(&self, what: What) -> io::Result<()> {
        let mut seen = self.0.lock().unwrap();
        if seen.pop_if(|last| *last == What::Failed).is_some() {
            return Err(io::Error::other("the cable is out"));
        }
        seen.push(what);
        Ok(())
    }
}

fn black(dots: &[u8]) -> usize {
    let white: u32 = dots.iter().map(|byte| byte.count_ones()).sum();
    dots.len() * 8 - white as usize
}

impl Paper for Sheet {
    fn full(&mut self, dots: &[u8]) -> io::Result<()> {
        self.note(What::Full(black(dots)))
    }

    fn quick(&mut self, dots: &[u8]) -> Option<io::Result<()>> {
        Some(self.note(What::Quick(black(dots))))
    }

    fn sleep(&mut self) -> io::Result<()> {
        self.note(What::Sleep)
    }
}

/// A picture with so many black dots.
fn picture(dots: u32, secret: bool) -> Frame {
    let mut frame = Frame::new(Size::new(HEIGHT, WIDTH), Rgb888::WHITE);
    for x in 0..dots {
        frame.set(x, 60, Rgb888::BLACK);
    }
    frame.secret = secret;
    frame
}

#[test]
fn a_code_that_a_crash_left_on_the_paper_is_driven_out_by_the_next_start_before_anything_else() {
    let sheet = Sheet::default();
    let mut display = EPaper::new(sheet.clone(), 1);
    display.present(&picture(40, true)).unwrap();
    // The power goes: nobody lets the display rest.
    drop(display);
    assert_eq!(sheet.take(), [What::Full(40)]);
    let mut display = EPaper::new(sheet.clone(), 1);
    display.present(&picture(7, false)).unwrap();
    assert_eq!(sheet.take(), [What::Full(7)]);
}

#[test]
fn at_the_end_the_paper_is_white_and_without_voltage() {
    let sheet = Sheet::default();
    let mut display = EPaper::new(sheet.clone(), 1);
    display.present(&picture(40, true)).unwrap();
    display.rest().unwrap();
    assert_eq!(sheet.take()[1..], [What::Full(0), What::Sleep]);
}

#[test]
fn no_ghost_is_left_of_a_code_to_scan_or_to_type() {
    let sheet = Sheet::default();
    let mut display = EPaper::new(sheet.clone(), 1);
    for (dots, secret) in [
        (1, false),
        (2, false),
        (3, true),
        (4, true),
        (5, false),
        (6, false),
    ] {
        display.present(&picture(dots, secret)).unwrap();
    }
    use What::{Full, Quick};
    let expected = [Full(1), Quick(2), Full(3), Full(4), Full(5), Quick(6)];
    assert_eq!(sheet.take(), expected);
}

#[test]
fn the_same_picture_is_not_drawn_again_and_ghosts_are_cleared_now_and_then() {
    let sheet = Sheet::default();
    let mut display = EPaper::new(sheet.clone(), 1);
    for dots in 0..2 * (QUICK + 2) {
        display.present(&picture(dots, false)).unwrap();
        display.present(&picture(dots, false)).unwrap();
    }
    let seen = sheet.take();
    let full: Vec<_> = (0..seen.len())
        .filter(|at| matches!(seen[*at], What::Full(_)))
        .collect();
    assert_eq!(seen.len(), 2 * (QUICK as usize + 2));
    assert_eq!(full, [0, QUICK as usize + 1, 2 * QUICK as usize + 2]);
}

#[test]
fn after_a_refresh_that_failed_nothing_is_taken_for_shown() {
    let sheet = Sheet::default();
    let mut display = EPaper::new(sheet.clone(), 1);
    display.present(&picture(1, false)).unwrap();
    sheet.note(What::Failed).unwrap();
    assert!(display.present(&picture(2, false)).is_err());
    display.present(&picture(2, false)).unwrap();
    assert_eq!(sheet.take(), [What::Full(1), What::Full(2)]);
}
