//! Bounds: rate, messages in flight, a call's time, the share of dead letters, memory.

mod support;

use std::time::{Duration, Instant};

use support::case::{COPY, Case, SOON, assert_each_once_in_order, by_partition};
use support::wait_for;

/// Some 20 ms a call in a debug build.
const SLOW: &str = r#"
fn handle(msg) {
    let n = 0;
    while n < 25_000 { n += 1; }
    emit(params.out, #{ partition: msg.partition, offset: msg.offset, key: msg.key, value: msg.value });
}
"#;

/// `rate` is the whole group's in this process, however many members it has.
#[test]
fn the_rate_holds_over_all_members() {
    needs_kafka!();
    let case = Case::new("rated", 3);
    case.fill(0..3, 400);
    let daemon = case.start("members = 3\nrate = 100.0\n", COPY);
    daemon.wait_until("one partition each", SOON, |s| {
        s.shares(&case.group) == [1, 1, 1]
    });
    let copied = || case.probe.end_offsets(&case.out)[&0];
    let (begin, before) = (Instant::now(), copied());
    let after = wait_for("two seconds' work", SOON, || match copied() {
        n if n >= before + 200 => Ok(n),
        n => Err(format!("{n} copies, {before} before")),
    });
    let rate = (after - before) as f64 / begin.elapsed().as_secs_f64();
    assert!((80.0..115.0).contains(&rate), "{rate} messages a second");
}

/// Under a limit the partitions of a member take turns; none waits for the backlog of another.
#[test]
fn partitions_take_turns_under_a_rate() {
    needs_kafka!();
    let case = Case::new("turns", 4);
    case.fill(0..4, 300);
    let _daemon = case.start("rate = 200.0\n", COPY);
    let copies = case.wait_for_copies(200, SOON);
    let found = by_partition(&copies);
    let shares: Vec<usize> = (0..4).map(|p| found.get(&p).map_or(0, Vec::len)).collect();
    assert!(shares.iter().all(|share| *share >= 30), "{shares:?}");
}

/// A changed rate holds from the next message on, without a rebalance.
#[test]
fn a_changed_rate_holds_at_once() {
    needs_kafka!();
    let case = Case::new("rerated", 1);
    case.fill(0..1, 2000);
    let daemon = case.start("rate = 1.0\n", COPY);
    case.wait_for_copies(1, SOON);
    let rebalances = daemon.status().counter(&case.group, "rebalances");
    daemon.edit_config("rate = 1.0", "rate = \"unlimited\"");
    let status = daemon.reload();
    assert_eq!(status.at("/last_reload/ok"), true, "{status}");
    case.wait_until_done(SOON);
    assert_eq!(
        daemon.status().counter(&case.group, "rebalances"),
        rebalances
    );
}

/// No more than `in_flight` messages are ever started and not finished.
#[test]
fn in_flight_is_never_exceeded() {
    needs_kafka!();
    let case = Case::new("in-flight", 2);
    case.fill(0..2, 500);
    // Every message waits for a retry that does not come in time.
    let settings = "ordering = \"none\"\nin_flight = 70\n\
                    on_failure = { retries = 5, backoff = \"60s\", max_backoff = \"60s\" }\n";
    let daemon = case.start(settings, "fn handle(msg) { throw \"no\"; }");
    let status = daemon.wait_until("the bound", SOON, |status| {
        case.member(status)["in_flight"] == 70
    });
    assert_eq!(case.member(&status)["waiting"], 70);
    let held = case.member(&status)["partitions"].clone();
    let waiting = |index: usize| held[index]["waiting"].as_u64().unwrap_or_default();
    assert_eq!(waiting(0) + waiting(1), 70, "{status}");
    let failed = status.counter(&case.group, "failed");
    assert_eq!(failed, 70, "no message more was started");
    // It still hears what it is told.
    let exit = daemon.stop();
    assert!(exit.status.success(), "{}", exit.output);
    assert!(
        exit.took < Duration::from_secs(3),
        "it took {:?}",
        exit.took
    );
    let unfinished = exit.output.matches("35 messages are unfinished").count();
    assert_eq!(
        unfinished, 2,
        "each partition has its share: {}",
        exit.output
    );
}

/// A handler that never ends is ended by `handler_timeout`; its message fails, and the member stays in
/// its group.
#[test]
fn a_runaway_handler_is_ended_and_its_member_stays() {
    needs_kafka!();
    let case = Case::new("runaway", 1);
    case.fill(0..1, 5);
    let handler = r#"
fn handle(msg) {
    if msg.offset == 2 { loop {} }
    emit(params.out, #{ partition: msg.partition, offset: msg.offset, key: msg.key, value: msg.value });
}
"#;
    let settings = "handler_timeout = \"300ms\"\nlimits = { operations = 1_000_000_000_000 }\n\
                    on_failure = { retries = 1, backoff = \"20ms\" }\n\
                    properties = { \"session.timeout.ms\" = \"2000\", \"heartbeat.interval.ms\" = \"300\" }\n";
    let daemon = case.start(settings, handler);
    let dead = case.probe.read(&case.dead(), 1, SOON);
    case.wait_until_done(SOON);
    let reason = dead[0]
        .headers
        .iter()
        .find(|(name, _)| name == "deliveryd-reason");
    assert!(
        reason.is_some_and(|(_, text)| text.contains("300ms")),
        "{reason:?}"
    );
    let offsets: Vec<i64> = case.copies().iter().map(|copy| copy.offset).collect();
    assert_eq!(offsets, [0, 1, 3, 4]);
    assert_eq!(daemon.status().counter(&case.group, "rebalances"), 1);
}

/// One message's error in the middle of many leaves the others alone.
#[test]
fn an_error_in_one_message_is_its_own() {
    needs_kafka!();
    let case = Case::new("errors", 1);
    case.fill(0..1, 300);
    let handler = r#"
fn deeper(n) { deeper(n + 1) }
fn handle(msg) {
    if msg.offset == 50 { deeper(0); }
    if msg.offset == 100 { let a = []; loop { a.push(1); } }
    if msg.offset == 150 { let s = "x"; loop { s += s; } }
    if msg.offset == 200 { msg.json.field.that.is_not_there; }
    if msg.offset == 250 { parse_int("no number"); }
    emit(params.out, msg.offset);
}
"#;
    let daemon = case.start("on_failure = { retries = 0 }\n", handler);
    case.wait_until_done(SOON);
    assert_eq!(case.probe.read_all(&case.dead()).len(), 5);
    assert_eq!(case.probe.read_all(&case.out).len(), 295);
    daemon.wait_until("the counters", SOON, |s| {
        s.counter(&case.group, "dead_lettered") == 5
    });
}

/// Beyond `max_share` of dead letters the whole group stops and says why, instead of emptying the topic;
/// a mended handler lets it go on with the message that it stopped at.
#[test]
fn a_bad_handler_is_stopped_before_it_empties_the_topic() {
    needs_kafka!();
    let case = Case::new("share", 2);
    case.fill(0..2, 1000);
    let bad = "fn handle(msg) { reject(\"all of them\"); }";
    let daemon = case.start("members = 2\non_failure = { max_share = 0.5 }\n", bad);
    let status = daemon.wait_until("the group to stop", SOON, |status| {
        let members = status.members(&case.group);
        let mut full = members.iter().filter(|m| !m.partitions.is_empty());
        full.any(|member| member.state == "stuck")
    });
    let reason = status.group(&case.group)["members"].to_string();
    assert!(reason.contains("50 %"), "{reason}");
    assert_eq!(daemon.get("/readyz").code, 503);
    daemon.edit_handler("handle.rhai", bad, COPY);
    // With the last commit every copy and every dead letter is there; when the group stops, its letters may
    // still be on their way.
    case.wait_until_done(SOON);
    let copies = case.copies();
    let handled = support::case::times(&copies).len() as i64;
    let dead = case.probe.end_offsets(&case.dead()).values().sum::<i64>();
    assert!((15..60).contains(&dead), "{dead} dead letters");
    assert_eq!(handled + dead, 2000);
    assert_eq!(copies.len() as i64, handled, "none twice");
}

/// A slow handler with a backlog keeps nobody waiting: offsets are committed meanwhile, and a stop is heard
/// after the call that is under way, not after the backlog.
#[test]
fn a_slow_handler_holds_up_neither_commits_nor_the_stop() {
    needs_kafka!();
    let case = Case::new("slow", 2);
    case.fill(0..2, 400);
    let daemon = case.start("", SLOW);
    wait_for("the first commits", SOON, || {
        let committed = case.probe.committed(&case.group, &case.topic);
        match committed.values().sum::<i64>() {
            1..=100 => Ok(()),
            n => Err(format!("{n} are committed")),
        }
    });
    let exit = daemon.stop();
    assert!(exit.status.success(), "{}", exit.output);
    assert!(
        exit.took < Duration::from_secs(2),
        "it took {:?}",
        exit.took
    );
    let _successor = case.start("", COPY);
    let copies = case.wait_for_copies(800, SOON);
    case.wait_until_done(SOON);
    assert_each_once_in_order(&copies, 2, 400);
}

/// What waited behind a retry is a backlog like any other.
#[test]
fn what_waited_behind_a_retry_holds_up_nothing_either() {
    needs_kafka!();
    let case = Case::new("slow-retry", 1);
    case.fill(0..1, 400);
    let handler = SLOW.replace(
        "let n = 0;",
        "if msg.offset == 3 && msg.attempt < 3 { throw \"no\"; } let n = 0;",
    );
    let daemon = case.start(
        "on_failure = { retries = 3, backoff = \"300ms\" }\n",
        &handler,
    );
    wait_for("the first commits after the retries", SOON, || {
        match case.probe.committed(&case.group, &case.topic).get(&0) {
            Some(5..=60) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let exit = daemon.stop();
    assert!(
        exit.took < Duration::from_secs(2),
        "it took {:?}",
        exit.took
    );
    let _successor = case.start("", COPY);
    let copies = case.wait_for_copies(400, SOON);
    assert_each_once_in_order(&copies, 1, 400);
}

/// A big backlog and a slow handler: what the daemon holds of it is bounded.
#[test]
fn memory_stays_flat_with_a_big_backlog() {
    needs_kafka!();
    let case = Case::new("backlog", 2);
    let padding = "x".repeat(1000);
    for partition in 0..2 {
        let records = (0..100_000).map(|n| (format!("k{n}"), padding.as_str()));
        case.probe.produce_to(&case.topic, partition, records);
    }
    // One message waits for its retry all the time, so that everything piles up behind it.
    let handler = "fn handle(msg) { if msg.partition == 0 { throw \"no\"; } }";
    let settings =
        "on_failure = { retries = 5, backoff = \"60s\", max_backoff = \"60s\" }\nrate = 2000.0\n";
    let daemon = case.start(settings, handler);
    let status = daemon.wait_until("some thousand messages", SOON, |s| {
        s.handled(&case.group) > 8000
    });
    let buffered = case.member(&status)["buffered_bytes"]
        .as_u64()
        .unwrap_or_default();
    assert!(buffered > 1 << 20, "nothing piled up: {buffered}");
    assert!(buffered <= 16 << 20, "{buffered} bytes are held");
    let peak = daemon.peak_memory() >> 20;
    eprintln!("peak memory {peak} MiB, of it {} MiB held", buffered >> 20);
    assert!(peak < 150, "{peak} MiB");
}

/// Messages of a partition that wait for their retry take its share of `in_flight` and no more, so that the
/// other partitions of the member flow.
#[test]
fn what_waits_of_one_partition_leaves_room_for_the_others() {
    needs_kafka!();
    let case = Case::new("room", 2);
    case.fill(0..1, 100);
    let handler = COPY.replace("emit(", "if msg.partition == 0 { throw \"no\"; }\n emit(");
    let settings = "ordering = \"none\"\nin_flight = 10\n\
                    on_failure = { retries = 5, backoff = \"60s\", max_backoff = \"60s\" }\n";
    let daemon = case.start(settings, &handler);
    let waiting = |status: &support::Status| case.member(status)["waiting"].as_u64();
    daemon.wait_until("the share", SOON, |status| waiting(status) == Some(5));
    case.fill(1..2, 200);
    let copies = case.wait_for_copies(200, SOON);
    assert_eq!(by_partition(&copies).into_keys().collect::<Vec<_>>(), [1]);
    assert_eq!(waiting(&daemon.status()), Some(5));
}

/// The same of `buffer`: large messages that wait stay within it, and what else there is flows.
#[test]
fn large_messages_that_wait_stay_within_the_buffer() {
    needs_kafka!();
    let case = Case::new("large", 2);
    case.probe
        .set_topic_config(&case.topic, "max.message.bytes", "2000000");
    let value = "x".repeat(1 << 20);
    let records = (0..150).map(|n| (format!("k{n}"), value.as_str()));
    case.probe.produce_to(&case.topic, 0, records);
    let handler = COPY.replace("emit(", "if msg.partition == 0 { throw \"no\"; }\n emit(");
    let settings = "ordering = \"none\"\nbuffer = \"32MiB\"\n\
                    on_failure = { retries = 5, backoff = \"60s\", max_backoff = \"60s\" }\n";
    let daemon = case.start(settings, &handler);
    daemon.wait_until("some to wait", SOON, |status| {
        case.member(status)["waiting"].as_u64() >= Some(4)
    });
    for _ in 0..5 {
        let before = case.probe.end_offsets(&case.out)[&0] as usize;
        case.fill(1..2, 1000);
        case.wait_for_copies(before + 1000, SOON);
    }
    let status = daemon.status();
    let member = case.member(&status);
    // Its half of a quarter, and of the last one what went over it.
    assert_eq!(member["waiting"], 4, "{member}");
    let buffered = member["buffered_bytes"].as_u64().unwrap_or_default();
    assert!(buffered <= 16 << 20, "{buffered} bytes are held");
    let peak = daemon.peak_memory() >> 20;
    eprintln!("peak memory {peak} MiB, of it {} MiB held", buffered >> 20);
    assert!(peak < 120, "{peak} MiB");
}
