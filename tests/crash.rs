//! `kill -9`, and what the successor finds.

mod support;

use std::collections::BTreeMap;

use support::case::{COPY, Case, SOON, times};
use support::{Kafka, Settings, wait_for};

/// The group notices a killed member after two seconds.
const QUICK: &str =
    "properties = { \"session.timeout.ms\" = \"2000\", \"heartbeat.interval.ms\" = \"300\" }\n";

/// Copies, and takes its time: a millisecond or so each.
const SLOW_COPY: &str = r#"
fn handle(msg) {
    let n = 0;
    while n < 15_000 { n += 1; }
    emit(params.out, #{ partition: msg.partition, offset: msg.offset, key: msg.key, value: msg.value });
}
"#;

/// After `kill -9` in the middle of the work none is missing, and only what no commit covers comes again.
#[test]
fn after_a_kill_nothing_is_missing_and_only_the_uncommitted_comes_again() {
    needs_kafka!();
    let case = Case::new("killed", 3);
    case.fill(0..3, 2000);
    let settings = format!("members = 2\n{QUICK}");
    let daemon = case.start(&settings, SLOW_COPY);
    wait_for("the work to be well under way", SOON, || {
        let committed = case.probe.committed(&case.group, &case.topic);
        match committed.values().sum::<i64>() {
            1500.. => Ok(()),
            so_far => Err(format!("{so_far} committed")),
        }
    });
    daemon.kill();
    let committed = case.probe.committed(&case.group, &case.topic);
    let done: i64 = committed.values().sum();
    assert!(done < 6000, "it was killed too late: {committed:?}");

    let _successor = case.start(&settings, COPY);
    case.wait_until_done(SOON);
    let times = times(&case.copies());
    assert_eq!(times.len(), 6000, "none is missing");
    let repeated: BTreeMap<_, _> = times.iter().filter(|(_, times)| **times > 1).collect();
    for ((partition, offset), times) in &repeated {
        let covered = committed.get(&(*partition as i32)).copied().unwrap_or(0);
        assert!(
            *offset >= covered,
            "{partition}@{offset} came {times} times, committed was {covered}"
        );
    }
}

/// A commit's metadata lists what is finished beyond its offset: after a crash only the message that
/// waited comes again.
#[test]
fn what_was_finished_beyond_the_commit_does_not_come_again() {
    needs_kafka!();
    let case = Case::new("beyond", 1);
    case.fill(0..1, 300);
    let waits = r#"
fn handle(msg) {
    if msg.offset == 0 || msg.offset == 150 { throw "not in this life"; }
    emit(params.out, #{ partition: msg.partition, offset: msg.offset, key: msg.key, value: msg.value });
}
"#;
    let settings = format!(
        "ordering = \"none\"\non_failure = {{ retries = 5, backoff = \"60s\", max_backoff = \"60s\" }}\n{QUICK}"
    );
    let daemon = case.start(&settings, waits);
    // 1 to 149, and 151 to 299.
    let listed = "deliveryd1:0;1,45;1,45";
    wait_for("the commit that lists the rest", SOON, || {
        match case.probe.committed_metadata(&case.group, &case.topic, 0) {
            metadata if metadata == listed => Ok(()),
            other => Err(other),
        }
    });
    assert_eq!(case.probe.committed(&case.group, &case.topic)[&0], 0);
    daemon.kill();
    assert_eq!(case.copies().len(), 298);

    let successor = case.start(&settings, COPY);
    case.wait_until_done(SOON);
    let copies = case.copies();
    let again: Vec<i64> = copies[298..].iter().map(|copy| copy.offset).collect();
    assert_eq!(again, [0, 150]);
    successor.wait_until("two handled", SOON, |s| s.handled(&case.group) == 2);
}

/// What another tool wrote as metadata is no list of finished messages: all from the offset on are
/// handled, and it stays until there is something new to commit.
#[test]
fn the_metadata_of_other_tools_is_left_alone() {
    needs_kafka!();
    let case = Case::new("foreign", 1);
    case.fill(0..1, 10);
    let foreign = "moved by hand: 1,3;2";
    case.probe.commit(&case.group, &case.topic, 10, foreign);
    let daemon = case.start("", COPY);
    daemon.wait_until_assigned(&case.group, 1);
    let metadata = || case.probe.committed_metadata(&case.group, &case.topic, 0);
    assert_eq!(metadata(), foreign);
    case.fill(0..1, 10);
    case.wait_until_done(SOON);
    assert_eq!(metadata(), "");
    let copied: Vec<i64> = case.copies().iter().map(|copy| copy.offset).collect();
    assert_eq!(copied, (10..20).collect::<Vec<i64>>());
}

/// `at_most_once`: a crash repeats nothing, and loses at most what was in flight.
#[test]
fn at_most_once_repeats_nothing_and_loses_what_was_in_flight() {
    needs_kafka!();
    let case = Case::new("at-most-once", 2);
    case.fill(0..2, 2000);
    let settings = format!("guarantee = \"at_most_once\"\nin_flight = 100\n{QUICK}");
    let daemon = case.start(&settings, SLOW_COPY);
    wait_for("the work to be well under way", SOON, || {
        match case.probe.end_offsets(&case.out)[&0] {
            800.. => Ok(()),
            so_far => Err(format!("{so_far} copies")),
        }
    });
    daemon.kill();
    let before = case.copies().len();
    assert!(before < 3800, "it was killed too late: {before}");
    let _successor = case.start(&settings, COPY);
    case.wait_until_done(SOON);
    let successor_wrote = |case: &Case| case.probe.end_offsets(&case.out)[&0];
    let committed = 4000 - 100;
    wait_for("the successor's copies", SOON, || {
        match successor_wrote(&case) {
            n if n >= committed => Ok(()),
            n => Err(format!("{n} copies")),
        }
    });
    let times = times(&case.copies());
    assert!(times.values().all(|times| *times == 1), "nothing twice");
    // in_flight that were started, and as many that were claimed next.
    let lost = 4000 - times.len();
    assert!(lost <= 100, "{lost} are lost");
    assert!(
        lost > 0,
        "a kill between claim and work lost nothing; was anything claimed first?"
    );
}

/// `at_most_once` loses nothing in an orderly stop: what it has claimed is handled before it leaves.
#[test]
fn at_most_once_loses_nothing_in_an_orderly_stop() {
    needs_kafka!();
    let case = Case::new("at-most-once-stop", 2);
    case.fill(0..2, 1000);
    let settings = "guarantee = \"at_most_once\"\nin_flight = 200\n";
    for _ in 0..3 {
        let before = case.probe.end_offsets(&case.out)[&0];
        let daemon = case.start(settings, SLOW_COPY);
        wait_for("some work", SOON, || {
            match case.probe.end_offsets(&case.out)[&0] - before {
                200.. => Ok(()),
                n => Err(format!("{n} copies")),
            }
        });
        let exit = daemon.stop();
        assert!(exit.status.success(), "{}", exit.output);
    }
    let _last = case.start(settings, COPY);
    let copies = case.wait_for_copies(2000, SOON);
    support::case::assert_each_once_in_order(&copies, 2, 1000);
}

/// Nor does it where a partition is stuck: what it has claimed and can not handle is given back, the message
/// that it is stuck at with what lies behind it, and not what it has done.
#[test]
fn at_most_once_gives_back_what_it_can_not_handle() {
    needs_kafka!();
    for ordering in ["partition", "key"] {
        let case = Case::new("given-back", 2);
        case.fill(0..2, 100);
        let stuck = COPY.replace("emit(", "if msg.value == \"m37\" { throw \"no\" }\n emit(");
        let settings = format!(
            "guarantee = \"at_most_once\"\nordering = {ordering:?}\n\
             on_failure = {{ retries = 0, then = \"stop\" }}\n"
        );
        let daemon = case.start(&settings, &stuck);
        daemon.wait_until("both to be stuck", SOON, |status| {
            let partitions = case.member(status)["partitions"].clone();
            (0..2).all(|n| partitions[n]["stuck"].is_string())
        });
        let exit = daemon.stop();
        assert!(exit.status.success(), "{}", exit.output);
        assert!(exit.took.as_secs() < 5, "it took {:?}", exit.took);
        let _mended = case.start(&settings, COPY);
        case.wait_until_done(SOON);
        let copies = case.wait_for_copies(200, SOON);
        let times = times(&copies);
        assert_eq!(times.len(), 200, "{ordering}: none is missing");
        assert_eq!(copies.len(), 200, "{ordering}: none comes twice");
    }
}

/// Brokers that take less metadata than Kafka's own bound get the offset without the list.
#[test]
fn brokers_that_take_no_list_take_the_offset() {
    needs_kafka!();
    let kafka = Kafka::start(Settings::kraft(1).with("offset.metadata.max.bytes", "30"));
    let case = Case::on(&kafka, "unlisted", 1);
    case.fill(0..1, 100);
    let waits = COPY.replace(
        "emit(",
        "if msg.offset > 9 && msg.offset % 5 == 0 { throw \"no\"; }\n emit(",
    );
    let settings = "ordering = \"none\"\n\
                    on_failure = { retries = 5, backoff = \"60s\", max_backoff = \"60s\" }\n";
    let daemon = case.start(settings, &waits);
    case.wait_for_copies(82, SOON);
    wait_for("the offset of the first that waits", SOON, || {
        let offset = case
            .probe
            .committed(&case.group, &case.topic)
            .get(&0)
            .copied();
        let metadata = case.probe.committed_metadata(&case.group, &case.topic, 0);
        match (offset, metadata.as_str()) {
            (Some(10), "") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let exit = daemon.stop();
    assert!(exit.status.success(), "{}", exit.output);
    assert!(exit.took.as_secs() < 5, "it took {:?}", exit.took);
    assert_eq!(case.probe.committed(&case.group, &case.topic)[&0], 10);
}
