//! The status: one snapshot of everything that runs, as `/api/status` and `deliveryd status` show it.
//!
//! Only data; the [`Board`](super::Board) makes it. Counts begin at the daemon's start unless said
//! otherwise. Times are RFC 3339 in UTC, durations are seconds.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Everything that runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// deliveryd's own version.
    pub version: String,
    pub instance: String,
    /// The configuration's file, absolute.
    #[serde(default)]
    pub config: PathBuf,
    pub started_at: Timestamp,
    /// The reload whose configuration is in force; 1 is that of the start.
    pub generation: u64,
    pub state: DaemonState,
    pub brokers: BrokerStatus,
    pub last_reload: Option<Reload>,
    /// The last reloads, the newest last, refused ones among them.
    pub reloads: Vec<Reload>,
    /// Why the files on disk would not start again as they are now; `null` when they would.
    pub on_disk: Option<String>,
    /// The topics that the config names, as the cluster has them.
    pub topics: BTreeMap<String, TopicStatus>,
    pub producers: BTreeMap<String, ProducerStatus>,
    pub groups: BTreeMap<String, GroupStatus>,
    /// What the daemon has seen happen of what there is to learn about groups.
    #[serde(default)]
    pub lessons: Lessons,
}

/// The five lessons about consumer groups: when each was first seen happening here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lessons {
    /// Two groups got the messages of one topic.
    pub independent_groups: Option<Timestamp>,
    /// Two members of a group held partitions of one topic.
    pub shared_partitions: Option<Timestamp>,
    /// A member idled while others held all partitions.
    pub idle_spare: Option<Timestamp>,
    /// Partitions came to other members.
    pub rebalanced: Option<Timestamp>,
    /// A group went on, after the daemon's start, from the offset it had committed before.
    pub own_offsets: Option<Timestamp>,
}

/// What the daemon as a whole is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DaemonState {
    #[default]
    Starting,
    /// No broker answers; everything goes on by itself when one does.
    WaitingForBroker,
    Running,
    Reloading,
    /// Draining and committing.
    Stopping,
}

/// Whether the cluster can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BrokerStatus {
    pub state: BrokerState,
    /// What is wrong and since when, one sentence; `null` while nothing is.
    pub reason: Option<String>,
    /// `host:port` of the brokers that the config names, or of the embedded one.
    pub servers: String,
    /// In this process, in memory only.
    pub embedded: bool,
}

/// See [`BrokerStatus`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrokerState {
    /// Not tried yet.
    #[default]
    Unknown,
    Up,
    Down,
}

/// One reload and its result.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reload {
    /// Its number: each reload that is asked for has one, a refused one too.
    pub generation: u64,
    pub ok: bool,
    pub at: Timestamp,
    /// What was done, or why nothing was: one line each.
    pub summary: Vec<String>,
    /// From its beginning until it was in force or refused.
    #[serde(default)]
    pub seconds: f64,
    /// Who asked for it: `SIGHUP`, or a command and its user and process.
    #[serde(default)]
    pub by: String,
}

/// A topic as the cluster has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicStatus {
    /// 0: it is gone.
    pub partitions: i32,
    pub replication: i32,
    /// How it differs from the config where that can not be mended; `null` where it fits.
    pub mismatch: Option<String>,
}

/// The handler that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HandlerStatus {
    pub file: String,
    /// The first digits of the sources' hash.
    pub version: String,
    /// Why a changed file is refused, with the marked line; `null` when file and handler agree.
    pub error: Option<String>,
}

/// Messages per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    Unlimited,
    PerSecond(f64),
}

/// A configured producer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProducerStatus {
    pub topic: String,
    pub rate: Rate,
    pub state: ProducerState,
    /// Why it waits or stopped; `null` otherwise.
    pub reason: Option<String>,
    /// Messages that the broker has acknowledged, since this producer's start.
    pub produced: u64,
    /// Messages that the generator did not make or the broker did not take.
    pub failed: u64,
    pub handler: HandlerStatus,
    /// Since the loop last went round.
    #[serde(default)]
    pub silent_seconds: f64,
}

/// See [`ProducerStatus`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProducerState {
    #[default]
    Starting,
    WaitingForBroker,
    Running,
    Paused,
    /// It has sent its `count`.
    Finished,
    Stopped,
}

/// A consumer group, as far as this process has members of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupStatus {
    pub topics: Vec<String>,
    pub handler: HandlerStatus,
    #[serde(flatten)]
    pub totals: Totals,
    /// Started and not finished, of all members.
    pub in_flight: u64,
    /// Waiting for their retry, of all members.
    pub waiting: u64,
    /// Paused by command.
    pub paused: bool,
    /// It had committed offsets in all its topics when it was started here.
    #[serde(default)]
    pub continues: bool,
    pub rebalances: u64,
    /// The last rebalances, the newest last.
    pub rebalance_history: Vec<Rebalance>,
    /// How many members the config wants here.
    pub members_wanted: u32,
    pub members: Vec<MemberStatus>,
}

/// What became of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Finished by the handler: it returned, and what it emitted is acknowledged.
    pub handled: u64,
    /// Calls that ended in an error or a rejection, each attempt counted.
    pub failed: u64,
    /// Of those, the ones that are or were tried again.
    pub retried: u64,
    /// Messages given up into a dead-letter topic, acknowledged there.
    pub dead_lettered: u64,
    /// Messages given up by the policy `skip`.
    #[serde(default)]
    pub skipped: u64,
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.handled += other.handled;
        self.failed += other.failed;
        self.retried += other.retried;
        self.dead_lettered += other.dead_lettered;
        self.skipped += other.skipped;
    }
}

/// One rebalance that is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rebalance {
    pub at: Timestamp,
    /// From the first sign of it to the last partition's new owner.
    pub seconds: f64,
    /// Partitions by member and topic, of this process.
    pub assignment: Assignment,
}

/// Partition numbers by member and topic. A member with an empty map idles.
pub type Assignment = BTreeMap<String, BTreeMap<String, Vec<i32>>>;

/// One member of a group.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MemberStatus {
    /// `GROUP-N`; the board sets it.
    pub name: String,
    pub state: MemberState,
    /// Why it waits, is stuck or stopped; `null` otherwise.
    pub reason: Option<String>,
    /// Since this member's start.
    #[serde(flatten)]
    pub totals: Totals,
    /// Started and not finished.
    pub in_flight: u64,
    /// Waiting for their retry.
    pub waiting: u64,
    /// Age of the oldest message in flight.
    pub oldest_in_flight_seconds: f64,
    /// Bytes that the member holds of its `buffer`.
    pub buffered_bytes: u64,
    /// The handler's version that this member runs.
    pub handler_version: String,
    /// Since the loop last went round; the board sets it.
    pub silent_seconds: f64,
    pub partitions: Vec<PartitionStatus>,
}

/// What a member is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberState {
    #[default]
    Starting,
    WaitingForBroker,
    /// Waiting for the group's assignment.
    Joining,
    Running,
    /// In the group, without a partition.
    Idle,
    Paused,
    /// At least one partition does not move until somebody acts.
    Stuck,
    /// Finishing what is in flight, before giving partitions up or stopping.
    Draining,
    Stopped,
}

impl MemberState {
    /// As it is written in JSON and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::WaitingForBroker => "waiting_for_broker",
            Self::Joining => "joining",
            Self::Running => "running",
            Self::Idle => "idle",
            Self::Paused => "paused",
            Self::Stuck => "stuck",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
        }
    }

    /// Whether the member has its place in the group.
    pub fn has_joined(self) -> bool {
        match self {
            Self::Starting | Self::WaitingForBroker | Self::Joining | Self::Stopped => false,
            Self::Running | Self::Idle | Self::Paused | Self::Stuck | Self::Draining => true,
        }
    }
}

/// One partition that a member holds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PartitionStatus {
    pub topic: String,
    pub partition: i32,
    /// The next offset to be handled.
    pub position: i64,
    /// The group's committed offset; `null` before its first commit.
    pub committed: Option<i64>,
    /// Messages behind the partition's end; `null` while the end is not known.
    pub lag: Option<i64>,
    /// How old the next message to be handled is; 0 when caught up, `null` while not known.
    pub lag_seconds: Option<f64>,
    /// Waiting for their retry.
    #[serde(default)]
    pub waiting: u64,
    #[serde(default)]
    pub paused: bool,
    /// Why it does not move until somebody acts; `null` otherwise.
    #[serde(default)]
    pub stuck: Option<String>,
}

impl Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unlimited => serializer.serialize_str("unlimited"),
            Self::PerSecond(rate) => serializer.serialize_f64(*rate),
        }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            PerSecond(f64),
            Word(String),
        }
        match Written::deserialize(deserializer)? {
            Written::PerSecond(rate) => Ok(Self::PerSecond(rate)),
            Written::Word(word) if word == "unlimited" => Ok(Self::Unlimited),
            Written::Word(word) => Err(serde::de::Error::custom(format!(
                "expected messages per second or \"unlimited\", found {word:?}"
            ))),
        }
    }
}

impl From<crate::config::Rate> for Rate {
    fn from(rate: crate::config::Rate) -> Self {
        match rate {
            crate::config::Rate::Unlimited => Self::Unlimited,
            crate::config::Rate::PerSecond(rate) => Self::PerSecond(rate),
        }
    }
}
