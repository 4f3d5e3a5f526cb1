//! What member's emitters and the shared sender have in common: an idempotent producer whose delivery
//! reports are fetched, not called back with.
//!
//! `send` queues, `reports` takes what the broker answered. A report names its message by the ticket
//! that was given with it, so nothing is allocated or counted for a message on its way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use rdkafka::types::RDKafkaType;
use tokio::sync::Notify;

use super::context::{Context, lock};
use super::error::KafkaError;
use super::raw::{Client, Headers, Produce, Queue, Topic};
use super::{Outgoing, SendError};

pub(super) struct Producing {
    topics: Mutex<Topics>,
    reports: Queue,
    context: Arc<Context>,
    // Last, so that queues and topics go before it.
    client: Client,
}

/// librdkafka's handles of the topics sent to; the last one is at hand.
#[derive(Default)]
struct Topics {
    last: Option<(String, Arc<Topic>)>,
    all: HashMap<String, Arc<Topic>>,
}

/// The partition that asks librdkafka to choose one.
const UNASSIGNED: i32 = -1;

impl Producing {
    pub fn new(
        config: &rdkafka::ClientConfig,
        context: Arc<Context>,
        wake: Option<&Arc<Notify>>,
    ) -> Result<Producing, KafkaError> {
        let kind = RDKafkaType::RD_KAFKA_PRODUCER;
        let client = Client::new(kind, config, context.clone(), true)?;
        Ok(Producing {
            topics: Mutex::default(),
            reports: client.main_queue(wake)?,
            context,
            client,
        })
    }

    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Queues one message.
    pub fn send(&self, outgoing: Outgoing<'_, '_>, ticket: usize) -> Result<(), SendError> {
        let topic = self.topic(outgoing.topic).map_err(SendError::Refused)?;
        let mut headers: Option<Headers> = None;
        for (name, value) in outgoing.headers {
            headers.get_or_insert_with(Headers::new).add(name, value);
        }
        let message = Produce {
            partition: outgoing.partition.unwrap_or(UNASSIGNED),
            timestamp: outgoing.timestamp,
            key: outgoing.key,
            value: outgoing.value,
            headers,
            ticket,
        };
        match self.client.produce(&topic, message) {
            Ok(()) => Ok(()),
            // With nothing under way there is nothing to wait for: it does not fit at all.
            Err(Code::RD_KAFKA_RESP_ERR__QUEUE_FULL) if self.client.unfinished() == 0 => {
                Err(SendError::Refused(KafkaError::of(
                    Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
                    "it does not fit into the `buffer`",
                )))
            }
            Err(Code::RD_KAFKA_RESP_ERR__QUEUE_FULL) => Err(SendError::Full),
            Err(code) => Err(SendError::Refused(self.error(code, outgoing.topic))),
        }
    }

    fn topic(&self, name: &str) -> Result<Arc<Topic>, KafkaError> {
        let topics = &mut *lock(&self.topics);
        match &topics.last {
            Some((last, topic)) if last == name => return Ok(topic.clone()),
            _ => {}
        }
        let topic = match topics.all.get(name) {
            Some(topic) => topic.clone(),
            None => {
                let topic = Arc::new(self.client.topic(name)?);
                topics.all.insert(name.to_owned(), topic.clone());
                topic
            }
        };
        topics.last = Some((name.to_owned(), topic.clone()));
        Ok(topic)
    }

    /// Gives each report that is there, or arrives within `wait`, to `take`: ticket and error.
    /// Whether there was anything.
    pub fn reports(&self, wait: Duration, mut take: impl FnMut(u64, Option<KafkaError>)) -> bool {
        let Some(event) = self.reports.event(wait) else {
            return false;
        };
        if let Some((code, reason)) = event.error() {
            let fatal = self.client.fatal_error().map(|error| (code, error.message));
            self.context.error(code, &reason, fatal);
            return true;
        }
        if let Some(json) = event.statistics() {
            self.context.note_statistics(json);
            return true;
        }
        event.deliveries(|ticket, code, topic| {
            let fine = code == Code::RD_KAFKA_RESP_ERR_NO_ERROR;
            take(ticket, (!fine).then(|| self.error(code, &topic())));
        });
        true
    }

    /// Whether there may be reports; if so, take them until there are none.
    pub fn told(&self) -> bool {
        self.reports.told()
    }

    /// A fatal error of an idempotent producer is the cause of every other one after it.
    fn error(&self, code: Code, detail: &str) -> KafkaError {
        match self.client.fatal_error() {
            Some(fatal) => fatal,
            None if code == Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED => {
                KafkaError::denied("WRITE", detail)
            }
            None => KafkaError::of(code, detail),
        }
    }

    /// Whether it can send nothing any more.
    pub fn is_broken(&self) -> bool {
        self.client.fatal_error().is_some()
    }

    pub fn unfinished(&self) -> usize {
        self.client.unfinished()
    }

    /// Sends what is queued and gives the reports to `take` until all are there or the time is up.
    pub fn flush(
        &self,
        timeout: Duration,
        mut take: impl FnMut(u64, Option<KafkaError>),
    ) -> Result<(), KafkaError> {
        let deadline = Instant::now() + timeout;
        self.client.hurry();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let some = self.reports(left.min(Duration::from_millis(20)), &mut take);
            let unfinished = self.client.unfinished();
            if unfinished == 0 {
                return Ok(());
            }
            if !some && left.is_zero() {
                let error = KafkaError::of(Code::RD_KAFKA_RESP_ERR__TIMED_OUT, "");
                return Err(self.context.explain(error).while_trying(&format!(
                    "{unfinished} messages are not acknowledged after {timeout:?}"
                )));
            }
        }
    }
}

impl Drop for Producing {
    /// Gives up what is unacknowledged, so that freeing the client does not wait for it.
    fn drop(&mut self) {
        if self.client.unfinished() > 0 {
            self.client.purge();
        }
    }
}
