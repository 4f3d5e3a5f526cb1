//! How much a member may have started and not finished: in messages and in bytes, for itself and for the
//! part of each of its partitions that only waits.
//!
//! A quarter of `buffer` each is for the client's prefetch, for its bookkeeping of small messages, for
//! emits that are not acknowledged, and for what the member itself keeps: what is under way, and what it
//! has taken and not started.

use slab::Slab;

use crate::config::Group;
use crate::delivery::Delivery;

use super::lane::Lane;

/// The bounds in force.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) messages: usize,
    pub(super) bytes: usize,
    pub(super) lanes: usize,
}

impl Room {
    pub(super) fn new(group: &Group, lanes: usize) -> Self {
        Self {
            messages: group.in_flight,
            bytes: (group.buffer / 4) as usize,
            lanes: lanes.max(1),
        }
    }
}

/// What of a partition waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl Waiting {
    /// Whether it fills the partition's share of the bounds: more would be taken from the others, for
    /// as long as this one waits.
    pub(super) fn is_full(self, room: Room) -> bool {
        // Nearly always nothing waits.
        self.messages > 0
            && (self.messages >= (room.messages / room.lanes).max(1)
                || self.bytes >= room.bytes / room.lanes)
    }
}

/// Notes that a delivery begins or ceases to wait.
pub(super) fn set_waits(lanes: &mut Slab<Lane>, delivery: &mut Delivery, waits: bool) {
    if delivery.waits() == waits {
        return;
    }
    delivery.set_waits(waits);
    let (id, size) = (delivery.lane(), delivery.record().size());
    let Some(lane) = lanes.get_mut(id.index).filter(|lane| lane.id == id) else {
        return;
    };
    let waiting = &mut lane.waiting;
    if waits {
        waiting.messages += 1;
        waiting.bytes += size;
    } else {
        debug_assert!(waiting.messages > 0 && waiting.bytes >= size);
        waiting.messages = waiting.messages.saturating_sub(1);
        waiting.bytes = waiting.bytes.saturating_sub(size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room {
        messages: 100,
        bytes: 1000,
        lanes: 4,
    };

    fn full(messages: usize, bytes: usize) -> bool {
        Waiting { messages, bytes }.is_full(ROOM)
    }

    /// A partition's share is the same part of the messages and of the bytes.
    #[test]
    fn a_partition_may_have_its_share_wait() {
        assert!(!full(24, 249));
        assert!(full(25, 0) && full(1, 250));
        assert!(!full(0, 0));
    }

    /// However small the bounds, one message of each partition may wait.
    #[test]
    fn one_message_may_always_wait() {
        let small = Room {
            messages: 1,
            bytes: 3,
            lanes: 4,
        };
        let waiting = |messages, bytes| Waiting { messages, bytes }.is_full(small);
        assert!(!waiting(0, 0) && waiting(1, 10));
    }
}
