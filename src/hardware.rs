//! A display and a button, whichever they are. Every board opens to the same [`Board`]; the fakes
//! (`headless`, `desk`) are boards like any other, chosen by their name.
//!
//! This room knows pixels and edges. It never knows what a picture means or what a press does,
//! and imports nothing of the rest of the house.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use embedded_graphics::geometry::Size;
use tokio::sync::{oneshot, watch};

pub mod button;
pub mod desk;
pub mod frame;
pub mod headless;
pub mod press;

pub use button::{Button, PhysicalEdge, RemoteButton, RemoteGone, RemotePress, Source};
pub use frame::{CodeArea, Frame};
pub use press::{ButtonEvent, Edge};

/// What a display can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// Every colour.
    #[default]
    Colour,
    /// A dot is lit or it is not.
    Mono,
}

/// What whoever draws must know of a display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glass {
    /// Pixels.
    pub size: Size,
    /// What a pixel can show.
    pub depth: Depth,
    /// The fewest pixels along a module of a QR that a camera can read off this glass.
    pub least_module: u32,
    /// Whether it is quick enough for a countdown.
    pub countdown: bool,
}

impl Glass {
    /// A colour display of some size.
    pub fn colour(size: Size) -> Self {
        Self {
            size,
            depth: Depth::Colour,
            least_module: 2,
            countdown: true,
        }
    }
}

/// Where pictures go. Driven on a thread of its own, so it may block.
pub trait Display: Send {
    /// Pixels.
    fn size(&self) -> Size;

    /// Shows a picture; what has not changed need not be sent.
    ///
    /// # Errors
    /// When the picture did not get there. It is tried again, with the latest picture.
    fn present(&mut self, frame: &Frame) -> io::Result<()>;
}

/// A board, opened.
pub struct Board {
    /// The name it was selected by.
    pub name: &'static str,
    /// What it shows pictures on.
    pub glass: Glass,
    /// Goes to [`drive`].
    pub display: Box<dyn Display>,
    /// Goes to the panel.
    pub button: Button,
    /// Presses over the network: only boards without a real button have it.
    pub remote: Option<RemoteButton>,
    /// Completed when a person at the board's own keyboard wants the process to end.
    pub quit: Option<oneshot::Receiver<()>>,
}

/// The names that [`open`] knows.
pub const BOARDS: [&str; 2] = [headless::NAME, desk::NAME];

/// Why a board could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no board of that name.
    #[error("unknown board {name:?}; known are: {}", BOARDS.join(", "))]
    Unknown {
        /// As it was asked for.
        name: String,
    },
    /// The desk board needs a terminal.
    #[error("the desk board needs a terminal: {0}; without one, use --board headless")]
    Terminal(#[source] io::Error),
}

/// Opens a board. `size` overrides what the fakes would choose; `log` is where the desk board
/// shows the log while it owns the terminal.
///
/// # Errors
/// When the name is unknown, or the hardware behind it cannot be used.
pub fn open(name: &str, size: Option<Size>, log: &desk::LogLine) -> Result<Board, OpenError> {
    match name {
        headless::NAME => Ok(headless::open(size)),
        desk::NAME => desk::open(size, log).map_err(OpenError::Terminal),
        _ => Err(OpenError::Unknown { name: name.into() }),
    }
}

/// The glass of a board that is not opened, to draw for it elsewhere.
///
/// # Errors
/// When the name is unknown.
pub fn glass(name: &str) -> Result<Glass, OpenError> {
    match name {
        headless::NAME | desk::NAME => Ok(Glass::colour(headless::SIZE)),
        _ => Err(OpenError::Unknown { name: name.into() }),
    }
}

/// The thread that owns a display.
#[derive(Debug)]
pub struct DisplayThread(std::thread::JoinHandle<()>);

impl DisplayThread {
    /// Waits for the display to be let go of. The frames' sender must be gone before.
    pub fn join(self) {
        if self.0.join().is_err() {
            tracing::error!("the display thread panicked");
        }
    }
}

/// How long a display that failed is left alone.
const RETRY: Duration = Duration::from_secs(1);

/// Shows every picture that comes on a thread of its own: the latest wins, and one that failed is
/// tried again. Ends, and lets go of the display, when the sender is gone.
///
/// # Errors
/// When the system gives no thread.
pub fn drive(
    mut display: Box<dyn Display>,
    mut frames: watch::Receiver<Arc<Frame>>,
) -> io::Result<DisplayThread> {
    // A runtime of its own for nothing but waiting: the thread may block in the display.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let work = move || {
        let mut failing = false;
        let mut first = true;
        loop {
            let frame = frames.borrow_and_update().clone();
            let shown = display.present(&frame);
            match (&shown, failing) {
                (Err(error), false) => tracing::warn!(%error, "the display does not take pictures"),
                (Ok(()), true) => tracing::info!("the display takes pictures again"),
                _ => {}
            }
            failing = shown.is_err();
            if !failing && std::mem::take(&mut first) {
                tracing::info!(screen = frame.screen, "the first picture is shown");
            }
            let closed = runtime.block_on(async {
                if failing {
                    // The same picture again, or a later one; a closed channel ends the wait.
                    tokio::time::timeout(RETRY, frames.changed())
                        .await
                        .is_ok_and(|changed| changed.is_err())
                } else {
                    frames.changed().await.is_err()
                }
            });
            if closed {
                break;
            }
        }
    };
    std::thread::Builder::new()
        .name("display".into())
        .spawn(work)
        .map(DisplayThread)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::sync::mpsc;

    use embedded_graphics::pixelcolor::Rgb888;

    use super::*;

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
        assert!(telling.recv().is_err());
    }

    #[test]
    fn a_board_that_is_not_known_is_answered_with_those_that_are() {
        let Err(error) = open("nothing", None, &desk::LogLine::default()) else {
            panic!("there is no such board")
        };
        assert!(error.to_string().contains("headless, desk"), "{error}");
    }
}
