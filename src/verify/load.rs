//! The load: a thread that writes stamped, keyed messages at an even pace until it is told to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Books;
use super::source::{Made, Origin, Source};
use crate::config::Rate;
use crate::delivery::{STAMP_HEADER, Stamp};
use crate::kafka::{DeliveryReports, Outgoing, SendError, Sender};
use crate::producer::{Pace, Turn};
use crate::script::STACK_SIZE;

/// A look at the stop sign at least so often.
const NAP: Duration = Duration::from_millis(20);
/// So many messages between two looks at the clock.
const BATCH: u64 = 64;
/// For the broker to acknowledge what was sent.
const LAST_ANSWERS: Duration = Duration::from_secs(60);

/// What is written where.
pub struct Orders {
    /// Temporary topics, each with where its messages come from.
    pub topics: Vec<(String, Origin)>,
    /// Messages per second, over all topics.
    pub rate: f64,
    /// How many keys there are for messages that have none of their own.
    pub keys: u32,
}

/// The thread, stopped when dropped.
pub struct Load {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), String>>>,
}

impl Load {
    /// # Errors
    /// The system gives no thread.
    pub fn start(orders: Orders, sender: Sender, books: Books) -> Result<Self, String> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("load".into())
            .stack_size(STACK_SIZE)
            .spawn(move || Writer::new(orders, sender, books)?.write_until(&stopped))
            .map_err(|error| format!("no thread for the load: {error}"))?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }

    /// Whether it has given up by itself.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Stops writing, and waits until everything that was written is acknowledged.
    ///
    /// # Errors
    /// Why not every message could be made or written.
    pub fn finish(mut self) -> Result<(), String> {
        self.stop.store(true, Ordering::Release);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panic)) => Err(crate::panic_text(&*panic)),
            None => Ok(()),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

struct Writer {
    sources: Vec<(String, Source)>,
    pace: Pace,
    keys: u32,
    written: u64,
    sender: Sender,
    reports: Arc<DeliveryReports>,
    refusal: Arc<Mutex<Option<String>>>,
    books: Books,
}

impl Writer {
    fn new(orders: Orders, sender: Sender, books: Books) -> Result<Self, String> {
        let refusal = Arc::new(Mutex::new(None));
        let told = refusal.clone();
        let reports = DeliveryReports::new(move |error| {
            if let Some(error) = error {
                let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                told.get_or_insert(error.message);
            }
        });
        let mut sources = Vec::new();
        for (topic, origin) in orders.topics {
            let source = Source::new(origin, &topic)?;
            sources.push((topic, source));
        }
        Ok(Self {
            sources,
            pace: Pace::new(Rate::PerSecond(orders.rate), Instant::now()),
            keys: orders.keys,
            written: 0,
            sender,
            reports,
            refusal,
            books,
        })
    }

    fn write_until(mut self, stopped: &AtomicBool) -> Result<(), String> {
        while !stopped.load(Ordering::Acquire) {
            let now = Instant::now();
            match self.pace.due(now) {
                Turn::Now(due) => {
                    for _ in 0..due.min(BATCH) {
                        self.write(stopped)?;
                        self.pace.sent();
                    }
                }
                Turn::At(when) => {
                    std::thread::sleep(when.saturating_duration_since(now).min(NAP));
                }
            }
            self.check()?;
        }
        let flushed = self.sender.flush(LAST_ANSWERS);
        flushed.map_err(|error| error.message)?;
        self.check()
    }

    fn write(&mut self, stopped: &AtomicBool) -> Result<(), String> {
        let turn = (self.written % self.sources.len().max(1) as u64) as usize;
        let Some((topic, source)) = self.sources.get_mut(turn) else {
            return Err("there is no topic to write to".into());
        };
        let mut made = source.next()?;
        let keys = u64::from(self.keys.max(1));
        let number = self.written;
        let key = made
            .key
            .take()
            .unwrap_or_else(|| format!("key-{}", number % keys).into_bytes());
        let topic = topic.clone();
        // The books are shared with the thread that reads receipts: a lock for each message, which at
        // the rates of a rehearsal is nothing.
        let stamp = self.books.lock().send(&key, Instant::now());
        self.written += 1;
        self.send(&topic, &key, &made, stamp, stopped)
    }

    fn send(
        &self,
        topic: &str,
        key: &[u8],
        made: &Made,
        stamp: Stamp,
        stopped: &AtomicBool,
    ) -> Result<(), String> {
        let stamp = stamp.to_string();
        loop {
            let own = made.headers.iter();
            let own = own.map(|(name, value)| (name.as_str(), value.as_deref()));
            let stamped = std::iter::once((STAMP_HEADER, Some(stamp.as_bytes())));
            let outgoing = Outgoing {
                topic,
                partition: made.partition,
                timestamp: None,
                key: Some(key),
                value: made.value.as_deref(),
                headers: &mut own.chain(stamped),
            };
            match self.sender.send(outgoing, &self.reports) {
                Ok(()) => return Ok(()),
                Err(SendError::Refused(error)) => return Err(refused(&error.message)),
                Err(SendError::Full) if stopped.load(Ordering::Acquire) => {
                    return Err("the broker takes no more messages".into());
                }
                Err(SendError::Full) => {
                    self.sender.wait_for_room(Duration::from_secs(1));
                }
            }
        }
    }

    fn check(&self) -> Result<(), String> {
        let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        refusal
            .as_deref()
            .map_or(Ok(()), |reason| Err(refused(reason)))
    }
}

fn refused(reason: &str) -> String {
    format!("a message of the load was not taken: {reason}")
}
