//! Tells the owner, by mail and by webhook, what nobody at the screen would see in time.
//!
//! What is told follows from the one value that screen and status speak from, the watch of
//! [`Link`]: [`plan`] decides purely when to tell what, [`queue`] keeps it on disk until it is
//! told, [`letter`] finds the words, [`mail`] and [`webhook`] carry them.
//!
//! It must never keep the session waiting: nothing here is vital, every conversation has an end,
//! and with no `[alerts]` nothing of it runs. What a conversation needs (certificates, password,
//! buffers) is built for it and dropped after it. The log never sees an address, a server's answer
//! or a secret.

pub mod failure;
pub mod kind;
pub mod letter;
pub mod mail;
pub mod plan;
pub mod queue;
mod record;
pub mod settings;
#[cfg(test)]
mod tests;
mod time;
pub mod webhook;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use failure::Failure;
use kind::{Condition, Kind};
use plan::Plan;
use queue::{Channel, Queue};
use record::{Notice, State};
pub use settings::Settings;
use time::Time;

use crate::history::{Stamp, Stamper};
use crate::session::Link;
use crate::store::{Store, StoreError};
use crate::waiting::until;

/// Not online for so long is worth a mail, unless the configuration says otherwise.
pub const OFFLINE_AFTER: Duration = Duration::from_secs(15 * 60);

/// What came of an attempt.
struct Outcome {
    channel: Channel,
    told: Vec<u64>,
    failure: Option<Failure>,
}

/// What alerts are about, and what they need.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// Where they are kept.
    pub store: Store,
    /// When things happen.
    pub stamper: Stamper,
    /// The session's state.
    pub link: watch::Receiver<Link>,
    /// Time passes so many times as fast; 1 outside tests.
    pub time_scale: NonZeroU32,
}

/// Tells what there is to tell, until the session is gone.
///
/// # Errors
/// When the store cannot be read, or an attempt panics.
pub async fn run(settings: Arc<Settings>, mut inputs: Inputs) -> anyhow::Result<()> {
    let (mut queue, state) = Queue::open(&inputs.store)?;
    let time = Time::after(&state, &inputs.stamper.now(), inputs.time_scale);
    let mut plan = Plan::new(settings.offline_after, state);
    if !inputs.store.opened().set_aside.is_empty() {
        plan.store_trouble(time.now(), inputs.stamper.now());
    }
    let mut attempts: JoinSet<Outcome> = JoinSet::new();
    let mut before = plan.state().clone();
    loop {
        let (now, stamp) = (time.now(), inputs.stamper.now());
        let (condition, online) = {
            let link = inputs.link.borrow_and_update();
            let condition = Condition::of(&link, tokio::time::Instant::now(), &stamp);
            (condition, matches!(*link, Link::Online(_)))
        };
        let came_online = online && before.up.is_none();
        plan.observe(condition, now, stamp);
        let news = addressed(plan.take(), &settings);
        if !news.is_empty() || *plan.state() != before {
            for notice in &news {
                tracing::info!(alert = notice.kind().name(), "the owner is told");
            }
            before = plan.state().clone();
            let state = State {
                clock: now,
                clock_at: Some(stamp.into()),
                ..before.clone()
            };
            unless(queue.keep(news, state, now).await);
        }
        if came_online {
            queue.hurry(now);
        }
        unless(queue.give_up(|channel| has(&settings, channel), now));
        for channel in Channel::ALL {
            let ready = queue.begin(channel, now);
            if !ready.is_empty() {
                attempts.spawn(attempt(channel, settings.clone(), ready, stamp));
            }
        }
        let due = [plan.due(), queue.due()].into_iter().flatten().min();
        tokio::select! {
            changed = inputs.link.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
            }
            () = until(due.map(|due| time.instant(due))) => {}
            Some(outcome) = attempts.join_next(), if !attempts.is_empty() => {
                let outcome = outcome?;
                if let Some(failure) = &outcome.failure {
                    tracing::warn!(
                        channel = ?outcome.channel,
                        why = failure.code(),
                        "an alert did not get through; vinculo test-alert says more"
                    );
                }
                let failed = outcome.failure.map(|failure| failure.is_lasting());
                unless(queue.settle(outcome.channel, &outcome.told, failed, time.now()));
            }
        }
    }
}

/// In the middle of a reset the store is closed, and everything is written after it. Memory has
/// it all meanwhile, so whatever the store says costs a mail that comes twice at most.
fn unless(kept: Result<(), StoreError>) {
    match kept {
        Ok(()) | Err(StoreError::Closed) => {}
        Err(error) => tracing::warn!(%error, "the alerts are not on disk for now"),
    }
}

/// Marks notices for the channels there are.
fn addressed(notices: Vec<Notice>, settings: &Settings) -> Vec<Notice> {
    let notices = notices.into_iter();
    notices
        .map(|notice| Notice {
            mail: settings.mail.is_some(),
            webhook: settings.webhook.is_some(),
            ..notice
        })
        .collect()
}

fn has(settings: &Settings, channel: Channel) -> bool {
    match channel {
        Channel::Mail => settings.mail.is_some(),
        Channel::Webhook => settings.webhook.is_some(),
    }
}

async fn attempt(
    channel: Channel,
    settings: Arc<Settings>,
    ready: Vec<(u64, Notice)>,
    stamp: Stamp,
) -> Outcome {
    let (mut told, mut failure) = (Vec::new(), None);
    match channel {
        Channel::Mail => {
            let (orders, notices): (Vec<u64>, Vec<Notice>) = ready.into_iter().unzip();
            match mail_all(&settings, &notices, &stamp).await {
                Ok(()) => told = orders,
                Err(error) => failure = Some(error),
            }
        }
        Channel::Webhook => {
            for (order, notice) in ready {
                match post(&settings, &notice, &stamp).await {
                    Ok(()) => told.push(order),
                    Err(error) => {
                        failure = Some(error);
                        break;
                    }
                }
            }
        }
    }
    Outcome {
        channel,
        told,
        failure,
    }
}

/// One mail for all of them. It is told once somebody has it.
async fn mail_all(settings: &Settings, notices: &[Notice], stamp: &Stamp) -> Result<(), Failure> {
    let (Some(mail), Some(letter)) = (&settings.mail, letter::letter(settings, notices, stamp))
    else {
        return Ok(());
    };
    let outcomes = mail::send(mail, &letter).await?;
    let some = outcomes.iter().any(|(_, outcome)| outcome.is_ok());
    for (_, outcome) in outcomes {
        match outcome {
            Err(failure) if some => {
                tracing::warn!(why = failure.code(), "one of the recipients got no mail");
            }
            Err(failure) => return Err(failure),
            Ok(()) => {}
        }
    }
    Ok(())
}

async fn post(settings: &Settings, notice: &Notice, stamp: &Stamp) -> Result<(), Failure> {
    let Some(webhook) = &settings.webhook else {
        return Ok(());
    };
    let body = letter::json(settings, notice, stamp).to_string();
    webhook::post(webhook, &notice.name(), &body).await
}

/// What came of a test, for each way to the owner.
pub async fn test(settings: &Settings, stamp: Stamp) -> Vec<(String, Result<(), Failure>)> {
    let notice = Notice::new(Kind::Test, stamp);
    let mut outcomes = Vec::new();
    if let Some(mail) = &settings.mail
        && let Some(letter) = letter::letter(settings, std::slice::from_ref(&notice), &stamp)
    {
        match mail::send(mail, &letter).await {
            Ok(each) => {
                let each = each.into_iter();
                outcomes.extend(each.map(|(to, outcome)| (format!("mail to {to}"), outcome)));
            }
            Err(failure) => outcomes.push(("mail".to_owned(), Err(failure))),
        }
    }
    if let Some(webhook) = &settings.webhook {
        let host = webhook.url.host_str().unwrap_or_default();
        let outcome = post(settings, &notice, &stamp).await;
        outcomes.push((format!("webhook at {host}"), outcome));
    }
    outcomes
}
