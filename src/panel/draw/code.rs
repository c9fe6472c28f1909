//! The screens with a code: one to scan, one to type or to compare. Nothing ever covers the code or stands
//! in its quiet zone, except a countdown at the very edge that is too light for a scanner to see.

use embedded_graphics::pixelcolor::Rgb888;

use super::super::area::Area;
use super::super::canvas::Canvas;
use super::super::fit::{Across, Along, Style};
use super::super::qr::Qr;
use super::super::screen::Countdown;
use super::super::text::Says;
use super::super::theme::{PALE_GOOD, PALE_WARN, PRINT, SOFT_PRINT, Severity};
use super::{Look, Shares, band};

/// With so many seconds left the countdown changes its colour.
const HURRY: u32 = 10;

/// A code to scan.
pub fn scan(canvas: &mut Canvas, qr: &Qr, left: Countdown, maybe_full: bool, look: &Look) {
    let Some(placement) = qr.place(&look.glass) else {
        canvas.fault("a code without a place");
        return;
    };
    qr.draw(canvas, placement.code);
    let glass = canvas.area();
    match placement.beside {
        None if look.glass.countdown && canvas.blended() => edge(canvas, glass, left),
        None => {}
        Some(beside) => words(canvas, beside, left, maybe_full, look),
    }
}

/// What to do, and how long there is for it, beside the code.
fn words(canvas: &mut Canvas, beside: Area, left: Countdown, maybe_full: bool, look: &Look) {
    let shares = Shares::of(canvas.area());
    let texts = look.language.texts();
    let upright = beside.h * 2 > beside.w;
    let margin = (shares.margin / 2).max(2);
    let inner = if upright {
        // The quiet zone is the code's own: no margin is needed towards it.
        Area::new(
            beside.x,
            beside.y + shares.margin,
            beside.w - margin,
            beside.h - 2 * shares.margin,
        )
    } else {
        Area::new(
            beside.x + margin,
            beside.y,
            beside.w - 2 * margin,
            beside.h - margin,
        )
    };
    let (clock, text) = match (look.glass.countdown, upright) {
        (false, _) => (None, inner),
        (true, true) => {
            let (text, clock) = inner.split_bottom((inner.h * 38 / 100).min(inner.w));
            // Four lines of words would touch the ring.
            (Some(clock), text.split_bottom(margin).0)
        }
        (true, false) => {
            let (clock, text) = inner.split_left(inner.h);
            (
                Some(clock),
                Area::new(text.x + margin, text.y, text.w - margin, text.h),
            )
        }
    };
    if let Some(clock) = clock {
        dial(canvas, clock, left);
    }
    let (first, second) = text.split_top(text.h / 2);
    let (low, high) = (Along::Bottom, Along::Top);
    let style = Style::bold(shares.body, PRINT)
        .lines(4)
        .at(Across::Left, low);
    canvas.paragraph(first, texts.scan, &style);
    let style = Style::regular(shares.body, soft(canvas))
        .lines(4)
        .at(Across::Left, high);
    let text = match maybe_full {
        true => texts.maybe_full,
        false => texts.scan_where,
    };
    canvas.paragraph(second, text, &style);
}

/// A ring with the seconds in it, on light ground.
fn dial(canvas: &mut Canvas, area: Area, left: Countdown) {
    let (lit, unlit) = match (canvas.blended(), left.seconds <= HURRY) {
        (false, _) => (PRINT, PRINT),
        (true, false) => (Rgb888::new(0, 148, 108), Rgb888::new(222, 228, 234)),
        (true, true) => (Rgb888::new(214, 110, 0), Rgb888::new(222, 228, 234)),
    };
    let ring = area.square(i32::MAX);
    canvas.ring(ring, share(left), lit, unlit);
    let style = Style::bold(ring.h * 34 / 100, PRINT).at(Across::Middle, Along::Middle);
    canvas.paragraph(ring.inset(ring.h / 6), &left.seconds.to_string(), &style);
}

/// A thin line around the glass that grows shorter, clockwise from the top left: at the very
/// edge, pale, so that the ground around the code stays light.
fn edge(canvas: &mut Canvas, glass: Area, left: Countdown) {
    let colour = if left.seconds <= HURRY {
        PALE_WARN
    } else {
        PALE_GOOD
    };
    let thick = (glass.w.min(glass.h) / 120).max(1);
    let around = 2 * (glass.w + glass.h);
    let mut length = (around as f32 * share(left)) as i32;
    let mut take = |most: i32| {
        let part = length.clamp(0, most);
        length -= part;
        part
    };
    let (top, right) = (take(glass.w), take(glass.h));
    let (bottom, side) = (take(glass.w), take(glass.h));
    let (end, floor) = (glass.right(), glass.bottom());
    canvas.fill(Area::new(glass.x, glass.y, top, thick), colour);
    canvas.fill(Area::new(end - thick, glass.y, thick, right), colour);
    canvas.fill(
        Area::new(end - bottom, floor - thick, bottom, thick),
        colour,
    );
    canvas.fill(Area::new(glass.x, floor - side, thick, side), colour);
}

/// A code of eight letters, what to do with it, and beside the words the box's own page to scan, where
/// there is room for it.
pub fn letters(
    canvas: &mut Canvas,
    says: &Says,
    code: &str,
    left: Countdown,
    page: Option<&Qr>,
    look: &Look,
) {
    let glass = canvas.area();
    let shares = Shares::of(glass);
    let theme = canvas.theme();
    let roomy = glass.h >= 110;
    let least = look.glass.least_module;
    if let Some(page) = page.filter(|_| !roomy)
        && let Some(words) = page.draw_beside(canvas, glass, least)
    {
        // The page takes the whole height, or nothing: the letters stand below one another.
        let (head, letters) = words.inset_xy(shares.margin, 2).split_top(words.h * 2 / 5);
        let style = Style::regular(shares.body, theme.soft).lines(2);
        canvas.paragraph(head, says.head, &style);
        let style = Style::bold(letters.h / 2, theme.ink)
            .lines(2)
            .at(Across::Left, Along::Middle);
        canvas.paragraph(letters, &grouped(code).replace('-', " "), &style);
        return;
    }
    let height = if roomy {
        glass.h * 28 / 100
    } else {
        glass.h * 26 / 100
    };
    let rest = band(canvas, glass, height, Severity::Ask, says.head);
    let rest = if look.glass.countdown && roomy {
        let bar = Area::new(rest.x, rest.y, rest.w, (glass.h / 48).max(2));
        canvas.fill(bar, theme.line);
        let lit = (bar.w as f32 * share(left)) as i32;
        let colour = if left.seconds <= HURRY {
            PALE_WARN
        } else {
            theme.ink
        };
        canvas.fill(bar.split_left(lit).0, colour);
        rest.split_top(bar.h).1
    } else {
        rest
    };
    let inner = rest.inset_xy(shares.margin, (shares.margin / 3).max(1));
    let beside = page.and_then(|page| {
        if glass.w >= glass.h * 3 / 2 {
            let words = page.draw_beside(canvas, inner, least)?;
            return Some(words.split_top(words.h * 45 / 100));
        }
        let (letters, body) = inner.split_top(inner.h * 42 / 100);
        let words = page.draw_beside(canvas, body, least)?;
        Some((letters, words))
    });
    let (letters, body) = beside.unwrap_or_else(|| inner.split_top(inner.h * 56 / 100));
    let style = Style::bold(glass.w * 20 / 100, theme.ink).at(Across::Middle, Along::Middle);
    canvas.paragraph(letters, &grouped(code), &style);
    let style = Style::regular(shares.body, theme.soft)
        .lines(7)
        .at(Across::Left, Along::Middle);
    canvas.paragraph(body, says.body, &style);
}

/// Two groups of four, as the phone asks for them.
fn grouped(code: &str) -> String {
    let letters: Vec<char> = code.chars().filter(|c| c.is_alphanumeric()).collect();
    let (first, second) = letters.split_at(letters.len() / 2);
    format!(
        "{}-{}",
        first.iter().collect::<String>(),
        second.iter().collect::<String>()
    )
}

fn share(left: Countdown) -> f32 {
    (left.seconds as f32 / left.of.max(1) as f32).clamp(0.0, 1.0)
}

fn soft(canvas: &Canvas) -> Rgb888 {
    if canvas.blended() { SOFT_PRINT } else { PRINT }
}
