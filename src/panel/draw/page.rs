//! The pages behind a press: a heading and a few lines, each a label and a value.

use super::super::area::Area;
use super::super::canvas::Canvas;
use super::super::fit::{Across, Along, Fitted, Style, fit};
use super::super::screen::{Happened, Label, Row, Screen, Value};
use super::super::text::{Language, Texts, fill};
use super::super::theme::Severity;
use super::{Look, Shares, heading};
use crate::host::Kind;

/// As rules of thumb of those who plan Wi-Fi have it: -67 dBm carries a voice, and below -75 links
/// begin to drop.
const SIGNAL: (i16, i16) = (-67, -75);

/// A page of lines. `long`: its values want a line of their own where there is room for it.
pub fn rows(canvas: &mut Canvas, head: &str, rows: &[Row], long: bool, texts: &Texts) {
    let glass = canvas.area();
    let shares = Shares::of(glass);
    let theme = canvas.theme();
    let mut left = headed(canvas, head);
    let count = i32::try_from(rows.len()).unwrap_or(i32::MAX).max(1);
    let height = (left.h / count).min(glass.h / 5);
    let stacked = long && height * 2 >= shares.body * 5;
    for row in rows {
        let (line, below) = left.split_top(height);
        left = below;
        let label = label(row.label, texts);
        let value = value(&row.value, texts);
        // What others have named may be shortened; a shortened number or address is none.
        let written = |style: Style| match row.label {
            Label::Name | Label::Board | Label::Connection => style.foreign(),
            Label::Address | Label::Serial => style.lines(2),
            _ => style,
        };
        if stacked {
            let (what, which) = line.split_top(line.h * 42 / 100);
            let cap = (shares.small * 3 / 4).max(8);
            let style = Style::regular(cap, theme.soft).at(Across::Left, Along::Middle);
            canvas.paragraph(what, label, &style);
            let style = Style::bold(shares.body, theme.ink).at(Across::Left, Along::Top);
            canvas.paragraph(which, &value, &written(style));
            continue;
        }
        let what = Style::regular(shares.small, theme.soft).at(Across::Left, Along::Middle);
        let (left, _) = line.split_left(line.w * 60 / 100);
        let fitted = fit(label, left.w, left.h, &what, canvas.blended());
        let taken = fitted.map_or(0, |fitted| fitted.width()) + shares.margin;
        let style = written(Style::bold(shares.body, theme.ink).at(Across::Right, Along::Middle));
        let (_, which) = line.split_left(taken);
        let whole = matches!(row.label, Label::Address | Label::Serial);
        if whole && fit(&value, which.w, which.h, &style, canvas.blended()).is_none() {
            // Such a value needs no label to be known by.
            canvas.paragraph(line, &value, &style);
            continue;
        }
        canvas.paragraph(left, label, &what);
        canvas.paragraph(which, &value, &style);
    }
}

fn label(label: Label, texts: &Texts) -> &'static str {
    match label {
        Label::State => texts.state,
        Label::Number => texts.number,
        Label::Name => texts.name,
        Label::Since => texts.since,
        Label::Devices => texts.devices,
        Label::Last => texts.last,
        Label::Received => texts.received_today,
        Label::Answered => texts.answered_today,
        Label::Pending => texts.pending,
        Label::Failed => texts.failed,
        Label::Connection => texts.connection,
        Label::Address => texts.address,
        Label::Signal => texts.signal,
        Label::Version => texts.version,
        Label::Board => texts.board,
        Label::Serial => texts.serial,
        Label::Licence => texts.licence,
    }
}

fn value(value: &Value, texts: &Texts) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Taken(taken) => fill(texts.taken, &taken.to_string()),
        Value::Heading(screen) => heading(screen, texts).to_owned(),
        Value::Today(Some(count)) => count.to_string(),
        Value::Today(None) => texts.no_day.to_owned(),
        Value::Way(None) => texts.no_network.to_owned(),
        Value::Way(Some((kind, interface))) => {
            let way = match kind {
                Kind::Wifi => texts.wifi,
                Kind::Cable => texts.cable,
                Kind::Mobile => texts.mobile,
                Kind::Other => texts.other_way,
            };
            fill(way, interface)
        }
        Value::Address(Some(address)) => breakable(&address.to_string()),
        Value::Address(None) | Value::Signal(None) => texts.untold.to_owned(),
        Value::Signal(Some(dbm)) => {
            let how = match *dbm {
                dbm if dbm >= SIGNAL.0 => texts.signal_good,
                dbm if dbm >= SIGNAL.1 => texts.signal_fair,
                _ => texts.signal_weak,
            };
            fill(how, &dbm.to_string())
        }
    }
}

/// A long address in two halves: it breaks where there is a blank.
fn breakable(address: &str) -> String {
    const LONG: usize = 22;
    let middle = address.char_indices().filter(|(_, c)| *c == ':').nth(3);
    match middle.filter(|_| address.len() > LONG) {
        Some((at, _)) => format!("{} {}", &address[..=at], &address[at + 1..]),
        None => address.to_owned(),
    }
}

/// A linked box on a glass that wears out: the dots that are lit are few, and others every time.
pub fn asleep(canvas: &mut Canvas, place: u8, warned: bool, texts: &Texts) {
    let glass = canvas.area();
    let shares = Shares::of(glass);
    let theme = canvas.theme();
    // Neighbours in time are far apart on the glass: two columns, half as many rows as places.
    let rows = i32::from(Screen::PLACES / 2);
    let place = i32::from(place % Screen::PLACES);
    let (column, row) = (place % 2, place * 3 / 2 % rows);
    let inner = glass.inset(shares.margin / 2);
    let (w, h) = (inner.w / 2, inner.h / rows);
    let spot = Area::new(inner.x + column * w, inner.y + row * h, w, h);
    let side = (spot.h * 2 / 3).min(shares.body * 3 / 2);
    let (shape, words) = spot.split_left(side);
    let severity = match warned {
        true => Severity::Warn,
        false => Severity::Good,
    };
    canvas.emblem(shape.square(side), severity, theme.soft, theme.ground);
    let words = Area::new(words.x + 4, words.y, words.w - 4, words.h);
    let style = Style::regular(shares.body, theme.soft).at(Across::Left, Along::Middle);
    canvas.paragraph(words, texts.online, &style);
}

/// What became of the link, all lines in letters of one size: the eye compares them.
pub fn events(canvas: &mut Canvas, happened: &[Happened], look: &Look) {
    const LINES: i32 = 5;
    /// Below it there is no room for counts, and hardly any for times.
    const WIDE: i32 = 200;
    let shares = Shares::of(canvas.area());
    let theme = canvas.theme();
    let narrow = canvas.area().w < WIDE;
    let mut left = headed(canvas, look.language.texts().events);
    let height = left.h / LINES;
    let lines: Vec<_> = happened
        .iter()
        .map(|happened| {
            let what = match look.language {
                Language::Es => happened.what.es(),
                Language::En => happened.what.en(),
            };
            let what = match happened.times {
                times if times > 1 && !narrow => format!("{what} ×{}", times.min(99)),
                _ => what.to_owned(),
            };
            (happened.when.clone().unwrap_or_default(), what)
        })
        .collect();
    let time = Style::regular(shares.small, theme.soft).at(Across::Right, Along::Middle);
    let words = Style::bold(shares.body, theme.ink).at(Across::Left, Along::Middle);
    let whens: Vec<_> = lines.iter().map(|(when, _)| when.as_str()).collect();
    let whats: Vec<_> = lines.iter().map(|(_, what)| what.as_str()).collect();
    // On narrow glass the times take the smallest letters where that leaves the words larger ones.
    let mut sized = [time.cap, 0].into_iter().filter_map(|cap| {
        let (time, column) = alike(canvas, &whens, left.w, height, Style { cap, ..time })?;
        let room = left.w - column - shares.margin.max(4);
        let (words, _) = alike(canvas, &whats, room, height, words)?;
        let cap = time.cap.min(words.cap);
        Some((Style { cap, ..time }, words, room))
    });
    let sized = if narrow {
        sized.rev().max_by_key(|(_, words, _)| words.cap)
    } else {
        sized.next()
    };
    let (time, words, room) = sized.unwrap_or((time, words, left.w));
    for (when, what) in &lines {
        let (line, below) = left.split_top(height);
        left = below;
        let (area, _) = line.split_left(room);
        canvas.paragraph(area, what, &words);
        canvas.paragraph(line, when, &time);
    }
}

/// The style in which all these texts fit in lines of `w` by `h`, and the width they take.
fn alike(canvas: &Canvas, texts: &[&str], w: i32, h: i32, style: Style) -> Option<(Style, i32)> {
    let fitted = |style: &Style| -> Option<Vec<_>> {
        let all = texts.iter().filter(|text| !text.is_empty());
        all.map(|text| fit(text, w, h, style, canvas.blended()))
            .collect()
    };
    let caps = fitted(&style)?.iter().map(Fitted::cap).min();
    let style = Style {
        cap: caps.unwrap_or(style.cap),
        ..style
    };
    let widths = fitted(&style)?.iter().map(Fitted::width).max();
    Some((style, widths.unwrap_or(0)))
}

/// A page's heading, with a rule below it; returns what is left of the glass.
fn headed(canvas: &mut Canvas, head: &str) -> Area {
    let glass = canvas.area();
    let shares = Shares::of(glass);
    let theme = canvas.theme();
    let (top, rest) = glass.split_top(shares.band * 2 / 3);
    let style = Style::bold(shares.head * 9 / 10, theme.ink).at(Across::Left, Along::Middle);
    canvas.paragraph(top.inset_xy(shares.margin, 1), head, &style);
    let left = rest.inset_xy(shares.margin, (shares.margin / 2).max(1));
    let rule = Area::new(left.x, top.bottom() - 1, left.w, (glass.h / 200).max(1));
    canvas.fill(rule, theme.line);
    left
}
