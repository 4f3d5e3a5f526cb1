//! A client of the tests' own: makes topics, writes, reads, and looks up committed offsets.
//!
//! It knows Kafka and nothing of deliveryd. Every verb waits for the broker's answer and panics
//! with what went wrong; reading never joins a group.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::ops::Range;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};

use super::writer::{Record, Writer};

/// For one request.
const ANSWER: Duration = Duration::from_secs(15);

/// A client for one cluster.
#[derive(Debug, Clone)]
pub struct Probe {
    servers: String,
}

/// A message as the probe read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<String>,
    /// `None` for a tombstone.
    pub value: Option<String>,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub timestamp: Option<i64>,
    pub headers: Vec<(String, String)>,
}

impl Message {
    /// The value as JSON.
    pub fn json(&self) -> serde_json::Value {
        let value = self.value.as_deref().unwrap_or_default();
        serde_json::from_str(value).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

impl Probe {
    pub fn new(servers: &str) -> Probe {
        Probe {
            servers: servers.to_owned(),
        }
    }

    /// How many brokers the cluster says are alive.
    pub fn brokers(&self) -> Result<usize, String> {
        let metadata = self
            .consumer("probe")
            .fetch_metadata(None, Duration::from_secs(1))
            .map_err(|error| error.to_string())?;
        Ok(metadata.brokers().len())
    }

    /// Makes a topic with one copy of each partition.
    pub fn create_topic(&self, topic: &str, partitions: i32) {
        self.create_topic_with(topic, partitions, 1, &[]);
    }

    pub fn create_topic_with(
        &self,
        topic: &str,
        partitions: i32,
        replication: i32,
        config: &[(&str, &str)],
    ) {
        let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(replication));
        for (name, value) in config {
            new = new.set(name, value);
        }
        let made = block_on(self.admin().create_topics([&new], &options()));
        answered("create the topic", made, topic);
        // The answer may come before every broker knows the topic.
        super::wait_for(&format!("topic {topic}"), ANSWER, || {
            match self.partitions(topic) {
                Some(found) if found == partitions as usize => Ok(()),
                other => Err(format!("{other:?} partitions")),
            }
        });
    }

    /// Deletes a topic, and waits until no broker knows it any more.
    pub fn delete_topic(&self, topic: &str) {
        let deleted = block_on(self.admin().delete_topics(&[topic], &options()));
        answered("delete the topic", deleted, topic);
        super::wait_for(&format!("topic {topic} to be gone"), ANSWER, || match self
            .partitions(topic)
        {
            None => Ok(()),
            Some(found) => Err(format!("{found} partitions")),
        });
    }

    /// Grows a topic to `partitions`.
    pub fn grow_topic(&self, topic: &str, partitions: usize) {
        let new = NewPartitions::new(topic, partitions);
        let grown = block_on(self.admin().create_partitions([&new], &options()));
        answered("grow the topic", grown, topic);
    }

    /// Sets one property of a topic's configuration.
    pub fn set_topic_config(&self, topic: &str, name: &str, value: &str) {
        let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(name, value);
        let changed = block_on(self.admin().alter_configs([&change], &options()));
        match changed.map(|mut results| results.pop()) {
            Ok(Some(Ok(_))) => {}
            other => panic!("can't configure topic {topic}: {other:?}"),
        }
    }

    /// How many partitions a topic has; `None` where there is no such topic.
    pub fn partitions(&self, topic: &str) -> Option<usize> {
        let metadata = self
            .consumer("probe")
            .fetch_metadata(None, ANSWER)
            .unwrap_or_else(|error| panic!("metadata: {error}"));
        let found = metadata.topics().iter().find(|each| each.name() == topic);
        found.map(|topic| topic.partitions().len())
    }

    /// The id of the broker that leads a partition.
    pub fn leader(&self, topic: &str, partition: i32) -> i32 {
        let metadata = self
            .consumer("probe")
            .fetch_metadata(Some(topic), ANSWER)
            .unwrap_or_else(|error| panic!("metadata of {topic}: {error}"));
        let found = metadata.topics()[0].partitions().iter();
        match found.into_iter().find(|each| each.id() == partition) {
            Some(found) => found.leader(),
            None => panic!("{topic} has no partition {partition}"),
        }
    }

    /// One property of a topic's configuration.
    pub fn topic_config(&self, topic: &str, name: &str) -> Option<String> {
        let asked = [ResourceSpecifier::Topic(topic)];
        let described = block_on(self.admin().describe_configs(&asked, &options()));
        match described.map(|mut results| results.pop()) {
            Ok(Some(Ok(resource))) => resource.get(name).and_then(|entry| entry.value.clone()),
            other => panic!("can't describe topic {topic}: {other:?}"),
        }
    }

    /// Writes (key, value) records and waits until every one is acknowledged by all replicas.
    pub fn produce<K: AsRef<str>, V: AsRef<str>>(
        &self,
        topic: &str,
        records: impl IntoIterator<Item = (K, V)>,
    ) {
        self.write(topic, None, records);
    }

    /// The same to one partition.
    pub fn produce_to<K: AsRef<str>, V: AsRef<str>>(
        &self,
        topic: &str,
        partition: i32,
        records: impl IntoIterator<Item = (K, V)>,
    ) {
        self.write(topic, Some(partition), records);
    }

    fn write<K: AsRef<str>, V: AsRef<str>>(
        &self,
        topic: &str,
        partition: Option<i32>,
        records: impl IntoIterator<Item = (K, V)>,
    ) {
        let writer = Writer::new(&self.servers, "probe-producer", 1);
        for (key, value) in records {
            let mut record = Record::to(topic).key(key.as_ref()).payload(value.as_ref());
            record.partition = partition;
            writer.send(record);
            writer.poll();
        }
        writer.finish();
    }

    /// Writes one message to partition 0 with everything that a message can have; `None` is null.
    pub fn produce_one(
        &self,
        topic: &str,
        key: Option<&str>,
        value: Option<&str>,
        headers: &[(&str, &str)],
        timestamp: i64,
    ) {
        let producer: BaseProducer = self
            .config("probe-producer")
            .create()
            .unwrap_or_else(|error| panic!("a producer: {error}"));
        let mut record = BaseRecord::<str, str>::to(topic)
            .partition(0)
            .timestamp(timestamp);
        record.key = key;
        record.payload = value;
        let mut all = OwnedHeaders::new();
        for (key, value) in headers {
            let value = Some(*value);
            all = all.insert(Header { key, value });
        }
        if let Err((error, _)) = producer.send(record.headers(all)) {
            panic!("can't write to {topic}: {error}");
        }
        let flushed = producer.flush(ANSWER);
        assert!(flushed.is_ok(), "writing to {topic}: {flushed:?}");
    }

    /// Deletes a partition's messages before `offset`, as retention would.
    pub fn delete_before(&self, topic: &str, partition: i32, offset: i64) {
        let mut before = TopicPartitionList::new();
        before
            .add_partition_offset(topic, partition, Offset::Offset(offset))
            .unwrap_or_else(|error| panic!("{topic}/{partition}: {error}"));
        if let Err(error) = block_on(self.admin().delete_records(&before, &options())) {
            panic!("can't delete from {topic}: {error}");
        }
    }

    /// Everything that is in the topic now, by partition and offset.
    pub fn read_all(&self, topic: &str) -> Vec<Message> {
        let ends = self.end_offsets(topic);
        let consumer = self.consumer("probe-reader");
        let mut from = TopicPartitionList::new();
        for partition in ends.keys() {
            from.add_partition_offset(topic, *partition, Offset::Beginning)
                .unwrap_or_else(|error| panic!("{topic}/{partition}: {error}"));
        }
        consumer
            .assign(&from)
            .unwrap_or_else(|error| panic!("can't read {topic}: {error}"));
        let mut left: BTreeMap<i32, i64> = ends.into_iter().filter(|(_, end)| *end > 0).collect();
        let mut messages = Vec::new();
        let begin = Instant::now();
        while !left.is_empty() {
            assert!(begin.elapsed() < ANSWER * 2, "{topic}: not read: {left:?}");
            let Some(polled) = consumer.poll(Duration::from_millis(200)) else {
                continue;
            };
            let message = match polled {
                Ok(message) => message,
                // The client tells of a broker that is down and reads on from the others.
                Err(error) if is_outage(&error) => continue,
                Err(error) => panic!("reading {topic}: {error}"),
            };
            let (partition, offset) = (message.partition(), message.offset());
            if left.get(&partition).is_some_and(|end| offset + 1 >= *end) {
                left.remove(&partition);
            }
            messages.push(copied(&message));
        }
        messages.sort_by_key(|message| (message.partition, message.offset));
        messages
    }

    /// Everything in the topic that is committed now, up to the first transaction that is still open.
    pub fn read_committed(&self, topic: &str) -> Vec<Message> {
        let partitions = self.partitions(topic).unwrap_or_default() as i32;
        let consumer: BaseConsumer = self
            .config("probe-reader")
            .set("group.id", "probe")
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", "20")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .create()
            .unwrap_or_else(|error| panic!("a consumer: {error}"));
        let mut from = TopicPartitionList::new();
        for partition in 0..partitions {
            from.add_partition_offset(topic, partition, Offset::Beginning)
                .unwrap_or_else(|error| panic!("{topic}/{partition}: {error}"));
        }
        consumer
            .assign(&from)
            .unwrap_or_else(|error| panic!("can't read {topic}: {error}"));
        let mut left: BTreeSet<i32> = (0..partitions).collect();
        let mut messages = Vec::new();
        let begin = Instant::now();
        while !left.is_empty() {
            assert!(begin.elapsed() < ANSWER * 2, "{topic}: not read: {left:?}");
            match consumer.poll(Duration::from_millis(200)) {
                None => {}
                Some(Ok(message)) => messages.push(copied(&message)),
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    left.remove(&partition);
                }
                // Of several brokers one may be away.
                Some(Err(error)) if is_outage(&error) => {}
                Some(Err(error)) => panic!("reading {topic}: {error}"),
            }
        }
        messages.sort_by_key(|message| (message.partition, message.offset));
        messages
    }

    /// Waits until `count` messages are in the topic and returns all of it.
    #[track_caller]
    pub fn read(&self, topic: &str, count: usize, deadline: Duration) -> Vec<Message> {
        let what = format!("{count} messages in {topic}");
        super::wait_for(&what, deadline, || {
            let found: i64 = self.end_offsets(topic).values().sum();
            match found >= count as i64 {
                true => Ok(()),
                false => Err(format!("{found} messages")),
            }
        });
        self.read_all(topic)
    }

    /// Each partition's end: the offset after its last message.
    pub fn end_offsets(&self, topic: &str) -> BTreeMap<i32, i64> {
        let consumer = self.consumer("probe");
        let partitions = self.partitions(topic).unwrap_or_default() as i32;
        let end = |partition| {
            // A broker that is just back may not lead its partitions yet.
            let what = format!("the end of {topic}/{partition}");
            super::wait_for(&what, ANSWER * 2, || {
                let watermarks = consumer.fetch_watermarks(topic, partition, ANSWER);
                let (_, end) = watermarks.map_err(|error| error.to_string())?;
                Ok((partition, end))
            })
        };
        (0..partitions).map(end).collect()
    }

    /// The group's committed offsets in `topic`; partitions without one are not in it.
    pub fn committed(&self, group: &str, topic: &str) -> BTreeMap<i32, i64> {
        let partitions = self.partitions(topic).unwrap_or_default() as i32;
        let found = self.offsets_of(group, topic, 0..partitions);
        let elements = found.elements();
        let offset = |element: &TopicPartitionListElem<'_>| {
            Some((
                element.partition(),
                element.offset().to_raw().filter(|raw| *raw >= 0)?,
            ))
        };
        elements.iter().filter_map(offset).collect()
    }

    /// The metadata of the group's commit of one partition; empty where there is none.
    pub fn committed_metadata(&self, group: &str, topic: &str, partition: i32) -> String {
        let found = self.offsets_of(group, topic, partition..partition + 1);
        let metadata = found
            .elements()
            .first()
            .map(|each| each.metadata().to_owned());
        metadata.unwrap_or_default()
    }

    fn offsets_of(&self, group: &str, topic: &str, partitions: Range<i32>) -> TopicPartitionList {
        let consumer: BaseConsumer = self
            .config("probe")
            .set("group.id", group)
            // Without waiting for a transaction that is still open.
            .set("isolation.level", "read_uncommitted")
            .create()
            .unwrap_or_else(|error| panic!("a consumer: {error}"));
        let mut asked = TopicPartitionList::new();
        for partition in partitions {
            asked.add_partition(topic, partition);
        }
        // A broker that is just back may not coordinate its groups yet.
        super::wait_for(&format!("the offsets of {group}"), ANSWER * 2, || {
            let found = consumer.committed_offsets(asked.clone(), ANSWER);
            found.map_err(|error| error.to_string())
        })
    }

    /// Waits until the group has committed the whole topic.
    #[track_caller]
    pub fn wait_until_committed(&self, group: &str, topic: &str, deadline: Duration) {
        let what = format!("{group} to commit all of {topic}");
        super::wait_for(&what, deadline, || {
            let mut ends = self.end_offsets(topic);
            ends.retain(|_, end| *end > 0);
            let mut committed = self.committed(group, topic);
            committed.retain(|_, offset| *offset > 0);
            match committed == ends {
                true => Ok(()),
                false => Err(format!("committed {committed:?} of {ends:?}")),
            }
        });
    }

    fn config(&self, client: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.servers)
            .set("client.id", client)
            .set("log_level", "0")
            .set("reconnect.backoff.max.ms", "500")
            .set_log_level(RDKafkaLogLevel::Emerg);
        config
    }

    fn consumer(&self, client: &str) -> BaseConsumer {
        self.config(client)
            .set("group.id", "probe")
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", "20")
            .create()
            .unwrap_or_else(|error| panic!("a consumer: {error}"))
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config("probe-admin")
            .create()
            .unwrap_or_else(|error| panic!("an admin client: {error}"))
    }
}

fn copied(message: &rdkafka::message::BorrowedMessage<'_>) -> Message {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = message
        .headers()
        .into_iter()
        .flat_map(|headers| headers.iter());
    Message {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(text),
        value: message.payload().map(text),
        timestamp: message.timestamp().to_millis(),
        headers: headers
            .map(|header| {
                let value = header.value.map(text).unwrap_or_default();
                (header.key.to_owned(), value)
            })
            .collect(),
    }
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(ANSWER))
        .operation_timeout(Some(ANSWER))
}

type TopicAnswers = Result<Vec<rdkafka::admin::TopicResult>, rdkafka::error::KafkaError>;

fn answered(what: &str, answers: TopicAnswers, topic: &str) {
    match answers.map(|mut results| results.pop()) {
        Ok(Some(Ok(_))) => {}
        other => panic!("can't {what} {topic}: {other:?}"),
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap_or_else(|error| panic!("a runtime: {error}"))
        .block_on(future)
}

/// Whether the client only says that a broker is not there now.
fn is_outage(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::AllBrokersDown)
    )
}
