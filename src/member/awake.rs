//! Keeps librdkafka's own thread awake where it would sleep through something.
//!
//! It looks after the group only when something wakes it, or once a second: whether a heartbeat is due,
//! by whose answer a member hears of a rebalance; and whether to join again after the coordinator has
//! put it off, for two seconds (`rd_kafka_cgrp_join_state_serve`, `rd_kafka_cgrp_handle_JoinGroup`,
//! librdkafka 2.12). But the rounds of a rebalance each wait for the last member to hear of them; and a
//! coordinator that has just come back puts everybody off while it reads what it knows of the group.

use std::time::{Duration, Instant};

use super::turn::Member;

/// After a rebalance another often follows: the next round of it, or of whoever comes back.
const RESTLESS: Duration = Duration::from_secs(5);
/// How late a heartbeat may then be.
const WAKE_EVERY: Duration = Duration::from_millis(100);
/// Between attempts to join.
const JOIN_EVERY: Duration = Duration::from_millis(500);
/// So many attempts with a broker there; whoever is refused for longer waits as librdkafka has it.
const ATTEMPTS: u32 = 6;

/// When to wake it next.
#[derive(Debug)]
pub(super) struct Awake {
    restless_until: Instant,
    next: Instant,
    /// Attempts left while the member is outside of its group; 0 within.
    attempts: u32,
}

impl Awake {
    /// Of a member that has not joined yet.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            restless_until: now,
            next: now,
            attempts: ATTEMPTS,
        }
    }

    /// The group has asked something of the member.
    pub(super) fn rebalanced(&mut self, now: Instant) {
        self.restless_until = now + RESTLESS;
        self.next = now + WAKE_EVERY;
    }

    /// The group has given the member up.
    pub(super) fn is_outside(&mut self) {
        self.attempts = ATTEMPTS;
    }

    /// The group has given it an assignment.
    pub(super) fn is_inside(&mut self) {
        self.attempts = 0;
    }

    pub(super) fn due(&self) -> Option<Instant> {
        (self.attempts > 0 || self.next <= self.restless_until).then_some(self.next)
    }
}

impl Member {
    /// Wakes librdkafka's thread when it is time.
    pub(super) fn keep_awake(&mut self) {
        if self.awake.due().is_none_or(|due| due > self.now) {
            return;
        }
        if self.awake.attempts == 0 {
            self.awake.next = self.now + WAKE_EVERY;
            self.consumer.look_after_the_group();
            return;
        }
        self.awake.next = self.now + JOIN_EVERY;
        self.awake.attempts = match self.consumer.join_soon() {
            true => self.awake.attempts - 1,
            false => ATTEMPTS,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Outside of its group a member tries to join, and within it is restless only after a rebalance.
    #[test]
    fn a_settled_member_leaves_the_client_alone() {
        let now = Instant::now();
        let mut awake = Awake::new(now);
        assert_eq!(awake.due(), Some(now), "it has not joined yet");
        awake.is_inside();
        awake.rebalanced(now);
        assert_eq!(awake.due(), Some(now + WAKE_EVERY));
        awake.next = now + RESTLESS + WAKE_EVERY;
        assert_eq!(awake.due(), None);
        awake.is_outside();
        assert!(awake.due().is_some());
    }
}
