//! Three brokers, one of which is killed: work goes on and nothing is lost; or it waits, and holds no more
//! than it may.

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use support::case::{COPY, Case, assert_each_once_in_order};
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

/// The brokers go on handing out messages and acknowledge none: what is under way stays within the buffer,
/// the rest is left with them, and when they acknowledge again all of it comes through, each once.
#[test]
fn memory_stays_flat_while_nothing_is_acknowledged() {
    needs_kafka!();
    let kafka = Kafka::start(Settings::kraft(3));
    let case = Case::replicated_on(&kafka, "unacked", 1, 3);
    case.probe
        .set_topic_config(&case.out, "min.insync.replicas", "3");
    let value = "x".repeat(200_000);
    let records = (0..600).map(|n| (format!("k{n}"), value.as_str()));
    case.probe.produce_to(&case.topic, 0, records);
    let leads = [&case.topic, &case.out].map(|topic| case.probe.leader(topic, 0));
    let spared = (1..=3).find(|id| !leads.contains(id));
    let killed = spared.unwrap_or_else(|| panic!("two partitions have three leaders")) as usize;
    kafka.kill_broker(killed);

    let daemon = case.start("buffer = \"16MiB\"\n", &COPY.replace("msg.value", "\"\""));
    let number = |status: &support::Status, name: &str| {
        let member = case.member(status);
        member[name].as_u64().unwrap_or_default()
    };
    // A quarter of the buffer is under way; as much again was taken and not started.
    daemon.wait_until("the bounds", SOON, |status| {
        number(status, "in_flight") >= 20 && number(status, "buffered_bytes") > 7 << 20
    });
    let status = daemon.wait_until("two seconds without an answer", SOON, |status| {
        case.member(status)["oldest_in_flight_seconds"].as_f64() >= Some(2.0)
    });
    assert_eq!(status.handled(&case.group), 0, "nothing is finished");
    assert!(number(&status, "in_flight") <= 22, "{status}");
    let buffered = number(&status, "buffered_bytes");
    assert!(buffered <= 12 << 20, "{buffered} bytes are held");
    let peak = daemon.peak_memory() >> 20;
    eprintln!("peak memory {peak} MiB, of it {} MiB held", buffered >> 20);
    assert!(peak < 120, "{peak} MiB");

    kafka.start_broker(killed);
    let copies = case.wait_for_copies(600, SOON);
    case.wait_until_done(SOON);
    assert_each_once_in_order(&copies, 1, 600);
    assert!(daemon.stop().status.success());
}
