//! The last messages of a topic, read by nobody's group: [`last_messages`] commits nothing and joins
//! nothing, so no group sees it.

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
    let reader = Reader::new(cluster)?;
    let mut missing = reader.ranges(topic, last)?;
    let mut records = Vec::new();
    reader.assign(topic, &missing)?;
    let mut heard = Instant::now();
    while !missing.is_empty() {
        let mut inbox = Inbox::default();
        reader.queue.take::<BATCH>(BATCH, TURN, &mut inbox.waiting);
        if !inbox.is_empty() {
            heard = Instant::now();
        }
        while let Some(message) = inbox.next() {
            reader.take(&message, &mut inbox, &mut missing, &mut records)?;
        }
        if heard.elapsed() > SILENCE {
            let text = format!("no message of {topic} within {} s", SILENCE.as_secs());
            return Err(reader.context.explain(KafkaError::new("_TIMED_OUT", text)));
        }
    }
    // Stable, so that equal times keep the order of their partition.
    records.sort_by_key(|record: &Record| (record.partition, record.offset));
    records.sort_by_key(|record| record.timestamp);
    records.drain(..records.len().saturating_sub(last));
    Ok(records)
}

/// What of a partition is to be read.
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

    /// The last so many offsets of each partition; of those that have any.
    fn ranges(&self, topic: &str, last: usize) -> Result<Vec<Range>, KafkaError> {
        let explain = |error| self.context.explain(error);
        let topics = self.client.topics(REQUEST).map_err(explain)?;
        let found = topics.iter().find(|found| found.name == topic);
        let found = found.filter(|found| found.partitions > 0).ok_or_else(|| {
            let text = format!("the cluster has no topic {topic}");
            KafkaError::new("UNKNOWN_TOPIC_OR_PART", text)
        })?;
        let last = i64::try_from(last).unwrap_or(i64::MAX);
        let mut ranges = Vec::new();
        for partition in 0..found.partitions {
            let (first, end) = self
                .client
                .watermarks(topic, partition, REQUEST)
                .map_err(explain)?;
            let first = first.max(end.saturating_sub(last));
            if first < end {
                ranges.push(Range {
                    partition,
                    first,
                    end,
                });
            }
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

    /// Keeps a message that is in its range, and forgets the ranges that are at their end.
    fn take(
        &self,
        message: &Message,
        inbox: &mut Inbox,
        missing: &mut Vec<Range>,
        records: &mut Vec<Record>,
    ) -> Result<(), KafkaError> {
        let (partition, offset) = (message.partition(), message.offset());
        match message.code() {
            Code::RD_KAFKA_RESP_ERR_NO_ERROR => {
                let range = missing.iter().find(|range| range.partition == partition);
                if range.is_some_and(|range| offset < range.end) {
                    let mut record = Record::default();
                    inbox.fill(&mut record, message);
                    records.push(record);
                }
                missing.retain(|range| range.partition != partition || offset < range.end - 1);
                Ok(())
            }
            Code::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
                missing.retain(|range| range.partition != partition);
                Ok(())
            }
            code => {
                let text = String::from_utf8_lossy(message.value().unwrap_or_default());
                Err(self.context.explain(KafkaError::of(code, &text)))
            }
        }
    }
}
