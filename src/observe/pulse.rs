//! A sign of life: a loop says that it went round, others see when it no longer does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What a round may take beyond twice its longest call: commits, metadata, a busy machine.
const GRACE: Duration = Duration::from_secs(30);

/// The pulse of one loop. Beating is one store; the loop beats once a round, at least every second
/// when it has nothing to do.
#[derive(Debug)]
pub struct Pulse {
    born: Instant,
    /// Milliseconds since `born`.
    last: AtomicU64,
    /// Milliseconds that one round may take before the loop counts as wedged.
    limit: AtomicU64,
}

impl Pulse {
    /// A pulse that beats now. `longest_call` is what one round may be busy with, such as
    /// `handler_timeout`.
    pub fn new(longest_call: Duration) -> Self {
        let pulse = Self {
            born: Instant::now(),
            last: AtomicU64::new(0),
            limit: AtomicU64::new(0),
        };
        pulse.expect(longest_call);
        pulse
    }

    /// The loop went round.
    pub fn beat(&self, now: Instant) {
        self.last.store(self.since_birth(now), Ordering::Relaxed);
    }

    /// Sets the longest call anew, when a reload changes it.
    pub fn expect(&self, longest_call: Duration) {
        let limit = millis(longest_call.saturating_mul(2).saturating_add(GRACE));
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// How long ago the loop last went round.
    pub fn silent_for(&self, now: Instant) -> Duration {
        let last = self.last.load(Ordering::Relaxed);
        Duration::from_millis(self.since_birth(now).saturating_sub(last))
    }

    /// Whether the loop has been silent for longer than slow work explains.
    pub fn is_wedged(&self, now: Instant) -> bool {
        millis(self.silent_for(now)) > self.limit.load(Ordering::Relaxed)
    }

    fn since_birth(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.born))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A loop in a long call is slow, not wedged; one silent far beyond it is wedged until it beats.
    #[test]
    fn wedged_is_more_than_slow() {
        let pulse = Pulse::new(Duration::from_secs(60));
        let start = pulse.born;
        assert!(!pulse.is_wedged(start + Duration::from_secs(150)));
        assert!(pulse.is_wedged(start + Duration::from_secs(151)));
        pulse.beat(start + Duration::from_secs(151));
        assert!(!pulse.is_wedged(start + Duration::from_secs(152)));
        assert_eq!(
            pulse.silent_for(start + Duration::from_secs(152)),
            Duration::from_secs(1)
        );
        pulse.expect(Duration::ZERO);
        assert!(pulse.is_wedged(start + Duration::from_secs(182)));
    }
}
