//! The probe reads a topic from its beginning to its end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Headers, Message as _};
use rdkafka::{Offset, TopicPartitionList};

use super::{ANSWER, Message, Probe};
use crate::support::wait_for;

impl Probe {
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
        wait_for(&what, deadline, || {
            let found: i64 = self.end_offsets(topic).values().sum();
            match found >= count as i64 {
                true => Ok(()),
                false => Err(format!("{found} messages")),
            }
        });
        self.read_all(topic)
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

/// Whether the client only says that a broker is not there now.
fn is_outage(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::AllBrokersDown)
    )
}
