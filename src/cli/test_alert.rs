//! `vinculo test-alert`: one alert through each way to the owner that the configuration names, and
//! for each that fails a sentence with what to do.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::alerts;
use crate::config::Config;
use crate::history::Stamper;
use crate::inbox::ServiceClock;

/// Something the box needs is not there (`EX_UNAVAILABLE` of sysexits).
const EXIT_UNAVAILABLE: u8 = 69;

#[derive(Args)]
pub struct Arguments {
    /// The configuration file of the box
    #[arg(long, value_name = "FILE", default_value = "/etc/vinculo/vinculo.toml")]
    config: PathBuf,
}

/// Sends, tells, and returns the exit code.
pub fn send(arguments: &Arguments) -> ExitCode {
    let config = match Config::read(&arguments.config) {
        Ok(config) => config,
        Err(error) => return super::usage(&error.to_string()),
    };
    let Some(settings) = config.alerts else {
        return super::usage(&format!(
            "{} has no [alerts]; add [alerts.mail] or [alerts.webhook] to it",
            arguments.config.display()
        ));
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcomes = match runtime {
        Ok(runtime) => runtime.block_on(async {
            let stamp = Stamper::new(ServiceClock::default()).now();
            alerts::test(&settings, stamp).await
        }),
        Err(error) => return super::usage(&error.to_string()),
    };
    let mut failed = false;
    let mut out = std::io::stdout();
    for (way, outcome) in outcomes {
        // Somebody who closes the pipe still wants the exit code.
        let _ = match outcome {
            Ok(()) => writeln!(out, "{way}: taken; see whether it arrives"),
            Err(failure) => {
                failed = true;
                writeln!(out, "{way}: {failure}")
            }
        };
    }
    if failed {
        ExitCode::from(EXIT_UNAVAILABLE)
    } else {
        ExitCode::SUCCESS
    }
}
