//! What is shown, as a pure fold of what is known: states go in, a picture comes out, and the
//! moment at which that picture would change by itself. Nothing here waits, draws or sends; an
//! order is only named for somebody else to carry out.

use std::time::Duration;

use jiff::Zoned;
use tokio::time::Instant;

use super::qr::Qr;
use super::screen::{Last, Online, Screen, Warning};
use super::wall;
use super::{Counters, Notices, Settings};
use crate::hardware::ButtonEvent;
use crate::history;
use crate::host::Network;
use crate::session::link::{Account, Link, Passkey, StopReason};

#[cfg(test)]
mod codes;
mod linking;
mod pages;
#[cfg(test)]
mod tests;

use linking::alive;
use pages::Page;

/// A stuck button is named so long; then the box shows what it is for.
const STUCK_STAYS: Duration = Duration::from_secs(10);
/// Steps of the ring.
const STEPS: u32 = 50;

/// What is to be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Which screen.
    pub screen: Screen,
    /// The button is down: the glass shows that it was felt.
    pub touched: bool,
}

/// What a press asks of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Show a fresh code.
    Link,
    /// Unlink and forget everything.
    Unlink,
    /// Take the session back.
    TakeOver,
    /// The phone shows the same code as the glass.
    ConfirmPasskey,
}

/// See the module's description.
#[derive(Debug)]
pub struct Model {
    settings: Settings,
    link: Link,
    counters: Counters,
    notices: Notices,
    /// The latest first.
    events: Vec<history::Row>,
    /// The address of the box's own page.
    own_page: Option<Qr>,
    /// The code that is shown, with the payload it was made from.
    qr: Option<(String, Qr)>,
    /// A code has been there since linking began.
    had_code: bool,
    /// The code to type is preferred to the one to scan, until linking ends.
    typed: bool,
    /// The page that is turned to, and since when; `None` is the first one, the link's own.
    page: Option<(Page, Instant)>,
    /// How the box is connected, since somebody has looked.
    network: Option<Option<Network>>,
    serial: Option<String>,
    /// That the phone may be full is said until then.
    full_until: Option<Instant>,
    touched: bool,
    holding: Option<(Instant, Instant)>,
    stuck_until: Option<Instant>,
    /// An unlink was ordered and is not done.
    unlinking: bool,
}

impl Model {
    /// Knows nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            typed: settings.prefer_pairing_code,
            own_page: settings.page.as_deref().and_then(Qr::encode),
            settings,
            link: Link::Starting,
            counters: Counters::default(),
            notices: Notices::default(),
            events: Vec::new(),
            qr: None,
            had_code: false,
            page: None,
            network: None,
            serial: None,
            full_until: None,
            touched: false,
            holding: None,
            stuck_until: None,
            unlinking: false,
        }
    }

    /// The link's state has changed.
    pub fn set_link(&mut self, link: Link) {
        let qr = match &link {
            Link::Linking(linking) => linking.qr.as_ref(),
            _ => None,
        };
        match (qr, &self.qr) {
            (Some(code), Some((text, _))) if *text == code.text => {}
            (Some(code), _) => {
                let qr = Qr::to_link(code, &self.settings.glass);
                self.qr = qr.map(|qr| (code.text.clone(), qr));
            }
            // A credential is not kept a moment longer than it is shown.
            (None, _) => self.qr = None,
        }
        self.full_until = self.full_until(&link);
        match &link {
            Link::Linking(linking) => {
                self.had_code |= linking.qr.is_some() || linking.pairing_code.is_some();
            }
            _ => {
                self.had_code = false;
                self.typed = self.settings.prefer_pairing_code;
            }
        }
        if link.name() != self.link.name() {
            self.page = None;
        }
        self.link = link;
    }

    /// The counters have changed.
    pub fn set_counters(&mut self, counters: Counters) {
        self.counters = counters;
    }

    /// The notices have changed.
    pub fn set_notices(&mut self, notices: Notices) {
        self.notices = notices;
    }

    /// Something became of the link.
    pub fn set_events(&mut self, events: Vec<history::Row>) {
        self.events = events;
    }

    /// Somebody has looked how the box is connected.
    pub fn set_network(&mut self, network: Option<Network>) {
        self.network = Some(network);
    }

    /// Which board this is.
    pub fn set_serial(&mut self, serial: Option<String>) {
        self.serial = serial;
    }

    /// An order was carried out, or can no longer be.
    pub fn done(&mut self, action: Action) {
        if action == Action::Unlink {
            self.unlinking = false;
        }
    }

    /// Somebody did something with the button.
    pub fn button(&mut self, event: ButtonEvent, now: Instant) -> Option<Action> {
        match event {
            ButtonEvent::Next => return self.turn(true, now),
            ButtonEvent::Back => return self.turn(false, now),
            _ => {}
        }
        self.touched = matches!(event, ButtonEvent::Down | ButtonEvent::Holding { .. });
        self.holding = None;
        match event {
            ButtonEvent::Down | ButtonEvent::Cancelled => None,
            ButtonEvent::Released => {
                self.stuck_until = None;
                None
            }
            ButtonEvent::Stuck => {
                self.stuck_until = Some(now + STUCK_STAYS);
                None
            }
            ButtonEvent::Holding { since, completes } => {
                self.holding = self.may_unlink().then_some((since, completes));
                None
            }
            ButtonEvent::Held if self.may_unlink() => {
                self.unlinking = true;
                self.page = None;
                Some(Action::Unlink)
            }
            ButtonEvent::Held => None,
            ButtonEvent::Press => self.press(now),
            ButtonEvent::Next | ButtonEvent::Back => None,
        }
    }

    /// Not while it is starting, when there is nothing to ask, nor twice.
    fn may_unlink(&self) -> bool {
        !self.unlinking && !matches!(self.link, Link::Starting | Link::Resetting)
    }

    fn press(&mut self, now: Instant) -> Option<Action> {
        if self.unlinking {
            return None;
        }
        match &self.link {
            Link::Starting | Link::Resetting => None,
            // A lock or a refusal may be over; nobody but a person can tell.
            Link::Resting
            | Link::Unlinked { .. }
            | Link::Locked
            | Link::Stopped {
                reason: StopReason::Refused(_) | StopReason::ProductionNumber,
            } => Some(Action::Link),
            Link::Conflict { .. } => Some(Action::TakeOver),
            Link::Passkey(Passkey::Wanted(_)) => Some(Action::Link),
            Link::Passkey(Passkey::Compare(_)) => Some(Action::ConfirmPasskey),
            // It is on its way; a second press would break it off.
            Link::Passkey(Passkey::Checking { .. }) => None,
            Link::Linking(linking) => {
                let both = self.scannable(linking, now).is_some()
                    && alive(linking.pairing_code.as_ref(), now).is_some();
                let other = both && self.typed == self.settings.prefer_pairing_code;
                self.typed = self.settings.prefer_pairing_code != other;
                self.full_until = None;
                (!other).then_some(Action::Link)
            }
            Link::WaitingNetwork { .. }
            | Link::WaitingTime
            | Link::Connecting { .. }
            | Link::Online(_)
            | Link::Banned { .. }
            | Link::Outdated
            | Link::RateLimited { .. }
            | Link::Stopped {
                reason: StopReason::MarkedDirectory | StopReason::NoRoom,
            } => self.turn(true, now),
        }
    }

    /// What is to be drawn now, and when that changes though nothing happens. `wall` is the time
    /// of day, where it is known.
    pub fn picture(&self, now: Instant, wall: Option<&Zoned>) -> (Picture, Option<Instant>) {
        let (screen, next) = self.screen(now, wall);
        let touched = self.touched;
        (Picture { screen, touched }, next)
    }

    fn screen(&self, now: Instant, wall: Option<&Zoned>) -> (Screen, Option<Instant>) {
        if self.unlinking {
            return (Screen::Resetting, None);
        }
        if let Some((since, completes)) = self.holding {
            return ring(since, completes, now);
        }
        if let Some(until) = self.stuck_until.filter(|until| now < *until) {
            return (Screen::Stuck, Some(until));
        }
        match self.turned_to(now) {
            Some((page, until)) => (self.page(page, now, wall), Some(until)),
            None => self.home(now, wall),
        }
    }

    /// The screen of the link's state.
    fn home(&self, now: Instant, wall: Option<&Zoned>) -> (Screen, Option<Instant>) {
        let screen = match &self.link {
            Link::Starting => Screen::Starting,
            Link::WaitingNetwork { .. } => Screen::WaitingNetwork,
            Link::WaitingTime => Screen::WaitingTime,
            Link::Connecting { failures, .. } => Screen::Connecting {
                again: *failures > 0,
            },
            Link::Linking(linking) => return self.linking(linking, now),
            Link::Passkey(passkey) => return self.passkey(passkey, now),
            Link::Resting => Screen::Resting,
            Link::Online(account) => Screen::Online(Online {
                number: wall::number(&account.number),
                name: account.name.clone(),
                last: self.last(wall),
                today: self.counters.today,
                warning: self.warning(account),
                listens: self.notices.listens,
            }),
            Link::Conflict { next_try } => Screen::Conflict {
                until: next_try.and_then(|next_try| wall::moment(next_try, now, wall)),
            },
            Link::Unlinked { by, at } => Screen::Unlinked {
                by: *by,
                at: wall::moment(*at, now, wall),
            },
            Link::Locked => Screen::Locked,
            Link::Banned { until } => Screen::Banned {
                until: until.and_then(|until| wall::moment(until, now, wall)),
            },
            Link::Outdated => Screen::Outdated,
            Link::RateLimited { next_try } => Screen::RateLimited {
                until: wall::moment(*next_try, now, wall),
            },
            Link::Stopped { reason } => Screen::Stopped(*reason),
            Link::Resetting => Screen::Resetting,
        };
        (screen, None)
    }

    fn warning(&self, account: &Account) -> Option<Warning> {
        if account.phone_unseen.is_some() {
            return Some(Warning::PhoneUnseen);
        }
        match self.notices {
            Notices {
                sending_limited: true,
                ..
            } => Some(Warning::SendingLimited),
            Notices {
                store_set_aside: true,
                ..
            } => Some(Warning::StoreSetAside),
            _ => None,
        }
    }

    fn last(&self, wall: Option<&Zoned>) -> Option<Last> {
        self.counters.last_message.as_ref().map(|last| Last {
            from: last.from.clone(),
            text: last.text.clone(),
            time: wall::server_time(last.at, wall),
        })
    }
}

/// A ring that is full when the hold is complete, and the moment of its next step.
fn ring(since: Instant, completes: Instant, now: Instant) -> (Screen, Option<Instant>) {
    let whole = completes.saturating_duration_since(since);
    let held = now.saturating_duration_since(since).min(whole);
    let step = (whole / STEPS).max(Duration::from_millis(1));
    let steps = u32::try_from(held.as_nanos() / step.as_nanos()).unwrap_or(STEPS);
    let screen = Screen::Hold {
        fiftieths: u8::try_from(steps.min(STEPS)).unwrap_or(u8::MAX),
        seconds: seconds_up(whole.saturating_sub(held)),
    };
    (screen, (steps < STEPS).then(|| since + step * (steps + 1)))
}

fn seconds_up(time: Duration) -> u32 {
    u32::try_from(time.as_nanos().div_ceil(1_000_000_000)).unwrap_or(u32::MAX)
}
