//! The simulator as a program: reads its arguments, prints one line when it is ready, runs until it is
//! told to end. It must print nothing else to standard output.

use std::net::SocketAddr;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use whatsim::{Options, Sim};

#[derive(Parser)]
#[command(
    name = "whatsim",
    about = "A simulated WhatsApp, on loopback only",
    version
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve clients until SIGTERM.
    Serve {
        /// Where clients connect; loopback only.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// Where the control interface listens; loopback only.
        #[arg(long, default_value = "127.0.0.1:0")]
        control: SocketAddr,
        /// The private key of the Noise root, 64 hexadecimal digits; a fresh one if not given.
        #[arg(long, value_name = "HEX", value_parser = key)]
        noise_root: Option<[u8; 32]>,
        /// By how much every duration is shortened.
        #[arg(long, value_name = "N", default_value_t = 1.0)]
        time_scale: f64,
    },
}

/// What is printed when clients can connect.
#[derive(Serialize)]
struct Ready {
    ws: String,
    control: String,
    noise_root: String,
}

fn key(hex: &str) -> Result<[u8; 32], String> {
    let bytes = hex::decode(hex).map_err(|error| error.to_string())?;
    bytes
        .try_into()
        .map_err(|_| "a key has 64 hexadecimal digits".into())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let wanted = std::env::var("RUST_LOG").unwrap_or_default();
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr))
        .with(wanted.parse::<Targets>().context("RUST_LOG")?)
        .init();
    let Command::Serve {
        listen,
        control,
        noise_root,
        time_scale,
    } = Arguments::parse().command;
    let mut terminate = signal(SignalKind::terminate())?;
    let sim = Sim::start(Options {
        listen,
        control: Some(control),
        noise_root,
        time_scale,
    })
    .await?;
    let ready = Ready {
        ws: sim.ws_url(),
        control: sim.control_url().context("the control interface")?,
        noise_root: hex::encode(sim.noise_root_public()),
    };
    println!("{}", serde_json::to_string(&ready)?);
    tokio::select! {
        _ = terminate.recv() => {}
        ctrl_c = tokio::signal::ctrl_c() => ctrl_c?,
    }
    Ok(())
}
