//! A disk without room. What arrives cannot be kept then, so nothing is to arrive: the box says why
//! it stands still, looks for room now and then, and goes on by itself.
//!
//! The store takes nothing more once the disk has refused, so the process is then started anew
//! with [`MISSED`] in its environment, and waits here before it opens anything.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::bot::Voice;
use crate::hardware::{DisplayHealth, Frame};
use crate::message::Seq;
use crate::outbox::Pending;
use crate::panel::draw::draw;
use crate::panel::{self, Screen};
use crate::session::link::StopReason;
use crate::session::{Clock, Link};
use crate::web;

/// Says to the process that starts anew why it does.
pub const MISSED: &str = "VINCULO_MISSED_ROOM";

/// So much must be free before the box goes on, in bytes. Some hundred messages, and the database
/// moving things about.
const ROOM: usize = 4 << 20;

/// How often room is looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// The process before this one ran out of room.
pub fn was_missed() -> bool {
    std::env::var_os(MISSED).is_some()
}

/// Whether the disk takes what it must be able to take. Tried out, because what a disk says of
/// itself leaves out quotas and reserves.
pub async fn is_missing(dir: &Path) -> bool {
    let path = dir.join("room.tmp");
    let tried = tokio::task::spawn_blocking(move || {
        let filled = fill(&path);
        // Was perhaps not even made.
        let _ = std::fs::remove_file(&path);
        filled
    });
    match tried.await {
        Ok(Err(error)) => matches!(
            error.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded
        ),
        Ok(Ok(())) | Err(_) => false,
    }
}

fn fill(path: &Path) -> std::io::Result<()> {
    let portion = [0x5A; 16 * 1024];
    let mut file = File::create(path)?;
    for _ in 0..ROOM / portion.len() {
        file.write_all(&portion)?;
    }
    file.sync_all()
}

/// What shows the box before there is a panel.
pub struct Face<'a> {
    pub frames: &'a watch::Sender<Arc<Frame>>,
    pub display: watch::Receiver<DisplayHealth>,
    pub settings: &'a panel::Settings,
}

/// Shows why the box stands still, until there is room. A missing page is no reason to give up.
pub async fn wait(dir: &Path, clock: Clock, listener: TcpListener, face: &Face<'_>) {
    tracing::error!(
        "the disk is full: nothing is received until there are some megabytes free on it; delete \
         what is not needed, and the box goes on by itself"
    );
    let reason = StopReason::NoRoom;
    let screen = draw(&Screen::Stopped(reason), &face.settings.look());
    face.frames.send_replace(Arc::new(screen.frame));
    let (_link, link) = watch::channel(Link::Stopped { reason });
    let (_inbox, inbox) = watch::channel(Seq(0));
    let (_outbox, outbox) = watch::channel(Pending::default());
    let (_voice, voice) = watch::channel(Voice::Speaks);
    let states = web::States {
        link,
        frames: face.frames.subscribe(),
        inbox,
        outbox,
        session: None,
        history: None,
        board: face.settings.board.clone(),
        display: face.display.clone(),
        voice,
    };
    let page = async {
        if let Err(error) = web::serve(listener, states, None, std::future::pending()).await {
            tracing::warn!(%error, "no status page meanwhile");
        }
        std::future::pending::<()>().await;
    };
    let room = async {
        loop {
            tokio::time::sleep(clock.real_of(LOOK_AGAIN)).await;
            if !is_missing(dir).await {
                break;
            }
        }
    };
    tokio::select! {
        () = page => {}
        () = room => {}
    }
    tracing::info!("there is room on the disk again");
}
