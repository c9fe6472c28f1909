//! The whole story on one machine: a simulated WhatsApp, a shop's phone that reads the QR off the
//! box's screen, customers who write, and the box that answers.
//!
//! `cargo demo` shows the box in the terminal and keeps running, so that one can watch, press and
//! hold. `cargo demo -- --script` runs unattended, prints each step and says which one failed.

use std::io::Write as _;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Parser;
use embedded_graphics::geometry::OriginDimensions as _;
use tokio::sync::{oneshot, watch};
use vinculo::appliance::Flavor;
use vinculo::appliance::{Appliance, Doors};
use vinculo::config::Config;
use vinculo::hardware::Frame;
use vinculo::session::Link;
use whatsim::{Options, Sim};

const SHOP: &str = "573000000001";
const CUSTOMERS: [(&str, &str); 3] = [
    ("573000000002", "Ana"),
    ("573000000003", "Luis"),
    ("573000000004", "Sofía"),
];

const CONFIGURATION: &str = r#"
[outbox]
gap = "0s"
new_chat_gap = "0s"

[[answer]]
when = ["hola", "buenas"]
say = "¡Hola {name}! Bienvenida a la Tienda Azul."
every = "0s"

[[answer]]
when = ["horario", "a qué hora abren"]
say = "Abrimos de lunes a sábado, de 8 a 18."
every = "0s"
"#;

/// How long one step of the script may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Parser)]
#[command(about = "The whole box on one machine, against a simulated WhatsApp")]
struct Arguments {
    /// Run unattended, print each step, exit 0 or say which step failed
    #[arg(long)]
    script: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match play(arguments.script) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn play(script: bool) -> anyhow::Result<()> {
    // The simulator lives on a thread of its own, as the service lives on machines of its own.
    let world = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let sim = Arc::new(world.block_on(Sim::start(Options::default()))?);
    let state = tempfile::tempdir()?;
    let mut config = Config::parse(CONFIGURATION)
        .map_err(|faults| anyhow::anyhow!("the demo's own configuration: {faults:?}"))?;
    config.apply_arguments(
        Some(if script { "headless" } else { "desk" }),
        Some(state.path()),
        Some(&sim.ws_url()),
        Some("127.0.0.1:0"),
    )?;
    let log = vinculo::cli::start_log();

    let (ready, doors) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let story = world.spawn({
        let sim = Arc::clone(&sim);
        async move {
            let told = tell(&sim, doors, script).await;
            if script || told.is_err() {
                let _ = stop.send(());
            } else {
                // Somebody watches: the box runs until they quit.
                std::mem::forget(stop);
            }
            told
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let quit = vinculo::appliance::stop_signal()?;
        let stop = async move {
            tokio::select! {
                () = quit => {}
                _ = stopped => {}
            }
        };
        Appliance::new(config, Flavor::Simulator, NonZeroU32::MIN, log)
            .run(stop, |doors| {
                let _ = ready.send(doors);
            })
            .await
    })?;
    if script {
        world.block_on(story)??;
    }
    Ok(())
}

async fn tell(sim: &Sim, doors: oneshot::Receiver<Doors>, script: bool) -> anyhow::Result<()> {
    let say = |step: &str| {
        if script {
            println!("{step}");
        }
    };
    let mut doors = doors.await.context("the box did not start")?;
    say("the box is up");
    sim.add_phone(SHOP, "Tienda Azul", true)?;
    for (number, name) in CUSTOMERS {
        sim.add_phone(number, name, true)?;
    }
    let qr = step("a QR is on the screen", read_qr(&mut doors.frame)).await?;
    say("the shop's phone reads the QR off the picture");
    sim.scan(SHOP, &qr).await.context("the scan")?;
    step("the box is online", online(&mut doors.link)).await?;
    say("the box is linked and online");
    let questions = ["¡Hola!", "Buenas tardes", "¿A qué hora abren?"];
    for ((number, name), question) in CUSTOMERS.iter().zip(questions) {
        sim.send_text(number, SHOP, question)?;
        say(&format!("{name} writes: {question}"));
        let answer = sim.until(|view| view.inbox(number).into_iter().next());
        let answer = step("an answer", async { Ok(answer.await) }).await?;
        say(&format!("{name} reads:  {}", answer.text));
    }
    let counters = sim.counters();
    if !counters.unknown.is_empty() {
        bail!(
            "stanzas the simulator does not know: {:?}",
            counters.unknown
        );
    }
    say("every stanza was understood");
    Ok(())
}

async fn step<T>(what: &str, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .with_context(|| format!("step failed: {what} (not within {PATIENCE:?})"))?
        .with_context(|| format!("step failed: {what}"))
}

async fn online(link: &mut watch::Receiver<Link>) -> anyhow::Result<()> {
    link.wait_for(|link| matches!(link, Link::Online(_)))
        .await?;
    Ok(())
}

/// Reads the QR as a phone does: off the pixels.
async fn read_qr(frames: &mut watch::Receiver<Arc<Frame>>) -> anyhow::Result<String> {
    loop {
        let frame = Arc::clone(&frames.borrow_and_update());
        let size = frame.size();
        let mut picture = rqrr::PreparedImage::prepare_from_greyscale(
            size.width as usize,
            size.height as usize,
            |x, y| frame.grey(x as u32, y as u32),
        );
        let grids = picture.detect_grids();
        if let Some((_, text)) = grids.first().and_then(|grid| grid.decode().ok()) {
            return Ok(text);
        }
        frames.changed().await?;
    }
}
