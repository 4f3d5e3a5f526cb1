//! What waits while a message waits for its retry, and what does not.

mod support;

use std::collections::BTreeMap;

use support::case::{Case, Copied, SOON, assert_each_once_in_order};

/// Fails twice at each message whose value is `first`, and then handles it.
const STUMBLES: &str = r#"
fn handle(msg) {
    if msg.value == "first" && msg.attempt < 3 {
        throw "not yet";
    }
    emit(params.out, #{ partition: msg.partition, offset: msg.offset, key: msg.key, value: msg.value });
}
"#;

/// Fails at some messages, at some of them more than once.
const UNRELIABLE: &str = r#"
fn handle(msg) {
    let dice = (msg.offset * 7919 + msg.partition * 104729) % 23;
    if dice < 4 && msg.attempt <= dice {
        throw "a bad day";
    }
    emit(params.out, #{ partition: msg.partition, offset: msg.offset, key: msg.key, value: msg.value });
}
"#;

fn settings(ordering: &str, backoff: &str) -> String {
    format!(
        "ordering = {ordering:?}\non_failure = {{ retries = 5, backoff = {backoff:?}, max_backoff = \"1s\" }}\n"
    )
}

fn write(case: &Case, partition: i32, records: &[(&str, &str)]) {
    case.probe
        .produce_to(&case.topic, partition, records.iter().copied());
}

fn place(copies: &[Copied], partition: i64, value: &str) -> i64 {
    let found = copies
        .iter()
        .find(|copy| copy.partition == partition && copy.value == value);
    match found {
        Some(copy) => copy.at,
        None => panic!("no {value:?} of partition {partition} in {copies:#?}"),
    }
}

/// `ordering = "partition"`: what follows in the partition waits, other partitions go on.
#[test]
fn a_waiting_message_holds_back_its_partition_and_no_other() {
    needs_kafka!();
    let case = Case::new("by-partition", 2);
    write(&case, 0, &[("a", "first"), ("b", "second"), ("a", "third")]);
    write(&case, 1, &[("a", "other"), ("b", "another")]);
    let _daemon = case.start(&settings("partition", "400ms"), STUMBLES);
    let copies = case.wait_for_copies(5, SOON);
    let waited = place(&copies, 0, "first");
    assert!(place(&copies, 1, "another") < waited, "{copies:#?}");
    let own: Vec<_> = copies.into_iter().filter(|c| c.partition == 0).collect();
    assert_each_once_in_order(&own, 1, 3);
    case.wait_until_done(SOON);
}

/// `ordering = "key"`: only what has the same key waits, and a message without a key never does.
#[test]
fn a_waiting_message_holds_back_its_key_and_no_other() {
    needs_kafka!();
    let case = Case::new("by-key", 1);
    write(
        &case,
        0,
        &[
            ("a", "first"),
            ("b", "second"),
            ("a", "third"),
            ("b", "fourth"),
        ],
    );
    case.probe
        .produce_one(&case.topic, None, Some("fifth"), &[], 1);
    let _daemon = case.start(&settings("key", "400ms"), STUMBLES);
    let copies = case.wait_for_copies(5, SOON);
    let order: Vec<&str> = copies.iter().map(|copy| copy.value.as_str()).collect();
    assert_eq!(order, ["second", "fourth", "fifth", "first", "third"]);
    case.wait_until_done(SOON);
}

/// `ordering = "none"`: nothing waits.
#[test]
fn without_order_nothing_waits() {
    needs_kafka!();
    let case = Case::new("unordered", 1);
    write(&case, 0, &[("a", "first"), ("a", "second"), ("a", "third")]);
    let _daemon = case.start(&settings("none", "400ms"), STUMBLES);
    let copies = case.wait_for_copies(3, SOON);
    let order: Vec<&str> = copies.iter().map(|copy| copy.value.as_str()).collect();
    assert_eq!(order, ["second", "third", "first"]);
    case.wait_until_done(SOON);
}

/// Whatever fails and is tried again: each partition's messages are handled in offset order, once.
#[test]
fn a_partition_keeps_its_order_under_random_failures() {
    needs_kafka!();
    let case = Case::new("shaken", 3);
    case.fill(0..3, 1500);
    let daemon = case.start(
        &(settings("partition", "1ms") + "members = 2\n"),
        UNRELIABLE,
    );
    let copies = case.wait_for_copies(4500, SOON);
    case.wait_until_done(SOON);
    assert_each_once_in_order(&copies, 3, 1500);
    assert!(daemon.status().counter(&case.group, "retried") > 500);
}

/// The same for each key, while other keys overtake.
#[test]
fn a_key_keeps_its_order_under_random_failures() {
    needs_kafka!();
    let case = Case::new("shaken-keys", 2);
    case.fill(0..2, 1500);
    let _daemon = case.start(&settings("key", "3ms"), UNRELIABLE);
    let copies = case.wait_for_copies(3000, SOON);
    case.wait_until_done(SOON);
    let mut keys: BTreeMap<(i64, &str), Vec<i64>> = BTreeMap::new();
    for copy in &copies {
        let key = (copy.partition, copy.key.as_str());
        keys.entry(key).or_default().push(copy.offset);
    }
    assert_eq!(copies.len(), 3000, "each once");
    assert_eq!(keys.len(), 10);
    for (key, offsets) in keys {
        assert!(offsets.is_sorted(), "{key:?}: {offsets:?}");
        assert_eq!(offsets.len(), 300, "{key:?}");
    }
    let all: Vec<i64> = copies
        .iter()
        .filter(|c| c.partition == 0)
        .map(|c| c.offset)
        .collect();
    assert!(!all.is_sorted(), "no key ever overtook another");
}
