//! The task: what goes in comes out as pixels and orders.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use embedded_graphics::geometry::{OriginDimensions, Size};
use tokio::sync::mpsc;

use super::*;
use crate::hardware::{Depth, RemoteButton, headless};
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

struct Stage {
    link: watch::Sender<Link>,
    counters: watch::Sender<Counters>,
    notices: watch::Sender<Notices>,
    orders: mpsc::Receiver<Order>,
    frames: watch::Receiver<Arc<Frame>>,
    remote: RemoteButton,
}

/// What a box is like that nobody has configured, on this glass.
pub fn settings(glass: Glass) -> Settings {
    Settings {
        glass,
        language: Language::Es,
        board: headless::NAME.into(),
        prefer_pairing_code: false,
        page: None,
        time_zone: TimeZone::UTC,
        light: Light::default(),
    }
}

impl Stage {
    fn new() -> Self {
        Self::on(Glass::colour(Size::new(240, 240)))
    }

    fn on(glass: Glass) -> Self {
        let (link, link_watch) = watch::channel(Link::Starting);
        let (counters, counters_watch) = watch::channel(Counters::default());
        let (notices, notices_watch) = watch::channel(Notices::default());
        let (order_sender, orders) = mpsc::channel(4);
        let board = headless::open(Some(glass.size));
        let settings = settings(glass);
        let (frame_sender, frames) = frames(&settings);
        let inputs = Inputs {
            link: link_watch.clone(),
            counters: counters_watch,
            notices: notices_watch,
            events: watch::channel(Vec::new()).1,
            host: Host::default(),
            stamper: history::Stamper::new(crate::inbox::ServiceClock::default()),
            pulse: crate::watchdog::Pulse::default(),
        };
        let session = Handle::new(order_sender, link_watch);
        let mut button = board.button;
        tokio::spawn(async move {
            run(inputs, &mut button, session, &frame_sender, settings).await;
        });
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
        stage.counters.send_modify(|counters| {
            counters.today = Some(Today {
                received,
                answered: 0,
            });
        });
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

#[test]
fn a_finger_on_the_button_is_seen_beside_a_code_too_and_the_code_still_scans() {
    let mut felt = 0;
    for look in sheet::looks() {
        for (name, screen) in samples() {
            let picture = |touched| model::Picture {
                screen: screen.clone(),
                touched,
            };
            let draw = |touched| draw::draw_picture(&picture(touched), &look).frame;
            let Screen::Linking { qr, .. } = &screen else {
                continue;
            };
            if qr.place(&look.glass).is_none() || look.glass.depth != Depth::Colour {
                continue;
            }
            let (before, touched) = (draw(false), draw(true));
            assert_ne!(before.rgb(), touched.rgb(), "{name} {look:?}");
            let read = scan(&touched);
            assert!(
                read.is_some_and(|text| text.starts_with("2@")),
                "{name} {look:?}"
            );
            felt += 1;
        }
    }
    assert!(felt >= 20, "{felt}");
}

#[tokio::test(start_paused = true)]
async fn a_code_does_not_stay_when_the_panel_breaks_off() {
    let board = headless::open(Some(Size::new(240, 240)));
    let settings = settings(board.glass);
    let (sender, frames) = frames(&settings);
    let mut model = model::Model::new(settings.clone());
    model.set_link(linking("2@a,b,c,d,1"));
    let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut show = show::Show::new(&settings, &sender);
        show.show(&model, Instant::now(), None);
        assert!(scan(&frames.borrow()).is_none(), "the panel breaks");
    }));
    assert!(broken.is_err());
    assert_eq!(frames.borrow().screen, "starting");
    assert_eq!(scan(&frames.borrow()), None);
}

#[tokio::test(start_paused = true)]
async fn an_oled_that_nobody_looks_at_gives_way_to_a_word_and_a_press_brings_the_picture_back() {
    let mut glass = Glass::colour(Size::new(128, 64));
    glass.depth = Depth::Mono;
    glass.wears = true;
    let mut stage = Stage::on(glass);
    stage.link.send_replace(online());
    assert_eq!(stage.sees("online").await.screen, "online");
    let began = Instant::now();
    let first = stage.sees("asleep").await;
    assert_eq!(began.elapsed().as_secs(), 300);
    stage.frames.mark_unchanged();
    stage.frames.changed().await.unwrap();
    assert_ne!(
        first.rgb(),
        stage.frames.borrow().rgb(),
        "the word stands still"
    );
    stage.remote.press(Duration::from_millis(100)).unwrap();
    stage.sees("status").await;
    stage.sees("online").await;
    stage.sees("asleep").await;
    // A message is something, too.
    stage.counters.send_modify(|counters| {
        counters.today = Some(Today::default());
    });
    stage.sees("online").await;
}

#[tokio::test(start_paused = true)]
async fn the_page_of_the_network_comes_at_once_and_is_read_again_while_it_is_looked_at() {
    let mut stage = Stage::new();
    stage.link.send_replace(online());
    stage.sees("online").await;
    for page in ["status", "messages", "network"] {
        stage.remote.press(Duration::from_millis(100)).unwrap();
        let frame = stage.sees(page).await;
        assert_eq!(frame.screen, page);
    }
    stage.sees("online").await;
}
