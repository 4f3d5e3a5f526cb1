//! What a replay is told, how far it came, and why it ended.

use std::collections::BTreeMap;

use super::Filter;
use crate::config::{Group, Rate};
use crate::kafka::{Admin, Cluster, KafkaError};

/// What is to be replayed, and how.
pub struct Order<'a> {
    pub cluster: &'a Cluster,
    pub admin: &'a Admin,
    pub group_id: &'a str,
    pub group: &'a Group,
    /// The dead-letter topics.
    pub topics: &'a [String],
    /// With the group in it.
    pub filter: &'a Filter,
    pub rate: Rate,
    /// Also what has been replayed before.
    pub again: bool,
}

/// How far it got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Letters looked at, of so many offsets.
    pub looked_at: u64,
    pub of: u64,
    /// Written back to their topic, or handled.
    pub replayed: u64,
    /// Of these, with the present time, because their topic would delete them for their own.
    pub renewed: u64,
    /// Failed in the handler, and dead letters again.
    pub failed_again: u64,
    /// Failed in the handler, and skipped by the group's policy.
    pub skipped: u64,
    /// Meant, but replayed before.
    pub before: u64,
    /// Meant, but not written by deliveryd.
    pub foreign: u64,
    /// Meant, but their original topic is not there, by topic.
    pub homeless: BTreeMap<String, u64>,
}

/// How a replay ended that did what it could.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Done,
    /// It was told to stop; the same order goes on.
    Stopped,
}

/// Why a replay ended before its end. What is not in the tally has not been replayed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}; the same command goes on with the rest")]
    Kafka(KafkaError),
    /// The transactional id is no longer its own.
    #[error("another replay of the group has begun, and this one has ended")]
    TakenOver,
    #[error("{at} is refused, and what is behind it waits: {error}")]
    Refused { at: String, error: KafkaError },
    /// By the group's policy.
    #[error("{at} failed, and `on_failure.then` is \"stop\": {reason}")]
    Halted { at: String, reason: String },
}

impl From<KafkaError> for Failure {
    fn from(error: KafkaError) -> Self {
        match error.code.as_str() {
            "_FENCED" | "PRODUCER_FENCED" | "INVALID_PRODUCER_EPOCH" => Self::TakenOver,
            _ => Self::Kafka(error),
        }
    }
}
