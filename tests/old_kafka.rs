//! The main path on Kafka 3.3.1 with ZooKeeper, which is what docker-compose.yml starts by default.

mod support;

use std::time::Duration;

use support::notes::{self, NOTE, by_group, numbered, values};
use support::{Kafka, Settings, Setup};

const SOON: Duration = Duration::from_secs(30);

/// Topics, members, handlers, emits and commits work on a broker from 2022 as on today's.
#[test]
fn two_groups_share_a_topic_on_kafka_3_3_with_zookeeper() {
    needs_kafka!();
    let kafka = Kafka::start(Settings::zookeeper());
    let probe = kafka.probe();
    let toml = r#"
        [topics.Delivery]
        partitions = 2
        config = { "retention.ms" = "604800000" }

        [topics.notes]
        partitions = 1

        [groups.group-1]
        topics = ["Delivery"]
        members = 2
        handler = "note.rhai"
        params = { notes = "notes" }

        [groups.group-2]
        topics = ["Delivery"]
        members = 1
        handler = "note.rhai"
        params = { notes = "notes" }
    "#;
    let start = || {
        Setup::new(&kafka.servers(), toml)
            .handler("note.rhai", NOTE)
            .start()
    };
    let daemon = start();
    daemon.wait_until("one partition each", SOON, |status| {
        status.shares("group-1") == [1, 1] && status.shares("group-2") == [2]
    });
    assert_eq!(probe.partitions("Delivery"), Some(2));
    let retention = probe.topic_config("Delivery", "retention.ms");
    assert_eq!(retention.as_deref(), Some("604800000"));

    let sent = numbered(0, 300);
    probe.produce("Delivery", sent[..200].to_vec());
    notes::read(&probe, "notes", 400, SOON);
    assert!(daemon.stop().status.success());
    for group in ["group-1", "group-2"] {
        let committed = probe.committed(group, "Delivery");
        assert_eq!(committed, probe.end_offsets("Delivery"), "{group}");
    }

    let daemon = start();
    probe.produce("Delivery", sent[200..].to_vec());
    let handled = notes::read(&probe, "notes", 600, SOON);
    let handled = by_group(&handled);
    assert_eq!(handled["group-1"], values(&sent));
    assert_eq!(handled["group-2"], values(&sent));
    assert!(daemon.stop().status.success());
}
