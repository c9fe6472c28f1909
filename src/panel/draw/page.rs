//! The pages behind a press: a heading and a few lines, each a label and a value.

use super::super::area::Area;
use super::super::canvas::Canvas;
use super::super::fit::{Across, Along, Style};
use super::super::screen::{Label, Row, Value};
use super::super::text::{Texts, fill};
use super::{Shares, heading};

/// A page of lines. `long`: its values want a line of their own where there is room for it.
pub fn rows(canvas: &mut Canvas, head: &str, rows: &[Row], long: bool, texts: &Texts) {
    let glass = canvas.area();
    let shares = Shares::of(glass);
    let theme = canvas.theme();
    let (top, rest) = glass.split_top(shares.band * 2 / 3);
    let head_style = Style::bold(shares.head * 9 / 10, theme.ink).at(Across::Left, Along::Middle);
    canvas.paragraph(top.inset_xy(shares.margin, 1), head, &head_style);
    let mut left = rest.inset_xy(shares.margin, (shares.margin / 2).max(1));
    let count = i32::try_from(rows.len()).unwrap_or(i32::MAX).max(1);
    let height = (left.h / count).min(glass.h / 5);
    let stacked = long && height * 2 >= shares.body * 5;
    let rule = Area::new(left.x, top.bottom() - 1, left.w, (glass.h / 200).max(1));
    canvas.fill(rule, theme.line);
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
