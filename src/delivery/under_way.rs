//! A delivery: a message under way, which can not be forgotten.

use std::rc::Rc;
use std::time::SystemTime;

use super::Record;

/// A message that was started. It must end in a [`Verdict`]: dropping it without one is a bug, on
/// which a debug build panics.
#[must_use]
#[derive(Debug)]
pub struct Delivery {
    record: Rc<Record>,
    /// The member's lane that it came from, and that lane's epoch.
    lane: LaneId,
    attempt: u32,
    first_failure: Option<SystemTime>,
    holds_gate: bool,
    waits: bool,
    ended: bool,
}

/// A partition's place in a member. The epoch tells a partition that came back from its former self.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneId {
    pub index: usize,
    pub epoch: u64,
}

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Handled, and every emit acknowledged.
    Handled,
    /// Given up; its dead letter is acknowledged.
    DeadLettered,
    /// Given up by the user's own policy.
    Skipped,
    /// Not finished: the partition goes to another member, or the daemon stops. It comes again.
    Abandoned,
}

impl Verdict {
    /// Whether a commit may pass the message.
    pub fn is_finished(self) -> bool {
        self != Self::Abandoned
    }
}

impl Delivery {
    /// The first attempt at a message.
    pub fn new(record: Rc<Record>, lane: LaneId) -> Self {
        Self {
            record,
            lane,
            attempt: 1,
            first_failure: None,
            holds_gate: false,
            waits: false,
            ended: false,
        }
    }

    pub fn record(&self) -> &Rc<Record> {
        &self.record
    }

    pub fn lane(&self) -> LaneId {
        self.lane
    }

    /// From 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// When it failed for the first time, if it has.
    pub fn first_failure(&self) -> Option<SystemTime> {
        self.first_failure
    }

    /// Notes that an attempt failed at `now`.
    pub fn failed(&mut self, now: SystemTime) {
        self.first_failure.get_or_insert(now);
    }

    /// Goes on to the next attempt.
    pub fn again(&mut self) {
        self.attempt += 1;
    }

    /// Takes up what is known of an earlier delivery of the same message.
    pub fn restore(&mut self, attempt: u32, first_failure: Option<SystemTime>) {
        self.attempt = attempt;
        self.first_failure = first_failure;
    }

    /// Begins anew, with all its attempts, as after `resume`.
    pub fn afresh(&mut self) {
        self.attempt = 1;
        self.first_failure = None;
    }

    /// Whether others wait for it.
    pub fn holds_gate(&self) -> bool {
        self.holds_gate
    }

    pub fn set_holds_gate(&mut self, holds: bool) {
        self.holds_gate = holds;
    }

    /// Whether it waits for its next attempt, or behind one that does.
    pub fn waits(&self) -> bool {
        self.waits
    }

    pub fn set_waits(&mut self, waits: bool) {
        self.waits = waits;
    }

    /// Ends it, and gives the record back.
    pub fn end(mut self) -> Rc<Record> {
        self.ended = true;
        self.record.clone()
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        debug_assert!(
            self.ended || std::thread::panicking(),
            "{}/{}@{} was dropped without a verdict",
            self.record.topic,
            self.record.partition,
            self.record.offset
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "dropped without a verdict")]
    fn a_delivery_can_not_be_forgotten() {
        let lane = LaneId { index: 0, epoch: 0 };
        drop(Delivery::new(Rc::new(Record::default()), lane));
    }
}
