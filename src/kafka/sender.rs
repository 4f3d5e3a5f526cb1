//! The producer that all configured producers of the process share.
//!
//! `send` with a counter of the one that sends; a thread takes the broker's answers and counts them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::context::{Context, lock};
use super::error::KafkaError;
use super::producing::Producing;
use super::{Cluster, Outgoing, SendError, Statistics, settings};
use crate::config::Properties;

/// The shared idempotent producer of the configured producers. Clones are the same one.
#[derive(Clone)]
pub struct Sender {
    shared: Arc<Shared>,
    /// Ends the thread with the last clone.
    _thread: Arc<Polling>,
}

struct Shared {
    id: u64,
    make: Box<dyn Fn() -> Result<Producing, KafkaError> + Send + Sync>,
    producing: ArcSwap<Producing>,
    made: Mutex<Instant>,
    counters: Mutex<HashMap<u64, Arc<DeliveryReports>>>,
    /// Counts the times that reports have made room.
    made_room: Mutex<u64>,
    room: Condvar,
}

struct Polling {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Who hears what became of one producer's messages.
pub struct DeliveryReports {
    /// Comes back with every report; given when it is made.
    id: u64,
    tell: Box<dyn Fn(Option<KafkaError>) + Send + Sync>,
    under_way: AtomicUsize,
    /// The sender that has it in its list, by number.
    known: AtomicU64,
}

/// How long messages wait for company.
const LINGER: &str = "5";
/// Unacknowledged messages of all producers together.
const BUFFER: u64 = 16 << 20;
/// One round of the thread; a stop waits for it.
const ROUND: Duration = Duration::from_millis(50);
/// Between two clients, where one after the other breaks.
const RENEWAL: Duration = Duration::from_secs(2);

/// A number that nothing else in this process has, and never 0.
fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl DeliveryReports {
    /// `tell` is called once for each message, on the sender's thread: with nothing when the broker
    /// has acknowledged it, with the error when it is lost for good.
    pub fn new(tell: impl Fn(Option<KafkaError>) + Send + Sync + 'static) -> Arc<DeliveryReports> {
        Arc::new(DeliveryReports {
            id: next_id(),
            tell: Box::new(tell),
            under_way: AtomicUsize::new(0),
            known: AtomicU64::new(0),
        })
    }

    /// Messages that wait for the broker's answer.
    pub fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    fn report(&self, error: Option<KafkaError>) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        (self.tell)(error);
    }
}

impl Sender {
    /// Creates the client and its thread; no broker is needed yet.
    pub fn new(
        cluster: &Cluster,
        properties: &Properties,
        client_id: &str,
    ) -> Result<Sender, KafkaError> {
        let config = settings::producer(cluster, properties, client_id, BUFFER, LINGER);
        let (client_id, servers) = (client_id.to_owned(), cluster.servers.clone());
        let make = move || Producing::new(&config, Context::new(&client_id, &servers), None);
        let shared = Arc::new(Shared {
            id: next_id(),
            producing: ArcSwap::from_pointee(make()?),
            make: Box::new(make),
            made: Mutex::new(Instant::now()),
            counters: Mutex::default(),
            made_room: Mutex::new(0),
            room: Condvar::new(),
        });
        let stop = Arc::new(AtomicBool::new(false));
        let (polled, stopped) = (shared.clone(), stop.clone());
        let thread = std::thread::Builder::new()
            .name("sender".into())
            .spawn(move || {
                while !stopped.load(Ordering::Acquire) {
                    polled.poll(ROUND);
                }
            })
            .map_err(|error| {
                KafkaError::new(
                    "_CRIT_SYS_RESOURCE",
                    format!("no thread for the producers: {error}"),
                )
            })?;
        Ok(Sender {
            shared,
            _thread: Arc::new(Polling {
                stop,
                thread: Some(thread),
            }),
        })
    }

    /// Queues one message, counted in `counter` when the broker has answered. After
    /// [`SendError::Full`] wait for [`Sender::wait_for_room`] and build it anew: its headers are used up.
    pub fn send(
        &self,
        outgoing: Outgoing<'_, '_>,
        counter: &Arc<DeliveryReports>,
    ) -> Result<(), SendError> {
        let id = self.shared.id;
        if counter.known.load(Ordering::Acquire) != id {
            self.shared.know(counter);
            counter.known.store(id, Ordering::Release);
        }
        // Before, because the answer may come before `send` has returned.
        counter.under_way.fetch_add(1, Ordering::Relaxed);
        let producing = self.shared.producing.load();
        let result = producing.send(outgoing, counter.id as usize);
        if result.is_err() {
            counter.under_way.fetch_sub(1, Ordering::Relaxed);
        }
        result
    }

    /// Waits until some of what is queued has been answered, at most `most`; whether it has. Blocks.
    pub fn wait_for_room(&self, most: Duration) -> bool {
        let shared = &self.shared;
        let before = *lock(&shared.made_room);
        // The answer may have come between `Full` and this call: then there is nothing to wait for.
        if shared.producing.load().unfinished() == 0 {
            return true;
        }
        shared
            .room
            .wait_timeout_while(lock(&shared.made_room), most, |now| *now == before)
            .is_ok_and(|(_, waited)| !waited.timed_out())
    }

    /// Waits until everything sent is answered, at most `timeout`. Blocks.
    pub fn flush(&self, timeout: Duration) -> Result<(), KafkaError> {
        let shared = &self.shared;
        let mut count = Counting::new(shared);
        let producing = shared.producing.load_full();
        producing.flush(timeout, |id, error| count.report(id, error))
    }

    /// The next error that concerns the producer as a whole, such as brokers that are away.
    pub fn next_error(&self) -> Option<KafkaError> {
        self.shared.producing.load().context().next_error()
    }

    /// librdkafka's statistics since the last call, if there are new ones.
    pub fn statistics(&self) -> Option<Statistics> {
        self.shared.producing.load().context().statistics()
    }

    /// Messages of all producers that are queued or on their way.
    pub fn unfinished(&self) -> usize {
        self.shared.producing.load().unfinished()
    }
}

impl Shared {
    fn know(&self, counter: &Arc<DeliveryReports>) {
        let counters = &mut *lock(&self.counters);
        // Those of producers that a reload has taken away, once nothing of them is under way.
        counters.retain(|_, old| Arc::strong_count(old) > 1 || old.under_way() > 0);
        counters.insert(counter.id, counter.clone());
    }

    fn poll(&self, wait: Duration) {
        let mut count = Counting::new(self);
        let producing = self.producing.load_full();
        if producing.reports(wait, |id, error| count.report(id, error)) {
            *lock(&self.made_room) += 1;
            self.room.notify_all();
        }
        if producing.is_broken() && producing.unfinished() == 0 {
            self.renew();
        }
    }

    /// Takes another client: one that was denied something at its start is of no more use, also when it
    /// has the right by now.
    fn renew(&self) {
        let mut made = lock(&self.made);
        if made.elapsed() < RENEWAL {
            return;
        }
        *made = Instant::now();
        match (self.make)() {
            Ok(producing) => self.producing.store(Arc::new(producing)),
            Err(error) => tracing::warn!("the producers have no client: {error}"),
        }
    }
}

/// Counts reports; neighbours mostly belong to the same producer.
struct Counting<'a> {
    shared: &'a Shared,
    last: Option<Arc<DeliveryReports>>,
}

impl<'a> Counting<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self { shared, last: None }
    }

    fn report(&mut self, id: u64, error: Option<KafkaError>) {
        if self.last.as_ref().is_none_or(|counter| counter.id != id) {
            self.last = lock(&self.shared.counters).get(&id).cloned();
        }
        match &self.last {
            Some(counter) => counter.report(error),
            None => tracing::debug!(id, "a report for a producer that is gone"),
        }
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the producers' thread has panicked");
        }
    }
}
