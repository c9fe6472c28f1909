//! Real buttons: edges of GPIO lines, debounced by the kernel. A chip that is not there is looked
//! for again, and one that goes away too; the box runs without a button meanwhile.

use std::io;
use std::time::Duration;

use gpiocdev::Request;
use gpiocdev::line::{Bias, EdgeDetection, EdgeKind, Value};
use gpiocdev::tokio::AsyncRequest;
use tokio::sync::mpsc;

use super::lines::{CONSUMER, chip, refused};
use super::profile::{ButtonProfile, Pull};
use super::{Button, Edge, PhysicalEdge};
use crate::hardware::button::Key;

/// A level that lasts no longer is the contact's chatter.
const DEBOUNCE: Duration = Duration::from_millis(10);
/// How long to wait before looking again for a chip.
const RETRY: Duration = Duration::from_secs(5);

/// Takes the lines and reads them for as long as somebody listens. Needs a runtime.
pub fn open(profile: &ButtonProfile) -> Button {
    let lines = request(profile);
    let first = lines.as_ref().map_or(Edge::Up, |(_, edge)| *edge);
    let (button, edges) = Button::contact(first);
    let lines = match lines {
        Ok((lines, _)) => Some(lines),
        Err(error) => {
            tracing::warn!(%error, "there is no button; it is looked for again");
            None
        }
    };
    tokio::spawn(watch(profile.clone(), lines, edges));
    button
}

/// Asks the kernel for the lines, and answers how the button is.
fn request(profile: &ButtonProfile) -> io::Result<(AsyncRequest, Edge)> {
    let bias = match profile.pull {
        Pull::Up => Bias::PullUp,
        Pull::Down => Bias::PullDown,
        Pull::Off => Bias::Disabled,
    };
    let mut offsets = vec![profile.line];
    offsets.extend(profile.next);
    offsets.extend(profile.back);
    let mut builder = Request::builder();
    builder
        .on_chip(chip(&profile.chips)?)
        .with_consumer(CONSUMER)
        .with_lines(&offsets)
        .as_input()
        .with_bias(bias)
        .with_debounce_period(DEBOUNCE)
        .with_edge_detection(EdgeDetection::BothEdges);
    match profile.active_low {
        true => builder.as_active_low(),
        false => builder.as_active_high(),
    };
    let refused = |error: gpiocdev::Error| refused(profile.line, &error);
    let lines = builder.request().map_err(refused)?;
    let first = match lines.value(profile.line).map_err(refused)? {
        Value::Active => Edge::Down,
        Value::Inactive => Edge::Up,
    };
    Ok((AsyncRequest::new(lines), first))
}

async fn watch(
    profile: ButtonProfile,
    mut lines: Option<AsyncRequest>,
    edges: mpsc::Sender<PhysicalEdge>,
) {
    loop {
        tokio::select! {
            () = edges.closed() => return,
            () = read(&profile, &mut lines, &edges) => {}
        }
    }
}

/// Passes edges on until the lines fail, or looks for them once.
async fn read(
    profile: &ButtonProfile,
    lines: &mut Option<AsyncRequest>,
    edges: &mpsc::Sender<PhysicalEdge>,
) {
    let Some(open) = lines else {
        tokio::time::sleep(RETRY).await;
        // One that is down now was not pressed while we looked: its next edge counts.
        if let Ok((found, _)) = request(profile) {
            tracing::info!("the button is there");
            *lines = Some(found);
        }
        return;
    };
    match open.read_edge_event().await {
        Ok(event) => {
            if let Some((key, edge)) = meaning(profile, event.offset, event.kind)
                && edges.try_send(PhysicalEdge::of(key, edge)).is_err()
            {
                tracing::debug!("nobody reads the button");
            }
        }
        Err(error) => {
            tracing::warn!(%error, "the button went away; it is looked for again");
            *lines = None;
        }
    }
}

/// An edge as the kernel tells it, active-low lines already turned round.
fn meaning(profile: &ButtonProfile, line: u32, kind: EdgeKind) -> Option<(Key, Edge)> {
    let edge = match kind {
        EdgeKind::Rising => Edge::Down,
        EdgeKind::Falling => Edge::Up,
    };
    let keys = [
        (Some(profile.line), Key::Main),
        (profile.next, Key::Next),
        (profile.back, Key::Back),
    ];
    let (_, key) = keys.into_iter().find(|(of, _)| *of == Some(line))?;
    Some((key, edge))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::hardware::profile;

    #[test]
    fn lines_are_told_apart() {
        let hat = profile("lcd-hat-1in3").unwrap().button.unwrap();
        let told = |line, kind| meaning(&hat, line, kind);
        assert_eq!(told(21, EdgeKind::Rising), Some((Key::Main, Edge::Down)));
        assert_eq!(told(20, EdgeKind::Falling), Some((Key::Next, Edge::Up)));
        assert_eq!(told(16, EdgeKind::Rising), Some((Key::Back, Edge::Down)));
        assert_eq!(told(3, EdgeKind::Rising), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_chip_that_is_not_there_leaves_a_button_that_is_never_pressed() {
        let mut hat = profile("oled-0in96").unwrap().button.unwrap();
        hat.chips = vec!["no chip has this label".into()];
        let mut button = open(&hat);
        let minute = Duration::from_secs(60);
        assert!(tokio::time::timeout(minute, button.event()).await.is_err());
    }
}
