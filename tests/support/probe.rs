//! A client of the tests' own: makes topics, writes, reads, and looks up committed offsets.
//!
//! It knows Kafka and nothing of deliveryd. Every verb waits for the broker's answer and panics
//! with what went wrong; reading never joins a group.

mod offsets;
mod reading;
mod topics;

use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

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

    fn config(&self, client: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.servers)
            .set("client.id", client)
            .set("log_level", "0")
            // The topics bound it.
            .set("message.max.bytes", "10000000")
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
}
