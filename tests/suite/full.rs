//! A box whose disk fills up and is emptied again, while its service and its customers go on.

use std::net::TcpListener;
use std::process::Command;

use whatsim::{Options, Sim};

use crate::cut::recording;
use crate::process::{BoxProcess, box_binary};

const SHOP: &str = "573000000001";
const ANA: &str = "573000000002";

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_on_the_screen_and_over_once_there_is_room() {
    let sim = Sim::start(Options::default()).await.unwrap();
    sim.add_phone(SHOP, "Tienda", true).unwrap();
    sim.add_phone(ANA, "Ana", true).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let full = scratch.path().join("full");
    // It starts itself anew and must be found again.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let web = free.local_addr().unwrap().to_string();
    drop(free);
    let mut command = Command::new(box_binary());
    command
        .args(["run", "--board", "headless", "--time-scale", "20"])
        .args(["--web", &web, "--endpoint", &sim.ws_url(), "--data-dir"])
        .arg(&data)
        .env("LD_PRELOAD", recording::recorder(scratch.path()))
        .env("CUT_LOG", scratch.path().join("record"))
        .env("CUT_DIR", &data)
        .env("CUT_FULL", &full);
    let running = BoxProcess::start_command(command);
    sim.scan(SHOP, &running.wait_qr()).await.unwrap();
    running.wait_link("online");
    sim.send_text(ANA, SHOP, "antes").unwrap();
    running.wait("the first message", |status| status["inbox"]["seq"] == 1);

    std::fs::write(&full, "").unwrap();
    sim.send_text(ANA, SHOP, "mientras tanto").unwrap();
    running.wait("why it stands still", |status| {
        status["link"] == "stopped"
            && status["reason"] == "no_room"
            && status["screen"] == "stopped"
    });

    std::fs::remove_file(&full).unwrap();
    running.wait_link("online");
    running.wait("both messages", |status| status["inbox"]["seq"] == 2);
    running.terminate();
}
