//! Measures the budgets of the design on a box in a process of its own, against a simulator in
//! this one. Build both in release and run:
//!
//! ```text
//! cargo build --release --examples && cargo run --release --example figures -- [--idle SECONDS] [--backlog N]
//! ```
//!
//! Times are taken from outside, so they include the simulator's work and the status page's.
//! Every figure is printed beside its budget; nothing is judged here, because machines differ.

#[path = "suite/process.rs"]
#[expect(dead_code, reason = "this program uses a part of the tests' harness")]
#[allow(clippy::unwrap_used)]
mod process;

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use process::BoxProcess;
use whatsim::{Options, Sim};

const SHOP: &str = "573000000001";
const ANA: &str = "573000000002";

const CONFIGURATION: &str = r#"
[outbox]
gap = "0s"
new_chat_gap = "0s"

[[answer]]
when = "/pregunta/"
say = "eco: {text}"
every = "0s"
"#;

#[derive(Parser)]
#[command(about = "Measures the budgets of the design")]
struct Arguments {
    /// How long the idle box is watched, in seconds
    #[arg(long, default_value_t = 600)]
    idle: u64,
    /// How many messages wait for the box
    #[arg(long, default_value_t = 20_000)]
    backlog: usize,
    /// How many questions are timed
    #[arg(long, default_value_t = 300)]
    questions: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let sim = Sim::start(Options::default()).await?;
    sim.add_phone(SHOP, "Tienda", true)?;
    sim.add_phone(ANA, "Ana", true)?;
    let home = tempfile::tempdir_in(".")?;
    let config = home.path().join("vinculo.toml");
    std::fs::write(&config, CONFIGURATION)?;
    let config = config.to_str().context("a path in UTF-8")?.to_owned();

    first_picture(&sim, home.path())?;
    refs_to_pixels(&sim, home.path()).await?;

    let state = home.path().join("state");
    let start = || BoxProcess::start(&sim.ws_url(), &state, &["--config", &config]);
    let running = start();
    sim.scan(SHOP, &running.wait_qr()).await?;
    running.wait_link("online");
    answers(&sim, &running, home.path(), arguments.questions).await?;
    running.terminate();

    for i in 0..arguments.backlog {
        sim.send_text(ANA, SHOP, &format!("mensaje {i} de los que esperan"))?;
    }
    let began = Instant::now();
    let running = start();
    sim.until(|view| (view.counters().queued == 0).then_some(()))
        .await;
    println!(
        "drained {} messages in {:.1} s",
        arguments.backlog,
        began.elapsed().as_secs_f64()
    );
    let memory = Memory::of(running.id())?;
    println!(
        "resident after the drain: {:.1} MiB, at most {:.1} MiB (budget 24)",
        memory.resident, memory.peak
    );
    running.terminate();

    let running = start();
    running.wait_link("online");
    tokio::time::sleep(Duration::from_secs(60)).await;
    let memory = Memory::of(running.id())?;
    println!(
        "resident online, 60 s after the start on that store: {:.1} MiB (budget 16)",
        memory.resident
    );
    idle(&running, arguments.idle).await?;
    running.terminate();
    Ok(())
}

fn first_picture(sim: &Sim, home: &Path) -> anyhow::Result<()> {
    let mut times = Vec::new();
    for turn in 0..9 {
        let data = home.join(format!("picture-{turn}"));
        let began = Instant::now();
        let running = BoxProcess::start(&sim.ws_url(), &data, &[]);
        running.screen();
        times.push(began.elapsed());
    }
    println!(
        "start to first picture: {} (budget 100 ms)",
        spread(&mut times)
    );
    Ok(())
}

async fn refs_to_pixels(sim: &Sim, home: &Path) -> anyhow::Result<()> {
    let mut times = Vec::new();
    for turn in 0..9 {
        let data = home.join(format!("refs-{turn}"));
        let refs = sim.counters().refs;
        let running = BoxProcess::start(&sim.ws_url(), &data, &[]);
        sim.until(|view| (view.counters().refs > refs).then_some(()))
            .await;
        let began = Instant::now();
        while process::scan(&running.screen()).is_none() {}
        times.push(began.elapsed());
    }
    println!(
        "refs sent to QR read off the picture: {} (budget 50 ms)",
        spread(&mut times)
    );
    Ok(())
}

async fn answers(sim: &Sim, running: &BoxProcess, home: &Path, n: usize) -> anyhow::Result<()> {
    let mut bare = Vec::new();
    let mut times = Vec::new();
    let mut file = File::create(home.join("bare"))?;
    // The first exchange sets up the sessions.
    ask(sim, 0).await?;
    let before = written(running.id())?;
    for i in 1..=n {
        times.push(ask(sim, i).await?);
        // In turn with the questions, so that both meet the same disk.
        let began = Instant::now();
        for _ in 0..2 {
            file.write_all(&[0x5A; 4096])?;
            file.sync_data()?;
        }
        bare.push(began.elapsed());
    }
    let bytes = (written(running.id())? - before) / n as u64;
    println!("message in to answer shown: {}", spread(&mut times));
    println!("two bare fdatasyncs:        {}", spread(&mut bare));
    println!(
        "  ratio: median {:.2}, p99 {:.2} (budget for p99: 1.5)",
        ratio(&times, &bare, 50),
        ratio(&times, &bare, 99)
    );
    println!("written to disk per message with its answer: {bytes} bytes");
    Ok(())
}

async fn ask(sim: &Sim, turn: usize) -> anyhow::Result<Duration> {
    let shown = sim.inbox(ANA)?.len();
    let began = Instant::now();
    sim.send_text(ANA, SHOP, &format!("pregunta {turn}"))?;
    sim.until(|view| (view.inbox(ANA).len() > shown).then_some(()))
        .await;
    Ok(began.elapsed())
}

async fn idle(running: &BoxProcess, seconds: u64) -> anyhow::Result<()> {
    let (wakes, bytes) = (switches(running.id())?, written(running.id())?);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let wakes = switches(running.id())? - wakes;
    println!(
        "idle for {seconds} s: {:.2} wake-ups a second (budget 1 beyond the keep-alive), \
         {} bytes written to disk (budget 0)",
        wakes as f64 / seconds as f64,
        written(running.id())? - bytes
    );
    Ok(())
}

struct Memory {
    resident: f64,
    peak: f64,
}

impl Memory {
    fn of(pid: u32) -> anyhow::Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        Ok(Self {
            resident: field(&status, "VmRSS:")? as f64 / 1024.0,
            peak: field(&status, "VmHWM:")? as f64 / 1024.0,
        })
    }
}

/// Bytes the kernel has sent to the disk for this process.
fn written(pid: u32) -> anyhow::Result<u64> {
    field(
        &std::fs::read_to_string(format!("/proc/{pid}/io"))?,
        "write_bytes:",
    )
}

/// How often the process's threads have gone to sleep of their own will.
fn switches(pid: u32) -> anyhow::Result<u64> {
    let mut sum = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = std::fs::read_to_string(thread?.path().join("status"))?;
        sum += field(&status, "voluntary_ctxt_switches:")?;
    }
    Ok(sum)
}

fn field(text: &str, name: &str) -> anyhow::Result<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .with_context(|| format!("no {name} in /proc"))
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

fn spread(times: &mut [Duration]) -> String {
    times.sort();
    format!(
        "median {:.2} ms, p99 {:.2} ms of {}",
        percentile(times, 50).as_secs_f64() * 1e3,
        percentile(times, 99).as_secs_f64() * 1e3,
        times.len()
    )
}

fn ratio(a: &[Duration], b: &[Duration], percent: usize) -> f64 {
    percentile(a, percent).as_secs_f64() / percentile(b, percent).as_secs_f64()
}
