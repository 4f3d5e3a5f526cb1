//! What `guarantee = "exactly_once"` needs of the brokers, looked at before anything starts.

mod support;

use support::case::{COPY, Case, SOON, assert_each_once_in_order};
use support::once::{ONCE, wait_for_committed};
use support::{Kafka, Settings};

/// Why a daemon with such a group does not start on this Kafka.
fn refusal(kafka: &Kafka) -> String {
    let case = Case::on(kafka, "once-refused", 1);
    let exit = case.setup(ONCE, COPY).run();
    assert_eq!(exit.status.code(), Some(1), "{}", exit.output);
    exit.output
}

/// One broker that wants three copies of its transaction log can not make it: the daemon says so, with
/// the setting's name, instead of waiting for ever.
#[test]
fn a_transaction_log_that_can_not_be_made_is_told_at_the_start() {
    needs_kafka!();
    let few = Settings::kraft(1).with("transaction.state.log.replication.factor", "3");
    let told = refusal(&Kafka::start(few));
    let sentence = "transaction.state.log.replication.factor is 3, and the cluster has 1 broker";
    assert!(told.contains(sentence), "{told}");
}

/// Brokers that speak a protocol from before Kafka 2.5 are refused with their version.
#[test]
fn brokers_too_old_are_told_at_the_start() {
    needs_kafka!();
    let old = Settings::zookeeper().with("inter.broker.protocol.version", "2.4");
    let told = refusal(&Kafka::start(old));
    assert!(
        told.contains("needs Kafka 2.5 or later, and the brokers speak 2.4"),
        "{told}"
    );
}

/// On Kafka 3.3 with ZooKeeper, which docker-compose.yml starts by default, it works as on today's.
#[test]
fn kafka_3_3_with_zookeeper_is_new_enough() {
    needs_kafka!();
    let kafka = Kafka::start(Settings::zookeeper());
    let case = Case::on(&kafka, "once-old", 2);
    case.fill(0..2, 300);
    let daemon = case.start(ONCE, COPY);
    let copies = wait_for_committed(&case, &daemon, 600, SOON);
    assert_each_once_in_order(&copies, 2, 300);
    case.wait_until_done(SOON);
    assert!(daemon.stop().status.success());
}
