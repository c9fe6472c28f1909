//! Checks the binary that is shipped, given as the only argument: it must not trust a simulator,
//! neither on a fresh data directory nor on one that the development binary linked.

#[path = "suite/process.rs"]
#[expect(dead_code, reason = "this program uses a part of the tests' harness")]
#[allow(clippy::unwrap_used)]
mod process;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, ensure};
use process::BoxProcess;
use whatsim::{Options, Sim};

const SHOP: &str = "573000000001";

#[tokio::main]
async fn main() -> ExitCode {
    match check().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shipped: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn check() -> anyhow::Result<()> {
    let shipped = PathBuf::from(std::env::args_os().nth(1).context("which binary?")?);
    let sim = Sim::start(Options::default()).await?;
    sim.add_phone(SHOP, "Tienda", true)?;

    let fresh = tempfile::tempdir()?;
    let running = BoxProcess::start_binary(&shipped, &sim.ws_url(), fresh.path(), &[]);
    running.wait("an attempt that failed", |status| {
        status["screen"] == "connecting_again"
    });
    let status = running.status().context("its status page answers")?;
    running.terminate();
    ensure!(
        sim.counters().refs == 0,
        "it went as far as asking for refs"
    );
    ensure!(
        status["link"] != "linking" && status["link"] != "online",
        "{status}"
    );
    println!(
        "a fresh directory: it does not trust the simulator ({})",
        status["link"]
    );

    let linked = tempfile::tempdir()?;
    let box_there = BoxProcess::start(&sim.ws_url(), linked.path(), &[]);
    sim.scan(SHOP, &box_there.wait_qr()).await?;
    box_there.wait_link("online");
    box_there.terminate();
    let sockets = sim.counters().sockets;
    let output = Command::new(&shipped)
        .args(["run", "--board", "headless", "--web", "127.0.0.1:0"])
        .args(["--endpoint", &sim.ws_url(), "--data-dir"])
        .arg(linked.path())
        .output()?;
    ensure!(!output.status.success(), "it ran on a marked directory");
    ensure!(
        sim.counters().sockets == sockets,
        "it opened a socket with a simulator's link"
    );
    println!(
        "a marked directory: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
