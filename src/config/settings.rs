//! Every setting: its name, how it is written, what it is when it is not given, and what it means.
//!
//! This is the only list of them. The reader, the defaults, the schema, `config show`, environment
//! variables and suggestions all follow from it; and since each table here is also the initialiser
//! of its checked type, the compiler sees that none is forgotten.

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::format::{
    Shape, address, brokers, choice, client_name, duration, entries, flag, handler, hosts, level,
    optional, params, path, properties, rate, section, share, size, start, texts, topic_name,
    topic_names, whole,
};
use super::reader::Table;
use super::types::*;
use super::{HandlerKind, schema};

/// What a setting is when nobody gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// This, as TOML.
    Default(&'static str),
    /// Found out at the start; in words.
    Computed(&'static str),
    /// Nothing; in words, what that means.
    Absent(&'static str),
    /// It must be given.
    Required,
}

/// How a setting's text outside of TOML is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// As it stands, so that `007` stays `007`.
    Text,
    /// A path; as text.
    Path,
    /// As TOML, or as text where it is none.
    Toml,
    /// As a TOML list, or as items between commas.
    List,
}

/// What is below a setting.
#[derive(Clone, Copy)]
pub enum Node {
    Value(Wants),
    /// A table with settings of its own.
    Section(fn() -> Vec<Setting>),
    /// Tables by name, each with the same settings.
    Entries(fn() -> Vec<Setting>),
    /// Values by names that are not ours.
    Pairs {
        values: Wants,
        /// Whether the names are written in lower case with dots, as Kafka's are.
        kafka: bool,
    },
}

/// One setting.
pub struct Setting {
    pub key: &'static str,
    /// What it means, in Markdown.
    pub doc: &'static str,
    pub given: Given,
    pub format: Box<dyn Shape>,
}

/// A table of settings that is read into `Self`.
pub trait Settings: Sized + JsonSchema {
    /// What the table is, for messages: `a topic`.
    const WHAT: &'static str;
    /// What the table is for, in Markdown.
    const ABOUT: &'static str;

    /// Its settings, in the order in which they are shown.
    fn list() -> Vec<Setting>;

    /// Reads them; mistakes go to the table's report, and something stands in for what is wrong.
    fn read(table: &mut Table<'_, '_>) -> Self;
}

macro_rules! settings {
    ($(
        $(#[doc = $about:literal])*
        $Type:ident is $what:literal $(with ($($extra:ident: $value:expr),*))? {
            $($(#[doc = $doc:literal])* $key:ident: $format:expr => $given:expr;)*
        }
    )*) => {$(
        impl Settings for $Type {
            const WHAT: &'static str = $what;
            const ABOUT: &'static str = concat!($($about, "\n"),*);

            fn list() -> Vec<Setting> {
                use Given::*;
                vec![$(Setting {
                    key: stringify!($key),
                    doc: concat!($($doc, "\n"),*),
                    given: $given,
                    format: Box::new($format),
                }),*]
            }

            fn read(table: &mut Table<'_, '_>) -> Self {
                use Given::*;
                Self {
                    $($key: table.read(stringify!($key), &$format, $given),)*
                    $($($extra: $value,)*)?
                }
            }
        }

        impl JsonSchema for $Type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($Type).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                schema::table(generator, Self::ABOUT, Self::list())
            }
        }
    )*};
}

settings! {
    /// The configuration of deliveryd: Kafka consumer groups, producers and topics.
    Config is "the configuration" with (file: std::path::PathBuf::new()) {
        /// The process itself.
        daemon: section::<Daemon>() => Default("{}");
        /// What is logged beside the terminal or the journal.
        log: section::<Log>() => Default("{}");
        /// The cluster.
        kafka: section::<Kafka>() => Default("{}");
        /// The topics that are read and written, by name. A name with a dot is quoted: `[topics."orders.v1"]`.
        topics: entries::<Topic>(super::names::topic_mistake) => Default("{}");
        /// Producers of messages that a handler makes up, by name.
        producers: entries::<Producer>(super::names::client_mistake) => Default("{}");
        /// Consumer groups by group id. A name with a dot is quoted: `[groups."billing.eu"]`.
        groups: entries::<Group>(super::names::group_mistake) => Default("{}");
    }

    /// The process itself.
    Daemon is "`[daemon]`" {
        /// Unique per daemon: part of every client id, static member id and transactional id.
        instance: client_name() => Computed("the host's name");
        /// Where the status page, metrics and health are served: `address:port`, or `"off"`.
        http: address() => Default("\"127.0.0.1:8660\"");
        /// Further names that the status page answers to. Health and metrics answer any.
        hosts: hosts() => Default("[]");
        /// How handler files are watched for changes: `events` of the kernel, `poll` for file systems without them, or `off`.
        watch: choice::<Watch>() => Default("\"events\"");
        /// The control socket of commands that talk to the running daemon.
        control: path("the control socket's path") => Computed("in the runtime directory of the service or of the user");
        /// How long an orderly stop may take.
        shutdown_timeout: duration("100ms", "1h") => Default("\"25s\"");
    }

    /// What is logged beside the terminal or the journal.
    Log is "`[log]`" {
        /// A level (`error`, `warn`, `info`, `debug`, `trace`, `off`), or levels per module: `info,deliveryd::member=debug`.
        level: level() => Default("\"info\"");
        /// A log file that is rolled.
        file: optional(path("a file's path")) => Absent("no log file");
        /// When the log file is rolled.
        rotate: choice::<Rotate>() => Default("\"daily\"");
        /// How many rolled files are kept.
        keep: whole(1, 10_000) => Default("7");
    }

    /// The cluster.
    Kafka is "`[kafka]`" {
        /// `embedded` is an in-process broker for trying things out, in memory only; else `host:port,host:port`.
        brokers: brokers() => Default("\"embedded\"");
        /// librdkafka properties for every client. A secret stays out of the file with `{ env = "NAME" }` or `{ file = "PATH" }`.
        properties: properties() => Default("{}");
    }

    /// A topic.
    Topic is "a topic" {
        /// How many partitions it has. An existing topic is grown to this, never shrunk. With
        /// `create = false` and no number here, it is as it is.
        partitions: optional(whole(1, 100_000)) => Default("1");
        /// On how many brokers each partition is kept; likewise.
        replication: optional(whole(1, 1_000)) => Default("1");
        /// Kafka's topic configuration, such as `"retention.ms"`.
        config: texts() => Default("{}");
        /// Whether the topic is created and grown; with `false` it must be there already.
        create: flag() => Default("true");
    }

    /// A producer of messages that a handler makes up.
    Producer is "a producer" {
        /// The topic that it writes to.
        topic: topic_name() => Required;
        /// The Rhai file with `fn generate(n)`.
        handler: handler(HandlerKind::Producer) => Required;
        /// Messages per second, or `"unlimited"`.
        rate: rate() => Default("1.0");
        /// Stop after so many messages, counted per start of the daemon.
        count: optional(whole(1, i64::MAX as u64)) => Absent("it does not stop by itself");
        /// Makes the random values the same in every run.
        seed: optional(whole(0, i64::MAX as u64)) => Absent("other values every run");
        /// Compile the handler's functions; `false` leaves them to the interpreter.
        compile: flag() => Default("true");
        /// Constants for the handler: `params.NAME`.
        params: params() => Default("{}");
        /// The script's cage.
        limits: section::<Limits>() => Default("{}");
    }

    /// A consumer group.
    Group is "a group" with (stage: None) {
        /// The topics that it reads.
        topics: topic_names() => Required;
        /// How many members this process runs; partitions are shared between them.
        members: whole(1, 1000) => Default("1");
        /// The Rhai file with `fn handle(msg)`.
        handler: handler(HandlerKind::Consumer) => Required;
        /// Where the group begins that has no offset yet: `earliest`, `latest` or an RFC 3339 time.
        start: start() => Default("\"earliest\"");
        /// What to do when retention has passed the group's offset. It is always told.
        on_out_of_range: choice::<OutOfRange>() => Default("\"stop\"");
        /// The most messages per second for this group in this process, or `"unlimited"`.
        rate: rate() => Default("\"unlimited\"");
        /// What waits for what: messages of a `partition`, those of a `key`, or `none`.
        ordering: choice::<Ordering>() => Default("\"partition\"");
        /// The most messages per member that are started and not finished.
        in_flight: whole(1, 1_000_000) => Default("1000");
        /// What a crash may do to a message.
        guarantee: choice::<Guarantee>() => Default("\"at_least_once\"");
        /// How often offsets are committed with `guarantee = "at_least_once"`.
        commit_interval: duration("10ms", "10m") => Default("\"1s\"");
        /// How long a transaction is with `guarantee = "exactly_once"`.
        transaction_interval: duration("1ms", "30s") => Default("\"100ms\"");
        /// How long one call of the script may take. Below `max.poll.interval.ms`.
        handler_timeout: duration("1ms", "24h") => Default("\"1s\"");
        /// How long work in flight may take when partitions are revoked or the daemon stops. Below `max.poll.interval.ms`.
        drain_timeout: duration("0s", "24h") => Default("\"10s\"");
        /// `classic` (cooperative-sticky), or `consumer` (KIP-848: the broker assigns).
        protocol: choice::<Protocol>() => Default("\"classic\"");
        /// Members keep their partitions over a restart, as `INSTANCE-GROUP-N`. Only with `protocol = "classic"`.
        static_membership: flag() => Default("false");
        /// Memory per member: prefetch, waiting retries and unacknowledged emits together.
        buffer: size(1u64 << 20, 1 << 40) => Default("\"32MiB\"");
        /// librdkafka properties for this group's clients. Those that deliveryd owns are refused.
        properties: properties() => Default("{}");
        /// Constants for the handler: `params.NAME`.
        params: params() => Default("{}");
        /// Run the handler's tests before a changed version is taken.
        test_before_swap: flag() => Default("false");
        /// Compile the handler's functions; `false` leaves them to the interpreter.
        compile: flag() => Default("true");
        /// The script's cage.
        limits: section::<Limits>() => Default("{}");
        /// What happens when the handler fails.
        on_failure: section::<OnFailure>() => Default("{}");
    }

    /// The script's cage.
    Limits is "`limits`" {
        /// Rhai operations per call.
        operations: whole(1, 1_000_000_000_000u64) => Default("1_000_000");
        /// How deep functions may call each other.
        call_depth: whole(1, 128) => Default("32");
        /// How deep expressions may be nested.
        expression_depth: whole(1, 1_000) => Default("64");
        /// The longest string.
        string: size(64usize, 1 << 30) => Default("\"1MiB\"");
        /// The most items of an array.
        array: whole(1, 100_000_000) => Default("10_000");
        /// The most entries of a map.
        map: whole(1, 100_000_000) => Default("10_000");
        /// The most memory of a call.
        memory: size(64usize << 10, 1 << 36) => Default("\"16MiB\"");
    }

    /// What happens when the handler fails.
    OnFailure is "`on_failure`" {
        /// Further attempts after the first.
        retries: whole(0, 1_000_000) => Default("3");
        /// The wait before the first retry; doubles, with jitter, up to `max_backoff`.
        backoff: duration("1ms", "24h") => Default("\"200ms\"");
        /// The longest wait between retries.
        max_backoff: duration("1ms", "24h") => Default("\"30s\"");
        /// What follows the last attempt.
        then: choice::<Then>() => Default("\"dead_letter\"");
        /// The dead-letter topic.
        topic: optional(topic_name()) => Absent("TOPIC.dead");
        /// Of the last minute's messages, 0 to 1: beyond it the group stops instead of emptying the topic into dead letters.
        max_share: share() => Default("0.5");
    }
}
