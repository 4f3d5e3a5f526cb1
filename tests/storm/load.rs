//! The load: a producer of the test's own that writes at a steady rate and counts by partition.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use crate::support::Settings;

/// Between two bursts.
const TICK: Duration = Duration::from_millis(5);

/// A broker that is good for the long form's rate.
pub fn broker() -> Settings {
    let jvm = &["-Xms256m", "-Xmx1g", "-XX:+UseSerialGC", "-XX:-UsePerfData"];
    // On a busy machine its own controller would shut it out; other tests are about that.
    Settings::kraft(1)
        .jvm(jvm)
        .with("broker.session.timeout.ms", "60000")
}

/// A topic that is written to.
#[derive(Debug, Clone, Copy)]
pub struct Input {
    pub topic: &'static str,
    pub partitions: i32,
    /// It gets one of so many messages.
    pub one_of: u32,
}

/// What was written to one topic: messages by partition.
#[derive(Debug, Clone)]
pub struct Written(pub Vec<u64>);

impl Written {
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// Writes until it is told to stop.
pub struct Load {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Written>>,
}

impl Load {
    /// `rate` is for the first topic; the others get their share beside it.
    pub fn start(servers: &str, inputs: Vec<Input>, rate: u32) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let (told, servers) = (stop.clone(), servers.to_owned());
        let thread = std::thread::spawn(move || write(&servers, &inputs, rate, &told));
        Load { stop, thread }
    }

    /// Ends it and says what was written and acknowledged.
    pub fn stop(self) -> Vec<Written> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.join() {
            Ok(written) => written,
            Err(_) => panic!("the load ended by a panic"),
        }
    }
}

fn write(servers: &str, inputs: &[Input], rate: u32, stop: &AtomicBool) -> Vec<Written> {
    let failures = Failures::default();
    let producer: BaseProducer<Failures> = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("client.id", "load")
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .set("queue.buffering.max.messages", "1000000")
        .set_log_level(RDKafkaLogLevel::Emerg)
        .create_with_context(failures.clone())
        .unwrap_or_else(|error| panic!("a producer: {error}"));
    let mut written: Vec<Written> = inputs
        .iter()
        .map(|input| Written(vec![0; input.partitions as usize]))
        .collect();
    let begin = Instant::now();
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        let due = (begin.elapsed().as_secs_f64() * f64::from(rate)) as u64;
        while count < due {
            for (input, written) in inputs.iter().zip(&mut written) {
                if count.is_multiple_of(u64::from(input.one_of)) {
                    send(&producer, input, written, count / u64::from(input.one_of));
                }
            }
            count += 1;
        }
        producer.poll(Duration::ZERO);
        std::thread::park_timeout(TICK);
    }
    let flushed = producer.flush(Duration::from_secs(60));
    let failed = failures.0.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(
        flushed.is_ok() && failed.is_empty(),
        "the load: {flushed:?}, {failed:?}"
    );
    written
}

fn send(producer: &BaseProducer<Failures>, input: &Input, written: &mut Written, n: u64) {
    let partition = n % input.partitions as u64;
    let (key, value) = (format!("k{}", n % 97), format!("message {n}"));
    let mut record = BaseRecord::to(input.topic)
        .partition(partition as i32)
        .key(&key)
        .payload(&value);
    loop {
        match producer.send(record) {
            Ok(()) => break,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                producer.poll(TICK);
            }
            Err((error, _)) => panic!("can't write to {}: {error}", input.topic),
        }
    }
    written.0[partition as usize] += 1;
}

/// What the broker did not take.
#[derive(Debug, Clone, Default)]
struct Failures(Arc<Mutex<Vec<String>>>);

impl ClientContext for Failures {}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        if let Err((error, _)) = result {
            let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            failures.push(error.to_string());
        }
    }
}
