//! A user moves the group's offset in a partition that this member holds.
//!
//! Nothing of the partition starts from then on. What the handler has returned from is finished first,
//! its emits acknowledged; what waits for a retry or for somebody to act is given up. Then the new
//! offset is committed, and only when the broker has taken it the member goes there. So a seek that
//! fails has changed nothing. With `exactly_once` the member goes there first, and nothing starts
//! before a transaction has committed it.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::config::Guarantee;
use crate::delivery::{LaneId, Tracker, Verdict};
use crate::kafka::{Commit, Partition, Position};

use super::lane::Mode;
use super::turn::Member;

/// A broker's answer is waited for at least so long.
const ANSWER: Duration = Duration::from_secs(5);

/// How many messages a seek gave up, or why it was not done.
pub type SeekAnswer = Result<u64, String>;

/// One seek on its way.
#[derive(Debug)]
pub(super) struct Seek {
    partition: Partition,
    to: i64,
    /// For what is in flight, and then again for the commit.
    deadline: Instant,
    stage: Stage,
    reply: oneshot::Sender<SeekAnswer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Draining,
    /// The commit waits for its turn, or must be sent again.
    ToCommit,
    Committing,
    /// With `exactly_once`: the member is there, and its next transaction commits it.
    Claiming {
        given_up: u64,
    },
}

/// How one look at a seek ended.
enum Next {
    Wait(Stage),
    End(SeekAnswer),
}

impl Member {
    /// Begins to move; `reply` hears how it went.
    pub(super) fn begin_seek(
        &mut self,
        partition: Partition,
        to: i64,
        reply: oneshot::Sender<SeekAnswer>,
    ) {
        let seek = Seek {
            deadline: self.now + self.group.drain_timeout.max(ANSWER),
            partition,
            to,
            stage: Stage::Draining,
            reply,
        };
        let refusal = match self.lane_to_move(&seek.partition) {
            Err(why) => Some(why),
            Ok(id) if self.lanes[id.index].seeking => {
                Some(format!("{} is being moved already", seek.partition))
            }
            Ok(id) => {
                self.lanes[id.index].seeking = true;
                None
            }
        };
        match refusal {
            Some(why) => answer(seek.reply, Err(why)),
            None => self.seeks.push(seek),
        }
    }

    /// Goes on with every seek, once a round.
    pub(super) fn go_on_seeking(&mut self) {
        for mut seek in std::mem::take(&mut self.seeks) {
            match self.look_at_seek(&mut seek) {
                Next::Wait(stage) => {
                    seek.stage = stage;
                    self.seeks.push(seek);
                }
                Next::End(result) => {
                    self.end_seek(&seek.partition);
                    match &result {
                        Ok(_) => tracing::info!("{} goes on at offset {}", seek.partition, seek.to),
                        Err(why) => tracing::warn!("{} is not moved: {why}", seek.partition),
                    }
                    answer(seek.reply, result);
                }
            }
        }
    }

    fn end_seek(&mut self, partition: &Partition) {
        let lanes = self.lanes.iter_mut().map(|(_, lane)| lane);
        for lane in lanes.filter(|lane| lane.partition == *partition) {
            lane.seeking = false;
        }
        self.tally.touch();
        self.inbox.wake.notify_one();
    }

    fn lane_to_move(&self, partition: &Partition) -> Result<LaneId, String> {
        let mut lanes = self.lanes.iter().map(|(_, lane)| lane);
        lanes
            .find(|lane| lane.partition == *partition)
            .filter(|lane| !matches!(lane.mode, Mode::Leaving { .. }))
            .map(|lane| lane.id)
            .ok_or_else(|| format!("{} gives it up just now", self.name))
    }

    fn look_at_seek(&mut self, seek: &mut Seek) -> Next {
        let id = match self.lane_to_move(&seek.partition) {
            Ok(id) => id,
            Err(why) => return Next::End(Err(why)),
        };
        let over = self.now >= seek.deadline;
        match seek.stage {
            Stage::Draining if !self.has_drained_lane(id) => match over {
                false => Next::Wait(Stage::Draining),
                true => Next::End(Err("its messages in flight are not finished within \
                                       drain_timeout"
                    .to_owned())),
            },
            Stage::Draining => {
                seek.deadline = self.now + self.group.drain_timeout.max(ANSWER);
                match self.group.guarantee {
                    Guarantee::ExactlyOnce => {
                        let given_up = self.go_to(id, seek.to);
                        Next::Wait(Stage::Claiming { given_up })
                    }
                    Guarantee::AtLeastOnce | Guarantee::AtMostOnce => {
                        self.commit_seek(id, seek, false)
                    }
                }
            }
            Stage::ToCommit => self.commit_seek(id, seek, over),
            Stage::Committing if self.commits.is_under_way() => match over {
                false => Next::Wait(Stage::Committing),
                true => Next::End(Err(
                    "the broker did not say in time whether it took the commit".to_owned(),
                )),
            },
            Stage::Committing => match self.lanes[id.index].refused.take() {
                None => Next::End(Ok(self.go_to(id, seek.to))),
                Some(true) if !over => Next::Wait(Stage::ToCommit),
                Some(_) => Next::End(Err(
                    "the broker refused the commit; the log says why".to_owned()
                )),
            },
            Stage::Claiming { given_up } => {
                let claimed = !self.lanes[id.index].unclaimed;
                match (claimed, over) {
                    (true, _) => Next::End(Ok(given_up)),
                    (false, false) => Next::Wait(seek.stage),
                    (false, true) => Next::End(Err("it is not committed yet; \
                        the member goes on trying, and starts nothing before"
                        .to_owned())),
                }
            }
        }
    }

    /// One commit at a time: this one goes after the one that is under way.
    fn commit_seek(&mut self, id: LaneId, seek: &Seek, over: bool) -> Next {
        if over {
            return Next::End(Err("the broker did not take the commit in time".to_owned()));
        }
        if self.commits.is_under_way() {
            return Next::Wait(Stage::ToCommit);
        }
        self.lanes[id.index].refused = None;
        let commit = Commit {
            partition: seek.partition.clone(),
            offset: seek.to,
            metadata: String::new(),
        };
        self.send_offsets(vec![(id, commit)]);
        Next::Wait(Stage::Committing)
    }

    /// Whether nothing of a lane is on its way to the broker.
    fn has_drained_lane(&self, id: LaneId) -> bool {
        let lane = &self.lanes[id.index];
        // What a transaction holds of it is committed first.
        let settled = !lane.dirty && !lane.unclaimed;
        let mut flights = self
            .flights
            .iter()
            .filter_map(|(_, flight)| flight.delivery.as_ref());
        settled && !flights.any(|delivery| delivery.lane() == id)
    }

    /// Lets the lane go on at `to`. Returns how many messages were given up.
    fn go_to(&mut self, id: LaneId, to: i64) -> u64 {
        let given_up = self.take_waiting(id);
        let count = given_up.len() as u64;
        for mut delivery in given_up {
            delivery.set_holds_gate(false);
            self.end(delivery, Verdict::Abandoned);
        }
        self.epoch += 1;
        let lane = &mut self.lanes[id.index];
        if count > 0 {
            tracing::info!(
                "{}: {count} unfinished messages are given up for a seek",
                lane.partition
            );
        }
        // What is still heard of messages before is of another epoch.
        lane.begin_epoch(self.epoch);
        lane.begin_at(Tracker::new(to, ""), to);
        lane.unclaimed = self.exactly_once.is_some();
        lane.mode = Mode::Open;
        let partition = lane.partition.clone();
        if let Err(error) = self.consumer.seek(&partition, Position::Offset(to)) {
            tracing::error!(%error, "could not move {partition} to offset {to}");
            // Trying it again is what `resume` does.
            self.lanes[id.index].mode = Mode::Stuck {
                reason: format!("the client could not be moved to offset {to}: {error}"),
                deliveries: Vec::new(),
            };
        }
        count
    }
}

fn answer(reply: oneshot::Sender<SeekAnswer>, result: SeekAnswer) {
    if reply.send(result).is_err() {
        tracing::debug!("who asked for a seek has gone; the log says how it went");
    }
}
