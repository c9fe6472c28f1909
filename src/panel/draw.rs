//! From a screen to a picture. Pure: the same screen and look give the same pixels. Layout is
//! cutting the glass up by shares of its size; nothing here knows a particular panel.

use embedded_graphics::pixelcolor::Rgb888;

use super::area::Area;
use super::canvas::Canvas;
use super::fit::{Across, Along, Style};
use super::model::Picture;
use super::screen::Screen;
use super::text::{Language, Says, Texts, fill};
use super::theme::{PALE_TOUCH, Severity};
use crate::hardware::{Frame, Glass};
use crate::session::link::{LinkTrouble, Remover, StopReason};

mod code;
mod online;
mod page;

/// The glass a screen is drawn for, and the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// What it is shown on.
    pub glass: Glass,
    /// The words.
    pub language: Language,
}

/// A picture, and everything that did not fit on it. The list is empty unless a layout is wrong.
#[derive(Debug)]
pub struct Drawn {
    /// The picture.
    pub frame: Frame,
    /// What fell off or found no room.
    pub faults: Vec<String>,
}

/// Draws a picture: a screen, and a frame around it while the button is down, so that a finger
/// is felt at once. Around a code it is so light that a scanner takes it for ground; where a dot
/// can only be black or white there is none.
pub fn draw_picture(picture: &Picture, look: &Look) -> Drawn {
    paint(&picture.screen, look, picture.touched)
}

/// Draws a screen.
pub fn draw(screen: &Screen, look: &Look) -> Drawn {
    paint(screen, look, false)
}

fn paint(screen: &Screen, look: &Look, touched: bool) -> Drawn {
    let mut canvas = Canvas::new(look.glass.size, look.glass.depth);
    let texts = look.language.texts();
    let glass = canvas.area();
    match screen {
        Screen::Starting => splash(&mut canvas, texts),
        Screen::Linking {
            qr,
            left,
            maybe_full,
        } => code::scan(&mut canvas, qr, *left, *maybe_full, look),
        Screen::PairingCode { code, left, page } => {
            let says = &texts.pairing_code;
            code::letters(&mut canvas, says, code, *left, page.as_ref(), look);
        }
        Screen::PasskeyCode { code, left } => {
            code::letters(&mut canvas, &texts.passkey_code, code, *left, None, look);
        }
        Screen::Online(online) => online::glance(&mut canvas, online, texts),
        Screen::Asleep { place, warned } => page::asleep(&mut canvas, *place, *warned, texts),
        Screen::Status(rows) => page::rows(&mut canvas, texts.status, rows, true, texts),
        Screen::Messages(rows) => page::rows(&mut canvas, texts.messages, rows, false, texts),
        Screen::Network(rows) => page::rows(&mut canvas, texts.network, rows, true, texts),
        Screen::Events(happened) => page::events(&mut canvas, happened, look),
        Screen::About(rows) => page::rows(&mut canvas, texts.about, rows, false, texts),
        Screen::Hold { fiftieths, seconds } => {
            hold(&mut canvas, f32::from(*fiftieths) / 50.0, *seconds, texts);
        }
        _ => {
            if let Some((severity, says)) = message(screen, texts) {
                let body = body(screen, says, texts);
                notice(&mut canvas, glass, severity, says.head, &body, says.hint);
            }
        }
    }
    let code = matches!(screen, Screen::Linking { .. });
    if touched && (!code || canvas.blended()) {
        let ink = match code {
            true => PALE_TOUCH,
            false => canvas.theme().ink,
        };
        let thick = (glass.w.min(glass.h) / 60).max(1);
        let (top, rest) = glass.split_top(thick);
        let (rest, bottom) = rest.split_bottom(thick);
        let (left, rest) = rest.split_left(thick);
        let (_, right) = rest.split_left(rest.w - thick);
        for edge in [top, bottom, left, right] {
            canvas.fill(edge, ink);
        }
    }
    let (mut frame, faults) = canvas.finish();
    frame.screen = screen.name();
    frame.calm = matches!(screen, Screen::Online(_) | Screen::Asleep { .. });
    let typed = matches!(
        screen,
        Screen::PairingCode { .. } | Screen::PasskeyCode { .. }
    );
    frame.secret = code || typed;
    Drawn { frame, faults }
}

/// The screens that are a word, a sentence and a colour; `None` for those drawn otherwise.
fn message<'t>(screen: &Screen, texts: &'t Texts) -> Option<(Severity, &'t Says)> {
    Some(match screen {
        Screen::Starting => (Severity::Busy, &texts.starting),
        Screen::WaitingNetwork => (Severity::Warn, &texts.waiting_network),
        Screen::WaitingTime => (Severity::Busy, &texts.waiting_time),
        Screen::Connecting { again: false } => (Severity::Busy, &texts.connecting),
        Screen::Connecting { again: true } => (Severity::Warn, &texts.connecting_again),
        Screen::Preparing => (Severity::Ask, &texts.preparing),
        Screen::TooSmall => (Severity::Warn, &texts.too_small),
        Screen::Expired => (Severity::Warn, &texts.expired),
        Screen::PhoneFull => (Severity::Ask, &texts.phone_full),
        Screen::Trouble(LinkTrouble::NotMultidevice) => (Severity::Warn, &texts.not_multidevice),
        Screen::PasskeyWanted => (Severity::Ask, &texts.passkey_wanted),
        Screen::PasskeyChecking => (Severity::Busy, &texts.passkey_checking),
        Screen::PasskeyCode { .. } => (Severity::Ask, &texts.passkey_code),
        Screen::Trouble(LinkTrouble::PasskeyRefused) => (Severity::Bad, &texts.passkey_refused),
        Screen::Trouble(LinkTrouble::PasskeyLate) => (Severity::Warn, &texts.passkey_late),
        Screen::Trouble(LinkTrouble::Refused) => (Severity::Warn, &texts.refused),
        Screen::Resting => (Severity::Ask, &texts.resting),
        Screen::Conflict { .. } => (Severity::Warn, &texts.conflict),
        Screen::Unlinked { by, .. } => match by {
            Remover::Owner => (Severity::Ask, &texts.unlinked),
            Remover::Untold => (Severity::Ask, &texts.unlinked_untold),
        },
        Screen::Locked => (Severity::Bad, &texts.locked),
        Screen::Banned { .. } => (Severity::Bad, &texts.banned),
        Screen::Outdated => (Severity::Bad, &texts.outdated),
        Screen::RateLimited { .. } => (Severity::Warn, &texts.rate_limited),
        Screen::Stopped(StopReason::Refused(_)) => (Severity::Bad, &texts.stopped_refused),
        Screen::Stopped(StopReason::MarkedDirectory) => (Severity::Bad, &texts.stopped_marked),
        Screen::Stopped(StopReason::ProductionNumber) => (Severity::Bad, &texts.stopped_production),
        Screen::Stopped(StopReason::NoRoom) => (Severity::Bad, &texts.card_full),
        Screen::Resetting => (Severity::Busy, &texts.resetting),
        Screen::Stuck => (Severity::Warn, &texts.stuck),
        Screen::CardFault => (Severity::Bad, &texts.card_fault),
        Screen::PairingCode { .. } => (Severity::Ask, &texts.pairing_code),
        Screen::Linking { .. }
        | Screen::Online(_)
        | Screen::Asleep { .. }
        | Screen::Status(_)
        | Screen::Messages(_)
        | Screen::Network(_)
        | Screen::Events(_)
        | Screen::About(_)
        | Screen::Hold { .. } => return None,
    })
}

/// The sentence, with the value it carries.
fn body(screen: &Screen, says: &Says, texts: &Texts) -> String {
    match screen {
        Screen::Conflict { until: Some(time) } => fill(texts.conflict_until, time),
        Screen::Unlinked { at: Some(time), .. } => {
            format!("{} {}", says.body, fill(texts.happened_at, time))
        }
        Screen::Banned { until: Some(time) } => fill(texts.banned_until, time),
        Screen::RateLimited { until: Some(time) } => fill(texts.rate_limited_until, time),
        Screen::Stopped(StopReason::Refused(code)) => fill(says.body, &code.to_string()),
        _ => says.body.to_owned(),
    }
}

/// A screen's heading, for a line of the status page.
fn heading(screen: &Screen, texts: &Texts) -> &'static str {
    match (screen, message(screen, texts)) {
        (Screen::Online(_), _) => texts.online,
        (_, Some((_, says))) => says.head,
        (_, None) => "",
    }
}

/// The shares of the glass that every screen uses.
struct Shares {
    /// Free room at the edges.
    margin: i32,
    /// Height of the coloured band.
    band: i32,
    /// Capitals of a heading.
    head: i32,
    /// Capitals of a sentence.
    body: i32,
    /// Capitals of what is read last.
    small: i32,
}

impl Shares {
    fn of(glass: Area) -> Self {
        let unit = glass.w.min(glass.h * 5 / 4);
        Self {
            margin: (unit / 18).max(3),
            band: (glass.h * 34 / 100).max(18),
            head: (unit * 13 / 100).max(8),
            body: (unit * 7 / 100).max(8),
            small: (unit * 6 / 100).max(8),
        }
    }
}

/// The coloured band at the top: a shape and one to three words.
fn band(canvas: &mut Canvas, glass: Area, height: i32, severity: Severity, head: &str) -> Area {
    let shares = Shares::of(glass);
    let (ground, ink) = canvas.theme().band(severity);
    let (band, rest) = glass.split_top(height);
    canvas.fill(band, ground);
    let inner = band.inset_xy(shares.margin, (shares.margin / 2).max(2));
    let side = (inner.h * 62 / 100).clamp(inner.h.min(11), inner.w / 4);
    let (shape, words) = inner.split_left(side);
    canvas.emblem(shape, severity, ink, ground);
    let gap = (shares.margin * 3 / 4).max(3);
    let words = Area::new(words.x + gap, words.y, words.w - gap, words.h);
    let style = Style::bold(shares.head.min((inner.h * 62 / 100).max(8)), ink)
        .lines(2)
        .at(Across::Left, Along::Middle);
    canvas.paragraph(words, head, &style);
    rest
}

/// A word, a sentence, a colour and perhaps what a press does.
fn notice(
    canvas: &mut Canvas,
    glass: Area,
    severity: Severity,
    head: &str,
    body: &str,
    hint: &str,
) {
    let shares = Shares::of(glass);
    let rest = band(canvas, glass, shares.band, severity, head);
    let theme = canvas.theme();
    let mut inner = rest.inset_xy(shares.margin, (shares.margin / 2).max(2));
    if !hint.is_empty() {
        let (above, foot) = inner.split_bottom((glass.h * 15 / 100).max(12));
        press_hint(canvas, foot, hint, shares.small + 1);
        inner = above;
    }
    let style = Style::regular(shares.body + shares.body / 4, theme.ink)
        .lines(6)
        .at(Across::Left, Along::Middle);
    // A text that fills its room looks cut off; small glass has no room to give.
    let air = (glass.h - 100).max(0) / 30;
    canvas.paragraph(inner.inset_xy(0, air), body, &style);
}

/// What a press does, beside the picture of a button.
fn press_hint(canvas: &mut Canvas, area: Area, hint: &str, cap: i32) {
    let theme = canvas.theme();
    let (accent, _) = theme.band(Severity::Warn);
    let side = (cap * 3 / 2).min(area.h);
    let (dot, words) = area.split_left(side);
    let dot = dot.square(side);
    canvas.emblem(dot, Severity::Ask, accent, theme.ground);
    let gap = (side / 2).max(3);
    let words = Area::new(words.x + gap, words.y, words.w - gap, words.h);
    let style = Style::bold(cap, accent).at(Across::Left, Along::Middle);
    canvas.paragraph(words, hint, &style);
}

/// The first picture: the sign and the name.
fn splash(canvas: &mut Canvas, texts: &Texts) {
    let glass = canvas.area();
    let shares = Shares::of(glass);
    let theme = canvas.theme();
    let inner = glass.inset(shares.margin);
    let (sign, words) = inner.split_top(inner.h * 52 / 100);
    let (left, right) = match canvas.blended() {
        true => (Rgb888::new(0, 190, 140), Rgb888::new(60, 150, 255)),
        false => (theme.ink, theme.ink),
    };
    let sign = sign.inset_xy(0, sign.h / 10);
    canvas.links(sign, left, right, theme.ground);
    let (name, below) = words.split_top(words.h * 60 / 100);
    let style = Style::bold(shares.head * 5 / 4, theme.ink).at(Across::Middle, Along::Middle);
    canvas.paragraph(name, "vínculo", &style);
    let style = Style::regular(shares.body, theme.soft).at(Across::Middle, Along::Middle);
    canvas.paragraph(below, texts.starting.head, &style);
}

/// The ring that fills while the button is held.
fn hold(canvas: &mut Canvas, part: f32, seconds: u32, texts: &Texts) {
    let glass = canvas.area();
    let shares = Shares::of(glass);
    let theme = canvas.theme();
    let (lit, _) = theme.band(Severity::Warn);
    let inner = glass.inset(shares.margin);
    let wide = glass.w * 3 >= glass.h * 4;
    let (ring, words) = if wide {
        inner.split_left(inner.h.min(inner.w * 45 / 100))
    } else {
        inner.split_top(inner.h * 60 / 100)
    };
    canvas.ring(ring, part, lit, theme.line);
    let number = ring.square(i32::MAX);
    let style = Style::bold(number.h * 36 / 100, theme.ink).at(Across::Middle, Along::Middle);
    canvas.paragraph(number.inset(number.h / 5), &seconds.to_string(), &style);
    let across = if wide { Across::Left } else { Across::Middle };
    let words = if wide {
        Area::new(
            words.x + shares.margin,
            words.y,
            words.w - shares.margin,
            words.h,
        )
    } else {
        words
    };
    let (head, body) = words.split_top(words.h / 2);
    let style = Style::bold(shares.head, theme.ink).at(across, Along::Bottom);
    canvas.paragraph(head, texts.hold.head, &style);
    let style = Style::regular(shares.body, theme.soft)
        .lines(2)
        .at(across, Along::Middle);
    canvas.paragraph(body, texts.hold.body, &style);
}
