//! What a member tells upwards: numbers, its state, and what happened to it.
//!
//! The member knows nobody who listens; it is given an [`Observer`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::Group;
use crate::delivery::Verdict;
use crate::kafka::{KafkaError, Partition, Statistics};

/// What a member does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its client is being made.
    Starting,
    /// It has not been given an assignment yet.
    Joining,
    Running,
    /// In the group, without a partition.
    Idle,
    /// Every partition of it is paused.
    Paused,
    /// A partition of it can not go on by itself, or the brokers deny it something.
    Stuck,
    /// Giving everything up, for it is to stop.
    Draining,
    Stopped,
}

/// One partition of a member.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionReport {
    pub partition: Partition,
    /// One past the last message taken from the queue.
    pub position: i64,
    /// What the group has committed, if anything.
    pub committed: Option<i64>,
    /// The partition's end, where it is known.
    pub end: Option<i64>,
    /// Messages that are not handled, up to its end.
    pub lag: Option<i64>,
    /// When the first of them was written, in milliseconds since the epoch, if that is known.
    pub oldest: Option<i64>,
    /// Messages started and not finished.
    pub unfinished: usize,
    /// Of those, how many wait for a retry.
    pub waiting: usize,
    pub paused: bool,
    /// Why it stands still.
    pub stuck: Option<String>,
}

/// A member as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberReport {
    pub state: State,
    /// Messages handled since the member started.
    pub handled: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Retries that were made.
    pub retried: u64,
    pub dead_lettered: u64,
    /// Commits that the broker refused.
    pub commits_refused: u64,
    pub skipped: u64,
    /// Started and not finished.
    pub in_flight: usize,
    /// Of those, how many wait for a retry.
    pub waiting: usize,
    /// Bytes of the messages that it holds: started and not finished, or waiting for their turn.
    pub buffered: usize,
    /// Since the oldest unfinished message was started.
    pub oldest_in_flight: Option<Duration>,
    /// The version of the handler that it runs.
    pub handler_version: Arc<str>,
    /// Why the brokers do not let it take part, if so.
    pub kept_out: Option<String>,
    pub partitions: Vec<PartitionReport>,
}

/// How calls of `handle` ended, each attempt counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// They returned.
    pub done: u64,
    pub failed: u64,
    pub rejected: u64,
}

/// Something that happened to a member.
#[derive(Debug, Clone)]
pub enum Event {
    /// It holds these partitions from now on. `took` is the time since the group last asked it to
    /// give something up, or since it began to join.
    Assigned { all: Vec<Partition>, took: Duration },
    /// It gave partitions up and holds these.
    Revoked { all: Vec<Partition> },
    /// A partition can not go on by itself.
    Stuck {
        partition: Partition,
        reason: String,
    },
    /// Its client reports an error that it may recover from, such as a broker that does not answer.
    Trouble(KafkaError),
    /// The client can not be used any more; the member makes a new one.
    Rebuilt(KafkaError),
    /// It has left the group.
    Left,
}

/// Who listens to a member. Called on the member's thread, seldom: never once per message.
pub trait Observer: Send {
    /// The loop goes round: once a round, and at least twice a second.
    fn beat(&mut self, now: Instant);
    /// The settings in force have changed.
    fn changed(&mut self, group: &Group);
    /// `n` more messages of a topic ended this way.
    fn finished(&mut self, topic: &Arc<str>, verdict: Verdict, n: u64);
    /// So long a call of the handler took, in seconds. A sample of the calls when there are many.
    fn handler_seconds(&mut self, seconds: f64);
    /// So many more calls of this version of the handler ended so.
    fn called(&mut self, version: &str, calls: Calls);
    /// The consumer's client has told of itself.
    fn consumer_statistics(&mut self, statistics: Statistics);
    /// The client of the producer for what the handler emits has told of itself.
    fn producer_statistics(&mut self, statistics: Statistics);
    /// The handler counted.
    fn count(&mut self, name: &Arc<str>, n: u64);
    /// The handler observed a value.
    fn observe(&mut self, name: &Arc<str>, value: f64);
    /// How the member is now: on a change, at most ten times a second.
    fn publish(&mut self, report: MemberReport);
    fn event(&mut self, event: Event);
}
