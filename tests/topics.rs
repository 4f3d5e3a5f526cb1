//! Topics on real Kafka: created, grown, left alone, never shrunk.

mod support;

use std::time::{Duration, Instant};

use support::notes::{self, NOTE, by_group, numbered, values};
use support::{Daemon, Kafka, Setup, unique};

const SOON: Duration = Duration::from_secs(20);

/// A daemon that has nothing but topics.
fn start(toml: &str) -> Daemon {
    let daemon = Setup::new(&Kafka::shared().servers(), toml).start();
    daemon.wait_until("the daemon to run", SOON, |status| {
        status.state() == "running"
    });
    daemon
}

/// A topic that is not there is created as the config says.
#[test]
fn a_missing_topic_is_created_with_partitions_and_config() {
    needs_kafka!();
    let probe = Kafka::shared().probe();
    let topic = unique("created");
    let daemon = start(&format!(
        "[topics.{topic:?}]\npartitions = 3\nreplication = 1\n\
         config = {{ \"retention.ms\" = \"3600000\", \"cleanup.policy\" = \"compact\" }}\n"
    ));
    assert_eq!(probe.partitions(&topic), Some(3));
    let config = |name| probe.topic_config(&topic, name);
    assert_eq!(config("retention.ms").as_deref(), Some("3600000"));
    assert_eq!(config("cleanup.policy").as_deref(), Some("compact"));
    assert!(daemon.stop().status.success());
    assert_eq!(
        probe.partitions(&topic),
        Some(3),
        "stopping deletes nothing"
    );
}

/// A topic that is there already keeps its messages and its configuration.
#[test]
fn an_existing_topic_is_left_alone() {
    needs_kafka!();
    let probe = Kafka::shared().probe();
    let topic = unique("existing");
    probe.create_topic_with(&topic, 2, 1, &[("retention.ms", "7200000")]);
    probe.produce(&topic, numbered(0, 10));
    let before = probe.read_all(&topic);
    let daemon = start(&format!("[topics.{topic:?}]\npartitions = 2\n"));
    assert!(daemon.stop().status.success());
    assert_eq!(probe.partitions(&topic), Some(2));
    assert_eq!(
        probe.topic_config(&topic, "retention.ms").as_deref(),
        Some("7200000")
    );
    assert_eq!(probe.read_all(&topic), before);
}

/// Fewer partitions than wanted are grown at the start.
#[test]
fn a_topic_with_fewer_partitions_is_grown() {
    needs_kafka!();
    let probe = Kafka::shared().probe();
    let topic = unique("grown");
    probe.create_topic(&topic, 1);
    let daemon = start(&format!("[topics.{topic:?}]\npartitions = 4\n"));
    assert_eq!(probe.partitions(&topic), Some(4));
    assert!(daemon.stop().status.success());
}

/// More partitions than wanted can't be mended: it is told, and the daemon works with what is there.
#[test]
fn a_topic_with_more_partitions_is_reported_and_left() {
    needs_kafka!();
    let probe = Kafka::shared().probe();
    let topic = unique("larger");
    probe.create_topic(&topic, 5);
    let daemon = start(&format!("[topics.{topic:?}]\npartitions = 2\n"));
    daemon.wait_for_line(&topic, SOON);
    let output = daemon.stop().output;
    let told = output
        .lines()
        .any(|line| line.contains(&topic) && line.contains('5') && line.contains('2'));
    assert!(told, "no line names {topic}, 5 and 2:\n{output}");
    assert_eq!(probe.partitions(&topic), Some(5));
}

/// Another replication than wanted is told and left, too.
#[test]
fn a_topic_with_another_replication_is_reported_and_left() {
    needs_kafka!();
    let probe = Kafka::shared().probe();
    let topic = unique("replicated");
    probe.create_topic(&topic, 1);
    let daemon = start(&format!(
        "[topics.{topic:?}]\npartitions = 1\nreplication = 3\n"
    ));
    daemon.wait_for_line(&topic, SOON);
    let output = daemon.stop().output;
    let told = output
        .lines()
        .any(|line| line.contains(&topic) && line.contains("replication"));
    assert!(told, "no line names {topic} and its replication:\n{output}");
}

/// Members take up partitions that a reload adds within two seconds or so, from their beginning.
#[test]
fn members_take_up_new_partitions_at_once() {
    needs_kafka!();
    let probe = Kafka::shared().probe();
    let topic = unique("growing");
    let notes_topic = format!("{topic}.notes");
    let daemon = Setup::new(
        &Kafka::shared().servers(),
        &format!(
            "[topics.{topic:?}]\npartitions = 2\n[topics.{notes_topic:?}]\npartitions = 1\n\
             [groups.{topic:?}]\ntopics = [{topic:?}]\nmembers = 2\nhandler = \"note.rhai\"\n\
             start = \"latest\"\nparams = {{ notes = {notes_topic:?} }}\n"
        ),
    )
    .handler("note.rhai", NOTE)
    .start();
    daemon.wait_until_assigned(&topic, 2);

    daemon.edit_config("partitions = 2", "partitions = 4");
    let begin = Instant::now();
    daemon.signal(libc::SIGHUP);
    daemon.wait_until("all four partitions", SOON, |status| {
        status.shares(&topic) == [2, 2]
    });
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(3), "it took {took:?}");

    // `start = "latest"` is for partitions that were there when the group began.
    let sent = numbered(0, 40);
    probe.produce_to(&topic, 3, sent.clone());
    let handled = notes::read(&probe, &notes_topic, 40, SOON);
    assert_eq!(by_group(&handled)[topic.as_str()], values(&sent));
}

/// Daemons that start at the same moment agree on the topics; none trips over another's.
#[test]
fn three_daemons_can_start_together() {
    needs_kafka!();
    let probe = Kafka::shared().probe();
    let topics: Vec<String> = (0..4).map(|_| unique("together")).collect();
    let toml: String = topics
        .iter()
        .map(|topic| format!("[topics.{topic:?}]\npartitions = 2\n"))
        .collect();
    let daemons: Vec<Daemon> = std::thread::scope(|scope| {
        let start = |instance| {
            let toml = &toml;
            scope.spawn(move || Setup::named(instance, &Kafka::shared().servers(), toml).start())
        };
        let starting = ["one", "two", "three"].map(start);
        let started = starting.into_iter().map(|thread| thread.join());
        started
            .map(|daemon| daemon.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    for daemon in daemons {
        daemon.wait_until("the daemon to run", SOON, |status| {
            status.state() == "running"
        });
        let exit = daemon.stop();
        assert!(exit.status.success(), "{}", exit.output);
        assert!(
            !exit.output.to_lowercase().contains("already exists"),
            "{}",
            exit.output
        );
    }
    for topic in topics {
        assert_eq!(probe.partitions(&topic), Some(2));
    }
}

/// A topic that others create is taken as it is, where no size is configured for it: nothing is told,
/// and its dead-letter topic gets as many partitions as it has.
#[test]
fn a_topic_of_others_has_its_own_size() {
    needs_kafka!();
    let probe = Kafka::shared().probe();
    let topic = unique("theirs");
    probe.create_topic(&topic, 5);
    let daemon = Setup::new(
        &Kafka::shared().servers(),
        &format!(
            "[topics.{topic:?}]\ncreate = false\n\
             [groups.{topic:?}]\ntopics = [{topic:?}]\nhandler = \"handle.rhai\"\n"
        ),
    )
    .handler("handle.rhai", "fn handle(msg) {}")
    .start();
    let status = daemon.wait_until_assigned(&topic, 5);
    assert_eq!(
        status.at(&format!("/topics/{topic}/mismatch")),
        &serde_json::Value::Null
    );
    assert_eq!(probe.partitions(&format!("{topic}.dead")), Some(5));
    let exit = daemon.stop();
    assert!(!exit.output.contains("WARN"), "{}", exit.output);
}
