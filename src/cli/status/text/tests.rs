//! The page of text, of a known status.

use super::*;
use crate::observe::status::{
    BrokerState, BrokerStatus, PartitionStatus, ProducerState, Rate, Rebalance, TopicStatus,
};
use crate::observe::{Board, GroupInfo};

fn sample() -> Status {
    let board = Board::new("host-a");
    board.set_config(std::path::Path::new("/etc/deliveryd/deliveryd.toml"));
    board.set_state(crate::observe::status::DaemonState::Running);
    board.set_brokers(BrokerStatus {
        state: BrokerState::Up,
        servers: "localhost:9092".to_owned(),
        ..BrokerStatus::default()
    });
    let topic = TopicStatus {
        partitions: 2,
        replication: 1,
        mismatch: None,
    };
    board.set_topics([("Delivery".to_owned(), topic)].into());
    let handler = HandlerStatus {
        file: "handlers/print.rhai".to_owned(),
        version: "0123456789ab".to_owned(),
        error: None,
    };
    board.set_group(
        "group-1",
        GroupInfo {
            topics: vec!["Delivery".to_owned()],
            members_wanted: 2,
            handler: handler.clone(),
            paused: false,
        },
    );
    let call = Duration::from_secs(1);
    let partition = |number, lag| PartitionStatus {
        topic: "Delivery".to_owned(),
        partition: number,
        lag,
        lag_seconds: lag.map(|_| 1.5),
        ..PartitionStatus::default()
    };
    let mut one = board.member("group-1", 1, call);
    one.publish(MemberStatus {
        state: MemberState::Running,
        partitions: vec![partition(0, Some(4)), partition(1, Some(3))],
        ..MemberStatus::default()
    });
    let mut two = board.member("group-1", 2, call);
    two.publish(MemberStatus {
        state: MemberState::Idle,
        ..MemberStatus::default()
    });
    let mut random = board.producer("random", "Delivery", Rate::PerSecond(5.0), call);
    random.update(|status| {
        status.state = ProducerState::Running;
        status.produced = 1200;
        status.handler = handler;
    });
    let at: Timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
    board.rebalanced(
        "group-1",
        Rebalance {
            at,
            seconds: 1.13,
            assignment: [
                (
                    "group-1-1".to_owned(),
                    [("Delivery".to_owned(), vec![0, 1])].into(),
                ),
                ("group-1-2".to_owned(), BTreeMap::new()),
            ]
            .into(),
        },
    );
    board.set_lessons(Lessons {
        independent_groups: Some(at),
        ..Lessons::default()
    });
    let reload = |generation, ok, summary: &[&str]| Reload {
        generation,
        ok,
        at,
        summary: summary.iter().map(|line| (*line).to_owned()).collect(),
        seconds: 1.13,
        by: "SIGHUP".to_owned(),
    };
    board.reloaded(reload(2, true, &["group-1: members 1 → 2"]));
    board.reloaded(reload(3, false, &["error: unknown setting", "  --> x:1:1"]));
    // The boards of members leave when they are dropped.
    board.snapshot()
}

fn samples() -> Vec<Sample> {
    let status = sample();
    let first = Sample::of(&status, Timestamp::UNIX_EPOCH);
    let mut last = Sample::of(&status, Timestamp::from_second(10).unwrap());
    last.groups.get_mut("group-1").unwrap().handled += 20;
    last.producers.get_mut("random").unwrap().produced += 50;
    vec![first, last]
}

/// The whole of it at a glance: what runs where, what it did, what lies before it.
#[test]
fn status_is_a_page_of_text() {
    let expected = "\
host-a   running   generation 2   for 2h 5s   deliveryd VERSION
config    /etc/deliveryd/deliveryd.toml
brokers   localhost:9092   up

group group-1   reads Delivery   handlers/print.rhai, version 0123456789ab   2.0/s   1.5 s behind
  member      state     handled   failed   retried   dead-lettered   in flight   lag   behind   partitions
  group-1-1   running         0        0         0               0           0     7    1.5 s   Delivery 0,1
  group-1-2   idle            0        0         0               0           0
  rebalances: 1
  2026-01-02T03:04:05Z   in 1.1 s   0,1 → group-1-1   idle: group-1-2 (2 members, 2 partitions)

producer   state     rate     now   produced   failed   topic      handler
random     running    5/s   5.0/s       1200        0   Delivery   handlers/print.rhai

topic      partitions   replication
Delivery            2             1

lessons
✓ Groups are independent: every group gets every message.   seen 2026-01-02T03:04:05Z
{LESSONS}
reload 2   2026-01-02T03:04:05Z   in 1.1 s   group-1: members 1 → 2   by SIGHUP
reload 3   2026-01-02T03:04:05Z   refused   error: unknown setting (and 1 more line)   by SIGHUP
";
    let text = text(&sample(), &samples(), Duration::from_millis(7_205_900));
    let lessons: Vec<String> = LESSONS[1..]
        .iter()
        .map(|lesson| format!("○ {}   To see it: {}\n", lesson.title, lesson.action))
        .collect();
    let expected = expected
        .replace("VERSION", env!("CARGO_PKG_VERSION"))
        .replace("{LESSONS}", &lessons.concat());
    assert_eq!(text, expected);
}

/// Of a member that works, the partitions that are paused are named.
#[test]
fn paused_partitions_are_named() {
    let mut status = sample();
    let members = &mut status.groups.get_mut("group-1").unwrap().members;
    members[0].partitions[1].paused = true;
    let text = text(&status, &[], Duration::ZERO);
    assert!(text.contains("Delivery 0,1   paused: Delivery 1"), "{text}");
}

/// A lag that is not known is told as such, not as none.
#[test]
fn unknown_lag_is_no_zero() {
    let mut status = sample();
    let members = &mut status.groups.get_mut("group-1").unwrap().members;
    members[0].partitions[0].lag = None;
    let text = text(&status, &[], Duration::ZERO);
    assert!(text.contains("0     ?    1.5 s   Delivery 0,1"), "{text}");
}
