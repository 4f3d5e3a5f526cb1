//! `guarantee = "exactly_once"` under faults: daemons that are killed or hang, brokers that go away.

mod support;

use std::time::{Duration, Instant};

use support::case::{COPY, Case, SOON, assert_each_once_in_order};
use support::once::{ONCE, committed, wait_for_committed, work_on};
use support::{Daemon, Kafka, Release, Settings, wait_for};

/// The group notices a member that is gone after three seconds; a transaction that nobody ends stays
/// open for far longer than any of these tests takes.
const QUICK: &str = "properties = { \"session.timeout.ms\" = \"3000\", \
                     \"heartbeat.interval.ms\" = \"300\", \"transaction.timeout.ms\" = \"600000\" }\n";

fn start(case: &Case, instance: &str, settings: &str) -> Daemon {
    case.setup(settings, COPY)
        .set("daemon.instance", &format!("{instance:?}"))
        .start()
}

/// `kill -9` in the middle of a transaction, and started again at once, again and again: the successor
/// ends what was open, and nothing has its effect twice.
#[test]
fn a_kill_and_immediate_start_repeat_nothing() {
    needs_kafka!();
    let case = Case::new("once-killed", 3);
    case.fill(0..3, 3000);
    let settings = format!("members = 2\nrate = 1500.0\nstatic_membership = true\n{ONCE}{QUICK}");
    for _ in 0..4 {
        let daemon = case.start(&settings, COPY);
        work_on(&case, &daemon, 400);
        daemon.kill();
    }
    let begin = Instant::now();
    let last = case.start(&settings, COPY);
    work_on(&case, &last, 1);
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(6), "it took {took:?} to go on");
    last.edit_config("rate = 1500.0", "rate = \"unlimited\"");
    last.reload();
    let copies = wait_for_committed(&case, &last, 9000, SOON);
    case.wait_until_done(SOON);
    assert_each_once_in_order(&copies, 3, 3000);
}

/// One of two daemons is killed and does not come back: the other ends its open transaction when it
/// takes over its partitions, long before that would time out.
#[test]
fn the_heir_of_a_killed_daemon_ends_what_it_left_open() {
    needs_kafka!();
    let case = Case::new("once-heir", 4);
    case.fill(0..4, 3000);
    let settings = format!(
        "rate = 500.0\nguarantee = \"exactly_once\"\ntransaction_interval = \"1s\"\n{QUICK}"
    );
    let killed = start(&case, "killed", &settings);
    killed.wait_until_assigned(&case.group, 4);
    let heir = start(&case, "heir", &settings);
    killed.wait_until_assigned(&case.group, 2);
    heir.wait_until_assigned(&case.group, 2);
    work_on(&case, &heir, 1000);
    killed.kill();
    heir.wait_until_assigned(&case.group, 4);
    let line = heir.wait_for_line("ended what", SOON);
    assert!(line.contains("killed-"), "{line}");
    heir.edit_config("rate = 500.0", "rate = \"unlimited\"");
    heir.reload();
    let copies = wait_for_committed(&case, &heir, 12_000, SOON);
    case.wait_until_done(SOON);
    assert_each_once_in_order(&copies, 4, 3000);
}

/// A daemon hangs past its session (SIGSTOP) with a transaction open. Its partitions go to another one,
/// which ends that transaction at once; when it wakes up, it can neither commit nor write over its
/// successor, and joins anew.
#[test]
fn a_zombie_neither_commits_nor_writes_over_its_successor() {
    needs_kafka!();
    let case = Case::new("once-zombie", 4);
    case.fill(0..4, 4000);
    let settings = format!(
        "rate = 600.0\nguarantee = \"exactly_once\"\ntransaction_interval = \"1s\"\n{QUICK}"
    );
    let zombie = start(&case, "zombie", &settings);
    let other = start(&case, "other", &settings);
    zombie.wait_until_assigned(&case.group, 2);
    other.wait_until_assigned(&case.group, 2);
    work_on(&case, &other, 1000);
    zombie.signal(libc::SIGSTOP);
    other.wait_until_assigned(&case.group, 4);
    other.wait_for_line("ended what", SOON);
    // Readers get on while it still hangs.
    let seen = case.committed_copies().len();
    wait_for_committed(&case, &other, seen + 1500, SOON);
    zombie.signal(libc::SIGCONT);
    zombie.wait_until_assigned(&case.group, 2);
    work_on(&case, &zombie, 1000);
    for daemon in [&zombie, &other] {
        daemon.edit_config("rate = 600.0", "rate = \"unlimited\"");
        daemon.reload();
    }
    let copies = wait_for_committed(&case, &other, 16_000, SOON * 2);
    case.wait_until_done(SOON);
    assert_each_once_in_order(&copies, 4, 4000);
}

/// The only broker is killed under load and comes back: work goes on by itself and repeats nothing.
#[test]
fn a_broker_that_goes_and_comes_back_repeats_nothing() {
    needs_kafka!();
    let kafka = Kafka::start(Settings::kraft(1).release(Release::FourZero));
    let case = Case::on(&kafka, "once-away", 2);
    case.fill(0..2, 4000);
    let daemon = case.start(&format!("members = 2\nrate = 800.0\n{ONCE}"), COPY);
    work_on(&case, &daemon, 500);
    for _ in 0..2 {
        kafka.kill_broker(1);
        daemon.wait_until("the outage to be seen", SOON, |status| {
            status.at("/brokers/state") == "down"
        });
        kafka.start_broker(1);
        work_on(&case, &daemon, 500);
    }
    daemon.edit_config("rate = 800.0", "rate = \"unlimited\"");
    daemon.reload();
    let copies = wait_for_committed(&case, &daemon, 8000, SOON * 2);
    case.wait_until_done(SOON);
    assert_each_once_in_order(&copies, 2, 4000);
    assert!(daemon.stop().status.success());
}

/// Waits until the daemon has handled and committed `more` messages than now.
#[track_caller]
fn handle_on(case: &Case, daemon: &Daemon, more: u64) {
    let before = daemon.status().handled(&case.group);
    daemon.wait_until("work to go on", SOON * 2, |status| {
        status.handled(&case.group) >= before + more
    });
}

/// One of three brokers is killed, the one that coordinates or leads something among them: nothing is
/// lost or repeated.
#[test]
fn losing_any_of_three_brokers_repeats_nothing() {
    needs_kafka!();
    let kafka = Kafka::start(Settings::kraft(3).with("min.insync.replicas", "2"));
    let probe = kafka.probe();
    let case = Case::replicated_on(&kafka, "once-three", 3, 3);
    case.fill(0..3, 4000);
    let daemon = case.start(&format!("members = 2\nrate = 400.0\n{ONCE}"), COPY);
    handle_on(&case, &daemon, 300);
    for broker in 1..=3 {
        kafka.kill_broker(broker);
        handle_on(&case, &daemon, 300);
        kafka.start_broker(broker);
        wait_for("all three brokers", SOON * 2, || match probe.brokers() {
            Ok(3) => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }
    daemon.edit_config("rate = 400.0", "rate = \"unlimited\"");
    daemon.reload();
    let copies = wait_for_committed(&case, &daemon, 12_000, SOON * 3);
    assert_each_once_in_order(&copies, 3, 4000);
    wait_for("the offsets", SOON, || match committed(&case) {
        12_000 => Ok(()),
        n => Err(format!("{n}")),
    });
    assert!(daemon.stop().status.success());
}
