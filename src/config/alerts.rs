//! `[alerts]`, `[alerts.mail]` and `[alerts.webhook]`. Absent, nothing runs.

use std::path::PathBuf;

use lettre::message::Mailbox;
use url::Url;

use crate::alerts::Settings;
use crate::alerts::settings::{Mail, Secret, Security, Webhook, is_loopback};
use crate::bot;
use crate::panel::Language;
use crate::toml_reader::{Faults, Section};

pub fn alerts(
    top: &mut Section,
    language: Language,
    bot: &bot::Settings,
    faults: &mut Faults,
) -> Option<Settings> {
    let start = top.offset("alerts");
    let table = top.table("alerts", faults)?;
    let mut section = Section::new("alerts", Some(table));
    let settings = Settings {
        name: section
            .text("name", faults)
            .map(|name| name.split_whitespace().collect::<Vec<_>>().join(" "))
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "vínculo".to_owned()),
        language,
        time_zone: bot.time_zone.clone(),
        offline_after: section
            .duration("offline_after", faults)
            .unwrap_or(crate::alerts::OFFLINE_AFTER),
        mail: mail(&mut section, faults),
        webhook: webhook(&mut section, faults),
    };
    let named = |key| table.get(key).is_some();
    if !named("mail") && !named("webhook") {
        faults.note(
            start,
            "[alerts] says nowhere whom to tell",
            "add [alerts.mail] or [alerts.webhook], or leave [alerts] out",
        );
    }
    section.finish(faults);
    Some(settings)
}

fn mail(alerts: &mut Section, faults: &mut Faults) -> Option<Mail> {
    let start = alerts.offset("mail");
    let table = alerts.table("mail", faults)?;
    let mut section = Section::new("alerts.mail", Some(table));
    let security_at = section.offset("security");
    let server = required(
        &mut section,
        start,
        "server",
        "\"smtp.example.com\"",
        faults,
    );
    let security = section
        .choice(
            "security",
            &[
                ("starttls", Security::StartTls),
                ("tls", Security::Tls),
                ("none", Security::None),
            ],
            faults,
        )
        .unwrap_or(Security::StartTls);
    let port = section.number("port", 1..=65_535, faults);
    let port = port.and_then(|port| u16::try_from(port).ok());
    let user = section.text("user", faults);
    let password = section.text("password_file", faults).map(secret);
    if user.is_some() != password.is_some() {
        faults.note(
            start,
            "[alerts.mail] has one of `user` and `password_file`",
            "write both, or neither for a server that wants no login",
        );
    }
    let from_at = section.offset("from");
    let from = required(&mut section, start, "from", "\"caja@example.com\"", faults)
        .and_then(|text| mailbox(&text, from_at, faults));
    let to_at = section.offset("to");
    let to = section.texts("to", faults);
    if to.as_ref().is_none_or(Vec::is_empty) {
        faults.note(
            start,
            "[alerts.mail] says nowhere whom it goes to",
            "add `to = [\"duena@example.com\"]`",
        );
    }
    let to: Vec<_> = to
        .unwrap_or_default()
        .iter()
        .filter_map(|text| mailbox(text, to_at, faults))
        .collect();
    let ca_file = section.text("ca_file", faults).map(PathBuf::from);
    section.finish(faults);
    let server = server?;
    if security == Security::None && !is_loopback(&server) {
        faults.note(
            security_at,
            "without protection anybody on the way can read the password",
            "use \"starttls\" or \"tls\"; \"none\" is for a server on this machine",
        );
    }
    Some(Mail {
        server,
        port: port.unwrap_or(security.port()),
        security,
        login: user.zip(password),
        from: from?,
        to,
        ca_file,
    })
}

fn webhook(alerts: &mut Section, faults: &mut Faults) -> Option<Webhook> {
    let start = alerts.offset("webhook");
    let table = alerts.table("webhook", faults)?;
    let mut section = Section::new("alerts.webhook", Some(table));
    let url_at = section.offset("url");
    let url = required(
        &mut section,
        start,
        "url",
        "\"https://example.com/vinculo\"",
        faults,
    )
    .and_then(|text| address(&text, url_at, faults));
    let secret = required(
        &mut section,
        start,
        "secret_file",
        "\"/etc/vinculo/webhook-secret\"",
        faults,
    )
    .map(secret);
    let ca_file = section.text("ca_file", faults).map(PathBuf::from);
    section.finish(faults);
    Some(Webhook {
        url: url?,
        secret: secret?,
        ca_file,
    })
}

fn secret(path: String) -> Secret {
    Secret(PathBuf::from(path))
}

fn required(
    section: &mut Section,
    start: usize,
    key: &'static str,
    example: &str,
    faults: &mut Faults,
) -> Option<String> {
    let given = section.value(key).is_some();
    let text = section.text(key, faults).filter(|text| !text.is_empty());
    if text.is_none() && !given {
        faults.note(
            start,
            format!("[{}] without `{key}`", section.name()),
            format!("add `{key} = {example}`"),
        );
    }
    text
}

fn mailbox(text: &str, at: usize, faults: &mut Faults) -> Option<Mailbox> {
    match text.parse() {
        Ok(mailbox) => Some(mailbox),
        Err(_) => {
            faults.note(
                at,
                format!("\"{text}\" is no mail address"),
                "write it as in \"duena@example.com\" or \"Tienda <caja@example.com>\"",
            );
            None
        }
    }
}

fn address(text: &str, at: usize, faults: &mut Faults) -> Option<Url> {
    let usable = Url::parse(text).ok().filter(|url| {
        let host = url.host_str().unwrap_or_default();
        let here = url.scheme() == "http" && is_loopback(host);
        !host.is_empty() && (url.scheme() == "https" || here)
    });
    if usable.is_none() {
        faults.note(
            at,
            format!("\"{text}\" is no address to post to"),
            "write an https:// address; http:// is for a program on this machine",
        );
    }
    usable
}
