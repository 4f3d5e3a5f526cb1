//! Messages that are read again, because the transaction that they were in is aborted.
//!
//! [`Member::undo`] for the one that was refused, [`Member::drop_flights`] and [`Member::read_again`] for
//! all. What is known of a message, such as its attempts, is kept until it is reached again.

use std::time::{Instant, SystemTime};

use crate::delivery::{Delivery, LaneId, Tracker, Verdict};
use crate::kafka::{KafkaError, Position};
use crate::script::Failure;

use super::lane::Mode;
use super::retry::Waiting;
use super::room::set_waits;
use super::send::{failure, not_given_up};
use super::turn::Member;

/// What is known of a message that is read again.
#[derive(Debug)]
pub(super) struct Past {
    attempt: u32,
    first_failure: Option<SystemTime>,
    then: Then,
}

/// What follows when a message is reached again.
#[derive(Debug)]
enum Then {
    Call,
    /// It may be what the broker refused: it is handled in a transaction of its own.
    CallAlone,
    Wait(Instant),
    Fail(Failure),
    Stick(String),
}

impl Past {
    pub(super) fn is_suspect(&self) -> bool {
        matches!(self.then, Then::CallAlone)
    }
}

impl Member {
    /// The broker refused something of a message whose effects are in the transaction: all of it is
    /// taken back. When the message is reached again, it is handled alone; when it was, this is its failure.
    pub(super) fn undo(&mut self, delivery: Delivery, verdict: Verdict, failure: Failure) {
        let why = failure.reason.clone();
        let alone = self.own_is_alone();
        let then = match verdict {
            // A broker refuses whole batches: its neighbours in one are refused with it.
            _ if !alone => Then::CallAlone,
            Verdict::Handled => Then::Fail(failure),
            given_up => Then::Stick(not_given_up(given_up, &why)),
        };
        self.remember(delivery, then);
        if let Some(own) = &mut self.exactly_once {
            own.state.doom(why, true);
        }
    }

    /// The broker refused something of a message whose transaction is being aborted already.
    pub(super) fn suspect(&mut self, id: LaneId, offset: i64, why: String) {
        let alone = self.own_is_alone();
        let Some(lane) = self.lanes.get_mut(id.index).filter(|lane| lane.id == id) else {
            return;
        };
        let past = lane.pasts.entry(offset).or_insert(Past {
            attempt: 1,
            first_failure: None,
            then: Then::Call,
        });
        if matches!(past.then, Then::Call) {
            past.then = match alone {
                true => Then::Fail(failure(why.clone())),
                false => Then::CallAlone,
            };
        }
        if let Some(own) = &mut self.exactly_once {
            own.state.doom(why, true);
        }
    }

    fn own_is_alone(&self) -> bool {
        let own = self.exactly_once.as_ref();
        own.is_some_and(|own| own.state.is_alone())
    }

    /// The broker denies a topic to the transaction as a whole: which of its messages wrote to it is
    /// found by giving each a transaction of its own.
    pub(super) fn suspect_all(&mut self, why: &str) {
        if self.own_is_alone() {
            let blamed: Vec<Delivery> = self
                .flights
                .iter_mut()
                .filter_map(|(_, flight)| flight.delivery.take())
                .collect();
            for delivery in blamed {
                self.remember(delivery, Then::Fail(failure(why.to_owned())));
            }
            return;
        }
        for (_, lane) in self.lanes.iter_mut().filter(|(_, lane)| lane.dirty) {
            lane.alone_before = lane.tracker.newest_started();
        }
    }

    /// Ends a delivery whose message is read again, and keeps what is known of it.
    fn remember(&mut self, delivery: Delivery, then: Then) {
        let id = delivery.lane();
        let known = delivery.attempt() > 1 || delivery.first_failure().is_some();
        if (known || !matches!(then, Then::Call))
            && let Some(lane) = self.lanes.get_mut(id.index).filter(|lane| lane.id == id)
        {
            let past = Past {
                attempt: delivery.attempt(),
                first_failure: delivery.first_failure(),
                then,
            };
            lane.pasts.insert(delivery.record().offset, past);
        }
        self.end(delivery, Verdict::Abandoned);
    }

    /// What is in flight belongs to the transaction, and goes with it.
    pub(super) fn drop_flights(&mut self) {
        if let Some(sending) = self.sending.take() {
            let flight = &mut self.flights[sending.ticket()];
            flight.seal();
            if let Some(delivery) = flight.delivery.take() {
                self.remember(delivery, Then::Call);
            }
        }
        let deliveries: Vec<Delivery> = self
            .flights
            .iter_mut()
            .filter_map(|(_, flight)| flight.delivery.take())
            .collect();
        for delivery in deliveries {
            self.remember(delivery, Then::Call);
        }
        self.flights.retain(|_, flight| flight.is_outstanding());
    }

    /// Goes back to the group's offsets, in each partition of which something was in the transaction.
    pub(super) fn read_again(&mut self) -> Result<(), KafkaError> {
        self.tally.aborted();
        let lanes: Vec<LaneId> = self
            .lanes
            .iter()
            .filter(|(_, lane)| lane.dirty)
            .map(|(_, lane)| lane.id)
            .collect();
        for id in lanes {
            self.read_lane_again(id)?;
        }
        self.inbox.wake.notify_one();
        Ok(())
    }

    fn read_lane_again(&mut self, id: LaneId) -> Result<(), KafkaError> {
        for Waiting { due, delivery } in self.retries.take_lane(id) {
            self.remember(delivery, Then::Wait(due));
        }
        let stuck = self.lanes[id.index].stuck_reason().map(str::to_owned);
        for delivery in self.take_stuck(id) {
            self.remember(delivery, Then::Stick(stuck.clone().unwrap_or_default()));
        }
        for delivery in self.take_waiting(id) {
            self.remember(delivery, Then::Call);
        }
        self.epoch += 1;
        let epoch = self.epoch;
        let lane = &mut self.lanes[id.index];
        // Known since it was taken up.
        let offset = lane.committed.unwrap_or(0);
        lane.begin_epoch(epoch);
        lane.drop_held();
        lane.tracker = Tracker::new(offset, &lane.list);
        lane.move_to(offset);
        lane.dirty = false;
        match lane.mode {
            Mode::Leaving { .. } => return Ok(()),
            Mode::Open | Mode::Stuck { .. } => lane.mode = Mode::Open,
        }
        let partition = lane.partition.clone();
        self.consumer.seek(&partition, Position::Offset(offset))
    }

    /// Lets a message that is reached again go on where it was. `None`: it is as new.
    pub(super) fn go_on_from_past(&mut self, mut delivery: Delivery) -> Option<Delivery> {
        let id = delivery.lane();
        let lane = self.lanes.get_mut(id.index).filter(|lane| lane.id == id)?;
        let Some(past) = lane.pasts.remove(&delivery.record().offset) else {
            return Some(delivery);
        };
        delivery.restore(past.attempt, past.first_failure);
        match past.then {
            Then::Call | Then::CallAlone => return Some(delivery),
            Then::Fail(failure) => self.fail(delivery, failure),
            Then::Stick(reason) => self.stick(delivery, reason),
            Then::Wait(due) => {
                self.close_gate(&mut delivery);
                set_waits(&mut self.lanes, &mut delivery, true);
                self.retries.add(due, delivery);
            }
        }
        None
    }

    /// Ends a delivery whose transaction is doomed: its message comes again.
    pub(super) fn read_later(&mut self, delivery: Delivery) {
        self.remember(delivery, Then::Call);
    }
}
