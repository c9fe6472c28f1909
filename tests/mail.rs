//! A box and its owner's mailbox, with real servers between them: mail with STARTTLS and with TLS from
//! the first byte, a login, a webhook over https, certificates of the shop's own. Needs what
//! `.ci/mail` prepares. What arrived is left in `target/mails`; with `all`, one mail of each kind in
//! each language, for people to read.

#[path = "suite/process.rs"]
#[expect(dead_code, reason = "this program uses a part of the tests' harness")]
#[allow(clippy::unwrap_used)]
mod process;
#[path = "mail/servers.rs"]
mod servers;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use process::{BoxProcess, box_binary};
use servers::{PASSWORD, PATIENCE, Ports, SECRET, Server};
use whatsim::{Fault, Kind, Options, Sim};

const SHOP: &str = "573000000001";

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
    let home = Home {
        dir: home.path(),
        keys: &keys,
        ports: server.ports,
    };
    if std::env::args().any(|word| word == "all") {
        for language in ["es", "en"] {
            every_kind(&home, &server, language).await?;
        }
        // Each side waits for the other's first word: this takes a minute for each recipient.
        let port = home.ports.tls;
        let config = home.mail(Written {
            port,
            ..home.right()
        })?;
        home.fails(&config, &["fell silent", "starttls is 587"])?;
    } else {
        by_hand(&home, &server)?;
        hooked(&home, &server)?;
        by_itself(&home, &server).await?;
    }
    println!("what arrived is in {}", mails.display());
    Ok(())
}

struct Home<'a> {
    dir: &'a Path,
    keys: &'a Path,
    ports: Ports,
}

/// What is written into a configuration.
#[derive(Clone, Copy)]
struct Written<'a> {
    language: &'a str,
    server: &'a str,
    password: &'a str,
    security: &'a str,
    port: u16,
    ca: bool,
}

impl Home<'_> {
    /// As it should be.
    fn right(&self) -> Written<'static> {
        Written {
            language: "es",
            server: "localhost",
            password: PASSWORD,
            security: "starttls",
            port: self.ports.starttls,
            ca: true,
        }
    }

    fn ca(&self, known: bool) -> String {
        match known {
            true => format!("ca_file = {:?}", self.keys.join("ca.pem")),
            false => String::new(),
        }
    }

    fn write(&self, text: &str) -> anyhow::Result<String> {
        let file = self.dir.join("vinculo.toml");
        std::fs::write(&file, text)?;
        Ok(file.to_str().context("a path in UTF-8")?.to_owned())
    }

    fn secret(&self, name: &str, secret: &str) -> anyhow::Result<PathBuf> {
        let file = self.dir.join(name);
        std::fs::write(&file, format!("{secret}\n"))?;
        Ok(file)
    }

    fn mail(&self, written: Written<'_>) -> anyhow::Result<String> {
        let password = self.secret("password", written.password)?;
        self.write(&format!(
            "language = \"{}\"\n\
             [alerts]\nname = \"Tienda Centro\"\noffline_after = \"15m\"\n\
             [alerts.mail]\nserver = \"{}\"\nport = {}\nsecurity = \"{}\"\n\
             user = \"caja\"\npassword_file = {password:?}\n{}\n\
             from = \"Caja <caja@tienda.example>\"\n\
             to = [\"duena@tienda.example\", \"nobody@tienda.example\"]\n",
            written.language,
            written.server,
            written.port,
            written.security,
            self.ca(written.ca),
        ))
    }

    fn hook(&self, host: &str, secret: &str, ca: bool) -> anyhow::Result<String> {
        let secret = self.secret("secret", secret)?;
        self.write(&format!(
            "[alerts]\nname = \"Tienda Centro\"\n\
             [alerts.webhook]\nurl = \"https://{host}:{}/vinculo?tienda=1\"\n\
             secret_file = {secret:?}\n{}\n",
            self.ports.https,
            self.ca(ca),
        ))
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

    /// What it says of something that does not work, which it must say in these words.
    fn fails(&self, config: &str, words: &[&str]) -> anyhow::Result<()> {
        let (said, code) = self.test_alert(config)?;
        ensure!(code == Some(69), "{code:?}");
        for word in words {
            ensure!(said.contains(word), "{said} says nothing of {word:?}");
        }
        ensure!(!said.contains(PASSWORD) && !said.contains(SECRET));
        Ok(())
    }
}

/// Somebody sets the mail up, with every mistake that can be made.
fn by_hand(home: &Home, server: &Server) -> anyhow::Result<()> {
    let right = home.right();
    let tls = Written {
        security: "tls",
        port: home.ports.tls,
        ..right
    };
    for usual in [right, tls] {
        let password = "wrong-one";
        let config = home.mail(Written { password, ..usual })?;
        let told = ["did not accept user and password", "app password"];
        home.fails(&config, &told)?;
        // One login for each recipient.
        for _ in 0..2 {
            ensure!(server.said.recv_timeout(PATIENCE)? == "refused");
        }
        // Nobody vouches for the certificate, and it is another name's.
        let config = home.mail(Written { ca: false, ..usual })?;
        home.fails(&config, &["no protected connection", "`ca_file`"])?;
        let server = "127.0.0.1";
        let config = home.mail(Written { server, ..usual })?;
        let told = ["no protected connection", "the name on its certificate"];
        home.fails(&config, &told)?;
    }
    // At the other one's port.
    let port = home.ports.starttls;
    let config = home.mail(Written { port, ..tls })?;
    home.fails(&config, &["starttls is 587", "tls is 465"])?;

    for (usual, protection) in [(right, "after STARTTLS"), (tls, "from the first byte")] {
        let config = home.mail(usual)?;
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
        ensure!(mail.contains("To: duena@tienda.example"), "{mail}");
        ensure!(mail.contains(&format!("Protected: {protection}")), "{mail}");
    }
    Ok(())
}

/// The same for the webhook.
fn hooked(home: &Home, server: &Server) -> anyhow::Result<()> {
    let config = home.hook("localhost", SECRET, false)?;
    home.fails(&config, &["no protected connection", "`ca_file`"])?;
    let config = home.hook("127.0.0.1", SECRET, true)?;
    home.fails(
        &config,
        &["no protected connection", "the name on its certificate"],
    )?;
    let config = home.hook("localhost", "another-secret", true)?;
    home.fails(&config, &["answered 401", "the same secret"])?;
    ensure!(server.said.recv_timeout(PATIENCE)? == "refused");
    let config = home.hook("localhost", SECRET, true)?;
    let (said, code) = home.test_alert(&config)?;
    ensure!(said.contains("webhook at localhost: taken") && code == Some(0));
    let hook = server.next("hook")?;
    ensure!(hook.contains("\"event\": \"test\""), "{hook}");
    Ok(())
}

/// A link's bad week, sped up.
async fn by_itself(home: &Home<'_>, server: &Server) -> anyhow::Result<()> {
    let config = home.mail(Written {
        security: "tls",
        port: home.ports.tls,
        ..home.right()
    })?;
    let data = home.dir.join("state");
    let (sim, arguments) = linked(&config, &data).await?;
    let running = BoxProcess::start(&sim.ws_url(), &data, &arguments.each_ref().map(|s| &**s));
    running.wait_link("online");

    sim.fault(Fault::new(Kind::ConflictReplaced).on(SHOP))?;
    let mail = server.mail()?;
    ensure!(
        mail.contains("el vínculo está abierto en otra parte"),
        "{mail}"
    );
    running.hold(PRESS);
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

    // What was told is not told again by the next run; what was cut off half told comes again, as the
    // same mail.
    let running = BoxProcess::start(&sim.ws_url(), &data, &arguments.each_ref().map(|s| &**s));
    running.wait("codes", |status| status["link"] == "linking");
    running.terminate();
    if let Ok(said) = server.said.try_recv() {
        let again = said.strip_prefix("mail ").context("a mail")?;
        let again = std::fs::read_to_string(again)?;
        ensure!(message_id(&again) == message_id(&mail), "{again}");
    }
    Ok(())
}

fn message_id(mail: &str) -> Option<&str> {
    mail.lines().find(|line| line.starts_with("Message-ID: "))
}

const PRESS: Duration = Duration::from_millis(100);

/// A service with a linked box, and the arguments under which its hours are minutes.
async fn linked(config: &str, data: &Path) -> anyhow::Result<(Sim, [String; 4])> {
    let sim = Sim::start(Options::default()).await?;
    sim.add_phone(SHOP, "Tienda", true)?;
    let running = BoxProcess::start(&sim.ws_url(), data, &["--config", config]);
    sim.scan(SHOP, &running.wait_qr()).await?;
    running.wait_link("online");
    running.terminate();
    let arguments = ["--config", config, "--time-scale", "60"];
    Ok((sim, arguments.map(str::to_owned)))
}

/// Everything a box can have to tell, once.
async fn every_kind(home: &Home<'_>, server: &Server, language: &str) -> anyhow::Result<()> {
    let config = home.mail(Written {
        language,
        ..home.right()
    })?;
    home.test_alert(&config)?;
    server.mail()?;
    let data = home.dir.join(language);
    let (sim, arguments) = linked(&config, &data).await?;
    let arguments = arguments.each_ref().map(|s| &**s);
    let running = BoxProcess::start(&sim.ws_url(), &data, &arguments);
    running.wait_link("online");
    let failure = |code| Fault::new(Kind::Failure).on(SHOP).code(code).times(1);
    let soon = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + 300;
    let ban = Fault::new(Kind::TempBan).on(SHOP).times(1).until(soon);
    let replaced = Fault::new(Kind::ConflictReplaced).on(SHOP);
    // What happens, whether at a login, whether it takes a person to go on.
    for (name, fault, at_login, waits) in [
        ("conflict", replaced, false, true),
        ("locked", failure(403), true, true),
        ("banned", ban, true, false),
        ("outdated", failure(405), true, false),
        ("stopped", failure(413), true, true),
    ] {
        sim.fault(fault)?;
        if at_login {
            sim.fault(Fault::new(Kind::Drop).on(SHOP))?;
        }
        running.wait_link(name);
        server.mail()?;
        if waits {
            running.hold(PRESS);
        }
        running.wait_link("online");
        if name == "conflict" {
            // The first of its kind; those that follow are counted.
            server.mail()?;
        }
    }
    // What follows is told as something of its own once it was well for a while.
    let began = Instant::now();
    running.wait("well for a while", |status| {
        status["link"] == "online" && began.elapsed() > Duration::from_secs(6)
    });
    let refused = Fault::new(Kind::RefuseLogin).on(SHOP);
    sim.fault(refused)?;
    sim.fault(Fault::new(Kind::Drop).on(SHOP))?;
    server.mail()?;
    sim.fault(Fault::new(Kind::Clear).on(SHOP))?;
    running.wait_link("online");
    // At the end of the hour.
    server.mail()?;
    let device = sim.devices(SHOP)?.first().context("a device")?.id;
    sim.remove_device(SHOP, device)?;
    server.mail()?;
    running.terminate();
    // A card that fails.
    std::fs::write(data.join("log/conf"), "no database")?;
    let running = BoxProcess::start(&sim.ws_url(), &data, &arguments);
    server.mail()?;
    running.terminate();
    Ok(())
}
