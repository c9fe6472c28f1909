//! Runs the appliance's tasks under their names.
//!
//! A *vital* task ends the process when it ends, with its own name in the error: the service
//! manager then starts everything afresh. Any other task is started again with back-off, so that
//! a broken screen never costs the link. It must never decide what a task does.
//! Tasks are gone once [`Supervisor::end`] returns, and what they held is let go of.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use anyhow::anyhow;
use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The first pause before a task is started again; each further failure doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause, and how long a task must have run for the pauses to begin anew.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The tasks that are running.
#[derive(Default)]
pub struct Supervisor {
    tasks: JoinSet<anyhow::Error>,
}

impl Supervisor {
    /// Starts a task without which the box is of no use.
    pub fn vital(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.tasks.spawn(async move { ended(name, task).await });
    }

    /// Starts a task that is started again whenever it fails. One that returns `Ok` is done.
    pub fn restarting<F>(
        &mut self,
        name: &'static str,
        mut make: impl FnMut() -> F + Send + 'static,
    ) where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.tasks.spawn(async move {
            let mut pause = FIRST_PAUSE;
            loop {
                let started = Instant::now();
                match guarded(make()).await {
                    Ok(Ok(())) => std::future::pending::<()>().await,
                    Ok(Err(error)) => {
                        tracing::warn!(task = name, error = format!("{error:#}"), "task failed");
                    }
                    Err(error) => tracing::error!(task = name, error, "task panicked"),
                }
                if started.elapsed() >= LONGEST_PAUSE {
                    pause = FIRST_PAUSE;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        });
    }

    /// Starts a task that the box can do without. Its end is told in the log, and no more.
    pub fn optional(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.tasks.spawn(async move {
            match guarded(task).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    let error = format!("{error:#}");
                    tracing::error!(
                        task = name,
                        error,
                        "task failed; the box goes on without it"
                    );
                }
                Err(error) => {
                    tracing::error!(
                        task = name,
                        error,
                        "task panicked; the box goes on without it"
                    );
                }
            }
            std::future::pending().await
        });
    }

    /// Waits until a vital task ends, however it ends. Waits forever while none does.
    pub async fn first_failure(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Ok(error)) => error,
            Some(Err(error)) => anyhow!(error).context("a supervised task broke off"),
            None => std::future::pending().await,
        }
    }

    /// Ends every task where it stands.
    pub async fn end(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Runs a task to its end, which a panic is as well: then with what it said. A task is given up
/// when it panics, so nobody sees what it left half done.
async fn guarded<T>(task: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(task)
        .catch_unwind()
        .await
        .map_err(|panic| said(panic.as_ref()))
}

/// The words of a panic.
fn said(panic: &(dyn Any + Send)) -> String {
    let literal = panic.downcast_ref::<&str>().copied();
    let words = literal.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    words.unwrap_or("without a word").to_owned()
}

async fn ended(
    name: &'static str,
    task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
) -> anyhow::Error {
    match guarded(task).await {
        Ok(Ok(())) => anyhow!("the {name} task ended, which it never should"),
        Ok(Err(error)) => error.context(format!("the {name} task failed")),
        Err(error) => anyhow!(error).context(format!("the {name} task panicked")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_vital_task_that_fails_is_named() {
        let mut supervisor = Supervisor::default();
        supervisor.vital("outbox", async { Err(anyhow!("disk full")) });
        let error = supervisor.first_failure().await;
        assert_eq!(format!("{error:#}"), "the outbox task failed: disk full");
    }

    #[tokio::test(start_paused = true)]
    async fn a_vital_task_that_panics_is_named() {
        let mut supervisor = Supervisor::default();
        supervisor.vital("store", async { panic!("broken invariant") });
        let error = supervisor.first_failure().await;
        let told = format!("{error:#}");
        assert_eq!(told, "the store task panicked: broken invariant");
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_end_tasks_have_let_go_of_what_they_held() {
        let held = Arc::new(());
        let mut supervisor = Supervisor::default();
        let one = Arc::clone(&held);
        supervisor.restarting("panel", move || {
            let one = Arc::clone(&one);
            async move {
                std::future::pending::<()>().await;
                drop(one);
                Ok(())
            }
        });
        let other = Arc::clone(&held);
        supervisor.optional("history", async move {
            std::future::pending::<()>().await;
            drop(other);
            Ok(())
        });
        tokio::task::yield_now().await;
        assert!(Arc::strong_count(&held) > 2);
        supervisor.end().await;
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn other_tasks_start_again_with_growing_pauses() {
        let starts = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&starts);
        let began = Instant::now();
        let mut supervisor = Supervisor::default();
        let (done, finished) = tokio::sync::oneshot::channel();
        let mut done = Some(done);
        supervisor.restarting("panel", move || {
            let turn = counted.fetch_add(1, Ordering::SeqCst);
            let done = if turn == 3 { done.take() } else { None };
            async move {
                match done {
                    Some(done) => {
                        let _ = done.send(Instant::now());
                        Ok(())
                    }
                    None if turn == 1 => panic!("a panic counts as a failure"),
                    None => Err(anyhow!("no display")),
                }
            }
        });
        let at = finished.await.expect("the fourth start comes");
        assert_eq!(starts.load(Ordering::SeqCst), 4);
        assert_eq!(at - began, Duration::from_secs(1 + 2 + 4));
    }
}
