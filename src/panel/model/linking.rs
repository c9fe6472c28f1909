//! What is shown of the codes to link with, and for how long.

use std::time::Duration;

use tokio::time::Instant;

use super::super::qr::Qr;
use super::super::screen::{Countdown, Screen};
use super::{Model, seconds_up};
use crate::session::link::{Code, Link, Linking, Passkey};

/// How long it is said that the phone may be full, where that takes the code's place: a tenth of the
/// life of a round's first code.
const FULL_STAYS: Duration = Duration::from_secs(6);

impl Model {
    pub(super) fn linking(&self, linking: &Linking, now: Instant) -> (Screen, Option<Instant>) {
        if let Some(trouble) = linking.trouble {
            return (Screen::Trouble(trouble), None);
        }
        let to_type = alive(linking.pairing_code.as_ref(), now);
        let to_scan = self.scannable(linking, now);
        if let Some(until) = self.full_until.filter(|until| now < *until)
            && !self.has_room_beside(linking, now)
        {
            return (Screen::PhoneFull, Some(until));
        }
        match (to_scan, to_type) {
            (None, Some(code)) => self.typed_code(code, now),
            (Some(_), Some(code)) if self.typed => self.typed_code(code, now),
            (Some((code, qr)), _) => {
                let (left, next) = self.countdown(code, now);
                let qr = qr.clone();
                let maybe_full = linking.maybe_full;
                let screen = Screen::Linking {
                    qr,
                    left,
                    maybe_full,
                };
                (screen, Some(next))
            }
            (None, None) => {
                let unseen = alive(linking.qr.as_ref(), now);
                match (unseen, self.had_code) {
                    (Some(code), _) => (Screen::TooSmall, Some(code.expires)),
                    (None, true) => (Screen::Expired, None),
                    (None, false) => (Screen::Preparing, None),
                }
            }
        }
    }

    /// A new round of codes, and those before it were not scanned: until when that is told.
    pub(super) fn full_until(&self, link: &Link) -> Option<Instant> {
        let code = |link: &Link| match link {
            Link::Linking(linking) => linking.qr.clone().or(linking.pairing_code.clone()),
            _ => None,
        };
        let Link::Linking(linking) = link else {
            return None;
        };
        match (code(&self.link), code(link)) {
            (None, Some(code)) if linking.maybe_full => {
                let came = code.expires.checked_sub(code.lifetime)?;
                Some(came + FULL_STAYS)
            }
            _ => self.full_until,
        }
    }

    /// The same is said beside the code, all the time.
    fn has_room_beside(&self, linking: &Linking, now: Instant) -> bool {
        let place = self
            .scannable(linking, now)
            .filter(|_| !self.typed)
            .and_then(|(_, qr)| qr.place(&self.settings.glass));
        place.is_some_and(|place| place.beside.is_some())
    }

    fn typed_code(&self, code: &Code, now: Instant) -> (Screen, Option<Instant>) {
        let (left, next) = self.countdown(code, now);
        let code = code.text.clone();
        let page = self.own_page.clone();
        (Screen::PairingCode { code, left, page }, Some(next))
    }

    pub(super) fn passkey(&self, passkey: &Passkey, now: Instant) -> (Screen, Option<Instant>) {
        match passkey {
            Passkey::Wanted(_) => (Screen::PasskeyWanted, None),
            Passkey::Compare(code) if alive(Some(code), now).is_some() => {
                let (left, next) = self.countdown(code, now);
                let code = code.text.clone();
                (Screen::PasskeyCode { code, left }, Some(next))
            }
            Passkey::Checking { .. } | Passkey::Compare(_) => (Screen::PasskeyChecking, None),
        }
    }

    /// The code to scan, if it is alive and this glass can show it.
    pub(super) fn scannable<'a>(
        &'a self,
        linking: &'a Linking,
        now: Instant,
    ) -> Option<(&'a Code, &'a Qr)> {
        let code = alive(linking.qr.as_ref(), now)?;
        let (_, qr) = self.qr.as_ref()?;
        qr.place(&self.settings.glass).map(|_| (code, qr))
    }

    fn countdown(&self, code: &Code, now: Instant) -> (Countdown, Instant) {
        let of = seconds_up(code.lifetime);
        if !self.settings.glass.countdown {
            return (Countdown { seconds: of, of }, code.expires);
        }
        let seconds = seconds_up(code.expires.saturating_duration_since(now));
        let later = Duration::from_secs(u64::from(seconds.saturating_sub(1)));
        let tick = code.expires.checked_sub(later).unwrap_or(code.expires);
        (Countdown { seconds, of }, tick)
    }
}

pub(super) fn alive(code: Option<&Code>, now: Instant) -> Option<&Code> {
    code.filter(|code| now < code.expires)
}
