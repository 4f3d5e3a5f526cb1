//! `guarantee = "exactly_once"`: a reader that leaves out what was not committed sees the effect of each
//! message once, whatever happens.

mod support;

use support::case::{COPY, Case, SOON, assert_each_once_in_order, times};
use support::once::{ONCE, wait_for_committed, work_on};
use support::{Daemon, wait_for};

fn stop(daemon: Daemon) {
    let exit = daemon.stop();
    assert_eq!(exit.status.code(), Some(0), "{}", exit.output);
}

/// Copies come out once each and in order, offsets are committed, and the status counts them.
#[test]
fn each_message_has_its_effect_once() {
    needs_kafka!();
    let case = Case::new("once", 3);
    case.fill(0..3, 1000);
    let daemon = case.start(&format!("members = 2\n{ONCE}"), COPY);
    let copies = wait_for_committed(&case, &daemon, 3000, SOON);
    assert_each_once_in_order(&copies, 3, 1000);
    case.wait_until_done(SOON);
    daemon.wait_until("3000 handled", SOON, |s| s.handled(&case.group) == 3000);
    stop(daemon);
}

/// A handler that emits nothing has its offsets committed all the same.
#[test]
fn a_group_that_emits_nothing_commits_too() {
    needs_kafka!();
    let case = Case::new("once-silent", 2);
    case.fill(0..2, 500);
    let daemon = case.start(ONCE, "fn handle(msg) { }");
    case.wait_until_done(SOON);
    daemon.wait_until("1000 handled", SOON, |s| s.handled(&case.group) == 1000);
    stop(daemon);
}

/// SIGTERM under load: what was handled is committed with its effects, and not even a reader that sees
/// everything sees anything twice.
#[test]
fn an_orderly_stop_repeats_nothing() {
    needs_kafka!();
    let case = Case::new("once-stopped", 3);
    case.fill(0..3, 2000);
    for _ in 0..3 {
        let daemon = case.start(&format!("members = 2\nrate = 3000.0\n{ONCE}"), COPY);
        work_on(&case, &daemon, 600);
        stop(daemon);
    }
    let last = case.start(&format!("members = 2\n{ONCE}"), COPY);
    let copies = wait_for_committed(&case, &last, 6000, SOON);
    case.wait_until_done(SOON);
    assert_each_once_in_order(&copies, 3, 2000);
    stop(last);
}

/// Members come and go while messages flow: none has its effect twice, or out of order.
#[test]
fn members_come_and_go_under_load() {
    needs_kafka!();
    let case = Case::new("once-scaled", 4);
    case.fill(0..4, 2500);
    let daemon = case.start(&format!("members = 1\nrate = 1000.0\n{ONCE}"), COPY);
    work_on(&case, &daemon, 300);
    let mut now = 1;
    for members in [3, 2, 4, 1] {
        daemon.edit_config(&format!("members = {now}"), &format!("members = {members}"));
        let status = daemon.reload();
        assert_eq!(status.at("/last_reload/ok"), true, "{status}");
        now = members;
        daemon.wait_until("the partitions to be shared out", SOON, |status| {
            let shares = status.shares(&case.group);
            shares.len() == members && shares.iter().sum::<usize>() == 4 && !shares.contains(&0)
        });
        work_on(&case, &daemon, 300);
    }
    daemon.edit_config("rate = 1000.0", "rate = \"unlimited\"");
    daemon.reload();
    let copies = wait_for_committed(&case, &daemon, 10_000, SOON);
    case.wait_until_done(SOON);
    assert_each_once_in_order(&copies, 4, 2500);
    assert!(daemon.stop().status.success());
}

/// The same with members of two daemons, and with the protocol of KIP-848.
#[test]
fn a_second_daemon_comes_and_goes_under_load() {
    needs_kafka!();
    for protocol in ["classic", "consumer"] {
        let case = Case::new(&format!("once-joined-{protocol}"), 4);
        case.fill(0..4, 2000);
        let settings = format!("members = 2\nrate = 600.0\nprotocol = {protocol:?}\n{ONCE}");
        let start = |instance: &str| {
            case.setup(&settings, COPY)
                .set("daemon.instance", &format!("{instance:?}"))
                .start()
        };
        let staying = start("staying");
        work_on(&case, &staying, 300);
        for _ in 0..2 {
            let passing = start("passing");
            passing.wait_until_assigned(&case.group, 2);
            work_on(&case, &passing, 300);
            assert!(passing.stop().status.success());
            staying.wait_until_assigned(&case.group, 4);
            work_on(&case, &staying, 200);
        }
        staying.edit_config("rate = 600.0", "rate = \"unlimited\"");
        staying.reload();
        let copies = wait_for_committed(&case, &staying, 8000, SOON);
        case.wait_until_done(SOON);
        assert_each_once_in_order(&copies, 4, 2000);
    }
}

/// While a message waits for its retry, no transaction is open: what came before it in its partition and
/// everything of the others is committed and can be read.
#[test]
fn no_transaction_is_open_over_a_retry_wait() {
    needs_kafka!();
    let case = Case::new("once-waits", 2);
    let handler = COPY.replace(
        "emit(",
        "if msg.partition == 0 && msg.offset == 5 && msg.attempt == 1 { throw \"not yet\"; }\n    emit(",
    );
    let settings = format!("{ONCE}on_failure = {{ backoff = \"6s\" }}\n");
    let daemon = case.start(&settings, &handler);
    case.fill(0..2, 100);
    let copies = wait_for_committed(&case, &daemon, 105, SOON);
    assert_eq!(copies.len(), 105);
    let status = daemon.status();
    assert_eq!(case.member(&status)["waiting"], 1, "{status}");
    assert_eq!(case.probe.committed(&case.group, &case.topic)[&0], 5);
    let copies = wait_for_committed(&case, &daemon, 200, SOON);
    assert_each_once_in_order(&copies, 2, 100);
    stop(daemon);
}

/// Messages that are given up are dead letters once each, beside the effects of all the others, though
/// the daemon is killed in between.
#[test]
fn dead_letters_are_written_once() {
    needs_kafka!();
    let case = Case::new("once-poison", 2);
    case.fill(0..2, 2000);
    let handler = COPY.replace(
        "emit(",
        "if msg.offset % 100 == 7 { throw \"poison\"; }\n    emit(",
    );
    let settings = format!(
        "rate = 1500.0\nstatic_membership = true\n{ONCE}on_failure = {{ retries = 1, backoff = \"5ms\" }}\n"
    );
    for _ in 0..2 {
        let daemon = case.start(&settings, &handler);
        work_on(&case, &daemon, 700);
        daemon.kill();
    }
    let last = case.start(&settings.replace("1500.0", "\"unlimited\""), &handler);
    let copies = wait_for_committed(&case, &last, 3960, SOON);
    case.wait_until_done(SOON);
    let poison = |offset: i64| offset % 100 == 7;
    assert!(copies.iter().all(|copy| !poison(copy.offset)));
    assert!(times(&copies).values().all(|times| *times == 1));
    assert_eq!(copies.len(), 3960);
    let dead = case.probe.read_committed(&case.dead());
    let mut from: Vec<(String, i64)> = dead
        .iter()
        .map(|letter| {
            let header = |name: &str| {
                let found = letter.headers.iter().find(|(known, _)| known == name);
                found.map(|(_, value)| value.clone()).unwrap_or_default()
            };
            let offset = header("deliveryd-offset").parse();
            (header("deliveryd-partition"), offset.unwrap_or(-1))
        })
        .collect();
    from.sort();
    let poisoned = (0..2).flat_map(|p| (0..20).map(move |n| (p.to_string(), n * 100 + 7)));
    assert_eq!(from, poisoned.collect::<Vec<_>>());
}

/// The broker refuses one emit of a message that has others: none of them is seen, the message is tried
/// again and given up like any that fails, and all others have their effects once.
#[test]
fn a_refused_emit_takes_its_whole_message_back_and_no_other() {
    needs_kafka!();
    let case = Case::new("once-refused", 2);
    case.probe
        .set_topic_config(&case.out, "max.message.bytes", "4000");
    case.fill(0..2, 300);
    let handler = r#"
fn handle(msg) {
    emit(params.out, #{ partition: msg.partition, offset: msg.offset, key: msg.key, value: msg.value });
    if msg.partition == 1 && msg.offset == 120 {
        let large = msg.value;
        large.pad(6000, "x");
        emit(params.out, large);
    }
}
"#;
    let settings = format!(
        "{ONCE}on_failure = {{ retries = 2, backoff = \"20ms\" }}\nproperties = {{ \"compression.type\" = \"none\" }}\n"
    );
    let daemon = case.start(&settings, handler);
    // What shared its transaction is read again with a transaction for each message.
    let copies = wait_for_committed(&case, &daemon, 599, SOON * 2);
    case.wait_until_done(SOON);
    let times = times(&copies);
    assert_eq!((copies.len(), times.len()), (599, 599), "each once");
    assert!(!times.contains_key(&(1, 120)), "nothing of the refused one");
    let dead = case.probe.read_committed(&case.dead());
    assert_eq!(dead.len(), 1, "{dead:?}");
    let attempts = dead[0]
        .headers
        .iter()
        .find(|(name, _)| name == "deliveryd-attempts");
    assert_eq!(attempts.map(|(_, value)| value.as_str()), Some("3"));
    wait_for("the counts to be exact", SOON, || {
        let status = daemon.status();
        match (
            status.handled(&case.group),
            status.counter(&case.group, "dead_lettered"),
        ) {
            (599, 1) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}
