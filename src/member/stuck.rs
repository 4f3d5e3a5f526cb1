//! Partitions that stand still at messages that can not be finished.
//!
//! [`Member::stick`] halts one, [`Member::resume`] tries again what it stopped at.

use crate::delivery::Delivery;
use crate::kafka::Partition;

use super::Event;
use super::lane::Mode;
use super::turn::Member;

impl Member {
    /// Halts the partition at this message.
    pub(super) fn stick(&mut self, mut delivery: Delivery, reason: String) {
        self.close_gate(&mut delivery);
        let id = delivery.lane();
        match self.lanes.get_mut(id.index).filter(|lane| lane.id == id) {
            Some(lane) => match &mut lane.mode {
                Mode::Open => {
                    let partition = lane.partition.clone();
                    lane.mode = Mode::Stuck {
                        reason: reason.clone(),
                        deliveries: vec![delivery],
                    };
                    self.setup
                        .observer
                        .event(Event::Stuck { partition, reason });
                }
                Mode::Stuck { deliveries, .. } => deliveries.push(delivery),
                Mode::Leaving { .. } => self.abandon_all(vec![delivery], &reason),
            },
            None => self.abandon_all(vec![delivery], &reason),
        }
    }

    /// Tries again what is stuck: after `resume`, or with a new handler.
    pub(super) fn resume(&mut self, only: Option<&Partition>) {
        self.setup.shared.resume();
        self.tally.halted = false;
        let stuck: Vec<usize> = self
            .lanes
            .iter()
            .filter(|(_, lane)| matches!(lane.mode, Mode::Stuck { .. }))
            .filter(|(_, lane)| only.is_none_or(|only| *only == lane.partition))
            .map(|(index, _)| index)
            .collect();
        for index in stuck {
            let lane = &mut self.lanes[index];
            let Mode::Stuck { mut deliveries, .. } = std::mem::replace(&mut lane.mode, Mode::Open)
            else {
                continue;
            };
            if deliveries.is_empty() {
                self.look_whether_in_range(index);
                continue;
            }
            deliveries.sort_by_key(|delivery| delivery.record().offset);
            // Each before what waited behind it, and all before what was ready when they got stuck.
            let later = std::mem::take(&mut lane.ready);
            for mut delivery in deliveries {
                delivery.afresh();
                delivery.set_holds_gate(false);
                let behind = lane.gate.open(delivery.record());
                lane.ready.push_back(delivery);
                lane.ready.extend(behind);
            }
            lane.ready.extend(later);
        }
        self.inbox.wake.notify_one();
    }
}
