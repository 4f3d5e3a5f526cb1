//! Messages that end unfinished: their partition goes to another member, or the member ends.
//!
//! [`Member::abandon`] for whole lanes, [`Member::abandon_all`] for single deliveries. It is told, since
//! such messages come again.

use crate::config::Guarantee;
use crate::delivery::{Delivery, LaneId, Verdict};

use super::lane::{Lane, Mode};
use super::turn::Member;

impl Member {
    /// Ends what is in flight without finishing it.
    pub(super) fn abandon(&mut self, lanes: &[LaneId], why: &str) {
        for id in lanes {
            let mut given_up = self.take_waiting(*id);
            if let Some(lane) = self.lanes.get_mut(id.index).filter(|lane| lane.id == *id) {
                lane.drop_held();
            }
            let before = given_up.len();
            for (_, flight) in &mut self.flights {
                if flight.delivery.as_ref().is_some_and(|d| d.lane() == *id) {
                    given_up.extend(flight.delivery.take());
                }
            }
            if given_up.len() > before {
                // Their effects must not be committed without their offsets.
                self.doom(why.to_owned());
            }
            self.abandon_all(given_up, why);
        }
    }

    /// Everything of a lane that was started and is not in flight.
    pub(super) fn take_waiting(&mut self, id: LaneId) -> Vec<Delivery> {
        let retries = self.retries.take_lane(id).into_iter();
        let mut waiting: Vec<Delivery> = retries.map(|waiting| waiting.delivery).collect();
        waiting.extend(self.take_stuck(id));
        if let Some(lane) = self.lanes.get_mut(id.index).filter(|lane| lane.id == id) {
            waiting.extend(lane.gate.drain());
            waiting.extend(lane.ready.drain(..));
        }
        waiting
    }

    pub(super) fn take_stuck(&mut self, id: LaneId) -> Vec<Delivery> {
        match self.lanes.get_mut(id.index).filter(|lane| lane.id == id) {
            Some(Lane {
                mode: Mode::Stuck { deliveries, .. },
                ..
            }) => std::mem::take(deliveries),
            _ => Vec::new(),
        }
    }

    pub(super) fn abandon_all(&mut self, deliveries: Vec<Delivery>, why: &str) {
        let what_follows = match self.group.guarantee {
            Guarantee::AtMostOnce => "and will not come again, for it is committed",
            _ => "from this offset on, and will come again",
        };
        let Some(first) = deliveries
            .iter()
            .map(|d| d.record().clone())
            .min_by_key(|r| r.offset)
        else {
            return;
        };
        tracing::info!(
            topic = %first.topic,
            partition = first.partition,
            offset = first.offset,
            "{} unfinished, {what_follows}: {why}",
            match deliveries.len() {
                1 => "1 message is".to_owned(),
                n => format!("{n} messages are"),
            }
        );
        drop(first);
        for mut delivery in deliveries {
            delivery.set_holds_gate(false);
            self.end(delivery, Verdict::Abandoned);
        }
    }

    /// Before the client is thrown away.
    pub(super) fn abandon_everything(&mut self) {
        let lanes: Vec<LaneId> = self.lanes.iter().map(|(_, lane)| lane.id).collect();
        self.abandon(&lanes, "the member makes a new client");
        self.lanes.clear();
    }
}
