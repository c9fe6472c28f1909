//! An owner's mailbox behind servers of every kind, all on loopback. Longer than 400 lines because
//! the stories share their servers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use jiff::tz::TimeZone;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::failure::Step;
use super::settings::{Mail, Secret, Security, Webhook};
use super::*;
use crate::inbox::ServiceClock;
use crate::panel::Language;
use crate::session::link::{Account, Remover};

/// How a server treats the next who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Good,
    /// Takes the connection and says nothing.
    Hangs,
    /// Hangs up before the greeting.
    HangsUp,
    /// Hangs up when the message has begun.
    Drops,
    /// Wants a login, and takes none.
    NoLogin,
    /// Knows nobody whose address begins with "nobody".
    Knows,
}

struct Server {
    port: u16,
    manners: mpsc::Sender<Manner>,
    /// Everything a client said, one conversation a text.
    heard: mpsc::Receiver<String>,
}

/// Treats one after the other as it is told, and well when it is told nothing.
async fn server() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (manners, mut next) = mpsc::channel(16);
    let (tell, heard) = mpsc::channel(64);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let manner = next.try_recv().unwrap_or(Manner::Good);
            tokio::spawn(converse(stream, manner, tell.clone()));
        }
    });
    Server {
        port,
        manners,
        heard,
    }
}

async fn converse(stream: TcpStream, manner: Manner, tell: mpsc::Sender<String>) {
    let mut stream = BufReader::new(stream);
    let mut heard = String::new();
    let mut in_message = false;
    match manner {
        Manner::Hangs => {
            let _ = stream.read_to_string(&mut heard).await;
            return;
        }
        Manner::HangsUp => {
            let _ = tell.send(heard).await;
            return;
        }
        _ => stream.write_all(b"220 here\r\n").await.unwrap(),
    }
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        heard.push_str(&line);
        let said = std::mem::take(&mut line);
        let verb: String = said.chars().take(4).collect::<String>().to_uppercase();
        let answer = match verb.as_str() {
            _ if in_message && said != ".\r\n" => {
                if manner == Manner::Drops {
                    break;
                }
                continue;
            }
            _ if in_message => {
                in_message = false;
                "250 taken\r\n"
            }
            "EHLO" if manner == Manner::NoLogin => "250-here\r\n250 AUTH PLAIN\r\n",
            "EHLO" => "250-here\r\n250 8BITMIME\r\n",
            "AUTH" => "535 5.7.8 no\r\n",
            "RCPT" if manner == Manner::Knows && said.contains("nobody") => "550 no such\r\n",
            "DATA" => {
                in_message = true;
                "354 go on\r\n"
            }
            "QUIT" => break,
            _ => "250 ok\r\n",
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            break;
        }
    }
    drop(stream);
    let _ = tell.send(heard).await;
}

fn to(port: u16, recipients: &[&str]) -> Mail {
    Mail {
        server: "127.0.0.1".into(),
        port,
        security: Security::None,
        login: None,
        from: "Caja <caja@tienda.example>".parse().unwrap(),
        to: recipients.iter().map(|to| to.parse().unwrap()).collect(),
        ca_file: None,
    }
}

fn settings(mail: Option<Mail>, webhook: Option<Webhook>) -> Settings {
    Settings {
        name: "Tienda Centro".into(),
        language: Language::Es,
        time_zone: TimeZone::UTC,
        offline_after: OFFLINE_AFTER,
        mail,
        webhook,
    }
}

fn a_letter() -> letter::Letter {
    letter::Letter {
        id: "0123456789abcdef".into(),
        subject: "Tienda: cayó la conexión".into(),
        text: "Qué pasó: nada.\n".into(),
    }
}

/// What came of the mail to each, in their order.
async fn sent(mail: &Mail) -> Vec<Result<(), Failure>> {
    let outcomes = mail::send(mail, &a_letter()).await.unwrap();
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

const DUENA: &[&str] = &["Dueña <duena@tienda.example>"];

#[tokio::test]
async fn a_mail_arrives_with_its_accents_and_without_asking_for_an_answer() {
    let mut server = server().await;
    assert_eq!(sent(&to(server.port, DUENA)).await, [Ok(())]);
    let heard = server.heard.recv().await.unwrap();
    assert!(heard.contains("MAIL FROM:<caja@tienda.example>"), "{heard}");
    assert!(heard.contains("RCPT TO:<duena@tienda.example>"), "{heard}");
    assert!(heard.contains("Auto-Submitted: auto-generated"), "{heard}");
    let id = "Message-ID: <0123456789abcdef.vinculo@tienda.example>";
    assert!(heard.contains(id), "{heard}");
    assert!(
        heard.contains("Subject: ") && heard.contains("utf-8"),
        "{heard}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_costs_a_minute_and_says_so() {
    let server = server().await;
    server.manners.send(Manner::Hangs).await.unwrap();
    let began = Instant::now();
    let outcomes = sent(&to(server.port, DUENA)).await;
    assert!(began.elapsed() <= Duration::from_secs(61));
    let Err(failure @ Failure::Silent { .. }) = &outcomes[0] else {
        panic!("{outcomes:?}")
    };
    assert!(failure.to_string().contains("fell silent"));
}

#[tokio::test]
async fn servers_that_refuse_or_drop_are_told_apart() {
    let mut server = server().await;
    let mail = to(server.port, DUENA);
    for (manner, step) in [
        (Manner::HangsUp, Step::Greeting),
        (Manner::Drops, Step::Message),
    ] {
        server.manners.send(manner).await.unwrap();
        let dropped = Failure::Dropped {
            server: "127.0.0.1".into(),
            step,
        };
        assert_eq!(sent(&mail).await, [Err(dropped)], "{manner:?}");
        server.heard.recv().await.unwrap();
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let outcomes = sent(&to(port, DUENA)).await;
    assert!(
        matches!(&outcomes[0], Err(Failure::NoConnection { .. })),
        "{outcomes:?}"
    );
    let unknown = Mail {
        server: "no-such-server.invalid".into(),
        ..to(25, DUENA)
    };
    let outcomes = sent(&unknown).await;
    assert!(
        matches!(&outcomes[0], Err(Failure::NoName { .. })),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn an_address_that_is_refused_does_not_cost_the_others_their_mail() {
    let server = server().await;
    let mail = to(
        server.port,
        &["nobody@tienda.example", "duena@tienda.example"],
    );
    for _ in 0..2 {
        server.manners.send(Manner::Knows).await.unwrap();
    }
    let outcomes = sent(&mail).await;
    let Err(refused @ Failure::Refused { lasting: true, .. }) = &outcomes[0] else {
        panic!("{outcomes:?}")
    };
    assert!(refused.to_string().contains("550"));
    assert_eq!(outcomes[1], Ok(()));
}

#[tokio::test]
async fn a_password_never_travels_in_the_clear() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    std::fs::write(&file, "correct horse").unwrap();
    let mut server = server().await;
    let mail = Mail {
        security: Security::StartTls,
        login: Some(("caja".into(), Secret(file))),
        ..to(server.port, DUENA)
    };
    let outcomes = sent(&mail).await;
    assert!(
        matches!(&outcomes[0], Err(Failure::NoStartTls { .. })),
        "{outcomes:?}"
    );
    let heard = server.heard.recv().await.unwrap();
    assert!(!heard.to_uppercase().contains("AUTH"), "{heard}");
    // On this machine there is no way for anybody to look.
    let mail = Mail {
        security: Security::None,
        ..mail
    };
    server.manners.send(Manner::NoLogin).await.unwrap();
    let outcomes = sent(&mail).await;
    let Err(failure @ Failure::Login { lasting: true, .. }) = &outcomes[0] else {
        panic!("{outcomes:?}")
    };
    let said = format!("{failure} {failure:?} {mail:?}");
    assert!(
        said.contains("535") && said.contains("app password"),
        "{said}"
    );
    assert!(!said.contains("correct horse"), "{said}");
}

fn inputs(store: &Store, link: watch::Receiver<Link>) -> Inputs {
    Inputs {
        store: store.clone(),
        stamper: Stamper::new(ServiceClock::default()),
        link,
        time_scale: NonZeroU32::new(3_000).unwrap(),
    }
}

fn online() -> Link {
    Link::Online(Account {
        name: "Tienda".into(),
        ..Account::new("573000000001", Instant::now())
    })
}

fn unlinked() -> Link {
    Link::Unlinked {
        by: Remover::Untold,
        at: Instant::now(),
    }
}

/// The next conversation in which a mail was handed over.
async fn mail(server: &mut Server) -> String {
    loop {
        let heard = server.heard.recv().await.unwrap();
        if heard.contains("\r\n.\r\n") {
            return heard;
        }
    }
}

#[tokio::test]
async fn the_owner_hears_of_it_though_the_server_fails_twice_and_the_process_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = server().await;
    for manner in [Manner::HangsUp, Manner::Drops] {
        server.manners.send(manner).await.unwrap();
    }
    let settings = Arc::new(settings(Some(to(server.port, DUENA)), None));
    let (link, watched) = watch::channel(Link::Starting);
    {
        let store = Store::open(dir.path()).unwrap();
        let running = tokio::spawn(run(settings.clone(), inputs(&store, watched.clone())));
        link.send_replace(Link::Conflict { next_try: None });
        server.heard.recv().await.unwrap();
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        store.close().await.unwrap();
    }
    let store = Store::open(dir.path()).unwrap();
    tokio::spawn(run(settings, inputs(&store, watched)));
    let first = mail(&mut server).await;
    assert!(first.contains("Message-ID: "), "{first}");
    // A minute of steady weather later it is over, and that is told as well.
    link.send_replace(online());
    let second = mail(&mut server).await;
    assert!(second.contains("todo normal otra vez"), "{second}");
    let id = |mail: &str| {
        let line = mail.lines().find(|line| line.starts_with("Message-ID"));
        line.unwrap().to_owned()
    };
    assert_ne!(id(&first), id(&second));
}

#[tokio::test]
async fn a_box_that_is_well_says_nothing_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut server = server().await;
    let settings = Arc::new(settings(Some(to(server.port, DUENA)), None));
    let (link, watched) = watch::channel(online());
    tokio::spawn(run(settings, inputs(&store, watched)));
    // The next thing that is heard of is the first.
    link.send_replace(online());
    link.send_replace(Link::Locked);
    let heard = mail(&mut server).await;
    assert!(heard.contains("WhatsApp bloque"), "{heard}");
    assert!(server.heard.try_recv().is_err());
}

/// A web server that answers each with the next status, and tells what it was sent.
async fn receiver(statuses: &'static [u16]) -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, heard) = mpsc::channel(16);
    tokio::spawn(async move {
        for status in statuses.iter().chain(std::iter::repeat(&204)) {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut asked, mut piece) = (Vec::new(), [0; 4096]);
            while !whole(&asked) {
                let read = stream.read(&mut piece).await.unwrap();
                asked.extend_from_slice(&piece[..read]);
            }
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            let asked = String::from_utf8(asked).unwrap();
            if tell.send(asked).await.is_err() {
                return;
            }
        }
    });
    (port, heard)
}

fn whole(asked: &[u8]) -> bool {
    let text = String::from_utf8_lossy(asked);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    header(head, "content-length").is_some_and(|length| body.len() >= length.parse().unwrap())
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn hook(dir: &Path, port: u16) -> Webhook {
    let file = dir.join("secret");
    std::fs::write(&file, "correct horse\n").unwrap();
    Webhook {
        url: format!("http://127.0.0.1:{port}/alerts?box=1")
            .parse()
            .unwrap(),
        secret: Secret(file),
        ca_file: None,
    }
}

#[tokio::test]
async fn a_program_can_tell_whom_it_is_from_and_that_it_came_twice() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("state")).unwrap();
    let (port, mut heard) = receiver(&[500, 200]).await;
    let settings = Arc::new(settings(None, Some(hook(dir.path(), port))));
    let (link, watched) = watch::channel(Link::Starting);
    tokio::spawn(run(settings, inputs(&store, watched)));
    link.send_replace(unlinked());
    let (first, again) = (heard.recv().await.unwrap(), heard.recv().await.unwrap());
    let (head, body) = first.split_once("\r\n\r\n").unwrap();
    let (head_again, _) = again.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("POST /alerts?box=1 HTTP/1.1\r\n"),
        "{head}"
    );
    let id = header(head, "x-vinculo-id").unwrap();
    assert_eq!(header(head_again, "x-vinculo-id"), Some(id));
    let timestamp = header(head, "x-vinculo-timestamp").unwrap();
    let signature = webhook::sign("correct horse", timestamp.parse().unwrap(), body);
    assert_eq!(
        header(head, "x-vinculo-signature"),
        Some(signature.as_str())
    );
    let told: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        (&told["event"], &told["id"]),
        (&"unlinked".into(), &id.into())
    );
    assert!(!body.contains("573000000001"));
}

#[tokio::test]
async fn a_test_goes_through_every_channel_and_each_tells_its_own_fault() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = server().await;
    let (port, mut heard) = receiver(&[403]).await;
    let settings = settings(Some(to(server.port, DUENA)), Some(hook(dir.path(), port)));
    let stamp = Stamper::new(ServiceClock::default()).now();
    let outcomes = test(&settings, stamp).await;
    assert_eq!(outcomes[0].1, Ok(()));
    let failure = outcomes[1].1.clone().unwrap_err();
    assert!(failure.to_string().contains("answered 403"), "{failure}");
    assert!(mail(&mut server).await.contains("prueba de avisos"));
    assert!(heard.recv().await.unwrap().contains("\"event\":\"test\""));
    std::fs::remove_file(dir.path().join("secret")).unwrap();
    let failure = test(&settings, stamp).await[1].1.clone().unwrap_err();
    assert!(
        failure.to_string().contains("cannot read the secret"),
        "{failure}"
    );
}

#[tokio::test]
async fn a_reset_keeps_what_was_not_told_yet() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut server = server().await;
    for _ in 0..2 {
        server.manners.send(Manner::HangsUp).await.unwrap();
    }
    let settings = Arc::new(settings(Some(to(server.port, DUENA)), None));
    let (link, watched) = watch::channel(unlinked());
    tokio::spawn(run(settings, inputs(&store, watched)));
    server.heard.recv().await.unwrap();
    link.send_replace(Link::Resetting);
    tokio::task::yield_now().await;
    store.reset().await.unwrap();
    link.send_replace(Link::Resting);
    assert!(mail(&mut server).await.contains("desvinculado"));
}
