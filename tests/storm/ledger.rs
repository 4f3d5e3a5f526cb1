//! The reader of the outputs: each message of each partition once, in order, under versions that rise.
//!
//! A message in an output says `OWN MODULE OFFSET`: the numbers of the handler's file and of its
//! module, and the offset of what it copies. It stands in the partition that it copies.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::load::Written;
use crate::support::Probe;

/// Nothing came for so long.
const SILENCE: Duration = Duration::from_secs(60);

/// What one group wrote.
#[derive(Debug, Default)]
pub struct Ledger {
    pub read: u64,
    pub lost: u64,
    pub repeated: u64,
    pub out_of_order: u64,
    /// Messages under a version that is older than one before them in their partition.
    pub older: u64,
    /// When the first message under each number was written, in milliseconds since the epoch: of the
    /// handler's own file, and of its module.
    pub first: [BTreeMap<u32, i64>; 2],
}

#[derive(Debug, Default)]
struct Column {
    seen: Vec<bool>,
    last: Option<u64>,
    versions: [u32; 2],
}

impl Ledger {
    /// Reads all of `topic` and compares it with what was written to the topic that it copies.
    pub fn read(servers: &str, topic: &str, expected: &Written) -> Ledger {
        let mut ledger = Ledger::default();
        let mut columns: Vec<Column> = expected.0.iter().map(|count| Column::new(*count)).collect();
        each(servers, topic, |partition, text, timestamp| {
            ledger.enter(&mut columns[partition as usize], text, timestamp);
        });
        for column in &columns {
            ledger.lost += column.seen.iter().filter(|seen| !**seen).count() as u64;
        }
        ledger
    }

    fn enter(&mut self, column: &mut Column, text: &str, timestamp: i64) {
        let (versions, offset) = parse(text);
        self.read += 1;
        match column.seen.get_mut(offset as usize) {
            Some(seen) if !*seen => *seen = true,
            Some(_) => self.repeated += 1,
            None => panic!("{text:?} copies what was never written"),
        }
        self.out_of_order += u64::from(column.last.is_some_and(|last| offset <= last));
        column.last = Some(offset);
        let older = versions
            .iter()
            .zip(column.versions)
            .any(|(new, old)| *new < old);
        self.older += u64::from(older);
        column.versions = versions;
        for (first, number) in self.first.iter_mut().zip(versions) {
            let first = first.entry(number).or_insert(timestamp);
            *first = timestamp.min(*first);
        }
    }

    /// Lost, repeated, out of order, under an older version.
    pub fn faults(&self) -> [u64; 4] {
        [self.lost, self.repeated, self.out_of_order, self.older]
    }
}

impl Column {
    fn new(count: u64) -> Column {
        Column {
            seen: vec![false; count as usize],
            ..Column::default()
        }
    }
}

fn parse(text: &str) -> ([u32; 2], u64) {
    let mut words = text.split(' ');
    let mut next = || {
        let number = words.next().and_then(|word| word.parse::<u64>().ok());
        number.unwrap_or_else(|| panic!("not what the handlers write: {text:?}"))
    };
    ([next() as u32, next() as u32], next())
}

/// Every message of `topic`, one partition after another or mixed, each partition in order.
fn each(servers: &str, topic: &str, mut entry: impl FnMut(i32, &str, i64)) {
    let mut left = Probe::new(servers).end_offsets(topic);
    left.retain(|_, end| *end > 0);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("client.id", "ledger")
        .set("group.id", "ledger")
        .set("enable.auto.commit", "false")
        .set_log_level(RDKafkaLogLevel::Emerg)
        .create()
        .unwrap_or_else(|error| panic!("a consumer: {error}"));
    let mut from = TopicPartitionList::new();
    for partition in left.keys() {
        from.add_partition_offset(topic, *partition, Offset::Beginning)
            .unwrap_or_else(|error| panic!("{topic}/{partition}: {error}"));
    }
    consumer
        .assign(&from)
        .unwrap_or_else(|error| panic!("can't read {topic}: {error}"));
    let mut last = Instant::now();
    while !left.is_empty() {
        assert!(last.elapsed() < SILENCE, "{topic}: not read: {left:?}");
        let Some(polled) = consumer.poll(Duration::from_millis(200)) else {
            continue;
        };
        last = Instant::now();
        let message = polled.unwrap_or_else(|error| panic!("reading {topic}: {error}"));
        let partition = message.partition();
        let text = std::str::from_utf8(message.payload().unwrap_or_default());
        let timestamp = message.timestamp().to_millis();
        match (text, timestamp) {
            (Ok(text), Some(timestamp)) => entry(partition, text, timestamp),
            other => panic!("{topic}/{partition}@{}: {other:?}", message.offset()),
        }
        if left
            .get(&partition)
            .is_some_and(|end| message.offset() + 1 >= *end)
        {
            left.remove(&partition);
        }
    }
}
