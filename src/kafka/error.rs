//! Errors in words: what failed, the likely cause, the way out.
//!
//! [`KafkaError`] is made from librdkafka's codes here and nowhere else, its sentences in `words`;
//! [`Outage`] turns the stream of "no broker" errors into a few lines at growing distances.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use rdkafka::error::KafkaError as LibraryError;

use super::raw;
use super::words::{is_login, way_out, words};

/// An error of the client library or the broker, in words for the user.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct KafkaError {
    /// One line: what failed and why, with the way out where there is one.
    pub message: String,
    /// librdkafka's name of the error, such as `_TRANSPORT` or `TOPIC_AUTHORIZATION_FAILED`.
    pub code: String,
    /// Whether trying the same again may help.
    pub retriable: bool,
    /// Whether the client can never be used again.
    pub fatal: bool,
    /// Whether the transaction that was under way must be aborted.
    pub aborts: bool,
}

/// Codes after which the same request may succeed.
const RETRIABLE: &[&str] = &[
    "_TRANSPORT",
    "_DESTROY_BROKER",
    "_ALL_BROKERS_DOWN",
    "_RESOLVE",
    "_TIMED_OUT",
    "_TIMED_OUT_QUEUE",
    "_WAIT_COORD",
    "_IN_PROGRESS",
    "_PREV_IN_PROGRESS",
    "_RETRY",
    "_QUEUE_FULL",
    "LEADER_NOT_AVAILABLE",
    "NOT_LEADER_FOR_PARTITION",
    "REQUEST_TIMED_OUT",
    "BROKER_NOT_AVAILABLE",
    "REPLICA_NOT_AVAILABLE",
    "NETWORK_EXCEPTION",
    "COORDINATOR_LOAD_IN_PROGRESS",
    "COORDINATOR_NOT_AVAILABLE",
    "NOT_COORDINATOR",
    "NOT_ENOUGH_REPLICAS",
    "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
    "NOT_CONTROLLER",
    "REBALANCE_IN_PROGRESS",
    "KAFKA_STORAGE_ERROR",
    "OFFSET_NOT_AVAILABLE",
    "FENCED_LEADER_EPOCH",
    "UNKNOWN_LEADER_EPOCH",
    "UNSTABLE_OFFSET_COMMIT",
    "THROTTLING_QUOTA_EXCEEDED",
    "LISTENER_NOT_FOUND",
];

/// Codes that say that no broker can be worked with at all.
const OUTAGE: &[&str] = &[
    "_ALL_BROKERS_DOWN",
    "_TRANSPORT",
    "_RESOLVE",
    "_SSL",
    "_AUTHENTICATION",
    "SASL_AUTHENTICATION_FAILED",
    "UNSUPPORTED_SASL_MECHANISM",
    "ILLEGAL_SASL_STATE",
];

impl KafkaError {
    /// An error of our own finding, under librdkafka's nearest name.
    pub fn new(code: &str, message: String) -> Self {
        Self {
            message,
            code: code.to_owned(),
            retriable: RETRIABLE.contains(&code),
            fatal: code == "_FATAL",
            aborts: false,
        }
    }

    /// The error of a code. `detail` is librdkafka's reason or the thing that it befell; may be empty.
    pub(super) fn of(code: Code, detail: &str) -> Self {
        let (name, description) = raw::describe(code);
        Self::new(&name, words(&name, &description, detail))
    }

    pub(super) fn fatal(mut self) -> Self {
        self.fatal = true;
        self.retriable = false;
        self
    }

    /// Puts what was tried before what went wrong.
    pub(super) fn while_trying(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Whether the brokers can't be reached or do not let this client in: everything waits then.
    pub fn is_outage(&self) -> bool {
        OUTAGE.contains(&self.code.as_str())
    }

    /// Whether the broker knows this client and denies it something, or does not accept its login.
    pub fn is_denied(&self) -> bool {
        self.code.ends_with("AUTHORIZATION_FAILED") || is_login(&self.code)
    }

    /// Whether it may pass without a change of the configuration: others mend it, or time does.
    pub fn passes(&self) -> bool {
        self.is_outage() || self.is_denied() || self.retriable
    }

    /// The way out, a line to go under the message; `None` where the message says all there is.
    pub fn way_out(&self) -> Option<&'static str> {
        (self.is_outage() || self.is_denied()).then(|| way_out(self))
    }

    /// Names the group that is meant, which librdkafka does not.
    pub fn of_group(mut self, group: &str) -> Self {
        if self.code == "GROUP_AUTHORIZATION_FAILED" {
            self.message = format!(
                "not authorised: the broker's ACLs deny READ on the consumer group `{group}`"
            );
        }
        self
    }

    /// An operation on a topic that the ACLs do not give: `READ`, `WRITE`, `CREATE`.
    pub(super) fn denied(operation: &str, topic: &str) -> Self {
        let message =
            format!("not authorised: the broker's ACLs deny {operation} on topic `{topic}`");
        Self::new("TOPIC_AUTHORIZATION_FAILED", message)
    }
}

impl From<LibraryError> for KafkaError {
    fn from(error: LibraryError) -> Self {
        match &error {
            LibraryError::ClientConfig(_, description, name, _) => Self::new(
                "_INVALID_ARG",
                format!("the property `{name}` was refused: {description}"),
            ),
            LibraryError::ClientCreation(reason) => Self::new("_INVALID_ARG", reason.clone()),
            _ => match error.rdkafka_error_code() {
                Some(code) => Self::of(raw::code_from(code as i32), ""),
                None => Self::new("_FAIL", error.to_string()),
            },
        }
    }
}

/// Turns repeated "no broker" errors into a line at once, lines at growing distances, and one when it
/// is over.
#[derive(Debug)]
pub struct Outage {
    since: Option<Instant>,
    /// What was told of it. Another right that is missing is news.
    told: BTreeSet<String>,
    next: Instant,
    distance: Duration,
}

/// Different sentences of one outage that are told at once.
const MOST_TOLD: usize = 10;
const FIRST_DISTANCE: Duration = Duration::from_secs(5);
const LARGEST_DISTANCE: Duration = Duration::from_secs(60);

impl Outage {
    pub fn new() -> Self {
        Self {
            since: None,
            told: BTreeSet::new(),
            next: Instant::now(),
            distance: FIRST_DISTANCE,
        }
    }

    /// Whether the brokers are away.
    pub fn is_on(&self) -> bool {
        self.since.is_some()
    }

    /// How long they have been away.
    pub fn lasting(&self, now: Instant) -> Option<Duration> {
        Some(now.saturating_duration_since(self.since?))
    }

    /// Takes note of an error; gives the line and the way out when it is time to say something.
    pub fn error(&mut self, error: &KafkaError, now: Instant) -> Option<(String, &'static str)> {
        let new = self.told.len() < MOST_TOLD && self.told.insert(error.message.clone());
        let since = match self.since {
            Some(_) if new && (error.is_denied() || error.code == "_SSL") => {
                return Some((error.message.clone(), way_out(error)));
            }
            None => {
                self.since = Some(now);
                self.distance = FIRST_DISTANCE;
                self.next = now + FIRST_DISTANCE;
                return Some((error.message.clone(), way_out(error)));
            }
            Some(since) => since,
        };
        if now < self.next {
            return None;
        }
        self.distance = (self.distance * 2).min(LARGEST_DISTANCE);
        self.next = now + self.distance;
        let line = format!(
            "{}, for {} s now; trying again, next word in {} s",
            error.message,
            now.saturating_duration_since(since).as_secs(),
            self.distance.as_secs(),
        );
        Some((line, way_out(error)))
    }

    /// Takes note that a broker answered; gives the text if there was an outage.
    ///
    /// An answer is a commit's result, an acknowledgement, an assignment. A polled message is none: it
    /// may have been fetched before the outage.
    pub fn over(&mut self, now: Instant) -> Option<String> {
        let since = self.since.take()?;
        self.told.clear();
        let seconds = now.saturating_duration_since(since).as_secs_f64();
        Some(format!("the broker is back after {seconds:.1} s"))
    }
}

impl Default for Outage {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> KafkaError {
        KafkaError::of(
            Code::RD_KAFKA_RESP_ERR__TRANSPORT,
            "localhost:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)",
        )
    }

    /// A broker that is not there is named with its address and the operating system's reason.
    #[test]
    fn unreachable_broker_is_named_with_its_cause() {
        let error = refused();
        assert_eq!(
            error.message,
            "no broker at localhost:9092: connection refused"
        );
        assert_eq!(error.code, "_TRANSPORT");
        assert!(error.retriable && error.is_outage() && !error.fatal);
    }

    /// A broker that the cluster counts out takes the requests along that it had not answered: another
    /// one answers them, so this is no reason to end.
    #[test]
    fn a_broker_that_is_counted_out_is_asked_for_no_longer() {
        let detail = "Failed while waiting for response from broker: Local: Broker handle destroyed without termination";
        let error = KafkaError::of(Code::RD_KAFKA_RESP_ERR__DESTROY_BROKER, detail);
        assert_eq!(
            error.message,
            "the broker that was asked is gone from the cluster"
        );
        assert!(error.passes() && error.retriable && !error.is_outage());
    }

    /// An outage is told at once with the way out, then at growing distances, then that it is over.
    #[test]
    fn outage_is_told_once_then_at_growing_distances() {
        let start = Instant::now();
        let mut outage = Outage::new();
        let mut told = Vec::new();
        for second in 0..=100 {
            if let Some((_, hint)) = outage.error(&refused(), start + Duration::from_secs(second)) {
                assert!(hint.contains("docker compose up -d"), "{hint}");
                told.push(second);
            }
        }
        assert_eq!(told, [0, 5, 15, 35, 75]);
        let over = outage.over(start + Duration::from_millis(100_500));
        assert_eq!(over.as_deref(), Some("the broker is back after 100.5 s"));
        assert_eq!(outage.over(start + Duration::from_secs(200)), None);
    }

    /// Another right that is missing is told at once, though the outage goes on.
    #[test]
    fn another_missing_right_is_told_at_once() {
        let start = Instant::now();
        let mut outage = Outage::new();
        let mut tell = |topic: &str| {
            let told = outage.error(&KafkaError::denied("READ", topic), start);
            told.map(|(line, _)| line)
        };
        assert!(tell("a").is_some_and(|line| line.ends_with("deny READ on topic `a`")));
        assert_eq!(tell("a"), None);
        assert!(tell("b").is_some_and(|line| line.ends_with("deny READ on topic `b`")));
        assert_eq!(tell("b"), None);
    }
}
