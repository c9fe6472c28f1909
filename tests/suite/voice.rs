//! Two boxes on one number, linked as two companions, and the one voice they have. Each row of
//! the table is a test: what is cut off, how many answers the customer's phone showed, and how
//! many deliveries that took, repetitions counted. Longer than 400 lines, so that the table stands
//! above its rows.
//!
//! | fault | shown | delivered |
//! |---|---|---|
//! | none | 1 | 1 |
//! | the primary is off, then back | 1 | 1 |
//! | the secondary is off, then back | 1 | 1 |
//! | both are off, then back | 1 | 1 |
//! | a connection is dropped: the primary's, the secondary's, both | 1 | 1 |
//! | the primary's connection is half open, and it may come back at once | 1 | 1 |
//! | the primary's connection is half open, and it may not come back for longer than the window | 1 | 1 |
//! | the secondary's connection is half open | 1 | 1 |
//! | the primary hears late, by less than the window | 1 | 1 |
//! | the secondary hears late | 1 | 1 |
//! | the primary hears late, by more than the window: it looks like one that is gone | 1 | 2 |
//! | the primary's acknowledgements are withheld | 1 | 1 |
//! | the primary's messages are refused | 1 | 1 |
//! | the secondary gets the answer before the message | 1 | 1 |
//! | everything comes twice | 1 | 1 |
//! | the primary was removed on the phone | 1 | 1 |
//!
//! Answers that cross on their way are met by the seeded stories in `bot/voice/matrix.rs`; there
//! the moment can be chosen.

use std::time::Duration;

use tempfile::TempDir;
use whatsim::{Fault, Kind};

use crate::process::BoxProcess;
use crate::town::{ANA, ECHO, LUIS, SHOP, Town, shown};

/// The secondary waits so long, in earnest: a service time of seconds allows no less.
const WINDOW: Duration = Duration::from_secs(6);

/// Where a box must find out by itself that its connection is dead, its session's time passes
/// faster; much more and a busy machine loses connections.
const SCALE: &str = "25";

/// Two boxes of one shop. `None` is switched off.
struct Pair {
    town: Town,
    second: TempDir,
    primary: Option<BoxProcess>,
    secondary: Option<BoxProcess>,
    /// The numbers of the two among the shop's devices.
    devices: [u16; 2],
    hurried: bool,
}

const PRIMARY: usize = 0;
const SECONDARY: usize = 1;

impl Pair {
    async fn linked() -> Self {
        let town = Town::with(&format!("{ECHO}\n[link]\nrank = \"primary\"\n")).await;
        let second = tempfile::tempdir().unwrap();
        let config = format!(
            "{ECHO}\n[link]\nrank = \"secondary\"\n[bot]\ntakeover_after = \"{}s\"\n",
            WINDOW.as_secs()
        );
        std::fs::write(second.path().join("vinculo.toml"), config).unwrap();
        let mut pair = Self {
            town,
            second,
            primary: None,
            secondary: None,
            devices: [0; 2],
            hurried: false,
        };
        pair.start_primary();
        pair.devices[PRIMARY] = pair.scan(pair.primary.as_ref().unwrap()).await;
        pair.start_secondary();
        pair.devices[SECONDARY] = pair.scan(pair.secondary.as_ref().unwrap()).await;
        pair.voices("speaks", "listens");
        pair
    }

    /// Both with a session whose time passes faster. Linking is left at its own pace.
    async fn hurried() -> Self {
        let mut pair = Self::linked().await;
        for running in [pair.primary.take(), pair.secondary.take()] {
            running.unwrap().terminate();
        }
        pair.hurried = true;
        pair.start_primary();
        pair.start_secondary();
        pair.voices("speaks", "listens");
        pair
    }

    fn pace(&self) -> &'static [&'static str] {
        if self.hurried {
            &["--time-scale", SCALE]
        } else {
            &[]
        }
    }

    async fn scan(&self, running: &BoxProcess) -> u16 {
        let device = self.town.sim.scan(SHOP, &running.wait_qr()).await.unwrap();
        running.wait_link("online");
        device
    }

    fn start_primary(&mut self) {
        self.primary = Some(self.town.start_with(self.pace()));
    }

    fn start_secondary(&mut self) {
        let config = self.second.path().join("vinculo.toml");
        let more = [&["--config", config.to_str().unwrap()], self.pace()].concat();
        let dir = self.second.path().join("state");
        self.secondary = Some(BoxProcess::start(&self.town.sim.ws_url(), &dir, &more));
    }

    fn primary(&self) -> &BoxProcess {
        self.primary.as_ref().unwrap()
    }

    fn secondary(&self) -> &BoxProcess {
        self.secondary.as_ref().unwrap()
    }

    fn voices(&self, primary: &str, secondary: &str) {
        for (running, voice) in [(self.primary(), primary), (self.secondary(), secondary)] {
            running.wait(voice, |status| {
                status["link"] == "online" && status["voice"] == voice
            });
        }
    }

    fn strike(&self, which: usize, kind: Kind) -> Fault {
        Fault::new(kind).on(SHOP).device(self.devices[which])
    }

    fn fault(&self, fault: Fault) {
        self.town.sim.fault(fault).unwrap();
    }

    fn ask(&self, who: &str, text: &str) {
        self.town.sim.send_text(who, SHOP, text).unwrap();
    }

    /// Waits until each of these texts is answered on the phone.
    async fn answered(&self, who: &str, texts: &[&str]) {
        let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
        self.town.answered(who, &texts).await;
    }

    fn deliveries(&self, who: &str) -> u32 {
        let inbox = self.town.sim.inbox(who).unwrap();
        inbox.iter().map(|entry| entry.deliveries).sum()
    }

    /// For longer than any of the boxes waits, nothing more comes.
    async fn silence(&self) {
        let count = |view: &mut whatsim::View<'_>| -> u32 {
            let inboxes = [ANA, LUIS].into_iter().flat_map(|who| view.inbox(who));
            inboxes.map(|entry| entry.deliveries).sum()
        };
        let before = self.deliveries(ANA) + self.deliveries(LUIS);
        let sim = &self.town.sim;
        let more = sim.until(|view| (count(view) > before).then_some(()));
        let quiet = tokio::time::timeout(WINDOW * 3 / 2, more).await;
        assert!(quiet.is_err(), "another answer came");
    }

    /// One answer to each text on Ana's phone, in so many deliveries, and nothing after it.
    async fn comes_to(&self, texts: &[&str], deliveries: u32) {
        self.answered(ANA, texts).await;
        self.silence().await;
        self.answered(ANA, texts).await;
        assert_eq!(self.deliveries(ANA), deliveries);
        let counters = self.town.sim.counters();
        assert!(counters.unknown.is_empty(), "{:?}", counters.unknown);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_both_connected_the_primary_answers_and_the_secondary_never() {
    let pair = Pair::linked().await;
    for text in ["uno", "dos", "tres"] {
        pair.ask(ANA, text);
    }
    pair.comes_to(&["uno", "dos", "tres"], 3).await;
    pair.voices("speaks", "listens");
    let screen = pair.secondary().status().unwrap();
    assert_eq!(screen["outbox"]["pending"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secondary_takes_over_from_a_primary_that_is_off_and_steps_back() {
    let mut pair = Pair::linked().await;
    pair.ask(ANA, "antes");
    pair.answered(ANA, &["antes"]).await;
    pair.primary.take().unwrap().terminate();
    pair.ask(ANA, "solo");
    pair.answered(ANA, &["antes", "solo"]).await;
    pair.secondary()
        .wait("it speaks", |status| status["voice"] == "speaks");
    pair.ask(ANA, "otra");
    pair.answered(ANA, &["antes", "solo", "otra"]).await;
    // It finds in its backlog what was asked, and that it was answered.
    pair.start_primary();
    pair.primary().wait_link("online");
    pair.ask(ANA, "vuelve");
    pair.comes_to(&["antes", "solo", "otra", "vuelve"], 4).await;
    pair.voices("speaks", "listens");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secondary_that_was_off_has_nothing_to_add() {
    let mut pair = Pair::linked().await;
    pair.secondary.take().unwrap().terminate();
    pair.ask(ANA, "uno");
    pair.answered(ANA, &["uno"]).await;
    pair.start_secondary();
    pair.voices("speaks", "listens");
    pair.comes_to(&["uno"], 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_both_were_off_the_primary_answers_what_waited() {
    let mut pair = Pair::linked().await;
    pair.primary.take().unwrap().terminate();
    pair.secondary.take().unwrap().terminate();
    pair.ask(ANA, "uno");
    pair.ask(ANA, "dos");
    pair.start_primary();
    pair.primary().wait_link("online");
    pair.start_secondary();
    pair.comes_to(&["uno", "dos"], 2).await;
    pair.voices("speaks", "listens");
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_connections_cost_no_answer_and_double_none() {
    let pair = Pair::linked().await;
    let mut texts = Vec::new();
    for (text, which) in [
        ("uno", vec![PRIMARY]),
        ("dos", vec![SECONDARY]),
        ("tres", vec![PRIMARY, SECONDARY]),
    ] {
        for which in which {
            pair.fault(pair.strike(which, Kind::Drop));
        }
        pair.ask(ANA, text);
        texts.push(text);
        pair.answered(ANA, &texts).await;
    }
    pair.comes_to(&texts, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_primary_is_back_before_the_window_ends() {
    let pair = Pair::hurried().await;
    pair.fault(pair.strike(PRIMARY, Kind::Stall));
    pair.ask(ANA, "uno");
    pair.comes_to(&["uno"], 1).await;
    pair.voices("speaks", "listens");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_primary_that_may_not_come_back_is_replaced() {
    let pair = Pair::hurried().await;
    pair.fault(pair.strike(PRIMARY, Kind::RefuseLogin));
    pair.fault(pair.strike(PRIMARY, Kind::Stall));
    pair.ask(ANA, "uno");
    pair.answered(ANA, &["uno"]).await;
    pair.secondary()
        .wait("it speaks", |status| status["voice"] == "speaks");
    pair.fault(pair.strike(PRIMARY, Kind::Clear));
    pair.primary().wait_link("online");
    pair.comes_to(&["uno"], 1).await;
    pair.ask(ANA, "dos");
    pair.comes_to(&["uno", "dos"], 2).await;
    pair.voices("speaks", "listens");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_secondary_stays_silent() {
    let pair = Pair::hurried().await;
    pair.fault(pair.strike(SECONDARY, Kind::Stall));
    pair.ask(ANA, "uno");
    pair.comes_to(&["uno"], 1).await;
    pair.voices("speaks", "listens");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_hears_a_little_late_is_waited_for() {
    let pair = Pair::linked().await;
    // Each of the service's stanzas is: those that it must ask for before it can answer as well.
    let late = pair.strike(PRIMARY, Kind::Delay).delay_ms(500);
    pair.fault(late);
    pair.ask(ANA, "uno");
    pair.comes_to(&["uno"], 1).await;
    pair.fault(pair.strike(PRIMARY, Kind::Clear));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secondary_that_hears_late_stays_silent() {
    let pair = Pair::linked().await;
    pair.fault(pair.strike(SECONDARY, Kind::Delay).delay_ms(2_000));
    pair.ask(ANA, "uno");
    pair.comes_to(&["uno"], 1).await;
}

/// The one fault in which both answer: until its answer arrives, a primary that hears later than
/// the window lasts looks like one that is gone. The phone shows the first of the two.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_hears_later_than_the_window_answers_as_well_and_the_phone_shows_one() {
    let pair = Pair::linked().await;
    let late = WINDOW + Duration::from_secs(3);
    let late = u64::try_from(late.as_millis()).unwrap();
    pair.fault(pair.strike(PRIMARY, Kind::Delay).delay_ms(late));
    pair.ask(ANA, "uno");
    pair.answered(ANA, &["uno"]).await;
    pair.town
        .until("the late one came", |view| {
            view.inbox(ANA).iter().any(|entry| entry.deliveries == 2)
        })
        .await;
    pair.comes_to(&["uno"], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn withheld_acknowledgements_of_the_primary_concern_nobody_else() {
    let pair = Pair::linked().await;
    pair.fault(pair.strike(PRIMARY, Kind::WithholdAcks));
    pair.ask(ANA, "uno");
    pair.comes_to(&["uno"], 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_primary_may_not_say_the_secondary_says() {
    let pair = Pair::linked().await;
    pair.fault(pair.strike(PRIMARY, Kind::RefuseAcks));
    pair.ask(ANA, "uno");
    pair.comes_to(&["uno"], 1).await;
    assert_eq!(pair.secondary().status().unwrap()["voice"], "speaks");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_overtakes_its_message_counts() {
    let pair = Pair::linked().await;
    pair.fault(pair.strike(SECONDARY, Kind::Reorder).times(1));
    pair.ask(ANA, "uno");
    pair.comes_to(&["uno"], 1).await;
    pair.voices("speaks", "listens");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_twice_is_answered_once() {
    let pair = Pair::linked().await;
    for which in [PRIMARY, SECONDARY] {
        pair.fault(pair.strike(which, Kind::Duplicate));
    }
    pair.ask(ANA, "uno");
    pair.ask(ANA, "dos");
    pair.comes_to(&["uno", "dos"], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_was_removed_is_replaced() {
    let pair = Pair::linked().await;
    pair.town
        .sim
        .remove_device(SHOP, pair.devices[PRIMARY])
        .unwrap();
    pair.primary().wait_link("unlinked");
    pair.ask(ANA, "uno");
    pair.comes_to(&["uno"], 1).await;
    assert_eq!(pair.secondary().status().unwrap()["voice"], "speaks");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_owner_answers_by_hand_the_secondary_does_not() {
    let mut pair = Pair::linked().await;
    pair.primary.take().unwrap().terminate();
    pair.ask(ANA, "uno");
    pair.town.sim.send_text(SHOP, ANA, "yo te atiendo").unwrap();
    pair.ask(LUIS, "dos");
    pair.answered(LUIS, &["dos"]).await;
    pair.silence().await;
    assert_eq!(shown(&pair.town.sim, ANA), ["yo te atiendo"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secondary_that_is_killed_while_it_waits_still_answers() {
    let mut pair = Pair::linked().await;
    pair.primary.take().unwrap().terminate();
    pair.ask(ANA, "uno");
    pair.secondary()
        .wait("the question", |status| status["inbox"]["seq"] == 1);
    pair.secondary.take().unwrap().kill();
    pair.start_secondary();
    pair.comes_to(&["uno"], 1).await;
}
