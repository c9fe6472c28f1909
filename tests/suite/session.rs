//! The link: how it comes about, how it ends, and what the box makes of each ending.

mod account;
mod endings;
mod linking;
mod messages;
mod passkeys;
mod priorities;

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use vinculo::message::{Body, ChatId, Draft, Incoming, MessageId};
use vinculo::session::link::{Account, LinkTrouble, Linking, Passkey, Remover, StopReason};
use vinculo::session::{
    Clock, Endpoint, Event, Handle, Link, PasskeyError, Rank, Release, Role, SendError, Settings,
    spawn,
};
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
    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;
    let wanted = std::env::var("RUST_LOG").unwrap_or_default();
    let wanted: Targets = wanted.parse().unwrap();
    // Another test of this process may have been first.
    let _ = tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_test_writer())
        .with(wanted)
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
            Event::Online { .. } => {}
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
