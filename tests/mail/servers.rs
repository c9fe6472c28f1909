//! The servers of `tests/mail/server.py`, as the run sees them: their ports, and what they say.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, bail};

pub const PASSWORD: &str = "correct-horse";
pub const SECRET: &str = "battery-staple";

/// How long a person would wait for a mail; a summary comes after an hour, which is a minute here.
pub const PATIENCE: Duration = Duration::from_secs(150);

/// The servers.
pub struct Server {
    child: Child,
    /// Where they listen.
    pub ports: Ports,
    /// What they say.
    pub said: mpsc::Receiver<String>,
}

#[derive(Clone, Copy)]
pub struct Ports {
    pub starttls: u16,
    pub tls: u16,
    pub https: u16,
}

impl Server {
    pub fn start(keys: &Path, mails: &Path) -> anyhow::Result<Self> {
        let python = std::env::var("PYTHON").context("$PYTHON; run .ci/mail")?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mail/server.py");
        let mut child = Command::new(python)
            .arg(script)
            .args([keys.join("server.pem"), keys.join("server.key")])
            .args(["caja", PASSWORD, SECRET])
            .arg(mails)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = BufReader::new(child.stdout.take().context("its output")?);
        let (line, said) = mpsc::channel();
        std::thread::spawn(move || {
            for text in stdout.lines().map_while(Result::ok) {
                if line.send(text).is_err() {
                    break;
                }
            }
        });
        let first = said.recv_timeout(PATIENCE).context("the servers")?;
        let ports: Vec<u16> = first
            .split(' ')
            .filter_map(|word| word.parse().ok())
            .collect();
        let [starttls, tls, https] = ports[..] else {
            bail!("no three ports but {first:?}");
        };
        Ok(Self {
            child,
            ports: Ports {
                starttls,
                tls,
                https,
            },
            said,
        })
    }

    /// The next thing of a kind that arrives, as a person reads it.
    pub fn next(&self, kind: &str) -> anyhow::Result<String> {
        let said = self.said.recv_timeout(PATIENCE);
        let said = said.with_context(|| format!("no {kind} came"))?;
        match said.split_once(' ') {
            Some((came, file)) if came == kind => Ok(std::fs::read_to_string(file)?),
            _ => bail!("no {kind} but {said:?}"),
        }
    }

    pub fn mail(&self) -> anyhow::Result<String> {
        self.next("mail")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
