//! The loop that owns the link. It asks [`machine::next`] what to do, does it, and serves orders
//! meanwhile; it decides nothing itself.

mod doors;
mod forgetting;
mod notes;
mod shown;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{mpsc, oneshot, watch};

use self::doors::{Doors, Happening, done, not_wanted, offline};
use super::backoff::Jitter;
use super::client::{Client, Context, Ended};
use super::clock::Clock;
use super::ending::Ending;
use super::keys::Keys;
use super::link::Link;
use super::machine::{self, Action, Input, Mode, Moment, State};
use super::queue::{Pump, queue};
use super::{Event, Handle, Order, Sending, Settings, record, tls};
use crate::store::Store;
use crate::waiting::until;

/// How often the wall clock is looked at while it cannot be right.
const TIME_POLL: Duration = Duration::from_secs(2);

/// For what the handler still had to tell when the session ends.
const DRAIN: Duration = Duration::from_millis(300);

/// Orders that may wait for the session to come round.
const ORDERS: usize = 64;

/// The session's door, and the task behind it, to be spawned by the caller.
///
/// The task ends with `Ok` soon after `stop` has become true (or its sender is gone), having
/// disconnected cleanly and written everything down, within three seconds. It ends with an error
/// when the store fails or a task of the protocol crate has panicked; nothing else ends it.
///
/// Events go to `events`, in the order they happened except that acks and receipts may be told
/// before messages that arrived earlier.
pub fn spawn(
    settings: Settings,
    store: Store,
    events: mpsc::Sender<Event>,
    clock: Clock,
    stop: watch::Receiver<bool>,
) -> (Handle, impl Future<Output = anyhow::Result<()>> + Send) {
    let (order, orders) = mpsc::channel(ORDERS);
    let (link, watched) = watch::channel(Link::Starting);
    let (panics, panicked) = watch::channel(None);
    let (queue, pump) = queue(events.clone());
    let task = async move {
        let session = Session {
            context: Context {
                settings,
                clock,
                store,
                tls: tls::connector()?,
                link,
                queue,
                events,
                acquaintance: Arc::default(),
                panics: Arc::new(panics),
            },
            state: State::new(false),
            guarded: false,
            noted: Moment::ZERO,
            client: None,
            doors: Doors::new(orders, stop, panicked),
        };
        session.run(pump).await
    };
    (Handle::new(order, watched), task)
}

struct Session {
    context: Context,
    state: State,
    /// The link that is there belongs to production and this box does not.
    guarded: bool,
    /// When the takings were last written down.
    noted: Moment,
    /// Kept between two connections, while it can be used again.
    client: Option<Client>,
    doors: Doors,
}

/// What follows from one stretch of the loop.
enum Next {
    Act(Action),
    Reset(oneshot::Sender<()>),
    Stop,
}

/// How a stretch of serving a connection came to its end.
enum Over {
    Ended(Ended),
    Reset(oneshot::Sender<()>),
    Stop,
}

impl Session {
    async fn run(mut self, pump: Pump) -> anyhow::Result<()> {
        let mut pump = tokio::spawn(pump.run());
        tokio::spawn(shown::tell(self.context.link.subscribe()));
        let outcome = self.keep_linked().await;
        if let Some(client) = self.client.take() {
            client.close().await;
        }
        let committed = self.context.store.link().commit().await;
        // The last senders of the queue go with the session, and with them the pump.
        drop(self);
        if tokio::time::timeout(DRAIN, &mut pump).await.is_err() {
            pump.abort();
        }
        outcome?;
        committed.context("writing the link down")
    }

    async fn keep_linked(&mut self) -> anyhow::Result<()> {
        if self.context.store.opened().reset_pending {
            tracing::info!("going on with the reset that was begun");
            self.context.link.send_replace(Link::Resetting);
            if self.say_farewell().await? {
                return Ok(());
            }
            self.context.store.reset().await.context("resetting")?;
        }
        let acquaintance = &self.context.acquaintance;
        acquaintance.remember(record::phone_seen(&self.context.store));
        let client = self.build().await?;
        self.state = State {
            may_reclaim: self.context.settings.may_reclaim(),
            takings: record::load_takings(&self.context.store, self.context.clock.now())?,
            ..State::new(client.is_linked())
        };
        self.guarded = client.is_forbidden();
        self.client = Some(client);
        let past = record::load(&self.context.store, self.context.clock.wall_ms())?;
        let mut next = Next::Act(self.decide(Input::Started(past)).await?);
        loop {
            next = match next {
                Next::Act(Action::Connect { fresh }) => self.connect(fresh).await?,
                Next::Act(Action::Forget) => self.forget().await?,
                Next::Act(Action::Wait(_) | Action::Hold | Action::Stay | Action::HangUp) => {
                    self.idle().await?
                }
                Next::Reset(answer) => self.reset(answer).await?,
                Next::Stop => return Ok(()),
            };
        }
    }

    async fn build(&self) -> anyhow::Result<Client> {
        let keys = Keys::new(self.context.store.link());
        Client::build(&self.context, Arc::new(keys)).await
    }

    /// Asks what follows from `input`, keeps it on disk where it must be kept, and shows it.
    async fn decide(&mut self, input: Input) -> anyhow::Result<Action> {
        let now = self.context.clock.now();
        let (state, action) = machine::next(&self.state, input, now, Jitter::by_chance());
        let taken = state.takings != self.state.takings;
        self.state = state;
        // On disk before the session is taken, and after it is known that it was lost.
        let connects = matches!(action, Action::Connect { .. });
        if taken && connects {
            self.note_takings().await?;
        }
        let store = &self.context.store;
        match input {
            Input::Ended { ending, .. } if is_to_be_kept(ending, action) => {
                let left = self.state.left(now);
                let wall_ms = self.context.clock.wall_ms();
                record::keep(store, ending, &self.state, left, wall_ms).await?;
            }
            _ if connects => record::clear(store).await?,
            _ => {}
        }
        if taken && !connects {
            self.note_takings().await?;
        }
        if action != Action::Stay {
            self.show();
        }
        Ok(action)
    }

    /// One connection, from opening it to its end.
    async fn connect(&mut self, fresh: bool) -> anyhow::Result<Next> {
        if let Some(next) = self.wait_for_time().await? {
            return Ok(next);
        }
        self.context.clock.anchor();
        let client = match self.client.take() {
            Some(client) if client.is_usable(fresh) => client,
            used_up => {
                if let Some(client) = used_up {
                    client.close().await;
                }
                self.build().await?
            }
        };
        let over = self.serve(&client).await?;
        self.guarded = client.is_forbidden();
        self.client = Some(client);
        Ok(match over {
            Over::Ended(Ended {
                ending,
                online,
                code_shown,
            }) => {
                tracing::info!(?ending, ?online, "the connection is over");
                let input = Input::Ended {
                    ending,
                    online,
                    code_shown,
                };
                Next::Act(self.decide(input).await?)
            }
            Over::Reset(answer) => Next::Reset(answer),
            Over::Stop => Next::Stop,
        })
    }

    /// Serves orders while `client` runs.
    async fn serve(&mut self, client: &Client) -> anyhow::Result<Over> {
        let running = client.run();
        tokio::pin!(running);
        loop {
            let note = self.next_note();
            let happening = tokio::select! {
                ended = &mut running => return Ok(Over::Ended(ended)),
                () = until(note) => {
                    self.note_takings().await?;
                    continue;
                }
                happening = self.doors.next() => happening?,
            };
            match happening {
                Happening::Order(Order::Send(sending)) => client.send(sending),
                Happening::Order(Order::TakeOver(answer)) => done(answer),
                Happening::Order(Order::Passkey(assertion, answer)) => {
                    client.hand_in_passkey(&assertion, answer);
                }
                Happening::Order(Order::ConfirmPasskey(answer)) => {
                    client.confirm_passkey();
                    done(answer);
                }
                Happening::Order(Order::Link(answer)) => {
                    let now = self.context.clock.now();
                    let (state, action) =
                        machine::next(&self.state, Input::Press, now, Jitter::NONE);
                    self.state = state;
                    if action == Action::HangUp {
                        client.hang_up();
                    }
                    done(answer);
                }
                Happening::Order(Order::Unlink(answer)) => {
                    self.begin_reset().await?;
                    // The service's answer to the farewell is read by the connection itself.
                    let farewell = tokio::select! {
                        () = client.log_out() => None,
                        ended = &mut running => Some(ended),
                    };
                    if farewell.is_none() {
                        close_while(client, running).await;
                    }
                    return Ok(Over::Reset(answer));
                }
                Happening::Stop => {
                    close_while(client, running).await;
                    return Ok(Over::Stop);
                }
            }
        }
    }

    /// Returns `None` once the wall clock can be believed. With a simulator it always can.
    async fn wait_for_time(&mut self) -> anyhow::Result<Option<Next>> {
        let clock = self.context.clock;
        if self.context.settings.endpoint.is_loopback() {
            return Ok(None);
        }
        while !clock.is_plausible() {
            self.context.link.send_if_modified(|link| {
                let news = *link != Link::WaitingTime;
                *link = Link::WaitingTime;
                news
            });
            let happening = tokio::select! {
                () = tokio::time::sleep(TIME_POLL) => continue,
                happening = self.doors.next() => happening?,
            };
            match happening {
                Happening::Order(Order::Send(Sending { answer, .. })) => offline(answer),
                Happening::Order(Order::Passkey(_, answer)) => not_wanted(answer),
                Happening::Order(
                    Order::Link(answer) | Order::TakeOver(answer) | Order::ConfirmPasskey(answer),
                ) => done(answer),
                Happening::Order(Order::Unlink(answer)) => return Ok(Some(Next::Reset(answer))),
                Happening::Stop => return Ok(Some(Next::Stop)),
            }
        }
        if *self.context.link.borrow() == Link::WaitingTime {
            self.show();
        }
        Ok(None)
    }

    /// The socket stays closed, until a moment comes or somebody wants something.
    async fn idle(&mut self) -> anyhow::Result<Next> {
        let due = match self.state.mode {
            Mode::Waiting { until, .. } => Some(self.context.clock.instant(until)),
            Mode::Trying | Mode::Holding(_) => None,
        };
        if due.is_none()
            && let Some(client) = self.client.take()
        {
            // It may be long; its memory is free meanwhile.
            client.close().await;
        }
        loop {
            let note = self.next_note();
            let happening = tokio::select! {
                () = until(due) => {
                    return Ok(Next::Act(self.decide(Input::Due).await?));
                }
                () = until(note) => {
                    self.note_takings().await?;
                    continue;
                }
                happening = self.doors.next() => happening?,
            };
            let (input, answer) = match happening {
                Happening::Order(Order::Send(Sending { answer, .. })) => {
                    offline(answer);
                    continue;
                }
                Happening::Order(Order::Passkey(_, answer)) => {
                    not_wanted(answer);
                    continue;
                }
                Happening::Order(Order::ConfirmPasskey(answer)) => {
                    done(answer);
                    continue;
                }
                Happening::Order(Order::Link(answer)) => (Input::Press, answer),
                Happening::Order(Order::TakeOver(answer)) => (Input::TakeOver, answer),
                Happening::Order(Order::Unlink(answer)) => return Ok(Next::Reset(answer)),
                Happening::Stop => return Ok(Next::Stop),
            };
            let action = self.decide(input).await?;
            done(answer);
            if action != Action::Stay {
                return Ok(Next::Act(action));
            }
        }
    }
}

/// Closes a client whose run goes on meanwhile: what is under way is handed in by the run itself.
/// A run that is still waiting for the network does not keep anybody.
async fn close_while(client: &Client, mut running: Pin<&mut impl Future<Output = Ended>>) {
    let closing = client.close();
    tokio::pin!(closing);
    let mut over = false;
    loop {
        tokio::select! {
            () = &mut closing => return,
            _ = &mut running, if !over => over = true,
        }
    }
}

/// An ending that only leads to a back-off needs no record, whatever it is at other times.
fn is_to_be_kept(ending: Ending, action: Action) -> bool {
    ending.is_kept() && (!matches!(ending, Ending::Removed(_)) || action == Action::Forget)
}

#[cfg(test)]
mod tests;
