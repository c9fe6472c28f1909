//! `vinculo events`: what became of the link, as a table. A running box owns its store, so its web
//! side is asked; where none runs, the store is read.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::Config;
use crate::history::view::{Events, Moment, Seen};
use crate::history::{self, Cause, Did, What};
use crate::panel::Language;
use crate::store::Store;

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Args)]
pub struct Arguments {
    /// The configuration file of the box, for its address, data directory and language
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Ask the box whose status page listens here
    #[arg(long, value_name = "ADDR", conflicts_with = "data_dir")]
    web: Option<SocketAddr>,
    /// Read the data directory of a box that is not running
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Prints the table, and returns the exit code.
pub fn show(arguments: &Arguments) -> ExitCode {
    let config = match &arguments.config {
        Some(file) => Config::read(file),
        None => Ok(Config::default()),
    };
    let config = match config {
        Ok(config) => config,
        Err(error) => return super::usage(&error.to_string()),
    };
    match events(arguments, &config) {
        Ok(events) => {
            let table = table(&events, config.language, &TimeZone::system());
            // Somebody who closes the pipe has read enough.
            let _ = std::io::stdout().write_all(table.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "vinculo: {error:#}");
            ExitCode::from(super::EXIT_SOFTWARE)
        }
    }
}

fn events(arguments: &Arguments, config: &Config) -> anyhow::Result<Events> {
    if let Some(dir) = &arguments.data_dir {
        return read(dir);
    }
    let web = arguments.web.unwrap_or(config.web);
    match ask(web) {
        Err(error) if arguments.web.is_none() && is_nobody(&error) => {
            let read = read(&config.data_dir);
            read.with_context(|| format!("no box answers at {web}, and its data is of no help"))
        }
        answer => answer.with_context(|| format!("asking the box at {web}")),
    }
}

fn is_nobody(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

fn ask(web: SocketAddr) -> anyhow::Result<Events> {
    let mut stream = TcpStream::connect_timeout(&web, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET /events HTTP/1.1\r\nHost: {web}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.take(1 << 20).read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.context("it does not speak HTTP")? + 4);
    ensure!(
        head.starts_with(b"HTTP/1.1 200 "),
        "it has no history: is it an older version, or another program?"
    );
    serde_json::from_slice(body).context("its answer is no history")
}

fn read(dir: &Path) -> anyhow::Result<Events> {
    ensure!(
        dir.join("log").is_dir(),
        "there is no box's data in {}",
        dir.display()
    );
    // Opening writes. What another user's process leaves there the box could not write to.
    let owner = std::fs::metadata(dir).context("looking at the data directory")?;
    let own = std::fs::metadata("/proc/self").context("looking at this process")?;
    if owner.uid() != own.uid() {
        bail!(
            "{} belongs to another user; run this as its owner, such as with \
             sudo -u vinculo vinculo events --data-dir {0}",
            dir.display()
        );
    }
    let store = Store::open(dir).context("a box may be running on it: ask that one, with --web")?;
    Ok(history::read(&store).context("reading the history")?.into())
}

/// One event a line, the latest last.
fn table(events: &Events, language: Language, zone: &TimeZone) -> String {
    let say = |es: &'static str, en: &'static str| match language {
        Language::Es => es,
        Language::En => en,
    };
    if events.events.is_empty() {
        return say("No ha pasado nada.\n", "Nothing has happened.\n").to_owned();
    }
    let mut lines = vec![[
        say("CUÁNDO", "WHEN").to_owned(),
        say("ENCENDIDO", "UP").to_owned(),
        say("QUÉ", "WHAT").to_owned(),
        say("POR QUÉ Y QUÉ HIZO EL EQUIPO", "WHY, AND WHAT THE BOX DID").to_owned(),
    ]];
    lines.extend(events.events.iter().map(|seen| {
        [
            when(&seen.last, zone),
            up(seen.last.uptime_s),
            what(seen, language),
            why(seen, language, zone),
        ]
    }));
    let width = |column: usize| {
        let widths = lines.iter().map(|line| line[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let widths = [width(0), width(1), width(2)];
    let mut table = String::new();
    for [when, up, what, why] in &lines {
        let [a, b, c] = widths;
        let line = format!("{when:<a$}  {up:>b$}  {what:<c$}  {why}");
        table.push_str(line.trim_end());
        table.push('\n');
    }
    if events.events.iter().any(|seen| !seen.last.sure) {
        table.push_str(say(
            "~: el reloj del equipo podía estar mal a esa hora.\n",
            "~: the box's clock may have been wrong then.\n",
        ));
    }
    table
}

fn when(moment: &Moment, zone: &TimeZone) -> String {
    let sign = if moment.sure { "" } else { "~" };
    format!("{sign}{}", local(&moment.at, zone, "%Y-%m-%d %H:%M:%S"))
}

fn local(at: &str, zone: &TimeZone, format: &str) -> String {
    match at.parse::<Timestamp>() {
        Ok(at) => at.to_zoned(zone.clone()).strftime(format).to_string(),
        Err(_) => at.to_owned(),
    }
}

fn up(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match days {
        0 => format!("{hours}:{minutes:02}:{:02}", seconds % 60),
        _ => format!("{days} d {hours}:{minutes:02}"),
    }
}

fn what(seen: &Seen, language: Language) -> String {
    let known = What::of_name(&seen.what);
    let known = known.map(|what| in_words(language, what.es(), what.en()));
    let what = known.unwrap_or(&seen.what);
    let code = seen.code.map(|code| format!(" {code}")).unwrap_or_default();
    match seen.times {
        0 | 1 => format!("{what}{code}"),
        times => format!("{what}{code} ×{times}"),
    }
}

fn why(seen: &Seen, language: Language, zone: &TimeZone) -> String {
    let mut parts = Vec::new();
    if let Some(name) = &seen.cause {
        let cause = Cause::of_name(name).map(|cause| in_words(language, cause.es(), cause.en()));
        parts.push(cause.unwrap_or(name).to_owned());
    }
    if let Some(name) = &seen.did {
        let did = Did::of_name(name).map(|did| in_words(language, did.es(), did.en()));
        parts.push(did.unwrap_or(name).to_owned());
    }
    if let Some(until) = &seen.until {
        let until = local(until, zone, "%Y-%m-%d %H:%M");
        parts.push(format!("{} {until}", in_words(language, "hasta", "until")));
    }
    if seen.times > 1 {
        let first = when(&seen.first, zone);
        let since = in_words(language, "la primera vez", "the first time");
        parts.push(format!("{since} {first}"));
    }
    parts.join("; ")
}

fn in_words<'w>(language: Language, es: &'w str, en: &'w str) -> &'w str {
    match language {
        Language::Es => es,
        Language::En => en,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn moment(at: &str, sure: bool, uptime_s: u64) -> Moment {
        Moment {
            at: at.to_owned(),
            sure,
            uptime_s,
            boot: "1".to_owned(),
        }
    }

    fn seen(what: &str, cause: Option<&str>, did: Option<&str>) -> Seen {
        Seen {
            what: what.to_owned(),
            cause: cause.map(str::to_owned),
            did: did.map(str::to_owned),
            code: None,
            until: None,
            times: 1,
            first: moment("2026-11-22T15:00:00Z", true, 60),
            last: moment("2026-11-22T15:00:00Z", true, 60),
        }
    }

    #[test]
    fn the_table_answers_why_it_unlinked() {
        let zone = TimeZone::fixed(jiff::tz::offset(-5));
        let mut flapping = seen("online", None, None);
        flapping.times = 31;
        flapping.last = moment("2026-11-22T16:00:00Z", true, 90_060);
        let mut woke = seen("process_started", Some("power_cut"), None);
        woke.last.sure = false;
        let newer = seen("teleported", Some("magic"), None);
        let unlinked = seen("unlinked", Some("removed_outside"), Some("deleted_keys"));
        let events = Events {
            events: vec![woke, flapping, newer, unlinked],
        };
        let en = table(&events, Language::En, &zone);
        let lines: Vec<_> = en.lines().collect();
        assert_eq!(lines.len(), 6);
        assert!(lines[1].starts_with("~2026-11-22 10:00:00"));
        assert!(lines[2].contains("Online ×31") && lines[2].contains("1 d 1:01"));
        assert!(lines[3].contains("teleported") && lines[3].contains("magic"));
        assert_eq!(
            lines[4],
            "2026-11-22 10:00:00    0:01:00  Unlinked     \
             the phone or WhatsApp removed it; it deleted the keys and waits for a press"
        );
        let es = table(&events, Language::Es, &zone);
        assert!(es.contains("Desvinculado"), "{es}");
        assert!(es.contains("lo quitó el teléfono o WhatsApp; borró las claves"));
    }

    #[test]
    fn a_directory_without_a_box_is_said_to_be_one() {
        let dir = tempfile::tempdir().unwrap();
        let error = read(dir.path()).unwrap_err();
        assert!(error.to_string().contains("no box's data"), "{error}");
    }
}
