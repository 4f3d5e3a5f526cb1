//! The books of a rehearsal: what was sent, and what came back of it.
//!
//! `send` gives a message its stamp, `receipt` enters that it is finished; `tally` adds up. Time comes
//! in as an argument. Nothing here knows Kafka.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::delivery::{Receipt, Stamp, Verdict};

/// Everything that was sent and finished. Four bytes a message.
#[derive(Debug)]
pub struct Ledger {
    began: Instant,
    keys: HashMap<Vec<u8>, u32>,
    sequences: Vec<Sequence>,
    places: HashMap<(String, i32), Place>,
    /// Microseconds from sending to the first receipt.
    latencies: Vec<u32>,
    sent: u64,
    finished: u64,
    verdicts: Verdicts,
    repeats: Vec<Repeat>,
    out_of_order: u64,
    out_of_place: u64,
    strangers: u64,
    /// The last receipt, or when something was sent after all had come back.
    quiet_since: Instant,
    silence: Duration,
}

/// The messages of one key.
#[derive(Debug, Default)]
struct Sequence {
    /// When each was finished for the first time, in milliseconds since the beginning, plus one.
    finished: Vec<u32>,
    /// The highest number that is finished.
    newest: Option<u32>,
}

/// One partition that is read.
#[derive(Debug)]
struct Place {
    /// The highest offset that was finished for the first time.
    newest: i64,
    heard: Instant,
    silence: Duration,
}

/// First receipts by what became of their messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Verdicts {
    pub handled: u64,
    pub dead_lettered: u64,
    pub skipped: u64,
}

/// A message that was finished once more. Times since the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeat {
    pub first: Duration,
    pub again: Duration,
}

/// What the books say.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tally {
    pub sent: u64,
    /// Messages with at least one receipt.
    pub finished: u64,
    pub verdicts: Verdicts,
    /// Receipts beyond each message's first.
    pub repeats: Vec<Repeat>,
    /// Messages that were finished for the first time after a later one of their key.
    pub out_of_order: u64,
    /// The same by partition and offset.
    pub out_of_place: u64,
    /// Finished messages that the rehearsal did not write.
    pub strangers: u64,
    pub latency: Latency,
    /// The longest time without any receipt while something was not finished.
    pub silence: Duration,
    /// The longest time between two receipts of one partition.
    pub partition_silence: Duration,
}

/// From sending a message to reading its first receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latency {
    pub p50: Duration,
    pub p99: Duration,
    pub p999: Duration,
    pub most: Duration,
}

impl Ledger {
    pub fn new(now: Instant) -> Self {
        Self {
            began: now,
            keys: HashMap::new(),
            sequences: Vec::new(),
            places: HashMap::new(),
            latencies: Vec::new(),
            sent: 0,
            finished: 0,
            verdicts: Verdicts::default(),
            repeats: Vec::new(),
            out_of_order: 0,
            out_of_place: 0,
            strangers: 0,
            quiet_since: now,
            silence: Duration::ZERO,
        }
    }

    /// When the rehearsal began.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// The stamp of the next message of this key, which is sent now.
    pub fn send(&mut self, key: &[u8], now: Instant) -> Stamp {
        let index = match self.keys.get(key) {
            Some(index) => *index,
            None => {
                let index = u32::try_from(self.sequences.len()).unwrap_or(u32::MAX);
                self.keys.insert(key.to_owned(), index);
                self.sequences.push(Sequence::default());
                index
            }
        };
        let finished = &mut self.sequences[index as usize].finished;
        let number = u32::try_from(finished.len()).unwrap_or(u32::MAX);
        finished.push(0);
        if self.is_settled() {
            self.quiet_since = now;
        }
        self.sent += 1;
        Stamp {
            key: index,
            number,
            sent: micros(now.saturating_duration_since(self.began)),
        }
    }

    /// A receipt was read.
    pub fn receipt(&mut self, receipt: &Receipt, now: Instant) {
        let at = now.saturating_duration_since(self.began);
        let Some(stamp) = receipt.stamp else {
            self.strangers += 1;
            return;
        };
        let sequence = self.sequences.get_mut(stamp.key as usize);
        let Some((sequence, index)) = sequence
            .map(|sequence| (sequence, stamp.number as usize))
            .filter(|(sequence, index)| *index < sequence.finished.len())
        else {
            self.strangers += 1;
            return;
        };
        let quiet = now.saturating_duration_since(self.quiet_since);
        self.silence = self.silence.max(quiet);
        self.quiet_since = now;
        let first = sequence.finished[index];
        if first > 0 {
            self.repeats.push(Repeat {
                first: Duration::from_millis(u64::from(first - 1)),
                again: at,
            });
            return;
        }
        sequence.finished[index] = u32::try_from(at.as_millis()).unwrap_or(u32::MAX - 1) + 1;
        if sequence.newest.is_some_and(|newest| newest > stamp.number) {
            self.out_of_order += 1;
        }
        sequence.newest = sequence.newest.max(Some(stamp.number));
        self.finished += 1;
        match receipt.verdict {
            Verdict::DeadLettered => self.verdicts.dead_lettered += 1,
            Verdict::Skipped => self.verdicts.skipped += 1,
            Verdict::Handled | Verdict::Abandoned => self.verdicts.handled += 1,
        }
        let latency = micros(at).saturating_sub(stamp.sent);
        self.latencies
            .push(u32::try_from(latency).unwrap_or(u32::MAX));
        self.enter_place(receipt, now);
    }

    /// A receipt that is none of this rehearsal.
    pub fn stranger(&mut self) {
        self.strangers += 1;
    }

    fn enter_place(&mut self, receipt: &Receipt, now: Instant) {
        let key = (receipt.topic.clone(), receipt.partition);
        let place = self.places.entry(key).or_insert(Place {
            newest: -1,
            heard: now,
            silence: Duration::ZERO,
        });
        self.out_of_place += u64::from(receipt.offset < place.newest);
        place.newest = place.newest.max(receipt.offset);
        place.silence = place
            .silence
            .max(now.saturating_duration_since(place.heard));
        place.heard = now;
    }

    /// Whether every message that was sent is finished.
    pub fn is_settled(&self) -> bool {
        self.sent == self.finished
    }

    /// How many messages have been sent, and how many of them are finished.
    pub fn counts(&self) -> (u64, u64) {
        (self.sent, self.finished)
    }

    /// Whether a message of that stamp was sent and is not finished.
    pub fn is_missing(&self, stamp: Stamp) -> bool {
        let sequence = self.sequences.get(stamp.key as usize);
        sequence.and_then(|sequence| sequence.finished.get(stamp.number as usize)) == Some(&0)
    }

    /// Adds up.
    pub fn tally(&self) -> Tally {
        let mut latencies = self.latencies.clone();
        latencies.sort_unstable();
        let quantile = |share: f64| {
            let rank = (share * latencies.len() as f64).ceil() as usize;
            let found = latencies.get(rank.saturating_sub(1));
            Duration::from_micros(u64::from(found.copied().unwrap_or_default()))
        };
        let partition_silence = self.places.values().map(|place| place.silence).max();
        Tally {
            sent: self.sent,
            finished: self.finished,
            verdicts: self.verdicts,
            repeats: self.repeats.clone(),
            out_of_order: self.out_of_order,
            out_of_place: self.out_of_place,
            strangers: self.strangers,
            latency: Latency {
                p50: quantile(0.5),
                p99: quantile(0.99),
                p999: quantile(0.999),
                most: quantile(1.0),
            },
            silence: self.silence,
            partition_silence: partition_silence.unwrap_or_default(),
        }
    }

    /// A few numbers for the progress line: sent, finished, repeated, out of order.
    pub fn glance(&self) -> [u64; 4] {
        let repeated = self.repeats.len() as u64;
        [self.sent, self.finished, repeated, self.out_of_order]
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn receipt(stamp: Stamp, partition: i32, offset: i64) -> Receipt {
        Receipt {
            stamp: Some(stamp),
            verdict: Verdict::Handled,
            attempt: 1,
            topic: "t".into(),
            partition,
            offset,
        }
    }

    /// Four messages of two keys, as one partition holds them.
    fn four() -> (Ledger, [Receipt; 4], Instant) {
        let began = Instant::now();
        let mut ledger = Ledger::new(began);
        let stamps = [b"a", b"b", b"a", b"b"].map(|key| ledger.send(key, began));
        let mut offset = -1;
        let receipts = stamps.map(|stamp| {
            offset += 1;
            receipt(stamp, 0, offset)
        });
        (ledger, receipts, began)
    }

    /// Each once, in order: nothing to find fault with.
    #[test]
    fn a_good_run_is_good() {
        let (mut ledger, receipts, began) = four();
        for (n, receipt) in (1..).zip(&receipts) {
            assert!(!ledger.is_settled());
            ledger.receipt(receipt, began + n * 10 * MS);
        }
        assert!(ledger.is_settled());
        let tally = ledger.tally();
        assert_eq!(
            (tally.sent, tally.finished, tally.verdicts.handled),
            (4, 4, 4)
        );
        assert_eq!((tally.out_of_order, tally.out_of_place), (0, 0));
        assert_eq!(tally.repeats, []);
        assert_eq!(tally.latency.p50, 20 * MS);
        assert_eq!(tally.latency.most, 40 * MS);
        assert_eq!((tally.silence, tally.partition_silence), (10 * MS, 10 * MS));
    }

    /// What never comes back is missing, and nothing else is.
    #[test]
    fn what_has_no_receipt_is_missing() {
        let (mut ledger, receipts, began) = four();
        for receipt in [&receipts[0], &receipts[1], &receipts[3]] {
            ledger.receipt(receipt, began);
        }
        assert_eq!(ledger.counts(), (4, 3));
        let missing = receipts
            .each_ref()
            .map(|receipt| ledger.is_missing(receipt.stamp.expect("one")));
        assert_eq!(missing, [false, false, true, false]);
        let never_sent = Stamp {
            key: 9,
            number: 0,
            sent: 0,
        };
        assert!(!ledger.is_missing(never_sent));
    }

    /// A rewind after a crash is repeats, and no disorder: the first time of each counts.
    #[test]
    fn a_rewind_repeats_and_is_in_order() {
        let (mut ledger, receipts, began) = four();
        for (n, index) in (0..).zip([0, 1, 2, 1, 2, 3]) {
            ledger.receipt(&receipts[index], began + n * MS);
        }
        let tally = ledger.tally();
        let repeat = |first, again| Repeat {
            first: first * MS,
            again: again * MS,
        };
        assert_eq!(tally.repeats, [repeat(1, 3), repeat(2, 4)]);
        assert_eq!((tally.out_of_order, tally.out_of_place), (0, 0));
        assert!(ledger.is_settled());
    }

    /// A message that comes after a later one of its key is out of order; of another key, only its
    /// partition is.
    #[test]
    fn order_is_judged_by_key_and_by_partition() {
        let (mut ledger, receipts, began) = four();
        for index in [1, 0, 2, 3] {
            ledger.receipt(&receipts[index], began);
        }
        let tally = ledger.tally();
        assert_eq!((tally.out_of_order, tally.out_of_place), (0, 1));
        let (mut ledger, receipts, began) = four();
        for index in [2, 0, 1, 3] {
            ledger.receipt(&receipts[index], began);
        }
        let tally = ledger.tally();
        assert_eq!((tally.out_of_order, tally.out_of_place), (1, 2));
    }

    /// Nobody's silence counts while there is nothing to do.
    #[test]
    fn silence_counts_only_while_something_is_due() {
        let began = Instant::now();
        let mut ledger = Ledger::new(began);
        let first = ledger.send(b"a", began);
        ledger.receipt(&receipt(first, 0, 0), began + 5 * MS);
        let second = ledger.send(b"a", began + 1000 * MS);
        ledger.receipt(&receipt(second, 1, 0), began + 1020 * MS);
        assert_eq!(ledger.tally().silence, 20 * MS);
    }

    /// What the rehearsal did not write is counted apart.
    #[test]
    fn strangers_are_counted_apart() {
        let (mut ledger, receipts, began) = four();
        let mut stranger = receipts[0].clone();
        stranger.stamp = None;
        ledger.receipt(&stranger, began);
        stranger.stamp = Some(Stamp {
            key: 0,
            number: 77,
            sent: 0,
        });
        ledger.receipt(&stranger, began);
        assert_eq!(ledger.tally().strangers, 2);
        assert_eq!(ledger.counts(), (4, 0));
    }
}
