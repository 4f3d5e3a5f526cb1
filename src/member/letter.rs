//! A dead letter: the original message and, in headers, where it came from and why it is here.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::delivery::{Record, provenance};
use crate::diagnostic::Place;
use crate::kafka::{Emitter, Outgoing, SendError};
use crate::script::Failure;

/// What is added to the original headers; [`provenance`] has their names, and reads them.
#[derive(Debug)]
pub(super) struct Letter {
    topic: String,
    headers: Vec<(&'static str, String)>,
}

/// What a member knows of a message that it gives up.
pub(super) struct LastAttempt<'a> {
    pub(super) record: &'a Record,
    /// How many calls were made.
    pub(super) attempts: u32,
    /// `None`: just now.
    pub(super) first_failure: Option<SystemTime>,
    pub(super) failure: &'a Failure,
}

impl Letter {
    pub(super) fn new(
        topic: String,
        last: &LastAttempt<'_>,
        group: &str,
        handler_version: &str,
    ) -> Self {
        let LastAttempt {
            record, failure, ..
        } = last;
        let now = SystemTime::now();
        let first_failure = last.first_failure.unwrap_or(now);
        let mut headers = vec![
            (provenance::TOPIC, record.topic.to_string()),
            (provenance::PARTITION, record.partition.to_string()),
            (provenance::OFFSET, record.offset.to_string()),
            (provenance::GROUP, group.to_owned()),
            (provenance::HANDLER, handler_version.to_owned()),
            (provenance::REASON, failure.reason.clone()),
            (provenance::ATTEMPTS, last.attempts.to_string()),
            (provenance::FIRST_FAILURE, millis(first_failure).to_string()),
            (provenance::LAST_FAILURE, millis(now).to_string()),
        ];
        if let Some(timestamp) = record.timestamp {
            headers.push((provenance::TIMESTAMP, timestamp.to_string()));
        }
        if let Some(Place::File {
            path, line, column, ..
        }) = failure
            .diagnostic
            .as_ref()
            .map(|diagnostic| &diagnostic.place)
        {
            headers.push((provenance::POSITION, format!("{path}:{line}:{column}")));
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
        self.give(record, |outgoing| emitter.send(outgoing, ticket))
    }

    /// Gives it to `send`, with the original message.
    pub(super) fn give<T>(&self, record: &Record, send: impl FnOnce(Outgoing<'_, '_>) -> T) -> T {
        let own = self.headers.iter();
        let own = own.map(|(name, value)| (*name, Some(value.as_bytes())));
        send(Outgoing {
            topic: &self.topic,
            partition: None,
            timestamp: None,
            key: record.key(),
            value: record.value(),
            headers: &mut record.headers().chain(own),
        })
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z, as in Kafka's own timestamps.
fn millis(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH)
        .map(|since| since.as_millis())
        .unwrap_or_default()
}
