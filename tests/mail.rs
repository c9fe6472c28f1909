//! A box and its owner's mailbox, with a real mail server between them: STARTTLS, a login, a
//! certificate of the shop's own. Needs what `.ci/mail` prepares. The mails as they arrived are
//! left in `target/mails`.

#[path = "suite/process.rs"]
#[expect(dead_code, reason = "this program uses a part of the tests' harness")]
#[allow(clippy::unwrap_used)]
mod process;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use process::{BoxProcess, box_binary};
use whatsim::{Fault, Kind, Options, Sim};

const SHOP: &str = "573000000001";
const PASSWORD: &str = "correct-horse";

/// How long a person would wait for a mail.
const PATIENCE: Duration = Duration::from_secs(60);

/// The mail server.
struct Server {
    child: Child,
    port: u16,
    said: mpsc::Receiver<String>,
}

impl Server {
    fn start(keys: &Path, mails: &Path) -> anyhow::Result<Self> {
        let python = std::env::var("PYTHON").context("$PYTHON; run .ci/mail")?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mail/server.py");
        let mut child = Command::new(python)
            .arg(script)
            .args([keys.join("server.pem"), keys.join("server.key")])
            .args(["caja", PASSWORD])
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
        let first = said.recv_timeout(PATIENCE).context("the mail server")?;
        let port = first.strip_prefix("port ").context("it says its port")?;
        Ok(Self {
            child,
            port: port.parse()?,
            said,
        })
    }

    /// The next mail, as a person reads it.
    fn mail(&self) -> anyhow::Result<String> {
        let said = self.said.recv_timeout(PATIENCE).context("no mail came")?;
        match said.strip_prefix("mail ") {
            Some(file) => Ok(std::fs::read_to_string(file)?),
            None => bail!("no mail but {said:?}"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let keys = PathBuf::from(std::env::var("KEYS").context("$KEYS; run .ci/mail")?);
    let target = std::env::current_exe()?;
    let target = target.ancestors().nth(3).context("a target folder")?;
    let mails = target.join("mails");
    std::fs::create_dir_all(&mails)?;
    for old in std::fs::read_dir(&mails)? {
        std::fs::remove_file(old?.path())?;
    }
    let server = Server::start(&keys, &mails)?;
    let home = tempfile::tempdir()?;
    let config = Home {
        dir: home.path(),
        keys: &keys,
        port: server.port,
    };
    by_hand(&config, &server)?;
    by_itself(&config, &server).await?;
    println!("the mails are in {}", mails.display());
    Ok(())
}

struct Home<'a> {
    dir: &'a Path,
    keys: &'a Path,
    port: u16,
}

impl Home<'_> {
    /// Writes a configuration; `more` replaces lines of `[alerts.mail]`.
    fn write(&self, password: &str, security: &str, ca: bool) -> anyhow::Result<String> {
        let secret = self.dir.join("password");
        std::fs::write(&secret, format!("{password}\n"))?;
        let ca = match ca {
            true => format!("ca_file = {:?}", self.keys.join("ca.pem")),
            false => String::new(),
        };
        let text = format!(
            "[alerts]\nname = \"Tienda Centro\"\noffline_after = \"15m\"\n\
             [alerts.mail]\nserver = \"localhost\"\nport = {}\nsecurity = \"{security}\"\n\
             user = \"caja\"\npassword_file = {secret:?}\n{ca}\n\
             from = \"Caja <caja@tienda.example>\"\n\
             to = [\"duena@tienda.example\", \"nobody@tienda.example\"]\n",
            self.port
        );
        let file = self.dir.join("vinculo.toml");
        std::fs::write(&file, text)?;
        Ok(file.to_str().context("a path in UTF-8")?.to_owned())
    }

    /// What `test-alert` says, and its exit code.
    fn test_alert(&self, config: &str) -> anyhow::Result<(String, Option<i32>)> {
        let told = Command::new(box_binary())
            .args(["test-alert", "--config", config])
            .output()?;
        let said = String::from_utf8(told.stdout)?;
        print!("{said}");
        Ok((said, told.status.code()))
    }
}

/// Somebody sets it up, with every mistake that can be made.
fn by_hand(home: &Home, server: &Server) -> anyhow::Result<()> {
    let config = home.write("wrong", "starttls", true)?;
    let (said, code) = home.test_alert(&config)?;
    ensure!(said.contains("did not accept user and password") && code == Some(69));
    ensure!(said.contains("app password") && !said.contains("wrong"));
    // One login for each recipient.
    for _ in 0..2 {
        ensure!(server.said.recv_timeout(PATIENCE)? == "refused");
    }
    let config = home.write(PASSWORD, "starttls", false)?;
    let (said, code) = home.test_alert(&config)?;
    ensure!(said.contains("`ca_file`") && code == Some(69));
    let config = home.write(PASSWORD, "tls", true)?;
    let (said, code) = home.test_alert(&config)?;
    ensure!(said.contains("starttls is 587") || said.contains("no protected connection"));
    ensure!(code == Some(69));
    let config = home.write(PASSWORD, "starttls", true)?;
    let (said, code) = home.test_alert(&config)?;
    ensure!(
        said.contains("mail to duena@tienda.example: taken"),
        "{said}"
    );
    ensure!(said.contains("550") && said.contains("no such mailbox here") && code == Some(69));
    let mail = server.mail()?;
    ensure!(
        mail.contains("Subject: Tienda Centro: prueba de avisos"),
        "{mail}"
    );
    ensure!(mail.contains("To: duena@tienda.example") && mail.contains("TLS: True"));
    Ok(())
}

/// A link's bad week, sped up.
async fn by_itself(home: &Home<'_>, server: &Server) -> anyhow::Result<()> {
    let sim = Sim::start(Options::default()).await?;
    sim.add_phone(SHOP, "Tienda", true)?;
    let config = home.write(PASSWORD, "starttls", true)?;
    let data = home.dir.join("state");
    let running = BoxProcess::start(&sim.ws_url(), &data, &["--config", &config]);
    sim.scan(SHOP, &running.wait_qr()).await?;
    running.wait_link("online");
    running.terminate();
    let arguments = ["--config", config.as_str(), "--time-scale", "60"];
    let running = BoxProcess::start(&sim.ws_url(), &data, &arguments);
    running.wait_link("online");

    sim.fault(Fault::new(Kind::ConflictReplaced).on(SHOP))?;
    let mail = server.mail()?;
    ensure!(
        mail.contains("el vínculo está abierto en otra parte"),
        "{mail}"
    );
    running.hold(Duration::from_millis(100));
    running.wait_link("online");
    let mail = server.mail()?;
    ensure!(
        mail.contains("todo normal otra vez") && mail.contains("duró"),
        "{mail}"
    );

    let device = sim.devices(SHOP)?.first().context("a device")?.id;
    sim.remove_device(SHOP, device)?;
    let mail = server.mail()?;
    ensure!(mail.contains("desvinculado de WhatsApp"), "{mail}");
    ensure!(mail.contains("Qué hacer: Pulse el botón"), "{mail}");
    ensure!(!mail.contains(SHOP), "no number leaves the box: {mail}");
    running.terminate();

    // What was told is not told again by the next run.
    let running = BoxProcess::start(&sim.ws_url(), &data, &arguments);
    running.wait("codes", |status| status["link"] == "linking");
    running.terminate();
    ensure!(server.said.try_recv().is_err());
    Ok(())
}
