//! The panel as a task that may break off: what a new start of it needs is kept here and lent.

use std::sync::Arc;

use tokio::sync::{Mutex, watch};

use crate::hardware::{Button, Frame};
use crate::panel::{self, Inputs, Settings};
use crate::session::Handle;
use crate::supervisor::Supervisor;

/// Runs the panel for as long as the tasks run. One that panics shows the first picture again and
/// starts anew: the button's edges and the way to the display outlive it, and so does the link.
pub fn run(
    tasks: &mut Supervisor,
    inputs: Inputs,
    (button, frames): (Button, watch::Sender<Arc<Frame>>),
    session: Handle,
    settings: Settings,
) {
    let lent = Arc::new((Mutex::new(button), frames));
    tasks.restarting("panel", move || {
        let (inputs, settings) = (inputs.clone(), settings.clone());
        let (lent, session) = (lent.clone(), session.clone());
        async move {
            let (button, frames) = &*lent;
            let mut button = button.lock().await;
            panel::run(inputs, &mut button, session, frames, settings).await;
            Ok(())
        }
    });
}
