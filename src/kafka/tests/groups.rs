//! What questions about groups promise, on the embedded broker.

use std::time::{Duration, Instant};

use crate::kafka::admin::group_client;
use crate::kafka::consumer;
use crate::kafka::raw::GroupClient;
use crate::kafka::testing::{broker, partition};

fn asking(cluster: &crate::kafka::Cluster) -> GroupClient {
    group_client(cluster, "asks", "g").expect("a client").0
}

/// A question that got no answer in time does no harm when the coordinator is back.
#[test]
fn questions_outlive_a_coordinator_that_is_away() {
    let (broker, cluster) = broker(&[("Delivery", 1)]);
    let client = asking(&cluster);
    let wanted = consumer::list(&[partition("Delivery", 0)]);
    broker.owner.mock_broker_up(false).unwrap();
    let unanswered = client.group_offsets("g", &wanted, Duration::from_millis(300));
    assert_eq!(
        unanswered.err().map(|error| error.code),
        Some("_TIMED_OUT".into())
    );
    broker.owner.mock_broker_up(true).unwrap();
    let answer = client.group_offsets("g", &wanted, Duration::from_secs(10));
    let offsets: Vec<i64> = answer.unwrap().iter().map(|found| found.offset).collect();
    assert_eq!(offsets, [-1001]);
}

/// A client whose question is open can go at once.
#[test]
fn clients_with_open_questions_end_at_once() {
    let (broker, cluster) = broker(&[]);
    broker.owner.mock_broker_up(false).unwrap();
    let client = asking(&cluster);
    let wanted = consumer::list(&[partition("Delivery", 0)]);
    let unanswered = client.group_offsets("g", &wanted, Duration::from_millis(100));
    assert!(unanswered.is_err());
    let started = Instant::now();
    drop(client);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(2), "dropping it took {took:?}");
}
