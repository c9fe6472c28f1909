//! A box that is not alone on its number: what it keeps back, what it takes for the other box's
//! word, and what of that survives a restart.

use super::*;
use crate::session::Rank;

const AFTER: i64 = 90;

struct Rooms {
    inbox: Inbox,
    outbox: Outbox,
    bot: Bot,
}

fn rules() -> Vec<RuleSettings> {
    vec![rule("hola", "hola, {name}"), rule("precio", "mil pesos")]
}

/// A box that came up `now` seconds after ten.
fn rooms(disk: &Disk, rank: Rank, now: i64) -> Rooms {
    let store = disk.open();
    let inbox = inbox(&store, inbox::Settings::default());
    inbox.clock().observe(ServerTime(MONDAY_TEN + now), true);
    let settings_of_outbox = outbox::Settings::default();
    let outbox = Outbox::open(&store, settings_of_outbox, inbox.clock().clone()).unwrap();
    let settings = Settings {
        rank,
        ..settings(rules())
    };
    let bot = Bot::new(&store, settings, inbox.clone(), outbox.clone());
    let mut rooms = Rooms { inbox, outbox, bot };
    rooms.bot.connected().unwrap();
    rooms
}

impl Rooms {
    async fn arrive(&mut self, messages: &[Incoming]) -> usize {
        self.inbox.append(messages).await.unwrap();
        self.answers().await
    }

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

    fn at(&self, now: i64) {
        self.inbox
            .clock()
            .observe(ServerTime(MONDAY_TEN + now), true);
    }

    fn pending(&self) -> u64 {
        self.outbox.watch().borrow().pending
    }
}

/// The other box's answer to a message, as this one sees it.
fn answer_to(message: &Incoming) -> Incoming {
    let settings = settings(rules());
    let decision = decide(&settings, message, &ChatState::default(), message.sent_at);
    let Decision::Answer { draft, .. } = decision else {
        panic!("no rule answers this")
    };
    let mut shown = message.clone();
    shown.id = draft.id;
    shown.from_me = true;
    shown.sender = crate::message::Sender {
        number: Some("573000000099".to_owned()),
        device: 3,
        ..Default::default()
    };
    shown.body = Body::Text(draft.text);
    shown
}

#[tokio::test(start_paused = true)]
async fn the_secondary_answers_when_the_window_is_over_and_says_that_it_speaks() {
    let disk = Disk::new();
    let (speaking, voice) = watch::channel(Voice::Listens);
    let mut rooms = rooms(&disk, Rank::Secondary, 0);
    rooms.bot = rooms.bot.telling(speaking);
    assert_eq!(rooms.arrive(&[text(1, "A", "hola")]).await, 0);
    rooms.at(AFTER - 1);
    assert_eq!(rooms.answers().await, 0);
    assert_eq!(*voice.borrow(), Voice::Listens);
    rooms.at(AFTER);
    assert_eq!((rooms.answers().await, rooms.pending()), (1, 1));
    assert_eq!(*voice.borrow(), Voice::Speaks);
}

#[tokio::test(start_paused = true)]
async fn a_restart_neither_forgets_an_answer_nor_begins_to_wait_anew() {
    let disk = Disk::new();
    let hola = text(1, "A", "hola");
    {
        let mut rooms = rooms(&disk, Rank::Secondary, 0);
        rooms.arrive(std::slice::from_ref(&hola)).await;
    }
    let killed = disk.as_if_killed();
    let mut rooms = rooms(&killed, Rank::Secondary, 60);
    assert_eq!(rooms.bot.cursor().unwrap(), Seq(1));
    let due = (MONDAY_TEN + AFTER) * 1000;
    assert_eq!(rooms.bot.arbiter.next(), Some(due));
    rooms.at(AFTER);
    assert_eq!(rooms.answers().await, 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_primary_answers_is_dropped_for_good() {
    let disk = Disk::new();
    let hola = text(1, "A", "hola");
    {
        let mut rooms = rooms(&disk, Rank::Secondary, 0);
        rooms.arrive(std::slice::from_ref(&hola)).await;
        // It sees the answer under the other name of the chat.
        rooms.arrive(&[lid_only(answer_to(&hola))]).await;
        rooms.at(AFTER);
        assert_eq!(rooms.answers().await, 0);
        rooms.outbox.commit().await.unwrap();
    }
    let mut rooms = rooms(&disk, Rank::Secondary, 2 * AFTER);
    assert_eq!((rooms.answers().await, rooms.bot.arbiter.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_before_its_message_counts() {
    for rank in [Rank::Primary, Rank::Secondary] {
        let disk = Disk::new();
        let hola = text(1, "A", "hola");
        {
            let mut rooms = rooms(&disk, rank, 0);
            rooms.arrive(&[answer_to(&hola)]).await;
            rooms.outbox.commit().await.unwrap();
        }
        let mut rooms = rooms(&disk, rank, 5);
        assert_eq!(rooms.arrive(&[hola]).await, 0);
        rooms.at(AFTER * 2);
        assert_eq!(rooms.answers().await, 0, "{rank:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_other_boxs_word_is_not_the_owners() {
    let disk = Disk::new();
    let mut rooms = rooms(&disk, Rank::Primary, 0);
    let hola = text(1, "A", "hola");
    rooms.arrive(&[hola.clone(), answer_to(&hola)]).await;
    assert_eq!(rooms.arrive(&[text(1, "B", "precio")]).await, 1);
    // The same under an id that no box gave silences it.
    rooms.arrive(&[owner(2, "3EB0C0FFEE")]).await;
    assert_eq!(rooms.arrive(&[text(2, "C", "precio")]).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_backlog_that_the_secondary_answered_far_behind_is_not_answered_again() {
    let disk = Disk::new();
    let mut backlog: Vec<_> = (0..100)
        .map(|n| text(n % 90, &format!("M{n}"), "hola"))
        .collect();
    let answers: Vec<_> = backlog.iter().map(answer_to).collect();
    backlog.extend(answers);
    for message in &mut backlog {
        message.offline = true;
    }
    let mut rooms = rooms(&disk, Rank::Primary, 60);
    assert_eq!(rooms.arrive(&backlog).await, 0);
    assert_eq!(rooms.bot.cursor().unwrap(), Seq(200));
}

#[tokio::test(start_paused = true)]
async fn the_owner_answers_for_the_secondary() {
    let disk = Disk::new();
    let mut rooms = rooms(&disk, Rank::Secondary, 0);
    rooms
        .arrive(&[text(1, "A", "hola"), text(2, "B", "hola")])
        .await;
    rooms.arrive(&[later(owner(1, "C"), 30)]).await;
    rooms.at(AFTER);
    assert_eq!(rooms.answers().await, 1);
    assert_eq!(rooms.bot.arbiter.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_has_not_left_is_taken_back_when_the_primary_speaks_again() {
    let disk = Disk::new();
    let mut rooms = rooms(&disk, Rank::Secondary, 0);
    let asked = [text(1, "A", "hola"), text(2, "B", "hola")];
    rooms.arrive(&asked).await;
    rooms.at(AFTER);
    assert_eq!((rooms.answers().await, rooms.pending()), (2, 2));
    rooms.arrive(&[later(answer_to(&asked[0]), AFTER)]).await;
    assert_eq!(rooms.pending(), 0, "one is answered, one taken back");
    assert_eq!(rooms.bot.arbiter.waiting(), 1);
    rooms.at(2 * AFTER);
    assert_eq!(rooms.answers().await, 1, "and given after all");
}

#[tokio::test(start_paused = true)]
async fn nobody_wants_an_answer_that_was_kept_back_for_too_long() {
    let disk = Disk::new();
    let mut rooms = rooms(&disk, Rank::Secondary, 0);
    rooms.arrive(&[text(1, "A", "hola")]).await;
    rooms.at(901);
    assert_eq!(rooms.answers().await, 0);
    assert_eq!(rooms.bot.arbiter.waiting(), 0);
    assert!(rooms.bot.books.all().unwrap().is_empty());
}
