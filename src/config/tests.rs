//! A configuration as somebody writes it at a kitchen table, and what is said about it.

use super::*;

fn faults(text: &str) -> Vec<String> {
    Config::parse(text)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn an_empty_file_is_a_whole_configuration() {
    let config = Config::parse("").unwrap();
    assert_eq!(config.session.endpoint.as_str(), Endpoint::SERVICE);
    assert_eq!(config.web, SocketAddr::from(([127, 0, 0, 1], 8080)));
    assert!(config.session.phone_number.is_none());
    assert!(!config.session.stay_available);
}

#[test]
fn every_key_of_the_readme_is_understood() {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let config = Config::parse(example).unwrap();
    assert_eq!(config.session.phone_number.as_deref(), Some("573000000001"));
    assert_eq!(config.bot.rules.iter().count(), 2);
    let (_, rest) = readme.split_once("```toml\n[alerts]\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let alerts = Config::parse(&format!("[alerts]\n{example}"))
        .unwrap()
        .alerts;
    let alerts = alerts.unwrap();
    assert!(alerts.mail.is_some() && alerts.webhook.is_some());
}

#[test]
fn alerts_that_nobody_could_get_are_faults() {
    let found = faults("[alerts]\noffline_after = \"20m\"\n");
    assert!(found[0].contains("says nowhere whom to tell"), "{found:?}");
    let found = faults(
        "[alerts.mail]\n\
         server = \"mail.example\"\n\
         security = \"none\"\n\
         user = \"caja\"\n\
         from = \"caja\"\n\
         to = []\n\
         [alerts.webhook]\n\
         url = \"http://example.com/\"\n",
    );
    let all = found.join("\n");
    assert_eq!(found.len(), 6, "{all}");
    assert!(all.contains("one of `user` and `password_file`"), "{all}");
    assert!(all.contains("says nowhere whom it goes to"), "{all}");
    assert!(all.contains("line 3: without protection"), "{all}");
    assert!(all.contains("line 5: \"caja\" is no mail address"), "{all}");
    assert!(
        all.contains("line 8: \"http://example.com/\" is no address"),
        "{all}"
    );
    assert!(all.contains("without `secret_file`"), "{all}");
}

#[test]
fn alerts_say_whom_they_tell_and_never_the_password() {
    let config = Config::parse(
        "[alerts.mail]\n\
         server = \"mail.example\"\n\
         user = \"caja\"\n\
         password_file = \"/run/secret-place\"\n\
         from = \"Caja <caja@tienda.example>\"\n\
         to = \"duena@tienda.example\"\n",
    )
    .unwrap();
    let alerts = config.alerts.unwrap();
    let mail = alerts.mail.clone().unwrap();
    assert_eq!((mail.port, mail.to.len()), (587, 1));
    assert_eq!(alerts.offline_after, std::time::Duration::from_secs(900));
    assert!(!format!("{alerts:?}").contains("secret-place"));
    assert!(Config::default().alerts.is_none());
}

#[test]
fn all_faults_are_told_at_once_with_line_and_remedy() {
    let found = faults(
        "langage = \"es\"\n\
         board = \"toaster\"\n\
         [web]\n\
         listen = \"0.0.0.0:80\"\n\
         [bot]\n\
         max_age = \"soon\"\n",
    );
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found[0].starts_with("line 1: unknown key `langage`"));
    assert!(found[0].ends_with("did you mean `language`?"));
    assert!(found[1].starts_with("line 2: there is no board called \"toaster\""));
    assert!(found[1].contains("desk"));
    assert!(found[2].starts_with("line 4: the status page has no login"));
    assert!(found[3].starts_with("line 6: `max_age` cannot be read"));
}

#[test]
fn a_rule_that_cannot_work_is_named_by_its_line() {
    let found = faults(
        "[[answer]]\n\
         when = \"hola\"\n\
         say = \"Hola {nombre}\"\n\
         [[answer]]\n\
         when = \"/(/\"\n\
         say = \"x\"\n\
         [[answer]]\n\
         say = \"x\"\n",
    );
    assert_eq!(found.len(), 3, "{found:#?}");
    for (fault, line) in found.iter().zip(["line 3:", "line 5:", "line 7:"]) {
        assert!(fault.starts_with(line), "{fault}");
    }
}

#[test]
fn what_is_not_toml_is_shown_where_it_breaks() {
    let found = faults("language = \"es\"\nboard = desk\n");
    assert!(found[0].starts_with("line 2: not TOML"), "{found:#?}");
}

#[test]
fn nothing_is_sent_in_clear_over_a_network() {
    let found = faults("[link]\nendpoint = \"ws://192.0.2.1/ws/chat\"\n");
    assert!(found[0].contains("use wss://"), "{found:#?}");
}

#[test]
fn a_phone_number_may_be_written_as_people_write_it() {
    let config = Config::parse("[link]\nphone_number = \"+57 300 000-0001\"\n").unwrap();
    assert_eq!(config.session.phone_number.as_deref(), Some("573000000001"));
    for wrong in ["300", "0573000000001", "57 300 CASA"] {
        assert!(Config::parse(&format!("[link]\nphone_number = \"{wrong}\"\n")).is_err());
    }
}

#[test]
fn a_box_is_the_primary_of_production_unless_it_is_told_otherwise() {
    let session = Config::parse("").unwrap().session;
    assert_eq!(
        (session.role, session.rank),
        (Role::Production, Rank::Primary)
    );
    assert!(session.production_numbers.is_empty());
    for (role, read) in [
        ("production", Role::Production),
        ("staging", Role::Staging),
        ("development", Role::Development),
    ] {
        for (rank, place) in [("primary", Rank::Primary), ("secondary", Rank::Secondary)] {
            let text = format!("[link]\nrole = \"{role}\"\nrank = \"{rank}\"\n");
            let session = Config::parse(&text).unwrap().session;
            assert_eq!((session.role, session.rank), (read, place));
        }
    }
    let found = faults("[link]\nrole = \"live\"\nrank = 1\n");
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].contains("\"staging\""), "{found:#?}");
}

#[test]
fn production_numbers_follow_the_rules_of_a_phone_number() {
    let config =
        Config::parse("[link]\nproduction_numbers = [\"573000000001\", \"+57 300 000-0002\"]\n");
    assert_eq!(
        config.unwrap().session.production_numbers,
        ["573000000001", "573000000002"]
    );
    let found = faults("[link]\nproduction_numbers = [\"573000000001\", \"300\", \"CASA\"]\n");
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[0].starts_with("line 2: `production_numbers` holds no phone number"),
        "{found:#?}"
    );
}

#[test]
fn the_command_line_overrides_and_is_judged_the_same() {
    let mut config = Config::default();
    config
        .apply_arguments(None, None, Some("ws://127.0.0.1:5/ws/chat"), None)
        .unwrap();
    assert!(config.require_loopback().is_ok());
    let error = config
        .apply_arguments(Some("toaster"), None, None, Some("0.0.0.0:1"))
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the command line has 2 faults:")
    );
    assert!(Config::default().require_loopback().is_err());
}

/// The example with the lines that are switched off in it switched on: `#key`, but not `# a word`.
fn switched_on(example: &str) -> String {
    let on = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    example.lines().map(on).collect()
}

#[test]
fn the_example_explains_every_key_that_the_reader_knows() {
    let text = switched_on(EXAMPLE);
    let (table, errors) = DeTable::parse_recoverable(&text);
    assert!(errors.is_empty(), "{errors:?}");
    let mut faults = Faults::new(&text);
    let config = build(table.get_ref(), &mut faults);
    let absent = faults.absent().to_vec();
    let found = faults.into_found();
    assert!(found.is_empty(), "{found:#?}");
    assert!(
        absent.is_empty(),
        "not in systemd/vinculo.example.toml: {absent:?}"
    );
    assert_eq!(config.bot.rules.iter().count(), 1);
}

#[test]
fn a_key_that_the_example_lacks_would_be_noticed() {
    let text = switched_on(EXAMPLE).replace("stay_available = false\n", "");
    let (table, _) = DeTable::parse_recoverable(&text);
    let mut faults = Faults::new(&text);
    build(table.get_ref(), &mut faults);
    assert_eq!(faults.absent(), ["link.stay_available"]);
}

#[test]
fn what_the_example_calls_a_default_is_the_default() {
    let as_it_is = Config::parse(EXAMPLE).unwrap();
    let default = Config {
        board: "headless".into(),
        ..Config::default()
    };
    assert_eq!(format!("{as_it_is:?}"), format!("{default:?}"));
    // Those that have no default, and the one that depends on who runs the program.
    let shown = [
        "phone_number =",
        "production_numbers =",
        "page =",
        "time_zone =",
        "night =",
        "data_dir =",
    ];
    let text = switched_on(EXAMPLE);
    let (settings, _) = text.split_once("[[answer]]\n").unwrap();
    let text: String = settings
        .lines()
        .filter(|line| !shown.iter().any(|key| line.starts_with(key)))
        .map(|line| format!("{line}\n"))
        .collect();
    let spelled_out = Config::parse(&text).unwrap();
    assert_eq!(format!("{spelled_out:?}"), format!("{default:?}"));
}

#[test]
fn the_takeover_comes_while_somebody_still_wants_an_answer() {
    let after =
        |text: &str| Config::parse(&format!("[bot]\n{text}\n")).map(|c| c.bot.takeover_after);
    assert_eq!(after("").unwrap().as_secs(), 90);
    assert_eq!(after("takeover_after = \"30s\"").unwrap().as_secs(), 30);
    for wrong in ["\"0s\"", "\"15m\"", "\"1h\""] {
        let found = faults(&format!("[bot]\ntakeover_after = {wrong}\n"));
        assert!(
            found[0].starts_with("line 2: `takeover_after`"),
            "{found:#?}"
        );
    }
}

#[test]
fn the_night_is_two_times_of_the_clock() {
    let light = |text: &str| Config::parse(&format!("[panel]\n{text}\n")).map(|c| c.light);
    assert_eq!(light("").unwrap(), Light::default());
    let told = light("brightness = 60\nnight = \"22:00-06:30\"\nnight_brightness = 0").unwrap();
    let time = |hour, minute| jiff::civil::time(hour, minute, 0, 0);
    assert_eq!((told.day, told.dimmed), (60, 0));
    assert_eq!(told.night, Some((time(22, 0), time(6, 30))));
    for wrong in [
        "\"22:00\"",
        "\"25:00-06:00\"",
        "\"06:00-06:00\"",
        "\"late\"",
    ] {
        let found = faults(&format!("[panel]\nnight = {wrong}\n"));
        assert!(found[0].starts_with("line 2: `night`"), "{found:#?}");
        assert!(found[0].contains("22:00-06:00"), "{found:#?}");
    }
    let dark = faults("[panel]\nbrightness = 0\n");
    assert!(dark[0].starts_with("line 2: `brightness`"), "{dark:#?}");
}
