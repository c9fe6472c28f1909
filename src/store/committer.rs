//! The thread that opens, commits, resets and closes the databases. One for both, so that all who
//! wait for the same database share one sync; asleep, without a wake-up of its own, while nobody
//! waits.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::slot::Slot;
use super::{Name, OpenError, Opened, StoreError, disk, opening, reset};

type Answer = oneshot::Sender<Result<(), StoreError>>;

/// What is done between commits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    BeginReset,
    Reset,
    ForgetLink,
    Close,
}

#[derive(Debug, Default)]
struct Work {
    link: Vec<Answer>,
    log: Vec<Answer>,
    orders: Vec<(Order, Answer)>,
    end: bool,
}

#[derive(Debug, Default)]
struct Queue {
    work: Mutex<Work>,
    more: Condvar,
}

/// The thread's handle. Dropping it closes the databases and waits for that.
#[derive(Debug)]
pub(super) struct Committer {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    /// Starts the thread and returns once it has opened both databases.
    pub fn start(dir: &Path, link: Arc<Slot>, log: Arc<Slot>) -> Result<(Self, Opened), OpenError> {
        let queue = Arc::new(Queue::default());
        let (report, reported) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("committer".to_owned())
            .spawn({
                let queue = Arc::clone(&queue);
                let dir = dir.to_owned();
                move || {
                    be_lazy();
                    let opened = open_both(&dir, &link, &log);
                    let failed = opened.is_err();
                    if report.send(opened).is_ok() && !failed {
                        run(&queue, &dir, &link, &log);
                    }
                    link.empty();
                    log.empty();
                }
            })
            .map_err(super::disk::io_at(dir))?;
        let committer = Self {
            queue,
            thread: Some(thread),
        };
        match reported.recv() {
            Ok(opened) => Ok((committer, opened?)),
            // The thread answers before anything else can end it.
            Err(_) => Err(OpenError::Database {
                name: "link",
                source: StoreError::Panicked,
            }),
        }
    }

    pub async fn commit(&self, name: Name) -> Result<(), StoreError> {
        self.ask(|work, answer| match name {
            Name::Link => work.link.push(answer),
            Name::Log => work.log.push(answer),
        })
        .await
    }

    pub async fn order(&self, order: Order) -> Result<(), StoreError> {
        self.ask(|work, answer| work.orders.push((order, answer)))
            .await
    }

    async fn ask(&self, enqueue: impl FnOnce(&mut Work, Answer)) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.queue.change(|work| enqueue(work, answer));
        answered.await.unwrap_or(Err(StoreError::Closed))
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.queue.change(|work| work.end = true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the committer panicked");
        }
    }
}

impl Queue {
    fn change(&self, change: impl FnOnce(&mut Work)) {
        change(&mut self.work.lock().unwrap_or_else(PoisonError::into_inner));
        self.more.notify_one();
    }

    /// Everything that has gathered; sleeps while there is nothing.
    fn take(&self) -> Work {
        let idle = |work: &mut Work| {
            work.link.is_empty() && work.log.is_empty() && work.orders.is_empty() && !work.end
        };
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let mut work = self
            .more
            .wait_while(work, idle)
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *work)
    }
}

fn run(queue: &Queue, dir: &Path, link: &Slot, log: &Slot) {
    loop {
        let work = queue.take();
        for (slot, waiting) in [(link, work.link), (log, work.log)] {
            if waiting.is_empty() {
                continue;
            }
            let result = slot.commit();
            for answer in waiting {
                // Who no longer waits does not mind.
                let _ = answer.send(result.clone());
            }
        }
        for (order, answer) in work.orders {
            let result = match order {
                Order::BeginReset => reset::begin(dir),
                Order::Reset => reset::carry_out(dir, link, log),
                Order::ForgetLink => reset::replace(dir, &[link]),
                Order::Close => {
                    let results = [link, log].map(|slot| match slot.commit() {
                        Err(StoreError::Closed) => Ok(()),
                        result => result,
                    });
                    link.empty();
                    log.empty();
                    results.into_iter().collect()
                }
            };
            let _ = answer.send(result);
        }
        if work.end {
            return;
        }
    }
}

/// The library keeps seven threads that each wake once a second for nothing. A thread inherits
/// how late its timers may be from the one that starts it, so this one, which starts them, allows
/// half a minute: they then wake with other timers instead of waking the board. Best effort.
fn be_lazy() {
    const NANOSECONDS: &str = "30000000000";
    // The file is found under the thread's number, not under that of its process.
    if let Ok(task) = std::fs::read_link("/proc/thread-self")
        && let Some(thread) = task.file_name()
    {
        let _ = std::fs::write(
            Path::new("/proc").join(thread).join("timerslack_ns"),
            NANOSECONDS,
        );
    }
}

fn open_both(dir: &Path, link: &Slot, log: &Slot) -> Result<Opened, OpenError> {
    let mut opened = Opened {
        set_aside: Vec::new(),
        reset_pending: reset::is_pending(dir),
    };
    reset::finish_removals(dir).map_err(disk::io_at(dir))?;
    for slot in [link, log] {
        if opening::open(slot)? {
            opened.set_aside.push(slot.name);
        }
    }
    Ok(opened)
}
