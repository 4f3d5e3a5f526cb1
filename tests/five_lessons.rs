//! The five lessons about consumer groups, on real Kafka.
//!
//! What the hand-run lesson showed with three terminals and a good eye, each as one promise.

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use support::notes::{self, NOTE, by_group, numbered, values};
use support::{Daemon, Kafka, Probe, Setup, Status, unique};

/// For messages to come through; a rebalance included.
const SOON: Duration = Duration::from_secs(20);

/// A topic of its own on the shared broker, and the topic for the notes of who handled what.
struct Lesson {
    topic: String,
    notes: String,
    probe: Probe,
}

impl Lesson {
    fn new(name: &str) -> Lesson {
        let topic = unique(name);
        Lesson {
            notes: format!("{topic}.notes"),
            topic,
            probe: Kafka::shared().probe(),
        }
    }

    /// The name of a group that no other lesson has.
    fn group(&self, number: u32) -> String {
        format!("{}-group-{number}", self.topic)
    }

    fn topics(&self, partitions: u32) -> String {
        format!(
            "[topics.{:?}]\npartitions = {partitions}\n\n[topics.{:?}]\npartitions = 1\n\n",
            self.topic, self.notes
        )
    }

    fn members(&self, number: u32, members: u32) -> String {
        format!(
            "[groups.{:?}]\ntopics = [{:?}]\nmembers = {members}\nhandler = \"note.rhai\"\n\
             start = \"earliest\"\nparams = {{ notes = {:?} }}\n\n",
            self.group(number),
            self.topic,
            self.notes
        )
    }

    fn start(&self, instance: &str, toml: &str) -> Daemon {
        Setup::named(instance, &Kafka::shared().servers(), toml)
            .handler("note.rhai", NOTE)
            .start()
    }

    fn notes(&self, count: usize) -> Vec<notes::Note> {
        notes::read(&self.probe, &self.notes, count, SOON)
    }

    /// Every message was handled once by each of these groups, and by no other.
    fn assert_each_once(&self, notes: &[notes::Note], groups: &[u32], sent: &[(String, String)]) {
        let handled = by_group(notes);
        let names: Vec<String> = groups.iter().map(|number| self.group(*number)).collect();
        let found: Vec<&str> = handled.keys().copied().collect();
        assert_eq!(found, names);
        for name in &names {
            assert_eq!(handled[name.as_str()], values(sent), "handled by {name}");
        }
    }
}

/// Lesson 1: groups are independent, each gets every message.
#[test]
fn two_groups_each_get_every_message() {
    needs_kafka!();
    let lesson = Lesson::new("independent");
    let toml = lesson.topics(2) + &lesson.members(1, 2) + &lesson.members(2, 1);
    let daemon = lesson.start("lesson-1", &toml);
    daemon.wait_until_assigned(&lesson.group(1), 2);
    daemon.wait_until_assigned(&lesson.group(2), 2);

    let sent = numbered(0, 200);
    lesson.probe.produce(&lesson.topic, sent.clone());
    let notes = lesson.notes(400);
    lesson.assert_each_once(&notes, &[1, 2], &sent);
    for group in [lesson.group(1), lesson.group(2)] {
        lesson
            .probe
            .wait_until_committed(&group, &lesson.topic, SOON);
        daemon.wait_until("the counters", SOON, |status| status.handled(&group) == 200);
    }
}

/// Lesson 2: the members of a group share the partitions, one each, and no message goes to both.
#[test]
fn two_members_share_two_partitions() {
    needs_kafka!();
    let lesson = Lesson::new("shared");
    let daemon = lesson.start("lesson-2", &(lesson.topics(2) + &lesson.members(1, 2)));
    let group = lesson.group(1);
    let status = daemon.wait_until("one partition each", SOON, |status| {
        status.shares(&group) == [1, 1]
    });
    let both = [0, 1].map(|partition| (lesson.topic.clone(), partition));
    assert_eq!(status.assigned(&group), both);

    let sent = numbered(0, 200);
    lesson.probe.produce(&lesson.topic, sent.clone());
    let notes = lesson.notes(200);
    lesson.assert_each_once(&notes, &[1], &sent);
    let pairs: BTreeSet<(i64, &str)> = notes
        .iter()
        .map(|note| (note.partition, note.member.as_str()))
        .collect();
    assert_eq!(
        pairs.len(),
        2,
        "each partition belongs to one member: {pairs:?}"
    );
    let members: BTreeSet<&str> = pairs.iter().map(|pair| pair.1).collect();
    assert_eq!(members.len(), 2, "both members work: {pairs:?}");
}

/// Lesson 3: a member more than there are partitions idles, and says so.
#[test]
fn the_third_member_idles() {
    needs_kafka!();
    let lesson = Lesson::new("spare");
    let daemon = lesson.start("lesson-3", &(lesson.topics(2) + &lesson.members(1, 3)));
    let group = lesson.group(1);
    let status = daemon.wait_until("two that work and one that idles", SOON, |status| {
        let members = status.members(&group);
        let idle = members.iter().filter(|member| member.state == "idle");
        status.shares(&group) == [0, 1, 1] && idle.count() == 1
    });
    for member in status.members(&group) {
        assert_eq!(
            member.state == "idle",
            member.partitions.is_empty(),
            "{member:?}"
        );
    }

    let sent = numbered(0, 100);
    lesson.probe.produce(&lesson.topic, sent.clone());
    lesson.assert_each_once(&lesson.notes(100), &[1], &sent);
    let ready = daemon.get("/readyz");
    assert_eq!(
        ready.code, 200,
        "an idle member is a joined one: {}",
        ready.body
    );
}

/// Lesson 4: a fourth partition, and a member that leaves, each rebalance the group; nothing is lost.
#[test]
fn a_fourth_partition_or_a_member_leaving_rebalances() {
    needs_kafka!();
    let lesson = Lesson::new("rebalanced");
    let group = lesson.group(1);
    let toml = |members| lesson.topics(3) + &lesson.members(1, members);
    let staying = lesson.start("lesson-4-a", &toml(2));
    let leaving = lesson.start("lesson-4-b", &toml(1));
    leaving.wait_until_assigned(&group, 1);
    staying.wait_until_assigned(&group, 2);
    let mut sent = numbered(0, 90);
    lesson.probe.produce(&lesson.topic, sent.clone());
    lesson.notes(90);

    // Whichever process gets the new partition is the one that sees its share change.
    let rebalances = |here: &Status| {
        here.counter(&group, "rebalances") + leaving.status().counter(&group, "rebalances")
    };
    let before = rebalances(&staying.status());
    staying.edit_config("partitions = 3", "partitions = 4");
    staying.reload();
    staying.wait_until("four partitions over three members", SOON, |status| {
        let elsewhere = leaving.status().assigned(&group).len();
        let all = status.assigned(&group).len() + elsewhere == 4 && elsewhere > 0;
        all && rebalances(status) > before
    });

    let more = numbered(90, 90);
    lesson.probe.produce(&lesson.topic, more.clone());
    sent.extend(more);
    assert!(leaving.stop().status.success());
    let status = staying.wait_until_assigned(&group, 4);
    assert_eq!(status.shares(&group), [2, 2]);

    let more = numbered(180, 90);
    lesson.probe.produce(&lesson.topic, more.clone());
    sent.extend(more);
    let notes = lesson.notes(270);
    lesson.assert_each_once(&notes, &[1], &sent);
    let partitions: BTreeSet<i64> = notes.iter().map(|note| note.partition).collect();
    assert!(
        partitions.contains(&3),
        "the new partition is read: {partitions:?}"
    );
    lesson
        .probe
        .wait_until_committed(&group, &lesson.topic, SOON);
}

/// Lesson 5: each group keeps its own offsets, and goes on from them after a restart.
#[test]
fn after_a_restart_each_group_goes_on_from_its_own_offset() {
    needs_kafka!();
    let lesson = Lesson::new("remembered");
    let both = lesson.topics(2) + &lesson.members(1, 2) + &lesson.members(2, 1);
    let only_first = lesson.topics(2) + &lesson.members(1, 2);

    let mut sent = numbered(0, 60);
    let daemon = lesson.start("lesson-5", &both);
    lesson.probe.produce(&lesson.topic, sent.clone());
    lesson.notes(120);
    assert!(daemon.stop().status.success());

    let missed_by_second = numbered(60, 40);
    let daemon = lesson.start("lesson-5", &only_first);
    lesson
        .probe
        .produce(&lesson.topic, missed_by_second.clone());
    lesson.notes(160);
    assert!(daemon.stop().status.success());
    sent.extend(missed_by_second);

    let while_down = numbered(100, 25);
    lesson.probe.produce(&lesson.topic, while_down.clone());
    sent.extend(while_down);
    let daemon = lesson.start("lesson-5", &both);
    let notes = lesson.notes(250);
    daemon.wait_until("the second group's own backlog", SOON, |status| {
        status.handled(&lesson.group(1)) == 25 && status.handled(&lesson.group(2)) == 65
    });
    assert!(daemon.stop().status.success());
    lesson.assert_each_once(&notes, &[1, 2], &sent);
    for number in [1, 2] {
        let committed = lesson.probe.committed(&lesson.group(number), &lesson.topic);
        assert_eq!(committed.values().sum::<i64>(), 125, "{committed:?}");
    }
}
