//! The screen of a linked box: a word, a number, the latest message, how busy it is. What a person
//! should know beside the link takes the message's place.

use super::super::Today;
use super::super::area::Area;
use super::super::canvas::Canvas;
use super::super::fit::{Across, Along, Style};
use super::super::screen::{Last, Online, Warning};
use super::super::text::Texts;
use super::super::theme::Severity;
use super::{Shares, band};

/// Linked: the word, the number, and how busy it is.
pub fn glance(canvas: &mut Canvas, online: &Online, texts: &Texts) {
    let glass = canvas.area();
    let shares = Shares::of(glass);
    let theme = canvas.theme();
    let severity = match online.warning {
        Some(_) => Severity::Warn,
        None => Severity::Good,
    };
    let roomy = glass.h >= 110;
    let height = if roomy {
        glass.h * 25 / 100
    } else {
        shares.band
    };
    let rest = band(canvas, glass, height, severity, texts.online);
    let inner = rest.inset_xy(shares.margin, (shares.margin / 2).max(2));

    let (share, first) = if roomy { (36, 56) } else { (74, 46) };
    let (who, below) = inner.split_top(inner.h * share / 100);
    let (number, name) = who.split_top(who.h * first / 100);
    let style = Style::bold(shares.head * 9 / 10, theme.ink).at(Across::Left, Along::Middle);
    canvas.paragraph(number, &online.number, &style);
    let style = Style::regular(shares.body, theme.soft)
        .foreign()
        .at(Across::Left, Along::Middle);
    canvas.paragraph(name, &online.name, &style);

    let warning = online.warning.map(|warning| match warning {
        Warning::StoreSetAside => texts.store_set_aside,
        Warning::SendingLimited => texts.sending_limited,
        Warning::PhoneUnseen => texts.phone_unseen,
    });
    if !roomy {
        let line = match warning {
            Some(warning) => warning.to_owned(),
            None if online.listens => texts.listens.to_owned(),
            None => match online.today {
                Some(today) => received(today, texts),
                None => String::new(),
            },
        };
        let style = Style::regular(shares.small, theme.ink).at(Across::Left, Along::Bottom);
        canvas.paragraph(below, &line, &style);
        return;
    }

    let (middle, counters) = below.split_bottom((glass.h * 12 / 100).max(12));
    let rule = Area::new(middle.x, middle.y, middle.w, (glass.h / 200).max(1));
    canvas.fill(rule, theme.line);
    let middle = middle.inset_xy(0, (shares.margin / 4).max(1));
    latest(canvas, middle, warning, online.last.as_ref(), texts);
    let rule = Area::new(counters.x, counters.y, counters.w, (glass.h / 200).max(1));
    canvas.fill(rule, theme.line);
    if online.listens {
        // In place of the counters: how many this box answered is not what anybody asks it.
        let style =
            Style::bold((shares.small * 5 / 6).max(8), theme.ink).at(Across::Left, Along::Middle);
        canvas.paragraph(counters, texts.listens, &style);
        return;
    }
    let Some(today) = online.today else { return };
    // Both counts want the width of four words.
    let text = match glass.w {
        ..200 => received(today, texts),
        _ => {
            let answered = compact(today.answered);
            format!("{}, {answered} {}", received(today, texts), texts.answered)
        }
    };
    let style =
        Style::regular((shares.small * 3 / 4).max(8), theme.soft).at(Across::Left, Along::Middle);
    canvas.paragraph(counters, &text, &style);
}

fn received(today: Today, texts: &Texts) -> String {
    let count = compact(today.received);
    format!("{}: {count} {}", texts.today, texts.received)
}

/// The latest message, or what is more important than that.
fn latest(
    canvas: &mut Canvas,
    area: Area,
    warning: Option<&str>,
    last: Option<&Last>,
    texts: &Texts,
) {
    let shares = Shares::of(canvas.area());
    let theme = canvas.theme();
    let (text, style) = match (warning, last) {
        (Some(warning), _) => (
            warning,
            Style::bold(shares.body, theme.band(Severity::Warn).0),
        ),
        (None, None) => (texts.no_messages, Style::regular(shares.body, theme.soft)),
        (None, Some(last)) => {
            let cap = (shares.small * 5 / 6).max(8);
            let (head, text) = area.split_top(area.h * 34 / 100);
            let mut from = head;
            if let Some(time) = &last.time {
                let style = Style::regular(cap, theme.soft).at(Across::Right, Along::Middle);
                let (rest, clock) = head.split_left(head.w * 3 / 4);
                canvas.paragraph(clock, time, &style);
                from = rest;
            }
            let style = Style::bold(cap, theme.soft)
                .foreign()
                .at(Across::Left, Along::Middle);
            canvas.paragraph(from, &last.from, &style);
            let style = Style::regular(shares.body, theme.ink)
                .foreign()
                .lines(2)
                .at(Across::Left, Along::Top);
            canvas.paragraph(text, &last.text, &style);
            return;
        }
    };
    let style = style.lines(2).at(Across::Left, Along::Middle);
    canvas.paragraph(area, text, &style);
}

/// A number that is read at a glance: exact up to four digits, rounded down beyond.
fn compact(number: u64) -> String {
    match number {
        0..10_000 => number.to_string(),
        10_000..1_000_000 => format!("{}k", number / 1000),
        _ => format!("{}M", number / 1_000_000),
    }
}
