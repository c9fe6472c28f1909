//! The only file that knows everyone: builds the rooms, runs them, and drains them in order.
//!
//! The order is the point. The first picture comes before anything that can take time or fail;
//! the store before anything that writes; the session last, so that nothing arrives before there
//! is somebody to keep it. On the way out the session stops first, then what it had told is
//! stored, then the store is closed.

use std::future::Future;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::alerts;
use crate::bot::{self, Bot};
use crate::config::Config;
use crate::hardware::desk::LogLine;
use crate::hardware::{self, Frame};
use crate::history;
use crate::host::Host;
use crate::outbox;
use crate::panel::{self, Notices};
use crate::session::{self, Clock, Link};
use crate::supervisor::Supervisor;
use crate::watchdog::{ServiceManager, Watchdog};
use crate::{dispatch, web};

mod face;
mod opening;
pub(crate) mod room;
mod tally;

use opening::Kept;
use tally::Tally;

/// Events that may wait for the dispatcher before the session has to wait.
const EVENTS: usize = 256;

/// How long the session, and then the dispatcher, may take to drain. Together they stay within
/// the five seconds a stop may take in all.
const SESSION_DRAIN: Duration = Duration::from_millis(3_300);
const DISPATCH_DRAIN: Duration = Duration::from_millis(1_000);

/// Which of the two programs this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    /// The program that is shipped: the real service, a data directory no simulator has touched.
    Service,
    /// The program of the tests: a simulator on loopback, a marked data directory, scaled time.
    Simulator,
}

/// A box that is configured and not yet running.
pub struct Appliance {
    config: Config,
    flavor: Flavor,
    time_scale: NonZeroU32,
    log: LogLine,
    manager: ServiceManager,
}

/// What a running box shows to the program around it.
pub struct Doors {
    /// The latest picture.
    pub frame: watch::Receiver<Arc<Frame>>,
    /// The link's state.
    pub link: watch::Receiver<Link>,
    /// Where the status page listens.
    pub web: SocketAddr,
}

impl Appliance {
    /// Puts the parts together; nothing runs yet. `time_scale` is 1 outside tests; `log` is where
    /// the log goes, which a board may want to show.
    pub fn new(config: Config, flavor: Flavor, time_scale: NonZeroU32, log: LogLine) -> Self {
        Self {
            config,
            flavor,
            time_scale,
            log,
            manager: ServiceManager::default(),
        }
    }

    /// Tells a service manager how it goes, and feeds its watchdog.
    #[must_use]
    pub fn under(self, manager: ServiceManager) -> Self {
        Self { manager, ..self }
    }

    /// Runs until `stop` is ready, then drains. `ready` is called once everything is up.
    ///
    /// # Errors
    /// When the board or the data directory cannot be used, or a vital task fails, with its name.
    pub async fn run(
        self,
        stop: impl Future<Output = ()>,
        ready: impl FnOnce(Doors),
    ) -> anyhow::Result<()> {
        let config = self.config;
        let mut stop = pin!(stop);

        // A splash before anything that can take time or fail.
        let board = hardware::open(&config.board, None, &self.log)?;
        let panel_settings = panel::Settings {
            glass: board.glass,
            language: config.language,
            board: board.name.clone(),
            prefer_pairing_code: false,
            page: config.web_page.clone(),
            time_zone: config.time_zone.clone(),
            light: config.light.clone(),
        };
        let (frames, frame) = panel::frames(&panel_settings);
        let display = hardware::drive(board.display, frame.clone()).context("the display")?;

        // What keeps messages comes before what lets them arrive.
        let clock = Clock::scaled(self.time_scale);
        let face = room::Face {
            frames: &frames,
            display: display.health(),
            settings: &panel_settings,
        };
        let opening = opening::open(
            &config,
            self.flavor,
            clock,
            &self.manager,
            face,
            stop.as_mut(),
        );
        let Kept {
            store,
            inbox,
            outbox,
            history,
        } = match opening.await {
            Ok(Some(kept)) => kept,
            none => {
                drop(frames);
                display.join();
                return none.map(|_| ());
            }
        };

        let (stopping, stopped) = watch::channel(false);
        let (events, received) = mpsc::channel(EVENTS);
        let (handle, session) = session::spawn(
            session_settings(&config),
            store.clone(),
            events,
            clock,
            stopped.clone(),
        );
        let link = handle.link();

        // Nobody at a screen or a web page may cost the link: their tasks are not vital. A panel
        // that does not come back starves the watchdog all the same, where there is one: a screen
        // that stands still tells untruths, and a new start costs the link seconds.
        let listener = web::bind(config.web).await?;
        let web_address = listener.local_addr().context("the status page's address")?;
        let (speaking, voice) = watch::channel(bot::Voice::of(config.session.rank));
        let (tally, counters, notices) = Tally::new(
            inbox.clone(),
            outbox.clone(),
            Notices {
                store_set_aside: !store.opened().set_aside.is_empty(),
                sending_limited: outbox.watch().borrow().limited,
                listens: *voice.borrow() == bot::Voice::Listens,
            },
            voice.clone(),
        );
        let manager = self.manager;
        let mut watchdog = Watchdog::new(manager.clone());
        let mut pulse = watchdog.pulse("supervisor");
        let mut tasks = Supervisor::default();
        let inputs = panel::Inputs {
            link: link.clone(),
            counters,
            notices,
            events: history.latest(),
            host: Host::default(),
            stamper: history.stamper().clone(),
            pulse: watchdog.pulse("panel"),
        };
        let lent = (board.button, frames);
        face::run(&mut tasks, inputs, lent, handle.clone(), panel_settings);
        tasks.restarting("web", {
            let states = web::States {
                link: link.clone(),
                frames: frame.clone(),
                inbox: inbox.watch(),
                outbox: outbox.watch(),
                session: Some(handle.clone()),
                history: Some(history.clone()),
                board: board.name,
                display: display.health(),
                voice,
            };
            let mut first = Some(listener);
            move || {
                let (first, states) = (first.take(), states.clone());
                let (remote, stopped) = (board.remote.clone(), stopped.clone());
                async move {
                    let listener = match first {
                        Some(listener) => listener,
                        None => web::bind(web_address).await?,
                    };
                    Ok(web::serve(listener, states, remote, until_true(stopped)).await?)
                }
            }
        });
        if let Some(settings) = config.alerts {
            let settings = Arc::new(settings);
            let inputs = alerts::Inputs {
                store: store.clone(),
                stamper: history.stamper().clone(),
                link: link.clone(),
                time_scale: self.time_scale,
            };
            tasks.restarting("alerts", move || {
                alerts::run(settings.clone(), inputs.clone())
            });
        }
        tasks.optional("history", {
            let (history, store) = (history.clone(), store.clone());
            let (link, pending) = (link.clone(), outbox.watch());
            async move {
                history.started(&store.opened().set_aside).await;
                history::follow(history, link, pending).await;
                Ok(())
            }
        });
        tasks.vital("tally", {
            let counting = tally.run(link.clone());
            async move {
                counting.await?;
                // The session is gone, and says itself why.
                std::future::pending().await
            }
        });
        tasks.restarting("bot", {
            let (link, store) = (link.clone(), store.clone());
            let (inbox, outbox) = (inbox.clone(), outbox.clone());
            let settings = bot::Settings {
                rank: config.session.rank,
                ..config.bot
            };
            move || {
                let bot = Bot::new(&store, settings.clone(), inbox.clone(), outbox.clone())
                    .telling(speaking.clone());
                let link = link.clone();
                async move {
                    bot.run(link).await;
                    Ok(())
                }
            }
        });
        tasks.vital("outbox", {
            let (outbox, handle) = (outbox.clone(), handle.clone());
            async move {
                outbox::deliver(outbox, handle).await;
                Ok(())
            }
        });
        tasks.optional("watchdog", async move {
            watchdog.run().await;
            Ok(())
        });
        tasks.optional("status line", {
            let (manager, link) = (manager.clone(), link.clone());
            async move {
                manager.follow(link, Link::name).await;
                Ok(())
            }
        });
        let mut dispatch = tokio::spawn(dispatch::run(received, inbox.clone(), outbox.clone()));
        let mut session = tokio::spawn(session);
        tracing::info!(address = %web_address, "status page listens");
        manager.ready();
        ready(Doors {
            frame,
            link,
            web: web_address,
        });

        let mut quit = pin!(quit(board.quit));
        let ended = loop {
            tokio::select! {
                () = &mut stop => break Ok(()),
                () = &mut quit => break Ok(()),
                error = tasks.first_failure() => break Err(error),
                error = store.failed() => {
                    break Err(anyhow::Error::new(error).context("the store takes nothing more"));
                }
                ended = &mut session => break Err(ended_early("session", ended.map(|end| end.err()))),
                ended = &mut dispatch => break Err(ended_early("dispatch", ended.map(|()| None))),
                () = pulse.beat() => {}
            }
        };

        manager.stopping();
        let _ = stopping.send(true);
        if ended.is_ok() {
            drain(session, dispatch).await;
        }
        // The panel holds the pictures' sender; without it the display lets go of the glass.
        tasks.end().await;
        history.ended(ended.is_ok()).await;
        display.join();
        let closed = store.close().await.context("closing the store");
        if let (Err(_), Err(error)) = (&ended, &closed) {
            // The first error is the cause, and the one to be told.
            tracing::error!(error = format!("{error:#}"), "and at the end");
        }
        ended.and(closed)
    }
}

/// The session stops first, so that what it has told can still be stored.
async fn drain(session: JoinHandle<anyhow::Result<()>>, dispatch: JoinHandle<()>) {
    match timeout(SESSION_DRAIN, session).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => {
            tracing::error!(
                error = format!("{error:#}"),
                "the session did not end cleanly"
            );
        }
        Ok(Err(error)) => tracing::error!(%error, "the session panicked at the end"),
        Err(_) => tracing::warn!("the session did not end in time"),
    }
    if timeout(DISPATCH_DRAIN, dispatch).await.is_err() {
        tracing::warn!("messages may be delivered again: they were not stored in time");
    }
}

fn ended_early(
    name: &str,
    ended: Result<Option<anyhow::Error>, tokio::task::JoinError>,
) -> anyhow::Error {
    match ended {
        Ok(None) => anyhow::anyhow!("the {name} task ended, which it never should"),
        Ok(Some(error)) => error.context(format!("the {name} task failed")),
        Err(error) => anyhow::anyhow!(error).context(format!("the {name} task panicked")),
    }
}

fn session_settings(config: &Config) -> session::Settings {
    session::Settings {
        phone_number: config.session.phone_number.clone(),
        qr_prefix: config.session.qr_prefix,
        stay_available: config.session.stay_available,
        role: config.session.role,
        rank: config.session.rank,
        production_numbers: config.session.production_numbers.clone(),
        ..session::Settings::new(config.session.endpoint.clone())
    }
}

async fn quit(quit: Option<oneshot::Receiver<()>>) {
    match quit {
        Some(quit) => {
            if quit.await.is_err() {
                // A board that is gone has nobody at its keyboard.
                std::future::pending().await
            }
        }
        None => std::future::pending().await,
    }
}

async fn until_true(mut flag: watch::Receiver<bool>) {
    // A sender that is gone counts as true: whoever could have told has ended.
    let _ = flag.wait_for(|flag| *flag).await;
}

/// Ready when the service manager or a person at the terminal wants the process to end.
///
/// # Errors
/// When the signals cannot be watched.
pub fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
