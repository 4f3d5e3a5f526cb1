//! What changes in place changes for messages as a whole: none is lost, and none meets half of it.

use std::fs;
use std::time::Instant;

use crate::support::case::{COPY, Case, SOON, assert_each_once_in_order};
use crate::{needs_kafka, support::Daemon};

fn write(daemon: &Daemon, name: &str, text: &str) {
    let file = daemon.dir().join(name);
    fs::write(file, text).unwrap_or_else(|error| panic!("{error}"));
}

/// A handler and the parameters that it needs change in one reload: no message meets the one without
/// the other.
#[test]
fn a_handler_and_its_parameters_change_together() {
    needs_kafka!();
    let case = Case::new("together", 2);
    // Calls that take their time, so that a change comes between two of one round.
    let copies = |mark: &str| {
        let check = format!("if params.mark != {mark:?} {{ reject(\"mixed\"); }}");
        COPY.replace(
            "emit(",
            &format!("{check}\n    for n in 0..2000 {{}}\n    emit("),
        )
    };
    let daemon = case.start("members = 2\n", &copies("handle"));
    daemon.edit_config("params = { ", "params = { mark = \"handle\", ");
    daemon.reload_now();
    write(&daemon, "other.rhai", &copies("other"));
    let count = 3000;
    case.fill(0..2, count);
    for turn in 0..8 {
        let (from, to) = match turn % 2 {
            0 => ("handle", "other"),
            _ => ("other", "handle"),
        };
        let handler = |name: &str| format!("handler = \"{name}.rhai\"");
        let mark = |name: &str| format!("mark = {name:?}");
        daemon.edit_config(&handler(from), &handler(to));
        daemon.edit_config(&mark(from), &mark(to));
        daemon.reload_now();
    }
    let copies = case.wait_for_copies(2 * count, SOON * 6);
    assert_each_once_in_order(&copies, 2, count as i64);
    let status = daemon.status();
    assert_eq!(status.counter(&case.group, "failed"), 0, "{status}");
}

/// What a handler has emitted and what still waits for room in the producer leaves, though the settings
/// of its engine change meanwhile.
#[test]
fn what_waits_for_room_is_sent_though_settings_change() {
    needs_kafka!();
    let case = Case::new("room", 1);
    let handler = r#"
fn handle(msg) {
    let text = "";
    text.pad(20_000, 'x');
    for n in 0..300 { emit(params.out, `${msg.value} ${n} ${text}`); }
}
"#;
    // A quarter of it is the producer's: 1 MiB, and a message emits 6 MB.
    let settings = "buffer = \"4MiB\"\nhandler_timeout = \"20s\"\n\
                    limits = { operations = 10_000_000, memory = \"64MiB\" }\n";
    let daemon = case.start(settings, handler);
    let inputs = 8;
    case.fill(0..1, inputs);
    daemon.edit_config("params = { ", "params = { mark = 0, ");
    let done = |daemon: &Daemon| daemon.status().handled(&case.group) == inputs as u64;
    let mut turn = 0;
    while !done(&daemon) && turn < 1000 {
        let (from, to) = (format!("mark = {turn},"), format!("mark = {},", turn + 1));
        daemon.edit_config(&from, &to);
        daemon.reload_now();
        turn += 1;
    }
    assert!(turn > 1, "it was over before anything changed");
    case.wait_until_done(SOON);
    let expected: Vec<String> = (0..inputs)
        .flat_map(|input| (0..300).map(move |n| format!("m{input} {n}")))
        .collect();
    let found: Vec<String> = case
        .probe
        .read_all(&case.out)
        .into_iter()
        .filter_map(|message| Some(message.value?.trim_end_matches('x').trim_end().to_owned()))
        .collect();
    assert!(found == expected, "{} of {}", found.len(), expected.len());
}

/// Another `ordering` counts for the partitions that a member holds already: others go on while a key
/// waits for its retry.
#[test]
fn another_ordering_counts_for_partitions_that_are_held() {
    needs_kafka!();
    let case = Case::new("ordered", 1);
    let handler = COPY.replace(
        "emit(",
        "if msg.key == \"slow\" { retry(\"wait\"); }\n    emit(",
    );
    let policy = "on_failure = { retries = 5, backoff = \"60s\", max_backoff = \"60s\" }\n";
    let settings = format!("ordering = \"partition\"\n{policy}");
    let daemon = case.start(&settings, &handler);
    case.fill(0..1, 1);
    case.wait_for_copies(1, SOON);
    daemon.edit_config("ordering = \"partition\"", "ordering = \"key\"");
    daemon.reload_now();
    case.probe
        .produce_to(&case.topic, 0, [("slow", "waits"), ("other", "goes on")]);
    let copies = case.wait_for_copies(2, SOON);
    assert_eq!(copies[1].value, "goes on");
}

fn an_added_topic_begins_at_its_end(name: &str, settings: &str) {
    let case = Case::new(name, 1);
    let more = format!("{}.more", case.topic);
    case.probe.create_topic(&more, 2);
    for partition in 0..2 {
        case.probe.produce_to(&more, partition, [("k", "old"); 5]);
    }
    let daemon = case.start(settings, COPY);
    daemon.wait_until_assigned(&case.group, 1);
    let topics = |names: &[&str]| format!("topics = {names:?}");
    daemon.edit_config(&topics(&[&case.topic]), &topics(&[&case.topic, &more]));
    daemon.edit_config("start = \"earliest\"", "start = \"latest\"");
    daemon.edit_config(
        &format!("[topics.{:?}]", case.out),
        &format!(
            "[topics.{more:?}]\ncreate = false\n\n[topics.{:?}]",
            case.out
        ),
    );
    daemon.reload_now();
    daemon.wait_until_assigned(&case.group, 3);
    // Before any message came: a restart begins there, too.
    let committed = || {
        case.probe
            .committed(&case.group, &more)
            .into_values()
            .sum::<i64>()
    };
    crate::wait_for("the start to be committed", SOON, || match committed() {
        10 => Ok(()),
        n => Err(format!("{n}")),
    });
    for partition in 0..2 {
        case.probe.produce_to(&more, partition, [("k", "new")]);
    }
    // Without the marks of transactions.
    let mut copies = Vec::new();
    crate::wait_for("both copies", SOON, || {
        copies = case.committed_copies();
        match copies.len() {
            2 => Ok(()),
            n => Err(format!("{n}")),
        }
    });
    assert!(
        copies
            .iter()
            .all(|copy| copy.value == "new" && copy.offset == 5)
    );
}

/// In a topic that a group is to read besides, it begins where `start` says.
#[test]
fn an_added_topic_begins_where_start_says() {
    needs_kafka!();
    an_added_topic_begins_at_its_end("added", "members = 2\n");
}

/// With transactions, too.
#[test]
fn an_added_topic_begins_where_start_says_with_exactly_once() {
    needs_kafka!();
    an_added_topic_begins_at_its_end("added-exactly", "guarantee = \"exactly_once\"\n");
}

/// Static members that become dynamic ones give their places up: no partition waits for a session timeout.
#[test]
fn members_that_are_static_no_longer_leave_no_partition_behind() {
    needs_kafka!();
    let case = Case::new("dynamic", 2);
    let daemon = case.start("members = 2\nstatic_membership = true\n", COPY);
    daemon.wait_until_assigned(&case.group, 2);
    daemon.edit_config("static_membership = true", "static_membership = false");
    let began = Instant::now();
    daemon.reload_now();
    // The session timeout is 45 s.
    assert!(began.elapsed() < SOON * 2, "{:?}", began.elapsed());
    case.fill(0..2, 5);
    let copies = case.wait_for_copies(10, SOON);
    assert_each_once_in_order(&copies, 2, 5);
}
