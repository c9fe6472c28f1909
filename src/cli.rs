//! The command line, shared by `vinculo` and by the `box` example of the tests.
//!
//! The two differ in one thing only, [`Flavor`]: `box` is built with development features, talks
//! to a simulator on loopback and may scale time; `vinculo` does none of that. Exit codes follow
//! sysexits: 64 for a command line or a configuration that cannot be used, 69 for a board that
//! lacks something, 70 for a failure while running.

use std::io::Write as _;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Arg, ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::appliance::{self, Appliance, Flavor, room};
use crate::config::{Config, ConfigError};
use crate::hardware::desk::LogLine;
use crate::watchdog::ServiceManager;

mod allocator;
mod boards;
mod events;
mod render;
mod setup;
mod test_alert;

/// A command line or configuration that cannot be used (`EX_USAGE` of sysexits).
const EXIT_USAGE: u8 = 64;
/// A failure while running (`EX_SOFTWARE`).
const EXIT_SOFTWARE: u8 = 70;

#[derive(Parser)]
#[command(version, about = "Keeps one WhatsApp number linked, around the clock")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the box (the default)
    Run(Run),
    /// Read a configuration and name everything wrong with it
    CheckConfig {
        /// The TOML file
        file: PathBuf,
    },
    /// Draw one screen into a PNG
    Render(render::Render),
    /// Draw every screen in both languages onto sheets for people to look through, as PNGs
    ContactSheet(render::ContactSheet),
    /// Tell what became of the link, from a running box or from its data directory
    Events(events::Arguments),
    /// Send one alert through each channel of the configuration, and explain what fails
    TestAlert(test_alert::Arguments),
    /// List the boards that are known
    Boards,
    /// Say what a board lacks on this machine, and how to mend it
    CheckBoard {
        /// The board's name, or its file's path
        name: String,
    },
    /// Set this machine up for a board: config.txt, the I2C bus and the configuration
    SetupBoard(setup::SetupBoard),
}

#[derive(Args, Default)]
struct Run {
    /// The configuration file; without it the defaults are in force
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Which display and button: a name that `vinculo boards` lists, or a file's path
    #[arg(long, value_name = "NAME")]
    board: Option<String>,
    /// Where the link and the messages are kept
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The service's WebSocket address
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Where the status page listens, such as 127.0.0.1:8080
    #[arg(long, value_name = "ADDR")]
    web: Option<String>,
}

/// The command line of `vinculo`, from which its manual and the shells' completions are made.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program: reads the arguments of this process and returns its exit code.
pub fn main(flavor: Flavor) -> ExitCode {
    let mut command = command();
    if flavor == Flavor::Simulator {
        command = command.name("box").mut_subcommand("run", |run| {
            run.arg(
                Arg::new("time-scale")
                    .long("time-scale")
                    .value_name("N")
                    .value_parser(clap::value_parser!(u32).range(1..=100_000))
                    .help("Let time pass N times as fast"),
            )
        });
    }
    let matches = match command.try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(EXIT_USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match cli.command {
        None => run(&Run::default(), flavor, NonZeroU32::MIN),
        Some(Command::Run(args)) => run(&args, flavor, time_scale(&matches)),
        Some(Command::CheckConfig { file }) => match Config::read(&file) {
            Ok(_) => {
                println!("{}: no faults", file.display());
                ExitCode::SUCCESS
            }
            Err(error) => usage(&error.to_string()),
        },
        Some(Command::Render(args)) => render::one(&args),
        Some(Command::ContactSheet(args)) => render::all(&args),
        Some(Command::Events(arguments)) => events::show(&arguments),
        Some(Command::TestAlert(arguments)) => test_alert::send(&arguments),
        Some(Command::Boards) => boards::list(),
        Some(Command::CheckBoard { name }) => boards::check(&name),
        Some(Command::SetupBoard(args)) => setup::setup_board(&args),
    }
}

fn time_scale(matches: &ArgMatches) -> NonZeroU32 {
    matches
        .subcommand()
        .and_then(|(_, run)| run.try_get_one::<u32>("time-scale").ok().flatten())
        .and_then(|scale| NonZeroU32::new(*scale))
        .unwrap_or(NonZeroU32::MIN)
}

fn run(args: &Run, flavor: Flavor, time_scale: NonZeroU32) -> ExitCode {
    let config = match configuration(args, flavor) {
        Ok(config) => config,
        Err(error) => return usage(&error.to_string()),
    };
    allocator::be_frugal();
    let log = start_log();
    let data_dir = config.data_dir.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(async {
            let manager = ServiceManager::from_environment().context("$NOTIFY_SOCKET")?;
            let ended = Appliance::new(config, flavor, time_scale, log)
                .under(manager)
                .run(appliance::stop_signal()?, |_| {})
                .await;
            if let Err(error) = &ended
                && room::is_missing(&data_dir).await
            {
                tracing::error!(
                    error = format!("{error:#}"),
                    "the disk is full; starting anew"
                );
                tracing::error!(error = %start_anew([(room::MISSED, "1")]), "that did not work");
            }
            ended
        }),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "vinculo: {error:#}");
            ExitCode::from(EXIT_SOFTWARE)
        }
    }
}

/// Puts the same program with the same arguments, and this in its environment, in the place of this
/// process. Returns only if that did not work.
pub(crate) fn start_anew<const N: usize>(environment: [(&str, &str); N]) -> std::io::Error {
    use std::os::unix::process::CommandExt as _;

    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error,
    };
    let mut arguments = std::env::args_os();
    let mut again = std::process::Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    again.args(arguments).envs(environment).exec()
}

/// What is logged unless `VINCULO_LOG` says otherwise: this program only. The protocol crate names
/// phone numbers in its log, and what it has to tell reaches the session as events.
const LOG: (&str, Level) = ("vinculo", Level::INFO);

/// Starts the log and returns the door through which a board may show it.
pub fn start_log() -> LogLine {
    let line = LogLine::default();
    let usual = Targets::new().with_target(LOG.0, LOG.1);
    let wanted = std::env::var("VINCULO_LOG")
        .ok()
        .map(|wanted| wanted.parse::<Targets>());
    let fault = matches!(wanted, Some(Err(_)));
    let filter = wanted.and_then(Result::ok).unwrap_or(usual);
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(line.clone());
    let started = tracing_subscriber::registry()
        .with(lines)
        .with(filter)
        .try_init();
    // Only a program that embeds this one can have started a log of its own before.
    drop(started);
    if fault {
        tracing::warn!(
            "VINCULO_LOG is not understood and left out; write targets and levels, such as \
             vinculo=debug,vinculo::session=trace"
        );
    }
    line
}

fn configuration(args: &Run, flavor: Flavor) -> Result<Config, ConfigError> {
    let mut config = match &args.config {
        Some(file) => Config::read(file)?,
        None => Config::default(),
    };
    config.apply_arguments(
        args.board.as_deref(),
        args.data_dir.as_deref(),
        args.endpoint.as_deref(),
        args.web.as_deref(),
    )?;
    if flavor == Flavor::Simulator {
        config.require_loopback()?;
    }
    Ok(config)
}

fn usage(message: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "vinculo: {message}");
    ExitCode::from(EXIT_USAGE)
}
