//! The pages behind a press, as lines.

use jiff::Zoned;
use tokio::time::Instant;

use super::super::screen::{Happened, Label, Row, Value};
use super::super::wall;
use super::Model;
use crate::session::Link;

/// Glass on which a day and a time of day have room beside a few words.
const WIDE: u32 = 200;

impl Model {
    pub(super) fn status(&self, now: Instant, wall: Option<&Zoned>) -> Vec<Row> {
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

    pub(super) fn messages(&self) -> Vec<Row> {
        vec![
            row(Label::Received, self.counters.received.to_string()),
            row(Label::Answered, self.counters.answered.to_string()),
            row(Label::Pending, self.counters.pending.to_string()),
            row(Label::Failed, self.counters.failed.to_string()),
        ]
    }

    pub(super) fn events(&self, wall: Option<&Zoned>) -> Vec<Happened> {
        let short = self.settings.glass.size.width < WIDE;
        let rows = self.events.iter();
        rows.map(|row| Happened {
            when: wall::stamped(row.last.clock, row.last.sure, short, wall),
            what: row.event.what,
            times: row.times,
        })
        .collect()
    }

    pub(super) fn about(&self) -> Vec<Row> {
        vec![
            row(Label::Version, env!("CARGO_PKG_VERSION").into()),
            row(Label::Board, self.settings.board.clone()),
            row(Label::Licence, "AGPL-3.0".into()),
        ]
    }
}

fn row(label: Label, value: String) -> Row {
    Row {
        label,
        value: Value::Text(value),
    }
}
