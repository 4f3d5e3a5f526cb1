//! Errors in words: what failed, the likely cause, the way out.
//!
//! [`KafkaError`] is made from librdkafka's codes and texts here and nowhere else; [`Outage`] turns
//! the stream of "no broker" errors into a few lines at growing distances.

use std::time::{Duration, Instant};

use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use rdkafka::error::KafkaError as LibraryError;

use super::raw;

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
    pub(super) fn new(code: &str, message: String) -> Self {
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
}

fn is_login(code: &str) -> bool {
    matches!(
        code,
        "_AUTHENTICATION"
            | "SASL_AUTHENTICATION_FAILED"
            | "UNSUPPORTED_SASL_MECHANISM"
            | "ILLEGAL_SASL_STATE"
    )
}

fn words(name: &str, description: &str, detail: &str) -> String {
    let about = |rest: &str| {
        if detail.is_empty() {
            rest.to_owned()
        } else {
            format!("{rest} ({detail})")
        }
    };
    match name {
        "_TRANSPORT" | "_RESOLVE" | "_ALL_BROKERS_DOWN" | "_SSL" => {
            let (address, cause) = split_reason(detail);
            let cause = match (name, cause.is_empty()) {
                ("_RESOLVE", _) => "the name can't be resolved".to_owned(),
                (_, true) => description.to_lowercase(),
                (_, false) => cause,
            };
            match (name, address) {
                ("_SSL", Some(address)) => format!(
                    "no TLS connection to the broker at {address}: {cause}; check security.protocol and ssl.* in [kafka.properties]"
                ),
                (_, Some(address)) => format!("no broker at {address}: {cause}"),
                (_, None) => format!("no broker can be reached: {cause}"),
            }
        }
        name if is_login(name) => format!(
            "authentication failed: {}; check security.protocol and sasl.* in [kafka.properties]",
            match split_reason(detail) {
                (Some(address), cause) =>
                    format!("the broker at {address} refused the login: {cause}"),
                (None, cause) if !cause.is_empty() => cause,
                _ => description.to_lowercase(),
            }
        ),
        "TOPIC_AUTHORIZATION_FAILED" => {
            about("not authorised: the broker's ACLs deny access to the topic")
        }
        "GROUP_AUTHORIZATION_FAILED" => {
            about("not authorised: the broker's ACLs deny READ on the consumer group")
        }
        "CLUSTER_AUTHORIZATION_FAILED" => {
            about("not authorised: the broker's ACLs deny this on the cluster")
        }
        "TRANSACTIONAL_ID_AUTHORIZATION_FAILED" => {
            about("not authorised: the broker's ACLs deny WRITE on the transactional id")
        }
        "UNKNOWN_TOPIC_OR_PART" | "_UNKNOWN_TOPIC" => about("the topic does not exist"),
        "_UNKNOWN_PARTITION" => about("the partition does not exist"),
        "MSG_SIZE_TOO_LARGE" => about("the message is larger than the broker or the client allows"),
        "_FENCED" | "PRODUCER_FENCED" | "INVALID_PRODUCER_EPOCH" => about(
            "another producer has taken over this transactional id: this member was away for longer than its session, or a second daemon runs with the same `daemon.instance`",
        ),
        "FENCED_INSTANCE_ID" => about(
            "another member took over this static member id; is a second daemon running with the same `daemon.instance`?",
        ),
        "_MAX_POLL_EXCEEDED" => {
            about("the member was not polled for max.poll.interval.ms and has lost its partitions")
        }
        _ if detail.is_empty() => description.to_owned(),
        _ if detail.contains(description) => detail.to_owned(),
        _ => format!("{description} ({detail})"),
    }
}

/// librdkafka's reason, such as `ssl://host:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed:
/// Connection refused (after 0ms in state CONNECT)`, as address and cause.
fn split_reason(reason: &str) -> (Option<String>, String) {
    // Some reasons begin with the client's name in brackets: `[thrd:host:9092/1]: host:9092/1: …`.
    let reason = match reason.strip_prefix("[thrd:") {
        Some(rest) => rest.split_once("]: ").map_or(rest, |(_, rest)| rest),
        None => reason,
    };
    // The coordinator's connection has a name of its own.
    let reason = reason
        .strip_prefix("GroupCoordinator: ")
        .or_else(|| reason.strip_prefix("TxnCoordinator: "))
        .unwrap_or(reason);
    let (address, cause) = match reason.split_once(": ") {
        Some((broker, cause)) if !broker.contains(' ') && broker.contains(':') => {
            let broker = broker.split_once("://").map_or(broker, |(_, rest)| rest);
            let address = broker
                .split_once('/')
                .map_or(broker, |(address, _)| address);
            (Some(address.to_owned()), cause)
        }
        _ => (None, reason),
    };
    let cause = cause.split(" (after ").next().unwrap_or(cause);
    let cause = match cause.split_once(" failed: ") {
        Some((start, rest)) if start.starts_with("Connect to ") => rest,
        _ => cause,
    };
    let mut letters = cause.chars();
    let cause = match (letters.next(), cause.chars().nth(1)) {
        // Not of an abbreviation: "SASL …" stays.
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => cause.to_owned(),
    };
    (address, cause)
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
    next: Instant,
    distance: Duration,
}

const FIRST_DISTANCE: Duration = Duration::from_secs(5);
const LARGEST_DISTANCE: Duration = Duration::from_secs(60);

impl Outage {
    pub fn new() -> Self {
        Self {
            since: None,
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
        let since = match self.since {
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
        let seconds = now.saturating_duration_since(since).as_secs_f64();
        Some(format!("the broker is back after {seconds:.1} s"))
    }
}

impl Default for Outage {
    fn default() -> Self {
        Self::new()
    }
}

fn way_out(error: &KafkaError) -> &'static str {
    if error.is_denied() {
        "a login or an ACL has to change; the broker's log says which"
    } else if error.code == "_SSL" {
        "does the port speak TLS, and is the certificate's authority known? see ssl.ca.location"
    } else if error.message.contains("can't be resolved") {
        "is the name in `kafka.brokers` right, and known on this machine?"
    } else {
        "is it running? `docker compose up -d` starts the one in docker-compose.yml"
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

    /// The coordinator's connection is named by its address too.
    #[test]
    fn unreachable_coordinator_is_named_by_its_address() {
        let error = KafkaError::of(
            Code::RD_KAFKA_RESP_ERR__TRANSPORT,
            "GroupCoordinator: 127.0.0.1:9092: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)",
        );
        let expected = "no broker at 127.0.0.1:9092: connection refused";
        assert_eq!(error.message, expected);
    }

    /// A name that can't be resolved is told apart from a broker that is down.
    #[test]
    fn unknown_host_is_named_as_such() {
        let error = KafkaError::of(
            Code::RD_KAFKA_RESP_ERR__RESOLVE,
            "nosuch:9092/bootstrap: Failed to resolve 'nosuch:9092': Name or service not known (after 3ms in state CONNECT)",
        );
        assert_eq!(
            error.message,
            "no broker at nosuch:9092: the name can't be resolved"
        );
    }

    /// A refused login says so, and where to look.
    #[test]
    fn refused_login_is_named_as_authentication() {
        let error = KafkaError::of(
            Code::RD_KAFKA_RESP_ERR__AUTHENTICATION,
            "sasl_plaintext://b:9092/bootstrap: SASL authentication error: Authentication failed (after 5ms in state AUTH_REQ)",
        );
        assert!(error.is_denied());
        assert_eq!(
            error.message,
            "authentication failed: the broker at b:9092 refused the login: SASL authentication error: Authentication failed; check security.protocol and sasl.* in [kafka.properties]"
        );
    }

    /// A missing right names the thing that is denied.
    #[test]
    fn missing_right_is_named_as_authorisation() {
        let error = KafkaError::of(
            Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
            "Delivery",
        );
        assert!(error.is_denied() && !error.retriable);
        assert_eq!(
            error.message,
            "not authorised: the broker's ACLs deny access to the topic (Delivery)"
        );
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
}
