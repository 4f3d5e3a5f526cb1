//! Topics read from one offset to another by nobody's group: [`Scan::begin`] says what, [`Scan::next`]
//! gives one message after another. It commits nothing and joins nothing, so no group sees it.

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
use super::{Cluster, Partition, settings};
use crate::delivery::Record;

/// One request to the broker.
const REQUEST: Duration = Duration::from_secs(10);
/// How long one wait for messages is.
const TURN: Duration = Duration::from_millis(200);
/// So many waits in a row may bring nothing while messages are missing: half a minute of waiting, and
/// not of whatever the caller does between them.
const SILENT_TURNS: u32 = 150;
const BATCH: usize = 256;
/// What the client may have fetched ahead, in kilobytes.
const PREFETCH: &str = "16384";

/// What of a partition is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    pub partition: Partition,
    pub first: i64,
    /// The offset after the last.
    pub end: i64,
}

/// What [`Scan::next`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scanned {
    /// The record given was filled.
    Record,
    /// Nothing has come within a fifth of a second.
    Nothing,
    /// Everything has been read.
    End,
}

/// A reader without a group. Messages of transactions that are open or were aborted do not come.
pub struct Scan {
    missing: Vec<Range>,
    inbox: Inbox,
    /// Waits in a row that brought nothing.
    silent_turns: u32,
    context: Arc<Context>,
    queue: Queue,
    // Last, so that the queue and its messages go before it.
    client: Client,
}

impl Scan {
    /// Creates the client; no broker is needed yet. `name` is its client id.
    pub fn new(cluster: &Cluster, name: &str) -> Result<Scan, KafkaError> {
        let context = Context::new(name, &cluster.servers);
        // A group's name is needed for an assignment, but it is never joined and gets no commit.
        let mut config = settings::admin(cluster, name, Some(name));
        // A range may end in what is no message: a transaction's marker, or what was compacted away.
        config.set("enable.partition.eof", "true");
        config.set("queued.max.messages.kbytes", PREFETCH);
        let client = Client::new(
            RDKafkaType::RD_KAFKA_CONSUMER,
            &config,
            context.clone(),
            false,
        )?;
        Ok(Scan {
            missing: Vec::new(),
            inbox: Inbox::default(),
            silent_turns: 0,
            queue: client.consumer_queue(&Arc::new(Notify::new()))?,
            context,
            client,
        })
    }

    /// What is in the partitions of a topic now; `None` where there is no such topic. Blocks.
    pub fn ranges(&self, topic: &str) -> Result<Option<Vec<Range>>, KafkaError> {
        let explain = |error| self.explain(error);
        let topics = self.client.topics(REQUEST).map_err(explain)?;
        let found = topics.iter().find(|found| found.name == topic);
        let Some(found) = found.filter(|found| found.partitions > 0) else {
            return Ok(None);
        };
        let topic: Arc<str> = Arc::from(topic);
        let mut ranges = Vec::new();
        for number in 0..found.partitions {
            let (first, end) = self
                .client
                .watermarks(&topic, number, REQUEST)
                .map_err(explain)?;
            ranges.push(Range {
                partition: Partition {
                    topic: topic.clone(),
                    number,
                },
                first,
                end,
            });
        }
        Ok(Some(ranges))
    }

    /// Begins to read these, and nothing of what was to be read before.
    pub fn begin(&mut self, mut ranges: Vec<Range>) -> Result<(), KafkaError> {
        ranges.retain(|range| range.first < range.end);
        let mut list = TopicPartitionList::with_capacity(ranges.len());
        for range in &ranges {
            list.add_partition_offset(
                &range.partition.topic,
                range.partition.number,
                Offset::Offset(range.first),
            )?;
        }
        self.inbox.clear();
        self.missing = ranges;
        self.silent_turns = 0;
        self.client.assign(&list)
    }

    /// The next message: of a partition in its order, partitions in any.
    ///
    /// # Errors
    /// What the broker says, or no message for half a minute of asking.
    pub fn next(&mut self, record: &mut Record) -> Result<Scanned, KafkaError> {
        while !self.missing.is_empty() {
            if self.inbox.is_empty() {
                self.queue.take_singly(BATCH, TURN, &mut self.inbox.waiting);
            }
            let Some(message) = self.inbox.next() else {
                self.silent_turns += 1;
                if self.silent_turns >= SILENT_TURNS {
                    let text = format!("no message within {:?}", TURN * SILENT_TURNS);
                    return Err(self.context.explain(KafkaError::new("_TIMED_OUT", text)));
                }
                return Ok(Scanned::Nothing);
            };
            self.silent_turns = 0;
            if self.take(&message, record)? {
                return Ok(Scanned::Record);
            }
        }
        Ok(Scanned::End)
    }

    /// What went wrong beside a request explains why there was no answer.
    fn explain(&self, error: KafkaError) -> KafkaError {
        // It is told to whoever serves the queue.
        self.queue
            .take_singly(BATCH, Duration::ZERO, &mut Vec::new());
        self.context.explain(error)
    }

    /// Whether it is a message that was asked for. Forgets ranges that are at their end.
    fn take(&mut self, message: &Message, record: &mut Record) -> Result<bool, KafkaError> {
        let is_its = |range: &Range| {
            range.partition.number == message.partition()
                && *range.partition.topic == *message.topic()
        };
        let offset = message.offset();
        match message.code() {
            Code::RD_KAFKA_RESP_ERR_NO_ERROR => {
                let Some(index) = self.missing.iter().position(is_its) else {
                    return Ok(false);
                };
                let end = self.missing[index].end;
                if offset + 1 >= end {
                    self.missing.swap_remove(index);
                }
                if offset < end {
                    self.inbox.fill(record, message);
                }
                Ok(offset < end)
            }
            // It asks for the coordinator of a group that is never joined; that may be denied.
            Code::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED => Ok(false),
            Code::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
                self.missing.retain(|range| !is_its(range));
                Ok(false)
            }
            Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED => {
                Err(KafkaError::denied("READ", message.topic()))
            }
            code => {
                let text = String::from_utf8_lossy(message.value().unwrap_or_default());
                Err(self.context.explain(KafkaError::of(code, &text)))
            }
        }
    }
}
