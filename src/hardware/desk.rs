//! The board on a developer's desk: the picture in the terminal as half blocks, keys as the
//! button, one line of log below. It owns the terminal from opening until it is dropped, and gives
//! it back also when the process panics.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{
    KeyboardEnhancementFlags, PopKeyboardEnhancementFlags, PushKeyboardEnhancementFlags,
};
use crossterm::style::{Print, ResetColor};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode, supports_keyboard_enhancement,
};
use crossterm::{execute, queue};
use embedded_graphics::geometry::{OriginDimensions, Size};
use tracing_subscriber::fmt::MakeWriter;

use super::{Board, Button, Depth, Display, Frame, Glass, headless};

mod cells;
mod keys;

/// The name it is selected by.
pub const NAME: &str = "desk";
/// Lines below the picture: one for what the board has to say, one for the log.
const BELOW: u16 = 2;
/// The smallest picture that can be laid out; a smaller terminal shows it shrunk.
const LEAST: Size = Size::new(128, 64);

/// Where the log goes: to the error output, and to the last line of the terminal while the desk
/// board owns it. Cheap to clone; give it to the subscriber and to [`super::open`].
#[derive(Clone, Debug, Default)]
pub struct LogLine(Arc<Mutex<Desk>>);

/// The terminal, while it is owned.
#[derive(Debug, Default)]
struct Desk {
    owned: bool,
    log: String,
    frame: Option<Frame>,
    screen: cells::Cells,
}

impl LogLine {
    fn lock(&self) -> MutexGuard<'_, Desk> {
        // Whoever panicked while drawing left at worst a wrong picture.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut desk = self.lock();
        if !desk.owned {
            return io::stderr().write(bytes);
        }
        let text = String::from_utf8_lossy(bytes);
        if let Some(line) = text.lines().rfind(|line| !line.trim().is_empty()) {
            desk.log = line.to_owned();
            desk.write_log()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogLine {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Opens it. The picture takes the size of the terminal, up to 240 by 240, unless `size` says
/// otherwise.
///
/// # Errors
/// When the output is no terminal, or refuses to be one.
pub fn open(size: Option<Size>, log: &LogLine) -> io::Result<Board> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "input or output is not a terminal",
        ));
    }
    let (columns, rows) = crossterm::terminal::size()?;
    let size = size.unwrap_or_else(|| picture(columns, rows));
    enable_raw_mode()?;
    let terminal = Terminal {
        log: log.clone(),
        size,
        keys: supports_keyboard_enhancement().unwrap_or(false),
    };
    // From here on dropping `terminal` gives the terminal back.
    execute!(
        io::stdout(),
        EnterAlternateScreen,
        Hide,
        Clear(ClearType::All)
    )?;
    if terminal.keys {
        let flags = KeyboardEnhancementFlags::DISAMBIGUATE_ESCAPE_CODES
            | KeyboardEnhancementFlags::REPORT_EVENT_TYPES;
        execute!(io::stdout(), PushKeyboardEnhancementFlags(flags))?;
    }
    log.lock().owned = true;
    restore_on_panic(log.clone(), terminal.keys);
    let (button, edges, remote) = Button::keyboard();
    let quit = keys::listen(edges, log.clone(), terminal.keys)?;
    Ok(Board {
        name: NAME.to_owned(),
        glass: Glass {
            depth: Depth::Colour,
            // A module is a whole character wide: a phone reads that easily.
            least_module: 1,
            ..Glass::colour(size)
        },
        display: Box::new(terminal),
        button,
        remote: Some(remote),
        quit: Some(quit),
    })
}

/// The picture's size for a terminal: a column is a pixel, a row is two.
fn picture(columns: u16, rows: u16) -> Size {
    let most = headless::SIZE;
    Size::new(
        u32::from(columns).clamp(LEAST.width, most.width),
        u32::from(rows.saturating_sub(BELOW) * 2).clamp(LEAST.height, most.height),
    )
}

/// The display half.
struct Terminal {
    log: LogLine,
    size: Size,
    keys: bool,
}

impl Display for Terminal {
    fn size(&self) -> Size {
        self.size
    }

    fn present(&mut self, frame: &Frame) -> io::Result<()> {
        let mut desk = self.log.lock();
        desk.frame = Some(frame.clone());
        desk.draw()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back(&self.log, self.keys);
    }
}

fn give_back(log: &LogLine, keys: bool) {
    // A panic may come from a thread that holds the lock: better a torn line than no terminal.
    if let Ok(mut desk) = log.0.try_lock() {
        if !desk.owned {
            return;
        }
        desk.owned = false;
    }
    let mut out = io::stdout();
    if keys {
        let _ = execute!(out, PopKeyboardEnhancementFlags);
    }
    let _ = execute!(out, ResetColor, Show, LeaveAlternateScreen);
    let _ = disable_raw_mode();
}

fn restore_on_panic(log: LogLine, keys: bool) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        give_back(&log, keys);
        before(info);
    }));
}

impl Desk {
    /// Draws the picture, or as much of its meaning as the terminal has room for.
    fn draw(&mut self) -> io::Result<()> {
        let (columns, rows) = crossterm::terminal::size()?;
        let rows = rows.saturating_sub(BELOW);
        let Some(frame) = &self.frame else {
            return Ok(());
        };
        let mut out = io::stdout().lock();
        let room = Size::new(u32::from(columns), u32::from(rows) * 2);
        let (view, whole) = cells::view(frame, room);
        self.screen.show(&mut out, &view, columns)?;
        let size = frame.size();
        let told = if whole {
            format!("[{}]  enter: press  h: hold  q: quit", frame.screen)
        } else {
            format!(
                "[{}]  terminal too small, picture shrunk: {}x{} shows it whole",
                frame.screen,
                size.width,
                size.height / 2 + u32::from(BELOW)
            )
        };
        line(&mut out, rows, columns, &told)?;
        line(&mut out, rows + 1, columns, &self.log)?;
        out.flush()
    }

    /// Draws everything anew, as after a change of the terminal's size.
    fn redraw(&mut self) -> io::Result<()> {
        self.screen = cells::Cells::default();
        execute!(io::stdout(), ResetColor, Clear(ClearType::All))?;
        self.draw()
    }

    fn write_log(&self) -> io::Result<()> {
        let (columns, rows) = crossterm::terminal::size()?;
        let mut out = io::stdout().lock();
        line(&mut out, rows.saturating_sub(1), columns, &self.log)?;
        out.flush()
    }
}

/// Writes one whole line, cut to the terminal's width.
fn line(out: &mut impl Write, row: u16, columns: u16, text: &str) -> io::Result<()> {
    let text: String = text
        .chars()
        .filter(|letter| !letter.is_control())
        .take(usize::from(columns))
        .collect();
    queue!(
        out,
        ResetColor,
        MoveTo(0, row),
        Print(text),
        Clear(ClearType::UntilNewLine)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_takes_the_terminals_size_within_reason() {
        assert_eq!(picture(300, 200), Size::new(240, 240));
        assert_eq!(picture(160, 50), Size::new(160, 96));
        assert_eq!(picture(80, 24), LEAST);
        assert_eq!(picture(0, 0), LEAST);
    }
}
