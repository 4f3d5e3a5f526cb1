//! Whether a wanted rate is beyond reach: told once, with what is reached.

use std::time::{Duration, Instant};

use crate::config::Rate;

/// Long enough that a single stall has been caught up with.
const WINDOW: Duration = Duration::from_secs(5);
const ENOUGH: f64 = 0.95;

/// Watches one producer's rate.
#[derive(Debug)]
pub struct Shortfall {
    begin: Instant,
    sent: u64,
    /// Whether it has once been ahead of its schedule, and so can keep up.
    rested: bool,
    told: bool,
}

impl Shortfall {
    pub fn new(now: Instant) -> Self {
        Self {
            begin: now,
            sent: 0,
            rested: false,
            told: false,
        }
    }

    /// The producer had nothing to do for a moment.
    pub fn rested(&mut self) {
        self.rested = true;
    }

    /// After messages were sent: what is reached instead of `rate`, when it is time to tell.
    /// Nothing at all is another trouble, which is told elsewhere.
    pub fn sent(&mut self, messages: u64, rate: Rate, now: Instant) -> Option<f64> {
        self.sent += messages;
        let elapsed = now.saturating_duration_since(self.begin);
        if elapsed < WINDOW {
            return None;
        }
        let reached = self.sent as f64 / elapsed.as_secs_f64();
        let rested = self.rested;
        *self = Self {
            told: self.told,
            ..Self::new(now)
        };
        let Rate::PerSecond(wanted) = rate else {
            return None;
        };
        let short = !rested && reached > 0.0 && reached < wanted * ENOUGH;
        let tell = short && !self.told;
        self.told |= short;
        tell.then_some(reached)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(shortfall: &mut Shortfall, start: Instant, rested: bool) -> Vec<f64> {
        (1..=20)
            .filter_map(|second| {
                if rested {
                    shortfall.rested();
                }
                let now = start + Duration::from_secs(second);
                shortfall.sent(100, Rate::PerSecond(1000.0), now)
            })
            .collect()
    }

    /// A rate beyond reach is told once, with the one that is reached.
    #[test]
    fn out_of_reach_is_told_once() {
        let start = Instant::now();
        let mut shortfall = Shortfall::new(start);
        assert_eq!(reached(&mut shortfall, start, false), [100.0]);
    }

    /// Who rests between messages keeps up.
    #[test]
    fn who_rests_keeps_up() {
        let start = Instant::now();
        let mut shortfall = Shortfall::new(start);
        assert_eq!(reached(&mut shortfall, start, true), Vec::<f64>::new());
    }
}
