//! What a fault does with `at_least_once` and `at_most_once`, where no other file has it: a daemon that
//! hangs, members that come and go, a broker that goes away. [`CELLS`] has the tests of all of the
//! README's table.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use support::case::{COPY, Case, SOON, assert_each_once_in_order, times};
use support::{Daemon, Kafka, Settings, wait_for};

/// The group notices a member that is gone after three seconds.
const QUICK: &str =
    "properties = { \"session.timeout.ms\" = \"3000\", \"heartbeat.interval.ms\" = \"300\" }\n";

/// For each fault of the README's table, file and test of each cell, in the order of [`MODES`].
const CELLS: [(&str, [(&str, &str); 3]); 5] = [
    (
        "orderly stop, restart, reload",
        [
            (
                "stop_and_scale",
                "an_orderly_stop_repeats_nothing_and_loses_nothing",
            ),
            ("exactly_once", "an_orderly_stop_repeats_nothing"),
            ("crash", "at_most_once_loses_nothing_in_an_orderly_stop"),
        ],
    ),
    (
        "a member joins or leaves",
        [
            ("stop_and_scale", "members_come_and_go_under_load"),
            ("exactly_once", "members_come_and_go_under_load"),
            ("guarantees", "at_most_once_members_come_and_go"),
        ],
    ),
    (
        "`kill -9`, power cut",
        [
            (
                "crash",
                "after_a_kill_nothing_is_missing_and_only_the_uncommitted_comes_again",
            ),
            (
                "exactly_once_faults",
                "a_kill_and_immediate_start_repeat_nothing",
            ),
            (
                "crash",
                "at_most_once_repeats_nothing_and_loses_what_was_in_flight",
            ),
        ],
    ),
    (
        "the daemon hangs for longer than its session",
        [
            ("guarantees", "at_least_once_a_hung_daemon_loses_nothing"),
            (
                "exactly_once_faults",
                "a_zombie_neither_commits_nor_writes_over_its_successor",
            ),
            ("guarantees", "at_most_once_a_hung_daemon_repeats_nothing"),
        ],
    ),
    (
        "the broker goes away and comes back",
        [
            (
                "broker_trouble",
                "work_goes_on_by_itself_when_the_broker_is_back",
            ),
            (
                "exactly_once_faults",
                "a_broker_that_goes_and_comes_back_repeats_nothing",
            ),
            (
                "guarantees",
                "at_most_once_a_broker_that_goes_away_repeats_nothing",
            ),
        ],
    ),
];

/// The columns of the README's table.
const MODES: [&str; 3] = ["at_least_once", "exactly_once", "at_most_once"];

/// The README's table of faults has the rows and columns of [`CELLS`], and each of its tests exists.
#[test]
fn each_cell_of_the_readmes_table_is_a_test() {
    let repository = support::run_dir::repository();
    let read = |file: &str| {
        let text = std::fs::read_to_string(repository.join(file));
        text.unwrap_or_else(|error| panic!("can't read {file}: {error}"))
    };
    let readme = read("README.md");
    let head = format!("| fault | `{}` |\n| ", MODES.join("` | `"));
    let (_, table) = readme
        .split_once(&head)
        .unwrap_or_else(|| panic!("no table {head}"));
    let rows = table
        .lines()
        .skip(1)
        .map_while(|line| line.strip_prefix("| "));
    let faults: Vec<&str> = rows.filter_map(|row| row.split(" | ").next()).collect();
    assert_eq!(faults, CELLS.map(|(fault, _)| fault));
    for (file, test) in CELLS.iter().flat_map(|(_, tests)| tests) {
        let test = format!("#[test]\nfn {test}() {{");
        assert!(
            read(&format!("tests/{file}.rs")).contains(&test),
            "{file}: {test}"
        );
    }
}

fn copied(case: &Case) -> i64 {
    case.probe.end_offsets(&case.out)[&0]
}

#[track_caller]
fn work_on(case: &Case, daemon: &Daemon, more: i64) {
    let before = copied(case);
    wait_for("work to go on", SOON, || match copied(case) - before {
        n if n >= more => Ok(()),
        n => Err(format!(
            "{n} of {more}\n{}\n{}",
            daemon.status(),
            daemon.output.tail()
        )),
    });
}

/// A daemon of two hangs under load until the other has its partitions, and wakes up. Gives how often
/// each of `4 * count` messages was copied, at the end of all work.
fn hang(case: &Case, count: usize, settings: &str) -> BTreeMap<(i64, i64), usize> {
    case.fill(0..4, count);
    let start = |instance: &str| {
        case.setup(settings, COPY)
            .set("daemon.instance", &format!("{instance:?}"))
            .start()
    };
    let hung = start("hung");
    let other = start("other");
    hung.wait_until_assigned(&case.group, 2);
    other.wait_until_assigned(&case.group, 2);
    work_on(case, &other, 600);
    hung.signal(libc::SIGSTOP);
    other.wait_until_assigned(&case.group, 4);
    work_on(case, &other, 600);
    hung.signal(libc::SIGCONT);
    hung.wait_until_assigned(&case.group, 2);
    for daemon in [&hung, &other] {
        daemon.edit_config("rate = 600.0", "rate = \"unlimited\"");
        daemon.reload();
    }
    case.wait_until_done(SOON * 2);
    for daemon in [hung, other] {
        let exit = daemon.stop();
        assert!(exit.status.success(), "{}", exit.output);
    }
    times(&case.copies())
}

/// `at_least_once`: a daemon that hangs past its session loses nothing; what it handled after its last
/// commit comes again with its successor.
#[test]
fn at_least_once_a_hung_daemon_loses_nothing() {
    needs_kafka!();
    let case = Case::new("hung-least", 4);
    let times = hang(&case, 2000, &format!("rate = 600.0\n{QUICK}"));
    assert_eq!(times.len(), 8000, "nothing is lost");
    let repeated = times.values().filter(|times| **times > 1).count();
    assert!(repeated < 600, "{repeated} came again");
}

/// `at_most_once`: a daemon that hangs past its session repeats nothing, and loses no more than it had
/// claimed.
#[test]
fn at_most_once_a_hung_daemon_repeats_nothing() {
    needs_kafka!();
    let case = Case::new("hung-most", 4);
    let settings = format!("rate = 600.0\nguarantee = \"at_most_once\"\nin_flight = 100\n{QUICK}");
    let times = hang(&case, 2000, &settings);
    assert!(times.values().all(|times| *times == 1), "nothing twice");
    let lost = 8000 - times.len();
    assert!(lost <= 100, "{lost} are lost");
}

/// `at_most_once`: members that join and leave under load make others lose or repeat nothing.
#[test]
fn at_most_once_members_come_and_go() {
    needs_kafka!();
    let case = Case::new("most-scaled", 4);
    case.fill(0..4, 1500);
    let settings = "members = 1\nrate = 800.0\nguarantee = \"at_most_once\"\nin_flight = 200\n";
    let daemon = case.start(settings, COPY);
    work_on(&case, &daemon, 200);
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
        work_on(&case, &daemon, 200);
    }
    daemon.edit_config("rate = 800.0", "rate = \"unlimited\"");
    daemon.reload();
    let copies = case.wait_for_copies(6000, SOON);
    case.wait_until_done(SOON);
    assert_each_once_in_order(&copies, 4, 1500);
}

/// `at_most_once`: a broker that goes away under load and comes back makes nothing come twice.
#[test]
fn at_most_once_a_broker_that_goes_away_repeats_nothing() {
    needs_kafka!();
    let kafka = Kafka::start(Settings::kraft(1));
    let case = Case::on(&kafka, "most-away", 2);
    case.fill(0..2, 3000);
    let settings = "rate = 800.0\nguarantee = \"at_most_once\"\nin_flight = 100\n";
    let daemon = case.start(settings, COPY);
    work_on(&case, &daemon, 500);
    kafka.kill_broker(1);
    daemon.wait_until("the outage to be seen", SOON, |status| {
        status.at("/brokers/state") == "down"
    });
    kafka.start_broker(1);
    work_on(&case, &daemon, 500);
    daemon.edit_config("rate = 800.0", "rate = \"unlimited\"");
    daemon.reload();
    case.wait_until_done(SOON * 2);
    wait_for("the last copies", Duration::from_secs(20), || {
        let status = daemon.status();
        match case.member(&status)["in_flight"] == 0 {
            true => Ok(()),
            false => Err(status.to_string()),
        }
    });
    let times = times(&case.copies());
    assert!(times.values().all(|times| *times == 1), "nothing twice");
    let lost = 6000 - times.len();
    assert!(lost <= 200, "{lost} are lost");
}
