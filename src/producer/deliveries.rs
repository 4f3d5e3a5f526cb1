//! What became of a producer's messages: counted, and its errors logged at a bounded rate.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::Complaints;

/// Counts of one producer, told from the thread that acknowledges and read from anywhere.
#[derive(Debug)]
pub struct Deliveries {
    producer: Arc<str>,
    produced: AtomicU64,
    failed: AtomicU64,
    errors: Mutex<(Complaints, Option<String>)>,
}

impl Deliveries {
    /// All at zero; a producer that is replaced keeps its own.
    pub fn new(producer: Arc<str>) -> Self {
        Self {
            producer,
            produced: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            errors: Mutex::new((Complaints::new(Instant::now()), None)),
        }
    }

    /// The broker has acknowledged one message.
    pub fn acknowledged(&self) {
        self.produced.fetch_add(1, Ordering::Relaxed);
    }

    /// One message is lost for good; `reason` in one line.
    pub fn refused(&self, reason: &str) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let (complaints, last) = &mut *errors;
        if let Some(untold) = complaints.note(reason, Instant::now()) {
            tracing::warn!(
                producer = %self.producer,
                untold,
                "producer {}: a message could not be delivered: {reason}",
                self.producer
            );
        }
        *last = Some(reason.to_owned());
    }

    pub fn produced(&self) -> u64 {
        self.produced.load(Ordering::Relaxed)
    }

    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Why the last message that was lost could not be delivered.
    pub fn last_error(&self) -> Option<String> {
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        errors.1.clone()
    }
}
