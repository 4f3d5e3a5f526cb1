//! The last ten minutes in numbers, so that a page or a terminal that is opened now has curves at once.
//!
//! [`follow`] looks at the board every two seconds; [`History::samples`] is what it saw. Counters are
//! kept as they are: who draws takes the differences. Who has the samples goes on with [`Sample::of`].

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::board::Board;
use super::clock;
use super::status::{GroupStatus, PartitionStatus, Status};

/// Between two samples. `http/page/history.js` samples as often.
pub const EVERY: Duration = Duration::from_secs(2);
/// Ten minutes.
pub const SAMPLES: usize = 300;

/// Clones are the same history.
#[derive(Debug, Clone, Default)]
pub struct History(Arc<Mutex<VecDeque<Sample>>>);

/// What is remembered, as it is told.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Remembered {
    /// The oldest first.
    pub samples: Vec<Sample>,
}

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Seconds since 1970.
    pub at: f64,
    pub groups: BTreeMap<String, GroupSample>,
    pub producers: BTreeMap<String, ProducerSample>,
}

/// See [`Sample`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GroupSample {
    pub handled: u64,
    /// Messages, over all partitions held here; `null` while one is not known.
    pub lag: Option<i64>,
    /// Of the partition that is furthest behind.
    pub lag_seconds: Option<f64>,
}

/// See [`Sample`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ProducerSample {
    pub produced: u64,
}

impl History {
    /// All of it.
    pub fn samples(&self) -> Remembered {
        let samples = self.lock().iter().cloned().collect();
        Remembered { samples }
    }

    fn add(&self, sample: Sample) {
        let mut samples = self.lock();
        samples.push_back(sample);
        while samples.len() > SAMPLES {
            samples.pop_front();
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Sample>> {
        // Samples are whole or not there: a panic elsewhere leaves them good.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sample {
    /// What there is to remember of `status`, which was so at `now`.
    pub fn of(status: &Status, now: Timestamp) -> Self {
        let groups = status.groups.iter();
        let producers = status.producers.iter();
        Self {
            at: now.as_duration().as_secs_f64(),
            groups: groups
                .map(|(name, group)| (name.clone(), GroupSample::of(group)))
                .collect(),
            producers: producers
                .map(|(name, producer)| {
                    let produced = producer.produced;
                    (name.clone(), ProducerSample { produced })
                })
                .collect(),
        }
    }
}

impl GroupSample {
    /// Lag summed over partitions; for seconds, the one that is furthest behind.
    pub fn of(group: &GroupStatus) -> Self {
        let held: Vec<&PartitionStatus> = group
            .members
            .iter()
            .flat_map(|member| &member.partitions)
            .collect();
        let known = !held.is_empty();
        let lag = held.iter().map(|partition| partition.lag);
        let mut seconds = held.iter().map(|partition| partition.lag_seconds);
        Self {
            handled: group.totals.handled,
            lag: lag.sum::<Option<i64>>().filter(|_| known),
            lag_seconds: seconds
                .try_fold(0.0_f64, |most, seconds| Some(most.max(seconds?)))
                .filter(|_| known),
        }
    }
}

/// Samples the board until it is dropped.
pub async fn follow(history: History, board: Board) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        history.add(Sample::of(&board.snapshot(), clock::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::board::GroupInfo;
    use crate::observe::status::MemberStatus;

    fn status(lags: &[Option<i64>]) -> Status {
        let board = Board::new("host-a");
        board.set_group("g", GroupInfo::default());
        let mut status = board.snapshot();
        let partitions = lags.iter().map(|lag| PartitionStatus {
            lag: *lag,
            lag_seconds: lag.map(|lag| lag as f64 / 10.0),
            ..PartitionStatus::default()
        });
        if let Some(group) = status.groups.get_mut("g") {
            group.totals.handled = 7;
            group.members = vec![MemberStatus {
                partitions: partitions.collect(),
                ..MemberStatus::default()
            }];
        }
        status
    }

    fn sampled(lags: &[Option<i64>]) -> GroupSample {
        Sample::of(&status(lags), Timestamp::UNIX_EPOCH).groups["g"]
    }

    /// Lag in messages is the sum, lag in seconds the worst.
    #[test]
    fn lag_is_summed_and_seconds_are_the_worst() {
        let sample = sampled(&[Some(30), Some(5)]);
        assert_eq!(sample.lag, Some(35));
        assert_eq!(sample.lag_seconds, Some(3.0));
        assert_eq!(sample.handled, 7);
    }

    /// A lag that is not wholly known is not given as if it were.
    #[test]
    fn lag_is_unknown_while_one_partition_is() {
        assert_eq!(sampled(&[Some(30), None]).lag, None);
        assert_eq!(sampled(&[Some(30), None]).lag_seconds, None);
        assert_eq!(sampled(&[]).lag, None);
    }

    /// Only the last ten minutes are kept.
    #[test]
    fn history_is_bounded() {
        let history = History::default();
        let status = status(&[]);
        for second in 0..1000 {
            let at = Timestamp::from_second(second).unwrap();
            history.add(Sample::of(&status, at));
        }
        let samples = history.samples().samples;
        assert_eq!(samples.len(), SAMPLES);
        assert_eq!(samples[0].at, 700.0);
    }
}
