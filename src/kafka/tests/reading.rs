//! What a reader without a group promises, on the embedded broker.

use crate::delivery::Record;
use crate::kafka::reading::last_messages;
use crate::kafka::testing::{broker, fill};

fn values(records: &[Record]) -> Vec<(i32, String)> {
    let value =
        |record: &Record| String::from_utf8_lossy(record.value().unwrap_or_default()).into();
    records
        .iter()
        .map(|record| (record.partition, value(record)))
        .collect()
}

/// The newest messages of all partitions come, oldest first.
#[test]
fn the_last_messages_of_all_partitions_are_read() {
    let (_broker, cluster) = broker(&[("Delivery", 3)]);
    fill(&cluster, "Delivery", 0, 5);
    fill(&cluster, "Delivery", 1, 2);
    let read = last_messages(&cluster, "Delivery", 3).expect("reading");
    let mut read = values(&read);
    // Those of the two partitions may have the same time.
    read.sort();
    assert_eq!(
        read,
        [(0, "4".into()), (1, "0".into()), (1, "1".into())],
        "of partition 0 only the last"
    );
    let all = last_messages(&cluster, "Delivery", 100).expect("reading");
    assert_eq!(all.len(), 7);
    let zero: Vec<i64> = all
        .iter()
        .filter(|record| record.partition == 0)
        .map(|record| record.offset)
        .collect();
    assert_eq!(zero, [0, 1, 2, 3, 4]);
}

/// An empty topic has no messages, and a topic that is not there is an error with its name.
#[test]
fn nothing_and_nowhere_are_told_apart() {
    let (_broker, cluster) = broker(&[("Empty", 1)]);
    assert_eq!(
        values(&last_messages(&cluster, "Empty", 9).expect("reading")),
        []
    );
    let error = last_messages(&cluster, "Delivry", 9).map(|records| records.len());
    let error = error.expect_err("no such topic");
    assert_eq!(
        error.message,
        "the cluster has no topic Delivry, or its ACLs hide it from this client"
    );
}
