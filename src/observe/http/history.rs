//! The last ten minutes in numbers, so that a page that is opened now has curves at once.
//!
//! [`follow`] looks at the board every two seconds; [`History::samples`] is what it saw. Counters are
//! kept as they are: who draws takes the differences.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::observe::board::Board;
use crate::observe::clock;
use crate::observe::status::{GroupStatus, PartitionStatus, Status};

/// Between two samples. `page/history.js` samples as often.
const EVERY: Duration = Duration::from_secs(2);
/// Ten minutes.
const SAMPLES: usize = 300;

/// Clones are the same history.
#[derive(Debug, Clone, Default)]
pub(super) struct History(Arc<Mutex<VecDeque<Sample>>>);

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Sample {
    /// Seconds since 1970.
    at: f64,
    groups: BTreeMap<String, GroupSample>,
    producers: BTreeMap<String, ProducerSample>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct GroupSample {
    handled: u64,
    /// Messages, over all partitions held here; `null` while one is not known.
    lag: Option<i64>,
    /// Of the partition that is furthest behind.
    lag_seconds: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct ProducerSample {
    produced: u64,
}

impl History {
    /// The oldest first.
    pub(super) fn samples(&self) -> Vec<Sample> {
        self.lock().iter().cloned().collect()
    }

    fn add(&self, status: &Status, now: Timestamp) {
        let groups = status.groups.iter();
        let producers = status.producers.iter();
        let sample = Sample {
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
        };
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

impl GroupSample {
    fn of(group: &GroupStatus) -> Self {
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
pub(super) async fn follow(history: History, board: Board) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        history.add(&board.snapshot(), clock::now());
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
        let history = History::default();
        history.add(&status(lags), Timestamp::UNIX_EPOCH);
        history.samples()[0].groups["g"]
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
            history.add(&status, at);
        }
        let samples = history.samples();
        assert_eq!(samples.len(), SAMPLES);
        assert_eq!(samples[0].at, 700.0);
    }
}
