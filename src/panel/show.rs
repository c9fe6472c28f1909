//! What the glass gets to see of the model: spared where it would wear out, dimmed at night, and
//! drawn only when it differs from what is there.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use super::draw::{self, Look};
use super::light::Dimmer;
use super::model::{Model, Picture};
use super::saver::Saver;
use super::wall::Wall;
use super::{Settings, first};
use crate::hardware::{ButtonEvent, Frame};

/// See the module.
pub struct Show<'a> {
    frames: &'a watch::Sender<Arc<Frame>>,
    look: Look,
    saver: Saver,
    dimmer: Dimmer,
    /// What was sent last, whether it is to glow less, and how bright it is.
    shown: Option<(Picture, bool, u8)>,
    /// What is shown when the panel breaks off.
    curtain: Arc<Frame>,
}

impl<'a> Show<'a> {
    /// Nothing was sent yet.
    pub fn new(settings: &Settings, frames: &'a watch::Sender<Arc<Frame>>) -> Self {
        Self {
            frames,
            look: settings.look(),
            saver: Saver::new(settings.glass.wears),
            dimmer: Dimmer::new(settings.light.clone()),
            shown: None,
            curtain: first(settings),
        }
    }

    /// Somebody touched the button; what of it the model is to hear.
    pub fn felt(&mut self, event: ButtonEvent, now: Instant) -> ButtonEvent {
        self.saver.wake();
        self.dimmer.felt(event, now)
    }

    /// Sends the picture if it is another one; answers when it changes though nothing happens.
    pub fn show(&mut self, model: &Model, now: Instant, wall: Option<&Wall>) -> Option<Instant> {
        let (picture, next) = model.picture(now, wall.map(|wall| &wall.time));
        let saved = self.saver.pass(picture.screen, now);
        let (light, turns) = self.dimmer.level(&saved.screen, now, wall);
        let touched = picture.touched;
        let screen = saved.screen;
        let next_look = (Picture { screen, touched }, saved.stood, light);
        if self.shown.as_ref() != Some(&next_look) {
            let (picture, stood, light) = &next_look;
            let mut drawn = draw::draw_picture(picture, &self.look);
            for fault in &drawn.faults {
                tracing::debug!(screen = picture.screen.name(), fault, "it did not fit");
            }
            drawn.frame.calm |= *stood;
            drawn.frame.light = *light;
            self.frames.send_replace(Arc::new(drawn.frame));
            self.shown = Some(next_look);
        }
        [next, saved.next, turns].into_iter().flatten().min()
    }
}

impl Drop for Show<'_> {
    /// A panel that panicked may be away for a minute, and a code must not outlive its time.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.frames.send_replace(Arc::clone(&self.curtain));
        }
    }
}
