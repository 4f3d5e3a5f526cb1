//! A member's commits: the one place that hands offsets to the broker.

use std::time::{Duration, Instant};

use crate::config::{Group, Guarantee};
use crate::delivery::LaneId;
use crate::kafka::Commit;

use super::lane::{Lane, Mode};
use super::turn::Member;

/// The broker's answer to a commit that must precede the work is waited for so long.
const ANSWER: Duration = Duration::from_secs(5);

/// The commit that is under way, if any.
#[derive(Debug)]
pub(super) struct Commits {
    under_way: Vec<(LaneId, i64)>,
    last: Instant,
    /// With `at_most_once`: whether everything held is behind the committed offset.
    held_is_committed: bool,
}

impl Commits {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            under_way: Vec::new(),
            last: now,
            held_is_committed: true,
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        !self.under_way.is_empty()
    }

    pub(super) fn held_is_committed(&self) -> bool {
        self.held_is_committed
    }

    /// When to look again.
    pub(super) fn due(&self, group: &Group) -> Option<Instant> {
        Some(self.last + group.commit_interval)
    }
}

impl Member {
    /// Hears the broker's answer, and commits what is finished when it is time.
    pub(super) fn commit(&mut self) {
        self.hear_commit(Duration::ZERO);
        if self.commits.is_under_way()
            || self.group.guarantee == Guarantee::AtMostOnce
            || self.now.saturating_duration_since(self.commits.last) < self.group.commit_interval
        {
            return;
        }
        self.send_commit(|lane| !matches!(lane.mode, Mode::Leaving { .. }));
    }

    /// Commits the finished prefix of the lanes that `which` picks, where it has moved.
    pub(super) fn send_commit(&mut self, which: impl Fn(&Lane) -> bool) {
        self.commits.last = self.now;
        let mut offsets = Vec::new();
        let mut lanes = Vec::new();
        let at_most_once = self.group.guarantee == Guarantee::AtMostOnce;
        for (_, lane) in self.lanes.iter_mut().filter(|(_, lane)| which(lane)) {
            let next = if at_most_once {
                (lane.committed < Some(lane.position)).then(|| (lane.position, String::new()))
            } else {
                lane.tracker.committable()
            };
            if let Some((offset, metadata)) = next {
                lanes.push((lane.id, offset));
                offsets.push(Commit {
                    partition: lane.partition.clone(),
                    offset,
                    metadata,
                });
            }
        }
        if offsets.is_empty() {
            return;
        }
        self.commits.under_way = lanes;
        if let Err(error) = self.consumer.commit(&offsets) {
            tracing::warn!(%error, "the commit could not be sent; it will be sent again");
            self.commit_was_refused();
        }
    }

    /// Takes the broker's answer to the commit under way, waiting up to `wait` for it.
    fn hear_commit(&mut self, wait: Duration) {
        match self.consumer.commit_result(wait) {
            None => {}
            Some(Err(error)) => {
                // After a rebalance the coordinator refuses what the old generation sends: the
                // partitions' next holders begin at the commit before, as they should.
                tracing::warn!(%error, "the broker refused the commit; it will be sent again");
                self.commit_was_refused();
            }
            Some(Ok(partitions)) => {
                let sent = std::mem::take(&mut self.commits.under_way);
                for (id, offset) in sent {
                    let Some(lane) = self.lanes.get_mut(id.index).filter(|lane| lane.id == id)
                    else {
                        continue;
                    };
                    let refused = partitions
                        .iter()
                        .find(|(partition, _)| *partition == lane.partition)
                        .and_then(|(_, error)| error.as_ref());
                    match refused {
                        None => lane.committed = Some(offset),
                        Some(error) => {
                            tracing::warn!(%error, "the commit of {} was refused", lane.partition);
                            lane.tracker.commit_refused();
                        }
                    }
                }
                self.tally.touch();
            }
        }
    }

    fn commit_was_refused(&mut self) {
        for (id, _) in std::mem::take(&mut self.commits.under_way) {
            if let Some(lane) = self.lanes.get_mut(id.index).filter(|lane| lane.id == id) {
                lane.tracker.commit_refused();
            }
        }
    }

    /// With `at_most_once`: commits past everything held, and says whether it may start now.
    pub(super) fn commit_held(&mut self) -> bool {
        let waits = |lane: &Lane| !lane.held.is_empty() && lane.committed < Some(lane.position);
        if !self.lanes.iter().any(|(_, lane)| waits(lane)) {
            return self.commits.held_is_committed;
        }
        if !self.commits.is_under_way() {
            self.send_commit(waits);
        }
        self.hear_commit(ANSWER);
        self.commits.held_is_committed = !self.lanes.iter().any(|(_, lane)| waits(lane));
        self.commits.held_is_committed
    }

    /// Stops fetching for lanes that hold more than their share of the buffer, and fetches again when
    /// they have worked it off. The client throws prefetched messages away when it pauses, hence the
    /// wide gap between the two marks.
    pub(super) fn hold_back_or_fetch(&mut self) {
        let budget = (self.group.buffer / 4) as usize;
        let share = budget.saturating_sub(self.retries.bytes()) / self.lanes.len().max(1);
        let mut pause = Vec::new();
        let mut resume = Vec::new();
        for (_, lane) in &mut self.lanes {
            let halted = !matches!(lane.mode, Mode::Open) || lane.user_paused;
            let full = lane.held_bytes > share || (halted && lane.held_bytes > 0);
            if full && !lane.fetch_paused {
                lane.fetch_paused = true;
                pause.push(lane.partition.clone());
            } else if lane.fetch_paused && !halted && lane.held_bytes <= share / 4 {
                lane.fetch_paused = false;
                resume.push(lane.partition.clone());
            }
        }
        if !pause.is_empty()
            && let Err(error) = self.consumer.pause(&pause)
        {
            tracing::warn!(%error, "could not pause partitions");
        }
        if !resume.is_empty()
            && let Err(error) = self.consumer.resume(&resume)
        {
            tracing::warn!(%error, "could not resume partitions");
        }
    }
}
