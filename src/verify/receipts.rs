//! Reads the receipts as they are written, on a thread of its own, and enters them into the books.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Books;
use crate::delivery::{Receipt, Record};
use crate::kafka::{Cluster, Followed, Follower};

/// A look at the stop sign at least so often.
const NAP: Duration = Duration::from_millis(100);
/// For the last receipts to be read.
const LAST: Duration = Duration::from_secs(60);

/// The thread, stopped when dropped.
pub struct Receipts {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), String>>>,
}

impl Receipts {
    /// # Errors
    /// No client or no thread can be made.
    pub fn start(cluster: &Cluster, topic: &str, books: Books) -> Result<Self, String> {
        let follower = Follower::new(cluster, topic, 1).map_err(|error| error.message)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("receipts".into())
            .spawn(move || read(follower, &books, &stopped))
            .map_err(|error| format!("no thread for the receipts: {error}"))?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }

    /// Whether it has given up by itself.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Reads what is there, to the end.
    ///
    /// # Errors
    /// The receipts can't be read, or not to their end.
    pub fn finish(mut self) -> Result<(), String> {
        self.stop.store(true, Ordering::Release);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result.map_err(|why| format!("reading the receipts: {why}")),
            Some(Err(panic)) => Err(crate::panic_text(&*panic)),
            None => Ok(()),
        }
    }
}

impl Drop for Receipts {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

fn read(mut follower: Follower, books: &Books, stopped: &AtomicBool) -> Result<(), String> {
    let mut record = Record::default();
    let mut deadline = None;
    loop {
        // Before looking for more: what is written after the stop sign is nobody's any more.
        let last = stopped.load(Ordering::Acquire);
        let followed = follower.next(&mut record, NAP);
        if followed.map_err(|error| error.message)? == Followed::Record {
            let value = record
                .value()
                .and_then(|value| std::str::from_utf8(value).ok());
            let now = Instant::now();
            match value.and_then(|text| text.parse::<Receipt>().ok()) {
                Some(receipt) => books.lock().receipt(&receipt, now),
                None => books.lock().stranger(),
            }
            continue;
        }
        if last {
            if follower.is_at_end().map_err(|error| error.message)? {
                return Ok(());
            }
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + LAST);
            if Instant::now() >= deadline {
                return Err(format!("their end is not reached after {LAST:?}"));
            }
        }
    }
}
