//! The ground under the other tests: real Kafka, the console tools and the probe agree with each other.

mod support;

use support::{Kafka, unique};

/// What Kafka's console producer writes, the probe reads, and the other way round.
#[test]
fn console_tools_and_probe_see_the_same_messages() {
    needs_kafka!();
    let kafka = Kafka::shared();
    let (probe, tools) = (kafka.probe(), kafka.tools());
    let topic = unique("harness");
    tools.create_topic(&topic, 2);
    assert_eq!(probe.partitions(&topic), Some(2));

    let pair = |n: u32| (format!("key-{n}"), format!("value {n}"));
    tools.produce(&topic, &(0..10).map(pair).collect::<Vec<_>>());
    probe.produce(&topic, (10..20).map(pair));

    let read = probe.read_all(&topic).into_iter();
    let mut ours: Vec<_> = read
        .filter_map(|message| Some((message.partition, message.key?, message.value?)))
        .collect();
    let mut theirs = tools.consume(&topic, 20);
    ours.sort();
    theirs.sort();
    assert_eq!(ours, theirs);
    assert_eq!(ours.len(), 20);
    assert!(ours.iter().any(|each| each.0 == 0) && ours.iter().any(|each| each.0 == 1));
}

/// A killed broker comes back on its port with its data.
#[test]
fn a_killed_broker_comes_back_with_its_data() {
    needs_kafka!();
    let kafka = Kafka::start(support::Settings::kraft(1));
    let probe = kafka.probe();
    probe.create_topic("kept", 1);
    probe.produce("kept", [("a", "1"), ("b", "2")]);
    kafka.kill_broker(1);
    assert!(probe.brokers().is_err());
    kafka.start_broker(1);
    let values: Vec<_> = probe
        .read_all("kept")
        .into_iter()
        .map(|m| m.value)
        .collect();
    assert_eq!(values, [Some("1".to_owned()), Some("2".to_owned())]);
}
