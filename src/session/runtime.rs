//! The executor the protocol crate runs on: tokio's, with scaled sleeps, yields that yield, and
//! panics that are noticed.
//!
//! Every client has a runtime of its own. Closing it drops every task that client ever spawned,
//! and with them the last handles to the store; nothing of a dead link lives on.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use tokio::sync::{Notify, watch};
use wacore::runtime::{AbortHandle, Runtime};

use super::clock::Clock;

type Boxed = Pin<Box<dyn Future<Output = ()> + Send + 'static>>;

/// Where the first panic of any task is left for the supervisor to find.
pub type Panics = Arc<watch::Sender<Option<String>>>;

tokio::task_local! {
    static LEASH: Leash;
}

/// A hold on one task of the protocol crate. Some of what it does by itself has no switch of its own.
#[derive(Clone, Debug, Default)]
pub struct Leash(Arc<Notify>);

impl Leash {
    /// On the task that asks; `None` where it is not the crate's.
    pub fn on_this_task() -> Option<Self> {
        LEASH.try_with(Self::clone).ok()
    }

    /// The task is dropped where it waits next.
    pub fn end(&self) {
        self.0.notify_one();
    }
}

/// The protocol crate's runtime.
#[derive(Clone, Debug)]
pub struct TokioRuntime {
    clock: Clock,
    panics: Panics,
    closed: Arc<watch::Sender<bool>>,
}

impl TokioRuntime {
    /// Tasks run on the tokio runtime of whoever calls.
    pub fn new(clock: Clock, panics: Panics) -> Self {
        Self {
            clock,
            panics,
            closed: Arc::new(watch::Sender::new(false)),
        }
    }

    /// Drops every task, and returns once none is left. Tasks spawned from now on are not run.
    /// Never to be called from one of them.
    pub async fn close(&self) {
        self.closed.send_replace(true);
        self.closed.closed().await;
    }

    fn watched(&self, future: Boxed) -> impl Future<Output = ()> + Send + 'static {
        let mut closed = self.closed.subscribe();
        let panics = self.panics.clone();
        let leash = Leash::default();
        async move {
            let future = LEASH.scope(leash.clone(), AssertUnwindSafe(future).catch_unwind());
            tokio::select! {
                biased;
                // An error means that the runtime itself is gone, which closes it as well.
                _ = closed.wait_for(|closed| *closed) => {}
                () = leash.0.notified() => {}
                ended = future => {
                    if let Err(panic) = ended {
                        report(&panics, panic.as_ref());
                    }
                }
            }
        }
    }
}

/// Leaves word of a panic, unless an earlier one did.
fn report(panics: &Panics, panic: &(dyn Any + Send)) {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned());
    panics.send_if_modified(|first| {
        let is_first = first.is_none();
        if is_first {
            *first = Some(text);
        }
        is_first
    });
}

#[async_trait]
impl Runtime for TokioRuntime {
    fn spawn(&self, future: Boxed) -> AbortHandle {
        let task = tokio::spawn(self.watched(future));
        AbortHandle::new(move || task.abort())
    }

    fn spawn_detached(&self, future: Boxed) {
        tokio::spawn(self.watched(future));
    }

    fn sleep(&self, duration: Duration) -> Boxed {
        Box::pin(tokio::time::sleep(self.clock.real_of(duration)))
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send + 'static>) -> Boxed {
        let task = tokio::task::spawn_blocking(work);
        let panics = self.panics.clone();
        Box::pin(async move {
            if let Err(failed) = task.await
                && let Ok(panic) = failed.try_into_panic()
            {
                report(&panics, panic.as_ref());
            }
        })
    }

    /// A backlog is thousands of messages in one go, and the screen shares the thread.
    fn yield_now(&self) -> Option<Boxed> {
        Some(Box::pin(tokio::task::yield_now()))
    }

    fn yield_frequency(&self) -> u32 {
        4
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use tokio::sync::mpsc::error::TryRecvError;

    fn runtime() -> (TokioRuntime, watch::Receiver<Option<String>>) {
        let (panics, first) = watch::channel(None);
        (TokioRuntime::new(Clock::real(), Arc::new(panics)), first)
    }

    #[tokio::test]
    async fn the_first_panic_is_told() {
        let (runtime, mut first) = runtime();
        runtime.spawn_detached(Box::pin(async { panic!("it broke") }));
        let told = first.wait_for(Option::is_some).await.unwrap().clone();
        assert_eq!(told.as_deref(), Some("it broke"));
        runtime.spawn_blocking(Box::new(|| panic!("again"))).await;
        assert_eq!(first.borrow().as_deref(), Some("it broke"));
    }

    #[tokio::test]
    async fn a_panic_in_blocking_work_is_told() {
        let (runtime, first) = runtime();
        runtime
            .spawn_blocking(Box::new(|| panic!("far away")))
            .await;
        assert_eq!(first.borrow().as_deref(), Some("far away"));
    }

    #[tokio::test]
    async fn a_task_ends_by_the_leash_that_it_gave_away_itself() {
        assert!(
            Leash::on_this_task().is_none(),
            "a test is none of the crate's"
        );
        let (runtime, first) = runtime();
        let (held, mut dropped) = tokio::sync::mpsc::channel::<()>(1);
        let (give, given) = tokio::sync::oneshot::channel();
        runtime.spawn_detached(Box::pin(async move {
            give.send(Leash::on_this_task()).unwrap();
            std::future::pending::<()>().await;
            drop(held);
        }));
        given.await.unwrap().unwrap().end();
        assert_eq!(dropped.recv().await, None);
        assert_eq!(*first.borrow(), None);
    }

    #[tokio::test]
    async fn closing_drops_every_task() {
        let (runtime, _first) = runtime();
        let (held, mut dropped) = tokio::sync::mpsc::channel::<()>(1);
        runtime.spawn_detached(Box::pin(async move {
            std::future::pending::<()>().await;
            drop(held);
        }));
        tokio::task::yield_now().await;
        runtime.close().await;
        assert_eq!(dropped.try_recv(), Err(TryRecvError::Disconnected));
    }

    #[tokio::test(start_paused = true)]
    async fn yielding_lets_others_run() {
        let (runtime, _first) = runtime();
        let (ran, mut others) = watch::channel(false);
        runtime.spawn_detached(Box::pin(async move {
            ran.send_replace(true);
        }));
        assert!(!*others.borrow_and_update());
        runtime.yield_now().unwrap().await;
        assert!(*others.borrow_and_update());
    }
}
