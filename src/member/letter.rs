//! A dead letter: the original message and, in headers, where it came from and why it is here.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::delivery::{Delivery, Record};
use crate::diagnostic::Place;
use crate::kafka::{Emitter, Outgoing, SendError};
use crate::script::Failure;

/// What is added to the original headers. The names are the interface that `dlq` reads.
#[derive(Debug)]
pub(super) struct Letter {
    topic: String,
    headers: Vec<(&'static str, String)>,
}

impl Letter {
    pub(super) fn new(
        topic: String,
        delivery: &Delivery,
        failure: &Failure,
        group: &str,
        handler_version: &str,
    ) -> Self {
        let record = delivery.record();
        let now = SystemTime::now();
        let mut headers = vec![
            ("deliveryd-topic", record.topic.to_string()),
            ("deliveryd-partition", record.partition.to_string()),
            ("deliveryd-offset", record.offset.to_string()),
            ("deliveryd-group", group.to_owned()),
            ("deliveryd-handler", handler_version.to_owned()),
            ("deliveryd-reason", failure.reason.clone()),
            ("deliveryd-attempts", delivery.attempt().to_string()),
            (
                "deliveryd-first-failure",
                millis(delivery.first_failure().unwrap_or(now)).to_string(),
            ),
            ("deliveryd-last-failure", millis(now).to_string()),
        ];
        if let Some(timestamp) = record.timestamp {
            headers.push(("deliveryd-timestamp", timestamp.to_string()));
        }
        if let Some(Place::File {
            path, line, column, ..
        }) = failure
            .diagnostic
            .as_ref()
            .map(|diagnostic| &diagnostic.place)
        {
            headers.push(("deliveryd-position", format!("{path}:{line}:{column}")));
        }
        Self { topic, headers }
    }

    /// Queues it: the original message, with where it came from and why it is here.
    pub(super) fn send(
        &self,
        emitter: &Emitter,
        record: &Record,
        ticket: u64,
    ) -> Result<(), SendError> {
        let own = self.headers.iter();
        let own = own.map(|(name, value)| (*name, Some(value.as_bytes())));
        let outgoing = Outgoing {
            topic: &self.topic,
            partition: None,
            timestamp: None,
            key: record.key(),
            value: record.value(),
            headers: &mut record.headers().chain(own),
        };
        emitter.send(outgoing, ticket)
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z, as in Kafka's own timestamps.
fn millis(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH)
        .map(|since| since.as_millis())
        .unwrap_or_default()
}
