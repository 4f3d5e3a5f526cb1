//! A topic's messages, read by nobody's group: [`TopicReader`] commits nothing and joins nothing, so no
//! group sees it. [`last_messages`] for those that are there.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaType;
use tokio::sync::Notify;

use super::context::Context;
use super::error::KafkaError;
use super::inbox::Inbox;
use super::raw::{Client, Message};
use super::{Cluster, settings};
use crate::delivery::Record;

/// One request to the broker.
const REQUEST: Duration = Duration::from_secs(10);
/// How long no message may come while some are missing.
const SILENCE: Duration = Duration::from_secs(30);
/// How long one wait for messages is.
const TURN: Duration = Duration::from_millis(200);
const BATCH: usize = 256;

/// The `last` newest messages of all partitions of `topic`, oldest first: by their time, and within a
/// partition by offset. Fewer where there are fewer. Blocks until they are here.
///
/// # Errors
/// No broker, no such topic, no right to read it, or no message for half a minute.
pub fn last_messages(
    cluster: &Cluster,
    topic: &str,
    last: usize,
) -> Result<Vec<Record>, KafkaError> {
    TopicReader::open(cluster, topic, None, last, false)?.last()
}

/// Reads the end of a topic, and then what comes.
pub struct TopicReader {
    reader: Reader,
    topic: String,
    most: usize,
    missing: Vec<Range>,
    /// The ranges in which the last messages are, all partitions that are read among them.
    ranges: Vec<Range>,
    /// Whether what comes later is kept.
    follow: bool,
    /// Written since it was opened.
    later: VecDeque<Record>,
}

impl TopicReader {
    /// Begins to read the last messages of a topic, or of one partition of it. `follow`: what is written
    /// later is wanted too.
    ///
    /// # Errors
    /// No broker, no such topic or partition, no right to read it.
    pub fn open(
        cluster: &Cluster,
        topic: &str,
        partition: Option<i32>,
        last: usize,
        follow: bool,
    ) -> Result<TopicReader, KafkaError> {
        let reader = Reader::new(cluster)?;
        let ranges = reader.ranges(topic, partition, last)?;
        reader.assign(topic, &ranges)?;
        let missing = ranges.iter().filter(|range| range.first < range.end);
        Ok(TopicReader {
            missing: missing.copied().collect(),
            reader,
            topic: topic.to_owned(),
            most: last,
            ranges,
            follow,
            later: VecDeque::new(),
        })
    }

    /// The last messages that were there when it was opened, oldest first. Blocks until they are here.
    ///
    /// # Errors
    /// No message for half a minute, or the right to read is missing.
    pub fn last(&mut self) -> Result<Vec<Record>, KafkaError> {
        let mut records = Vec::new();
        let mut heard = Instant::now();
        while !self.missing.is_empty() {
            if self.turn(TURN, &mut records)? {
                heard = Instant::now();
            }
            if heard.elapsed() > SILENCE {
                let (topic, seconds) = (&self.topic, SILENCE.as_secs());
                let text = format!("no message of {topic} within {seconds} s");
                let error = KafkaError::new("_TIMED_OUT", text);
                return Err(self.reader.context.explain(error));
            }
        }
        // Stable, so that equal times keep the order of their partition.
        records.sort_by_key(|record: &Record| (record.partition, record.offset));
        records.sort_by_key(|record| record.timestamp);
        records.drain(..records.len().saturating_sub(self.most));
        Ok(records)
    }

    /// The next message that was written after it was opened; `None`: there is none within `wait`. Blocks.
    ///
    /// # Errors
    /// The right to read is missing.
    pub fn next(&mut self, wait: Duration) -> Result<Option<Record>, KafkaError> {
        if self.later.is_empty() {
            self.turn(wait, &mut Vec::new())?;
        }
        Ok(self.later.pop_front())
    }

    /// Takes what comes within `wait`. Whether anything did.
    fn turn(&mut self, wait: Duration, records: &mut Vec<Record>) -> Result<bool, KafkaError> {
        let mut inbox = Inbox::default();
        self.reader
            .queue
            .take_singly(BATCH, wait, &mut inbox.waiting);
        let some = !inbox.is_empty();
        while let Some(message) = inbox.next() {
            self.take(&message, &mut inbox, records)?;
        }
        Ok(some)
    }

    /// Keeps a message, and forgets the ranges that are at their end.
    fn take(
        &mut self,
        message: &Message,
        inbox: &mut Inbox,
        records: &mut Vec<Record>,
    ) -> Result<(), KafkaError> {
        let (partition, offset) = (message.partition(), message.offset());
        match message.code() {
            Code::RD_KAFKA_RESP_ERR_NO_ERROR => {
                let mut record = Record::default();
                inbox.fill(&mut record, message);
                let mut ranges = self.ranges.iter();
                let range = ranges.find(|range| range.partition == partition);
                if range.is_some_and(|range| offset < range.end) {
                    records.push(record);
                } else if self.follow {
                    self.later.push_back(record);
                }
                self.missing
                    .retain(|range| range.partition != partition || offset < range.end - 1);
                Ok(())
            }
            // It asks for the coordinator of a group that is never joined; that may be denied.
            Code::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED => Ok(()),
            Code::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
                self.missing.retain(|range| range.partition != partition);
                Ok(())
            }
            Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED => {
                Err(KafkaError::denied("READ", message.topic()))
            }
            code => {
                let text = String::from_utf8_lossy(message.value().unwrap_or_default());
                let error = KafkaError::of(code, &text);
                Err(self.reader.context.explain(error))
            }
        }
    }
}

/// What of a partition is to be read.
#[derive(Clone, Copy)]
struct Range {
    partition: i32,
    first: i64,
    /// The offset after the last.
    end: i64,
}

struct Reader {
    context: Arc<Context>,
    queue: super::raw::Queue,
    // Last, so that the queue goes before it.
    client: Client,
}

impl Reader {
    fn new(cluster: &Cluster) -> Result<Reader, KafkaError> {
        let name = format!("{}-reader", cluster.instance);
        let context = Context::new(&name, &cluster.servers);
        // A group's name is needed for an assignment, but it is never joined and gets no commit.
        let mut config = settings::admin(cluster, &name, Some(&name));
        // A range may end in what is no message: a transaction's marker, or what was compacted away.
        config.set("enable.partition.eof", "true");
        let client = Client::new(
            RDKafkaType::RD_KAFKA_CONSUMER,
            &config,
            context.clone(),
            false,
        )?;
        Ok(Reader {
            queue: client.consumer_queue(&Arc::new(Notify::new()))?,
            context,
            client,
        })
    }

    /// The last so many offsets of each partition.
    fn ranges(
        &self,
        topic: &str,
        partition: Option<i32>,
        last: usize,
    ) -> Result<Vec<Range>, KafkaError> {
        let explain = |error| self.context.explain(error);
        let topics = self.client.topics(REQUEST).map_err(explain)?;
        let found = topics.iter().find(|found| found.name == topic);
        let found = found.filter(|found| found.partitions > 0).ok_or_else(|| {
            let text =
                format!("the cluster has no topic {topic}, or its ACLs hide it from this client");
            KafkaError::new("UNKNOWN_TOPIC_OR_PART", text)
        })?;
        if let Some(partition) = partition.filter(|one| !(0..found.partitions).contains(one)) {
            let last = found.partitions - 1;
            let text = format!("topic {topic} has no partition {partition}; it has 0 to {last}");
            return Err(KafkaError::new("_UNKNOWN_PARTITION", text));
        }
        let last = i64::try_from(last).unwrap_or(i64::MAX);
        let mut ranges = Vec::new();
        for number in (0..found.partitions).filter(|n| partition.is_none_or(|one| one == *n)) {
            let (first, end) = self
                .client
                .watermarks(topic, number, REQUEST)
                .map_err(explain)?;
            ranges.push(Range {
                partition: number,
                first: first.max(end.saturating_sub(last)),
                end,
            });
        }
        Ok(ranges)
    }

    fn assign(&self, topic: &str, ranges: &[Range]) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::with_capacity(ranges.len());
        for range in ranges {
            list.add_partition_offset(topic, range.partition, Offset::Offset(range.first))?;
        }
        self.client.assign(&list)
    }
}
