//! What an owner reads. With `VINCULO_SHEET` naming a folder, every letter is also written there
//! for people to look at.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use jiff::tz::TimeZone;

use super::*;

const NOON: i64 = 1_795_366_800;

fn settings(language: Language) -> Settings {
    Settings {
        name: "Tienda Centro".into(),
        language,
        time_zone: TimeZone::fixed(jiff::tz::offset(-5)),
        offline_after: Duration::from_secs(900),
        mail: None,
        webhook: None,
    }
}

fn stamp(minutes: i64) -> Stamp {
    Stamp {
        boot: 1,
        uptime: u64::try_from(100_000 + minutes * 60).unwrap(),
        clock: NOON + minutes * 60,
        sure: true,
    }
}

fn every() -> Vec<Notice> {
    let since = Some(stamp(-85).into());
    let count = |kind: Kind, times| Count {
        kind: kind as i32,
        times,
        first: Some(stamp(-300).into()),
        last: Some(stamp(-20).into()),
    };
    let plain = |kind| Notice::new(kind, stamp(0));
    vec![
        plain(Kind::Test),
        Notice {
            since,
            state: What::WaitingNetwork.number(),
            ..plain(Kind::Offline)
        },
        Notice {
            since: Some(stamp(0).into()),
            ..plain(Kind::Conflict)
        },
        Notice {
            since,
            ..plain(Kind::Unlinked)
        },
        plain(Kind::Locked),
        Notice {
            until: Some(NOON + 86_400),
            ..plain(Kind::Banned)
        },
        plain(Kind::Outdated),
        Notice {
            code: Some(413),
            ..plain(Kind::Stopped)
        },
        plain(Kind::Store),
        Notice {
            since,
            ..plain(Kind::Normal)
        },
        Notice {
            counts: vec![count(Kind::Offline, 7), count(Kind::Normal, 1)],
            now: Some(Kind::Offline as i32),
            state: What::Connecting.number(),
            ..plain(Kind::Summary)
        },
    ]
}

#[test]
fn every_subject_fits_a_notification_and_every_text_says_what_when_and_what_to_do() {
    for language in [Language::Es, Language::En] {
        let settings = settings(language);
        for notice in every() {
            let kind = notice.kind();
            let letter = letter(&settings, std::slice::from_ref(&notice), &stamp(0)).unwrap();
            assert!(letter.subject.starts_with("Tienda Centro: "));
            assert!(letter.subject.chars().count() <= 70, "{}", letter.subject);
            assert!(!letter.subject.contains('\n'));
            assert!(letter.text.contains(':'), "{kind:?} has no time");
            let todo = letter.text.contains("Qué hacer: ") || letter.text.contains("What to do: ");
            assert_eq!(todo, !matches!(kind, Kind::Test | Kind::Normal), "{kind:?}");
            if let Some(dir) = std::env::var_os("VINCULO_SHEET") {
                let file = format!("mail-{}-{language:?}.txt", kind.name());
                let text = format!("Subject: {}\n\n{}", letter.subject, letter.text);
                std::fs::write(std::path::Path::new(&dir).join(file), text).unwrap();
            }
        }
    }
}

#[test]
fn an_outage_that_kept_the_mail_back_is_told_in_one() {
    let settings = settings(Language::Es);
    let all = every();
    let both = [all[1].clone(), all[9].clone()];
    let letter = letter(&settings, &both, &stamp(0)).unwrap();
    assert_eq!(
        letter.subject,
        "Tienda Centro: todo normal otra vez (y un aviso más)"
    );
    let normal = letter.text.find("en línea de nuevo").unwrap();
    let offline = letter.text.find("no tiene salida a internet").unwrap();
    assert!(normal < offline, "{}", letter.text);
    assert!(
        letter
            .text
            .contains("Estuvo fuera desde: 10:35\nHasta: 12:00 (duró 1 h 25 min)"),
        "{}",
        letter.text
    );
    assert_eq!(letter.id, both[1].name());
}

#[test]
fn a_summary_counts_and_names_each_time_once() {
    let all = every();
    let told = |language, minutes: i64| {
        let mut notice = all[10].clone();
        notice.counts[0].first = Some(stamp(-minutes).into());
        notice.counts[0].last = Some(stamp(0).into());
        letter(&settings(language), &[notice], &stamp(0))
            .unwrap()
            .text
    };
    let english = told(Language::En, 25);
    assert!(
        english.contains("7 more times, from 11:35 to 12:00"),
        "{english}"
    );
    let spanish = told(Language::Es, 0);
    assert!(spanish.contains("7 veces más, 12:00\n"), "{spanish}");
}

#[test]
fn a_time_that_was_written_before_the_clock_was_set_is_set_right() {
    let settings = settings(Language::En);
    let wrong = Stamp {
        clock: NOON - 86_400 * 30,
        sure: false,
        ..stamp(-85)
    };
    let notice = Notice {
        since: Some(wrong.into()),
        ..Notice::new(Kind::Offline, wrong)
    };
    let notices = std::slice::from_ref(&notice);
    let told = letter(&settings, notices, &stamp(0)).unwrap();
    assert!(told.subject.ends_with("since 10:35"), "{}", told.subject);
    let elsewhere = Stamp {
        boot: 2,
        ..stamp(0)
    };
    let told = letter(&settings, notices, &elsewhere).unwrap();
    assert!(told.subject.contains("since about 20"), "{}", told.subject);
}

#[test]
fn a_program_gets_the_same_in_fields() {
    let settings = settings(Language::En);
    let all = every();
    let told = json(&settings, &all[10], &stamp(0));
    assert_eq!(told["event"], "summary");
    assert_eq!(told["now"], "offline");
    assert_eq!(told["counts"][0]["times"], 7);
    assert_eq!(told["id"].as_str().unwrap(), all[10].name());
    let told = json(&settings, &all[7], &stamp(0));
    assert_eq!(
        (told["code"].as_u64(), &told["now"]),
        (Some(413), &Value::Null)
    );
}
