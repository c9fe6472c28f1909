//! The pages behind a press: their order, and what is on them as lines.

use std::time::Duration;

use jiff::Zoned;
use tokio::time::Instant;

use super::super::screen::{Happened, Label, Row, Screen, Value};
use super::super::wall;
use super::{Action, Model};
use crate::host::Kind;
use crate::session::Link;

/// A page that nobody turns goes back to the first one.
const STAYS: Duration = Duration::from_secs(30);
/// Glass on which a day and a time of day have room beside a few words.
const WIDE: u32 = 200;

/// A page behind a press.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Status,
    Messages,
    Network,
    Events,
    About,
}

/// In the order in which they are turned.
const ORDER: [Page; 5] = [
    Page::Status,
    Page::Messages,
    Page::Network,
    Page::Events,
    Page::About,
];

impl Model {
    /// Turns a page. A code to scan or to type is no page and is not left by turning.
    pub(super) fn turn(&mut self, on: bool, now: Instant) -> Option<Action> {
        if !self.unlinking && !matches!(self.link, Link::Linking(_) | Link::Passkey(_)) {
            let turned = self.turned_to(now).map(|(page, _)| page);
            let at = turned.and_then(|page| ORDER.iter().position(|one| *one == page));
            let next = match (at, on) {
                (None, true) => ORDER.first(),
                (None, false) => ORDER.last(),
                (Some(at), true) => ORDER.get(at + 1),
                (Some(at), false) => at.checked_sub(1).and_then(|at| ORDER.get(at)),
            };
            if next == Some(&Page::Network) {
                // What somebody saw an hour ago is not how it is now.
                self.network = None;
            }
            self.page = next.map(|page| (*page, now));
        }
        None
    }

    /// The page that is turned to, and until when it stays.
    pub(super) fn turned_to(&self, now: Instant) -> Option<(Page, Instant)> {
        let (page, at) = self.page?;
        let until = at + STAYS;
        (now < until).then_some((page, until))
    }

    /// Somebody looks at how the box is connected.
    pub fn shows_network(&self, now: Instant) -> bool {
        let quiet = !self.unlinking && self.holding.is_none();
        quiet
            && self
                .turned_to(now)
                .is_some_and(|(page, _)| page == Page::Network)
    }

    /// Somebody looks, and what he is to see is not known yet.
    pub fn misses_network(&self, now: Instant) -> bool {
        self.network.is_none() && self.shows_network(now)
    }

    pub(super) fn page(&self, page: Page, now: Instant, wall: Option<&Zoned>) -> Screen {
        match page {
            Page::Status => Screen::Status(self.status(now, wall)),
            Page::Messages => Screen::Messages(self.messages()),
            Page::Network => Screen::Network(self.network()),
            Page::Events => Screen::Events(self.events(wall)),
            Page::About => Screen::About(self.about()),
        }
    }

    fn status(&self, now: Instant, wall: Option<&Zoned>) -> Vec<Row> {
        let mut rows = vec![Row {
            label: Label::State,
            value: Value::Heading(Box::new(self.home(now, wall).0)),
        }];
        if let Link::Online(account) = &self.link {
            rows.push(row(Label::Number, wall::number(&account.number)));
            if !account.name.is_empty() {
                rows.push(row(Label::Name, account.name.clone()));
            }
            if let Some(since) = wall::moment(account.since, now, wall) {
                rows.push(row(Label::Since, since));
            }
            if let Some(companions) = account.companions {
                rows.push(Row {
                    label: Label::Devices,
                    value: Value::Taken(companions),
                });
            }
        }
        rows
    }

    fn messages(&self) -> Vec<Row> {
        let today = self.counters.today;
        vec![
            Row {
                label: Label::Received,
                value: Value::Today(today.map(|today| today.received)),
            },
            Row {
                label: Label::Answered,
                value: Value::Today(today.map(|today| today.answered)),
            },
            row(Label::Pending, self.counters.pending.to_string()),
            row(Label::Failed, self.counters.failed.to_string()),
        ]
    }

    fn network(&self) -> Vec<Row> {
        let Some(looked) = &self.network else {
            return Vec::new();
        };
        let way = looked
            .as_ref()
            .map(|network| (network.kind, network.interface.clone()));
        let mut rows = vec![Row {
            label: Label::Connection,
            value: Value::Way(way),
        }];
        if let Some(network) = looked {
            rows.push(Row {
                label: Label::Address,
                value: Value::Address(network.address),
            });
            if network.kind == Kind::Wifi {
                rows.push(Row {
                    label: Label::Signal,
                    value: Value::Signal(network.signal),
                });
            }
        }
        rows
    }

    fn events(&self, wall: Option<&Zoned>) -> Vec<Happened> {
        let short = self.settings.glass.size.width < WIDE;
        let rows = self.events.iter();
        rows.map(|row| Happened {
            when: wall::stamped(row.last.clock, row.last.sure, short, wall),
            what: row.event.what,
            times: row.times,
        })
        .collect()
    }

    fn about(&self) -> Vec<Row> {
        let mut rows = vec![
            row(Label::Version, env!("CARGO_PKG_VERSION").into()),
            row(Label::Board, self.settings.board.clone()),
        ];
        let serial = self.serial.clone();
        rows.extend(serial.map(|serial| row(Label::Serial, serial)));
        rows.push(row(Label::Licence, "AGPL-3.0".into()));
        rows
    }
}

fn row(label: Label, value: String) -> Row {
    Row {
        label,
        value: Value::Text(value),
    }
}
