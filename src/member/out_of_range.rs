//! A position that is no longer there: retention has passed it, or the topic was made anew.

use std::time::Duration;

use crate::config::OutOfRange;
use crate::delivery::{LaneId, Tracker};
use crate::kafka::{Partition, Position};

use super::Event;
use super::lane::Mode;
use super::turn::Member;

/// A broker's answer is waited for at most so long.
const ANSWER: Duration = Duration::from_secs(5);

impl Member {
    /// Some partition's position is out of range.
    pub(super) fn find_out_of_range(&mut self) {
        let told = self.consumer.take_out_of_range();
        // The client does not always say which one; then all are looked at.
        let lanes: Vec<usize> = self
            .lanes
            .iter()
            .filter(|(_, lane)| told.is_empty() || told.contains(&lane.partition))
            .map(|(index, _)| index)
            .collect();
        for index in lanes {
            self.look_whether_in_range(index);
        }
    }

    /// Compares a lane's position with what its partition has, and goes where the config says.
    pub(super) fn look_whether_in_range(&mut self, index: usize) {
        let lane = &self.lanes[index];
        // Leaving: the next holder will see it. At the beginning: that is where it is, whatever its offset.
        if matches!(lane.mode, Mode::Leaving { .. }) || lane.begins_anywhere() {
            return;
        }
        let (id, partition, position) = (lane.id, lane.partition.clone(), lane.position);
        match self.consumer.watermarks(&partition, ANSWER) {
            Ok((first, end)) if position < first || position > end => {
                self.out_of_range(id, partition, position, first, end);
            }
            Ok(_) => self.move_to(id, &partition, Position::Offset(position), position),
            Err(error) => {
                tracing::warn!(%error, "could not learn where {partition} begins; trying again");
                // The client asks again from there, and finds out again.
                self.move_to(id, &partition, Position::Offset(position), position);
            }
        }
    }

    fn out_of_range(&mut self, id: LaneId, partition: Partition, at: i64, first: i64, end: i64) {
        let gone = if at < first {
            format!(
                "retention has passed the group's offset {at} of {partition}: {} messages, up to offset {first}, are gone",
                first - at
            )
        } else {
            format!(
                "the group's offset {at} of {partition} is past its end {end}: was the topic made anew?"
            )
        };
        let (to, offset, name) = match self.group.on_out_of_range {
            OutOfRange::Stop => {
                let reason =
                    format!("{gone}; set on_out_of_range, or move the group with `deliveryd seek`");
                tracing::error!("{reason}");
                self.lanes[id.index].mode = Mode::Stuck {
                    reason: reason.clone(),
                    deliveries: Vec::new(),
                };
                self.setup
                    .observer
                    .event(Event::Stuck { partition, reason });
                return;
            }
            OutOfRange::Earliest => (Position::Beginning, first, "beginning"),
            OutOfRange::Latest => (Position::Offset(end), end, "end"),
        };
        tracing::warn!("{gone}; going on at its {name}");
        self.begin_anew(id, at < first, offset);
        self.move_to(self.lanes[id.index].id, &partition, to, offset);
    }

    /// Lets the lane's bookkeeping begin at `offset`, and commits that: without a commit a restart
    /// would find the old offset again, and with `latest` pass over what has come since.
    fn begin_anew(&mut self, id: LaneId, ahead: bool, offset: i64) {
        let waiting = if ahead {
            Vec::new()
        } else {
            // They belong to a topic that is no more.
            self.take_waiting(id)
        };
        let lane = &mut self.lanes[id.index];
        // With transactions, the next one commits it.
        lane.unclaimed = self.exactly_once.is_some();
        if ahead && (lane.tracker.unfinished() > 0 || !lane.held.is_empty()) {
            // What is under way lies before: the commit follows when more is finished.
            return;
        }
        lane.drop_held();
        lane.tracker = Tracker::new(offset, "");
        lane.tracker.commit_refused();
        lane.claimed = offset;
        if !ahead {
            // Late completions of the old topic's messages must not count for the new one's.
            self.epoch += 1;
            lane.begin_epoch(self.epoch);
        }
        self.abandon_all(waiting, "its topic was made anew");
    }

    fn move_to(&mut self, id: LaneId, partition: &Partition, to: Position, offset: i64) {
        match self.consumer.seek(partition, to) {
            Ok(()) => self.lanes[id.index].move_to(offset),
            Err(error) => tracing::error!(%error, "could not move {partition} to offset {offset}"),
        }
    }
}
