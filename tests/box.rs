//! The box as the tests run it: the very same command line as `vinculo`, plus `--time-scale N`,
//! trusting a simulator on loopback. It marks its data directory, which `vinculo` then refuses.

use std::process::ExitCode;

fn main() -> ExitCode {
    vinculo::cli::main(vinculo::appliance::Flavor::Simulator)
}
