//! Measures the budgets of the design on a box in a process of its own, against a simulator in
//! this one. Build both in release and run:
//!
//! ```text
//! cargo build --release --examples && cargo build --release --bin vinculo
//! cargo run --release --example figures -- [memory] [picture] [codes] [answers] [idle] [size]
//! ```
//!
//! Without a name everything is measured. Times are taken from outside the box: they are upper
//! bounds. Every figure is printed beside its budget; nothing
//! is judged here, because machines differ.

#[path = "suite/process.rs"]
#[expect(dead_code, reason = "this program uses a part of the tests' harness")]
#[allow(clippy::unwrap_used)]
mod process;

#[path = "figures/proc.rs"]
mod proc;
#[path = "figures/spread.rs"]
mod spread;

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use proc::{Memory, switches, written};
use process::BoxProcess;
use spread::{Spread, ratios};
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

/// What the box does behind an answer (it writes the ratchet down 25 ms later) is over by then, so
/// that neither the next question nor the bare loop shares the disk with it.
const QUIET: Duration = Duration::from_millis(100);

/// How long after its start the memory of a box that is online is looked at.
const SETTLED: Duration = Duration::from_secs(60);

/// After a drain, for what was only waiting to be given back.
const RESTED: Duration = Duration::from_secs(10);

#[derive(Parser)]
#[command(about = "Measures the budgets of the design")]
struct Arguments {
    /// What to measure; everything unless said
    #[arg(value_parser = ["memory", "picture", "codes", "answers", "idle", "size"])]
    what: Vec<String>,
    /// How long the idle box is watched, in seconds
    #[arg(long, default_value_t = 600)]
    idle: u64,
    /// How many messages wait for the box
    #[arg(long, default_value_t = 20_000)]
    backlog: usize,
    /// How many questions are timed
    #[arg(long, default_value_t = 300)]
    questions: usize,
    /// How often the box is started for the first picture and the first code
    #[arg(long, default_value_t = 20)]
    starts: usize,
}

impl Arguments {
    fn wants(&self, what: &str) -> bool {
        self.what.is_empty() || self.what.iter().any(|wanted| wanted == what)
    }
}

/// The simulator, and the box's files.
struct Bench {
    sim: Sim,
    home: tempfile::TempDir,
    config: String,
}

impl Bench {
    async fn new() -> anyhow::Result<Self> {
        let sim = Sim::start(Options::default()).await?;
        sim.add_phone(SHOP, "Tienda", true)?;
        sim.add_phone(ANA, "Ana", true)?;
        // Beside the binary, on a disk; temporary directories may be memory.
        let binary = process::box_binary();
        let home = tempfile::tempdir_in(binary.parent().context("a binary in a directory")?)?;
        let config = home.path().join("vinculo.toml");
        std::fs::write(&config, CONFIGURATION)?;
        let config = config.to_str().context("a path in UTF-8")?.to_owned();
        Ok(Self { sim, home, config })
    }

    fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    fn start(&self, state: &Path) -> BoxProcess {
        BoxProcess::start(&self.sim.ws_url(), state, &["--config", &self.config])
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let bench = Bench::new().await?;
    if arguments.wants("size") {
        sizes();
    }
    if arguments.wants("codes") {
        codes(&bench, arguments.starts).await;
    }
    if arguments.wants("picture") {
        picture(&bench, arguments.starts, "a new box", |turn| {
            bench.home.path().join(format!("new-{turn}"))
        });
    }
    let linked = ["answers", "memory", "idle"];
    if !linked.iter().any(|what| arguments.wants(what)) {
        return Ok(());
    }
    let running = bench.start(&bench.state());
    bench.sim.scan(SHOP, &running.wait_qr()).await?;
    running.wait_link("online");
    if arguments.wants("answers") {
        answers(&bench, &running, arguments.questions).await?;
    }
    running.terminate();
    if arguments.wants("memory") {
        drain(&bench, arguments.backlog).await?;
        if arguments.wants("picture") {
            let store = format!("{} messages", arguments.backlog);
            picture(&bench, arguments.starts.min(5), &store, |_| bench.state());
        }
    }
    if arguments.wants("memory") || arguments.wants("idle") {
        let running = bench.start(&bench.state());
        running.wait_link("online");
        tokio::time::sleep(SETTLED).await;
        let stored = running
            .status()
            .map_or(0, |status| status["inbox"]["seq"].as_u64().unwrap_or(0));
        let memory = Memory::of(running.id())?;
        println!(
            "resident online, {} s after the start, {stored} messages stored: {memory} \
             (budget 16 MiB)",
            SETTLED.as_secs(),
        );
        if arguments.wants("idle") {
            idle(&running, arguments.idle).await?;
        }
        running.terminate();
    }
    Ok(())
}

/// From the start of the process until its display has taken a picture, and until its status page
/// shows one: that page comes up after the store.
fn picture(bench: &Bench, starts: usize, store: &str, dir: impl Fn(usize) -> PathBuf) {
    let (mut display, mut page) = (Vec::new(), Vec::new());
    for turn in 0..starts {
        let began = Instant::now();
        let running = bench.start(&dir(turn));
        running.screen();
        page.push(began.elapsed());
        display.extend(running.pictured);
        running.terminate();
    }
    println!(
        "start to first picture, {store}: {} (budget 100 ms)",
        Spread::of(&display)
    );
    println!("  the same on the status page: {}", Spread::of(&page));
}

/// From the moment the simulator has sent the refs until a camera has read the QR off the status
/// page's picture.
async fn codes(bench: &Bench, starts: usize) {
    let mut times = Vec::new();
    for turn in 0..starts {
        let dir = bench.home.path().join(format!("codes-{turn}"));
        let refs = bench.sim.counters().refs;
        let running = bench.start(&dir);
        bench
            .sim
            .until(|view| (view.counters().refs > refs).then_some(()))
            .await;
        let began = Instant::now();
        while process::scan(&running.screen()).is_none() {}
        times.push(began.elapsed());
        running.terminate();
    }
    println!(
        "refs sent to QR read off the picture: {} (budget 50 ms)",
        Spread::of(&times)
    );
}

/// From a customer's message in to the answer out, each time beside two bare syncs.
async fn answers(bench: &Bench, running: &BoxProcess, questions: usize) -> anyhow::Result<()> {
    let (mut times, mut bare) = (Vec::new(), Vec::new());
    let mut file = File::create(bench.home.path().join("bare"))?;
    // The first exchanges set up the sessions, and everything else that is made once.
    for turn in 0..10 {
        ask(&bench.sim, turn).await?;
    }
    let before = written(running.id())?;
    for turn in 0..questions {
        tokio::time::sleep(QUIET).await;
        times.push(ask(&bench.sim, 10 + turn).await?);
        tokio::time::sleep(QUIET).await;
        let began = Instant::now();
        for _ in 0..2 {
            file.write_all(&[0x5A; 4096])?;
            file.sync_data()?;
        }
        bare.push(began.elapsed());
    }
    tokio::time::sleep(QUIET).await;
    let bytes = (written(running.id())? - before) / questions.max(1) as u64;
    println!("message in to answer on the wire: {}", Spread::of(&times));
    println!("two bare fdatasyncs:              {}", Spread::of(&bare));
    println!("  ratio: {} (budget for p99: 1.5)", ratios(&times, &bare));
    println!("written to disk per message with its answer: {bytes} bytes (no budget)");
    Ok(())
}

/// From the moment the simulator writes the question's frame until it has the answer's. The phone's
/// and the server's own work, encryption above all, is before and behind that.
async fn ask(sim: &Sim, turn: usize) -> anyhow::Result<Duration> {
    let shown = sim.inbox(ANA)?.len();
    sim.send_text(ANA, SHOP, &format!("pregunta {turn}"))?;
    sim.until(|view| (view.inbox(ANA).len() > shown).then_some(()))
        .await;
    let passages = sim.passages();
    let last = |from_client: bool| {
        passages
            .iter()
            .rfind(|passage| passage.tag == "message" && passage.from_client == from_client)
            .map(|passage| passage.at)
            .context("a message on the wire")
    };
    Ok(last(true)?.duration_since(last(false)?))
}

/// What waited while the box was off, and the memory it takes to fetch it.
async fn drain(bench: &Bench, backlog: usize) -> anyhow::Result<()> {
    for i in 0..backlog {
        bench
            .sim
            .send_text(ANA, SHOP, &format!("mensaje {i} de los que esperan"))?;
    }
    let began = Instant::now();
    let running = bench.start(&bench.state());
    // Looked at seldom: the simulator counts its queue for every look.
    while bench.sim.counters().queued > 0 {
        tokio::time::sleep(QUIET).await;
    }
    let took = began.elapsed().as_secs_f64();
    let memory = Memory::of(running.id())?;
    tokio::time::sleep(RESTED).await;
    println!("resident after draining {backlog} messages: {memory} (budget 24 MiB)");
    println!(
        "  {} s later: {}",
        RESTED.as_secs(),
        Memory::of(running.id())?
    );
    println!(
        "  drained in {took:.1} s, {:.0} messages a second (no budget)",
        backlog as f64 / took
    );
    running.terminate();
    Ok(())
}

/// Nobody asks the box anything meanwhile: only the kernel is asked, which wakes nobody.
async fn idle(running: &BoxProcess, seconds: u64) -> anyhow::Result<()> {
    let (before, began) = (switches(running.id())?, Instant::now());
    let (start, mut latest) = (written(running.id())?, written(running.id())?);
    let mut writes = String::new();
    while began.elapsed() < Duration::from_secs(seconds) {
        let left = Duration::from_secs(seconds).saturating_sub(began.elapsed());
        tokio::time::sleep(left.min(Duration::from_secs(10))).await;
        let now = written(running.id())?;
        if now > latest {
            let after = began.elapsed().as_secs();
            writes.push_str(&format!(" {} after {after} s;", now - latest));
            latest = now;
        }
    }
    let bytes = latest - start;
    let rate = |wakes: u64| wakes as f64 / seconds.max(1) as f64;
    let mut threads: Vec<(String, u64)> = switches(running.id())?
        .into_iter()
        .map(|(thread, after)| {
            let wakes = after - before.get(&thread).copied().unwrap_or(0);
            (thread, wakes)
        })
        .filter(|(_, wakes)| *wakes > 0)
        .collect();
    threads.sort_by_key(|(_, wakes)| std::cmp::Reverse(*wakes));
    let total = threads.iter().map(|(_, wakes)| wakes).sum();
    println!(
        "idle for {seconds} s: {:.2} wake-ups a second with the keep-alive (budget 1 beyond it), \
         {bytes} bytes written to disk (budget 0)",
        rate(total)
    );
    if !writes.is_empty() {
        println!("  bytes written:{writes}");
    }
    for (thread, wakes) in threads {
        println!("  {thread}: {:.3} a second", rate(wakes));
    }
    Ok(())
}

/// The shipped binaries beside this one, as far as they were built.
fn sizes() {
    let target = process::box_binary();
    let target = target.ancestors().nth(3).unwrap_or(Path::new("target"));
    for (machine, path) in [
        ("aarch64", "aarch64-unknown-linux-gnu/release/vinculo"),
        ("this machine", "release/vinculo"),
    ] {
        match std::fs::metadata(target.join(path)) {
            Ok(file) => println!(
                "binary, {machine}: {:.2} MiB (budget for aarch64 15 MiB)",
                file.len() as f64 / f64::from(1 << 20)
            ),
            Err(_) => println!("binary, {machine}: not built"),
        }
    }
}
