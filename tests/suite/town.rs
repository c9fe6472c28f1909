//! A small town for the stories: a shop that has a box, and two who write to it.

use whatsim::{Options, Sim, View};

use crate::process::{BoxProcess, patience};

pub const SHOP: &str = "573000000001";
pub const ANA: &str = "573000000002";
pub const LUIS: &str = "573000000003";

/// A rule that answers every message with its own text, at once.
pub const ECHO: &str = r#"
[outbox]
gap = "0s"
new_chat_gap = "0s"

[[answer]]
when = "/.*/"
say = "eco: {text}"
every = "0s"
"#;

/// The service, its phones, and one box on a directory of its own.
pub struct Town {
    pub sim: Sim,
    data: tempfile::TempDir,
    config: String,
}

impl Town {
    pub async fn new() -> Self {
        Self::with(ECHO).await
    }

    /// A town whose box has another configuration.
    pub async fn with(configuration: &str) -> Self {
        let sim = Sim::start(Options::default()).await.unwrap();
        for (number, name) in [(SHOP, "Tienda"), (ANA, "Ana"), (LUIS, "Luis")] {
            sim.add_phone(number, name, true).unwrap();
        }
        let data = tempfile::tempdir().unwrap();
        let config = data.path().join("vinculo.toml");
        std::fs::write(&config, configuration).unwrap();
        Self {
            sim,
            config: config.to_str().unwrap().to_owned(),
            data,
        }
    }

    pub fn dir(&self) -> std::path::PathBuf {
        self.data.path().join("state")
    }

    /// The file the box reads its configuration from.
    pub fn config(&self) -> &str {
        &self.config
    }

    /// Changes the configuration; the next start reads it.
    pub fn configure(&self, configuration: &str) {
        std::fs::write(&self.config, configuration).unwrap();
    }

    pub fn start(&self) -> BoxProcess {
        self.start_with(&[])
    }

    pub fn start_with(&self, more: &[&str]) -> BoxProcess {
        let mut arguments = vec!["--config", &self.config];
        arguments.extend(more);
        BoxProcess::start(&self.sim.ws_url(), &self.dir(), &arguments)
    }

    /// Starts a box and lets the shop's phone scan its picture.
    pub async fn linked(&self) -> BoxProcess {
        let running = self.start();
        let qr = running.wait_qr();
        self.sim.scan(SHOP, &qr).await.unwrap();
        running.wait_link("online");
        running
    }

    /// Waits until the town is so, and says what it waited for if it never is.
    pub async fn until(&self, what: &str, holds: impl Fn(&mut View<'_>) -> bool) {
        let wait = self.sim.until(|view| holds(view).then_some(()));
        // Both the box and the town have to be waited for.
        let patience = patience() * 2;
        tokio::time::timeout(patience, wait)
            .await
            .unwrap_or_else(|_| panic!("{what}: not within {patience:?}"));
    }

    /// Waits until a phone shows an answer to each of these texts, and checks their order.
    pub async fn answered(&self, phone: &str, texts: &[String]) {
        let wanted: Vec<_> = texts.iter().map(|text| format!("eco: {text}")).collect();
        self.until("every text is answered", |view| {
            view.inbox(phone).len() >= wanted.len()
        })
        .await;
        let shown: Vec<_> = self.sim.inbox(phone).unwrap();
        let shown: Vec<_> = shown.into_iter().map(|entry| entry.text).collect();
        assert_eq!(shown, wanted);
    }
}

pub fn texts(prefix: &str, n: usize) -> Vec<String> {
    (1..=n).map(|i| format!("{prefix} {i}")).collect()
}

/// What a phone shows, in its order.
pub fn shown(sim: &Sim, phone: &str) -> Vec<String> {
    let inbox = sim.inbox(phone).unwrap();
    inbox.into_iter().map(|entry| entry.text).collect()
}
