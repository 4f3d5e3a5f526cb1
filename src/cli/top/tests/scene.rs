//! Known states of a daemon.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::cli::top::model::Model;
use crate::observe::history::Sample;
use crate::observe::status::{
    Assignment, BrokerState, BrokerStatus, DaemonState, HandlerStatus, Lessons, MemberState,
    MemberStatus, PartitionStatus, ProducerState, Rate, Rebalance, Reload, Status, TopicStatus,
    Totals,
};
use crate::observe::{Board, GroupInfo};

/// When the pictures are taken.
const NOW: &str = "2026-01-02T03:04:30Z";

pub fn now() -> Timestamp {
    NOW.parse().unwrap()
}

pub fn before(seconds: i64) -> Timestamp {
    now() - Duration::from_secs(seconds.unsigned_abs())
}

fn held(topic: &str, partition: i32) -> PartitionStatus {
    PartitionStatus {
        topic: topic.to_owned(),
        partition,
        position: 1000,
        committed: Some(990),
        lag: Some(12),
        lag_seconds: Some(2.4),
        ..PartitionStatus::default()
    }
}

/// A group whose member N of `members` holds every partition with `number % members == N`.
fn add_group(board: &Board, name: &str, members: u32, partitions: i32) {
    let info = GroupInfo {
        topics: vec!["Delivery".to_owned()],
        members_wanted: members,
        handler: HandlerStatus {
            file: "handlers/print.rhai".to_owned(),
            version: "0123456789ab".to_owned(),
            error: None,
        },
        paused: false,
    };
    board.set_group(name, info);
    let mut assignment = Assignment::new();
    for member in 1..=members {
        let share = (0..partitions).filter(|n| n.rem_euclid(members as i32) == member as i32 - 1);
        let partitions: Vec<PartitionStatus> = share.map(|n| held("Delivery", n)).collect();
        let numbers = partitions.iter().map(|held| held.partition).collect();
        let topics = match partitions.is_empty() {
            true => BTreeMap::new(),
            false => [("Delivery".to_owned(), numbers)].into(),
        };
        assignment.insert(format!("{name}-{member}"), topics);
        let mut corner = board.member(name, member, Duration::ZERO);
        corner.publish(MemberStatus {
            state: match partitions.is_empty() {
                true => MemberState::Idle,
                false => MemberState::Running,
            },
            handler_version: "0123456789ab".to_owned(),
            totals: Totals {
                handled: if member == 1 { 1000 } else { 0 },
                ..Totals::default()
            },
            partitions,
            ..MemberStatus::default()
        });
        // It leaves the board when it is dropped.
        std::mem::forget(corner);
    }
    board.rebalanced(
        name,
        Rebalance {
            at: before(200),
            seconds: 1.13,
            assignment,
        },
    );
}

pub fn status_of(members: u32, partitions: i32) -> Status {
    let board = Board::new("host-a");
    board.set_state(DaemonState::Running);
    board.set_brokers(BrokerStatus {
        state: BrokerState::Up,
        servers: "localhost:9092".to_owned(),
        ..BrokerStatus::default()
    });
    let topic = TopicStatus {
        partitions,
        replication: 1,
        mismatch: None,
    };
    board.set_topics([("Delivery".to_owned(), topic)].into());
    add_group(&board, "group-1", members, partitions);
    add_group(&board, "group-2", 1, partitions);
    let mut random = board.producer("random", "Delivery", Rate::PerSecond(5.0), Duration::ZERO);
    random.update(|status| {
        status.state = ProducerState::Running;
        status.produced = 1200;
        status.handler.file = "handlers/random.rhai".to_owned();
    });
    board.set_lessons(Lessons {
        shared_partitions: Some(before(100)),
        ..Lessons::default()
    });
    board.reloaded(Reload {
        generation: 2,
        ok: true,
        at: before(200),
        summary: vec!["group-1: members 2 → 3".to_owned()],
        seconds: 1.5,
        by: "SIGHUP".to_owned(),
    });
    let mut status = board.snapshot();
    status.started_at = before(3725);
    status
}

/// The tour: three members, two partitions.
pub fn tour() -> Status {
    status_of(3, 2)
}

/// Five messages a second over the last minute.
fn samples(status: &Status) -> Vec<Sample> {
    let mut samples = Vec::new();
    for step in 0..30 {
        let mut sample = Sample::of(status, before(60 - step * 2));
        for group in sample.groups.values_mut() {
            group.handled -= 10 * (30 - step).unsigned_abs();
        }
        samples.push(sample);
    }
    samples
}

pub fn model(status: Status) -> Model {
    let samples = samples(&status);
    Model::new(status, samples, now())
}
