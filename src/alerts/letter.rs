//! The words of an alert: a subject that says it all in a notification, and below it what happened,
//! since when, and what to do. Pure. No number, name or message of a customer is known here.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::kind::Kind;
use super::record::{Count, Notice};
use super::settings::Settings;
use crate::history::{Moment, Stamp, What};
use crate::panel::Language;

mod words;

use words::{Says, says};

/// A mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The same in every attempt.
    pub id: String,
    /// For the notification.
    pub subject: String,
    /// Plain text.
    pub text: String,
}

/// One mail for everything that waits, the latest last; `None` for nothing. `now` sets the times
/// right that were written before the clock was.
pub fn letter(settings: &Settings, notices: &[Notice], now: &Stamp) -> Option<Letter> {
    let latest = notices.last()?;
    let writer = Writer { settings, now };
    let mut subject = format!("{}: {}", settings.name, writer.head(latest));
    if notices.len() > 1 {
        let more = notices.len() - 1;
        subject.push_str(&match (settings.language, more) {
            (Language::Es, 1) => " (y un aviso más)".to_owned(),
            (Language::Es, more) => format!(" (y {more} avisos más)"),
            (Language::En, 1) => " (and one more alert)".to_owned(),
            (Language::En, more) => format!(" (and {more} more alerts)"),
        });
    }
    let mut text = String::new();
    // What the subject speaks of comes first.
    for notice in notices.iter().rev() {
        if notices.len() > 1 {
            text.push_str(&format!("* {}\n\n", writer.head(notice)));
        }
        text.push_str(&writer.body(notice));
        text.push('\n');
    }
    text.push_str(&match settings.language {
        Language::Es => format!("-- \n{}, un equipo con vínculo\n", settings.name),
        Language::En => format!("-- \n{}, a box with vínculo\n", settings.name),
    });
    Some(Letter {
        id: latest.name(),
        subject,
        text,
    })
}

/// One alert for a program.
pub fn json(settings: &Settings, notice: &Notice, now: &Stamp) -> Value {
    let writer = Writer { settings, now };
    let at = |moment: Option<Moment>| moment.map(|moment| writer.utc(moment));
    let kind = |kind: i32| Kind::try_from(kind).ok().map(Kind::name);
    let counts = notice.counts.iter().map(|count| {
        json!({
            "event": kind(count.kind),
            "times": count.times,
            "first": at(count.first),
            "last": at(count.last),
        })
    });
    json!({
        "id": notice.name(),
        "event": notice.kind().name(),
        "name": settings.name,
        "at": at(notice.at),
        "since": at(notice.since),
        "until": notice.until.map(|until| Timestamp::from_second(until).unwrap_or_default().to_string()),
        "code": notice.code,
        "link": What::of_number(notice.state).map(What::name),
        "counts": counts.collect::<Vec<_>>(),
        "now": match notice.kind() {
            Kind::Summary => Some(notice.now.map_or(Some("well"), kind)),
            _ => None,
        },
        "subject": writer.head(notice),
        "text": writer.body(notice),
    })
}

struct Writer<'a> {
    settings: &'a Settings,
    now: &'a Stamp,
}

impl Writer<'_> {
    fn says(&self, notice: &Notice) -> Says {
        let what = What::of_number(notice.state);
        says(self.settings.language, notice.kind(), what)
    }

    fn head(&self, notice: &Notice) -> String {
        let head = self.says(notice).head;
        match (notice.kind(), notice.since) {
            (Kind::Offline, Some(since)) => {
                format!(
                    "{head} {} {}",
                    self.word("desde", "since"),
                    self.local(since)
                )
            }
            _ => head.to_owned(),
        }
    }

    fn body(&self, notice: &Notice) -> String {
        let says = self.says(notice);
        let mut text = format!("{}\n\n", says.what);
        if let Some(code) = notice.code {
            let line = self.word("Código de WhatsApp", "WhatsApp's code");
            text.push_str(&format!("{line}: {code}\n"));
        }
        text.push_str(&self.times(notice));
        if let Some(until) = notice.until {
            let line = self.word("Hasta", "Until");
            text.push_str(&format!("{line}: {}\n", self.clock(until)));
        }
        for count in &notice.counts {
            text.push_str(&self.count(count));
        }
        if notice.kind() == Kind::Summary {
            let line = self.word("Ahora", "Now");
            let now = notice.now.and_then(|kind| Kind::try_from(kind).ok());
            let how = match now {
                Some(kind) => says_of(self.settings.language, kind, notice.state).head,
                None => self.word("en línea, todo normal", "online, all is well"),
            };
            text.push_str(&format!("{line}: {how}\n"));
        }
        if !says.todo.is_empty() {
            let line = self.word("Qué hacer", "What to do");
            text.push_str(&format!("\n{line}: {}\n", says.todo));
        }
        text
    }

    fn times(&self, notice: &Notice) -> String {
        let mut text = String::new();
        match (notice.since, notice.at) {
            (Some(since), Some(at)) => {
                // Of what is over, "since" would say too little.
                let line = match notice.kind() {
                    Kind::Normal => self.word("Estuvo fuera desde", "Away from"),
                    _ => self.word("Desde", "Since"),
                };
                text.push_str(&format!("{line}: {}\n", self.local(since)));
                if notice.kind() == Kind::Normal {
                    let line = self.word("Hasta", "Until");
                    let lasted = self.word("duró", "it lasted");
                    let length = lasting(Stamp::from(at).since(&since.into()));
                    text.push_str(&format!("{line}: {} ({lasted} {length})\n", self.local(at)));
                }
            }
            (None, Some(at)) => {
                let line = self.word("Cuándo", "When");
                text.push_str(&format!("{line}: {}\n", self.local(at)));
            }
            (_, None) => {}
        }
        text
    }

    fn count(&self, count: &Count) -> String {
        let kind = Kind::try_from(count.kind).unwrap_or(Kind::Test);
        let head = says_of(self.settings.language, kind, 0).head;
        let at = |moment: Option<Moment>| moment.map(|at| self.local(at)).unwrap_or_default();
        let (first, last) = (at(count.first), at(count.last));
        let times = match (self.settings.language, count.times) {
            (Language::Es, 1) => format!("una vez más, {last}"),
            (Language::En, 1) => format!("once more, {last}"),
            // Within one minute.
            (Language::Es, times) if first == last => format!("{times} veces más, {last}"),
            (Language::En, times) if first == last => format!("{times} more times, {last}"),
            (Language::Es, times) => format!("{times} veces más, de {first} a {last}"),
            (Language::En, times) => format!("{times} more times, from {first} to {last}"),
        };
        format!("{head}: {times}\n")
    }

    fn stamp(&self, moment: Moment) -> Stamp {
        let mut stamp = Stamp::from(moment);
        stamp.redate(self.now);
        stamp
    }

    fn local(&self, moment: Moment) -> String {
        let stamp = self.stamp(moment);
        let clock = self.clock(stamp.clock);
        if stamp.sure {
            clock
        } else {
            match self.settings.language {
                Language::Es => format!("{clock} (hora aproximada)"),
                Language::En => format!("about {clock}"),
            }
        }
    }

    fn clock(&self, seconds: i64) -> String {
        let at = Timestamp::from_second(seconds).unwrap_or_default();
        let at = at.to_zoned(self.settings.time_zone.clone());
        let today = Timestamp::from_second(self.now.clock).unwrap_or_default();
        let today = today.to_zoned(self.settings.time_zone.clone());
        let format = match (self.settings.language, at.date() == today.date()) {
            (_, true) => "%H:%M",
            (Language::Es, false) => "%d/%m/%Y %H:%M",
            (Language::En, false) => "%Y-%m-%d %H:%M",
        };
        at.strftime(format).to_string()
    }

    fn utc(&self, moment: Moment) -> String {
        let clock = self.stamp(moment).clock;
        let at = Timestamp::from_second(clock).unwrap_or_default();
        at.to_string()
    }

    fn word(&self, es: &'static str, en: &'static str) -> &'static str {
        match self.settings.language {
            Language::Es => es,
            Language::En => en,
        }
    }
}

fn says_of(language: Language, kind: Kind, state: u32) -> Says {
    says(language, kind, What::of_number(state))
}

fn lasting(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests;
