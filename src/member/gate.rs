//! The gate: which messages of a partition must wait behind one that waits for its retry.
//!
//! [`Gate::close`] when a message starts to wait, [`Gate::open`] when it is through; in between,
//! [`Gate::is_closed_for`] tells who must queue. Nothing here knows time or Kafka.

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::config::Ordering;
use crate::delivery::{Delivery, Record};

/// What waits for what in one partition.
#[derive(Debug)]
pub(super) struct Gate {
    ordering: Ordering,
    /// In force as soon as nothing waits by the one before.
    wanted: Ordering,
    /// By key; with `ordering = "partition"` there is one entry, under the empty key.
    closed: HashMap<Box<[u8]>, Closed>,
}

#[derive(Debug, Default)]
struct Closed {
    /// The messages of the key that are waiting for a retry, by offset.
    waiting: BTreeSet<i64>,
    /// Behind them, in offset order.
    queue: VecDeque<Delivery>,
}

impl Gate {
    pub(super) fn new(ordering: Ordering) -> Self {
        Self {
            ordering,
            wanted: ordering,
            closed: HashMap::new(),
        }
    }

    /// Goes by another ordering from now on; what waits already is let through by the one before.
    pub(super) fn set_ordering(&mut self, ordering: Ordering) {
        self.wanted = ordering;
        self.follow();
    }

    fn follow(&mut self) {
        if self.closed.is_empty() {
            self.ordering = self.wanted;
        }
    }

    /// The queue that a record belongs to; `None`: it waits for nobody.
    fn key<'a>(&self, record: &'a Record) -> Option<&'a [u8]> {
        match self.ordering {
            Ordering::Partition => Some(b""),
            // A message without a key has no order to keep.
            Ordering::Key => record.key(),
            Ordering::None => None,
        }
    }

    /// Whether the whole partition waits.
    pub(super) fn holds_everything(&self) -> bool {
        self.ordering == Ordering::Partition && !self.closed.is_empty()
    }

    /// Whether this record must wait, behind one that came before it.
    pub(super) fn is_closed_for(&self, record: &Record) -> bool {
        // Nearly always nothing waits: then no key is looked at.
        !self.closed.is_empty()
            && self
                .waiting(record)
                .and_then(BTreeSet::first)
                .is_some_and(|first| *first < record.offset)
    }

    /// The first message behind this one that waits already. Emits that the broker refuses fail their
    /// messages late, so that a later one can have failed first.
    pub(super) fn later(&self, record: &Record) -> Option<i64> {
        let mut later = self.waiting(record)?.range(record.offset + 1..);
        later.next().copied()
    }

    fn waiting(&self, record: &Record) -> Option<&BTreeSet<i64>> {
        let closed = self.closed.get(self.key(record)?)?;
        Some(&closed.waiting)
    }

    /// Makes what follows `record` wait.
    pub(super) fn close(&mut self, record: &Record) {
        if let Some(key) = self.key(record) {
            let closed = self.closed.entry(key.into()).or_default();
            closed.waiting.insert(record.offset);
        }
    }

    /// Queues a delivery for which the gate is closed, at its place.
    pub(super) fn queue(&mut self, mut delivery: Delivery) {
        let Some(key) = self.key(delivery.record()).map(Box::from) else {
            debug_assert!(false, "only what waits for a key is queued");
            return;
        };
        let closed = self.closed.entry(key).or_default();
        let offset = delivery.record().offset;
        if delivery.holds_gate() {
            closed.waiting.remove(&offset);
            delivery.set_holds_gate(false);
        }
        let place = closed
            .queue
            .partition_point(|other| other.record().offset < offset);
        closed.queue.insert(place, delivery);
    }

    /// Lets what waited behind `record` go, as far as nothing else of its key makes it wait.
    pub(super) fn open(&mut self, record: &Record) -> VecDeque<Delivery> {
        let Some(key) = self.key(record) else {
            return VecDeque::new();
        };
        let Some(closed) = self.closed.get_mut(key) else {
            return VecDeque::new();
        };
        closed.waiting.remove(&record.offset);
        let Some(first) = closed.waiting.first() else {
            let queue = std::mem::take(&mut closed.queue);
            self.closed.remove(key);
            self.follow();
            return queue;
        };
        let free = closed
            .queue
            .partition_point(|delivery| delivery.record().offset < *first);
        closed.queue.drain(..free).collect()
    }

    /// Takes everything that waits in a queue, for the partition is given up.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Delivery> {
        let closed = std::mem::take(&mut self.closed);
        self.follow();
        closed.into_values().flat_map(|closed| closed.queue)
    }
}

#[cfg(test)]
mod tests;
