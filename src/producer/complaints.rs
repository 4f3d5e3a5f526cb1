//! Which of many errors to log: each distinct one at once, then at growing distances.

use std::time::{Duration, Instant};

const FIRST_DISTANCE: Duration = Duration::from_secs(10);
const LONGEST_DISTANCE: Duration = Duration::from_secs(600);
/// Distinct errors remembered; the one unseen for longest makes room.
const MOST_KINDS: usize = 32;
/// Lines within [`WINDOW`], however many distinct errors there are.
const MOST_LINES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Kind {
    key: String,
    next: Instant,
    distance: Duration,
    untold: u64,
    seen: Instant,
}

/// The errors of one producer.
#[derive(Debug)]
pub struct Complaints {
    kinds: Vec<Kind>,
    window: Instant,
    lines: u32,
}

impl Complaints {
    pub fn new(now: Instant) -> Self {
        Self {
            kinds: Vec::new(),
            window: now,
            lines: 0,
        }
    }

    /// Whether to log the error that `key` tells from others; `Some` is how often it came untold
    /// since its last line.
    pub fn note(&mut self, key: &str, now: Instant) -> Option<u64> {
        if now.saturating_duration_since(self.window) >= WINDOW {
            self.window = now;
            self.lines = 0;
        }
        let room = self.lines < MOST_LINES;
        let kind = self.kind(key, now);
        kind.seen = now;
        if now < kind.next || !room {
            kind.untold += 1;
            return None;
        }
        kind.next = now + kind.distance;
        kind.distance = (kind.distance * 2).min(LONGEST_DISTANCE);
        let untold = std::mem::take(&mut kind.untold);
        self.lines += 1;
        Some(untold)
    }

    fn kind(&mut self, key: &str, now: Instant) -> &mut Kind {
        let index = match self.kinds.iter().position(|kind| kind.key == key) {
            Some(index) => index,
            None => {
                if self.kinds.len() == MOST_KINDS {
                    let oldest = (0..MOST_KINDS).min_by_key(|&index| self.kinds[index].seen);
                    self.kinds.swap_remove(oldest.unwrap_or_default());
                }
                self.kinds.push(Kind {
                    key: key.to_owned(),
                    next: now,
                    distance: FIRST_DISTANCE,
                    untold: 0,
                    seen: now,
                });
                self.kinds.len() - 1
            }
        };
        &mut self.kinds[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// The first of its kind is told at once, the same again at growing distances with its number.
    #[test]
    fn the_same_error_is_told_ever_more_seldom() {
        let start = Instant::now();
        let mut complaints = Complaints::new(start);
        let told: Vec<(u64, u64)> = (0..100)
            .filter_map(|s| Some((s, complaints.note("a", start + seconds(s))?)))
            .collect();
        assert_eq!(told, [(0, 0), (10, 9), (30, 19), (70, 39)]);
    }

    /// Another error does not wait for the first one's distance.
    #[test]
    fn each_kind_has_its_own_distance() {
        let start = Instant::now();
        let mut complaints = Complaints::new(start);
        assert_eq!(complaints.note("a", start), Some(0));
        assert_eq!(complaints.note("b", start), Some(0));
        assert_eq!(complaints.note("a", start), None);
    }

    /// Errors that are all different can't flood the log or the memory.
    #[test]
    fn distinct_errors_are_bounded_too() {
        let start = Instant::now();
        let mut complaints = Complaints::new(start);
        let tell = |complaints: &mut Complaints, at| {
            (0..1000)
                .filter(|n| complaints.note(&format!("{n} {at:?}"), at).is_some())
                .count()
        };
        assert_eq!(tell(&mut complaints, start), 20);
        assert_eq!(tell(&mut complaints, start + WINDOW), 20);
        assert_eq!(complaints.kinds.len(), MOST_KINDS);
    }
}
