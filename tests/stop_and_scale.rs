//! Orderly stops and changes of the number of members, under load: each message once, in order.

mod support;

use std::time::Duration;

use support::case::{COPY, Case, SOON, assert_each_once_in_order};
use support::{Daemon, wait_for};

fn copied(case: &Case) -> i64 {
    case.probe.end_offsets(&case.out)[&0]
}

/// Waits until `more` copies were written than now.
fn work_on(case: &Case, daemon: &Daemon, more: i64) {
    let before = copied(case);
    wait_for("work to go on", SOON, || match copied(case) - before {
        n if n >= more => Ok(()),
        n => Err(format!("{n} of {more}\n{}", daemon.output.tail())),
    });
}

fn stop(daemon: Daemon) {
    let exit = daemon.stop();
    assert_eq!(exit.status.code(), Some(0), "{}", exit.output);
    assert!(!exit.output.contains("unfinished"), "{}", exit.output);
}

/// SIGTERM in the middle of the work, with emits on their way: everything started is finished and
/// committed, and the next daemon goes on behind it. Nothing comes twice, nothing is missing.
#[test]
fn an_orderly_stop_repeats_nothing_and_loses_nothing() {
    needs_kafka!();
    let case = Case::new("stopped", 3);
    case.fill(0..3, 3000);
    for _ in 0..3 {
        let daemon = case.start("members = 2\nrate = 3000.0\n", COPY);
        work_on(&case, &daemon, 800);
        stop(daemon);
        let committed: i64 = case
            .probe
            .committed(&case.group, &case.topic)
            .values()
            .sum();
        assert_eq!(committed, copied(&case), "everything written is committed");
    }
    let _last = case.start("members = 2\n", COPY);
    let copies = case.wait_for_copies(9000, SOON);
    case.wait_until_done(SOON);
    assert_each_once_in_order(&copies, 3, 3000);
}

/// The same for keys, with messages waiting behind others that failed.
#[test]
fn an_orderly_stop_with_retries_keeps_each_keys_order() {
    needs_kafka!();
    let case = Case::new("stopped-keys", 2);
    case.fill(0..2, 1500);
    let handler = COPY.replace(
        "emit(",
        "if msg.offset % 50 == 7 && msg.attempt < 3 { throw \"no\"; }\n    emit(",
    );
    let settings = "ordering = \"key\"\nrate = 2000.0\non_failure = { backoff = \"30ms\" }\n";
    for _ in 0..3 {
        let daemon = case.start(settings, &handler);
        work_on(&case, &daemon, 400);
        assert!(daemon.stop().status.success());
    }
    let _last = case.start("ordering = \"key\"\n", COPY);
    let copies = case.wait_for_copies(3000, SOON);
    case.wait_until_done(SOON);
    assert_eq!(copies.len(), 3000, "each once");
    for partition in 0..2 {
        for key in 0..5 {
            let key = format!("k{key}");
            let own = copies
                .iter()
                .filter(|c| c.partition == partition && c.key == key);
            let offsets: Vec<i64> = own.map(|copy| copy.offset).collect();
            assert_eq!(offsets.len(), 300);
            assert!(offsets.is_sorted(), "{partition} {key}: {offsets:?}");
        }
    }
}

/// Members come and go by SIGHUP while messages flow: each is handled once, and each partition's in order.
#[test]
fn members_come_and_go_under_load() {
    needs_kafka!();
    let case = Case::new("scaled", 4);
    case.fill(0..4, 3000);
    let daemon = case.start("members = 1\nrate = 1000.0\n", COPY);
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
    let copies = case.wait_for_copies(12_000, SOON);
    case.wait_until_done(SOON);
    assert_each_once_in_order(&copies, 4, 3000);
    stop(daemon);
}

/// Two daemons share a group; one leaves and comes back while messages flow.
#[test]
fn a_second_daemon_comes_and_goes_under_load() {
    needs_kafka!();
    let case = Case::new("joined", 4);
    case.fill(0..4, 3000);
    let settings = "members = 2\nrate = 600.0\n";
    let start = |instance: &str| {
        case.setup(settings, COPY)
            .set("daemon.instance", &format!("{instance:?}"))
            .start()
    };
    let staying = start("staying");
    work_on(&case, &staying, 300);
    for _ in 0..2 {
        let passing = start("passing");
        passing.wait_until_assigned(&case.group, 2);
        work_on(&case, &passing, 500);
        stop(passing);
        staying.wait_until_assigned(&case.group, 4);
        work_on(&case, &staying, 200);
    }
    let copies = case.wait_for_copies(12_000, Duration::from_secs(30));
    case.wait_until_done(SOON);
    assert_each_once_in_order(&copies, 4, 3000);
}

/// A changed setting that needs new clients replaces the members one after another, under load.
#[test]
fn replaced_members_repeat_nothing() {
    needs_kafka!();
    let case = Case::new("replaced", 2);
    case.fill(0..2, 3000);
    let daemon = case.start("members = 2\nrate = 1500.0\nbuffer = \"8MiB\"\n", COPY);
    work_on(&case, &daemon, 300);
    daemon.edit_config("buffer = \"8MiB\"", "buffer = \"16MiB\"");
    let status = daemon.reload();
    assert_eq!(status.at("/last_reload/ok"), true, "{status}");
    work_on(&case, &daemon, 300);
    let copies = case.wait_for_copies(6000, SOON);
    case.wait_until_done(SOON);
    assert_each_once_in_order(&copies, 2, 3000);
}
