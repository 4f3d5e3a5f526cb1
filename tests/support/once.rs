//! What the tests of `guarantee = "exactly_once"` share.

use std::time::Duration;

use super::case::{Case, Copied, SOON};
use super::daemon::Daemon;
use super::wait::wait_for;

/// Transactions, short ones.
pub const ONCE: &str = "guarantee = \"exactly_once\"\ntransaction_interval = \"50ms\"\n";

/// Waits until a reader that leaves out what is not committed sees `count` copies or more.
#[track_caller]
pub fn wait_for_committed(
    case: &Case,
    daemon: &Daemon,
    count: usize,
    within: Duration,
) -> Vec<Copied> {
    wait_for(&format!("{count} committed copies"), within, || {
        let copies = case.committed_copies();
        match copies.len() {
            n if n >= count => Ok(copies),
            n => Err(format!("{n} of {count}\n{}", daemon.output.tail())),
        }
    })
}

/// How many messages the group has committed.
pub fn committed(case: &Case) -> i64 {
    let committed = case.probe.committed(&case.group, &case.topic);
    committed.values().sum()
}

/// Waits until the group has committed `more` messages than now.
#[track_caller]
pub fn work_on(case: &Case, daemon: &Daemon, more: i64) {
    let before = committed(case);
    wait_for("work to go on", SOON * 2, || {
        match committed(case) - before {
            n if n >= more => Ok(()),
            n => Err(format!("{n} of {more}\n{}", daemon.output.tail())),
        }
    });
}
