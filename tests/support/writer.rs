//! A producer that misses nothing: it waits where its queue is full, and at the end every message
//! must have been acknowledged by all replicas.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use super::silence::Silence;

/// Between two bursts. While a partition waits for an acknowledgement and has more to send, librdkafka's
/// idempotent producer asks itself without a pause whether it may; so an acknowledgement should be faster.
const TICK: Duration = Duration::from_millis(20);

/// For what is left at the end.
const FLUSH: Duration = Duration::from_secs(60);

/// Between two looks whether it gets on.
const LOOK: Duration = Duration::from_secs(1);

/// Bytes as they are sent.
pub type Record<'a> = BaseRecord<'a, str, str>;

/// See the module.
pub struct Writer {
    producer: BaseProducer<Heard>,
    heard: Heard,
    servers: String,
}

impl Writer {
    /// Keys go where Java's client puts them; messages wait `linger` milliseconds for company, and no
    /// message ever times out.
    pub fn new(servers: &str, client_id: &str, linger: u32) -> Writer {
        let heard = Heard::default();
        let producer = ClientConfig::new()
            .set("bootstrap.servers", servers)
            .set("client.id", client_id)
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", "0")
            .set("partitioner", "murmur2_random")
            .set("linger.ms", linger.to_string())
            // The topics bound it.
            .set("message.max.bytes", "10000000")
            .set("queue.buffering.max.messages", "1000000")
            .set("reconnect.backoff.max.ms", "500")
            .set_log_level(RDKafkaLogLevel::Emerg)
            .create_with_context(heard.clone())
            .unwrap_or_else(|error| panic!("a producer: {error}"));
        Writer {
            producer,
            heard,
            servers: servers.to_owned(),
        }
    }

    /// Queues one message, when there is room.
    pub fn send(&self, mut record: Record<'_>) {
        loop {
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    self.producer.poll(TICK);
                    self.look();
                }
                Err((error, record)) => panic!("can't write to {}: {error}", record.topic),
            }
        }
    }

    /// Hears what was acknowledged.
    pub fn poll(&self) {
        self.producer.poll(Duration::ZERO);
        self.look();
    }

    fn look(&self) {
        match self.producer.in_flight_count() {
            0 => self.heard.silence.ends(),
            _ => self
                .heard
                .silence
                .look(self.producer.client(), &self.servers),
        }
    }

    /// Calls `send` for 0, 1, 2, … at `rate` a second until it is told to stop.
    pub fn write_at(&self, rate: u32, stop: &AtomicBool, mut send: impl FnMut(&Self, u64)) {
        let begin = Instant::now();
        let mut count = 0;
        while !stop.load(Ordering::Relaxed) {
            let due = (begin.elapsed().as_secs_f64() * f64::from(rate)) as u64;
            while count < due {
                send(self, count);
                count += 1;
            }
            self.poll();
            std::thread::park_timeout(TICK);
        }
    }

    /// Waits until every message is acknowledged; panics where one is not.
    #[track_caller]
    pub fn finish(self) {
        let begin = Instant::now();
        let flushed = loop {
            match self.producer.flush(LOOK) {
                Err(_) if begin.elapsed() < FLUSH => self.look(),
                flushed => break flushed,
            }
        };
        let failed = self.heard.take_failures();
        assert!(
            flushed.is_ok() && failed.is_empty(),
            "not written: {flushed:?}, {failed:?}"
        );
    }
}

/// The delivery reports.
#[derive(Debug, Clone, Default)]
struct Heard {
    /// Those that were errors.
    failures: Arc<Mutex<Vec<String>>>,
    silence: Arc<Silence>,
}

impl Heard {
    fn take_failures(&self) -> Vec<String> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *failures)
    }
}

impl ClientContext for Heard {}

impl ProducerContext for Heard {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        self.silence.ends();
        if let Err((error, _)) = result {
            let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
            failures.push(error.to_string());
        }
    }
}
