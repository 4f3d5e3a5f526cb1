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
            closed: HashMap::new(),
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
            return queue;
        };
        let free = closed
            .queue
            .partition_point(|delivery| delivery.record().offset < *first);
        closed.queue.drain(..free).collect()
    }

    /// Takes everything that waits in a queue, for the partition is given up.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Delivery> {
        std::mem::take(&mut self.closed)
            .into_values()
            .flat_map(|closed| closed.queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::LaneId;
    use std::rc::Rc;

    fn record(offset: i64, key: Option<&str>) -> Record {
        let mut record = Record::default();
        record.offset = offset;
        record.set_key(key.map(str::as_bytes));
        record
    }

    fn delivery(offset: i64, key: &str) -> Delivery {
        let lane = LaneId { index: 0, epoch: 0 };
        Delivery::new(Rc::new(record(offset, Some(key))), lane)
    }

    fn offsets(deliveries: impl IntoIterator<Item = Delivery>) -> Vec<i64> {
        deliveries.into_iter().map(|d| d.end().offset).collect()
    }

    /// A message that waits for its retry holds back its own key and nothing else.
    #[test]
    fn a_waiting_key_holds_back_only_itself() {
        let mut gate = Gate::new(Ordering::Key);
        gate.close(&record(0, Some("a")));
        assert!(gate.is_closed_for(&record(1, Some("a"))));
        assert!(!gate.is_closed_for(&record(2, Some("b"))));
        assert!(!gate.is_closed_for(&record(3, None)));
        assert!(!gate.holds_everything());
    }

    #[test]
    fn a_waiting_message_holds_back_its_partition() {
        let mut gate = Gate::new(Ordering::Partition);
        gate.close(&record(0, None));
        assert!(gate.holds_everything());
        assert!(gate.is_closed_for(&record(1, Some("b"))));
        gate.open(&record(0, None));
        assert!(!gate.holds_everything());
    }

    #[test]
    fn without_order_nothing_waits() {
        let mut gate = Gate::new(Ordering::None);
        gate.close(&record(0, Some("a")));
        assert!(!gate.is_closed_for(&record(1, Some("a"))));
    }

    /// Messages that failed together are tried again in their order.
    #[test]
    fn what_failed_together_goes_on_in_its_order() {
        let mut gate = Gate::new(Ordering::Partition);
        gate.close(&record(3, Some("a")));
        assert_eq!(gate.later(&record(1, Some("b"))), Some(3));
        gate.close(&record(1, Some("b")));
        assert!(!gate.is_closed_for(&record(1, Some("b"))));
        gate.queue(delivery(5, "a"));
        let mut waited = delivery(3, "a");
        waited.set_holds_gate(true);
        gate.queue(waited);
        gate.queue(delivery(2, "a"));
        assert_eq!(gate.later(&record(1, Some("b"))), None);
        assert_eq!(offsets(gate.open(&record(1, Some("b")))), [2, 3, 5]);
    }

    /// What lies before everything that still waits need not wait with it.
    #[test]
    fn only_what_lies_behind_a_waiting_message_stays() {
        let mut gate = Gate::new(Ordering::Partition);
        gate.close(&record(1, None));
        gate.close(&record(3, None));
        gate.queue(delivery(2, "a"));
        gate.queue(delivery(4, "a"));
        assert_eq!(offsets(gate.open(&record(1, None))), [2]);
        assert!(gate.holds_everything());
        assert_eq!(offsets(gate.open(&record(3, None))), [4]);
    }

    #[test]
    fn what_waited_goes_on_in_its_order_when_the_last_one_is_through() {
        let mut gate = Gate::new(Ordering::Key);
        gate.close(&record(0, Some("a")));
        gate.close(&record(1, Some("a")));
        gate.queue(delivery(2, "a"));
        gate.queue(delivery(3, "a"));
        assert!(offsets(gate.open(&record(0, Some("a")))).is_empty());
        assert_eq!(offsets(gate.open(&record(1, Some("a")))), [2, 3]);
        assert!(!gate.is_closed_for(&record(4, Some("a"))));
    }
}
