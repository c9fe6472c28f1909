//! What the service manager is told: that the box is up, what it is about, that it ends, and, for
//! its watchdog, that the box is alive.
//!
//! Alive means that the loops that matter still turn. Twice in the watchdog's time each of them is
//! asked ([`Watchdog::run`]) and answers by turning ([`Pulse::beat`]); only when all have answered
//! is the watchdog fed. One timer wakes them all together, and none at all where no watchdog
//! waits. It must never feed on a timer alone, and knows nothing of the network: an outage is not
//! a hang, and starting anew would not mend it.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

#[cfg(test)]
mod tests;

/// How long the service manager may leave a message lying before it is given up: a sick manager
/// must not stop the box.
const PATIENCE: Duration = Duration::from_secs(1);

/// The service manager, where there is one. Cheap to clone. Speaks `sd_notify(3)`'s protocol: one
/// datagram of `NAME=value` to the socket that `$NOTIFY_SOCKET` names.
#[derive(Clone, Debug, Default)]
pub struct ServiceManager {
    door: Option<Arc<(UnixDatagram, SocketAddr)>>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one that started this process, if one did.
    ///
    /// # Errors
    /// When it named a socket that cannot be one.
    pub fn from_environment() -> io::Result<Self> {
        let Some(socket) = env::var_os("NOTIFY_SOCKET") else {
            return Ok(Self::default());
        };
        let (time, meant) = (env::var("WATCHDOG_USEC"), env::var("WATCHDOG_PID"));
        let watchdog = watchdog_time(time.ok().as_deref(), meant.ok().as_deref());
        Self::at(&socket, watchdog)
    }

    /// One that listens at `socket`, a path or, after an `@`, an abstract name, and that takes the
    /// box for hung when it is not fed for `watchdog`.
    ///
    /// # Errors
    /// When there can be no such socket.
    pub fn at(socket: &OsStr, watchdog: Option<Duration>) -> io::Result<Self> {
        let address = match socket.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(socket)?,
        };
        let own = UnixDatagram::unbound()?;
        own.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            door: Some(Arc::new((own, address))),
            watchdog,
        })
    }

    /// One started this process, and will start it again.
    pub fn is_there(&self) -> bool {
        self.door.is_some()
    }

    /// Everything is up.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// The end was asked for, or cannot be helped.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// Shows the name of a state in the manager's own list, now and whenever it becomes another.
    /// Ends when nobody can change the state any more.
    pub async fn follow<T>(&self, mut states: watch::Receiver<T>, name: fn(&T) -> &'static str) {
        let mut told = "";
        while let Ok(state) = states.wait_for(|state| name(state) != told).await {
            told = name(&state);
            // Whoever changes the state must not wait for the manager.
            drop(state);
            self.tell(&format!("STATUS={told}"));
        }
    }

    fn tell(&self, message: &str) {
        let Some(door) = &self.door else { return };
        let (own, address) = &**door;
        if let Err(error) = own.send_to_addr(message.as_bytes(), address) {
            tracing::warn!(%error, message, "the service manager did not hear it");
        }
    }
}

/// What `$WATCHDOG_USEC` says, unless `$WATCHDOG_PID` says that another process is meant.
fn watchdog_time(time: Option<&str>, meant: Option<&str>) -> Option<Duration> {
    if meant.is_some_and(|pid| pid != std::process::id().to_string()) {
        return None;
    }
    let time = Duration::from_micros(time?.parse().ok()?);
    (!time.is_zero()).then_some(time)
}

/// Asks the loops, and feeds the service manager's watchdog when all have answered.
#[derive(Debug)]
pub struct Watchdog {
    manager: ServiceManager,
    round: watch::Sender<u64>,
    loops: Vec<Loop>,
}

#[derive(Debug)]
struct Loop {
    name: &'static str,
    answered: watch::Receiver<u64>,
}

impl Watchdog {
    /// Knows no loop yet.
    pub fn new(manager: ServiceManager) -> Self {
        Self {
            manager,
            round: watch::Sender::new(0),
            loops: Vec::new(),
        }
    }

    /// Adds a loop; what is returned belongs into it. A loop that has dropped its pulse counts as
    /// hung.
    pub fn pulse(&mut self, name: &'static str) -> Pulse {
        if self.manager.watchdog.is_none() {
            return Pulse(None);
        }
        let (answer, answered) = watch::channel(0);
        self.loops.push(Loop { name, answered });
        Pulse(Some(Asked {
            round: self.round.subscribe(),
            answer,
        }))
    }

    /// Asks and feeds for as long as it is polled. Must share its thread with the loops, so that
    /// one that blocks the thread starves the watchdog as well.
    pub async fn run(mut self) {
        let Some(time) = self.manager.watchdog else {
            return std::future::pending().await;
        };
        let half = time / 2;
        let mut due = interval(half);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for round in 1.. {
            due.tick().await;
            self.round.send_replace(round);
            for one in &mut self.loops {
                one.turned(round, half).await;
            }
            self.manager.tell("WATCHDOG=1");
        }
    }
}

impl Loop {
    /// Waits, for ever if need be, until the loop has answered this round.
    async fn turned(&mut self, round: u64, half: Duration) {
        let answer = timeout(half, self.answered.wait_for(|answer| *answer >= round));
        let answer = answer.await.map(|answer| answer.is_ok());
        match answer {
            Ok(true) => return,
            Ok(false) => tracing::error!(name = self.name, "a loop ended; the watchdog starves"),
            Err(_) => tracing::error!(name = self.name, "a loop hangs; the watchdog starves"),
        }
        let late = self.answered.wait_for(|answer| *answer >= round);
        if late.await.is_err() {
            std::future::pending().await
        }
    }
}

/// A loop's side of the watchdog; the default is for loops nobody asks.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Option<Asked>);

#[derive(Clone, Debug)]
struct Asked {
    round: watch::Receiver<u64>,
    answer: watch::Sender<u64>,
}

impl Pulse {
    /// Waits to be asked, and answers. Belongs among what the loop waits for; dropping it
    /// unfinished loses nothing.
    pub async fn beat(&mut self) {
        let Some(asked) = &mut self.0 else {
            return std::future::pending().await;
        };
        if asked.round.changed().await.is_err() {
            // Nobody will ask again.
            return std::future::pending().await;
        }
        asked.answer.send_replace(*asked.round.borrow_and_update());
    }
}
