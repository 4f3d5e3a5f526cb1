//! An even pace: when the next message is due.
//!
//! `due` before sending, `sent` after each message. The n-th message is due at start + n / rate,
//! however late the ones before were, so a rate holds over any time. Time comes in as an argument.

use std::time::{Duration, Instant};

use crate::config::Rate;

/// What a stall leaves behind is made good up to this much of the schedule, in seconds; what is older
/// is left out, so that a long stall does not end in a flood.
const MOST_CATCHING_UP: f64 = 1.0;
/// The longest wait that is asked for at once.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// Answers when to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// So many messages may go now, at least one.
    Now(u64),
    /// None before then.
    At(Instant),
}

/// The schedule of one producer.
#[derive(Debug)]
pub struct Pace {
    rate: Rate,
    /// The schedule counts from here.
    base: Instant,
    /// Messages owed at `base`; below zero when the next was not due yet.
    credit: f64,
    sent: u64,
    left_out: f64,
}

impl Pace {
    /// The first message is due at `now`.
    pub fn new(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            base: now,
            credit: 0.0,
            sent: 0,
            left_out: 0.0,
        }
    }

    /// Whether a message is due.
    pub fn due(&mut self, now: Instant) -> Turn {
        let Rate::PerSecond(rate) = self.rate else {
            return Turn::Now(u64::MAX);
        };
        let most = rate * MOST_CATCHING_UP;
        let mut owed = self.owed(rate, now);
        if owed > most {
            self.left_out += owed - most;
            owed = most;
            self.begin(owed, now);
        }
        // A wait ends on a whole nanosecond, which may lie just before the exact time.
        let nanosecond = rate * 1e-9;
        if owed >= -nanosecond {
            return Turn::Now(owed.max(0.0) as u64 + 1);
        }
        let wait = Duration::try_from_secs_f64(-owed / rate).unwrap_or(LONGEST_WAIT);
        Turn::At(now + wait.min(LONGEST_WAIT))
    }

    /// One message has gone.
    pub fn sent(&mut self) {
        self.sent += 1;
    }

    /// Another rate from `now` on. The gap under way is stretched or shortened, not begun again.
    pub fn set_rate(&mut self, to: Rate, now: Instant) {
        let owed = match (self.rate, to) {
            (Rate::PerSecond(from), Rate::PerSecond(to)) => {
                self.owed(from, now).min(to * MOST_CATCHING_UP)
            }
            _ => 0.0,
        };
        self.rate = to;
        self.begin(owed, now);
    }

    /// Begins anew at `now`, owing nothing of the time before.
    pub fn restart(&mut self, now: Instant) {
        self.begin(0.0, now);
    }

    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// How many messages stalls have left out of the schedule so far.
    pub fn left_out(&self) -> f64 {
        self.left_out
    }

    fn owed(&self, rate: f64, now: Instant) -> f64 {
        let elapsed = now.saturating_duration_since(self.base).as_secs_f64();
        self.credit + elapsed * rate - self.sent as f64
    }

    fn begin(&mut self, owed: f64, now: Instant) {
        self.base = now;
        self.credit = owed;
        self.sent = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends whenever something is due, waking `late` after each wait; the times in nanoseconds.
    fn times(pace: &mut Pace, start: Instant, until: Duration, late: Duration) -> Vec<u128> {
        let mut now = start;
        let mut times = Vec::new();
        while now < start + until {
            match pace.due(now) {
                Turn::Now(messages) => {
                    for _ in 0..messages {
                        pace.sent();
                        times.push((now - start).as_nanos());
                    }
                }
                Turn::At(next) => now = next + late,
            }
        }
        times
    }

    /// At any rate the n-th message goes at start + n / rate, over a whole minute.
    #[test]
    fn the_schedule_is_exact_at_any_rate() {
        for rate in [0.2, 1.0, 7.3, 1000.0, 200_000.0] {
            let start = Instant::now();
            let mut pace = Pace::new(Rate::PerSecond(rate), start);
            let minute = Duration::from_secs(60);
            let times = times(&mut pace, start, minute, Duration::ZERO);
            assert_eq!(times.len(), (60.0 * rate).ceil() as usize, "{rate}/s");
            for (n, time) in times.iter().enumerate() {
                let due = n as f64 / rate * 1e9;
                let off = (*time as f64 - due).abs();
                assert!(off < 1000.0, "{rate}/s: message {n} is {off} ns off");
            }
        }
    }

    /// Waking late each time does not add up: the rate of the minute is kept.
    #[test]
    fn lateness_does_not_add_up() {
        for rate in [0.2, 50.0, 200_000.0] {
            let start = Instant::now();
            let mut pace = Pace::new(Rate::PerSecond(rate), start);
            let late = Duration::from_micros(700);
            let times = times(&mut pace, start, Duration::from_secs(60), late);
            let wanted = 60.0 * rate;
            let allowed = 1.0 + rate * 0.001;
            assert!(
                (times.len() as f64 - wanted).abs() <= allowed,
                "{rate}/s: {}",
                times.len()
            );
            assert_eq!(pace.left_out(), 0.0);
        }
    }

    /// A stall is made good up to a second's worth; the rest is left out and counted.
    #[test]
    fn a_stall_ends_in_no_flood() {
        let start = Instant::now();
        let mut pace = Pace::new(Rate::PerSecond(100.0), start);
        assert_eq!(pace.due(start), Turn::Now(1));
        let after = start + Duration::from_secs(30);
        assert_eq!(pace.due(after), Turn::Now(101));
        assert!((pace.left_out() - 2900.0).abs() < 1e-6);

        let mut slow = Pace::new(Rate::PerSecond(0.2), start);
        assert_eq!(slow.due(after), Turn::Now(1));
        slow.sent();
        assert_eq!(slow.due(after), Turn::At(after + Duration::from_secs(4)));
    }

    /// A changed rate takes the gap under way along: neither a burst nor a second gap.
    #[test]
    fn a_changed_rate_stays_even() {
        let start = Instant::now();
        let mut pace = Pace::new(Rate::PerSecond(1.0), start);
        assert_eq!(pace.due(start), Turn::Now(1));
        pace.sent();
        // Half of the gap is over; the other half passes at the new rate.
        let half = start + Duration::from_millis(500);
        pace.set_rate(Rate::PerSecond(10.0), half);
        let next = half + Duration::from_millis(50);
        assert_eq!(pace.due(half), Turn::At(next));
        assert_eq!(pace.due(next), Turn::Now(1));
        pace.sent();
        let then = next + Duration::from_millis(100);
        let Turn::At(at) = pace.due(next) else {
            panic!("the next is not due yet");
        };
        assert!(at.max(then) - at.min(then) < Duration::from_micros(1));
    }

    /// What a high rate owes is not poured out under a low one.
    #[test]
    fn a_lowered_rate_does_not_burst() {
        let start = Instant::now();
        let mut pace = Pace::new(Rate::PerSecond(200_000.0), start);
        let later = start + Duration::from_secs(1);
        pace.set_rate(Rate::PerSecond(1.0), later);
        assert_eq!(pace.due(later), Turn::Now(2));
    }

    /// Unlimited is always due; a rate after it begins with the next message.
    #[test]
    fn unlimited_is_always_due() {
        let start = Instant::now();
        let mut pace = Pace::new(Rate::Unlimited, start);
        assert_eq!(pace.due(start), Turn::Now(u64::MAX));
        pace.sent();
        pace.set_rate(Rate::PerSecond(5.0), start);
        assert_eq!(pace.due(start), Turn::Now(1));
    }

    /// A rate of almost nothing waits, and computes no time that does not exist.
    #[test]
    fn almost_nothing_is_a_long_wait() {
        let start = Instant::now();
        let mut pace = Pace::new(Rate::PerSecond(1e-300), start);
        pace.sent();
        assert_eq!(pace.due(start), Turn::At(start + LONGEST_WAIT));
    }
}
