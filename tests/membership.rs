//! Who keeps a place in the group: static members, the consumer protocol of KIP-848, and members whose
//! handler is slow, waiting or stopped.

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

/// A static member that is removed while it still waits to join gives up its place, too: nobody waits for
/// its session to time out.
#[test]
fn a_static_member_that_goes_while_it_joins_leaves_no_ghost() {
    needs_kafka!();
    let case = Case::new("static-joining", 2);
    // It hears with its next heartbeat that somebody joins; so long the other one waits.
    let slow = STATIC.replace(" }", ", \"heartbeat.interval.ms\" = \"5000\" }");
    let staying = start(&case, "a", &slow);
    staying.wait_until_assigned(&case.group, 2);
    let going = start(&case, "b", STATIC);
    wait_for("the group to take in b", SOON, || {
        match case.probe.group_state(&case.group) {
            state if state == "PreparingRebalance" => Ok(()),
            state => Err(state),
        }
    });
    going.edit_config("static_membership = true", "static_membership = false");
    let began = Instant::now();
    going.reload_now();
    going.wait_until_assigned(&case.group, 1);
    let took = began.elapsed();
    assert!(took < SOON, "b came back after {took:?}");
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

/// So does one whose group stops being static, or is removed: nobody waits for the session timeout.
#[test]
fn static_members_that_are_static_no_more_give_their_partitions_up_at_once() {
    needs_kafka!();
    let case = Case::new("static-no-more", 2);
    let leaving = start(&case, "a", STATIC);
    let staying = start(&case, "b", "");
    staying.wait_until("one each", SOON, |s| s.shares(&case.group) == [1]);
    leaving.edit_config("static_membership = true", "static_membership = false");
    let begin = Instant::now();
    let status = leaving.reload();
    assert_eq!(status.at("/last_reload/ok"), true, "{status}");
    for daemon in [&leaving, &staying] {
        daemon.wait_until("one each again", SOON, |s| {
            s.shares(&case.group) == [1] && s.members(&case.group)[0].state == "running"
        });
    }
    case.fill(0..2, 20);
    case.wait_for_copies(40, SOON);
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(10), "it took {took:?}");

    leaving.edit_config("static_membership = false", "static_membership = true");
    leaving.reload();
    leaving.wait_until("one each at last", SOON, |s| s.shares(&case.group) == [1]);
    let begin = Instant::now();
    leaving.edit_config(&format!("[groups.{:?}]", case.group), "[groups.other]");
    leaving.edit_config("static_membership = true", "rate = 1.0");
    let status = leaving.reload();
    assert_eq!(status.at("/last_reload/ok"), true, "{status}");
    staying.wait_until("both at the one", SOON, |s| s.shares(&case.group) == [2]);
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(10), "it took {took:?}");
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

/// A member whose handler is slow, whose messages wait for their retries, or whose partition is stopped polls
/// on: long after `max.poll.interval.ms` it still has its place, and the work of the others is as before.
#[test]
fn a_slow_waiting_or_stopped_member_stays_in_its_group() {
    needs_kafka!();
    const SHORT: &str = "drain_timeout = \"2s\"\nproperties = { \"max.poll.interval.ms\" = \"6000\", \
                         \"session.timeout.ms\" = \"6000\" }\n";
    let slow = COPY.replace("emit(", "let n = 0; while n < 100_000 { n += 1; }\n emit(");
    let failing = "fn handle(msg) { throw \"no\"; }";
    let waits = "on_failure = { retries = 5, backoff = \"60s\", max_backoff = \"60s\" }\n";
    let stops = "on_failure = { retries = 0, then = \"stop\" }\n";
    let all = [
        ("slow", "", slow.as_str()),
        ("waiting", waits, failing),
        ("stopped", stops, failing),
    ];
    let daemons = all.map(|(name, policy, handler)| {
        let case = Case::new(name, 2);
        case.fill(0..2, 500);
        let daemon = case.start(&format!("members = 2\n{SHORT}{policy}"), handler);
        daemon.wait_until("one each", SOON, |s| {
            s.shares(&case.group) == [1, 1] && s.has_settled(&case.group)
        });
        let rebalances = daemon.status().counter(&case.group, "rebalances");
        (case, daemon, rebalances)
    });
    let begin = Instant::now();
    wait_for("twice the interval", SOON, || match begin.elapsed() {
        long if long > Duration::from_secs(12) => Ok(()),
        short => Err(format!("{short:?}")),
    });
    for (case, daemon, rebalances) in daemons {
        let status = daemon.status();
        assert_eq!(status.shares(&case.group), [1, 1], "{status}");
        assert_eq!(status.counter(&case.group, "rebalances"), rebalances);
        assert_eq!(
            daemon.output.count("max.poll.interval"),
            0,
            "{}",
            daemon.output.tail()
        );
        let exit = daemon.stop();
        assert!(exit.status.success(), "{}", exit.output);
        assert!(exit.took < Duration::from_secs(5), "{:?}", exit.took);
    }
}
