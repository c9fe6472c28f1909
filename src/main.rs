//! The program that is shipped. Everything is in the library; see [`vinculo::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    vinculo::cli::main(vinculo::appliance::Flavor::Service)
}
