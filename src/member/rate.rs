//! A group's rate limit, shared by its members in this process.
//!
//! [`RateLimit::take`] asks for one message's place. Nothing here sleeps.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::config::Rate;

/// How far a group may run ahead of its even pace after a pause.
const BURST: Duration = Duration::from_millis(50);

/// The generic cell rate algorithm (ITU-T I.371) on one atomic, so that members share it without a lock.
#[derive(Debug)]
pub struct RateLimit {
    /// Nanoseconds between messages; 0 is unlimited.
    interval: AtomicU64,
    /// When the next message is due, in nanoseconds since `epoch`.
    due: AtomicU64,
    epoch: Instant,
}

impl RateLimit {
    pub fn new(rate: Rate) -> Self {
        let limit = Self {
            interval: AtomicU64::new(0),
            due: AtomicU64::new(0),
            epoch: Instant::now(),
        };
        limit.set(rate);
        limit
    }

    /// Changes the rate, from the next message on.
    pub fn set(&self, rate: Rate) {
        let interval = match rate {
            Rate::Unlimited => 0,
            Rate::PerSecond(rate) => ((1e9 / rate) as u64).max(1),
        };
        self.interval.store(interval, Ordering::Relaxed);
    }

    /// Whether there is no limit, so that nobody need read a clock.
    pub fn is_unlimited(&self) -> bool {
        self.interval.load(Ordering::Relaxed) == 0
    }

    /// Takes the place of one message.
    ///
    /// # Errors
    /// How long to wait before asking again.
    pub fn take(&self, now: Instant) -> Result<(), Duration> {
        let interval = self.interval.load(Ordering::Relaxed);
        if interval == 0 {
            return Ok(());
        }
        let now = now.saturating_duration_since(self.epoch).as_nanos() as u64;
        let earliest = now.saturating_sub(BURST.as_nanos() as u64);
        let mut due = self.due.load(Ordering::Relaxed);
        loop {
            if due > now {
                return Err(Duration::from_nanos(due - now));
            }
            let next = due.max(earliest).saturating_add(interval);
            match self
                .due
                .compare_exchange_weak(due, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return Ok(()),
                Err(seen) => due = seen,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holds_as_many_messages_as_the_rate_says() {
        let limit = RateLimit::new(Rate::PerSecond(100.0));
        let mut now = limit.epoch + Duration::from_secs(10);
        let end = now + Duration::from_secs(1);
        let mut taken = 0;
        while now < end {
            match limit.take(now) {
                Ok(()) => taken += 1,
                Err(wait) => now += wait,
            }
        }
        // An even 100, and what the pause before may run ahead.
        assert!((100..=106).contains(&taken), "{taken}");
    }

    #[test]
    fn a_new_rate_holds_from_the_next_message_on() {
        let limit = RateLimit::new(Rate::PerSecond(0.001));
        let now = limit.epoch + Duration::from_secs(1);
        assert_eq!(limit.take(now), Ok(()));
        assert!(limit.take(now + BURST).is_err());
        limit.set(Rate::Unlimited);
        assert!(limit.is_unlimited());
        assert_eq!(limit.take(now + BURST), Ok(()));
    }
}
