//! Days of a link, and the mails they cost.

use super::*;
use crate::history::What;

const OFFLINE_AFTER: u64 = 900;
const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

const DOWN: Condition = Condition::Down(What::Connecting);
const CONFLICT: Condition = Condition::Grave {
    kind: Kind::Conflict,
    code: None,
    until: None,
};
const UNLINKED: Condition = Condition::Grave {
    kind: Kind::Unlinked,
    code: None,
    until: None,
};

struct Owner {
    plan: Plan,
    now: Moment,
    told: Vec<(Moment, Kind)>,
    notices: Vec<Notice>,
}

impl Owner {
    fn new() -> Self {
        Self {
            plan: Plan::new(Duration::from_secs(OFFLINE_AFTER), State::default()),
            now: 0,
            told: Vec::new(),
            notices: Vec::new(),
        }
    }

    fn linked() -> Self {
        let mut owner = Self::new();
        owner.sees(Condition::Well);
        owner.waits(HOUR);
        assert!(owner.told.is_empty());
        owner
    }

    fn stamp(&self) -> Stamp {
        Stamp {
            boot: 1,
            uptime: self.now,
            clock: i64::try_from(self.now).unwrap_or(i64::MAX),
            sure: true,
        }
    }

    fn hears(&mut self) {
        for notice in self.plan.take() {
            self.told.push((self.now, notice.kind()));
            self.notices.push(notice);
        }
    }

    fn sees(&mut self, condition: Condition) {
        let stamp = self.stamp();
        self.plan.observe(condition, self.now, stamp);
        self.hears();
    }

    /// Lets time pass, waking only when the plan wants to be woken.
    fn waits(&mut self, seconds: u64) {
        let until = self.now + seconds;
        while let Some(due) = self.plan.due().filter(|due| *due <= until) {
            assert!(due >= self.now, "time goes forward");
            self.now = due;
            let (now, stamp) = (self.now, self.stamp());
            self.plan.pass(now, stamp);
            assert_ne!(self.plan.due(), Some(due), "it would wake for ever");
            self.hears();
        }
        self.now = until;
    }

    fn kinds(&self) -> Vec<Kind> {
        self.told.iter().map(|(_, kind)| *kind).collect()
    }
}

#[test]
fn offline_is_told_after_the_time_the_owner_chose_and_its_end_after_a_steady_minute() {
    let mut owner = Owner::linked();
    let began = owner.now;
    owner.sees(DOWN);
    owner.waits(OFFLINE_AFTER - 1);
    assert!(owner.told.is_empty());
    owner.waits(HOUR);
    owner.sees(Condition::Well);
    let back = owner.now;
    owner.waits(2 * HOUR);
    let offline = (began + OFFLINE_AFTER, Kind::Offline);
    assert_eq!(owner.told, [offline, (back + STEADY, Kind::Normal)]);
    assert_eq!(owner.notices[1].since, owner.notices[0].since);
    assert_eq!(owner.plan.due(), None, "a calm box sleeps");
}

#[test]
fn a_short_outage_is_nobodys_business() {
    let mut owner = Owner::linked();
    for _ in 0..50 {
        owner.sees(DOWN);
        owner.waits(OFFLINE_AFTER - 60);
        owner.sees(Condition::Well);
        owner.waits(HOUR);
    }
    assert!(owner.told.is_empty());
}

#[test]
fn a_link_that_comes_for_seconds_only_is_offline() {
    let mut owner = Owner::linked();
    for _ in 0..10 {
        owner.sees(DOWN);
        owner.waits(2 * MINUTE);
        owner.sees(Condition::Well);
        owner.waits(10);
    }
    assert_eq!(owner.kinds(), [Kind::Offline]);
}

#[test]
fn a_box_that_was_never_linked_is_not_missed() {
    let mut owner = Owner::new();
    owner.sees(Condition::Down(What::Linking));
    owner.waits(DAY);
    owner.sees(Condition::Down(What::Resting));
    owner.waits(DAY);
    assert!(owner.told.is_empty());
}

#[test]
fn what_a_person_must_mend_is_told_at_once_and_once() {
    let mut owner = Owner::linked();
    let at = owner.now;
    owner.sees(UNLINKED);
    owner.sees(UNLINKED);
    owner.waits(DAY);
    assert_eq!(owner.told, [(at, Kind::Unlinked)]);
    // Somebody presses, and scans after a while: it is the same trouble until it is over.
    owner.sees(Condition::Down(What::Linking));
    owner.waits(HOUR);
    owner.sees(UNLINKED);
    owner.sees(Condition::Well);
    owner.waits(DAY);
    assert_eq!(owner.kinds(), [Kind::Unlinked, Kind::Normal]);
}

#[test]
fn a_link_that_flaps_all_day_costs_a_handful_of_mails() {
    let mut owner = Owner::linked();
    for _ in 0..36 {
        owner.sees(DOWN);
        owner.waits(20 * MINUTE);
        owner.sees(Condition::Well);
        owner.waits(20 * MINUTE);
    }
    let kinds = owner.kinds();
    assert_eq!(kinds[..3], [Kind::Offline, Kind::Normal, Kind::Summary]);
    assert!(kinds[2..].iter().all(|kind| *kind == Kind::Summary));
    assert!((5..=9).contains(&kinds.len()), "{} mails", kinds.len());
    // Nothing is lost in the counting: what was not told by itself is in a summary.
    owner.waits(DAY);
    let counted: u32 = owner
        .notices
        .iter()
        .flat_map(|notice| &notice.counts)
        .filter(|count| count.kind == Kind::Offline as i32)
        .map(|count| count.times)
        .sum();
    assert_eq!(counted, 35);
    let last = owner.notices.last();
    assert_eq!(
        last.map(|notice| notice.now),
        Some(None),
        "and all is well now"
    );
    // After a calm time the next outage is told at once again.
    let before = owner.told.len();
    owner.sees(DOWN);
    owner.waits(OFFLINE_AFTER);
    assert_eq!(owner.told.len(), before + 1);
}

#[test]
fn something_new_is_not_held_back_by_what_flaps() {
    let mut owner = Owner::linked();
    for _ in 0..6 {
        owner.sees(DOWN);
        owner.waits(20 * MINUTE);
        owner.sees(Condition::Well);
        owner.waits(5 * MINUTE);
    }
    let at = owner.now;
    owner.sees(CONFLICT);
    assert_eq!(owner.told.last(), Some(&(at, Kind::Conflict)));
}

#[test]
fn a_conflict_that_is_won_and_lost_again_is_summed_up() {
    let mut owner = Owner::linked();
    for _ in 0..3 {
        owner.sees(CONFLICT);
        owner.waits(5 * MINUTE);
        owner.sees(Condition::Well);
        owner.waits(5 * MINUTE);
    }
    owner.sees(CONFLICT);
    owner.waits(2 * HOUR);
    assert_eq!(owner.kinds(), [Kind::Conflict, Kind::Normal, Kind::Summary]);
    let summary = &owner.notices[2];
    assert_eq!(summary.now, Some(Kind::Conflict as i32), "and still is");
    assert_eq!(summary.counts[0].times, 3);
}

#[test]
fn a_process_that_is_restarted_all_the_time_tells_it_once() {
    let mut owner = Owner::linked();
    owner.sees(CONFLICT);
    for _ in 0..20 {
        let state = owner.plan.state().clone();
        owner.plan = Plan::new(Duration::from_secs(OFFLINE_AFTER), state);
        owner.sees(Condition::Unknown);
        owner.sees(CONFLICT);
        owner.waits(MINUTE);
    }
    assert_eq!(owner.kinds(), [Kind::Conflict]);
}

#[test]
fn no_link_however_mad_gets_more_than_a_few_mails_a_day() {
    let mut seed = 7_u64;
    let mut owner = Owner::linked();
    let conditions = [Condition::Well, DOWN, CONFLICT, UNLINKED, Condition::Well];
    while owner.now < 20 * DAY {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let pick = usize::try_from(seed >> 33).unwrap_or(0);
        owner.sees(conditions[pick % conditions.len()]);
        owner.waits((seed >> 20) % (30 * MINUTE));
    }
    for day in 0..20 {
        let of_day = owner.told.iter().filter(|(at, _)| at / DAY == day).count();
        assert!(of_day <= 16, "{of_day} mails on day {day}");
    }
}
