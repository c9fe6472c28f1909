//! Rounds and the task, on a store that may be cut off between any two steps.

use tokio::time::timeout;

use super::*;
use crate::outbox::Pending;
use crate::session::link::Account;
use tokio::time::Instant;

/// More than any of this takes: a test that hangs says so.
const LONG: Duration = Duration::from_secs(60);

/// The rooms as one start of the process has them.
struct Rooms {
    inbox: Inbox,
    outbox: Outbox,
    bot: Bot,
}

fn rooms_with(disk: &Disk, settings: Settings, outbox: outbox::Settings) -> Rooms {
    let store = disk.open();
    let inbox = inbox(&store, inbox::Settings::default());
    let outbox = Outbox::open(&store, outbox, inbox.clock().clone()).unwrap();
    let bot = Bot::new(&store, settings, inbox.clone(), outbox.clone());
    Rooms { inbox, outbox, bot }
}

fn rooms(disk: &Disk) -> Rooms {
    let settings = settings(vec![
        rule("hola", "hola, {name}"),
        rule("precio", "mil pesos"),
    ]);
    rooms_with(disk, settings, outbox::Settings::default())
}

impl Rooms {
    async fn arrive(&self, messages: &[Incoming]) {
        self.inbox.append(messages).await.unwrap();
    }

    /// Runs until nothing is left; how many answers were queued.
    async fn answers(&mut self) -> usize {
        let mut sum = 0;
        loop {
            match self.bot.round().await.unwrap() {
                Round::Read { answers } => sum += answers,
                Round::Idle => return sum,
                Round::Full => panic!("full"),
            }
        }
    }

    fn pending(&self) -> u64 {
        self.outbox.watch().borrow().pending
    }
}

#[tokio::test]
async fn an_answer_is_queued_once_across_restarts_between_all_steps() {
    let disk = Disk::new();
    let hola = text(1, "A", "hola");
    rooms(&disk).arrive(std::slice::from_ref(&hola)).await;
    assert_eq!(rooms(&disk).answers().await, 1);
    {
        let mut again = rooms(&disk);
        assert_eq!((again.answers().await, again.pending()), (0, 1));
        assert_eq!(again.bot.cursor().unwrap(), Seq(1));
        // The service delivers it again: its acknowledgement had been lost.
        again.arrive(&[lid_only(hola.clone())]).await;
        assert_eq!(again.answers().await, 0);
    }
    let settings = settings(vec![
        rule("hola", "hola, {name}"),
        rule("precio", "mil pesos"),
    ]);
    let answer = match decide(&settings, &hola, &ChatState::default(), hola.sent_at) {
        Decision::Answer { draft, .. } => draft,
        Decision::Silent(why) => panic!("{why:?}"),
    };
    rooms(&disk)
        .outbox
        .receipt(std::slice::from_ref(&answer.id), false)
        .unwrap();
    let mut last = rooms(&disk);
    assert_eq!((last.answers().await, last.pending()), (0, 0));
    let known = last.outbox.enqueue(&answer).await.unwrap();
    assert_eq!(known, Enqueued::Known(Delivery::Delivered));
}

#[tokio::test]
async fn cut_off_before_the_commit_it_decides_again_to_the_same_id() {
    let disk = Disk::new();
    let tight = outbox::Settings {
        max_pending: 0,
        ..outbox::Settings::default()
    };
    let rules = || settings(vec![rule("hola", "hola")]);
    {
        let mut rooms = rooms_with(&disk, rules(), tight);
        rooms
            .arrive(&[text(1, "A", "hola"), text(2, "B", "hola")])
            .await;
        assert_eq!(rooms.bot.round().await.unwrap(), Round::Full);
        assert_eq!(
            rooms.bot.cursor().unwrap(),
            Seq(0),
            "nothing of it was written"
        );
    }
    let tight = outbox::Settings {
        max_pending: 1,
        ..tight
    };
    {
        let mut rooms = rooms_with(&disk, rules(), tight);
        let one = Round::Read { answers: 1 };
        assert_eq!(
            rooms.bot.round().await.unwrap(),
            one,
            "one fits where two do not"
        );
        assert_eq!(rooms.bot.round().await.unwrap(), Round::Full);
        assert_eq!(rooms.bot.cursor().unwrap(), Seq(1));
    }
    let mut rooms = rooms_with(&disk, rules(), outbox::Settings::default());
    assert_eq!((rooms.answers().await, rooms.pending()), (1, 2));
}

#[tokio::test]
async fn a_backlog_is_stored_and_not_answered() {
    let disk = Disk::new();
    let mut rooms = rooms(&disk);
    let mut backlog: Vec<_> = (0..200)
        .map(|i| later(text(i % 9, &format!("M{i}"), "hola"), -4000 + i64::from(i)))
        .collect();
    for message in &mut backlog {
        message.offline = true;
    }
    rooms.arrive(&backlog).await;
    rooms.arrive(&[text(10, "L", "hola")]).await;
    assert_eq!(rooms.answers().await, 1);
    assert_eq!(rooms.bot.cursor().unwrap(), Seq(201));
    assert_eq!(rooms.inbox.after(Seq(0), 1000).unwrap().len(), 201);
}

#[tokio::test]
async fn the_owner_is_heard_under_whatever_name_and_across_a_restart() {
    let disk = Disk::new();
    {
        let mut rooms = rooms(&disk);
        // Both names were told once, long ago; from then on each message carries one.
        rooms.arrive(&[text(1, "A", "buenas")]).await;
        rooms
            .arrive(&[number_only(later(text(1, "B", "hola"), 60))])
            .await;
        assert_eq!(rooms.answers().await, 1);
        rooms.arrive(&[lid_only(later(owner(1, "C"), 120))]).await;
        assert_eq!(rooms.answers().await, 0);
    }
    let mut rooms = rooms(&disk);
    rooms
        .arrive(&[number_only(later(text(1, "D", "precio"), 600))])
        .await;
    assert_eq!(rooms.answers().await, 0);
    rooms
        .arrive(&[number_only(later(text(2, "E", "precio"), 600))])
        .await;
    assert_eq!(rooms.answers().await, 1, "elsewhere nobody spoke");
    rooms
        .arrive(&[number_only(later(text(1, "F", "precio"), 120 + 1800))])
        .await;
    assert_eq!(rooms.answers().await, 1);
}

#[tokio::test]
async fn what_the_owner_answered_further_on_is_not_answered_again() {
    let disk = Disk::new();
    let mut rooms = rooms(&disk);
    rooms
        .arrive(&[text(1, "A", "hola"), later(owner(1, "B"), 30)])
        .await;
    assert_eq!(rooms.answers().await, 0);
}

#[tokio::test]
async fn the_bots_own_words_shown_to_it_are_not_the_owners() {
    let disk = Disk::new();
    let mut rooms = rooms(&disk);
    rooms.arrive(&[text(1, "A", "hola")]).await;
    assert_eq!(rooms.answers().await, 1);
    let store_of_answers = decide(
        &rooms.bot.settings,
        &text(1, "A", "hola"),
        &ChatState::default(),
        ServerTime(MONDAY_TEN),
    );
    let Decision::Answer { draft, .. } = store_of_answers else {
        panic!("it answered before")
    };
    let mut echo = owner(1, "?");
    echo.id = draft.id;
    rooms.arrive(&[echo, text(1, "B", "precio")]).await;
    assert_eq!(rooms.answers().await, 1);
}

#[tokio::test]
async fn two_bots_do_not_talk_for_ever_and_pauses_survive_a_restart() {
    let disk = Disk::new();
    {
        let mut rooms = rooms(&disk);
        let both = [text(1, "A", "hola"), later(text(1, "B", "hola"), 1)];
        rooms.arrive(&both).await;
        assert_eq!(rooms.answers().await, 1, "also within one round");
    }
    let mut rooms = rooms(&disk);
    rooms
        .arrive(&[lid_only(later(text(1, "C", "hola"), 3599))])
        .await;
    assert_eq!(rooms.answers().await, 0);
    rooms.arrive(&[later(text(1, "D", "hola"), 3600)]).await;
    assert_eq!(rooms.answers().await, 1);
}

#[tokio::test]
async fn a_message_that_could_not_be_read_at_first_is_answered_when_it_can() {
    let disk = Disk::new();
    let mut rooms = rooms(&disk);
    let mut sealed = text(1, "A", "");
    sealed.body = Body::Undecryptable;
    rooms.arrive(&[sealed]).await;
    assert_eq!(rooms.answers().await, 0);
    rooms.arrive(&[text(1, "A", "hola")]).await;
    assert_eq!(rooms.answers().await, 1);
}

#[tokio::test]
async fn an_answer_too_long_is_left_out_and_the_others_are_not() {
    let disk = Disk::new();
    let mut eco = rule("eco", "{text}{text}");
    eco.every = Some("0s".to_owned());
    let mut rooms = rooms_with(&disk, settings(vec![eco]), outbox::Settings::default());
    let long = format!("eco {}", "x".repeat(40_000));
    rooms
        .arrive(&[
            text(1, "A", "eco"),
            text(1, "B", &long),
            text(1, "C", "eco eco"),
        ])
        .await;
    assert_eq!(rooms.answers().await, 2);
    assert_eq!(rooms.bot.cursor().unwrap(), Seq(3));
}

#[tokio::test]
async fn chats_are_forgotten_when_nothing_about_them_matters() {
    let disk = Disk::new();
    let mut rooms = rooms(&disk);
    for n in 0..20 {
        rooms
            .arrive(&[text(n, "A", "hola"), text(n, "B", "precio")])
            .await;
    }
    rooms.arrive(&[owner(20, "C")]).await;
    rooms.answers().await;
    let kept = |rooms: &Rooms| {
        rooms
            .bot
            .log
            .space("bot.chat")
            .scan(&[], 100)
            .unwrap()
            .len()
    };
    assert_eq!(kept(&rooms), 42);
    for i in 0..10 {
        rooms
            .arrive(&[later(text(30, &format!("M{i}"), "nada"), 5000)])
            .await;
        rooms.answers().await;
    }
    assert_eq!(kept(&rooms), 0);
}

#[tokio::test]
async fn a_reset_beneath_it_makes_it_begin_anew() {
    let disk = Disk::new();
    let store = disk.open();
    let inbox = inbox(&store, inbox::Settings::default());
    let outbox =
        Outbox::open(&store, outbox::Settings::default(), ServiceClock::default()).unwrap();
    let rules = settings(vec![rule("hola", "hola")]);
    let mut bot = Bot::new(&store, rules, inbox.clone(), outbox.clone());
    let batch = [
        text(1, "A", "hola"),
        text(2, "B", "nada"),
        text(3, "C", "nada"),
    ];
    inbox.append(&batch).await.unwrap();
    bot.round().await.unwrap();
    store.reset().await.unwrap();
    inbox.refresh().unwrap();
    outbox.refresh().unwrap();
    inbox.append(&batch[..1]).await.unwrap();
    assert_eq!(bot.round().await.unwrap(), Round::Read { answers: 1 });
    assert_eq!(bot.cursor().unwrap(), Seq(1));
}

#[tokio::test]
async fn the_task_begins_with_the_link_and_waits_for_room() {
    let disk = Disk::new();
    let tight = outbox::Settings {
        max_pending: 1,
        ..outbox::Settings::default()
    };
    let rooms = rooms_with(&disk, settings(vec![rule("hola", "hola")]), tight);
    let (link, seen) = watch::channel(Link::Starting);
    rooms
        .arrive(&[text(1, "A", "hola"), text(2, "B", "hola")])
        .await;
    let mut pending = rooms.outbox.watch();
    let task = tokio::spawn(rooms.bot.run(seen));
    tokio::task::yield_now().await;
    assert_eq!(*pending.borrow_and_update(), Pending::default());

    link.send_replace(Link::Online(Account {
        number: "573000000099".to_owned(),
        lid: None,
        name: String::new(),
        since: Instant::now(),
        companions: None,
        phone_unseen: None,
    }));
    let one = |now: &Pending| now.pending == 1;
    timeout(LONG, pending.wait_for(one)).await.unwrap().unwrap();
    let answer = |n, id: &str| {
        let settings = settings(vec![rule("hola", "hola")]);
        match decide(
            &settings,
            &text(n, id, "hola"),
            &ChatState::default(),
            ServerTime(MONDAY_TEN),
        ) {
            Decision::Answer { draft, .. } => draft.id,
            Decision::Silent(why) => panic!("{why:?}"),
        }
    };
    rooms.outbox.acked(&answer(1, "A"), None).unwrap();
    pending.mark_unchanged();
    timeout(LONG, pending.wait_for(one)).await.unwrap().unwrap();
    assert_eq!(
        rooms.outbox.delivery(&answer(2, "B")).unwrap(),
        Some(Delivery::Pending)
    );
    // What comes later wakes it.
    rooms.outbox.acked(&answer(2, "B"), None).unwrap();
    rooms.inbox.append(&[text(3, "C", "hola")]).await.unwrap();
    timeout(LONG, pending.wait_for(one)).await.unwrap().unwrap();
    assert_eq!(
        rooms.outbox.delivery(&answer(3, "C")).unwrap(),
        Some(Delivery::Pending)
    );
    task.abort();
}

#[tokio::test]
async fn what_was_written_to_another_account_is_not_answered() {
    let disk = Disk::new();
    let mut rooms = rooms(&disk);
    rooms.inbox.belongs_to("573000000098").unwrap();
    rooms.arrive(&[text(1, "A", "hola")]).await;
    rooms.inbox.belongs_to("573000000099").unwrap();
    assert_eq!(rooms.answers().await, 0);
    rooms.arrive(&[text(1, "B", "hola")]).await;
    assert_eq!(rooms.answers().await, 1);
}
