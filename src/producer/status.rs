//! What a producer shows of itself while its thread runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::script::Failure;

use super::Deliveries;

/// What a producer does now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Running,
    /// Until it is resumed.
    Paused,
    /// Too much is unacknowledged: it goes on when the brokers have taken some of it.
    Waiting,
    /// Its generator fails; it goes on trying with the next message.
    Failing,
    /// `count` is reached; a larger count lets it go on.
    Finished,
    /// It was told to stop, and has ended.
    Stopped,
    /// Its thread ended by a fault of deliveryd's own, in one line.
    Died(String),
}

impl State {
    /// Whether its thread is no more.
    pub fn ended(&self) -> bool {
        matches!(self, Self::Stopped | Self::Died(_))
    }
}

/// How far a producer has come; a successor goes on from here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// The next `n` for `generate`.
    pub next: u64,
    /// Messages that were handed over to be sent, which is what `count` limits.
    pub queued: u64,
}

/// A producer at one moment.
#[derive(Debug, Clone)]
pub struct ProducerStatus {
    pub state: State,
    /// Acknowledged by the broker.
    pub produced: u64,
    /// Lost for good: the broker or the client refused them.
    pub failed: u64,
    /// Calls of the generator that failed.
    pub script_errors: u64,
    /// The generator's last failure; `None` after a message has been made again.
    pub last_error: Option<Failure>,
    /// Why the last message that counts as `failed` was refused.
    pub last_delivery_error: Option<String>,
    pub progress: Progress,
}

/// Between the thread and those who look.
#[derive(Debug)]
pub(super) struct Shared {
    shown: Mutex<(State, Option<Failure>)>,
    ended: Condvar,
    script_errors: AtomicU64,
    next: AtomicU64,
    queued: AtomicU64,
    pub deliveries: Arc<Deliveries>,
}

impl Shared {
    pub fn new(deliveries: Arc<Deliveries>, progress: Progress) -> Self {
        Self {
            shown: Mutex::new((State::Running, None)),
            ended: Condvar::new(),
            script_errors: AtomicU64::new(0),
            next: AtomicU64::new(progress.next),
            queued: AtomicU64::new(progress.queued),
            deliveries,
        }
    }

    pub fn status(&self) -> ProducerStatus {
        let (state, last_error) = self.lock().clone();
        ProducerStatus {
            state,
            produced: self.deliveries.produced(),
            failed: self.deliveries.failed(),
            script_errors: self.script_errors.load(Ordering::Relaxed),
            last_error,
            last_delivery_error: self.deliveries.last_error(),
            progress: Progress {
                next: self.next.load(Ordering::Relaxed),
                queued: self.queued.load(Ordering::Relaxed),
            },
        }
    }

    pub fn show(&self, state: State) {
        self.lock().0 = state;
        self.ended.notify_all();
    }

    /// `None` when the generator is well again.
    pub fn show_failure(&self, failure: Option<Failure>) {
        self.script_errors
            .fetch_add(u64::from(failure.is_some()), Ordering::Relaxed);
        self.lock().1 = failure;
    }

    pub fn show_progress(&self, progress: Progress) {
        self.next.store(progress.next, Ordering::Relaxed);
        self.queued.store(progress.queued, Ordering::Relaxed);
    }

    /// Waits for the thread's end; `None` when it has not come in time.
    pub fn wait(&self, most: Duration) -> Option<State> {
        let end = Instant::now() + most;
        let mut shown = self.lock();
        while !shown.0.ended() {
            let left = end.checked_duration_since(Instant::now())?;
            shown = match self.ended.wait_timeout(shown, left) {
                Ok((shown, _)) => shown,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        Some(shown.0.clone())
    }

    fn lock(&self) -> MutexGuard<'_, (State, Option<Failure>)> {
        // Only whole values are put in, so a panic elsewhere leaves nothing half done.
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
