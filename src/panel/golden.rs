//! Every picture's sum, beside the code: a change that was not meant shows up as a line that
//! differs. After one that was meant, look at the pictures (`VINCULO_SHEET=DIR cargo test looks`)
//! and run `VINCULO_BLESS=1 cargo test golden` once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fmt::Write as _;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::draw::draw;
use super::looks::looks;
use super::sample::samples;
use super::screen::Screen;

const FILE: &str = "tests/pictures/golden.txt";

fn sums() -> String {
    let mut lines = String::new();
    for look in looks() {
        let glass = look.glass;
        let (w, h) = (glass.size.width, glass.size.height);
        for (name, screen) in samples() {
            let hidden =
                matches!(&screen, Screen::Linking { qr, .. } if qr.place(&glass).is_none());
            // The page with the version changes with every release, and says nothing else.
            if hidden || name == "about" {
                continue;
            }
            let sum = Sha256::digest(draw(&screen, &look).frame.rgb());
            let sum: String = sum[..6].iter().map(|byte| format!("{byte:02x}")).collect();
            let (depth, language) = (glass.depth, look.language);
            writeln!(lines, "{w}x{h} {depth:?} {language:?} {name} {sum}").unwrap();
        }
    }
    lines
}

#[test]
fn every_picture_is_the_one_that_was_looked_at() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let now = sums();
    if std::env::var_os("VINCULO_BLESS").is_some() {
        std::fs::write(&path, &now).unwrap();
        return;
    }
    let before = std::fs::read_to_string(&path).unwrap();
    let changed: Vec<_> = now
        .lines()
        .filter(|line| !before.lines().any(|old| old == *line))
        .collect();
    assert!(
        changed.is_empty(),
        "changed or new:\n{}",
        changed.join("\n")
    );
    assert_eq!(now.lines().count(), before.lines().count());
}
