//! How many lines about failures are logged, so that a handler that always fails does not fill the disk.

use std::time::{Duration, Instant};

/// So many failures are logged a second.
const MOST_LINES: u32 = 10;

/// Counts what is logged and what is left out.
#[derive(Debug)]
pub(super) struct Lines {
    second: Instant,
    told: u32,
    left_out: u64,
}

impl Lines {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            second: now,
            told: 0,
            left_out: 0,
        }
    }

    /// Whether one more failure may be logged now, and how many were not since the last one.
    pub(super) fn may_tell(&mut self, now: Instant) -> Option<u64> {
        if now.saturating_duration_since(self.second) >= Duration::from_secs(1) {
            (self.second, self.told) = (now, 0);
        }
        if self.told >= MOST_LINES {
            self.left_out += 1;
            return None;
        }
        self.told += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left out is counted, and told with the next line.
    #[test]
    fn a_flood_is_ten_lines_a_second() {
        let start = Instant::now();
        let mut lines = Lines::new(start);
        let told = (0..100).filter(|_| lines.may_tell(start).is_some());
        assert_eq!(told.count(), 10);
        assert_eq!(lines.may_tell(start + Duration::from_secs(1)), Some(90));
    }
}
