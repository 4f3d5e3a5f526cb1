//! The Kafka clients: settings, admin, consumer, producer, and the embedded broker.
//!
//! The only room that touches rdkafka. Nothing here knows Rhai. The consumer is driven by one
//! thread (its member's) and never blocks unless a method says so. C functions are called in `raw`
//! alone, errors get their words in `error`, settings are made in `settings` and judged in `properties`.

mod about;
mod admin;
mod commit;
mod consumer;
mod context;
mod docker;
mod embedded;
mod emitter;
mod error;
mod following;
mod inbox;
mod inherit;
mod leave;
mod masked;
mod outlet;
mod places;
mod producing;
mod properties;
mod raw;
mod reading;
mod ready;
mod scan;
mod sender;
mod settings;
mod start;
mod statistics;
mod temporary;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod transactions;
mod words;

use std::fmt;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::config::{Group, Properties};
use crate::delivery::Emit;

pub use admin::{Admin, LARGEST_MESSAGE, Mismatch, TopicOutcome};
pub use commit::CommitResult;
pub use consumer::Consumer;
pub use embedded::Embedded;
pub use emitter::Emitter;
pub use error::{KafkaError, Outage};
pub use following::{Followed, Follower};
pub use inherit::{Heir, Inheritance, open_offsets};
pub use outlet::Outlet;
pub use places::{Owner, Spot, Target};
pub use properties::{PropertyMistake, PropertyScope, check_client, check_cluster, check_property};
pub use raw::{GroupMetadata, prepare};
pub use reading::{TopicReader, last_messages};
pub use scan::{Range, Scan, Scanned};
pub use sender::{DeliveryReports, Sender};
pub use settings::{client_id, transaction_timeout};
pub use statistics::{BrokerSeen, Connection, Statistics};
pub use transactions::{TransactionOutcome, Transactions};

/// A topic's partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    pub topic: Arc<str>,
    pub number: i32,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.number)
    }
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
    /// The brokers do not let this client read a partition; `number` is below 0 where all of its topic's
    /// are meant. Said once; the client goes on asking, and messages come when it may read again.
    Denied {
        partition: Partition,
        error: KafkaError,
    },
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

/// What became of one sent message.
pub struct Acknowledgement {
    /// As given to [`Emitter::send`].
    pub ticket: u64,
    pub error: Option<KafkaError>,
}

/// One message to send.
pub struct Outgoing<'a, 'h> {
    pub topic: &'a str,
    pub partition: Option<i32>,
    pub timestamp: Option<i64>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'h mut (dyn Iterator<Item = (&'a str, Option<&'a [u8]>)> + 'h),
}

impl<'a, 'h> Outgoing<'a, 'h> {
    /// What a script emitted, with these headers.
    pub fn of(
        emit: &Emit<'a>,
        headers: &'h mut (dyn Iterator<Item = (&'a str, Option<&'a [u8]>)> + 'h),
    ) -> Self {
        Self {
            topic: emit.topic(),
            partition: emit.partition(),
            timestamp: emit.timestamp(),
            key: emit.key(),
            value: emit.value(),
            headers,
        }
    }
}

/// Why a message was not queued.
pub enum SendError {
    /// Too much is unacknowledged; try again when some has been.
    Full,
    Refused(KafkaError),
}

/// A topic as the cluster has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicState {
    pub partitions: i32,
    pub replication: i32,
}
