//! The ledger: a reader of the output and of the dead letters that knows nothing of deliveryd.
//!
//! It reads along with `read_committed` and enters, for each message, when it came; what was lost,
//! repeated or out of order in its key, and how long each partition was silent, is read from it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use serde::Deserialize;

use super::load::KEYS;
use super::scene::{PARTITIONS, Topics};
use crate::support::Silence;

/// A fresh reader that gets nothing for so long has read everything.
const LAST: Duration = Duration::from_secs(5);

/// A shorter pause between two messages is none.
const SILENCE: Duration = Duration::from_millis(50);

/// Time since the load's clock began.
pub type Time = Duration;

/// A message as the load wrote it, and what the handler added.
#[derive(Debug, Deserialize)]
struct Entry {
    key: usize,
    seq: u64,
    sent: u64,
    poison: bool,
    /// Where it came from; not in a dead letter.
    partition: Option<i32>,
    offset: Option<i64>,
}

/// A copy of a message that had been copied already.
#[derive(Clone, Copy)]
pub struct Repeat {
    pub came: Time,
    pub partition: i32,
    pub offset: i64,
    /// Where the copy is.
    at: Place,
}

/// A partition of the output, or the dead letters' with their number, and an offset.
type Place = (usize, i64);

/// The dead letters' partition as a [`Place`] has it.
const DEAD: usize = PARTITIONS as usize;

impl std::fmt::Debug for Repeat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Repeat {
            came,
            partition,
            offset,
            at: (out, copy),
        } = self;
        write!(f, "{partition}@{offset} again as {out}@{copy} at {came:?}")
    }
}

/// From one message of a partition to its next.
#[derive(Debug, Clone, Copy)]
pub struct Gap {
    /// `None`: of the whole output.
    pub partition: Option<i32>,
    pub from: Time,
    pub to: Time,
}

impl Gap {
    pub fn length(&self) -> Duration {
        self.to - self.from
    }
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Pages {
    keys: Vec<Key>,
    last: Vec<Option<Time>>,
    /// The offset that was read last, of each partition of the output and of the dead letters.
    read: Vec<i64>,
    /// When each message was sent and how long it took, in microseconds.
    pub latencies: Vec<(u64, u32)>,
    pub gaps: Vec<Gap>,
    pub repeats: Vec<Repeat>,
    /// When a message came for the first time after a later one of its key.
    pub out_of_order: Vec<Time>,
    pub dead: u64,
    /// Poison in the output, or anything else among the dead letters.
    pub misplaced: Vec<String>,
}

#[derive(Debug, Default, Clone)]
struct Key {
    /// A bit for each number.
    seen: Vec<u64>,
    /// All before this are there.
    complete: u64,
    highest: Option<u64>,
}

impl Key {
    /// Whether it is there for the first time.
    fn enter(&mut self, seq: u64) -> bool {
        let (word, bit) = ((seq / 64) as usize, 1 << (seq % 64));
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        let first = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        while self.has(self.complete) {
            self.complete += 1;
        }
        first
    }

    fn has(&self, seq: u64) -> bool {
        let word = self.seen.get((seq / 64) as usize);
        word.is_some_and(|word| word & (1 << (seq % 64)) != 0)
    }
}

/// See the module.
pub struct Ledger {
    pages: Arc<Mutex<Pages>>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Ledger {
    /// Begins to read.
    pub fn open(servers: &str, topics: &Topics, epoch: Instant) -> Ledger {
        let pages = Pages {
            keys: vec![Key::default(); KEYS],
            last: vec![None; PARTITIONS as usize + 1],
            read: vec![-1; DEAD + 1],
            ..Pages::default()
        };
        let pages = Arc::new(Mutex::new(pages));
        let stop = Arc::new(AtomicBool::new(false));
        let reader = Reader {
            consumer: consumer(servers, topics),
            servers: servers.to_owned(),
            silence: Silence::default(),
            out: topics.out.clone(),
            epoch,
            pages: pages.clone(),
        };
        let told = stop.clone();
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                reader.turn();
            }
        });
        Ledger {
            pages,
            stop,
            thread,
        }
    }

    pub fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn close(self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.join().is_err() {
            panic!("the ledger's reader ended by a panic");
        }
    }
}

impl Pages {
    /// How many of the first `written` messages of each key are not there.
    pub fn missing(&self, written: &[u64]) -> u64 {
        let missing = |(key, written): (&Key, &u64)| -> u64 {
            let left = key.complete.min(*written)..*written;
            left.filter(|seq| !key.has(*seq)).count() as u64
        };
        self.keys.iter().zip(written).map(missing).sum()
    }

    /// Whether it has not been read yet: what the reader's client hands out twice is no repetition.
    fn is_new(&mut self, (partition, offset): Place) -> bool {
        let last = &mut self.read[partition];
        let new = *last < offset;
        *last = offset.max(*last);
        new
    }

    /// Enters a copy; the handler took it from `partition` at `offset`.
    fn copied(&mut self, entry: &Entry, came: Time, partition: i32, offset: i64, at: Place) {
        if entry.poison {
            self.misplaced.push(format!("poison copied: {entry:?}"));
        }
        let key = &mut self.keys[entry.key];
        if key.enter(entry.seq) {
            if key.highest.is_some_and(|highest| entry.seq < highest) {
                self.out_of_order.push(came);
            }
            key.highest = key.highest.max(Some(entry.seq));
            let took = came.as_micros() as u64 - entry.sent;
            self.latencies.push((entry.sent, took as u32));
        } else {
            self.repeats.push(Repeat {
                came,
                partition,
                offset,
                at,
            });
        }
        self.heard(partition as usize, Some(partition), came);
        self.heard(PARTITIONS as usize, None, came);
    }

    fn heard(&mut self, slot: usize, partition: Option<i32>, to: Time) {
        if let Some(from) = self.last[slot].replace(to)
            && to - from > SILENCE
        {
            self.gaps.push(Gap {
                partition,
                from,
                to,
            });
        }
    }

    /// Enters a dead letter; the message was read from `partition` at `offset`.
    fn buried(&mut self, entry: &Entry, came: Time, partition: i32, offset: i64, at: Place) {
        if !entry.poison {
            self.misplaced
                .push(format!("dead, and not poison: {entry:?}"));
        }
        if self.keys[entry.key].enter(entry.seq) {
            self.dead += 1;
        } else {
            self.repeats.push(Repeat {
                came,
                partition,
                offset,
                at,
            });
        }
    }
}

/// Where a fresh reader finds the copies of what came again, to tell a second copy from one that was
/// aborted and that the ledger's client handed out all the same.
pub fn found_anew(servers: &str, topics: &Topics, repeats: &[Repeat]) -> Vec<String> {
    let mut found: BTreeMap<(i32, i64), Vec<Place>> = repeats
        .iter()
        .map(|repeat| ((repeat.partition, repeat.offset), Vec::new()))
        .collect();
    let consumer = consumer(servers, topics);
    while let Some(message) = consumer.poll(LAST) {
        let Ok(message) = message else { continue };
        let entry: Option<Entry> =
            serde_json::from_slice(message.payload().unwrap_or_default()).ok();
        let from = entry.and_then(|entry| entry.partition.zip(entry.offset));
        if let Some(places) = from.and_then(|from| found.get_mut(&from)) {
            places.push((message.partition() as usize, message.offset()));
        }
    }
    let told = found.iter().map(|((partition, offset), places)| {
        let places = places.iter().map(|(out, copy)| format!("{out}@{copy}"));
        let places: Vec<String> = places.collect();
        format!("{partition}@{offset}: a fresh reader finds {places:?}")
    });
    told.collect()
}

struct Reader {
    consumer: BaseConsumer,
    servers: String,
    silence: Silence,
    out: String,
    epoch: Instant,
    pages: Arc<Mutex<Pages>>,
}

impl Reader {
    fn turn(&self) {
        // The client tells of a broker that is down and reads on.
        let Some(Ok(message)) = self.consumer.poll(Duration::from_millis(100)) else {
            self.silence.look(self.consumer.client(), &self.servers);
            return;
        };
        self.silence.ends();
        let came = self.epoch.elapsed();
        let entry: Entry = serde_json::from_slice(message.payload().unwrap_or_default())
            .unwrap_or_else(|error| panic!("{error} in {:?}", message.payload_view::<str>()));
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let copied = message.topic() == self.out;
        let from = if copied {
            message.partition() as usize
        } else {
            DEAD
        };
        let at = (from, message.offset());
        if !pages.is_new(at) {
            return;
        }
        match (entry.partition, entry.offset) {
            (Some(partition), Some(offset)) if copied => {
                pages.copied(&entry, came, partition, offset, at);
            }
            _ => {
                let [partition, offset] =
                    ["deliveryd-partition", "deliveryd-offset"].map(|name| number(&message, name));
                pages.buried(&entry, came, partition as i32, offset, at);
            }
        }
    }
}

/// A number in a header of a dead letter.
fn number(message: &BorrowedMessage<'_>, name: &str) -> i64 {
    let headers = message.headers().into_iter().flat_map(|all| all.iter());
    let values = headers.filter(|header| header.key == name);
    let text = values.last().and_then(|header| header.value);
    let text = text.and_then(|text| std::str::from_utf8(text).ok());
    text.and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("a dead letter without {name}: {message:?}"))
}

fn consumer(servers: &str, topics: &Topics) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("client.id", "ledger")
        .set("group.id", "ledger")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        // Not a request for every message: the brokers have other work.
        .set("fetch.min.bytes", "100000")
        .set("fetch.wait.max.ms", "10")
        .set("fetch.error.backoff.ms", "20")
        .set("reconnect.backoff.max.ms", "200")
        .set_log_level(RDKafkaLogLevel::Emerg)
        .create()
        .unwrap_or_else(|error| panic!("a consumer: {error}"));
    let mut from = TopicPartitionList::new();
    let outputs = (0..PARTITIONS).map(|partition| (&topics.out, partition));
    for (topic, partition) in outputs.chain([(&topics.dead, 0)]) {
        from.add_partition_offset(topic, partition, Offset::Beginning)
            .unwrap_or_else(|error| panic!("{topic}/{partition}: {error}"));
    }
    consumer
        .assign(&from)
        .unwrap_or_else(|error| panic!("can't read the output: {error}"));
    consumer
}
