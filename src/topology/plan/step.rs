//! One step of a plan, and its way back.

use std::sync::Arc;

use crate::config::{Daemon, Group, Kafka, Log, Producer};

use super::fields::Change;
use super::topics::NeededTopic;

/// Members of a group by their number, from 1, in the order in which they are to be taken.
pub type MemberNumbers = Vec<u32>;

/// One step. `was` and `now` are what it finds and what it leaves behind: the steps of one group
/// link up, so after any number of them its configuration is the last one's `now`.
///
/// A step that builds clients takes the cluster's settings of the side it leads to: the wanted ones
/// going forward, the running ones going back.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// What new clients connect with, the admin client and the shared producer among them.
    /// Groups and producers follow in steps of their own.
    ChangeKafka {
        was: Kafka,
        now: Kafka,
        changes: Vec<Change>,
    },
    /// The topic must be there, at least this large: created or grown where it is to be. Done
    /// twice, it does nothing the second time. It is also how a changed topic configuration
    /// becomes known; a topic that is there keeps its own.
    EnsureTopic {
        topic: String,
        was: Option<NeededTopic>,
        now: NeededTopic,
    },
    ChangeLog {
        was: Log,
        now: Log,
        changes: Vec<Change>,
    },
    /// Watch mode, further hosts, shutdown timeout.
    ChangeDaemon {
        was: Daemon,
        now: Daemon,
        changes: Vec<Change>,
    },
    /// In place: the members keep their clients and partitions. The number of members is not
    /// among the changes.
    ChangeGroup {
        group: String,
        was: Arc<Group>,
        now: Arc<Group>,
        changes: Vec<Change>,
    },
    AddGroup {
        group: String,
        now: Arc<Group>,
    },
    StartMembers {
        group: String,
        numbers: MemberNumbers,
        was: Arc<Group>,
        now: Arc<Group>,
    },
    /// One after another, each only when its successor is known to build. `changes` is empty when
    /// only the cluster's settings differ.
    ReplaceMembers {
        group: String,
        numbers: MemberNumbers,
        was: Arc<Group>,
        now: Arc<Group>,
        changes: Vec<Change>,
    },
    /// Highest number first, each after its drain and commit.
    StopMembers {
        group: String,
        numbers: MemberNumbers,
        was: Arc<Group>,
        now: Arc<Group>,
    },
    RemoveGroup {
        group: String,
        was: Arc<Group>,
    },
    AddProducer {
        producer: String,
        now: Arc<Producer>,
    },
    /// In place: its count and its pace go on.
    ChangeProducer {
        producer: String,
        was: Arc<Producer>,
        now: Arc<Producer>,
        changes: Vec<Change>,
    },
    /// Stopped and started anew; its count goes on. `changes` as with members.
    ReplaceProducer {
        producer: String,
        was: Arc<Producer>,
        now: Arc<Producer>,
        changes: Vec<Change>,
    },
    RemoveProducer {
        producer: String,
        was: Arc<Producer>,
    },
}

impl Step {
    /// Whether something that runs ends with it.
    pub fn takes_away(&self) -> bool {
        matches!(
            self,
            Self::StopMembers { .. } | Self::RemoveGroup { .. } | Self::RemoveProducer { .. }
        )
    }

    /// The members that it starts and does not wait for.
    pub fn starts(&self) -> Option<(&str, MemberNumbers)> {
        match self {
            Self::AddGroup { group, now } => Some((group, (1..=now.members).collect())),
            Self::StartMembers { group, numbers, .. } => Some((group, numbers.clone())),
            _ => None,
        }
    }

    /// What it is about, such as `topic Delivery`.
    pub fn subject(&self) -> String {
        match self {
            Self::ChangeKafka { .. } => "kafka".to_owned(),
            Self::ChangeLog { .. } => "log".to_owned(),
            Self::ChangeDaemon { .. } => "daemon".to_owned(),
            Self::EnsureTopic { topic, .. } => format!("topic {topic}"),
            Self::AddProducer { producer, .. }
            | Self::ChangeProducer { producer, .. }
            | Self::ReplaceProducer { producer, .. }
            | Self::RemoveProducer { producer, .. } => format!("producer {producer}"),
            Self::ChangeGroup { group, .. }
            | Self::AddGroup { group, .. }
            | Self::StartMembers { group, .. }
            | Self::ReplaceMembers { group, .. }
            | Self::StopMembers { group, .. }
            | Self::RemoveGroup { group, .. } => format!("group {group}"),
        }
    }

    /// The step that undoes this one; `None` for a topic, which is never deleted or shrunk.
    pub fn inverse(&self) -> Option<Step> {
        let step = match self.clone() {
            Step::EnsureTopic { .. } => return None,
            Step::ChangeKafka { was, now, changes } => Step::ChangeKafka {
                was: now,
                now: was,
                changes: back(changes),
            },
            Step::ChangeLog { was, now, changes } => Step::ChangeLog {
                was: now,
                now: was,
                changes: back(changes),
            },
            Step::ChangeDaemon { was, now, changes } => Step::ChangeDaemon {
                was: now,
                now: was,
                changes: back(changes),
            },
            Step::ChangeGroup {
                group,
                was,
                now,
                changes,
            } => Step::ChangeGroup {
                group,
                was: now,
                now: was,
                changes: back(changes),
            },
            Step::AddGroup { group, now } => Step::RemoveGroup { group, was: now },
            Step::RemoveGroup { group, was } => Step::AddGroup { group, now: was },
            Step::StartMembers {
                group,
                numbers,
                was,
                now,
            } => Step::StopMembers {
                group,
                numbers: reversed(numbers),
                was: now,
                now: was,
            },
            Step::StopMembers {
                group,
                numbers,
                was,
                now,
            } => Step::StartMembers {
                group,
                numbers: reversed(numbers),
                was: now,
                now: was,
            },
            // All of them: those that left in a later step have come back with `now`.
            Step::ReplaceMembers {
                group,
                was,
                now,
                changes,
                ..
            } => Step::ReplaceMembers {
                group,
                numbers: (1..=was.members).collect(),
                was: now,
                now: was,
                changes: back(changes),
            },
            Step::AddProducer { producer, now } => Step::RemoveProducer { producer, was: now },
            Step::RemoveProducer { producer, was } => Step::AddProducer { producer, now: was },
            Step::ChangeProducer {
                producer,
                was,
                now,
                changes,
            } => Step::ChangeProducer {
                producer,
                was: now,
                now: was,
                changes: back(changes),
            },
            Step::ReplaceProducer {
                producer,
                was,
                now,
                changes,
            } => Step::ReplaceProducer {
                producer,
                was: now,
                now: was,
                changes: back(changes),
            },
        };
        Some(step)
    }
}

fn back(changes: Vec<Change>) -> Vec<Change> {
    changes.into_iter().map(Change::back).collect()
}

fn reversed(mut numbers: MemberNumbers) -> MemberNumbers {
    numbers.reverse();
    numbers
}
