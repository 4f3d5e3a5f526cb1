//! Waiting for a retry: when a message is due again, and which one is next.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::RngExt;

use crate::config::OnFailure;
use crate::delivery::{Delivery, LaneId};

/// How long to wait before the attempt that follows the `attempt`th (from 1): the configured backoff,
/// doubled for each failure before, at most `max_backoff`, and of that a random 75 to 100 %, so that
/// members that failed together do not come back together.
pub(super) fn backoff(policy: &OnFailure, attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(30);
    let full = policy
        .backoff
        .saturating_mul(1 << doublings)
        .min(policy.max_backoff);
    full.mul_f64(rand::rng().random_range(0.75..=1.0))
}

/// A message that waits, and until when.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) due: Instant,
    pub(super) delivery: Delivery,
}

/// The messages of a member that wait for their next attempt, by the time when they are due.
#[derive(Debug, Default)]
pub(super) struct Retries {
    waiting: BTreeMap<(Instant, u64), Delivery>,
    /// Parts messages that are due at the same time, and keeps them in their order.
    sequence: u64,
}

impl Retries {
    pub(super) fn add(&mut self, due: Instant, delivery: Delivery) {
        self.sequence += 1;
        self.waiting.insert((due, self.sequence), delivery);
    }

    /// The next message that is due by `now`.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Delivery> {
        let entry = self.waiting.first_entry()?;
        if entry.key().0 > now {
            return None;
        }
        Some(entry.remove())
    }

    /// When the next one is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|((due, _), _)| *due)
    }

    /// Takes one message of a lane, before it is due.
    pub(super) fn take_one(&mut self, lane: LaneId, offset: i64) -> Option<Delivery> {
        let is_it =
            |delivery: &Delivery| delivery.lane() == lane && delivery.record().offset == offset;
        let found = self.waiting.iter().find(|(_, each)| is_it(each))?;
        self.waiting.remove(&found.0.clone())
    }

    /// Takes everything that belongs to a lane, for its partition is given up.
    pub(super) fn take_lane(&mut self, lane: LaneId) -> Vec<Waiting> {
        self.waiting
            .extract_if(.., |_, delivery| delivery.lane() == lane)
            .map(|((due, _), delivery)| Waiting { due, delivery })
            .collect()
    }

    /// How many of them belong to a lane.
    pub(super) fn of_lane(&self, lane: LaneId) -> usize {
        let waiting = self.waiting.values();
        waiting.filter(|delivery| delivery.lane() == lane).count()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Then;

    fn policy() -> OnFailure {
        OnFailure {
            retries: 3,
            backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(30),
            then: Then::DeadLetter,
            topic: None,
            max_share: 0.5,
        }
    }

    #[test]
    fn backoff_doubles_up_to_its_maximum() {
        let policy = policy();
        for (attempt, full) in [
            (1, 200),
            (2, 400),
            (3, 800),
            (9, 30_000),
            (4_000_000, 30_000),
        ] {
            let waited = backoff(&policy, attempt).as_millis();
            let least = full * 3 / 4;
            assert!(
                (least..=full).contains(&waited),
                "attempt {attempt}: {waited} ms"
            );
        }
    }
}
