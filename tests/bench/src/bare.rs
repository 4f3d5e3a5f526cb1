//! The floor: what the same work costs with nothing but the client library.
//!
//! Each loop is a process of its own. It says `ready` before the first message, `done SECONDS` (from
//! the first message on) after the last, and then waits for the end of its input, so that its CPU
//! time and memory can still be looked at.

use std::io::Read;
use std::str::FromStr;
use std::time::{Duration, Instant};

use rdkafka::config::{ClientConfig, FromClientConfig};
use rdkafka::consumer::{BaseConsumer, Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::records::Delivery;

/// Which loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `BaseConsumer::poll`.
    Base,
    /// `StreamConsumer::recv`.
    Stream,
    /// Poll, parse into typed structs, total over an array, set a field, produce.
    Enrich,
    /// Poll and produce, until its input ends; for latency.
    Copy,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Base => "base",
            Kind::Stream => "stream",
            Kind::Enrich => "enrich",
            Kind::Copy => "copy",
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Kind, String> {
        let all = [Kind::Base, Kind::Stream, Kind::Enrich, Kind::Copy];
        let found = all.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| format!("there is no loop {name}"))
    }
}

/// A child process's task.
#[derive(Debug)]
pub struct Child {
    pub kind: Kind,
    pub servers: String,
    pub input: String,
    pub messages: u64,
    pub output: String,
}

/// Runs the loop and reports on standard output.
pub fn run(child: &Child) {
    let took = match child.kind {
        Kind::Base => base(child),
        Kind::Stream => stream(child),
        Kind::Enrich => enrich(child),
        Kind::Copy => copy(child),
    };
    println!("done {}", took.as_secs_f64());
    wait_for_end_of_input();
}

fn base(child: &Child) -> Duration {
    let consumer: BaseConsumer = consumer(child);
    let mut count = Count::new(child.messages);
    while count.goes_on() {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            std::hint::black_box(read(&message).payload());
            count.one();
        }
    }
    count.took()
}

fn stream(child: &Child) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap_or_else(|error| panic!("a runtime: {error}"));
    runtime.block_on(async {
        let consumer: StreamConsumer = consumer(child);
        let mut count = Count::new(child.messages);
        while count.goes_on() {
            std::hint::black_box(read(&consumer.recv().await).payload());
            count.one();
        }
        count.took()
    })
}

fn enrich(child: &Child) -> Duration {
    let consumer: BaseConsumer = consumer(child);
    let producer = producer(child);
    let mut count = Count::new(child.messages);
    let mut text = Vec::new();
    while count.goes_on() {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else {
            continue;
        };
        let message = read(&message);
        let payload = message.payload().unwrap_or_default();
        let mut delivery: Delivery = serde_json::from_slice(payload)
            .unwrap_or_else(|error| panic!("not a delivery: {error}"));
        let items = delivery.items.iter();
        delivery.total = Some(items.map(|item| item.quantity * item.price).sum());
        text.clear();
        serde_json::to_writer(&mut text, &delivery).unwrap_or_else(|error| panic!("{error}"));
        send(&producer, &child.output, message.key(), &text);
        count.one();
    }
    let flushed = producer.flush(Duration::from_secs(60));
    flushed.unwrap_or_else(|error| panic!("can't write: {error}"));
    count.took()
}

fn copy(child: &Child) -> Duration {
    let consumer: BaseConsumer = consumer(child);
    let producer = producer(child);
    std::thread::spawn(|| {
        wait_for_end_of_input();
        std::process::exit(0);
    });
    loop {
        if let Some(message) = consumer.poll(Duration::from_millis(1)) {
            let message = read(&message);
            let payload = message.payload().unwrap_or_default();
            send(&producer, &child.output, message.key(), payload);
        }
        producer.poll(Duration::ZERO);
    }
}

/// A fresh group at the beginning of the input; says `ready` when it has subscribed.
fn consumer<C: Consumer + FromClientConfig>(child: &Child) -> C {
    let group = format!("bare-{}-{}", child.kind.name(), std::process::id());
    let consumer: C = ClientConfig::new()
        .set("bootstrap.servers", &child.servers)
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap_or_else(|error| panic!("a consumer: {error}"));
    consumer
        .subscribe(&[&child.input])
        .unwrap_or_else(|error| panic!("can't subscribe: {error}"));
    println!("ready");
    consumer
}

/// With the settings that deliveryd's promises need, too.
fn producer(child: &Child) -> BaseProducer {
    ClientConfig::new()
        .set("bootstrap.servers", &child.servers)
        .set("enable.idempotence", "true")
        .set("partitioner", "murmur2_random")
        .set(
            "linger.ms",
            if child.kind == Kind::Copy { "0" } else { "5" },
        )
        .create()
        .unwrap_or_else(|error| panic!("a producer: {error}"))
}

fn send(producer: &BaseProducer, topic: &str, key: Option<&[u8]>, value: &[u8]) {
    let mut record = BaseRecord::<[u8], [u8]>::to(topic).payload(value);
    record.key = key;
    while let Err((error, back)) = producer.send(record) {
        let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
        assert!(error == full, "can't write to {topic}: {error}");
        producer.poll(Duration::from_millis(1));
        record = back;
    }
}

fn read<M>(polled: &Result<M, KafkaError>) -> &M {
    match polled {
        Ok(message) => message,
        Err(error) => panic!("can't read: {error}"),
    }
}

fn wait_for_end_of_input() {
    let mut rest = Vec::new();
    if let Err(error) = std::io::stdin().read_to_end(&mut rest) {
        eprintln!("standard input: {error}");
    }
}

/// Counts up to a number, from the first message's time.
struct Count {
    left: u64,
    begin: Option<Instant>,
}

impl Count {
    fn new(messages: u64) -> Count {
        Count {
            left: messages,
            begin: None,
        }
    }

    fn goes_on(&self) -> bool {
        self.left > 0
    }

    fn one(&mut self) {
        if self.begin.is_none() {
            self.begin = Some(Instant::now());
        }
        self.left -= 1;
    }

    fn took(&self) -> Duration {
        self.begin.map(|begin| begin.elapsed()).unwrap_or_default()
    }
}
