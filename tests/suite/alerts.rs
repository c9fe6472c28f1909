//! What a mail server does is no business of the link. The mails themselves are tried against a
//! real server by `.ci/mail`.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use whatsim::{Fault, Kind};

use crate::process::box_binary;
use crate::town::{ANA, ECHO, SHOP, Town, texts};

/// What the service manager allows.
const GRACE: Duration = Duration::from_secs(5);

fn to_port(port: u16) -> String {
    format!(
        "{ECHO}\n[alerts.mail]\nserver = \"127.0.0.1\"\nport = {port}\nsecurity = \"none\"\n\
         from = \"caja@tienda.example\"\nto = [\"duena@tienda.example\"]\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_hangs_keeps_nobody_waiting() {
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = hangs.local_addr().unwrap().port();
    let town = Town::with(&to_port(port)).await;
    let running = town.linked().await;
    let conflict = Fault::new(Kind::ConflictReplaced).on(SHOP);
    town.sim.fault(conflict).unwrap();
    running.wait_link("conflict");
    // The box is in the middle of telling, and is never answered.
    let (_conversation, _) = hangs.accept().unwrap();
    running.hold(Duration::from_millis(100));
    running.wait_link("online");
    let asked = texts("hola", 3);
    for text in &asked {
        town.sim.send_text(ANA, SHOP, text).unwrap();
    }
    town.answered(ANA, &asked).await;
    let (status, took) = running.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(took < GRACE, "{took:?}");
}

#[test]
fn a_test_that_fails_says_what_to_do_in_a_sentence() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("vinculo.toml");
    let test_alert = || {
        let told = Command::new(box_binary())
            .arg("test-alert")
            .arg("--config")
            .arg(&file)
            .output()
            .unwrap();
        let said = [told.stdout, told.stderr].concat();
        (String::from_utf8(said).unwrap(), told.status.code())
    };
    std::fs::write(&file, to_port(port)).unwrap();
    let (said, code) = test_alert();
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains("nothing answers at 127.0.0.1"), "{said}");
    assert!(said.contains("check `server` and `port`"), "{said}");
    std::fs::write(&file, ECHO).unwrap();
    let (said, code) = test_alert();
    assert_eq!(code, Some(64), "{said}");
    assert!(said.contains("has no [alerts]"), "{said}");
}
