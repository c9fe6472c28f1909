//! A card as somebody mounts it, and what becomes of it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::config::Config;

/// As Raspberry Pi OS ships it, in short: a comment, a switch, a section for one model.
const SHIPPED: &str = "# For more options see the documentation\n\
     #dtparam=spi=on\n\
     dtoverlay=vc4-kms-v3d\n\
     [cm5]\n\
     dtoverlay=dwc2,dr_mode=host\n";

fn card() -> tempfile::TempDir {
    let card = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(card.path().join("boot/firmware")).unwrap();
    std::fs::write(card.path().join(CONFIG_TXT[0]), SHIPPED).unwrap();
    card
}

fn args(card: &tempfile::TempDir, name: Option<&str>) -> SetupBoard {
    SetupBoard {
        name: name.map(str::to_owned),
        yes: false,
        undo: name.is_none(),
        root: card.path().to_owned(),
    }
}

fn run(args: &SetupBoard, said: &str) -> anyhow::Result<()> {
    setup(args, &mut said.as_bytes())
}

fn text(card: &tempfile::TempDir, file: &str) -> String {
    std::fs::read_to_string(card.path().join(file)).unwrap()
}

#[test]
fn nothing_is_written_before_somebody_says_yes() {
    let card = card();
    for said in ["", "n\n", "maybe\n"] {
        run(&args(&card, Some("lcd-hat-1in3")), said).unwrap();
        assert_eq!(text(&card, CONFIG_TXT[0]), SHIPPED);
        assert!(!card.path().join(CONFIGURATION).exists());
    }
}

#[test]
fn a_board_is_set_up_whole_and_taken_back_whole() {
    let card = card();
    run(&args(&card, Some("oled-0in96")), "sí\n").unwrap();
    let config_txt = text(&card, CONFIG_TXT[0]);
    let added = config_txt.strip_prefix(SHIPPED).unwrap();
    assert_eq!(
        added,
        "# vinculo begin\n[all]\ndtparam=i2c_arm=on\ndtparam=i2c_arm_baudrate=400000\n\
         # vinculo end\n"
    );
    assert!(text(&card, MODULES).ends_with("\ni2c-dev\n"));
    let config = Config::parse(&text(&card, CONFIGURATION)).unwrap();
    assert_eq!(config.board, "oled-0in96");

    run(&args(&card, None), "y\n").unwrap();
    assert_eq!(text(&card, CONFIG_TXT[0]), SHIPPED);
    assert!(!card.path().join(MODULES).exists());
    let config = Config::parse(&text(&card, CONFIGURATION)).unwrap();
    assert_eq!(config.board, "headless");
}

#[test]
fn another_board_replaces_the_first_and_a_second_time_changes_nothing() {
    let card = card();
    for _ in 0..2 {
        run(&args(&card, Some("oled-0in96")), "y\n").unwrap();
    }
    run(&args(&card, Some("lcd-hat-1in3")), "y\n").unwrap();
    let config_txt = text(&card, CONFIG_TXT[0]);
    assert!(!config_txt.contains("i2c"), "{config_txt}");
    assert!(config_txt.ends_with("dtparam=spi=on\ngpio=16,20,21=pu\n# vinculo end\n"));
    assert!(!card.path().join(MODULES).exists());
    let files = read(card.path()).unwrap();
    let profile = hardware::profile("lcd-hat-1in3").unwrap();
    let again = plan::setup(&files, "lcd-hat-1in3", &profile).unwrap();
    assert_eq!(again, []);
}

#[test]
fn what_is_switched_on_already_is_not_added_unless_it_is_for_one_model() {
    let card = card();
    let file = card.path().join(CONFIG_TXT[0]);
    std::fs::write(&file, "dtparam=spi=on\n[pi4]\ngpio=16,20,21=pu\n").unwrap();
    run(&args(&card, Some("lcd-hat-1in3")), "y\n").unwrap();
    let config_txt = text(&card, CONFIG_TXT[0]);
    assert_eq!(config_txt.matches("dtparam=spi=on").count(), 1);
    assert_eq!(config_txt.matches("gpio=16,20,21=pu").count(), 2);
}

#[test]
fn the_owners_own_settings_stay_as_they_are() {
    let card = card();
    std::fs::create_dir_all(card.path().join("etc/vinculo")).unwrap();
    let own = "language = \"en\"\n[link]\nphone_number = \"57 300 000 0001\" # mine\n";
    std::fs::write(card.path().join(CONFIGURATION), own).unwrap();
    run(&args(&card, Some("lcd-hat-1in3")), "y\n").unwrap();
    let written = text(&card, CONFIGURATION);
    assert_eq!(written, format!("board = \"lcd-hat-1in3\"\n{own}"));
}

#[test]
fn a_faulty_configuration_is_named_and_nothing_is_written() {
    let card = card();
    std::fs::create_dir_all(card.path().join("etc/vinculo")).unwrap();
    std::fs::write(card.path().join(CONFIGURATION), "langage = \"en\"\n").unwrap();
    let error = run(&args(&card, Some("lcd-hat-1in3")), "y\n").unwrap_err();
    assert!(format!("{error:#}").contains("did you mean `language`?"));
    assert_eq!(text(&card, CONFIG_TXT[0]), SHIPPED);
}

#[test]
fn a_machine_without_config_txt_gets_the_rest() {
    let card = tempfile::tempdir().unwrap();
    let mut args = args(&card, Some("lcd-hat-1in3"));
    args.yes = true;
    run(&args, "").unwrap();
    assert!(text(&card, CONFIGURATION).contains("board = \"lcd-hat-1in3\""));
    assert!(!card.path().join("boot").exists());
}

#[test]
fn the_board_may_be_chosen_by_its_number() {
    let first = hardware::names().next().unwrap();
    assert_eq!(ask_board(&mut "1\n".as_bytes()).unwrap(), first);
    assert_eq!(ask_board(&mut "desk\n".as_bytes()).unwrap(), "desk");
    assert_eq!(ask_board(&mut "99\n".as_bytes()).unwrap(), "99");
}

/// The configuration names the owner's number.
#[test]
fn the_configuration_is_for_root_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let card = card();
    run(&args(&card, Some("lcd-hat-1in3")), "y\n").unwrap();
    let mode = |file: &str| {
        let metadata = std::fs::metadata(card.path().join(file)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode(CONFIGURATION), 0o600);
    assert_eq!(mode(CONFIG_TXT[0]) & 0o400, 0o400);
}
