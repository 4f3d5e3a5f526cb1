//! Latency: from the producer's clock, its linger included, through a copying step, to a reader.
//!
//! Producer and reader are this process, so both times come from one clock.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use crate::bare::Kind;
use crate::contender::{COPY, Ground};
use crate::records;
use crate::support::unique;

/// Messages a second.
const RATE: f64 = 2000.0;

/// The producer's, included in what is measured.
const LINGER: &str = "5";

/// At the beginning, not counted: connections are made and code is warmed up.
const WARM_UP: Duration = Duration::from_secs(2);

/// What came out, in milliseconds.
pub struct Latency {
    name: &'static str,
    messages: usize,
    p50: f64,
    p99: f64,
    at_most: Option<(f64, f64)>,
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Latency {
            name,
            messages,
            p50,
            p99,
            at_most,
        } = self;
        write!(
            f,
            "latency at {RATE:.0}/s, {LINGER} ms linger, {name}: p50 {p50:.1} ms, p99 {p99:.1} ms"
        )?;
        if let Some((most50, most99)) = at_most {
            let mark = if p50 > most50 || p99 > most99 {
                '✗'
            } else {
                '✓'
            };
            write!(f, ", at most {most50:.0} and {most99:.0} {mark}")?;
        }
        write!(f, " ({messages} messages)")
    }
}

/// A bare loop that copies, and deliveryd with a handler that does.
pub fn compare(ground: &Ground<'_>, time: Duration) -> Vec<Latency> {
    let mut results = Vec::new();
    if time.is_zero() {
        return results;
    }
    let (input, output) = topics(ground);
    let copying = ground.spawn_bare(Kind::Copy, &input, 0, &output);
    results.push(measure(ground, "bare loop", None, &input, &output, time));
    drop(copying);
    if ground.has_deliveryd() {
        let (input, output) = topics(ground);
        let daemon = ground.start_deliveryd(
            &unique("copy"),
            &input,
            &output,
            COPY,
            "start = \"earliest\"\n",
        );
        let bounds = Some((8.0, 12.0));
        results.push(measure(ground, "deliveryd", bounds, &input, &output, time));
        drop(daemon);
    }
    results
}

fn topics(ground: &Ground<'_>) -> (String, String) {
    let (input, output) = (unique("sent"), unique("copied"));
    ground.probe.create_topic(&input, 2);
    ground.probe.create_topic(&output, 2);
    (input, output)
}

fn measure(
    ground: &Ground<'_>,
    name: &'static str,
    at_most: Option<(f64, f64)>,
    input: &str,
    output: &str,
    time: Duration,
) -> Latency {
    let begin = Instant::now();
    let sending = AtomicBool::new(true);
    let mut delays = std::thread::scope(|scope| {
        let reader = scope.spawn(|| read(ground, output, begin, &sending));
        send(ground, input, begin, time + WARM_UP);
        sending.store(false, Ordering::Release);
        match reader.join() {
            Ok(delays) => delays,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    });
    assert!(!delays.is_empty(), "{name} copied nothing");
    delays.sort_by(f64::total_cmp);
    let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize];
    Latency {
        name,
        messages: delays.len(),
        p50: at(0.50),
        p99: at(0.99),
        at_most,
    }
}

/// Sends at an even pace; each value begins with the nanoseconds since `begin`.
fn send(ground: &Ground<'_>, topic: &str, begin: Instant, time: Duration) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &ground.servers)
        .set("linger.ms", LINGER)
        .create()
        .unwrap_or_else(|error| panic!("a producer: {error}"));
    let count = (time.as_secs_f64() * RATE) as u64;
    for n in 0..count {
        let due = Duration::from_secs_f64(n as f64 / RATE);
        while let Some(early) = due.checked_sub(begin.elapsed()) {
            std::thread::park_timeout(early);
        }
        let filler = records::record(n);
        let value = format!("{:020} {filler}", begin.elapsed().as_nanos());
        let key = format!("k-{}", n % 1000);
        let record = BaseRecord::to(topic).key(&key).payload(&value);
        if let Err((error, _)) = producer.send(record) {
            panic!("can't write to {topic}: {error}");
        }
        producer.poll(Duration::ZERO);
    }
    let flushed = producer.flush(Duration::from_secs(10));
    flushed.unwrap_or_else(|error| panic!("can't write to {topic}: {error}"));
}

/// Milliseconds of each message from its own clock to here, after the warm-up.
fn read(ground: &Ground<'_>, topic: &str, begin: Instant, sending: &AtomicBool) -> Vec<f64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &ground.servers)
        .set("group.id", "latency")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap_or_else(|error| panic!("a consumer: {error}"));
    let mut from = TopicPartitionList::new();
    for partition in 0..2 {
        from.add_partition_offset(topic, partition, Offset::Beginning)
            .unwrap_or_else(|error| panic!("{topic}: {error}"));
    }
    consumer
        .assign(&from)
        .unwrap_or_else(|error| panic!("can't read {topic}: {error}"));
    let mut delays = Vec::new();
    loop {
        // The last messages arrive after sending has ended; half a second of silence is the end.
        let Some(polled) = consumer.poll(Duration::from_millis(500)) else {
            if sending.load(Ordering::Acquire) {
                continue;
            }
            return delays;
        };
        let now = begin.elapsed();
        let message = polled.unwrap_or_else(|error| panic!("can't read {topic}: {error}"));
        let stamp = message.payload().and_then(|value| value.get(..20));
        let stamp = stamp.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        let sent = stamp.unwrap_or_else(|| panic!("a message without its time in {topic}"));
        if Duration::from_nanos(sent) > WARM_UP {
            delays.push((now.saturating_sub(Duration::from_nanos(sent))).as_secs_f64() * 1e3);
        }
    }
}
