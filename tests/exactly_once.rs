//! `guarantee = "exactly_once"`: a reader that leaves out what was not committed sees the effect of each
//! message once, whatever happens.

mod support;

use std::time::Duration;

use support::case::{COPY, Case, Copied, SOON, assert_each_once_in_order};
use support::{Daemon, wait_for};

const ONCE: &str = "guarantee = \"exactly_once\"\ntransaction_interval = \"50ms\"\n";

/// Waits until a reader sees `count` copies or more.
#[track_caller]
fn wait_for_committed(case: &Case, daemon: &Daemon, count: usize, within: Duration) -> Vec<Copied> {
    wait_for(&format!("{count} committed copies"), within, || {
        let copies = case.committed_copies();
        match copies.len() {
            n if n >= count => Ok(copies),
            n => Err(format!("{n} of {count}\n{}", daemon.output.tail())),
        }
    })
}

fn committed(case: &Case) -> i64 {
    let committed = case.probe.committed(&case.group, &case.topic);
    committed.values().sum()
}

/// Waits until the group has committed `more` messages than now.
#[track_caller]
fn work_on(case: &Case, daemon: &Daemon, more: i64) {
    let before = committed(case);
    wait_for("work to go on", SOON, || match committed(case) - before {
        n if n >= more => Ok(()),
        n => Err(format!("{n} of {more}\n{}", daemon.output.tail())),
    });
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
    let exit = daemon.stop();
    assert!(exit.status.success(), "{}", exit.output);
    assert!(!exit.output.contains("abort"), "{}", exit.output);
}

/// `kill -9` in the middle of a transaction, and started again at once, again and again.
#[test]
fn kill_and_immediate_restart_repeat_nothing() {
    needs_kafka!();
    let case = Case::new("once-killed", 3);
    case.fill(0..3, 3000);
    let settings = format!("members = 2\nrate = 1500.0\nstatic_membership = true\n{ONCE}");
    for _ in 0..4 {
        let daemon = case.start(&settings, COPY);
        work_on(&case, &daemon, 400);
        daemon.kill();
    }
    let last = case.start(&settings.replace("1500.0", "\"unlimited\""), COPY);
    let copies = wait_for_committed(&case, &last, 9000, SOON);
    case.wait_until_done(SOON);
    assert_each_once_in_order(&copies, 3, 3000);
}
