//! A topic, a topic for what is emitted, and a group that no other test uses, on the shared broker.

use std::collections::BTreeMap;
use std::time::Duration;

use super::daemon::{Daemon, Setup};
use super::kafka::Kafka;
use super::probe::{Message, Probe};

/// For messages to come through; a rebalance included.
pub const SOON: Duration = Duration::from_secs(20);

/// Copies each message to `params.out`, with where it came from.
pub const COPY: &str = r#"
fn handle(msg) {
    emit(params.out, #{ partition: msg.partition, offset: msg.offset, key: msg.key, value: msg.value });
}
"#;

/// What one test works on.
pub struct Case {
    pub topic: String,
    /// Where the handlers emit to; one partition, so that its order is the order of writing.
    pub out: String,
    pub group: String,
    pub probe: Probe,
    servers: String,
}

impl Case {
    /// Makes both topics on the shared broker.
    pub fn new(name: &str, partitions: i32) -> Case {
        Self::on(Kafka::shared(), name, partitions)
    }

    /// The same with settings of the topic that is read.
    pub fn with_config(name: &str, partitions: i32, config: &[(&str, &str)]) -> Case {
        Self::made_on(Kafka::shared(), name, partitions, 1, config)
    }

    /// The same on another broker.
    pub fn on(kafka: &Kafka, name: &str, partitions: i32) -> Case {
        Self::replicated_on(kafka, name, partitions, 1)
    }

    /// The same with so many copies of each partition.
    pub fn replicated_on(kafka: &Kafka, name: &str, partitions: i32, copies: i32) -> Case {
        Self::made_on(kafka, name, partitions, copies, &[])
    }

    fn made_on(
        kafka: &Kafka,
        name: &str,
        partitions: i32,
        copies: i32,
        config: &[(&str, &str)],
    ) -> Case {
        let topic = super::unique(name);
        let case = Case {
            out: format!("{topic}.out"),
            group: format!("{topic}.group"),
            topic,
            probe: kafka.probe(),
            servers: kafka.servers(),
        };
        let probe = &case.probe;
        probe.create_topic_with(&case.topic, partitions, copies, config);
        probe.create_topic_with(&case.out, 1, copies, &[]);
        case
    }

    /// The default dead-letter topic.
    pub fn dead(&self) -> String {
        format!("{}.dead", self.topic)
    }

    /// The config of the group, with `settings` as further lines of its table.
    pub fn toml(&self, settings: &str) -> String {
        let (topic, out, group) = (&self.topic, &self.out, &self.group);
        // Its transactions commit.
        let commits = match settings.contains("exactly_once") {
            true => "",
            false => "commit_interval = \"50ms\"\n",
        };
        format!(
            "[topics.{topic:?}]\ncreate = false\n\n[topics.{out:?}]\ncreate = false\n\n\
             [groups.{group:?}]\ntopics = [{topic:?}]\nhandler = \"handle.rhai\"\nstart = \"earliest\"\n\
             {commits}params = {{ out = {out:?} }}\n{settings}\n"
        )
    }

    pub fn setup(&self, settings: &str, handler: &str) -> Setup {
        self.setup_with(&self.toml(settings), handler)
    }

    /// With another config than [`Case::toml`] gives.
    pub fn setup_with(&self, toml: &str, handler: &str) -> Setup {
        Setup::new(&self.servers, toml).handler("handle.rhai", handler)
    }

    pub fn start(&self, settings: &str, handler: &str) -> Daemon {
        self.setup(settings, handler).start()
    }

    /// Writes `count` messages `m0`, `m1`, … to each of these partitions.
    pub fn fill(&self, partitions: std::ops::Range<i32>, count: usize) {
        for partition in partitions {
            let records = (0..count).map(|n| (format!("k{}", n % 5), format!("m{n}")));
            self.probe.produce_to(&self.topic, partition, records);
        }
    }

    /// Waits until the group has committed everything that is in the topic.
    #[track_caller]
    pub fn wait_until_done(&self, deadline: Duration) {
        self.probe
            .wait_until_committed(&self.group, &self.topic, deadline);
    }

    /// What [`COPY`] wrote, in the order of writing.
    pub fn copies(&self) -> Vec<Copied> {
        let messages = self.probe.read_all(&self.out);
        messages.iter().map(Copied::new).collect()
    }

    /// The same as a reader sees it that leaves out what was not committed.
    pub fn committed_copies(&self) -> Vec<Copied> {
        let messages = self.probe.read_committed(&self.out);
        messages.iter().map(Copied::new).collect()
    }

    /// Waits until there are `count` of them.
    #[track_caller]
    pub fn wait_for_copies(&self, count: usize, deadline: Duration) -> Vec<Copied> {
        let messages = self.probe.read(&self.out, count, deadline);
        messages.iter().map(Copied::new).collect()
    }

    /// The group's first member in the status, as the raw object.
    pub fn member(&self, status: &super::Status) -> serde_json::Value {
        status.group(&self.group)["members"][0].clone()
    }
}

/// One message that [`COPY`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    pub partition: i64,
    pub offset: i64,
    pub key: String,
    pub value: String,
    /// Its own offset in the output.
    pub at: i64,
}

impl Copied {
    fn new(message: &Message) -> Copied {
        let json = message.json();
        let number = |name: &str| match json[name].as_i64() {
            Some(number) => number,
            None => panic!("no number {name:?} in {message:?}"),
        };
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        Copied {
            partition: number("partition"),
            offset: number("offset"),
            key: text("key"),
            value: text("value"),
            at: message.offset,
        }
    }
}

/// The offsets of each partition in the order in which they were written.
pub fn by_partition(copies: &[Copied]) -> BTreeMap<i64, Vec<i64>> {
    let mut found: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for copy in copies {
        found.entry(copy.partition).or_default().push(copy.offset);
    }
    found
}

/// How often each (partition, offset) was written.
pub fn times(copies: &[Copied]) -> BTreeMap<(i64, i64), usize> {
    let mut times = BTreeMap::new();
    for copy in copies {
        *times.entry((copy.partition, copy.offset)).or_default() += 1;
    }
    times
}

/// Every offset of these partitions was written once, and each partition's in order.
#[track_caller]
pub fn assert_each_once_in_order(copies: &[Copied], partitions: i64, count: i64) {
    let all: Vec<i64> = (0..count).collect();
    let found = by_partition(copies);
    for partition in 0..partitions {
        let offsets = found.get(&partition).cloned().unwrap_or_default();
        if offsets != all {
            let mut sorted = offsets.clone();
            sorted.sort_unstable();
            let first = offsets.iter().zip(&all).position(|(a, b)| a != b);
            panic!(
                "partition {partition}: {} of {count}, each once: {}, first out of place: {first:?} {:?}",
                offsets.len(),
                sorted == all,
                first.map(|n| &offsets[n.saturating_sub(2)..(n + 5).min(offsets.len())])
            );
        }
    }
}
