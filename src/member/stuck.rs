//! Partitions that stand still at messages that can not be finished.
//!
//! [`Member::stick`] halts one, [`Member::resume`] tries again what it stopped at, and
//! [`Member::give_up_stuck`] gets it past the message.

use tokio::sync::oneshot;

use crate::delivery::Delivery;
use crate::kafka::Partition;
use crate::script::Failure;

use super::Event;
use super::lane::Mode;
use super::room::set_waits;
use super::turn::Member;

impl Member {
    /// Halts the partition at this message.
    pub(super) fn stick(&mut self, mut delivery: Delivery, reason: String) {
        self.close_gate(&mut delivery);
        set_waits(&mut self.lanes, &mut delivery, true);
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

    /// Gives up the message that each of these partitions is stuck at, as soon as the handler's last
    /// effects have left: `on_failed` may be called for it.
    pub(super) fn give_up_stuck(&mut self) {
        while self.may_send()
            && let Some((partition, reply)) = self.to_give_up.pop()
        {
            let result = self.give_up_first(&partition);
            if reply.send(result).is_err() {
                tracing::debug!("who wanted {partition} to go on has gone");
            }
        }
    }

    /// The first message of a stuck partition becomes a dead letter, whatever the policy says; the rest
    /// is tried again. Returns the message and where it goes.
    fn give_up_first(&mut self, partition: &Partition) -> Result<GivenUp, String> {
        let mut lanes = self.lanes.iter_mut().map(|(_, lane)| lane);
        let lane = lanes.find(|lane| lane.partition == *partition);
        let Some(mode) = lane.map(|lane| &mut lane.mode) else {
            return Err(format!("{partition} is not held by this member any more"));
        };
        let Mode::Stuck { reason, deliveries } = mode else {
            return Err(format!("{partition} is not stuck"));
        };
        let offsets = deliveries.iter().map(|delivery| delivery.record().offset);
        let Some((first, _)) = offsets.enumerate().min_by_key(|(_, offset)| *offset) else {
            return Err(format!(
                "{partition} is not stuck at a message, but for another reason: {reason}"
            ));
        };
        let failure = Failure {
            reason: reason.clone(),
            diagnostic: None,
        };
        let mut delivery = deliveries.swap_remove(first);
        let given_up = GivenUp {
            offset: delivery.record().offset,
            topic: self.group.on_failure.dead_letter_topic(&partition.topic),
        };
        if deliveries.is_empty() {
            *mode = Mode::Open;
        }
        self.resume(Some(partition));
        set_waits(&mut self.lanes, &mut delivery, false);
        self.dead_letter(delivery, failure);
        Ok(given_up)
    }
}

/// A message on its way to the dead-letter topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    pub offset: i64,
    pub topic: String,
}

/// Who waits to hear of it.
pub(super) type GiveUpReply = oneshot::Sender<Result<GivenUp, String>>;
