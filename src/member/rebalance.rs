//! A member's rebalances: take partitions up, and give them up in order.
//!
//! To give up: start nothing more, wait for what is in flight up to `drain_timeout`, commit, and only
//! then let go. librdkafka's callback has only noted what is asked; the loop goes on meanwhile, so
//! partitions that stay are worked on as before.

use std::time::{Duration, Instant};

use crate::config::Guarantee;
use crate::delivery::LaneId;
use crate::kafka::{Committed, KafkaError, Partition, Position, Rebalance};

use super::Event;
use super::lane::{Lane, Mode};
use super::turn::{Member, Stop};

/// A broker's answer is waited for at most so long.
const ANSWER: Duration = Duration::from_secs(5);

/// Between attempts to learn where to begin.
const AGAIN: Duration = Duration::from_millis(300);

/// Between attempts at a commit that a rebalance refuses.
const COMMIT_AGAIN: Duration = Duration::from_millis(50);

/// Partitions that the group has given to the member and that it has not begun with.
#[derive(Debug)]
pub(super) struct Pending {
    assign: Option<Vec<Partition>>,
    retry_at: Instant,
    joined: bool,
    /// When the current change of the assignment began.
    since: Instant,
}

impl Pending {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            assign: None,
            retry_at: now,
            joined: false,
            since: now,
        }
    }

    /// Whether the group has given the member an assignment, be it an empty one.
    pub(super) fn has_joined(&self) -> bool {
        self.joined
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.assign.as_ref().map(|_| self.retry_at)
    }
}

impl Leave {
    /// When to look again.
    pub(super) fn due(&self) -> Instant {
        self.again
            .map_or(self.deadline, |again| again.min(self.deadline))
    }
}

/// Partitions that are being given up.
#[derive(Debug)]
pub(super) struct Leave {
    lanes: Vec<LaneId>,
    partitions: Vec<Partition>,
    /// For draining, then for the commit.
    deadline: Instant,
    /// When the last commit, once sent, is sent again if it was refused.
    again: Option<Instant>,
    phase: Phase,
    /// Whether the group asked, and so waits for an answer; else the member stops.
    asked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Draining,
    Committing,
}

impl Leave {
    /// Whether all that is left to do is the last commit.
    pub(super) fn is_committing(&self) -> bool {
        self.phase == Phase::Committing
    }
}

impl Member {
    /// Goes on with whatever the group asked.
    pub(super) fn rebalance(&mut self) {
        while self.leave.is_none()
            && self.pending.assign.is_none()
            && let Some(asked) = self.consumer.next_rebalance()
        {
            self.awake.rebalanced(self.now);
            match asked {
                Rebalance::Assign(partitions) => {
                    self.pending.assign = Some(partitions);
                    self.pending.retry_at = self.now;
                }
                Rebalance::Revoke { partitions, lost } => self.revoke(partitions, lost),
            }
        }
        self.go_on_leaving();
        self.begin_stop_when_free();
        if self.leave.is_none() && self.stop.is_none() {
            self.take_up();
        }
    }

    /// Begins with the partitions that were assigned, where the group left off.
    fn take_up(&mut self) {
        if self.pending.retry_at > self.now {
            return;
        }
        let Some(partitions) = self.pending.assign.take() else {
            return;
        };
        self.prepare_to_emit(&partitions);
        let committed = match self.offsets_to_begin_at(&partitions) {
            Ok(Some(committed)) => committed,
            // It wakes the loop when it is done.
            Ok(None) => return self.take_up_later(partitions),
            Err(error) => {
                tracing::warn!(%error, "could not learn the committed offsets; trying again");
                self.pending.retry_at = Instant::now() + AGAIN;
                return self.take_up_later(partitions);
            }
        };
        let positions: Vec<(Partition, Position)> = committed
            .iter()
            .map(|committed| (committed.partition.clone(), begin_at(committed)))
            .collect();
        if let Err(error) = self.consumer.assign(&positions) {
            tracing::error!(%error, "the client refused the assignment; trying again");
            self.pending.assign = Some(partitions);
            self.pending.retry_at = Instant::now() + AGAIN;
            return;
        }
        for committed in committed {
            self.add_lane(committed);
        }
        self.pending.joined = true;
        self.awake.is_inside();
        self.call_on_assign(&partitions);
        self.tell_assigned();
    }

    /// What the member holds already goes on until then.
    fn take_up_later(&mut self, partitions: Vec<Partition>) {
        self.pending.assign = Some(partitions);
        if !self.lanes.is_empty()
            && let Err(error) = self.consumer.go_on_meanwhile()
        {
            tracing::warn!(%error, "what is kept stands still until the rebalance is over");
        }
    }

    /// The group's offsets of these partitions. `None`: what their earlier holders left open is being ended.
    fn offsets_to_begin_at(
        &mut self,
        partitions: &[Partition],
    ) -> Result<Option<Vec<Committed>>, KafkaError> {
        let in_transactions = self.exactly_once.is_some();
        if in_transactions && !partitions.is_empty() && !self.inherit(partitions)? {
            return Ok(None);
        }
        let mut committed = self.settled_offsets(partitions)?;
        for committed in &mut committed {
            if committed.offset.is_none() {
                committed.offset = self.setup.shared.start_of(&committed.partition);
            }
            if in_transactions && committed.offset.is_none() {
                committed.offset = Some(self.beginning_of(&committed.partition)?);
            }
        }
        Ok(Some(committed))
    }

    fn add_lane(&mut self, committed: Committed) {
        let paused = self.setup.shared.pauses().holds(&committed.partition);
        self.epoch += 1;
        let entry = self.lanes.vacant_entry();
        let id = LaneId {
            index: entry.key(),
            epoch: self.epoch,
        };
        let lane = entry.insert(Lane::new(
            id,
            committed.partition,
            self.group.ordering,
            committed.offset,
            &committed.metadata,
        ));
        lane.unclaimed = self.exactly_once.is_some();
        lane.user_paused = paused;
        lane.begins = self.setup.shared.start_of(&lane.partition).is_some();
        if lane.begins {
            // Else a restart before the first message would begin somewhere else.
            lane.tracker.commit_refused();
        }
    }

    fn tell_assigned(&mut self) {
        let took = self.now.saturating_duration_since(self.pending.since);
        let all = self.held_partitions();
        self.setup.observer.event(Event::Assigned { all, took });
        self.is_let_in();
        self.publish_now();
    }

    fn held_partitions(&self) -> Vec<Partition> {
        let mut all: Vec<Partition> = self
            .lanes
            .iter()
            .map(|(_, lane)| lane.partition.clone())
            .collect();
        all.sort();
        all
    }

    fn revoke(&mut self, partitions: Vec<Partition>, lost: bool) {
        self.pending.since = self.now;
        let lanes: Vec<LaneId> = self
            .lanes
            .iter()
            .filter(|(_, lane)| partitions.contains(&lane.partition))
            .map(|(_, lane)| lane.id)
            .collect();
        if lost {
            // They belong to others already: what is in flight here is theirs to repeat.
            self.awake.is_outside();
            let why = "the partitions went to other members";
            self.abandon(&lanes, why);
            self.let_go(&partitions, lanes, true);
        } else {
            self.begin_leave(lanes, partitions, true);
        }
    }

    /// Stops starting messages of these lanes; what only waits is left to the next holder.
    fn begin_leave(&mut self, lanes: Vec<LaneId>, partitions: Vec<Partition>, asked: bool) {
        for id in &lanes {
            let finishes_held = self.finishes_held(*id);
            let given_up = match finishes_held {
                true => Vec::new(),
                false => self.take_waiting(*id),
            };
            let lane = &mut self.lanes[id.index];
            lane.mode = Mode::Leaving { finishes_held };
            if finishes_held {
                lane.drop_held_from(lane.claimed);
            } else {
                lane.drop_held();
            }
            self.abandon_all(given_up, "was waiting for its retry");
        }
        let mut deadline = self.now + self.group.drain_timeout;
        if let Some(stop) = self.stop {
            deadline = deadline.min(stop.deadline);
        }
        self.leave = Some(Leave {
            lanes,
            partitions,
            deadline,
            again: None,
            phase: Phase::Draining,
            asked,
        });
    }

    /// Whether a lane that is given up first handles what it holds: that is committed already. Where
    /// nothing can go on, the commit is taken back instead.
    fn finishes_held(&self, id: LaneId) -> bool {
        let lane = &self.lanes[id.index];
        let goes_on = matches!(lane.mode, Mode::Open) && !lane.is_held_by_user();
        self.group.guarantee == Guarantee::AtMostOnce && goes_on && !self.tally.halted
    }

    fn go_on_leaving(&mut self) {
        let Some(leave) = self.leave.take() else {
            return;
        };
        let over = self.now >= leave.deadline;
        match leave.phase {
            Phase::Draining if self.in_flight_of(&leave.lanes) && !over => self.leave = Some(leave),
            Phase::Draining => {
                self.abandon(&leave.lanes, "did not finish within drain_timeout");
                self.leave = Some(Leave {
                    phase: Phase::Committing,
                    deadline: self.commit_deadline(),
                    ..leave
                });
                self.go_on_leaving();
            }
            // One commit at a time: ours goes after the one that is under way.
            // The transaction has their offsets, and says that nobody holds them any more.
            Phase::Committing if self.exactly_once.is_some() && !over => {
                if leave.lanes.iter().all(|id| self.lanes[id.index].released) {
                    self.let_go(&leave.partitions, leave.lanes, leave.asked);
                } else {
                    self.leave = Some(leave);
                }
            }
            Phase::Committing if self.commits.is_under_way() && !over => self.leave = Some(leave),
            // Members that join or leave together refuse each other's commits for a moment.
            Phase::Committing if !over && self.must_commit(&leave) => {
                let due = leave.again.is_none_or(|again| again <= self.now);
                if due {
                    self.send_commit(|lane| leave.lanes.contains(&lane.id));
                }
                let again = Some(self.now + COMMIT_AGAIN);
                self.leave = Some(Leave {
                    again: if due { again } else { leave.again },
                    ..leave
                });
                if due && !self.commits.is_under_way() {
                    self.go_on_leaving();
                }
            }
            Phase::Committing => {
                if over {
                    tracing::warn!("the broker did not answer the last commit in time");
                    self.commits.no_answer = true;
                }
                self.let_go(&leave.partitions, leave.lanes, leave.asked);
            }
        }
    }

    /// While a member joins anew, the coordinator answers its commits only when all others have joined,
    /// and those may be draining.
    fn commit_deadline(&self) -> Instant {
        let deadline = self.now + ANSWER.max(self.group.drain_timeout);
        match self.stop {
            Some(stop) => deadline.min(stop.deadline.max(self.now + ANSWER)),
            None => deadline,
        }
    }

    /// Whether its last commit was not sent yet, or must be sent again.
    fn must_commit(&self, leave: &Leave) -> bool {
        let refused = |id: &LaneId| self.lanes[id.index].commit_again;
        leave.again.is_none() || leave.lanes.iter().any(refused)
    }

    /// Forgets the lanes and, where the group waits for it, says so.
    fn let_go(&mut self, partitions: &[Partition], lanes: Vec<LaneId>, asked: bool) {
        self.call_on_revoke(partitions);
        self.doom_if_in_it(
            &lanes,
            "partitions went away before their offsets were committed",
        );
        let paused: Vec<Partition> = lanes
            .into_iter()
            .map(|id| self.lanes.remove(id.index))
            .filter(|lane| lane.fetch_paused)
            .map(|lane| lane.partition)
            .collect();
        if !asked {
            return;
        }
        // A pause outlives the assignment: the partition would stand still when it comes back.
        if !paused.is_empty()
            && let Err(error) = self.consumer.resume(&paused)
        {
            tracing::warn!(%error, "could not resume partitions that are given up");
        }
        if let Err(error) = self.consumer.unassign(partitions) {
            tracing::error!(%error, "the client refused to give partitions up");
        }
        let all = self.held_partitions();
        self.setup.observer.event(Event::Revoked { all });
        self.tally.touch();
        self.publish_now();
    }

    /// Begins to stop; a rebalance that is under way is finished first.
    pub(super) fn begin_stop(&mut self, stop: Stop) {
        self.stop = Some(stop);
        if let Some(leave) = &mut self.leave {
            leave.deadline = leave.deadline.min(stop.deadline);
        }
    }

    fn begin_stop_when_free(&mut self) {
        if self.stop.is_none() || self.leave.is_some() || self.lanes.is_empty() {
            return;
        }
        let lanes: Vec<LaneId> = self.lanes.iter().map(|(_, lane)| lane.id).collect();
        let partitions = self.held_partitions();
        self.begin_leave(lanes, partitions, false);
        // Where nothing is in flight nothing would wake the loop to go on.
        self.go_on_leaving();
    }

    /// Whether nothing holds the member back from leaving the group.
    pub(super) fn has_drained(&self) -> bool {
        let settled = self
            .exactly_once
            .as_ref()
            .is_none_or(|own| own.state.is_settled());
        // What is not settled by then, the broker or the next holder ends.
        let over = self.stop.is_some_and(|stop| stop.deadline <= self.now);
        self.leave.is_none() && self.lanes.is_empty() && (settled || over)
    }

    fn in_flight_of(&self, lanes: &[LaneId]) -> bool {
        let in_flight = self.flights.iter().any(|(_, flight)| {
            flight
                .delivery
                .as_ref()
                .is_some_and(|delivery| lanes.contains(&delivery.lane()))
        });
        in_flight
            || lanes.iter().any(|id| {
                let lane = &self.lanes[id.index];
                match lane.mode {
                    Mode::Leaving {
                        finishes_held: true,
                    } => !lane.held.is_empty() || lane.tracker.unfinished() > 0,
                    _ => false,
                }
            })
    }
}

fn begin_at(committed: &Committed) -> Position {
    // A partition without an offset was added after the group began: its beginning is what is new.
    committed
        .offset
        .map_or(Position::Beginning, Position::Offset)
}
