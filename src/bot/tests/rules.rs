//! Tables: words, hours, templates, and what is wrong with a configuration.

use super::*;
use crate::bot::hours::Hours;
use crate::bot::say::Say;
use crate::bot::words::words;

fn matches(when: &str, text: &str) -> bool {
    let rules = Rules::new(vec![rule(when, "sí")]).unwrap();
    rules.iter().next().unwrap().matches(text, &words(text))
}

#[test]
fn words_match_without_case_accents_and_punctuation_but_whole() {
    for (when, text, expected) in [
        ("hola", "HOLA!!", true),
        ("hola", "¡Hóla, vecina!", true),
        ("Información", "quiero informacion por favor", true),
        ("informacion", "quiero INFORMACIÓN", true),
        ("mañana", "manana", true),
        ("sol", "solo", false),
        ("sol", "el sol.", true),
        ("buenos días", "Buenos   dias, ¿abren?", true),
        ("buenos días", "buenos y santos días", false),
        ("24/7", "abren 24 7?", true),
        ("ﬁn", "fin", true),
        ("İzmir", "izmir", true),
        ("/^hola$/", "hola", true),
        ("/^hola$/", "Hola", false),
        ("/^hola$/i", "Hola", true),
        ("/👍|\\?/", "listo 👍", true),
        ("/a/b/", "a/b", true),
        ("/./", "", false),
    ] {
        assert_eq!(matches(when, text), expected, "{when:?} in {text:?}");
    }
}

/// Days from Monday, hours and minutes in Bogotá.
fn moment(day: i64, hour: i64, minute: i64) -> ServerTime {
    ServerTime(MONDAY_TEN - 10 * 3600 + (day * 24 + hour) * 3600 + minute * 60)
}

#[test]
fn hours_hold_by_the_shops_clock_past_midnight_and_on_their_days() {
    let bogota = TimeZone::fixed(jiff::tz::offset(-5));
    for (hours, (day, hour, minute), expected) in [
        ("08:00-18:00", (0, 8, 0), true),
        ("08:00-18:00", (0, 7, 59), false),
        ("08:00-18:00", (0, 18, 0), false),
        ("8:00-12:00 14:00-18:00", (0, 13, 0), false),
        ("8:00-12:00 14:00-18:00", (6, 14, 0), true),
        ("mon-fri 08:00-18:00, sat 09:00-13:00", (4, 17, 59), true),
        ("mon-fri 08:00-18:00, sat 09:00-13:00", (5, 12, 59), true),
        ("mon-fri 08:00-18:00, sat 09:00-13:00", (5, 13, 0), false),
        ("mon-fri 08:00-18:00, sat 09:00-13:00", (6, 10, 0), false),
        ("lun–vie 8:00–18:00; sábado 9:00-13:00", (5, 9, 0), true),
        ("22:00-06:00", (2, 5, 59), true),
        ("22:00-06:00", (2, 6, 0), false),
        ("22:00-06:00", (2, 22, 0), true),
        ("fri 22:00-06:00", (5, 5, 0), true),
        ("fri 22:00-06:00", (4, 5, 0), false),
        ("sun 22:00-06:00", (0, 5, 0), true),
        ("sat-mon 10:00-11:00", (0, 10, 0), true),
        ("sat-mon 10:00-11:00", (1, 10, 0), false),
        ("mon wed 10:00-11:00", (2, 10, 0), true),
        ("mon wed 10:00-11:00", (1, 10, 0), false),
        ("Miércoles 10:00-24:00", (2, 23, 59), true),
        ("Miércoles 10:00-24:00", (3, 0, 0), false),
        ("00:00-24:00", (3, 0, 0), true),
    ] {
        let parsed = Hours::parse(&[hours.to_owned()]).unwrap();
        let at = moment(day, hour, minute);
        assert_eq!(
            parsed.hold(at, &bogota),
            expected,
            "{hours} on {day} {hour}:{minute}"
        );
    }
    assert!(Hours::default().hold(moment(0, 0, 0), &bogota));
}

#[test]
fn hours_that_mean_nothing_are_faults() {
    for hours in [
        "",
        "mon",
        "8-18",
        "08:00",
        "08:00-",
        "25:00-26:00",
        "08:60-09:00",
        "08:00-08:00",
        "24:00-08:00",
        "24:01-25:00",
        "someday 08:00-09:00",
        "08:00-09:00 mon",
        "1:0:0-2:00",
        "08:00-18:00,",
        "-08:00-09:00",
        "mo 08:00-09:00",
        "+8:00-09:00",
    ] {
        assert!(Hours::parse(&[hours.to_owned()]).is_err(), "{hours:?}");
    }
}

#[test]
fn templates_hold_the_senders_name_and_text_and_nothing_else() {
    for (say, name, expected) in [
        ("Hola {name}, ¡gracias!", "Marta", "Hola Marta, ¡gracias!"),
        ("Hola {name}, ¡gracias!", " ", "Hola, ¡gracias!"),
        ("{name}: {text}", "Marta", "Marta: {name}"),
        ("{text}{text}", "", "{name}{name}"),
        ("{{name}} {{}}", "Marta", "{name} {}"),
    ] {
        assert_eq!(
            Say::parse(say).unwrap().fill(name, "{name}"),
            expected,
            "{say}"
        );
    }
    for say in ["", "{nombre}", "{name", "name}", "{}", "{ name }"] {
        assert!(Say::parse(say).is_err(), "{say:?}");
    }
}

#[test]
fn every_fault_of_every_rule_is_told_with_its_remedy() {
    let broken = RuleSettings {
        when: vec!["¿?".to_owned(), "/(/".to_owned(), "/a/x".to_owned()],
        say: "{precio}".to_owned(),
        hours: vec!["siempre".to_owned()],
        every: Some("-5m".to_owned()),
        groups: None,
    };
    let empty = RuleSettings {
        say: "hola".to_owned(),
        every: Some("soon".to_owned()),
        ..RuleSettings::default()
    };
    let faults = Rules::new(vec![broken, rule("hola", "hola"), empty]).unwrap_err();
    let told: Vec<_> = faults.iter().map(|f| (f.rule, f.key)).collect();
    let expected = [
        (0, "when"),
        (0, "when"),
        (0, "when"),
        (0, "say"),
        (0, "hours"),
        (0, "every"),
        (2, "when"),
        (2, "every"),
    ];
    assert_eq!(told, expected);
    let text = faults[3].to_string();
    assert!(
        text.starts_with("answer 1: `say` has the unknown placeholder {precio}; use {name}"),
        "{text}"
    );
    assert!(
        faults[1].to_string().contains("unclosed group"),
        "{}",
        faults[1]
    );
}

#[test]
fn a_rule_is_read_from_the_configuration() {
    #[derive(serde::Deserialize)]
    struct File {
        answer: Vec<RuleSettings>,
    }
    let file: File = toml::from_str(
        r#"
        [[answer]]
        when = ["hola", "buenos días"]
        say = "¡Hola, {name}!"
        hours = "08:00-18:00"
        every = "1h 30m"

        [[answer]]
        when = "eco"
        say = "eco: {text}"
        every = "0s"
        groups = true
        "#,
    )
    .unwrap();
    let rules = Rules::new(file.answer).unwrap();
    let rules: Vec<_> = rules.iter().collect();
    assert_eq!(rules[0].every, Duration::from_secs(5400));
    assert_eq!(
        (rules[1].every, rules[1].groups),
        (Duration::ZERO, Some(true))
    );
    let unknown = "[[answer]]\nwhen = \"a\"\nsay = \"b\"\nwenn = \"c\"";
    assert!(toml::from_str::<File>(unknown).is_err_and(|e| e.message().contains("wenn")));
}
