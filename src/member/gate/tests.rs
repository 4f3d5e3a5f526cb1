use super::*;
use crate::delivery::LaneId;
use proptest::prelude::*;
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

/// Another ordering counts at once where nothing waits, else when the last one that waits is through.
#[test]
fn another_ordering_counts_when_nothing_waits() {
    let mut gate = Gate::new(Ordering::Partition);
    gate.close(&record(0, Some("a")));
    gate.set_ordering(Ordering::Key);
    assert!(gate.is_closed_for(&record(1, Some("b"))));
    gate.queue(delivery(1, "b"));
    assert_eq!(offsets(gate.open(&record(0, Some("a")))), [1]);
    gate.close(&record(2, Some("a")));
    assert!(!gate.is_closed_for(&record(3, Some("b"))));
    gate.open(&record(2, Some("a")));
    gate.set_ordering(Ordering::Partition);
    gate.close(&record(4, Some("a")));
    assert!(gate.holds_everything() && gate.is_closed_for(&record(5, Some("b"))));
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

/// What happens next in a run of the scheduler below.
#[derive(Debug, Clone)]
enum Step {
    /// The next message in line, of one of three keys or of none.
    Start { key: Option<u8>, outcome: Outcome },
    /// One that waits for its retry is due.
    Retry { pick: usize, outcome: Outcome },
    /// The broker's answer for one whose emits are on their way.
    Answer { pick: usize, refused: bool },
    /// The partition goes away and comes back.
    Revoke,
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    Done,
    Failed,
    /// It emitted: whether it is finished is known later.
    OnItsWay,
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        3 => Just(Outcome::Done),
        1 => Just(Outcome::Failed),
        2 => Just(Outcome::OnItsWay),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = prop::option::weighted(0.8, 0u8..3);
    let step = prop_oneof![
        6 => (key, outcome()).prop_map(|(key, outcome)| Step::Start { key, outcome }),
        3 => (any::<usize>(), outcome()).prop_map(|(pick, outcome)| Step::Retry { pick, outcome }),
        4 => (any::<usize>(), prop::bool::weighted(0.2))
            .prop_map(|(pick, refused)| Step::Answer { pick, refused }),
        1 => Just(Step::Revoke),
    ];
    prop::collection::vec(step, 0..150)
}

/// One partition of a member, as `work` runs it, beside a model that only knows who waits.
struct Run {
    ordering: Ordering,
    gate: Gate,
    ready: VecDeque<Delivery>,
    retries: Vec<Delivery>,
    on_their_way: Vec<Delivery>,
    keys: Vec<Option<u8>>,
    next: i64,
    done: BTreeSet<i64>,
    /// The model: failed, or behind one that failed, and not called since.
    waits: BTreeSet<i64>,
}

impl Run {
    fn new(ordering: Ordering) -> Self {
        Self {
            ordering,
            gate: Gate::new(ordering),
            ready: VecDeque::new(),
            retries: Vec::new(),
            on_their_way: Vec::new(),
            keys: Vec::new(),
            next: 0,
            done: BTreeSet::new(),
            waits: BTreeSet::new(),
        }
    }

    fn record(&self, offset: i64) -> Record {
        let key = self.keys[offset as usize].map(|key| key.to_string());
        record(offset, key.as_deref())
    }

    /// Whether two messages have to keep their order.
    fn ordered(&self, one: i64, other: i64) -> bool {
        let (one, other) = (self.keys[one as usize], self.keys[other as usize]);
        match self.ordering {
            Ordering::Partition => true,
            Ordering::Key => one.is_some() && one == other,
            Ordering::None => false,
        }
    }

    fn start(&mut self, key: Option<u8>, outcome: Outcome) {
        self.run_ready(outcome);
        if self.gate.holds_everything() || !self.ready.is_empty() {
            return;
        }
        if self.next == self.keys.len() as i64 {
            self.keys.push(key);
        }
        let offset = self.next;
        self.next += 1;
        if self.done.contains(&offset) {
            return;
        }
        let lane = LaneId { index: 0, epoch: 0 };
        let delivery = Delivery::new(Rc::new(self.record(offset)), lane);
        self.waits.insert(offset);
        if self.gate.is_closed_for(delivery.record()) {
            self.gate.queue(delivery);
        } else {
            self.call(delivery, outcome);
        }
    }

    fn run_ready(&mut self, outcome: Outcome) {
        while let Some(delivery) = self.ready.pop_front() {
            if self.gate.is_closed_for(delivery.record()) {
                self.gate.queue(delivery);
            } else {
                self.call(delivery, outcome);
            }
        }
    }

    fn call(&mut self, delivery: Delivery, outcome: Outcome) {
        let offset = delivery.record().offset;
        let overtaken = self
            .waits
            .range(..offset)
            .find(|w| self.ordered(**w, offset));
        assert_eq!(overtaken, None, "{offset} was called before one that waits");
        self.waits.remove(&offset);
        match outcome {
            Outcome::Done => self.end(delivery),
            Outcome::Failed => self.fail(delivery),
            Outcome::OnItsWay => self.on_their_way.push(delivery),
        }
    }

    fn end(&mut self, mut delivery: Delivery) {
        if delivery.holds_gate() {
            delivery.set_holds_gate(false);
            self.ready.extend(self.gate.open(delivery.record()));
        }
        let offset = delivery.end().offset;
        assert!(self.done.insert(offset), "{offset} was finished twice");
    }

    fn fail(&mut self, mut delivery: Delivery) {
        self.waits.insert(delivery.record().offset);
        if self.gate.is_closed_for(delivery.record()) {
            return self.gate.queue(delivery);
        }
        let later = self.gate.later(delivery.record());
        if !delivery.holds_gate() {
            self.gate.close(delivery.record());
            delivery.set_holds_gate(true);
        }
        self.retries.push(delivery);
        let place = |each: &Delivery| Some(each.record().offset) == later;
        if let Some(place) = self.retries.iter().position(place) {
            self.gate.queue(self.retries.remove(place));
        }
    }

    /// Everything started and unfinished is given up, and comes again after what is finished.
    fn revoke(&mut self) {
        let mut unfinished: Vec<Delivery> = self.gate.drain().collect();
        unfinished.extend(self.ready.drain(..));
        unfinished.append(&mut self.retries);
        unfinished.append(&mut self.on_their_way);
        let started = (0..self.next).filter(|offset| !self.done.contains(offset));
        assert_eq!(
            unfinished
                .iter()
                .map(|d| d.record().offset)
                .collect::<BTreeSet<_>>(),
            started.collect(),
            "something was forgotten"
        );
        offsets(unfinished);
        self.gate = Gate::new(self.ordering);
        self.waits.clear();
        self.next = (0..self.next)
            .find(|o| !self.done.contains(o))
            .unwrap_or(self.next);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Start { key, outcome } => self.start(key, outcome),
            Step::Retry { pick, outcome } if !self.retries.is_empty() => {
                let delivery = self.retries.swap_remove(pick % self.retries.len());
                self.call(delivery, outcome);
            }
            Step::Answer { pick, refused } if !self.on_their_way.is_empty() => {
                let place = pick % self.on_their_way.len();
                let delivery = self.on_their_way.remove(place);
                match refused {
                    true => self.fail(delivery),
                    false => self.end(delivery),
                }
            }
            Step::Retry { .. } | Step::Answer { .. } => {}
            Step::Revoke => self.revoke(),
        }
    }

    /// Nothing fails any more: then everything comes to its end.
    fn come_to_an_end(&mut self) {
        for _ in 0..10_000 {
            if self.done.len() == self.keys.len() {
                return;
            }
            for delivery in std::mem::take(&mut self.on_their_way) {
                self.end(delivery);
            }
            self.retries
                .sort_by_key(|delivery| delivery.record().offset);
            if !self.retries.is_empty() {
                let delivery = self.retries.remove(0);
                self.call(delivery, Outcome::Done);
            }
            self.run_ready(Outcome::Done);
            if self.next < self.keys.len() as i64 {
                self.start(None, Outcome::Done);
            }
        }
        panic!("it stands still: {:?} wait", self.waits);
    }
}

proptest! {
    /// Whatever fails, is refused late or is revoked: no message is called before an earlier one
    /// that waits and that it must keep its order with, none is forgotten, and all come to an end.
    #[test]
    fn nobody_overtakes_what_waits(steps in steps(), ordering in prop_oneof![
        Just(Ordering::Partition), Just(Ordering::Key), Just(Ordering::None)
    ]) {
        let mut run = Run::new(ordering);
        for step in steps {
            run.step(step);
        }
        run.come_to_an_end();
    }
}
