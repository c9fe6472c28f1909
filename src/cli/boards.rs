//! `vinculo boards` and `vinculo check-board`: what there is, and what is missing here.

use std::process::ExitCode;

use crate::hardware;
use crate::hardware::check::Machine;
use crate::hardware::profile::Profile;

/// Something a board needs is not there (`EX_UNAVAILABLE` of sysexits).
const EXIT_UNAVAILABLE: u8 = 69;

/// Lists the boards that come with the program.
pub fn list() -> ExitCode {
    for name in hardware::names() {
        match hardware::profile(name) {
            Ok(profile) => println!("{name:18} {}", profile.title),
            Err(error) => return super::usage(&error.to_string()),
        }
    }
    println!("\nMore about one of them: vinculo check-board NAME");
    ExitCode::SUCCESS
}

/// Says how a board is wired, and what it lacks on this machine.
pub fn check(name: &str) -> ExitCode {
    let profile = match hardware::profile(name) {
        Ok(profile) => profile,
        Err(error) => return super::usage(&error.to_string()),
    };
    print!("{}", describe(name, &profile));
    let lacks = check_here(&profile);
    if lacks.is_empty() {
        println!("\nNothing is missing on this machine.");
        return ExitCode::SUCCESS;
    }
    println!("\nMissing on this machine:");
    for lack in lacks {
        println!("- {}\n  {}", lack.what, lack.remedy);
    }
    ExitCode::from(EXIT_UNAVAILABLE)
}

/// What the board lacks on this machine.
pub fn check_here(profile: &Profile) -> Vec<hardware::check::Lack> {
    hardware::check::check(profile, &Machine::this())
}

/// What a board is, how it is wired and what it needs.
pub fn describe(name: &str, profile: &Profile) -> String {
    let mut text = format!("{name}: {}\n\n{}\n", profile.title, profile.wiring);
    if !profile.config_txt.is_empty() {
        text += "\nIn /boot/firmware/config.txt:\n";
        for line in &profile.config_txt {
            text += &format!("    {line}\n");
        }
    }
    if !profile.unverified.is_empty() {
        text += &format!(
            "\nNot confirmed on a bench yet: {}.\n",
            profile.unverified.join("; ")
        );
    }
    text
}
