//! The face of the box: what is known becomes a screen, a screen becomes a picture, a press
//! becomes an order.
//!
//! [`model`] is a pure fold of states, [`draw`] a pure function from a screen to pixels, and
//! [`run`] the task between them. It draws only when the picture changes, never waits for an
//! order, and never shows a code that has expired.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::hardware::{Button, Frame, Glass};
use crate::history;
use crate::host::Host;
use crate::message::ServerTime;
use crate::session::{Handle, Link};
use crate::waiting::{changed, until};
use crate::watchdog::Pulse;

pub mod area;
pub mod canvas;
pub mod draw;
pub mod emblem;
pub mod fit;
pub mod font;
#[cfg(test)]
mod golden;
pub mod light;
#[cfg(test)]
mod looks;
pub mod model;
pub mod qr;
pub mod sample;
pub mod saver;
pub mod screen;
pub mod sheet;
mod show;
mod sight;
#[cfg(test)]
pub(crate) mod tests;
pub mod text;
pub mod theme;
pub mod wall;

pub use draw::Look;
pub use light::Light;
pub use model::Action;
pub use sample::{render, samples};
pub use screen::Screen;
pub use text::Language;

/// How often the counters may change the picture: messages can come by the hundred.
const COUNTERS_PACE: Duration = Duration::from_millis(250);

/// How long a new count waits in any case: whoever counted has an answer to send first, and drawing
/// takes the thread for milliseconds.
const COUNTERS_LAG: Duration = Duration::from_millis(50);

/// How long a page waits for what it is to say rather than be drawn twice. A finger was felt before.
const SOON: Duration = Duration::from_millis(40);

/// What the panel watches.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The session's state.
    pub link: watch::Receiver<Link>,
    /// How busy the box is.
    pub counters: watch::Receiver<Counters>,
    /// What a person should know beside the link.
    pub notices: watch::Receiver<Notices>,
    /// What became of the link: the latest few rows, the latest first.
    pub events: watch::Receiver<Vec<history::Row>>,
    /// The board it runs on.
    pub host: Host,
    /// What time it is, and whether that can be believed.
    pub stamper: history::Stamper,
    /// Who asks whether the panel still turns.
    pub pulse: Pulse,
}

/// How busy the box is. Filled by the appliance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// How busy it was today; `None` while nobody knows what day it is.
    pub today: Option<Today>,
    /// Messages that wait to be sent.
    pub pending: u64,
    /// Messages the service refused.
    pub failed: u64,
    /// The latest message that arrived.
    pub last_message: Option<LastMessage>,
}

/// The counts of one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Today {
    /// Messages that arrived.
    pub received: u64,
    /// Messages that were answered.
    pub answered: u64,
}

/// The latest message that arrived.
#[derive(Clone, PartialEq, Eq)]
pub struct LastMessage {
    /// The name or number of who wrote.
    pub from: String,
    /// What it says, or what it is.
    pub text: String,
    /// When the service took it in.
    pub at: ServerTime,
}

impl std::fmt::Debug for LastMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LastMessage")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// What a person should know beside the link. Filled by the appliance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notices {
    /// A database did not open and was set aside.
    pub store_set_aside: bool,
    /// The service refuses messages to new chats for a while (463, 475).
    pub sending_limited: bool,
    /// Another box on this number answers, and this one listens whether it does.
    pub listens: bool,
}

/// What does not change while the panel runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What it is shown on.
    pub glass: Glass,
    /// The words.
    pub language: Language,
    /// The board's name, for the last page.
    pub board: String,
    /// Show the code to type first, where there is one.
    pub prefer_pairing_code: bool,
    /// The address of the box's own page, where a phone can reach it.
    pub page: Option<String>,
    /// Where the clock on the wall is.
    pub time_zone: TimeZone,
    /// How bright it is by day and by night.
    pub light: Light,
}

impl Settings {
    /// How this is drawn.
    pub fn look(&self) -> Look {
        Look {
            glass: self.glass,
            language: self.language,
        }
    }
}

/// The channel pictures go through; it holds the first one already, so that a display has
/// something to show before anything else has started.
pub fn frames(settings: &Settings) -> (watch::Sender<Arc<Frame>>, watch::Receiver<Arc<Frame>>) {
    watch::channel(first(settings))
}

/// The first picture.
fn first(settings: &Settings) -> Arc<Frame> {
    let mut frame = draw::draw(&Screen::Starting, &settings.look()).frame;
    frame.light = settings.light.day;
    Arc::new(frame)
}

/// The picture of a box that cannot run.
pub fn card_fault(settings: &Settings) -> Arc<Frame> {
    Arc::new(draw::draw(&Screen::CardFault, &settings.look()).frame)
}

/// Shows what is known and passes on what is pressed, until the session is gone. Everything that
/// would be missed is borrowed: whoever lends it may call again when this breaks off.
pub async fn run(
    mut inputs: Inputs,
    button: &mut Button,
    session: Handle,
    frames: &watch::Sender<Arc<Frame>>,
    settings: Settings,
) {
    let zone = settings.time_zone.clone();
    let mut show = show::Show::new(&settings, frames);
    let mut sight = sight::Sight::new(inputs.host.clone());
    let mut model = model::Model::new(settings);
    model.set_serial(inputs.host.serial());
    model.set_link(inputs.link.borrow_and_update().clone());
    model.set_counters(inputs.counters.borrow_and_update().clone());
    model.set_notices(*inputs.notices.borrow_and_update());
    model.set_events(inputs.events.borrow_and_update().clone());
    let mut orders: JoinSet<Action> = JoinSet::new();
    let mut paced = Instant::now();
    let mut counted_since = None;
    loop {
        if model.misses_network(Instant::now())
            && let Ok(seen) = timeout(SOON, sight.next(true)).await
        {
            model.set_network(seen);
        }
        let now = Instant::now();
        let wall = wall::now(&inputs.stamper, &zone);
        let next = show.show(&model, now, wall.as_ref());
        tokio::select! {
            changed = inputs.link.changed() => {
                if changed.is_err() {
                    return;
                }
                model.set_link(inputs.link.borrow_and_update().clone());
            }
            () = counted(&mut inputs.counters, paced, &mut counted_since) => {
                paced = Instant::now() + COUNTERS_PACE;
                counted_since = None;
                model.set_counters(inputs.counters.borrow_and_update().clone());
            }
            () = changed(&mut inputs.notices) => {
                model.set_notices(*inputs.notices.borrow_and_update());
            }
            () = changed(&mut inputs.events) => {
                model.set_events(inputs.events.borrow_and_update().clone());
            }
            seen = sight.next(model.shows_network(now)) => model.set_network(seen),
            (source, event) = button.event() => {
                tracing::trace!(?source, ?event, "button");
                let event = show.felt(event, Instant::now());
                if let Some(action) = model.button(event, Instant::now()) {
                    tracing::info!(?source, ?action, "the button was used");
                    let session = session.clone();
                    orders.spawn(async move { carry_out(&session, action).await });
                }
            }
            Some(done) = orders.join_next(), if !orders.is_empty() => match done {
                Ok(action) => model.done(action),
                Err(error) => tracing::error!(%error, "an order broke off"),
            },
            () = until(next) => {}
            () = inputs.pulse.beat() => {}
        }
    }
}

async fn carry_out(session: &Handle, action: Action) -> Action {
    let answered = match action {
        Action::Link => session.link_anew().await,
        Action::Unlink => session.unlink().await,
        Action::TakeOver => session.take_over().await,
        Action::ConfirmPasskey => session.confirm_passkey().await,
    };
    if let Err(error) = answered {
        tracing::warn!(?action, %error, "the order was not carried out");
    }
    action
}

/// A change, but not before `paced`, nor at once: `since` remembers when it was first seen. Nothing
/// is taken out of the watch here, so that dropping the future loses nothing.
async fn counted(
    counters: &mut watch::Receiver<Counters>,
    paced: Instant,
    since: &mut Option<Instant>,
) {
    changed(counters).await;
    counters.mark_changed();
    let since = since.get_or_insert_with(Instant::now);
    tokio::time::sleep_until(paced.max(*since + COUNTERS_LAG)).await;
}
