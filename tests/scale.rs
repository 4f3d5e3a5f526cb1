//! Two hundred members in one process: how much memory and how many threads they take, and how soon they
//! are there.

mod support;

use std::fs;
use std::time::{Duration, Instant};

use support::{Daemon, Kafka, Setup, unique};

const GROUPS: usize = 10;
const MEMBERS: usize = 20;
const PARTITIONS: i32 = 20;

/// At most so much is resident, ever. Two hundred bare clients take 139 MB. A debug build's program and
/// stacks are larger.
const MEMORY: u64 = match cfg!(debug_assertions) {
    true => 330_000_000,
    false => 260_000_000,
};
/// A member's own, with those of its client: four.
const THREADS: usize = 5 * GROUPS * MEMBERS + 40;
/// The release build on a quiet machine has a quarter of this; a debug build beside other tests has all.
const START: Duration = match cfg!(debug_assertions) {
    true => Duration::from_secs(40),
    false => Duration::from_secs(10),
};

fn threads(daemon: &Daemon) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.id()));
    tasks.unwrap_or_else(|error| panic!("{error}")).count()
}

/// Ten groups of twenty members on a topic of twenty partitions start within seconds, each with its
/// partition, handle what comes, and stay within their memory and threads.
#[test]
fn two_hundred_members_are_small_and_quick() {
    needs_kafka!();
    let kafka = Kafka::shared();
    let topic = unique("scale");
    let probe = kafka.probe();
    probe.create_topic(&topic, PARTITIONS);
    let groups: Vec<String> = (1..=GROUPS).map(|n| format!("{topic}-{n}")).collect();
    let tables = groups.iter().map(|group| {
        format!(
            "[groups.{group:?}]\ntopics = [{topic:?}]\nmembers = {MEMBERS}\nhandler = \"handle.rhai\"\n\
             start = \"earliest\"\n"
        )
    });
    let toml = format!(
        "[topics.{topic:?}]\npartitions = {PARTITIONS}\n\n{}",
        tables.collect::<Vec<_>>().join("\n")
    );
    let begin = Instant::now();
    let daemon = Setup::new(&kafka.servers(), &toml)
        .handler("handle.rhai", "fn handle(msg) { count(\"seen\"); }\n")
        .start();
    daemon.wait_until("every member to have its partition", START, |status| {
        groups
            .iter()
            .all(|group| status.shares(group) == [1; MEMBERS])
    });
    let took = begin.elapsed();

    let records = (0..5000).map(|n| (format!("k{n}"), format!("value {n}")));
    probe.produce(&topic, records);
    daemon.wait_until(
        "every group to have handled everything",
        START * 2,
        |status| groups.iter().all(|group| status.handled(group) == 5000),
    );
    // Who looks at it costs something too.
    assert!(daemon.metrics().contains("deliveryd_consumer_lag"));
    let (memory, threads) = (daemon.peak_memory(), threads(&daemon));
    println!(
        "{} members: {:.1} s to the last partition, {:.0} MB at most, {threads} threads",
        GROUPS * MEMBERS,
        took.as_secs_f64(),
        memory as f64 / 1e6
    );
    assert!(memory <= MEMORY, "{memory} bytes");
    assert!(threads <= THREADS, "{threads} threads");
    assert!(took <= START, "{took:?}");
    let exit = daemon.stop();
    assert!(exit.status.success(), "{}", exit.output);
}
