//! The storm: handlers and topology change under load on real Kafka, and a foreign reader counts.
//!
//! Two groups copy a topic, each message with the handler's own version numbers in it, while
//! handlers are edited well and badly, members and groups come and go, and configurations are wrong
//! in between. Afterwards each output is read by a client that knows nothing of deliveryd: every
//! message of each partition must be there once, in order, and no older version after a newer one.
//!
//! The short form is part of `cargo test`. The long form takes about six minutes:
//! `STORM=long cargo test --release --test storm -- --nocapture`.

mod support;

#[path = "storm/edits.rs"]
mod edits;
#[path = "storm/ledger.rs"]
mod ledger;
#[path = "storm/load.rs"]
mod load;
#[path = "storm/scene.rs"]
mod scene;
#[path = "storm/table.rs"]
mod table;
#[path = "storm/vitals.rs"]
mod vitals;

use std::time::{Duration, Instant};

use edits::Edits;
use ledger::Ledger;
use load::Load;
use scene::{Answers, Scene};
use support::Kafka;
use table::Table;
use vitals::Vitals;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
struct Scale {
    name: &'static str,
    /// Messages written a second; each is handled by two groups.
    rate: u32,
    lasts: Duration,
    /// Edits before memory is measured for the first time.
    first_edits: u32,
    edits: u32,
    hangups: u32,
    /// The second measure of memory may be above the first by so many MiB.
    growth: f64,
}

impl Scale {
    fn chosen() -> Scale {
        match std::env::var("STORM").as_deref() {
            Ok("long") => Scale {
                name: "long",
                rate: 20_000,
                lasts: Duration::from_secs(300),
                first_edits: 100,
                edits: 1000,
                hangups: 100,
                growth: 24.0,
            },
            _ => Scale {
                name: "short",
                rate: 1000,
                lasts: Duration::from_secs(20),
                first_edits: 20,
                edits: 80,
                hangups: 14,
                // Too few edits to tell a leak from an allocator that is still growing.
                growth: 64.0,
            },
        }
    }

    /// The part of the time that falls to so many of the edits.
    fn share(&self, edits: u32) -> Duration {
        self.lasts * edits / self.edits
    }

    fn hangups_of(&self, edits: u32) -> u32 {
        (self.hangups * edits / self.edits).max(1)
    }
}

/// Edits and hangups at their own pace, both at once. Returns what the hangups were answered.
fn blow(scene: &Scene<'_>, edits: &mut Edits, count: u32, scale: &Scale, from: u32) -> Answers {
    let (time, hangups) = (scale.share(count), scale.hangups_of(count));
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for _ in paced(count, time) {
                edits.next();
            }
            // The handlers on disk are good when the storm is over.
            edits.mend();
        });
        let mut answers = Answers::default();
        for number in paced(hangups, time) {
            answers.add(scene.hang_up(from + number));
        }
        answers
    })
}

/// `0..count`, each when its time has come.
fn paced(count: u32, within: Duration) -> impl Iterator<Item = u32> {
    let begin = Instant::now();
    (0..count).inspect(move |n| {
        let due = begin + within * *n / count;
        while let Some(left) = due.checked_duration_since(Instant::now()) {
            std::thread::park_timeout(left.min(Duration::from_millis(50)));
        }
    })
}

/// Nothing is lost, repeated or out of order; memory stays flat; threads and descriptors come back.
#[test]
fn a_storm_of_changes_under_load_loses_repeats_and_reorders_nothing() {
    needs_kafka!();
    let scale = Scale::chosen();
    let kafka = Kafka::start(load::broker());
    let scene = Scene::new(&kafka);
    let mut edits = Edits::new(scene.daemon.dir());
    let load = Load::start(&kafka.servers(), scene.inputs(), scale.rate);

    scene.wait_until_calm();
    let before = scene.vitals_at_rest();
    let begin = Instant::now();
    let mut answers = blow(&scene, &mut edits, scale.first_edits, &scale, 0);
    scene.calm_down();
    let early = Vitals::of(&scene.daemon);
    let rest = scale.edits - scale.first_edits;
    let from = scale.hangups_of(scale.first_edits);
    answers += blow(&scene, &mut edits, rest, &scale, from);
    scene.calm_down();
    let took = begin.elapsed();
    let after = scene.wait_until_back_at(&before);

    let written = load.stop();
    scene.wait_until_done();
    let rebalances = scene.rebalances();
    let table = Table::new(scale.name);
    table.scale(
        scale.rate,
        took,
        written.iter().map(|w| w.total()).sum(),
        rebalances,
    );
    table.changes(&edits, &answers);
    scene.stop();

    let mut ledgers = Vec::new();
    for copied in scene::COPIED {
        let expected = &written[copied.input];
        let ledger = Ledger::read(&kafka.servers(), copied.output, expected);
        table.ledger(copied.group, &ledger);
        ledgers.push((copied.group, ledger));
    }
    let waits = edits.waits(&ledgers);
    table.waits(&waits);
    table.vitals(&before, &early, &after, scale.first_edits, scale.edits);

    for (group, ledger) in &ledgers {
        assert_eq!(ledger.faults(), [0, 0, 0, 0], "{group}: {ledger:?}");
    }
    answers.check();
    assert!(after.is_back_at(&before), "{after:?}, before {before:?}");
    let growth = after.memory - early.memory;
    assert!(growth < scale.growth, "memory grew by {growth:.1} MiB");
    // Promised are 200 ms where nothing else wants the machine.
    assert!(
        waits.median() < Duration::from_secs(5),
        "from a save to its first message: {waits:?}"
    );
}
