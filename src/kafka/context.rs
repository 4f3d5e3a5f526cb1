//! What librdkafka calls back with: log lines, errors and the group's questions.
//!
//! Everything is only noted here, on whatever thread it came; the member looks at it in its own time.
//! The exception is a consumer that is closing: then nobody is left to answer a rebalance.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::bindings::rd_kafka_resp_err_t as Code;

use super::error::KafkaError;
use super::masked::masked;
use super::raw::PartitionResult;
use super::statistics::Statistics;
use super::{Partition, Rebalance, words};

/// What the callbacks of one client write to.
pub(super) struct Context {
    client_id: String,
    servers: String,
    rebalances: Mutex<VecDeque<Rebalance>>,
    /// Heard and not answered.
    heard: Mutex<Option<Rebalance>>,
    /// Questions of the group that wait for an answer by assign or unassign.
    unanswered: AtomicU32,
    /// What was heard is answered so far that what is kept goes on.
    answered_for_now: AtomicBool,
    errors: Mutex<VecDeque<KafkaError>>,
    /// Why the last connection failed; "all brokers are down" does not say it itself.
    cause: Mutex<Option<(Instant, KafkaError)>>,
    /// Brokers whose certificates were refused, with OpenSSL's number for the reason.
    certificates: Mutex<HashMap<String, i32>>,
    closing: AtomicBool,
    /// Whether a broker ever did.
    answered: AtomicBool,
    statistics: Mutex<Option<Statistics>>,
    repetition: Mutex<Repetition>,
    pub destroyed: Arc<Done>,
}

/// librdkafka keeps quiet about a reason that repeats itself for so long.
const CAUSE_HOLDS: Duration = Duration::from_secs(60);
/// Errors that wait to be polled; more of them only repeat each other.
const MOST_ERRORS: usize = 100;

impl Context {
    pub fn new(client_id: &str, servers: &str) -> Arc<Context> {
        Arc::new(Context {
            client_id: client_id.to_owned(),
            servers: servers.to_owned(),
            rebalances: Mutex::default(),
            heard: Mutex::default(),
            unanswered: AtomicU32::new(0),
            answered_for_now: AtomicBool::new(false),
            errors: Mutex::default(),
            cause: Mutex::default(),
            certificates: Mutex::default(),
            closing: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            statistics: Mutex::default(),
            repetition: Mutex::default(),
            destroyed: Arc::default(),
        })
    }

    /// Notes what the group asks; false when closing, and then the caller must answer itself.
    pub fn rebalance(&self, code: Code, partitions: Vec<PartitionResult>, lost: bool) -> bool {
        if self.closing.load(Ordering::Acquire) {
            return false;
        }
        self.answered.store(true, Ordering::Relaxed);
        let mut topic: Arc<str> = Arc::from("");
        let partitions = partitions
            .into_iter()
            .map(|partition| {
                if *topic != *partition.topic {
                    topic = Arc::from(partition.topic);
                }
                Partition {
                    topic: topic.clone(),
                    number: partition.partition,
                }
            })
            .collect();
        let asked = match code {
            Code::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assign(partitions),
            Code::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => Rebalance::Revoke { partitions, lost },
            code => {
                // librdkafka asks for an empty assignment whatever the error was.
                lock(&self.errors).push_back(KafkaError::of(code, "rebalance"));
                return false;
            }
        };
        self.unanswered.fetch_add(1, Ordering::AcqRel);
        lock(&self.rebalances).push_back(asked);
        true
    }

    pub fn next_rebalance(&self) -> Option<Rebalance> {
        let next = lock(&self.rebalances).pop_front();
        if next.is_some() {
            lock(&self.heard).clone_from(&next);
        }
        next
    }

    /// What was heard and not answered.
    pub fn heard(&self) -> Option<Rebalance> {
        lock(&self.heard).clone()
    }

    /// Whether the group waits for an answer.
    pub fn asked(&self) -> bool {
        self.unanswered.load(Ordering::Acquire) > 0
    }

    /// How many questions there were that are not answered.
    pub fn questions(&self) -> u32 {
        self.unanswered.load(Ordering::Acquire)
    }

    /// The assignment that was heard is answered without its partitions, which are answered for later.
    /// False: nothing is to be answered, or this was done before.
    pub fn answer_for_now(&self) -> bool {
        let first =
            lock(&self.heard).is_some() && !self.answered_for_now.swap(true, Ordering::AcqRel);
        if first {
            self.count_answer();
        }
        first
    }

    pub fn answered(&self) {
        *lock(&self.heard) = None;
        if !self.answered_for_now.swap(false, Ordering::AcqRel) {
            self.count_answer();
        }
    }

    fn count_answer(&self) {
        // Partitions may be given up unasked; that answers nothing.
        let less = |count: u32| count.checked_sub(1);
        if self
            .unanswered
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, less)
            .is_err()
        {
            tracing::trace!(client = self.client_id, "an answer without a question");
        }
    }

    /// From now on the callback answers every question by itself.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
        lock(&self.rebalances).clear();
        self.unanswered.store(0, Ordering::Release);
    }

    /// Notes an error that concerns the whole client.
    pub fn error(&self, code: Code, reason: &str, fatal: Option<(Code, String)>) {
        let reason = &*masked(reason);
        let error = match (code, fatal) {
            (Code::RD_KAFKA_RESP_ERR__FATAL, Some((code, text))) => {
                KafkaError::of(code, &text).fatal()
            }
            (Code::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, _) => {
                let mut error = KafkaError::of(code, "");
                error.message = match self.cause() {
                    Some(cause) => cause.message,
                    None => format!("no broker at {}: the connection was lost", self.servers),
                };
                error
            }
            (Code::RD_KAFKA_RESP_ERR__SSL, _) => self.tls_error(reason),
            // Now and then a handshake that fails is told as a lost connection, in OpenSSL's words.
            (Code::RD_KAFKA_RESP_ERR__TRANSPORT, _) if reason.contains("SSL routines") => {
                self.tls_error(reason)
            }
            (code, _) => KafkaError::of(code, reason),
        };
        match code {
            // One connection of several: worth telling only when no other is left, which librdkafka
            // says itself.
            Code::RD_KAFKA_RESP_ERR__TRANSPORT | Code::RD_KAFKA_RESP_ERR__RESOLVE => {
                tracing::debug!(target: "librdkafka", client = self.client_id, "{reason}");
                *lock(&self.cause) = Some((Instant::now(), error));
                return;
            }
            Code::RD_KAFKA_RESP_ERR__SSL | Code::RD_KAFKA_RESP_ERR__AUTHENTICATION => {
                *lock(&self.cause) = Some((Instant::now(), error.clone()));
            }
            _ => {}
        }
        let mut errors = lock(&self.errors);
        if errors.len() < MOST_ERRORS {
            errors.push_back(error);
        }
    }

    /// A broker's certificate was refused; the error follows.
    pub fn refuses_certificate(&self, broker: &str, x509_error: i32) {
        lock(&self.certificates).insert(broker.to_owned(), x509_error);
    }

    fn tls_error(&self, reason: &str) -> KafkaError {
        let code = Code::RD_KAFKA_RESP_ERR__SSL;
        let error = KafkaError::of(code, reason);
        let refused = lock(&self.certificates);
        let mut brokers = refused.iter();
        match brokers.find(|(broker, _)| reason.contains(*broker)) {
            Some((_, number)) if reason.contains("certificate verify failed") => KafkaError {
                message: words::certificate(reason, *number),
                ..error
            },
            _ => error,
        }
    }

    /// A broker has answered: what failed before explains nothing any more.
    pub fn connected(&self) {
        self.answered.store(true, Ordering::Relaxed);
        *lock(&self.cause) = None;
    }

    pub fn next_error(&self) -> Option<KafkaError> {
        lock(&self.errors).pop_front()
    }

    /// Why the last connection failed, for a request that only timed out.
    pub fn explain(&self, error: KafkaError) -> KafkaError {
        if !matches!(
            error.code.as_str(),
            "_TIMED_OUT" | "_TRANSPORT" | "_WAIT_COORD"
        ) {
            return error;
        }
        self.cause().unwrap_or(error)
    }

    /// A broker is connected and has not answered for so long, whatever lies between: as good as none.
    pub fn silence(&self, waited: Duration) -> KafkaError {
        let message = format!(
            "no broker at {} answers: a connection stands, and nothing has come for {} s",
            self.servers,
            waited.as_secs()
        );
        KafkaError::new("_TRANSPORT", message)
    }

    /// An error of the connection that says nothing: where no broker ever answered, that is all there is to
    /// say, as of a port that another program has.
    pub fn unheard(&self, error: KafkaError) -> KafkaError {
        if self.cause().is_some() || self.answered.load(Ordering::Relaxed) {
            return error;
        }
        let message = format!(
            "no broker at {} answers, and nothing refuses the connection: is it Kafka that has this port, and does nothing in between swallow it?",
            self.servers
        );
        KafkaError { message, ..error }
    }

    /// Why a connection failed lately. What is older may have been mended since.
    fn cause(&self) -> Option<KafkaError> {
        let cause = lock(&self.cause);
        let (when, error) = cause.as_ref()?;
        (when.elapsed() < CAUSE_HOLDS).then(|| error.clone())
    }

    /// Notes librdkafka's statistics, which it tells as JSON.
    pub fn note_statistics(&self, json: &[u8]) {
        match Statistics::parse(json) {
            Ok(statistics) => *lock(&self.statistics) = Some(statistics),
            Err(error) => {
                tracing::debug!(target: "librdkafka", client = self.client_id, "statistics: {error}");
            }
        }
    }

    /// The statistics that came since the last call.
    pub fn statistics(&self) -> Option<Statistics> {
        lock(&self.statistics).take()
    }

    /// A log line of librdkafka, with syslog's level.
    pub fn log(&self, level: i32, facility: &str, line: &str) {
        let line = &*masked(line);
        // A broker that hangs up is no error to librdkafka, and is told only here. Of one that has answered
        // before, and goes down, it would say nothing.
        if facility == "FAIL"
            && !self.answered.load(Ordering::Relaxed)
            && let Some(message) = words::hung_up(line)
        {
            let error = KafkaError::new("_TRANSPORT", message);
            *lock(&self.cause) = Some((Instant::now(), error));
        }
        // Connections that fail are told by `Outage`, and settings of the other kind of client are
        // given on purpose: `[kafka.properties]` are for both. The banner tells of the embedded broker.
        // Of a transaction, a certificate or a producer that fails, whoever meets the error tells, and of
        // a topic that grows the daemon.
        let level = match facility {
            "FAIL" | "ERROR" | "CONFWARN" | "MAXPOLL" | "REQTMOUT" | "MOCK" | "GETPID"
            | "TXNERR" | "SSL" | "SSLCERTVRFY" | "FATAL" | "PARTCNT" => 7,
            _ => level,
        };
        let more = match lock(&self.repetition).admit(facility, level, Instant::now()) {
            Admit::Drop => return,
            Admit::Pass(0) => String::new(),
            Admit::Pass(dropped) => format!(" (and {dropped} lines like this before)"),
        };
        let client = self.client_id.as_str();
        match level {
            ..=3 => {
                tracing::error!(target: "librdkafka", client, "{facility}: {line}{more}");
            }
            4 => tracing::warn!(target: "librdkafka", client, "{facility}: {line}{more}"),
            5 | 6 => tracing::info!(target: "librdkafka", client, "{facility}: {line}{more}"),
            _ => tracing::debug!(target: "librdkafka", client, "{facility}: {line}{more}"),
        }
    }
}

/// Bounds how often lines of one kind are let through.
#[derive(Default)]
struct Repetition {
    kinds: HashMap<String, Kind>,
}

struct Kind {
    since: Instant,
    passed: u32,
    dropped: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum Admit {
    /// With the number of lines of this kind that were dropped before it.
    Pass(u32),
    Drop,
}

const WINDOW: Duration = Duration::from_secs(60);
const LINES_A_WINDOW: u32 = 5;

impl Repetition {
    fn admit(&mut self, facility: &str, level: i32, now: Instant) -> Admit {
        // Debug lines are wanted as they are, by whoever asked for them.
        if level >= 7 {
            return Admit::Pass(0);
        }
        let Some(kind) = self.kinds.get_mut(facility) else {
            let kind = Kind {
                since: now,
                passed: 1,
                dropped: 0,
            };
            self.kinds.insert(facility.to_owned(), kind);
            return Admit::Pass(0);
        };
        if now.saturating_duration_since(kind.since) >= WINDOW {
            kind.since = now;
            kind.passed = 0;
        }
        if kind.passed >= LINES_A_WINDOW {
            kind.dropped += 1;
            return Admit::Drop;
        }
        kind.passed += 1;
        Admit::Pass(std::mem::take(&mut kind.dropped))
    }
}

/// Something that happens once, to be waited for.
#[derive(Default)]
pub(super) struct Done {
    done: Mutex<bool>,
    changed: Condvar,
}

impl Done {
    pub fn set(&self) {
        *lock(&self.done) = true;
        self.changed.notify_all();
    }
    /// Whether it happened within `timeout`.
    pub fn wait(&self, timeout: Duration) -> bool {
        let guard = lock(&self.done);
        let (guard, _) = self
            .changed
            .wait_timeout_while(guard, timeout, |done| !*done)
            .unwrap_or_else(PoisonError::into_inner);
        *guard
    }
}

/// Locks; what another thread left behind in a panic is still whole here.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
