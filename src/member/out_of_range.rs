//! A position that is no longer there: retention has passed it, or the topic was made anew.

use std::time::Duration;

use crate::config::OutOfRange;
use crate::delivery::LaneId;
use crate::kafka::{Partition, Position};

use super::Event;
use super::lane::Mode;
use super::turn::Member;

/// A broker's answer is waited for at most so long.
const ANSWER: Duration = Duration::from_secs(5);

impl Member {
    /// Some partition's position is out of range, and the client does not say which one.
    pub(super) fn find_out_of_range(&mut self) {
        let lanes: Vec<LaneId> = self.lanes.iter().map(|(_, lane)| lane.id).collect();
        for id in lanes {
            let lane = &self.lanes[id.index];
            let (partition, position) = (lane.partition.clone(), lane.position);
            match self.consumer.watermarks(&partition, ANSWER) {
                Ok((first, end)) if position < first || position > end => {
                    self.out_of_range(id, partition, position, first, end);
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "could not learn where {partition} begins"),
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
        let to = match self.group.on_out_of_range {
            OutOfRange::Stop => {
                let reason =
                    format!("{gone}; set on_out_of_range, or move the group with `deliveryd seek`");
                tracing::error!("{reason}");
                self.lanes[id.index].mode = Mode::Stuck {
                    reason: reason.clone(),
                    delivery: None,
                };
                self.setup
                    .observer
                    .event(Event::Stuck { partition, reason });
                return;
            }
            OutOfRange::Earliest => (Position::Beginning, first, "beginning"),
            OutOfRange::Latest => (Position::End, end, "end"),
        };
        tracing::warn!("{gone}; going on at its {}", to.2);
        match self.consumer.seek(&partition, to.0) {
            // Lower offsets than before may come now, as when the topic was made anew.
            Ok(()) => self.lanes[id.index].position = to.1.min(first),
            Err(error) => tracing::error!(%error, "could not move to the {} of {partition}", to.2),
        }
    }
}
