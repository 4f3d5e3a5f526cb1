//! The Kafka clients: settings, admin, consumer, producer, and the embedded broker.
//!
//! The only room that touches rdkafka. Nothing here knows Rhai. The consumer is driven by one
//! thread (its member's) and never blocks unless a method says so.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::config::{Group, Kafka, Properties, Topic};
use crate::delivery::{Emit, Record};

/// A topic's partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    pub topic: Arc<str>,
    pub number: i32,
}

/// What a client needs to know of its cluster, and who it is.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// `bootstrap.servers`.
    pub servers: String,
    /// Whether it is the in-process broker.
    pub embedded: bool,
    pub properties: Properties,
    pub instance: String,
}

/// An error of the client library or the broker, in words for the user.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct KafkaError {
    /// One line: what failed and why, with the way out where there is one.
    pub message: String,
    /// librdkafka's name of the error, such as `_TRANSPORT` or `TOPIC_AUTHORIZATION_FAILED`.
    pub code: String,
    /// Whether trying the same again may help.
    pub retriable: bool,
    /// Whether the client can never be used again.
    pub fatal: bool,
}

/// What a member's consumer is built with.
pub struct ConsumerSettings<'a> {
    pub cluster: &'a Cluster,
    pub group_id: &'a str,
    pub group: &'a Group,
    /// From 1.
    pub member: u32,
    /// Told when there is something to poll.
    pub wake: Arc<Notify>,
}

/// What a poll brought.
pub enum Polled {
    /// The record given was filled.
    Record,
    /// Something other than a message was handled; look at [`Consumer::next_rebalance`].
    Event,
    /// Nothing is waiting.
    Nothing,
    Error(KafkaError),
    /// The position of some partition is out of range, or it has none. librdkafka does not say which.
    OutOfRange,
}

/// What the group asks of the member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rebalance {
    Assign(Vec<Partition>),
    /// Take leave of these; `lost` when they already belong to others, so nothing may be committed.
    Revoke {
        partitions: Vec<Partition>,
        lost: bool,
    },
}

/// Where to begin reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    Beginning,
    End,
    Offset(i64),
}

/// A committed offset as the broker has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    pub partition: Partition,
    /// The next offset to read; `None`: the group has none.
    pub offset: Option<i64>,
    /// As it was written by whoever committed.
    pub metadata: String,
}

/// One partition's commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub partition: Partition,
    /// The next offset to read.
    pub offset: i64,
    pub metadata: String,
}

/// One member's consumer.
pub struct Consumer {}

impl Consumer {
    /// Creates the client; no broker is needed yet.
    pub fn new(_settings: ConsumerSettings<'_>) -> Result<Consumer, KafkaError> {
        todo!()
    }
    /// Joins the group for these topics.
    pub fn subscribe(&self, _topics: &[String]) -> Result<(), KafkaError> {
        todo!()
    }
    /// Serves events and takes one message into `record` without waiting.
    pub fn poll(&self, _record: &mut Record) -> Polled {
        todo!()
    }
    /// The next thing the group asked, in order; to be answered by `assign` or `unassign`.
    pub fn next_rebalance(&self) -> Option<Rebalance> {
        todo!()
    }
    /// The member id that the coordinator gave; `None` while not in the group.
    pub fn member_id(&self) -> Option<String> {
        todo!()
    }
    /// Starts fetching these (incrementally, or as the whole assignment under an eager protocol).
    pub fn assign(&self, _partitions: &[(Partition, Position)]) -> Result<(), KafkaError> {
        todo!()
    }
    /// Gives these up; the answer to a revoke.
    pub fn unassign(&self, _partitions: &[Partition]) -> Result<(), KafkaError> {
        todo!()
    }
    pub fn pause(&self, _partitions: &[Partition]) -> Result<(), KafkaError> {
        todo!()
    }
    pub fn resume(&self, _partitions: &[Partition]) -> Result<(), KafkaError> {
        todo!()
    }
    /// Moves the fetch position of one assigned partition; its prefetched messages are dropped.
    pub fn seek(&self, _partition: &Partition, _to: Position) -> Result<(), KafkaError> {
        todo!()
    }
    /// The group's committed offsets. Blocks for up to `timeout`.
    pub fn committed(
        &self,
        _partitions: &[Partition],
        _timeout: Duration,
    ) -> Result<Vec<Committed>, KafkaError> {
        todo!()
    }
    /// First offset that is there, and the one after the last. Asks the broker; blocks for up to `timeout`.
    pub fn watermarks(
        &self,
        _partition: &Partition,
        _timeout: Duration,
    ) -> Result<(i64, i64), KafkaError> {
        todo!()
    }
    /// The last known end (high watermark) from fetch answers; no request, no wait.
    pub fn known_end(&self, _partition: &Partition) -> Option<i64> {
        todo!()
    }
    /// Sends a commit. Its result comes from [`Consumer::commit_result`]; one at a time.
    pub fn commit(&self, _offsets: &[Commit]) -> Result<(), KafkaError> {
        todo!()
    }
    /// The outcome of the commit under way; waits up to `wait` (zero: does not).
    /// The `Ok` value lists each partition with the error that the broker gave it, if any.
    #[allow(clippy::type_complexity)]
    pub fn commit_result(
        &self,
        _wait: Duration,
    ) -> Option<Result<Vec<(Partition, Option<KafkaError>)>, KafkaError>> {
        todo!()
    }
    /// Makes new partitions of the subscribed topics known at once. Blocks for up to `timeout`.
    pub fn refresh_metadata(&self, _timeout: Duration) -> Result<(), KafkaError> {
        todo!()
    }
    /// Leaves the group (static members too) and closes. Commit first: heartbeats stop here.
    /// `for_good` is false when a static member will be back under its id and must keep its place.
    pub fn leave(self, _for_good: bool, _timeout: Duration) {
        todo!()
    }
}

/// What became of one sent message.
pub struct Acknowledgement {
    /// As given to [`Emitter::send`].
    pub ticket: u64,
    pub error: Option<KafkaError>,
}

/// A member's own idempotent producer for what its handler emits and for dead letters.
///
/// Messages to one partition are written in the order sent, and never time out.
pub struct Emitter {}

impl Emitter {
    /// `wake` is told when acknowledgements have arrived; `buffer` bounds what is unacknowledged, in bytes.
    pub fn new(
        _cluster: &Cluster,
        _properties: &Properties,
        _client_id: &str,
        _buffer: u64,
        _wake: Arc<Notify>,
    ) -> Result<Emitter, KafkaError> {
        todo!()
    }
    /// Queues one message. `extra` headers follow the emit's own.
    pub fn send<'h>(
        &self,
        _emit: &Outgoing<'_>,
        _headers: impl Iterator<Item = (&'h str, Option<&'h [u8]>)>,
        _ticket: u64,
    ) -> Result<(), SendError> {
        todo!()
    }
    /// Moves the acknowledgements that arrived since the last call into `into`.
    pub fn take_acknowledgements(&self, _into: &mut Vec<Acknowledgement>) {
        todo!()
    }
    /// Sends what is queued and waits for the acknowledgements, at most `timeout`. Blocks.
    pub fn flush(&self, _timeout: Duration) -> Result<(), KafkaError> {
        todo!()
    }
}

/// One message to send.
pub struct Outgoing<'a> {
    pub topic: &'a str,
    pub partition: Option<i32>,
    pub timestamp: Option<i64>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
}

/// Why a message was not queued.
pub enum SendError {
    /// Too much is unacknowledged; try again when some has been.
    Full,
    Refused(KafkaError),
}

/// The shared idempotent producer of the configured producers.
pub struct Sender {}

/// The in-process broker, on a thread of its own until dropped.
pub struct Embedded {}

/// Topic administration and cluster knowledge, shared.
pub struct Admin {}

/// A topic as the cluster has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicState {
    pub partitions: i32,
    pub replication: i32,
}

#[allow(unused)]
fn uses(_: &Kafka, _: &Topic, _: Rc<Record>, _: Emit<'_>) {}
impl KafkaError {
    pub fn new(_m: String) -> Self {
        todo!()
    }
}
impl std::fmt::Display for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.topic, self.number)
    }
}
pub struct Outage {}
impl Outage {
    pub fn new(_: String) -> Self {
        todo!()
    }
    pub fn failed(&mut self, _: std::time::Instant, _: &KafkaError) -> Option<String> {
        todo!()
    }
    pub fn is_back(&mut self, _: std::time::Instant) -> Option<String> {
        todo!()
    }
    pub fn is_out(&self) -> bool {
        todo!()
    }
}
