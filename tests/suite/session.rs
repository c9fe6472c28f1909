//! The link: how it comes about, how it ends, and what the box makes of each ending.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use vinculo::message::{Body, ChatId, Draft, Incoming, MessageId};
use vinculo::session::link::{LinkTrouble, Linking, StopReason};
use vinculo::session::{Clock, Endpoint, Event, Handle, Link, SendError, Settings, spawn};
use vinculo::store::Store;
use whatsim::{Fault, Kind, Options, Sim};

const OWNER: &str = "573000000001";
const CUSTOMER: &str = "573000000010";

/// Everything passes this much faster: 89 s of a rate limit in three. Much more, and a busy machine
/// takes longer to answer a ping than the protocol allows.
const SCALE: u32 = 25;

/// For what happens without a login, where nothing is in a hurry.
const FAST: u32 = 240;

/// Longer than anything takes; only a failing test ever waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A session as the appliance would run it, with a dispatcher that stores in memory.
struct Running {
    handle: Handle,
    link: watch::Receiver<Link>,
    stop: watch::Sender<bool>,
    task: JoinHandle<anyhow::Result<()>>,
    told: watch::Receiver<Told>,
}

#[derive(Clone, Debug, Default)]
struct Told {
    messages: Vec<Incoming>,
    acks: Vec<(MessageId, Option<String>)>,
    delivered: Vec<MessageId>,
}

fn log() {
    use tracing_subscriber::EnvFilter;
    // Another test of this process may have been first.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .with_test_writer()
        .try_init();
}

async fn sim(scale: u32) -> Sim {
    log();
    let options = Options {
        time_scale: f64::from(scale),
        ..Options::default()
    };
    let sim = Sim::start(options).await.unwrap();
    sim.add_phone(OWNER, "Tienda Rosa", true).unwrap();
    sim.add_phone(CUSTOMER, "Cliente", true).unwrap();
    sim
}

impl Running {
    fn start(sim: &Sim, dir: &Path, scale: u32) -> Self {
        let settings = Settings::new(Endpoint::new(&sim.ws_url()).unwrap());
        Self::with(settings, dir, scale)
    }

    fn with(settings: Settings, dir: &Path, scale: u32) -> Self {
        let store = Store::open(dir).unwrap();
        let (events, received) = mpsc::channel(64);
        let (stop, stopped) = watch::channel(false);
        let clock = Clock::scaled(NonZeroU32::new(scale).unwrap());
        let (handle, task) = spawn(settings, store, events, clock, stopped);
        let (tell, told) = watch::channel(Told::default());
        tokio::spawn(dispatch(received, tell));
        Self {
            link: handle.link(),
            handle,
            stop,
            task: tokio::spawn(task),
            told,
        }
    }

    /// Waits for a state and answers it.
    async fn until(&mut self, what: &str, is: impl FnMut(&Link) -> bool) -> Link {
        let waited = tokio::time::timeout(PATIENCE, self.link.wait_for(is)).await;
        match waited {
            Ok(Ok(link)) => link.clone(),
            Ok(Err(_)) => panic!("the session ended while waiting for {what}"),
            Err(_) => panic!("not {what} but {:?}", self.handle.link().borrow()),
        }
    }

    async fn online(&mut self) -> Link {
        self.until("online", |link| matches!(link, Link::Online(_)))
            .await
    }

    async fn qr(&mut self) -> String {
        let linking = self
            .until("a code", |link| {
                matches!(link, Link::Linking(Linking { qr: Some(_), .. }))
            })
            .await;
        match linking {
            Link::Linking(linking) => linking.qr.unwrap().text,
            other => panic!("{other:?}"),
        }
    }

    /// Scans the code that is shown with the owner's phone.
    async fn link_to(&mut self, sim: &Sim) -> u16 {
        let qr = self.qr().await;
        let device = sim.scan(OWNER, &qr).await.unwrap();
        self.online().await;
        device
    }

    async fn told(&mut self, what: &str, is: impl FnMut(&Told) -> bool) -> Told {
        tokio::time::timeout(PATIENCE, self.told.wait_for(is))
            .await
            .unwrap_or_else(|_| panic!("never told: {what}"))
            .unwrap()
            .clone()
    }

    /// Ends the session as the appliance would.
    async fn stop(self) {
        self.stop.send_replace(true);
        let ended = tokio::time::timeout(Duration::from_secs(3), self.task).await;
        ended.expect("within three seconds").unwrap().unwrap();
    }
}

async fn dispatch(mut events: mpsc::Receiver<Event>, tell: watch::Sender<Told>) {
    while let Some(event) = events.recv().await {
        tell.send_modify(|told| match event {
            Event::Messages { batch, durable } => {
                told.messages.extend(batch);
                let _ = durable.send(true);
            }
            Event::Ack { id, error } => told.acks.push((id, error)),
            Event::Receipt { ids, .. } => told.delivered.extend(ids),
            Event::Recheck => panic!("nothing is slow here"),
        });
    }
}

fn is_online(sim: &Sim, device: u16) -> bool {
    sim.devices(OWNER)
        .unwrap()
        .iter()
        .any(|listed| listed.id == device && listed.online)
}

/// Nobody opens a connection for so many minutes on the scaled clock.
async fn nobody_connects(sim: &Sim, minutes: u64, scale: u32) {
    let before = sim.counters().sockets;
    let another = sim.until(|view| (view.counters().sockets > before).then_some(()));
    let quiet = tokio::time::timeout(Duration::from_secs(60 * minutes) / scale, another).await;
    assert!(quiet.is_err(), "a connection was opened");
    assert_eq!(sim.counters().sockets, before);
}

#[tokio::test]
async fn a_scanned_box_is_online_and_stays_linked_across_a_restart() {
    let sim = sim(SCALE).await;
    let dir = TempDir::new().unwrap();
    let mut first = Running::start(&sim, dir.path(), SCALE);
    let device = first.link_to(&sim).await;
    let online = first
        .until(
            "named",
            |link| matches!(link, Link::Online(account) if !account.name.is_empty()),
        )
        .await;
    let Link::Online(account) = online else {
        panic!("{online:?}");
    };
    assert_eq!(account.number, OWNER);
    assert_eq!(account.name, "Tienda Rosa");
    assert!(account.lid.is_some());
    assert!(is_online(&sim, device));
    first.stop().await;

    let refs = sim.counters().refs;
    let mut second = Running::start(&sim, dir.path(), SCALE);
    second.online().await;
    assert_eq!(sim.counters().refs, refs, "no scan was needed");
    second.stop().await;
    let unknown = sim.counters().unknown;
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[tokio::test]
async fn messages_go_both_ways() {
    let sim = sim(1).await;
    let dir = TempDir::new().unwrap();
    let mut running = Running::start(&sim, dir.path(), 1);
    running.link_to(&sim).await;
    let asked = sim
        .send_text(CUSTOMER, OWNER, "¿a qué hora abren?")
        .unwrap();
    let told = running
        .told("the question", |told| !told.messages.is_empty())
        .await;
    let question = &told.messages[0];
    assert_eq!(question.id.0, asked);
    assert_eq!(question.body, Body::Text("¿a qué hora abren?".to_owned()));
    assert_eq!(question.sender.number.as_deref(), Some(CUSTOMER));
    assert!(!question.from_me);

    let id = MessageId("3EB0C0FFEE0000000001".to_owned());
    let draft = |chat: &str| Draft {
        id: id.clone(),
        chat: ChatId::new(chat),
        text: "a las ocho".to_owned(),
    };
    let customer = format!("{CUSTOMER}@s.whatsapp.net");
    running.handle.send(draft(&customer)).await.unwrap();
    running
        .told("the ack", |told| told.acks == [(id.clone(), None)])
        .await;
    let arrived = sim.until(|view| view.inbox(CUSTOMER).pop());
    let arrived = tokio::time::timeout(PATIENCE, arrived).await.unwrap();
    assert_eq!(
        (arrived.id, arrived.text),
        (id.0.clone(), "a las ocho".to_owned())
    );
    running
        .told("the delivery", |told| told.delivered.contains(&id))
        .await;
    assert!(matches!(
        running.handle.send(draft("status@broadcast")).await,
        Err(SendError::Refused(_))
    ));
    // What the owner writes on the phone is seen, and seen as the owner's.
    sim.send_text(OWNER, CUSTOMER, "yo le escribo").unwrap();
    let told = running
        .told("the owner's own", |told| told.messages.len() == 2)
        .await;
    assert!(told.messages[1].from_me);
    running.stop().await;
    assert!(
        sim.counters().unknown.is_empty(),
        "{:?}",
        sim.counters().unknown
    );
    assert_eq!(sim.counters().available_seconds, 0);
}

#[tokio::test]
async fn the_owner_never_appears_online() {
    let sim = sim(1).await;
    let dir = TempDir::new().unwrap();
    for presences in [2, 4] {
        let mut running = Running::start(&sim, dir.path(), 1);
        match presences {
            2 => drop(running.link_to(&sim).await),
            _ => drop(running.online().await),
        }
        // The crate says available on every login; an unavailable follows each.
        let said = sim.until(|view| {
            let said = view.counters().stanzas.get("presence").copied();
            (said.unwrap_or_default() >= presences).then_some(())
        });
        tokio::time::timeout(PATIENCE, said).await.unwrap();
        running.stop().await;
    }
    assert_eq!(sim.counters().available_seconds, 0);
}

#[tokio::test]
async fn what_waited_arrives_in_order_once() {
    let sim = sim(SCALE).await;
    let dir = TempDir::new().unwrap();
    let mut first = Running::start(&sim, dir.path(), SCALE);
    first.link_to(&sim).await;
    first.stop().await;
    let sent: Vec<String> = (0..2000)
        .map(|n| {
            sim.send_text(CUSTOMER, OWNER, &format!("mensaje {n}"))
                .unwrap()
        })
        .collect();
    let mut second = Running::start(&sim, dir.path(), SCALE);
    let told = second
        .told("the backlog", |told| told.messages.len() >= sent.len())
        .await;
    let got: Vec<_> = told.messages.iter().map(|m| m.id.0.clone()).collect();
    assert_eq!(got, sent);
    assert!(told.messages.iter().all(|message| message.offline));
    let empty = sim.until(|view| (view.counters().queued == 0).then_some(()));
    tokio::time::timeout(PATIENCE, empty)
        .await
        .expect("all acknowledged");
    second.stop().await;
}

/// Endings after which the box comes back by itself.
#[tokio::test]
async fn after_a_passing_trouble_the_box_comes_back() {
    let sim = sim(SCALE).await;
    let dir = TempDir::new().unwrap();
    let mut running = Running::start(&sim, dir.path(), SCALE);
    running.link_to(&sim).await;
    let stream = |code| Fault::new(Kind::StreamError).on(OWNER).code(code);
    let connecting = |link: &Link| matches!(link, Link::Connecting { .. });
    let limited = |link: &Link| matches!(link, Link::RateLimited { .. });
    type Is = fn(&Link) -> bool;
    let table: [(&str, Fault, Is); 6] = [
        ("restart wanted", stream(515), connecting),
        ("unavailable", stream(503), connecting),
        ("internal error", stream(500), connecting),
        ("dropped", Fault::new(Kind::Drop).on(OWNER), connecting),
        ("half-open", Fault::new(Kind::Stall).on(OWNER), connecting),
        ("rate limited", stream(429), limited),
    ];
    for (name, fault, is) in table {
        let logins = sim.counters().logins;
        let struck = Instant::now();
        sim.fault(fault).unwrap();
        running.until(name, is).await;
        // A half-open socket is the slowest to be found: a minute, and what this machine needs.
        let found = Duration::from_secs(60) / SCALE + Duration::from_secs(1);
        assert!(struck.elapsed() < found, "{name}: {:?}", struck.elapsed());
        running.online().await;
        assert!(sim.counters().logins > logins, "{name}");
    }
    running.stop().await;
}

/// Refusals of a login, and what a person sees of each.
#[tokio::test]
async fn every_refused_login_is_shown_as_what_it_is() {
    let sim = sim(SCALE).await;
    let dir = TempDir::new().unwrap();
    let mut running = Running::start(&sim, dir.path(), SCALE);
    running.link_to(&sim).await;
    let failure = |code| Fault::new(Kind::Failure).on(OWNER).code(code).times(1);
    let ban = Fault::new(Kind::TempBan).on(OWNER).times(1);
    let soon = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        + 120;
    type Is = fn(&Link) -> bool;
    let refused = |link: &Link| {
        let reason = StopReason::Refused(409);
        *link == Link::Stopped { reason }
    };
    let trouble = |link: &Link| matches!(link, Link::Connecting { failures: 2.., .. });
    // What goes wrong, what is shown, and whether the box then waits for a person.
    let table: [(&str, Fault, Is, bool); 7] = [
        ("server trouble", failure(503), trouble, false),
        (
            "outdated",
            failure(405),
            |link| *link == Link::Outdated,
            false,
        ),
        (
            "banned until",
            ban.clone().until(soon),
            |link| matches!(link, Link::Banned { until: Some(_) }),
            false,
        ),
        (
            "banned",
            ban,
            |link| *link == Link::Banned { until: None },
            true,
        ),
        ("locked", failure(403), |link| *link == Link::Locked, true),
        ("bad agent", failure(409), refused, true),
        (
            "rate limited",
            failure(429),
            |link| matches!(link, Link::RateLimited { .. }),
            false,
        ),
    ];
    for (name, fault, is, waits) in table {
        sim.fault(fault).unwrap();
        sim.fault(Fault::new(Kind::Drop).on(OWNER)).unwrap();
        running.until(name, is).await;
        if waits {
            nobody_connects(&sim, 1, SCALE).await;
            running.handle.link_anew().await.unwrap();
        }
        running.online().await;
    }
    running.stop().await;
}

/// The box on another card: what a second server with the same keys would be.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[tokio::test]
async fn two_servers_with_the_same_keys_do_not_fight() {
    let sim = sim(SCALE).await;
    let (dir, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut first = Running::start(&sim, dir.path(), SCALE);
    first.link_to(&sim).await;
    first.stop().await;
    copy(dir.path(), other.path());
    let mut first = Running::start(&sim, dir.path(), SCALE);
    first.online().await;
    let mut second = Running::start(&sim, other.path(), SCALE);
    second.online().await;
    first
        .until("conflict", |link| *link == Link::Conflict)
        .await;
    nobody_connects(&sim, 2, SCALE).await;
    assert!(matches!(*second.link.borrow(), Link::Online(_)));
    first.handle.take_over().await.unwrap();
    first.online().await;
    second
        .until("conflict", |link| *link == Link::Conflict)
        .await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn a_replaced_session_is_left_alone_until_somebody_takes_it_back() {
    let sim = sim(SCALE).await;
    let dir = TempDir::new().unwrap();
    let conflict = |link: &Link| *link == Link::Conflict;
    let mut running = Running::start(&sim, dir.path(), SCALE);
    running.link_to(&sim).await;
    sim.fault(Fault::new(Kind::ConflictReplaced).on(OWNER))
        .unwrap();
    running.until("conflict", conflict).await;
    nobody_connects(&sim, 10, SCALE).await;
    running.handle.link_anew().await.unwrap();
    running.stop().await;

    let mut again = Running::start(&sim, dir.path(), FAST);
    again.until("conflict", conflict).await;
    nobody_connects(&sim, 10, FAST).await;
    again.stop().await;

    let mut again = Running::start(&sim, dir.path(), SCALE);
    again.until("conflict", conflict).await;
    again.handle.take_over().await.unwrap();
    again.online().await;
    again.stop().await;

    // Taken back for good, and lost again under the other name of the same ending.
    let mut after = Running::start(&sim, dir.path(), SCALE);
    after.online().await;
    sim.fault(Fault::new(Kind::StreamError).on(OWNER).code(409))
        .unwrap();
    after.until("conflict", conflict).await;
    after.stop().await;
}

#[tokio::test]
async fn a_ban_outlives_a_restart() {
    let sim = sim(SCALE).await;
    let dir = TempDir::new().unwrap();
    let mut running = Running::start(&sim, dir.path(), SCALE);
    running.link_to(&sim).await;
    let until = std::time::SystemTime::now() + Duration::from_secs(7200);
    let until = until.duration_since(std::time::UNIX_EPOCH).unwrap();
    let ban = Fault::new(Kind::TempBan).on(OWNER).times(1);
    sim.fault(ban.until(until.as_secs())).unwrap();
    sim.fault(Fault::new(Kind::Drop).on(OWNER)).unwrap();
    let banned = |link: &Link| matches!(link, Link::Banned { until: Some(_) });
    running.until("banned", banned).await;
    running.stop().await;
    let mut again = Running::start(&sim, dir.path(), SCALE);
    again.until("banned", banned).await;
    nobody_connects(&sim, 1, SCALE).await;
    again.stop().await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_service_that_does_not_answer() {
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}/ws/chat", mute.local_addr().unwrap());
    let dir = TempDir::new().unwrap();
    let settings = Settings::new(Endpoint::new(&address).unwrap());
    let running = Running::with(settings, dir.path(), 1);
    let _kept_open = mute.accept().await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn a_removed_box_says_so_forgets_its_keys_and_links_anew_on_a_press() {
    let sim = sim(SCALE).await;
    let dir = TempDir::new().unwrap();
    let mut running = Running::start(&sim, dir.path(), SCALE);
    let failure = |code| Fault::new(Kind::Failure).on(OWNER).code(code).times(1);
    let removals: [(&str, Option<Fault>); 6] = [
        ("failure 401", Some(failure(401))),
        ("failure 406", Some(failure(406))),
        ("by the owner", None),
        (
            "conflict",
            Some(Fault::new(Kind::ConflictRemoved).on(OWNER)),
        ),
        (
            "401",
            Some(Fault::new(Kind::StreamError).on(OWNER).code(401)),
        ),
        (
            "516",
            Some(Fault::new(Kind::StreamError).on(OWNER).code(516)),
        ),
    ];
    for (name, fault) in removals {
        let device = running.link_to(&sim).await;
        match fault {
            Some(fault) => {
                let refused = fault.kind == Kind::Failure;
                sim.fault(fault).unwrap();
                if refused {
                    sim.fault(Fault::new(Kind::Drop).on(OWNER)).unwrap();
                }
                running.until(name, |link| *link == Link::Unlinked).await;
                sim.remove_device(OWNER, device).ok();
            }
            None => {
                sim.remove_device(OWNER, device).unwrap();
                running.until(name, |link| *link == Link::Unlinked).await;
            }
        }
        nobody_connects(&sim, 1, SCALE).await;
        running.handle.link_anew().await.unwrap();
        running.qr().await;
    }
    running.stop().await;
}

#[tokio::test]
async fn used_up_codes_are_renewed_and_then_the_box_rests() {
    let sim = sim(FAST).await;
    let dir = TempDir::new().unwrap();
    let mut running = Running::start(&sim, dir.path(), FAST);
    running.qr().await;
    running
        .until("resting", |link| *link == Link::Resting)
        .await;
    // Six refs live 160 s; ten minutes are begun four times.
    assert_eq!(sim.counters().refs, 4 * 6);
    nobody_connects(&sim, 10, FAST).await;
    running.handle.link_anew().await.unwrap();
    running.qr().await;
    running.stop().await;
}

#[tokio::test]
async fn a_press_renews_the_code() {
    let sim = sim(1).await;
    let dir = TempDir::new().unwrap();
    let mut running = Running::start(&sim, dir.path(), 1);
    let first = running.qr().await;
    running.handle.link_anew().await.unwrap();
    running
        .until("another code", |link| match link {
            Link::Linking(linking) => linking.qr.as_ref().is_some_and(|qr| qr.text != first),
            _ => false,
        })
        .await;
    running.link_to(&sim).await;
    running.stop().await;
}

#[tokio::test]
async fn a_phone_without_multi_device_is_named_as_the_trouble() {
    let sim = sim(1).await;
    sim.add_phone("573000000099", "Vieja", false).unwrap();
    let dir = TempDir::new().unwrap();
    let mut running = Running::start(&sim, dir.path(), 1);
    let qr = running.qr().await;
    assert!(sim.scan("573000000099", &qr).await.is_err());
    running
        .until("trouble", |link| match link {
            Link::Linking(linking) => linking.trouble == Some(LinkTrouble::NotMultidevice),
            _ => false,
        })
        .await;
    running.link_to(&sim).await;
    running.stop().await;
}

#[tokio::test]
async fn with_a_phone_number_a_pairing_code_links_as_well() {
    let sim = sim(1).await;
    let dir = TempDir::new().unwrap();
    let mut settings = Settings::new(Endpoint::new(&sim.ws_url()).unwrap());
    settings.phone_number = Some(OWNER.to_owned());
    let mut running = Running::with(settings, dir.path(), 1);
    let linking = running
        .until("both codes", |link| match link {
            Link::Linking(linking) => linking.pairing_code.is_some() && linking.qr.is_some(),
            _ => false,
        })
        .await;
    let Link::Linking(linking) = linking else {
        panic!("{linking:?}");
    };
    let code = linking.pairing_code.unwrap().text;
    sim.enter_code(OWNER, &code).await.unwrap();
    running.online().await;
    running.stop().await;
}

#[tokio::test]
async fn unlinking_tells_the_service_and_shows_a_fresh_code() {
    let sim = sim(1).await;
    let dir = TempDir::new().unwrap();
    let mut running = Running::start(&sim, dir.path(), 1);
    running.link_to(&sim).await;
    running.handle.unlink().await.unwrap();
    running.qr().await;
    assert!(sim.devices(OWNER).unwrap().is_empty());
    running.link_to(&sim).await;
    running.stop().await;
}

#[tokio::test]
async fn unlinking_without_a_service_forgets_all_the_same() {
    let sim = sim(SCALE).await;
    let dir = TempDir::new().unwrap();
    let mut running = Running::start(&sim, dir.path(), SCALE);
    running.link_to(&sim).await;
    drop(sim);
    running
        .until("no network", |link| {
            matches!(link, Link::WaitingNetwork { .. })
        })
        .await;
    running.handle.unlink().await.unwrap();
    running
        .until("no network", |link| {
            matches!(link, Link::WaitingNetwork { .. })
        })
        .await;
    running.stop().await;

    // Another service never hears of the old device.
    let other = self::sim(SCALE).await;
    let mut fresh = Running::start(&other, dir.path(), SCALE);
    fresh.qr().await;
    fresh.stop().await;
}

#[tokio::test]
async fn a_reset_that_was_cut_short_is_finished_at_the_next_start() {
    let sim = sim(SCALE).await;
    let dir = TempDir::new().unwrap();
    let mut running = Running::start(&sim, dir.path(), SCALE);
    running.link_to(&sim).await;
    running.stop().await;
    let store = Store::open(dir.path()).unwrap();
    store.begin_reset().await.unwrap();
    drop(store);
    let mut running = Running::start(&sim, dir.path(), SCALE);
    running.qr().await;
    running.stop().await;
}
