//! Chaos: daemons, brokers and the lines between them are struck under load, and a foreign reader counts.
//!
//! Three daemons in one group copy a topic of six partitions on three brokers, each message enriched,
//! at 4,000 keyed messages a second. In rounds, faults of one kind strike; in the last, all of them,
//! mixed by a seeded schedule. A `read_committed` reader that knows nothing of deliveryd enters what
//! comes out, and after each round everything that was written must be there, in order per key, the
//! poison and nothing else among the dead letters, and nothing twice where that is promised.
//!
//! The short form is part of `cargo test`; of its times nothing is demanded. The long form lasts as
//! long as it is told: `CHAOS=30m cargo test --release --test chaos -- --nocapture`.

mod support;

#[path = "chaos/faults.rs"]
mod faults;
#[path = "chaos/ledger.rs"]
mod ledger;
#[path = "chaos/load.rs"]
mod load;
#[path = "chaos/round.rs"]
mod round;
#[path = "chaos/scale.rs"]
mod scale;
#[path = "chaos/scene.rs"]
mod scene;
#[path = "chaos/table.rs"]
mod table;

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rand::SeedableRng;

use faults::Striker;
use ledger::Ledger;
use load::Load;
use scale::Scale;
use scene::{Mode, Scene};

/// All rounds in one mode.
fn chaos(mode: Mode) {
    // Both modes want the whole machine.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let scale = Scale::chosen();
    if !scale.has(mode) {
        return;
    }
    let scene = Scene::new(mode, &scale);
    let epoch = Instant::now();
    let servers = scene.kafka.servers();
    let load = Load::start(&servers, &scene.topics.input, scale.rate, epoch);
    let ledger = Ledger::open(&servers, &scene.topics, epoch);
    scene::rest(scale.warm);
    scene.settle();

    table::begin(&scale, mode);
    let mut striker = Striker {
        scene: &scene,
        load: &load,
        scale: &scale,
        epoch,
        dice: SeedableRng::seed_from_u64(scale.seed),
    };
    let mut outcomes = Vec::new();
    for round in &scale.rounds {
        let outcome = round::run(*round, &mut striker, &ledger);
        table::row(&outcome);
        outcomes.push(outcome);
    }
    table::total(&outcomes);

    let written = load.stop();
    let missing = round::wait_for_all(&written, &ledger);
    let promises = outcomes
        .iter()
        .flat_map(|outcome| outcome.broken_promises(mode));
    let mut broken: Vec<String> = promises.collect();
    if mode == Mode::ExactlyOnce && !broken.is_empty() {
        let repeats = ledger.pages().repeats.clone();
        broken.extend(ledger::found_anew(&servers, &scene.topics, &repeats));
    }
    scene.stop();
    assert!(
        broken.is_empty(),
        "{}\nCHAOS_SEED={} repeats the schedule",
        broken.join("\n"),
        scale.seed
    );
    let misplaced = std::mem::take(&mut ledger.pages().misplaced);
    ledger.close();
    assert_eq!(missing, 0, "lost at the end");
    assert!(misplaced.is_empty(), "{misplaced:#?}");
}

/// Under faults of every kind nothing is lost and nothing is out of order in its key; only what no
/// commit covered comes again, and nothing does where daemons are stopped in order.
#[test]
fn at_least_once_loses_and_reorders_nothing_whatever_is_struck() {
    needs_kafka!();
    chaos(Mode::AtLeastOnce);
}

/// The same with transactions: a `read_committed` reader sees nothing twice, whatever is struck, and a
/// daemon that was stopped past its session writes nothing over its successor.
#[test]
fn exactly_once_repeats_nothing_whatever_is_struck() {
    needs_kafka!();
    chaos(Mode::ExactlyOnce);
}
