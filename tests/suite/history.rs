//! Somebody asks, days later, why the box unlinked: it can tell, running or not.

use std::process::Command;

use crate::process::{BoxProcess, box_binary};
use crate::town::{SHOP, Town};

/// What `vinculo events` says.
fn events(arguments: &[&str]) -> String {
    let told = Command::new(box_binary())
        .arg("events")
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        told.status.success(),
        "{}",
        String::from_utf8_lossy(&told.stderr)
    );
    String::from_utf8(told.stdout).unwrap()
}

fn names(running: &BoxProcess) -> Vec<String> {
    let events = running.events();
    let events = events["events"].as_array().unwrap();
    let names = events.iter().map(|event| event["what"].as_str().unwrap());
    names.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn support_asks_why_it_unlinked_and_is_told() {
    let town = Town::new().await;
    let running = town.linked().await;
    let device = town.sim.devices(SHOP).unwrap()[0].id;
    town.sim.remove_device(SHOP, device).unwrap();
    running.wait_link("unlinked");
    let told = events(&["--web", &running.web.to_string()]);
    assert!(told.contains("Desvinculado"), "{told}");
    assert!(told.contains("lo quitaron en el teléfono"), "{told}");
    assert!(!told.contains(SHOP) && !told.contains("Tienda"), "{told}");
    // Nobody asks before the next day, and the box is off by then.
    running.terminate();
    let dir = town.dir();
    let told = events(&["--data-dir", dir.to_str().unwrap()]);
    let last = told.lines().last().unwrap();
    assert!(last.contains("Apagado"), "{told}");
    assert!(told.contains("Desvinculado"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_outlives_a_power_cut_and_a_reset() {
    let town = Town::new().await;
    town.linked().await.kill();
    let running = town.start();
    running.wait_link("online");
    running.hold(std::time::Duration::from_secs(6));
    running.wait_link("linking");
    running.wait_events("the reset", |events| {
        let all = events["events"].as_array().unwrap();
        all.last().is_some_and(|event| event["what"] == "linking")
    });
    // The first start and the one after the cut, each with its cause.
    let told = names(&running);
    assert_eq!(
        told,
        [
            "process_started",
            "process_started",
            "online",
            "resetting",
            "linking"
        ]
    );
    running.kill();
    let again = town.start();
    again.wait_events("the history is on disk", |events| {
        let all = events["events"].as_array().unwrap();
        all.iter().any(|event| event["what"] == "resetting")
    });
}
