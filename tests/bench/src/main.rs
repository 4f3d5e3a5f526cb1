//! deliveryd against the bare client library, on real Kafka, in one command:
//!
//! ```text
//! cargo run --release --manifest-path tests/bench/Cargo.toml -- [OPTIONS]
//! ```
//!
//! Starts a broker, fills a topic, runs every contender once a round in a process of its own, and
//! prints one table of medians; then latency through a copying handler. `bench child …` is what the
//! bare contenders run as.

mod bare;
mod contender;
mod latency;
mod measure;
mod observation;
mod options;
mod records;
mod table;

#[path = "../../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use contender::{CONTENDERS, Contender, Ground};
use measure::Run;
use options::{Job, Options};
use support::{Kafka, Settings};

/// A broker with room to be quick: its own work must not be what is measured.
const BROKER_JVM: &[&str] = &["-Xms1g", "-Xmx1g"];

fn main() -> ExitCode {
    match options::parse() {
        Ok(Job::Child(child)) => bare::run(&child),
        Ok(Job::Bench(options)) => bench(&options),
        Ok(Job::Help) => println!("{}", options::HELP),
        Err(error) => {
            eprintln!("{error}\n\n{}", options::HELP);
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn bench(options: &Options) {
    let deliveryd = match options.bare {
        true => None,
        false => Some(options.deliveryd.clone().unwrap_or_else(build)),
    };
    eprintln!("starting Kafka {}", support::Release::Current.version());
    let kafka = Kafka::start(Settings::kraft(1).jvm(BROKER_JVM));
    let ground = Ground::prepare(&kafka, options.messages, deliveryd);
    if options.observation {
        println!("{}", observation::compare(&ground, options));
        return;
    }
    let mut contenders = ground.able(CONTENDERS);
    contenders.retain(|contender| contender.name.contains(&options.only));
    let results = rounds(&ground, &contenders, options.rounds);
    println!("{}", table::render(options, &results));
    for result in latency::compare(&ground, options.latency) {
        println!("{result}");
    }
}

/// Every contender once a round, so that a slow moment of the machine does not fall on one alone.
fn rounds<'a>(
    ground: &Ground<'_>,
    contenders: &[&'a Contender],
    rounds: usize,
) -> Vec<(&'a Contender, Vec<Run>)> {
    let mut results: Vec<_> = contenders.iter().map(|each| (*each, Vec::new())).collect();
    for round in 1..=rounds {
        for (contender, runs) in &mut results {
            let run = ground.run(contender);
            eprintln!("round {round} of {rounds}: {}: {run}", contender.name);
            runs.push(run);
        }
    }
    results
}

/// The release binary of this working copy.
fn build() -> PathBuf {
    let repository = support::run_dir::repository();
    let manifest = repository.join("Cargo.toml");
    eprintln!("building deliveryd");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--manifest-path"])
        .arg(&manifest)
        .status();
    match built {
        Ok(status) if status.success() => {}
        other => panic!("can't build {}: {other:?}", manifest.display()),
    }
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = target.map_or(repository.join("target"), |target| {
        Path::new(&target).to_owned()
    });
    target.join("release/deliveryd")
}
