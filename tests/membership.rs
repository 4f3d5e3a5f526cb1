//! Static members, and the consumer protocol of KIP-848.

mod support;

use std::time::{Duration, Instant};

use support::case::{COPY, Case, SOON, assert_each_once_in_order, times};
use support::{Daemon, wait_for};

/// Long enough that nothing in these tests can be explained by it.
const STATIC: &str =
    "static_membership = true\nproperties = { \"session.timeout.ms\" = \"40000\" }\n";

fn start(case: &Case, instance: &str, settings: &str) -> Daemon {
    case.setup(settings, COPY)
        .set("daemon.instance", &format!("{instance:?}"))
        .start()
}

/// A static member that stops and is started again within the session timeout finds its partitions
/// where they were; the other daemon's members see no rebalance.
#[test]
fn a_restart_of_static_members_moves_nothing() {
    needs_kafka!();
    let case = Case::new("static", 4);
    let settings = format!("members = 2\n{STATIC}");
    let staying = start(&case, "a", &settings);
    let restarted = start(&case, "b", &settings);
    staying.wait_until_assigned(&case.group, 2);
    restarted.wait_until_assigned(&case.group, 2);
    let held = restarted.status().assigned(&case.group);
    case.fill(0..4, 50);
    case.wait_until_done(SOON);
    // A rebalance is counted when it has settled.
    let before = staying.wait_until("the first rebalance", SOON, |s| {
        s.has_settled(&case.group) && s.shares(&case.group) == [1, 1]
    });
    assert!(restarted.stop().status.success());

    case.fill(0..4, 50);
    let again = start(&case, "b", &settings);
    again.wait_until_assigned(&case.group, 2);
    let copies = case.wait_for_copies(400, SOON);
    case.wait_until_done(SOON);
    assert_eq!(again.status().assigned(&case.group), held);
    assert_eq!(
        staying.status().counter(&case.group, "rebalances"),
        before.counter(&case.group, "rebalances")
    );
    assert_each_once_in_order(&copies, 4, 100);
}

/// A static member that was killed and is started at once goes on within about a second, however long
/// the session timeout.
#[test]
fn a_killed_static_member_goes_on_at_once() {
    needs_kafka!();
    let case = Case::new("static-killed", 2);
    let daemon = start(&case, "a", STATIC);
    daemon.wait_until_assigned(&case.group, 2);
    case.fill(0..2, 20);
    case.wait_until_done(SOON);
    daemon.kill();
    case.fill(0..2, 20);
    let begin = Instant::now();
    let _again = start(&case, "a", STATIC);
    case.wait_for_copies(80, SOON);
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(3), "it took {took:?}");
    case.wait_until_done(SOON);
    assert_eq!(
        case.copies().len(),
        80,
        "everything was committed before the kill"
    );
}

/// A static member that is scaled away gives its partitions up at once, not after the session timeout.
#[test]
fn a_static_member_that_is_removed_gives_its_partitions_up_at_once() {
    needs_kafka!();
    let case = Case::new("static-scaled", 2);
    let daemon = start(&case, "a", &format!("members = 2\n{STATIC}"));
    daemon.wait_until("one each", SOON, |s| s.shares(&case.group) == [1, 1]);
    daemon.edit_config("members = 2", "members = 1");
    let begin = Instant::now();
    let status = daemon.reload();
    assert_eq!(status.at("/last_reload/ok"), true, "{status}");
    daemon.wait_until("both at the one", SOON, |s| s.shares(&case.group) == [2]);
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    case.fill(0..2, 20);
    case.wait_for_copies(40, SOON);
    case.wait_until_done(SOON);
}

/// `protocol = "consumer"`: two members share the partitions, offsets are committed, and a member that
/// comes or goes makes nobody handle anything twice.
#[test]
fn the_consumer_protocol_shares_rebalances_and_commits() {
    needs_kafka!();
    let case = Case::new("kip-848", 4);
    let settings = "members = 2\nprotocol = \"consumer\"\nrate = 400.0\n";
    case.fill(0..4, 1500);
    let daemon = start(&case, "a", settings);
    daemon.wait_until("two each", SOON, |s| s.shares(&case.group) == [2, 2]);
    daemon.edit_config("members = 2", "members = 3");
    let status = daemon.reload();
    assert_eq!(status.at("/last_reload/ok"), true, "{status}");
    daemon.wait_until("a share for each", SOON, |s| {
        s.shares(&case.group) == [1, 1, 2]
    });
    daemon.edit_config("members = 3", "members = 1");
    daemon.reload();
    daemon.wait_until("all at one", SOON, |s| s.shares(&case.group) == [4]);
    let exit = daemon.stop();
    assert!(exit.status.success(), "{}", exit.output);
    assert!(
        exit.took < Duration::from_secs(3),
        "it took {:?}",
        exit.took
    );
    let committed: i64 = case
        .probe
        .committed(&case.group, &case.topic)
        .values()
        .sum();
    assert_eq!(committed, case.probe.end_offsets(&case.out)[&0]);

    let _next = start(&case, "a", "protocol = \"consumer\"\n");
    let copies = case.wait_for_copies(6000, SOON);
    case.wait_until_done(SOON);
    wait_for("the copies to be complete", SOON, || {
        match times(&copies).len() {
            6000 => Ok(()),
            n => Err(format!("{n}")),
        }
    });
    assert_each_once_in_order(&copies, 4, 1500);
}
