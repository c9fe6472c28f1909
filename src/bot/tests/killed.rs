//! The whole way of a text, from the session's event to the phone and back, with the process
//! killed at any moment: no message is lost that was confirmed, and no answer is seen twice or
//! missed. Being killed is a copy of the data directory, taken while everything runs.

use std::collections::HashMap;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, yield_now};
use tokio::time::Instant;

use super::*;
use crate::dispatch;
use crate::outbox::{Pacing, deliver};
use crate::session::link::Account;
use crate::session::{Event, Handle, Order, Sending};

const MESSAGES: usize = 60;

/// A small generator, so that every run takes the same turns.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// What the service and the customers know; it outlives every process.
#[derive(Default)]
struct World {
    /// Customers' messages the box has confirmed.
    confirmed: Vec<bool>,
    /// What the customers' phones got: text by id.
    got: HashMap<String, String>,
    deliveries: usize,
}

/// One life of the process.
struct Life {
    events: mpsc::Sender<Event>,
    orders: mpsc::Receiver<Order>,
    inbox: Inbox,
    outbox: Outbox,
    tasks: JoinSet<()>,
}

impl Life {
    fn begin(disk: &Disk) -> Self {
        let store = disk.open();
        let inbox = inbox(&store, inbox::Settings::default());
        let pacing = Pacing {
            gap: Duration::ZERO,
            gap_to_new: Duration::ZERO,
            jitter: 0.0,
        };
        let outbox_settings = outbox::Settings {
            pacing,
            ..outbox::Settings::default()
        };
        let outbox = Outbox::open(&store, outbox_settings, ServiceClock::default()).unwrap();
        let mut eco = rule("eco", "eco: {text}");
        eco.every = Some("0s".to_owned());
        let bot = Bot::new(&store, settings(vec![eco]), inbox.clone(), outbox.clone());
        let (events, queue) = mpsc::channel(8);
        let (to, orders) = mpsc::channel(4);
        let account = Account {
            number: "573000000099".to_owned(),
            lid: None,
            name: String::new(),
            since: Instant::now(),
            companions: None,
            phone_unseen: None,
        };
        let (link, seen) = watch::channel(Link::Online(account));
        let mut tasks = JoinSet::new();
        tasks.spawn(dispatch::run(queue, inbox.clone(), outbox.clone()));
        tasks.spawn(bot.run(seen.clone()));
        let handle = Handle::new(to, seen);
        let session = outbox.clone();
        tasks.spawn(async move {
            deliver(session, handle).await;
            drop(link);
        });
        Self {
            events,
            orders,
            inbox,
            outbox,
            tasks,
        }
    }

    /// The service delivers the oldest messages that were not confirmed.
    async fn arrivals(&self, world: &World, most: u64) -> (Vec<usize>, oneshot::Receiver<bool>) {
        let open = (0..MESSAGES).filter(|i| !world.confirmed[*i]);
        let which: Vec<_> = open.take(most as usize).collect();
        let batch = which
            .iter()
            .map(|i| text((*i % 5) as u32, &format!("M{i}"), &format!("eco {i}")))
            .collect();
        let (durable, stored) = oneshot::channel();
        self.events
            .send(Event::Messages { batch, durable })
            .await
            .unwrap();
        (which, stored)
    }

    /// The box puts a message on the wire; the service takes it in, and may say so.
    async fn take(&self, order: Order, world: &mut World, ack: bool) {
        let Order::Send(Sending {
            draft,
            release,
            answer,
        }) = order
        else {
            panic!("{order:?}")
        };
        assert!(release.given().await);
        let _ = answer.send(Ok(()));
        world.deliveries += 1;
        let before = world.got.insert(draft.id.0.clone(), draft.text.clone());
        assert!(before.is_none_or(|text| text == draft.text));
        if ack {
            let ack = Event::Ack {
                id: draft.id,
                error: None,
            };
            self.events.send(ack).await.unwrap();
        }
    }

    async fn end(mut self) {
        self.tasks.shutdown().await;
    }
}

fn note(world: &mut World, which: &[usize]) {
    which.iter().for_each(|i| world.confirmed[*i] = true);
}

#[tokio::test]
async fn killed_at_any_moment_it_answers_every_message_once() {
    // A message that is lost would be waited for without end.
    let story = kill_and_kill_again();
    tokio::time::timeout(Duration::from_secs(120), story)
        .await
        .unwrap();
}

async fn kill_and_kill_again() {
    let mut dice = Dice(11);
    let mut world = World {
        confirmed: vec![false; MESSAGES],
        ..World::default()
    };
    let mut disk = Disk::new();
    let mut kills_with_work = 0;
    for _ in 0..40 {
        let mut life = Life::begin(&disk);
        for _ in 0..dice.roll(6) {
            match dice.roll(3) {
                0 => {
                    let (which, stored) = life.arrivals(&world, 1 + dice.roll(3)).await;
                    if dice.roll(2) == 0 && stored.await.unwrap() {
                        note(&mut world, &which);
                    }
                }
                1 => {
                    for _ in 0..dice.roll(200) {
                        yield_now().await;
                    }
                }
                _ => {
                    while let Ok(order) = life.orders.try_recv() {
                        life.take(order, &mut world, dice.roll(3) > 0).await;
                        yield_now().await;
                    }
                }
            }
        }
        kills_with_work += usize::from(life.outbox.watch().borrow().pending > 0);
        let left = disk.as_if_killed();
        life.end().await;
        disk = left;
    }
    assert!(
        kills_with_work > 5,
        "killed with answers pending {kills_with_work} times"
    );

    // At last it is left alone.
    let mut life = Life::begin(&disk);
    let (which, stored) = life.arrivals(&world, MESSAGES as u64).await;
    assert!(stored.await.unwrap());
    note(&mut world, &which);
    while world.got.len() < MESSAGES || life.outbox.watch().borrow().pending > 0 {
        let mut pending = life.outbox.watch();
        tokio::select! {
            order = life.orders.recv() => life.take(order.unwrap(), &mut world, true).await,
            _ = pending.changed() => {}
        }
    }
    let read = life.inbox.after(Seq(0), 1000).unwrap();
    assert_eq!(read.len(), MESSAGES, "each message is there once");
    let mut texts: Vec<_> = world.got.into_values().collect();
    texts.sort();
    let mut expected: Vec<_> = (0..MESSAGES).map(|i| format!("eco: eco {i}")).collect();
    expected.sort();
    assert_eq!(texts, expected, "each answer under one id");
    assert!(world.deliveries > MESSAGES, "the kills made some go twice");
    life.end().await;
}

#[tokio::test]
async fn what_returned_is_there_after_a_kill_and_an_answer_never_without_its_cursor() {
    let disk = Disk::new();
    let store = disk.open();
    let inbox = inbox(&store, inbox::Settings::default());
    let outbox =
        Outbox::open(&store, outbox::Settings::default(), ServiceClock::default()).unwrap();
    let rules = || settings(vec![rule("hola", "hola")]);
    let mut bot = Bot::new(&store, rules(), inbox.clone(), outbox.clone());
    let seen = |disk: &Disk| {
        let store = disk.as_if_killed();
        let store = store.open();
        let inbox = super::inbox(&store, inbox::Settings::default());
        let outbox =
            Outbox::open(&store, outbox::Settings::default(), ServiceClock::default()).unwrap();
        let bot = Bot::new(&store, rules(), inbox.clone(), outbox.clone());
        let pending = outbox.watch().borrow().pending;
        let messages = inbox.after(Seq(0), 10).unwrap().len();
        (messages, bot.cursor().unwrap().0, pending)
    };
    assert_eq!(seen(&disk), (0, 0, 0));
    inbox.append(&[text(1, "A", "hola")]).await.unwrap();
    assert_eq!(seen(&disk), (1, 0, 0));
    bot.round().await.unwrap();
    assert_eq!(seen(&disk), (1, 1, 1));
}
