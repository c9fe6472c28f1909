//! Lets Baileys, an implementation this project did not write, speak to the simulator and to the
//! box: `tests/interop` holds the Node side. Needs Node 20 and `npm ci` in that folder.

#[path = "suite/process.rs"]
#[expect(dead_code, reason = "this program uses a part of the tests' harness")]
#[allow(clippy::unwrap_used)]
mod process;

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, ensure};
use process::BoxProcess;
use whatsim::{Options, Sim};

const SHOP: &str = "573000000001";

/// The bot answers every text with itself, at once.
const ECHO: &str = r#"
[outbox]
gap = "0s"
new_chat_gap = "0s"

[[answer]]
when = "/.*/"
say = "eco: {text}"
every = "0s"
"#;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let sim = Sim::start(Options {
        control: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        ..Options::default()
    })
    .await?;
    play(&sim, "story.mjs").await?;

    let home = tempfile::tempdir()?;
    let config = home.path().join("vinculo.toml");
    std::fs::write(&config, ECHO)?;
    sim.add_phone(SHOP, "Tienda", true)?;
    let config = config.to_str().context("a path in UTF-8")?;
    let running = BoxProcess::start(
        &sim.ws_url(),
        &home.path().join("state"),
        &["--config", config],
    );
    sim.scan(SHOP, &running.wait_qr()).await?;
    running.wait_link("online");
    play(&sim, "box.mjs").await?;
    let counters = sim.counters();
    println!("unknown stanzas: {:?}", counters.unknown);
    println!("available for {} s", counters.available_seconds);
    ensure!(counters.unknown.is_empty(), "the simulator guessed");
    ensure!(
        running
            .status()
            .is_some_and(|status| status["link"] == "online"),
        "the box is not online any more"
    );
    Ok(())
}

async fn play(sim: &Sim, story: &str) -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
    let root: String = sim
        .noise_root_public()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let status = tokio::process::Command::new("node")
        .arg(story)
        .current_dir(folder)
        .env("WS", sim.ws_url())
        .env("CONTROL", sim.control_url().context("a control address")?)
        .env("NOISE_ROOT", root)
        .env("BOX_NUMBER", SHOP)
        .status()
        .await
        .context("node does not start")?;
    ensure!(status.success(), "{story} failed: {status}");
    Ok(())
}
