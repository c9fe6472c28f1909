//! The thread that owns a display. It may block there; nobody waits for it but whoever ends the
//! program, and a display that fails costs nothing but its pictures.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{Display, DisplayHealth, Frame};

/// How long a display that failed is left alone, and after how many failures for longer: a cable
/// that was pulled is soon put back, and a board without a display need not be awake for it.
const RETRY: Duration = Duration::from_secs(1);
const MANY: u32 = 60;
const LATER: Duration = Duration::from_secs(10);

/// The thread that owns a display.
#[derive(Debug)]
pub struct DisplayThread {
    thread: std::thread::JoinHandle<()>,
    health: watch::Receiver<DisplayHealth>,
}

impl DisplayThread {
    /// How the display is.
    pub fn health(&self) -> watch::Receiver<DisplayHealth> {
        self.health.clone()
    }

    /// Waits for the display to be let go of. The frames' sender must be gone before.
    pub fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!("the display thread panicked");
        }
    }
}

/// Shows every picture that comes on a thread of its own: the latest wins, and one that failed is
/// tried again. Ends, and lets the display rest, when the sender is gone.
///
/// # Errors
/// When the system gives no thread.
pub fn drive(
    mut display: Box<dyn Display>,
    frames: watch::Receiver<Arc<Frame>>,
) -> io::Result<DisplayThread> {
    // A runtime of its own for nothing but waiting: the thread may block in the display.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let (told, health) = watch::channel(DisplayHealth::default());
    std::thread::Builder::new()
        .name("display".into())
        .spawn(move || runtime.block_on(tend(display.as_mut(), frames, told)))
        .map(|thread| DisplayThread { thread, health })
}

/// The thread's work; it blocks in the display.
pub(super) async fn tend(
    display: &mut dyn Display,
    mut frames: watch::Receiver<Arc<Frame>>,
    health: watch::Sender<DisplayHealth>,
) {
    let mut first = true;
    let mut failures = 0;
    loop {
        let frame = frames.borrow_and_update().clone();
        let now = match alive(|| display.present(&frame)) {
            Ok(()) => DisplayHealth::Shows,
            Err(error) => DisplayHealth::Fails(error.to_string()),
        };
        let failing = now != DisplayHealth::Shows;
        failures = match failing {
            true => failures + 1,
            false => 0,
        };
        let failed = *health.borrow() != DisplayHealth::Shows;
        match (&now, failed) {
            (DisplayHealth::Fails(error), false) => {
                tracing::warn!(error, "the display takes no pictures; it is tried again");
            }
            (DisplayHealth::Shows, true) => tracing::info!("the display takes pictures again"),
            _ => {}
        }
        if !failing && std::mem::take(&mut first) {
            tracing::info!(screen = frame.screen, "the first picture is shown");
        }
        health.send_if_modified(|health| {
            let modified = *health != now;
            *health = now;
            modified
        });
        let closed = if failing {
            // The same picture again, or a later one; a closed channel ends the wait.
            let pause = match failures {
                ..MANY => RETRY,
                MANY.. => LATER,
            };
            tokio::time::timeout(pause, frames.changed())
                .await
                .is_ok_and(|changed| changed.is_err())
        } else {
            frames.changed().await.is_err()
        };
        if closed {
            break;
        }
    }
    if let Err(error) = alive(|| display.rest()) {
        tracing::warn!(%error, "the last picture stays on the display");
    }
}

/// A driver that panics is a display that fails: it is put together anew, and its thread goes on.
fn alive(work: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(io::Error::other("the display's driver broke off")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::sync::mpsc;

    use embedded_graphics::geometry::Size;
    use embedded_graphics::pixelcolor::Rgb888;

    use super::*;
    use crate::hardware::wired::Reopened;

    /// Refuses the first picture, and tells of every one.
    struct Shaky {
        told: mpsc::Sender<&'static str>,
        refused: bool,
    }

    impl Display for Shaky {
        fn size(&self) -> Size {
            Size::new(8, 8)
        }

        fn present(&mut self, frame: &Frame) -> io::Result<()> {
            self.told.send(frame.screen).unwrap();
            if self.refused {
                return Ok(());
            }
            self.refused = true;
            Err(io::Error::other("the cable is loose"))
        }

        fn rest(&mut self) -> io::Result<()> {
            self.told.send("rest").unwrap();
            Ok(())
        }
    }

    /// Panics at the first picture it gets in its life; others of its kind do not.
    struct Fragile {
        told: mpsc::Sender<&'static str>,
        breaks: bool,
    }

    impl Display for Fragile {
        fn size(&self) -> Size {
            Size::new(8, 8)
        }

        fn present(&mut self, frame: &Frame) -> io::Result<()> {
            assert!(!self.breaks, "a driver with a fault");
            self.told.send(frame.screen).unwrap();
            Ok(())
        }
    }

    #[test]
    fn a_driver_that_panics_is_put_together_anew_and_shows_the_picture() {
        let (told, telling) = mpsc::channel();
        let mut opened = 0;
        let display = Box::new(Reopened::new(Size::new(8, 8), move || {
            opened += 1;
            let (told, breaks) = (told.clone(), opened == 1);
            Ok(Box::new(Fragile { told, breaks }) as Box<dyn Display>)
        }));
        let (frames, watch) = watch::channel(frame("online"));
        let thread = drive(display, watch).unwrap();
        assert_eq!(telling.recv().unwrap(), "online");
        drop(frames);
        thread.join();
    }

    #[tokio::test(start_paused = true)]
    async fn a_display_that_is_not_there_at_start_is_told_of_and_looked_for_ever_more_seldom() {
        let (told, telling) = mpsc::channel();
        let tries = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let (counted, count) = (Arc::clone(&tries), || {
            tries.swap(0, std::sync::atomic::Ordering::Relaxed)
        });
        let there = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let plugged = Arc::clone(&there);
        let mut display = Reopened::new(Size::new(8, 8), move || {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if !plugged.load(std::sync::atomic::Ordering::Relaxed) {
                return Err(io::Error::other(
                    "/dev/spidev0.0: No such file or directory",
                ));
            }
            let (told, breaks) = (told.clone(), false);
            Ok(Box::new(Fragile { told, breaks }) as Box<dyn Display>)
        });
        let (frames, watch) = watch::channel(frame("online"));
        let (tells, mut health) = watch::channel(DisplayHealth::default());
        let work = tokio::spawn(async move { tend(&mut display, watch, tells).await });
        let told = health
            .wait_for(|health| *health != DisplayHealth::Shows)
            .await;
        assert_eq!(
            *told.unwrap(),
            DisplayHealth::Fails("/dev/spidev0.0: No such file or directory".into())
        );
        tokio::time::sleep(Duration::from_secs(59)).await;
        assert!((58..=61).contains(&count()), "soon at first");
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert!((55..=65).contains(&count()), "and seldom later");
        there.store(true, std::sync::atomic::Ordering::Relaxed);
        health
            .wait_for(|health| *health == DisplayHealth::Shows)
            .await
            .unwrap();
        assert_eq!(telling.recv().unwrap(), "online");
        drop(frames);
        work.await.unwrap();
    }

    fn frame(screen: &'static str) -> Arc<Frame> {
        let mut frame = Frame::new(Size::new(8, 8), Rgb888::new(0, 0, 0));
        frame.screen = screen;
        Arc::new(frame)
    }

    #[test]
    fn a_display_that_fails_gets_the_picture_again_and_ends_with_its_sender() {
        let (told, telling) = mpsc::channel();
        let display = Box::new(Shaky {
            told,
            refused: false,
        });
        let (frames, watch) = watch::channel(frame("first"));
        let thread = drive(display, watch).unwrap();
        assert_eq!(telling.recv().unwrap(), "first");
        assert_eq!(telling.recv().unwrap(), "first");
        frames.send_replace(frame("second"));
        assert_eq!(telling.recv().unwrap(), "second");
        drop(frames);
        thread.join();
        assert_eq!(telling.recv().unwrap(), "rest");
        assert!(telling.recv().is_err());
    }
}
