//! The deliver task against a session played by the test. Time is paused and runs by itself.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::message::ChatId;
use crate::session::link::Account;
use crate::session::{Handle, Link, Order, SendError, Sending};

const HOUR: Duration = Duration::from_secs(3600);

/// The session's end of its channels.
struct Session {
    orders: mpsc::Receiver<Order>,
    link: watch::Sender<Link>,
}

fn session() -> (Session, Handle) {
    let (to, orders) = mpsc::channel(4);
    let (link, seen) = watch::channel(Link::Starting);
    (Session { orders, link }, Handle::new(to, seen))
}

impl Session {
    fn online(&self) {
        self.link.send_replace(Link::Online(Account {
            number: "573000000099".to_owned(),
            lid: None,
            name: String::new(),
            since: Instant::now(),
            companions: None,
            phone_unseen: None,
        }));
    }

    /// Takes the next send and answers it; the draft and when it came.
    async fn take(&mut self, answer: Result<(), SendError>) -> (String, Instant) {
        match timeout(HOUR, self.orders.recv()).await.unwrap().unwrap() {
            Order::Send(Sending {
                draft,
                release,
                answer: answered,
            }) => {
                assert!(release.given().await);
                answered.send(answer).unwrap();
                (draft.id.0, Instant::now())
            }
            other => panic!("{other:?}"),
        }
    }

    async fn quiet_for(&mut self, time: Duration) {
        let order = timeout(time, self.orders.recv()).await;
        assert!(order.is_err(), "unasked for: {order:?}");
    }
}

async fn queued(store: &Store, drafts: &[Draft]) -> Outbox {
    let settings = Settings {
        pacing: Pacing {
            jitter: 0.0,
            ..Pacing::default()
        },
        ..Settings::default()
    };
    let outbox = Outbox::open(store, settings, ServiceClock::default()).unwrap();
    for draft in drafts {
        outbox.enqueue(draft).await.unwrap();
    }
    outbox
}

#[tokio::test(start_paused = true)]
async fn drafts_leave_in_order_paced_and_only_while_online() {
    let disk = Disk::new();
    let store = disk.open();
    let drafts = [draft(1, "A"), draft(1, "B"), draft(2, "C"), draft(1, "D")];
    let outbox = queued(&store, &drafts).await;
    let (mut session, handle) = session();
    let task = tokio::spawn(deliver(outbox.clone(), handle));
    session.quiet_for(HOUR).await;

    session.online();
    let (first, at) = session.take(Ok(())).await;
    assert_eq!(first, "A");
    // B waits for A's acknowledgement; C does not, but chat 2 is new.
    let (second, then) = session.take(Ok(())).await;
    assert_eq!((second.as_str(), (then - at).as_secs()), ("C", 4));
    outbox.acked(&id("A"), None).unwrap();
    let (third, at) = session.take(Ok(())).await;
    assert_eq!((third.as_str(), (at - then).as_secs()), ("B", 1));
    outbox.receipt(&[id("B")], false).unwrap();
    let (fourth, then) = session.take(Ok(())).await;
    assert_eq!((fourth.as_str(), (then - at).as_secs()), ("D", 1));
    outbox.acked(&id("C"), None).unwrap();
    outbox.acked(&id("D"), None).unwrap();
    assert_eq!(counts(&outbox), (0, 0));
    session.quiet_for(HOUR).await;
    drop(session);
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_draft_is_handed_over_at_once_and_released_when_it_is_durable() {
    let disk = Disk::new();
    let store = disk.open();
    let outbox = queued(&store, &[]).await;
    let (mut session, handle) = session();
    let _task = tokio::spawn(deliver(outbox.clone(), handle));
    session.online();
    let mut batch = Batch::default();
    let staged = outbox.stage(&[draft(1, "A")], &mut batch).unwrap();
    staged.apply(batch).unwrap();
    let order = timeout(HOUR, session.orders.recv()).await.unwrap();
    let Some(Order::Send(Sending { draft, release, .. })) = order else {
        panic!("{order:?}")
    };
    assert_eq!(draft.id, id("A"));
    let mut given = Box::pin(release.given());
    assert!(timeout(HOUR, &mut given).await.is_err(), "not yet durable");
    outbox.commit().await.unwrap();
    assert!(timeout(HOUR, given).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_draft_that_was_durable_before_waits_for_no_other() {
    let disk = Disk::new();
    let store = disk.open();
    let outbox = queued(&store, &[draft(1, "A")]).await;
    let mut batch = Batch::default();
    let staged = outbox.stage(&[draft(2, "B")], &mut batch).unwrap();
    staged.apply(batch).unwrap();
    let (_, release) = outbox.take_off(&id("A")).unwrap().unwrap();
    assert!(timeout(HOUR, release.given()).await.unwrap());
    let (_, release) = outbox.take_off(&id("B")).unwrap().unwrap();
    assert!(timeout(HOUR, release.given()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_acknowledged_goes_again_under_the_same_id() {
    let disk = Disk::new();
    {
        let store = disk.open();
        let outbox = queued(&store, &[draft(1, "A")]).await;
        let (mut session, handle) = session();
        let task = tokio::spawn(deliver(outbox.clone(), handle));
        session.online();
        let (_, at) = session.take(Ok(())).await;
        let (again, then) = session.take(Ok(())).await;
        assert_eq!((again.as_str(), (then - at).as_secs()), ("A", 30));
        // Lost acknowledgements are made good at once, as is a broken connection.
        outbox.recheck();
        let (again, at) = session.take(Ok(())).await;
        assert_eq!((again.as_str(), (at - then).as_secs()), ("A", 1));
        session.link.send_replace(Link::WaitingTime);
        session.quiet_for(HOUR).await;
        session.online();
        let now = Instant::now();
        let (again, then) = session.take(Ok(())).await;
        assert_eq!((again.as_str(), then - now), ("A", Duration::ZERO));
        task.abort();
        let _ = task.await;
    }
    // And a restart.
    let store = disk.open();
    let outbox = queued(&store, &[]).await;
    let (mut session, handle) = session();
    tokio::spawn(deliver(outbox.clone(), handle));
    session.online();
    assert_eq!(session.take(Ok(())).await.0, "A");
    outbox.acked(&id("A"), None).unwrap();
    session.quiet_for(HOUR).await;
}

#[tokio::test(start_paused = true)]
async fn refusals_are_kept_or_tried_again_by_their_code() {
    let disk = Disk::new();
    let store = disk.open();
    let outbox = queued(&store, &[draft(1, "A"), draft(1, "B"), draft(1, "C")]).await;
    let (mut session, handle) = session();
    tokio::spawn(deliver(outbox.clone(), handle));
    session.online();
    session.take(Ok(())).await;
    outbox.acked(&id("A"), Some("463")).unwrap();
    assert_eq!(counts(&outbox), (2, 1));
    let (_, at) = session.take(Ok(())).await;
    outbox.acked(&id("B"), Some("429")).unwrap();
    let (again, then) = session.take(Ok(())).await;
    assert_eq!((again.as_str(), (then - at).as_secs()), ("B", 60));
    outbox.acked(&id("B"), None).unwrap();
    let never = SendError::Refused("no JID".to_owned());
    assert_eq!(session.take(Err(never)).await.0, "C");
    session.quiet_for(HOUR).await;
    assert_eq!(
        outbox.delivery(&id("C")).unwrap(),
        Some(failed("unsendable"))
    );
    assert_eq!(counts(&outbox), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn sends_that_break_are_tried_again_without_haste() {
    let disk = Disk::new();
    let store = disk.open();
    let outbox = queued(&store, &[draft(1, "A"), draft(2, "B")]).await;
    let (mut session, handle) = session();
    tokio::spawn(deliver(outbox.clone(), handle));
    session.online();
    let start = Instant::now();
    for _ in 0..8 {
        let broken = SendError::Interrupted("no key".to_owned());
        assert_eq!(session.take(Err(broken)).await.0, "A");
        assert_eq!(session.take(Err(SendError::Offline)).await.0, "A");
    }
    assert!(
        start.elapsed() > HOUR / 3,
        "sixteen tries took {:?}",
        start.elapsed()
    );
    session.online();
    let now = Instant::now();
    assert_eq!(session.take(Ok(())).await, ("A".to_owned(), now));
}

#[tokio::test(start_paused = true)]
async fn an_idle_outbox_is_never_woken() {
    let disk = Disk::new();
    let store = disk.open();
    let outbox = queued(&store, &[draft(1, "A")]).await;
    let (mut session, handle) = session();
    let polls = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&polls);
    let mut task = Box::pin(deliver(outbox.clone(), handle));
    tokio::spawn(std::future::poll_fn(move |cx| {
        counter.fetch_add(1, Ordering::Relaxed);
        task.as_mut().poll(cx)
    }));
    session.online();
    session.take(Ok(())).await;
    outbox.acked(&id("A"), None).unwrap();
    session.quiet_for(Duration::from_secs(1)).await;
    let before = polls.load(Ordering::Relaxed);
    assert!(before > 0);
    session.quiet_for(24 * HOUR).await;
    assert_eq!(polls.load(Ordering::Relaxed), before);
}

#[tokio::test]
async fn chats_written_to_are_remembered_across_a_restart() {
    let disk = Disk::new();
    {
        let store = disk.open();
        let outbox = queued(&store, &[draft(1, "A")]).await;
        let (mut session, handle) = session();
        let task = tokio::spawn(deliver(outbox.clone(), handle));
        session.online();
        session.take(Ok(())).await;
        let mut pending = outbox.watch();
        outbox.acked(&id("A"), None).unwrap();
        pending.wait_for(|p| p.pending == 0).await.unwrap();
        outbox.enqueue(&draft(1, "B")).await.unwrap();
        session.take(Ok(())).await;
        task.abort();
        let _ = task.await;
    }
    let store = disk.open();
    let chats = store.log().space("outbox.chat");
    let chat: ChatId = by_number(1);
    assert!(chats.get(chat.as_str().as_bytes()).unwrap().is_some());
}
