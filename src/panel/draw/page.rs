//! The pages behind a press: a heading and a few lines, each a label and a value.

use super::super::area::Area;
use super::super::canvas::Canvas;
use super::super::fit::{Across, Along, Fitted, Style, fit};
use super::super::screen::{Happened, Label, Row, Value};
use super::super::text::{Language, Texts, fill};
use super::{Look, Shares, heading};

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
        let label = match row.label {
            Label::State => texts.state,
            Label::Number => texts.number,
            Label::Name => texts.name,
            Label::Since => texts.since,
            Label::Devices => texts.devices,
            Label::Last => texts.last,
            Label::Received => texts.received,
            Label::Answered => texts.answered,
            Label::Pending => texts.pending,
            Label::Failed => texts.failed,
            Label::Version => texts.version,
            Label::Board => texts.board,
            Label::Licence => texts.licence,
        };
        let value = match &row.value {
            Value::Text(text) => text.clone(),
            Value::Taken(taken) => fill(texts.taken, &taken.to_string()),
            Value::Heading(screen) => heading(screen, texts).to_owned(),
        };
        if stacked {
            let (what, which) = line.split_top(line.h * 42 / 100);
            let cap = (shares.small * 3 / 4).max(8);
            let style = Style::regular(cap, theme.soft).at(Across::Left, Along::Middle);
            canvas.paragraph(what, label, &style);
            let style = Style::bold(shares.body, theme.ink)
                .foreign()
                .at(Across::Left, Along::Top);
            canvas.paragraph(which, &value, &style);
            continue;
        }
        let style = Style::regular(shares.small, theme.soft).at(Across::Left, Along::Middle);
        let (what, _) = line.split_left(line.w * 60 / 100);
        let taken = canvas.paragraph(what, label, &style) + shares.margin;
        let style = Style::bold(shares.body, theme.ink)
            .foreign()
            .at(Across::Right, Along::Middle);
        let (_, which) = line.split_left(taken);
        canvas.paragraph(which, &value, &style);
    }
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
