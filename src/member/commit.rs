//! A member's commits: the one place that hands offsets to the broker.

use std::time::{Duration, Instant};

use crate::config::{Group, Guarantee};
use crate::delivery::LaneId;
use crate::kafka::{Commit, KafkaError};

use super::lane::{Lane, Mode};
use super::turn::Member;

/// The commit that is under way, if any.
#[derive(Debug)]
pub(super) struct Commits {
    under_way: Vec<(LaneId, i64)>,
    last: Instant,
    /// The last one of a partition that was given up got no answer in time.
    pub(super) no_answer: bool,
}

impl Commits {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            under_way: Vec::new(),
            last: now,
            no_answer: false,
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// When the next one may be sent; the answer to one that is under way wakes the loop itself, and
    /// so does what is to be committed before it is handled.
    pub(super) fn due(&self, group: &Group) -> Option<Instant> {
        let waits = self.is_under_way() || group.guarantee != Guarantee::AtLeastOnce;
        (!waits).then(|| self.last + group.commit_interval)
    }
}

impl Member {
    /// Hears the broker's answer, and commits what is finished when it is time.
    pub(super) fn commit(&mut self) {
        self.hear_commit();
        match self.group.guarantee {
            Guarantee::AtMostOnce => return self.claim_held(),
            // Its transactions do it.
            Guarantee::ExactlyOnce => return,
            Guarantee::AtLeastOnce => {}
        }
        if self.commits.is_under_way()
            || self.now.saturating_duration_since(self.commits.last) < self.group.commit_interval
        {
            return;
        }
        self.send_commit(|lane| !matches!(lane.mode, Mode::Leaving { .. }) && !lane.seeking);
    }

    /// Commits the finished prefix of the lanes that `which` picks, where it has moved. With
    /// `at_most_once`, where the commits have gone ahead, it takes them back.
    pub(super) fn send_commit(&mut self, which: impl Fn(&Lane) -> bool) {
        self.commits.last = self.now;
        let guarantee = self.group.guarantee;
        let lanes = self.lanes.iter_mut().map(|(_, lane)| lane);
        let next = lanes
            .filter(|lane| which(lane))
            .filter_map(|lane| {
                let (offset, metadata) = match guarantee {
                    Guarantee::AtLeastOnce => lane.tracker.committable()?,
                    Guarantee::AtMostOnce => lane.take_claim_back()?,
                    Guarantee::ExactlyOnce => return None,
                };
                Some((lane.id, commit_of(lane, offset, metadata)))
            })
            .collect();
        self.send_offsets(next);
    }

    /// With `at_most_once`: commits past what may start next, and no further: a crash loses what is
    /// committed and not handled.
    fn claim_held(&mut self) {
        let room = self.group.in_flight.saturating_sub(self.under_way);
        if room == 0 || self.commits.is_under_way() {
            return;
        }
        let share = (room / self.lanes.len().max(1)).max(1);
        let own = self.room();
        let mut next = Vec::new();
        for (_, lane) in &mut self.lanes {
            let claimed = lane.claimed;
            let worked_off = lane.held.front().is_some_and(|held| held.offset >= claimed);
            if !matches!(lane.mode, Mode::Open) || !worked_off || !lane.may_start(own) {
                continue;
            }
            let last = share.min(lane.held.len()) - 1;
            lane.claimed = lane.held[last].offset + 1;
            let list = lane.tracker.list_beyond(lane.claimed);
            next.push((lane.id, commit_of(lane, lane.claimed, list)));
        }
        self.send_offsets(next);
    }

    pub(super) fn send_offsets(&mut self, next: Vec<(LaneId, Commit)>) {
        if next.is_empty() {
            return;
        }
        let (lanes, offsets): (Vec<_>, Vec<_>) = next
            .into_iter()
            .map(|(id, commit)| ((id, commit.offset), commit))
            .unzip();
        self.commits.under_way = lanes;
        if let Err(error) = self.consumer.commit(&offsets) {
            tracing::warn!(%error, "the commit could not be sent; it will be sent again");
            self.commit_was_refused(true);
        }
    }

    /// Takes the broker's answer to the commit under way, if it is there.
    fn hear_commit(&mut self) {
        match self.consumer.commit_result(Duration::ZERO) {
            None => {}
            Some(Err(error)) => {
                self.tally.commits_refused += 1;
                tell_refusal(&error);
                self.commit_was_refused(is_passing(&error));
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
                        None => {
                            lane.committed = Some(offset);
                            lane.commit_again = false;
                            if std::mem::take(&mut lane.begins) {
                                self.setup.shared.has_begun(&lane.partition);
                            }
                        }
                        Some(error) => {
                            self.tally.commits_refused += 1;
                            tell_refusal(error);
                            lane.unlisted |= error.code == LIST_TOO_LONG;
                            lane.commit_refused(is_passing(error));
                        }
                    }
                }
                self.tally.touch();
            }
        }
    }

    fn commit_was_refused(&mut self, passing: bool) {
        for (id, _) in std::mem::take(&mut self.commits.under_way) {
            if let Some(lane) = self.lanes.get_mut(id.index).filter(|lane| lane.id == id) {
                lane.commit_refused(passing);
            }
        }
    }

    /// Stops fetching for lanes that hold more than their share of the buffer, and fetches again when
    /// they have worked it off. The client throws prefetched messages away when it pauses, hence the
    /// wide gap between the two marks.
    pub(super) fn hold_back_or_fetch(&mut self) {
        let own = self.room();
        let waiting = self.lanes.iter().map(|(_, lane)| lane.waiting.bytes);
        let share = own.bytes.saturating_sub(waiting.sum()) / own.lanes;
        let mut pause = Vec::new();
        let mut resume = Vec::new();
        for (_, lane) in &mut self.lanes {
            let halted = !matches!(lane.mode, Mode::Open) || lane.is_held_by_user();
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

/// The brokers have a lower bound for metadata than Kafka's own. Without its list a commit is taken.
const LIST_TOO_LONG: &str = "OFFSET_METADATA_TOO_LARGE";

/// Whether the same commit will be taken when a rebalance is over, or the coordinator is back.
///
/// A member that joins anew keeps its partitions, and for the moment until its client knows the new
/// generation what it commits is of the old one.
fn is_passing(error: &KafkaError) -> bool {
    error.retriable
        || matches!(
            error.code.as_str(),
            "ILLEGAL_GENERATION" | "STALE_MEMBER_EPOCH" | LIST_TOO_LONG
        )
}

fn tell_refusal(error: &KafkaError) {
    if is_passing(error) {
        tracing::debug!("{error}; it is sent again");
    } else {
        // The partitions' next holders begin at the commit before, as they should.
        tracing::warn!("{error}");
    }
}

fn commit_of(lane: &Lane, offset: i64, list: String) -> Commit {
    Commit {
        partition: lane.partition.clone(),
        offset,
        metadata: if lane.unlisted { String::new() } else { list },
    }
}
