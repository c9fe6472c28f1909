//! `vinculo setup-board`: makes a machine ready for a board, after saying what it will write and
//! asking. The package and the tar both leave it to this command. What the files become is decided
//! in `plan`; this file asks and writes. It never writes what it has not shown, and `--undo` takes
//! all of it back.

use std::io::{BufRead, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use super::boards;
use crate::hardware;

mod plan;

use plan::{Change, Files};

/// Where the firmware of a Raspberry Pi reads its settings, newest place first.
const CONFIG_TXT: [&str; 2] = ["boot/firmware/config.txt", "boot/config.txt"];
const MODULES: &str = "etc/modules-load.d/vinculo.conf";
const CONFIGURATION: &str = "etc/vinculo/vinculo.toml";

/// The arguments of `vinculo setup-board`.
#[derive(Args)]
pub struct SetupBoard {
    /// The board, as `vinculo boards` lists it; without a name you are asked for one
    name: Option<String>,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
    /// Take back everything this command has written
    #[arg(long, conflicts_with = "name")]
    undo: bool,
    /// Where the machine's files begin, to set up a card that is mounted there
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
}

/// Runs the command with the terminal as the person who is asked.
pub fn setup_board(args: &SetupBoard) -> ExitCode {
    let mut answers = std::io::stdin().lock();
    match setup(args, &mut answers) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => super::usage(&format!("{error:#}")),
    }
}

fn setup(args: &SetupBoard, answers: &mut impl BufRead) -> anyhow::Result<()> {
    let files = read(&args.root)?;
    let here = args.root == Path::new("/");
    if args.undo {
        let changes = plan::undo(&files);
        return carry_out(args, &changes, answers).map(drop);
    }
    let name = match &args.name {
        Some(name) => name.clone(),
        None => ask_board(answers)?,
    };
    let profile = hardware::profile(&name)?;
    println!("{}", boards::describe(&name, &profile));
    let changes = plan::setup(&files, &name, &profile)?;
    if files.config_txt.is_none() && !profile.config_txt.is_empty() {
        println!(
            "There is no config.txt, so this is no Raspberry Pi: switch the display's bus on as \
             this machine's maker says.\n"
        );
    }
    if !carry_out(args, &changes, answers)? {
        return Ok(());
    }
    if changes.iter().any(|change| change.restart) {
        println!("The machine must start anew before the display works: sudo reboot");
        return Ok(());
    }
    if changes.is_empty() {
        println!("Everything is set up already.");
    } else {
        println!("The box takes this up with: sudo systemctl restart vinculo");
    }
    if here {
        for lack in boards::check_here(&profile) {
            println!("Still missing: {}\n  {}", lack.what, lack.remedy);
        }
    }
    Ok(())
}

/// Shows the changes, asks, and makes them. Says whether they were made.
fn carry_out(
    args: &SetupBoard,
    changes: &[Change],
    answers: &mut impl BufRead,
) -> anyhow::Result<bool> {
    for change in changes {
        println!("{}", change.shown(&args.root));
    }
    if changes.is_empty() {
        if args.undo {
            println!("There is nothing to take back.");
        }
        return Ok(true);
    }
    if !args.yes && !ask_yes(answers)? {
        println!("Nothing was changed.");
        return Ok(false);
    }
    for change in changes {
        let path = args.root.join(change.file);
        write(&path, change.text.as_deref())
            .with_context(|| format!("cannot write {}; run this with sudo", path.display()))?;
    }
    println!("Done.");
    Ok(true)
}

fn read(root: &Path) -> anyhow::Result<Files> {
    let text = |file: &str| match std::fs::read_to_string(root.join(file)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(error).with_context(|| format!("cannot read /{file}; run this with sudo"))
        }
    };
    let mut config_txt = None;
    for file in CONFIG_TXT {
        if let Some(text) = text(file)? {
            config_txt = Some((file, text));
            break;
        }
    }
    Ok(Files {
        config_txt,
        modules: text(MODULES)?,
        configuration: text(CONFIGURATION)?,
    })
}

/// Replaces a file as a whole, so that a power cut leaves the old one or the new one: without a
/// whole `config.txt` a board may not start. `None` deletes it.
fn write(path: &Path, text: Option<&str>) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;

    let folder = path.parent().unwrap_or(Path::new("/"));
    let Some(text) = text else {
        std::fs::remove_file(path)?;
        return std::fs::File::open(folder)?.sync_all();
    };
    std::fs::create_dir_all(folder)?;
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    // The configuration may name the owner's number; the other two are for everybody.
    let mode = if path.ends_with(CONFIGURATION) {
        0o600
    } else {
        0o644
    };
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&fresh)?;
    file.write_all(text.as_bytes())?;
    if let Ok(before) = std::fs::metadata(path) {
        file.set_permissions(before.permissions())?;
    }
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    std::fs::File::open(folder)?.sync_all()
}

fn ask_board(answers: &mut impl BufRead) -> anyhow::Result<String> {
    let names: Vec<_> = hardware::names().collect();
    for (number, name) in names.iter().enumerate() {
        println!(
            "{:3}  {name:18} {}",
            number + 1,
            hardware::profile(name)?.title
        );
    }
    let answer = ask("Which board? Its name or number:", answers)?;
    let chosen = answer
        .parse::<usize>()
        .ok()
        .and_then(|number| names.get(number.checked_sub(1)?));
    Ok(chosen.map_or(answer, |name| (*name).to_owned()))
}

fn ask_yes(answers: &mut impl BufRead) -> anyhow::Result<bool> {
    let answer = ask("Do this? [y/N]", answers)?.to_lowercase();
    Ok(["y", "yes", "s", "si", "sí"].contains(&answer.as_str()))
}

/// The end of the input is an empty answer.
fn ask(question: &str, answers: &mut impl BufRead) -> anyhow::Result<String> {
    print!("{question} ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    answers.read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}

#[cfg(test)]
mod tests;
