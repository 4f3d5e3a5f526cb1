//! The cap on dead letters: their share of the last minute's messages, over a group's members.
//!
//! Members [`Share::add`] what they finished, and ask [`Share::exceeds`] before they give a message
//! up. Nothing here knows what happens then.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// With fewer dead letters than this in a minute no group is stopped: the first message of a quiet
/// topic may be a bad one.
const FEWEST: u64 = 20;

/// Seconds that are looked at.
const WINDOW: u64 = 60;

/// What a group finished in the last minute.
#[derive(Debug)]
pub struct Share {
    epoch: Instant,
    seconds: Mutex<[Second; WINDOW as usize]>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Second {
    /// Since `epoch`; a slot of another minute counts as empty.
    number: u64,
    finished: u64,
    dead: u64,
}

impl Default for Share {
    fn default() -> Self {
        Self {
            epoch: Instant::now(),
            seconds: Mutex::new([Second::default(); WINDOW as usize]),
        }
    }
}

impl Share {
    /// Counts `finished` messages, of which `dead` went into a dead-letter topic.
    pub fn add(&self, now: Instant, finished: u64, dead: u64) {
        let number = self.number(now);
        let mut seconds = self.lock();
        let second = &mut seconds[(number % WINDOW) as usize];
        if second.number != number {
            *second = Second {
                number,
                ..Second::default()
            };
        }
        second.finished += finished;
        second.dead += dead;
    }

    /// Whether one more dead letter would make their share of the last minute larger than `most`.
    pub fn exceeds(&self, now: Instant, most: f64) -> bool {
        let oldest = self.number(now).saturating_sub(WINDOW - 1);
        let (mut finished, mut dead) = (1, 1);
        for second in self.lock().iter().filter(|second| second.number >= oldest) {
            finished += second.finished;
            dead += second.dead;
        }
        dead > FEWEST && dead as f64 > most * finished as f64
    }

    /// Forgets the last minute, as after `resume`.
    pub fn reset(&self) {
        *self.lock() = [Second::default(); WINDOW as usize];
    }

    fn number(&self, now: Instant) -> u64 {
        // From 1 on, so that an unused slot is never the current second.
        now.saturating_duration_since(self.epoch)
            .saturating_add(Duration::from_secs(WINDOW))
            .as_secs()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, [Second; WINDOW as usize]> {
        // Counting can not leave the counts half written, so a poisoned lock is still good.
        self.seconds
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_handler_is_stopped_and_a_few_bad_messages_are_not() {
        let share = Share::default();
        let now = Instant::now();
        share.add(now, FEWEST - 1, FEWEST - 1);
        assert!(!share.exceeds(now, 0.5), "too few to judge");
        share.add(now, 1, 1);
        assert!(share.exceeds(now, 0.5));
        share.add(now, 100, 0);
        assert!(!share.exceeds(now, 0.5), "one in six");
    }

    #[test]
    fn what_is_older_than_a_minute_does_not_count() {
        let share = Share::default();
        let now = Instant::now();
        share.add(now, 1000, 1000);
        assert!(share.exceeds(now + Duration::from_secs(58), 0.5));
        assert!(!share.exceeds(now + Duration::from_secs(61), 0.5));
    }
}
