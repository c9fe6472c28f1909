//! The task: what goes in comes out as pixels and orders.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use embedded_graphics::geometry::{OriginDimensions, Size};
use tokio::sync::mpsc;

use super::*;
use crate::hardware::{RemoteButton, headless};
use crate::session::Order;
use crate::session::link::{Account, Code, Linking};

/// What a camera reads off a frame.
pub fn scan(frame: &Frame) -> Option<String> {
    let size = frame.size();
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(
        size.width as usize,
        size.height as usize,
        |x, y| frame.grey(x as u32, y as u32),
    );
    let grids = image.detect_grids();
    grids.first()?.decode().ok().map(|(_, text)| text)
}

/// What a box is like that nobody has configured, on this glass.
pub fn settings(glass: crate::hardware::Glass) -> Settings {
    Settings {
        glass,
        language: Language::Es,
        board: "headless".into(),
        prefer_pairing_code: false,
        page: None,
    }
}

struct Stage {
    link: watch::Sender<Link>,
    counters: watch::Sender<Counters>,
    notices: watch::Sender<Notices>,
    orders: mpsc::Receiver<Order>,
    frames: watch::Receiver<Arc<Frame>>,
    remote: RemoteButton,
}

impl Stage {
    fn new() -> Self {
        let (link, link_watch) = watch::channel(Link::Starting);
        let (counters, counters_watch) = watch::channel(Counters::default());
        let (notices, notices_watch) = watch::channel(Notices::default());
        let (order_sender, orders) = mpsc::channel(4);
        let board = headless::open(Some(Size::new(240, 240)));
        let settings = settings(board.glass);
        let (frame_sender, frames) = frames(&settings);
        let inputs = Inputs {
            link: link_watch.clone(),
            counters: counters_watch,
            notices: notices_watch,
            events: watch::channel(Vec::new()).1,
            pulse: crate::watchdog::Pulse::default(),
        };
        let session = Handle::new(order_sender, link_watch);
        tokio::spawn(run(inputs, board.button, session, frame_sender, settings));
        Self {
            link,
            counters,
            notices,
            orders,
            frames,
            remote: board.remote.unwrap(),
        }
    }

    async fn sees(&mut self, screen: &str) -> Arc<Frame> {
        let frame = self.frames.wait_for(|frame| frame.screen == screen).await;
        frame.unwrap().clone()
    }
}

fn code(text: &str, seconds: u64) -> Option<Code> {
    let lifetime = Duration::from_secs(seconds);
    Some(Code {
        text: text.into(),
        expires: Instant::now() + lifetime,
        lifetime,
    })
}

fn linking(text: &str) -> Link {
    Link::Linking(Linking {
        qr: code(text, 20),
        ..Linking::default()
    })
}

fn online() -> Link {
    Link::Online(Account {
        number: "573000000001".into(),
        lid: None,
        name: "Tienda".into(),
        since: Instant::now(),
        companions: None,
        phone_unseen: None,
    })
}

#[tokio::test(start_paused = true)]
async fn a_ref_becomes_a_code_that_scans_and_goes_when_it_expires() {
    let mut stage = Stage::new();
    let payload = format!("2@{},AAAA,BBBB,CCCC,1", "x".repeat(200));
    stage.link.send_replace(linking(&payload));
    let frame = stage.sees("linking").await;
    assert_eq!(scan(&frame).unwrap(), payload);
    let frame = stage.sees("expired").await;
    assert_eq!(scan(&frame), None);
    assert_eq!(frame.code, None);
}

#[tokio::test(start_paused = true)]
async fn the_code_is_blanked_the_moment_the_link_is_made() {
    let mut stage = Stage::new();
    stage.link.send_replace(linking("2@a,b,c,d,1"));
    stage.sees("linking").await;
    stage.link.send_replace(Link::Connecting {
        failures: 0,
        next_try: None,
    });
    assert_eq!(scan(&*stage.sees("connecting").await), None);
}

#[tokio::test(start_paused = true)]
async fn five_seconds_fill_the_ring_and_order_an_unlink_while_the_screen_goes_on() {
    let mut stage = Stage::new();
    stage.link.send_replace(online());
    stage.sees("online").await;
    stage.remote.press(Duration::from_millis(5500)).unwrap();
    stage.sees("hold").await;
    let Some(Order::Unlink(answer)) = stage.orders.recv().await else {
        panic!("not the order that was given")
    };
    // Nobody has answered yet, and the screen says what goes on.
    stage.sees("resetting").await;
    stage.link.send_replace(linking("2@a,b,c,d,1"));
    answer.send(()).unwrap();
    stage.sees("linking").await;
}

#[tokio::test(start_paused = true)]
async fn letting_go_before_five_seconds_orders_nothing() {
    let mut stage = Stage::new();
    stage.link.send_replace(online());
    stage.sees("online").await;
    stage.remote.press(Duration::from_millis(4900)).unwrap();
    stage.sees("hold").await;
    stage.sees("online").await;
    assert!(stage.orders.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn an_idle_box_draws_nothing() {
    let mut stage = Stage::new();
    stage.link.send_replace(online());
    stage.sees("online").await;
    stage.frames.mark_unchanged();
    let hour = Duration::from_secs(3600);
    let drawn = tokio::time::timeout(hour, stage.frames.changed()).await;
    assert!(drawn.is_err(), "something was drawn though nothing changed");
    stage.notices.send_replace(Notices {
        store_set_aside: true,
        ..Notices::default()
    });
    stage.frames.changed().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_messages_is_drawn_a_few_times_a_second_and_ends_on_the_last_count() {
    let mut stage = Stage::new();
    stage.link.send_replace(online());
    stage.sees("online").await;
    let mut drawings = 0;
    for received in 1..=1000 {
        stage
            .counters
            .send_modify(|counters| counters.received = received);
        tokio::time::advance(Duration::from_millis(1)).await;
        tokio::task::yield_now().await;
        if stage.frames.has_changed().unwrap() {
            stage.frames.mark_unchanged();
            drawings += 1;
        }
    }
    assert!(
        (2..=6).contains(&drawings),
        "{drawings} drawings in a second"
    );
    let before = stage.frames.borrow_and_update().clone();
    stage.frames.changed().await.unwrap();
    assert_ne!(before.rgb(), stage.frames.borrow().rgb());
}

#[tokio::test(start_paused = true)]
async fn a_finger_is_felt_before_the_press_is_over() {
    let mut stage = Stage::new();
    stage.link.send_replace(online());
    let before = stage.sees("online").await;
    stage.remote.press(Duration::from_millis(300)).unwrap();
    let began = Instant::now();
    stage.frames.changed().await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(50));
    assert_ne!(before.rgb(), stage.frames.borrow_and_update().rgb());
    stage.sees("status").await;
}
