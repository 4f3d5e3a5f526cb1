//! A daemon with two groups on a topic of real Kafka: one that a test changes, one to be left alone.

use std::fs;
use std::time::Duration;

use crate::support::case::{COPY, Case, SOON};
use crate::support::{Daemon, Kafka, unique};

/// A group that is not the one of the case, on the same topic.
pub fn other_group(name: &str, topic: &str) -> String {
    format!("[groups.{name:?}]\ntopics = [{topic:?}]\nhandler = \"quiet.rhai\"\n")
}

const QUIET: &str = "fn handle(msg) {}";

/// A daemon with the case's group and another one, both settled.
pub struct Pair {
    pub case: Case,
    pub other: String,
    pub daemon: Daemon,
}

impl Pair {
    pub fn start(name: &str, settings: &str) -> Pair {
        let case = Case::new(name, 2);
        let other = unique(&format!("{name}.other"));
        let settings = format!("{settings}\n{}", other_group(&other, &case.topic));
        let daemon = case
            .setup(&settings, COPY)
            .handler("quiet.rhai", QUIET)
            .start();
        // Shared out: with two members one each, not both with the one that came first.
        let members = if settings.contains("members = 2") {
            2
        } else {
            1
        };
        daemon.wait_until("both groups", SOON, |status| {
            let shares = status.shares(&case.group);
            shares == vec![2 / members; members] && status.shares(&other) == [2]
        });
        Pair {
            case,
            other,
            daemon,
        }
    }

    /// How often each of the two groups was rebalanced, as the broker counts.
    pub fn rebalances(&self) -> (usize, usize) {
        let kafka = Kafka::shared();
        let counted = |group: &str| kafka.rebalances(group);
        let found = (counted(&self.case.group), counted(&self.other));
        assert!(
            found.0 > 0 && found.1 > 0,
            "the first assignment counts too"
        );
        found
    }

    /// Reloads, which must leave both groups alone: work goes on and nobody was rebalanced.
    pub fn reload_in_place(&self, lines: &[&str]) {
        let before = self.rebalances();
        let printed = self.daemon.reload_now();
        for line in lines {
            let shown = printed.lines().any(|printed| printed.contains(line));
            assert!(shown, "{line:?} is not in:\n{printed}");
        }
        self.work_goes_on();
        assert_eq!(self.rebalances(), before, "{printed}");
    }

    pub fn work_goes_on(&self) {
        let before = self.case.probe.end_offsets(&self.case.out)[&0];
        self.case.fill(0..2, 5);
        self.case
            .wait_for_copies(before as usize + 10, Duration::from_secs(30));
        self.case.wait_until_done(SOON);
    }

    pub fn text(&self) -> String {
        let file = self.daemon.dir().join("deliveryd.toml");
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{error}"))
    }

    pub fn write(&self, text: &str) {
        let file = self.daemon.dir().join("deliveryd.toml");
        fs::write(file, text).unwrap_or_else(|error| panic!("{error}"));
    }
}
