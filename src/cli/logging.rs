//! Where the log goes: to stderr, or, while the terminal shows the screen, into a short memory
//! from which the desk board takes its line.

use std::io;
use std::sync::Arc;

use tokio::sync::watch;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// The newest line of the log, for boards that have the terminal to themselves.
pub type LatestLine = Option<watch::Receiver<String>>;

/// Starts the log. `VINCULO_LOG` sets its level, by default `info` and the protocol crate's
/// warnings.
pub fn start(terminal_is_taken: bool) -> LatestLine {
    let filter = EnvFilter::try_from_env("VINCULO_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,vinculo=info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    if terminal_is_taken {
        let (latest, line) = watch::channel(String::new());
        let _ = builder
            .with_ansi(false)
            .without_time()
            .with_writer(Lines(Arc::new(latest)))
            .try_init();
        Some(line)
    } else {
        let _ = builder.with_writer(io::stderr).with_ansi(false).try_init();
        None
    }
}

/// Hands each finished line to the watch.
#[derive(Clone)]
struct Lines(Arc<watch::Sender<String>>);

struct Line {
    to: Arc<watch::Sender<String>>,
    bytes: Vec<u8>,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line {
            to: Arc::clone(&self.0),
            bytes: Vec::new(),
        }
    }
}

impl io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.to
            .send_replace(String::from_utf8_lossy(&self.bytes).trim_end().to_owned());
    }
}
