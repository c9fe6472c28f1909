//! A glass whose dots wear out as they glow must not show the same picture for days. One that
//! stands is dimmed after a while, and the one of a linked box, which stands longest, makes way for
//! a word that wanders. Whatever happens, and whoever presses, brings it back.

use std::time::Duration;

use tokio::time::Instant;

use super::screen::Screen;

/// How long a picture may stand.
const STANDS: Duration = Duration::from_secs(5 * 60);
/// How long the word stays in one place.
const RESTS: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug, Default)]
pub struct Saver {
    /// Whether this glass wears out at all.
    wears: bool,
    /// The screen as it is, and since when it stands.
    standing: Option<(Screen, Instant)>,
}

/// A screen as the saver lets it through.
#[derive(Debug)]
pub struct Saved {
    /// What is shown.
    pub screen: Screen,
    /// It has stood for long: dots are to glow as little as they can.
    pub stood: bool,
    /// When it changes by itself.
    pub next: Option<Instant>,
}

impl Saver {
    /// For a glass that wears out, or one that does not.
    pub fn new(wears: bool) -> Self {
        Self {
            wears,
            standing: None,
        }
    }

    /// Somebody is there.
    pub fn wake(&mut self) {
        self.standing = None;
    }

    /// What is shown of a screen.
    pub fn pass(&mut self, screen: Screen, now: Instant) -> Saved {
        let mut saved = Saved {
            screen,
            stood: false,
            next: None,
        };
        if !self.wears {
            return saved;
        }
        let since = match &self.standing {
            Some((screen, since)) if *screen == saved.screen => *since,
            _ => {
                self.standing = Some((saved.screen.clone(), now));
                now
            }
        };
        let Some(slept) = now.checked_duration_since(since + STANDS) else {
            saved.next = Some(since + STANDS);
            return saved;
        };
        saved.stood = true;
        if let Screen::Online(online) = &saved.screen {
            let turn = slept.as_secs() / RESTS.as_secs();
            let place = u8::try_from(turn % u64::from(Screen::PLACES)).unwrap_or(0);
            let warned = online.warning.is_some();
            saved.screen = Screen::Asleep { place, warned };
            let turns = u32::try_from(turn + 1).unwrap_or(u32::MAX);
            saved.next = RESTS.checked_mul(turns).map(|rest| since + STANDS + rest);
        }
        saved
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::hardware::{Depth, Glass};
    use crate::panel::{Language, Look, samples};

    fn online() -> Screen {
        let all = samples();
        all.into_iter()
            .find(|(name, _)| *name == "online")
            .unwrap()
            .1
    }

    #[test]
    fn the_online_screen_makes_way_for_a_word_that_wanders_and_comes_back_with_anything() {
        let began = Instant::now();
        let mut saver = Saver::new(true);
        let first = saver.pass(online(), began);
        assert_eq!((first.screen, first.stood), (online(), false));
        assert_eq!(first.next, Some(began + STANDS));
        let mut places = Vec::new();
        let mut now = began + STANDS;
        for _ in 0..Screen::PLACES {
            let saved = saver.pass(online(), now);
            let Screen::Asleep { place, .. } = saved.screen else {
                panic!("it stood")
            };
            places.push(place);
            assert_eq!(saved.next, Some(now + RESTS));
            now += RESTS;
        }
        assert_eq!(places, Vec::from_iter(0..Screen::PLACES));
        let Screen::Online(mut busier) = online() else {
            panic!("not the screen that was asked for")
        };
        busier.today = None;
        let busier = Screen::Online(busier);
        assert_eq!(saver.pass(busier.clone(), now).screen, busier);
        now += STANDS;
        assert_eq!(saver.pass(busier.clone(), now).screen.name(), "asleep");
        saver.wake();
        assert_eq!(saver.pass(busier.clone(), now).screen, busier);
    }

    #[test]
    fn other_screens_that_stand_keep_their_words_and_glow_less() {
        let began = Instant::now();
        let mut saver = Saver::new(true);
        assert!(!saver.pass(Screen::Resting, began).stood);
        let saved = saver.pass(Screen::Resting, began + STANDS);
        assert!(saved.stood);
        assert_eq!((saved.screen, saved.next), (Screen::Resting, None));
    }

    #[test]
    fn glass_that_does_not_wear_is_left_alone() {
        let began = Instant::now();
        let mut saver = Saver::new(false);
        saver.pass(online(), began);
        let saved = saver.pass(online(), began + STANDS * 100);
        assert_eq!(
            (saved.screen, saved.stood, saved.next),
            (online(), false, None)
        );
    }

    #[test]
    fn over_a_round_every_dot_glows_less_than_a_fourth_of_the_time() {
        let glass = Glass {
            depth: Depth::Mono,
            ..Glass::colour(embedded_graphics::geometry::Size::new(128, 64))
        };
        for language in [Language::Es, Language::En] {
            let look = Look { glass, language };
            let frames: Vec<_> = (0..Screen::PLACES)
                .map(|place| {
                    let warned = place % 2 == 0;
                    crate::panel::draw::draw(&Screen::Asleep { place, warned }, &look).frame
                })
                .collect();
            for y in 0..64 {
                for x in 0..128 {
                    let lit = frames.iter().filter(|frame| frame.grey(x, y) > 127);
                    assert!(lit.count() <= 1, "{x}, {y}");
                }
            }
        }
    }
}
