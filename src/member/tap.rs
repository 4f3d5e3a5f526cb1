//! Somebody watches: what handlers are called with, and what came of it.
//!
//! A member never waits for who watches: what does not fit into the channel, or is beyond the rate, is
//! counted and left out. The rate is given in portions by whoever reads, so that no clock is read
//! here. Without a tap a message costs a look at an empty list.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use tokio::sync::mpsc::{self, error::TrySendError};

use crate::delivery::{Delivery, Effects};
use crate::script::Outcome;

use super::turn::Member;

/// Bytes of a key, value or header that are shown.
const MOST_SHOWN: usize = 16 << 10;
/// Messages on their way to who watches.
const QUEUE: usize = 256;

/// Where members show their messages.
#[derive(Debug)]
pub struct Tap {
    /// Of each member's messages one in so many.
    sample: u64,
    values: bool,
    /// Messages that may still be shown until the next portion.
    portion: AtomicU32,
    left_out: AtomicU64,
    seen: mpsc::Sender<Seen>,
}

/// One call of the handler.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub member: Arc<str>,
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since the epoch.
    pub timestamp: Option<i64>,
    pub attempt: u32,
    pub key: Shown,
    pub value: Shown,
    pub headers: Vec<(String, Shown)>,
    pub result: CallResult,
    /// Messages that it emitted, by topic.
    pub emits: Vec<(Arc<str>, u64)>,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallResult {
    Done,
    Failed(String),
    Rejected(String),
}

/// Some bytes of a message, as far as they are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// `None` is Kafka's null.
    pub size: Option<usize>,
    /// The bytes or their beginning, where they are not masked.
    pub bytes: Option<Vec<u8>>,
}

impl Tap {
    /// With what comes through it. `sample`: each member shows one message of so many.
    pub fn new(sample: u64, values: bool) -> (Arc<Self>, mpsc::Receiver<Seen>) {
        let (seen, receiver) = mpsc::channel(QUEUE);
        let tap = Self {
            sample: sample.max(1),
            values,
            portion: AtomicU32::new(0),
            left_out: AtomicU64::new(0),
            seen,
        };
        (Arc::new(tap), receiver)
    }

    /// So many messages may be shown from now on; what is left of the last portion is lost.
    pub fn portion(&self, messages: u32) {
        self.portion.store(messages, Ordering::Relaxed);
    }

    /// How many were left out since the last call, beyond the rate or the channel's room.
    pub fn take_left_out(&self) -> u64 {
        self.left_out.swap(0, Ordering::Relaxed)
    }

    /// Whether nobody watches any more.
    pub fn is_over(&self) -> bool {
        self.seen.is_closed()
    }

    fn allows(&self) -> bool {
        let less = |left: u32| left.checked_sub(1);
        let taken = self
            .portion
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        if taken.is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        taken.is_ok()
    }

    fn shown(&self, bytes: Option<&[u8]>) -> Shown {
        let visible = |bytes: &[u8]| bytes[..bytes.len().min(MOST_SHOWN)].to_vec();
        Shown {
            size: bytes.map(<[u8]>::len),
            bytes: bytes.filter(|_| self.values).map(visible),
        }
    }
}

/// A tap, as one member has it.
#[derive(Debug)]
pub(super) struct Watched {
    tap: Arc<Tap>,
    /// Messages until the next one that is shown.
    until_next: u64,
}

impl Watched {
    pub(super) fn new(tap: Arc<Tap>) -> Self {
        Self { tap, until_next: 0 }
    }

    pub(super) fn is(&self, tap: &Arc<Tap>) -> bool {
        Arc::ptr_eq(&self.tap, tap)
    }

    /// Shows a call, if it is its turn. Whether somebody still watches.
    fn show(
        &mut self,
        member: &Arc<str>,
        delivery: &Delivery,
        outcome: &Outcome,
        effects: &Effects,
    ) -> bool {
        if let Some(left) = self.until_next.checked_sub(1) {
            self.until_next = left;
            return true;
        }
        self.until_next = self.tap.sample - 1;
        if !self.tap.allows() {
            return !self.tap.is_over();
        }
        let seen = self.seen(member, delivery, outcome, effects);
        match self.tap.seen.try_send(seen) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.tap.left_out.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(TrySendError::Closed(_)) => false,
        }
    }

    fn seen(
        &self,
        member: &Arc<str>,
        delivery: &Delivery,
        outcome: &Outcome,
        effects: &Effects,
    ) -> Seen {
        let record = delivery.record();
        let headers = record
            .headers()
            .map(|(name, value)| (name.to_owned(), self.tap.shown(value)));
        let (result, counts) = match outcome {
            Outcome::Done => (CallResult::Done, true),
            Outcome::Failed(failure) => (CallResult::Failed(failure.reason.clone()), false),
            Outcome::Rejected(failure) => (CallResult::Rejected(failure.reason.clone()), false),
        };
        let mut emits: Vec<(Arc<str>, u64)> = Vec::new();
        // What a call that failed had emitted before is discarded.
        for emit in effects.emits().filter(|_| counts) {
            match emits.iter_mut().find(|(topic, _)| topic == emit.topic()) {
                Some((_, count)) => *count += 1,
                None => emits.push((emit.topic().clone(), 1)),
            }
        }
        Seen {
            member: member.clone(),
            topic: record.topic.clone(),
            partition: record.partition,
            offset: record.offset,
            timestamp: record.timestamp,
            attempt: delivery.attempt(),
            key: self.tap.shown(record.key()),
            value: self.tap.shown(record.value()),
            headers: headers.collect(),
            result,
            emits,
        }
    }
}

impl Member {
    /// Shows a call to those who watch.
    #[cold]
    pub(super) fn show(&mut self, delivery: &Delivery, outcome: &Outcome) {
        let (name, effects) = (&self.name, self.handler.effects());
        self.watched
            .retain_mut(|watched| watched.show(name, delivery, outcome, effects));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::{LaneId, Record};
    use std::rc::Rc;

    fn calls(tap: &Arc<Tap>, count: i64) -> bool {
        let mut watched = Watched::new(tap.clone());
        let (member, effects) = (Arc::from("g-1"), Effects::default());
        let mut watching = true;
        for offset in 0..count {
            let mut record = Record::default();
            record.offset = offset;
            record.set_value(Some(b"secret"));
            let lane = LaneId { index: 0, epoch: 0 };
            let delivery = Delivery::new(Rc::new(record), lane);
            watching = watched.show(&member, &delivery, &Outcome::Done, &effects);
            delivery.end();
        }
        watching
    }

    fn offsets(seen: &mut mpsc::Receiver<Seen>) -> Vec<i64> {
        std::iter::from_fn(|| seen.try_recv().ok().map(|seen| seen.offset)).collect()
    }

    /// Of each member's messages one in so many; beyond the portion none, and they are counted.
    #[test]
    fn a_sample_within_the_rate_is_shown() {
        let (tap, mut seen) = Tap::new(3, false);
        calls(&tap, 3);
        assert_eq!((offsets(&mut seen), tap.take_left_out()), (vec![], 1));
        tap.portion(2);
        calls(&tap, 12);
        assert_eq!((offsets(&mut seen), tap.take_left_out()), (vec![0, 3], 2));
    }

    /// Who does not read in time misses messages, and nobody waits for them.
    #[test]
    fn a_slow_reader_misses_messages() {
        let (tap, mut seen) = Tap::new(1, false);
        tap.portion(u32::MAX);
        assert!(calls(&tap, QUEUE as i64 + 10));
        assert_eq!(tap.take_left_out(), 10);
        assert_eq!(offsets(&mut seen).len(), QUEUE);
        drop(seen);
        assert!(!calls(&tap, 1), "nobody watches any more");
    }

    /// What a message holds is shown only when asked for, and not beyond a size.
    #[test]
    fn values_are_masked_unless_asked_for() {
        let shown = |values| {
            let (tap, mut seen) = Tap::new(1, values);
            tap.portion(1);
            calls(&tap, 1);
            let seen = seen.try_recv().unwrap();
            (seen.value, seen.key)
        };
        let null = Shown {
            size: None,
            bytes: None,
        };
        let masked = Shown {
            size: Some(6),
            bytes: None,
        };
        assert_eq!(shown(false), (masked.clone(), null.clone()));
        let bytes = Some(b"secret".to_vec());
        assert_eq!(shown(true), (Shown { bytes, ..masked }, null));
        let (tap, _seen) = Tap::new(1, true);
        let cut = tap.shown(Some(&vec![b'x'; MOST_SHOWN + 1]));
        assert_eq!(cut.bytes.map(|bytes| bytes.len()), Some(MOST_SHOWN));
    }
}
