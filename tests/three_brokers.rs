//! Three brokers, one of which is killed: work goes on and nothing is lost.

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use support::notes::numbered;
use support::{Kafka, Settings, Setup};

/// Leaders move when a broker's session (3 s here) has expired.
const SOON: Duration = Duration::from_secs(60);

/// `kill -9` of the broker that leads the input loses no message and no copy of one.
#[test]
fn losing_one_of_three_brokers_loses_nothing() {
    needs_kafka!();
    let kafka = Kafka::start(Settings::kraft(3).with("min.insync.replicas", "2"));
    let probe = kafka.probe();
    let daemon = Setup::new(
        &kafka.servers(),
        r#"
        [topics.input]
        partitions = 3
        replication = 3

        [topics.copies]
        partitions = 3
        replication = 3

        [groups.copy]
        topics = ["input"]
        members = 2
        handler = "copy.rhai"
        "#,
    )
    .handler(
        "copy.rhai",
        "fn handle(msg) { emit(\"copies\", msg.value); }",
    )
    .start();
    daemon.wait_until_assigned("copy", 3);

    let sent = numbered(0, 900);
    probe.produce("input", sent[..300].to_vec());
    probe.read("copies", 300, SOON);

    let killed = probe.leader("input", 0) as usize;
    kafka.kill_broker(killed);
    probe.produce("input", sent[300..600].to_vec());
    probe.read("copies", 600, SOON);

    kafka.start_broker(killed);
    probe.produce("input", sent[600..].to_vec());
    let copies = probe.read("copies", 900, SOON);
    probe.wait_until_committed("copy", "input", SOON);

    let wanted: BTreeSet<String> = sent.into_iter().map(|(_, value)| value).collect();
    let copied: BTreeSet<String> = copies.into_iter().filter_map(|copy| copy.value).collect();
    let lost: Vec<&String> = wanted.difference(&copied).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    let exit = daemon.stop();
    assert!(exit.status.success(), "{}", exit.output);
}
