//! A topic read as it is written, by nobody's group: [`Follower::next`] gives message after message,
//! [`Follower::is_at_end`] says whether there is more. Nothing is committed and no group is joined.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaType;
use tokio::sync::Notify;

use super::context::Context;
use super::error::KafkaError;
use super::inbox::Inbox;
use super::raw::{Client, Message, Queue};
use super::{Cluster, settings};
use crate::delivery::Record;

/// One request to the broker.
const REQUEST: Duration = Duration::from_secs(10);
const BATCH: usize = 256;

/// Reads one topic from its beginning. Of transactions it sees only what is committed.
pub struct Follower {
    topic: String,
    context: Arc<Context>,
    inbox: Inbox,
    /// The next offset of each partition.
    positions: BTreeMap<i32, i64>,
    queue: Queue,
    // Last, so that the queue goes before it.
    client: Client,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum Followed {
    /// The record given was filled.
    Record,
    /// Nothing within the time.
    Nothing,
}

impl Follower {
    /// Begins at the beginning of a topic of so many partitions.
    ///
    /// # Errors
    /// The client's settings are refused.
    pub fn new(cluster: &Cluster, topic: &str, partitions: i32) -> Result<Self, KafkaError> {
        let name = format!("{}-follower", cluster.instance);
        let context = Context::new(&name, &cluster.servers);
        // A group's name is needed for an assignment, but it is never joined and gets no commit.
        let mut config = settings::admin(cluster, &name, Some(&name));
        // A transaction's last marker is no message; only this tells that it was passed.
        config.set("enable.partition.eof", "true");
        config.set("isolation.level", "read_committed");
        config.set("fetch.wait.max.ms", "20");
        config.set("fetch.error.backoff.ms", "100");
        let kind = RDKafkaType::RD_KAFKA_CONSUMER;
        let client = Client::new(kind, &config, context.clone(), false)?;
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition_offset(topic, partition, Offset::Beginning)?;
        }
        client.assign(&list)?;
        Ok(Self {
            queue: client.consumer_queue(&Arc::new(Notify::new()))?,
            topic: topic.to_owned(),
            context,
            inbox: Inbox::default(),
            positions: (0..partitions).map(|partition| (partition, 0)).collect(),
            client,
        })
    }

    /// Fills `record` with the next message, if one comes within `wait`.
    ///
    /// # Errors
    /// What the broker says, unless it passes by itself.
    pub fn next(&mut self, record: &mut Record, wait: Duration) -> Result<Followed, KafkaError> {
        if self.inbox.is_empty() {
            self.queue.take_singly(BATCH, wait, &mut self.inbox.waiting);
        }
        while let Some(message) = self.inbox.next() {
            if self.take(record, &message)? {
                return Ok(Followed::Record);
            }
        }
        Ok(Followed::Nothing)
    }

    /// Whether everything that is in the topic now has been given out.
    ///
    /// # Errors
    /// No broker answers.
    pub fn is_at_end(&self) -> Result<bool, KafkaError> {
        if !self.inbox.is_empty() {
            return Ok(false);
        }
        for (partition, position) in &self.positions {
            let watermarks = self.client.watermarks(&self.topic, *partition, REQUEST);
            let (_, end) = watermarks.map_err(|error| self.context.explain(error))?;
            if *position < end {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether it is a message, which is then in `record`.
    fn take(&mut self, record: &mut Record, message: &Message) -> Result<bool, KafkaError> {
        let position = self.positions.entry(message.partition()).or_default();
        match message.code() {
            Code::RD_KAFKA_RESP_ERR_NO_ERROR => {
                *position = message.offset() + 1;
                self.inbox.fill(record, message);
                Ok(true)
            }
            // It asks for the coordinator of a group that is never joined; that may be denied.
            Code::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED => Ok(false),
            Code::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
                *position = (*position).max(message.offset());
                Ok(false)
            }
            Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED => {
                Err(KafkaError::denied("READ", message.topic()))
            }
            code => {
                let text = String::from_utf8_lossy(message.value().unwrap_or_default());
                let error = self.context.explain(KafkaError::of(code, &text));
                match error.retriable || error.is_outage() {
                    true => Ok(false),
                    false => Err(error),
                }
            }
        }
    }
}
