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
            let in_flight = self.take_in_flight(*id);
            if !in_flight.is_empty() {
                // Their effects must not be committed without their offsets.
                self.doom(why.to_owned());
            }
            if self.group.guarantee == Guarantee::AtMostOnce {
                self.let_fly(in_flight, why);
            } else {
                given_up.extend(in_flight);
            }
            self.abandon_all(given_up, why);
        }
    }

    fn take_in_flight(&mut self, id: LaneId) -> Vec<Delivery> {
        let of_lane = |delivery: &mut Delivery| delivery.lane() == id;
        let flights = self.flights.iter_mut();
        flights
            .filter_map(|(_, flight)| flight.delivery.take_if(of_lane))
            .collect()
    }

    /// With `at_most_once`, what is on its way may be written: it does not come again.
    fn let_fly(&mut self, deliveries: Vec<Delivery>, why: &str) {
        self.tell_unfinished(&deliveries, "and may be written or not", why);
        for mut delivery in deliveries {
            delivery.set_holds_gate(false);
            let id = delivery.lane();
            if let Some(lane) = self.lanes.get_mut(id.index).filter(|lane| lane.id == id) {
                lane.tracker.finished(delivery.record().offset);
            }
            self.end(delivery, Verdict::Abandoned);
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
        // Of a partition that is being given up in order the commit is taken back.
        let is_leaving = |delivery: &Delivery| {
            let lane = self.lanes.get(delivery.lane().index);
            lane.is_some_and(|lane| matches!(lane.mode, Mode::Leaving { .. }))
        };
        let what_follows = match self.group.guarantee {
            Guarantee::AtMostOnce if !deliveries.iter().all(is_leaving) => {
                "and will not come again, for it is committed"
            }
            _ => "from this offset on, and will come again",
        };
        self.tell_unfinished(&deliveries, what_follows, why);
        for mut delivery in deliveries {
            delivery.set_holds_gate(false);
            self.end(delivery, Verdict::Abandoned);
        }
    }

    fn tell_unfinished(&self, deliveries: &[Delivery], what_follows: &str, why: &str) {
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
    }

    /// Before the client is thrown away.
    pub(super) fn abandon_everything(&mut self) {
        let lanes: Vec<LaneId> = self.lanes.iter().map(|(_, lane)| lane.id).collect();
        self.abandon(&lanes, "the member makes a new client");
        self.lanes.clear();
    }
}
