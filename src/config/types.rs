//! The checked configuration: what the rest of the house works with.
//!
//! Only `config::load` makes a [`Config`], and only from files, environment and command line that
//! passed every check. Names are validated, paths are absolute, defaults are filled in. Everything
//! is comparable, because a reload is the difference between two of these.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::rehearsal::Stage;

/// A whole configuration that passed every check.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The file it was read from, absolute.
    pub file: PathBuf,
    pub daemon: Daemon,
    pub log: Log,
    pub kafka: Kafka,
    /// Topics by name.
    pub topics: BTreeMap<String, Topic>,
    /// Producers by their configured name.
    pub producers: BTreeMap<String, Producer>,
    /// Groups by Kafka group id.
    pub groups: BTreeMap<String, Group>,
}

/// `[daemon]`: the process itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Daemon {
    /// Unique per daemon: part of every client id, static member id and transactional id.
    pub instance: String,
    /// Where the status page listens; `None` for `"off"`.
    pub http: Option<SocketAddr>,
    /// Further names that the status page answers to.
    pub hosts: Vec<String>,
    pub watch: Watch,
    /// The control socket's path.
    pub control: PathBuf,
    pub shutdown_timeout: Duration,
}

/// How handler files are watched for changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// The kernel's file events.
    Events,
    /// Looking at the files again and again, for file systems without events.
    Poll,
    Off,
}

/// `[log]`: what is logged beside the terminal or the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// A `tracing_subscriber::EnvFilter` directive list, such as `info` or `info,deliveryd::member=debug`.
    pub level: String,
    /// The rolling file, if one is wanted: directory and file name prefix in one path.
    pub file: Option<PathBuf>,
    pub rotate: Rotate,
    /// How many rolled files are kept.
    pub keep: usize,
}

/// When the log file is rolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotate {
    Minutely,
    Hourly,
    Daily,
    Never,
}

/// `[kafka]`: the cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Kafka {
    pub brokers: Brokers,
    /// librdkafka properties for every client.
    pub properties: Properties,
}

/// Where the brokers are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Brokers {
    /// The in-process broker for trying things out.
    Embedded,
    /// `host:port,host:port`, as librdkafka's `bootstrap.servers` takes it.
    Servers(String),
}

/// librdkafka properties by name.
pub type Properties = BTreeMap<String, PropertyValue>;

/// A librdkafka property's value, which may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub enum PropertyValue {
    Plain(String),
    /// Read from an environment variable or a file, or of a property that is secret by nature.
    Secret(String),
}

impl PropertyValue {
    /// The value for librdkafka. Never print it.
    pub fn expose(&self) -> &str {
        match self {
            Self::Plain(value) | Self::Secret(value) => value,
        }
    }
}

impl fmt::Debug for PropertyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(value) => write!(f, "{value:?}"),
            Self::Secret(_) => f.write_str("\"********\""),
        }
    }
}

/// `[topics.NAME]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Topic {
    /// `None`: as it has them. Only where it is not deliveryd that creates it.
    pub partitions: Option<i32>,
    /// `None`: as it is. Likewise.
    pub replication: Option<i32>,
    /// Kafka's topic configuration, such as `retention.ms`.
    pub config: BTreeMap<String, String>,
    /// Whether deliveryd creates and grows it; else it must be there already.
    pub create: bool,
}

/// `[producers.NAME]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Producer {
    pub topic: String,
    /// The generator's file, absolute.
    pub handler: PathBuf,
    pub rate: Rate,
    /// Stop after so many messages, counted per start of the daemon.
    pub count: Option<u64>,
    /// Makes the random values repeatable.
    pub seed: Option<u64>,
    /// Whether the generator's functions are compiled.
    pub compile: bool,
    /// Constants for the generator.
    pub params: Params,
    pub limits: Limits,
}

/// Messages per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    Unlimited,
    /// More than zero.
    PerSecond(f64),
}

/// Constants for a handler, `params.NAME` in the script.
pub type Params = BTreeMap<String, serde_json::Value>;

/// `[groups.ID]`: one consumer group.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub topics: Vec<String>,
    /// 1 to 1000.
    pub members: u32,
    /// The handler's file, absolute.
    pub handler: PathBuf,
    pub start: Start,
    pub on_out_of_range: OutOfRange,
    /// For the whole group in this process.
    pub rate: Rate,
    pub ordering: Ordering,
    /// Most messages per member that are started and not finished.
    pub in_flight: usize,
    pub guarantee: Guarantee,
    pub commit_interval: Duration,
    pub transaction_interval: Duration,
    pub handler_timeout: Duration,
    pub drain_timeout: Duration,
    pub protocol: Protocol,
    pub static_membership: bool,
    /// Bytes per member: prefetch, waiting retries and unacknowledged emits together.
    pub buffer: u64,
    /// librdkafka overrides for this group's clients.
    pub properties: Properties,
    pub params: Params,
    pub test_before_swap: bool,
    /// Whether the handler's functions are compiled.
    pub compile: bool,
    pub limits: Limits,
    pub on_failure: OnFailure,
    /// Set where `deliveryd verify` rehearses the group; no setting of the user's.
    pub stage: Option<Arc<Stage>>,
}

/// Where a group begins that has no committed offset yet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Start {
    Earliest,
    Latest,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Time(i64),
}

/// What to do when retention has passed the group's offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutOfRange {
    Stop,
    Earliest,
    Latest,
}

/// What waits for what within a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ordering {
    Partition,
    Key,
    None,
}

/// What a crash may do to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarantee {
    AtLeastOnce,
    ExactlyOnce,
    AtMostOnce,
}

/// The group membership protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Joined and synchronised by the members, cooperative-sticky.
    Classic,
    /// KIP-848: the broker assigns.
    Consumer,
}

/// `[groups.ID.limits]`: the script's cage. Sizes in bytes or elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rhai operations per call.
    pub operations: u64,
    pub call_depth: usize,
    pub expression_depth: usize,
    pub string: usize,
    pub array: usize,
    pub map: usize,
    pub memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            operations: 1_000_000,
            call_depth: 32,
            expression_depth: 64,
            string: 1 << 20,
            array: 10_000,
            map: 10_000,
            memory: 16 << 20,
        }
    }
}

/// `[groups.ID.on_failure]`.
#[derive(Debug, Clone, PartialEq)]
pub struct OnFailure {
    /// Further attempts after the first.
    pub retries: u32,
    /// Before the first retry; doubles, with jitter.
    pub backoff: Duration,
    pub max_backoff: Duration,
    pub then: Then,
    /// The dead-letter topic; `None` for `TOPIC.dead`.
    pub topic: Option<String>,
    /// Of the last minute's messages, 0 to 1.
    pub max_share: f64,
}

impl OnFailure {
    /// The dead-letter topic for messages of `topic`.
    pub fn dead_letter_topic(&self, topic: &str) -> String {
        self.topic
            .clone()
            .unwrap_or_else(|| format!("{topic}.dead"))
    }
}

/// What follows the last attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    DeadLetter,
    Skip,
    Stop,
}
