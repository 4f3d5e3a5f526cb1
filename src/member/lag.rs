//! How far a partition is behind: how many messages are not handled, and how old the first of them is.
//!
//! Both count what is in flight, waits for a retry or is stuck. The age is that of the message's own
//! timestamp wherever the message is at hand. Only of one that is not fetched yet it is bounded: it was
//! written after the one before it, and after the member last saw that nothing was left.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::kafka::Consumer;

use super::lane::Lane;
use super::turn::Member;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lag {
    /// Messages that are not handled.
    pub(super) messages: i64,
    /// When the first of them was written, in milliseconds since the epoch, if that is known.
    pub(super) oldest: Option<i64>,
}

impl Member {
    /// Notes where nothing is left now: what comes after has not waited for longer.
    pub(super) fn note_caught_up(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.ok().and_then(|now| i64::try_from(now.as_millis()).ok());
        for (_, lane) in &mut self.lanes {
            if lag(lane, &self.consumer).is_some_and(|lag| lag.messages == 0) {
                lane.caught_up = now;
            }
        }
    }
}

/// How far a lane is behind; `None` while its end is not known.
pub(super) fn lag(lane: &Lane, consumer: &Consumer) -> Option<Lag> {
    let end = end(lane, consumer)?;
    let next = match lane.held.front() {
        Some(held) => held.offset,
        // Nothing is left; the client need not be asked.
        None if lane.position >= end => lane.position,
        None => {
            let passed = consumer.passed(&lane.partition);
            passed.map_or(lane.position, |passed| passed.max(lane.position))
        }
    };
    let at_hand = || consumer.next_written(&lane.partition);
    Some(of(lane, end, next, at_hand))
}

/// The end of a lane's partition, where it is known.
pub(super) fn end(lane: &Lane, consumer: &Consumer) -> Option<i64> {
    consumer.known_end(&lane.partition).max(lane.end_told)
}

/// `next` is the first offset that is not begun; `at_hand` is when the next message was written that the
/// client has at hand.
fn of(lane: &Lane, end: i64, next: i64, at_hand: impl FnOnce() -> Option<i64>) -> Lag {
    let (unfinished, left) = (lane.tracker.unfinished(), (end - next).max(0));
    let written = if unfinished > 0 {
        lane.tracker.oldest_written()
    } else if let Some(held) = lane.held.front() {
        held.timestamp
    } else {
        at_hand()
    };
    Lag {
        messages: left + unfinished as i64,
        oldest: written.or(lane.last_timestamp.max(lane.caught_up)),
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::Arc;

    use super::*;
    use crate::config::Ordering;
    use crate::delivery::{LaneId, Record};
    use crate::kafka::Partition;

    fn lane(committed: i64) -> Lane {
        let id = LaneId { index: 0, epoch: 1 };
        let partition = Partition {
            topic: Arc::from("t"),
            number: 0,
        };
        Lane::new(id, partition, Ordering::None, Some(committed), "")
    }

    fn behind(lane: &Lane, end: i64) -> (i64, Option<i64>) {
        let next = lane.held.front().map_or(lane.position, |held| held.offset);
        let lag = of(lane, end, next, || None);
        (lag.messages, lag.oldest)
    }

    fn record(offset: i64, timestamp: i64) -> Rc<Record> {
        let mut record = Record::default();
        (record.offset, record.timestamp) = (offset, Some(timestamp));
        Rc::new(record)
    }

    /// What is started and not finished counts, and the first of it is the oldest, whatever was finished
    /// beyond it.
    #[test]
    fn unfinished_messages_count() {
        let mut lane = lane(10);
        lane.position = 13;
        for (offset, written) in [(10, 1000), (11, 2000), (12, 3000)] {
            lane.tracker.started(offset, Some(written));
        }
        lane.tracker.finished(11);
        lane.last_timestamp = Some(2000);
        assert_eq!(behind(&lane, 13), (2, Some(1000)));
        lane.tracker.finished(10);
        assert_eq!(behind(&lane, 13), (1, Some(3000)));
        lane.tracker.finished(12);
        assert_eq!(behind(&lane, 13).0, 0);
    }

    /// What is held back is as old as it is, however long ago the one before it was written.
    #[test]
    fn held_messages_have_their_own_age() {
        let mut lane = lane(10);
        lane.position = 11;
        lane.last_timestamp = Some(5);
        lane.hold(record(10, 7000));
        assert_eq!(behind(&lane, 12), (2, Some(7000)));
    }

    /// Of a message that is not at hand it is known that it came after the one before it, and after
    /// the time when nothing was left.
    #[test]
    fn messages_not_at_hand_are_no_older_than_what_was_seen() {
        let mut lane = lane(10);
        assert_eq!(behind(&lane, 12), (2, None));
        lane.last_timestamp = Some(1000);
        assert_eq!(behind(&lane, 12), (2, Some(1000)));
        lane.caught_up = Some(9000);
        assert_eq!(behind(&lane, 12), (2, Some(9000)));
        assert_eq!(of(&lane, 12, 10, || Some(9500)).oldest, Some(9500));
    }
}
