//! The thread that opens, commits, resets and closes the databases. One for both, so that all who
//! wait for the same database share one sync; asleep, without a wake-up of its own, while nobody
//! waits and nothing is left to be written. What nobody wants committed it commits once it has
//! been quiet for a while, and only once: a box that idles writes nothing.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

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
    applied: bool,
    end: bool,
}

impl Work {
    fn is_none(&self) -> bool {
        self.link.is_empty()
            && self.log.is_empty()
            && self.orders.is_empty()
            && !self.applied
            && !self.end
    }
}

#[derive(Debug, Default)]
struct Queue {
    work: Mutex<Work>,
    more: Condvar,
    /// The thread will look at what was applied by itself, in a while.
    looks: AtomicBool,
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
                    be_late_by(HALF_A_MINUTE);
                    let opened = open_both(&dir, &link, &log);
                    be_late_by(A_MILLISECOND);
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

    /// Something was applied. Costs next to nothing while things go on.
    pub fn applied(&self) {
        // Either this sees that the thread will not look, or the thread sees what was applied.
        fence(Ordering::SeqCst);
        if !self.queue.looks.load(Ordering::SeqCst) {
            self.queue.change(|work| work.applied = true);
        }
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
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let mut work = self
            .more
            .wait_while(work, |work| work.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *work)
    }

    /// The same, for as long as quiet takes; nothing if nothing came.
    fn take_soon(&self, quiet: Duration) -> Option<Work> {
        self.looks.store(true, Ordering::SeqCst);
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut work, _) = self
            .more
            .wait_timeout_while(work, quiet, |work| work.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        let work = std::mem::take(&mut *work);
        if !work.is_none() {
            return Some(work);
        }
        self.looks.store(false, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        None
    }
}

fn run(queue: &Queue, dir: &Path, link: &Slot, log: &Slot) {
    let quiet = Duration::from_millis(link.options.quiet_ms);
    loop {
        let work = match queue.take_soon(quiet) {
            Some(work) => work,
            None => {
                for slot in [link, log].into_iter().filter(|slot| slot.is_dirty()) {
                    // Nobody asked; those who do next are told.
                    if let Err(error) = slot.commit() {
                        tracing::error!(database = slot.name, %error, "what is left is not on disk");
                    }
                }
                queue.take()
            }
        };
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
/// how late its timers may be from the one that starts it, so this one, while it starts them, allows
/// half a minute: they then wake with other timers instead of waking the board.
const HALF_A_MINUTE: &str = "30000000000";
const A_MILLISECOND: &str = "1000000";

/// How late this thread's timers may be, in nanoseconds. Best effort.
fn be_late_by(nanoseconds: &str) {
    // The file is found under the thread's number, not under that of its process.
    if let Ok(task) = std::fs::read_link("/proc/thread-self")
        && let Some(thread) = task.file_name()
    {
        let _ = std::fs::write(
            Path::new("/proc").join(thread).join("timerslack_ns"),
            nanoseconds,
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
