//! What the brokers deny a member, such as an ACL that was taken away: shown until it is let in again.
//!
//! The clients go on asking by themselves, so nothing is to be done but to say it.

use crate::kafka::{KafkaError, Partition};

use super::Event;
use super::lane::Lane;
use super::turn::Member;

impl Member {
    /// An error of the client as a whole.
    ///
    /// # Errors
    /// The same, where the client is beyond repair.
    pub(super) fn hear_error(&mut self, error: KafkaError) -> Result<(), KafkaError> {
        let error = error.of_group(&self.setup.group_id);
        if error.fatal {
            return Err(error);
        }
        if error.is_denied() && !error.is_outage() {
            self.is_kept_out(&error);
        }
        self.setup.observer.event(Event::Trouble(error));
        Ok(())
    }

    /// The brokers do not let it take part, until it is given an assignment.
    pub(super) fn is_kept_out(&mut self, error: &KafkaError) {
        self.kept_out = Some(error.message.clone());
        self.tally.touch();
    }

    /// It takes part again.
    pub(super) fn is_let_in(&mut self) {
        self.kept_out = None;
        self.tally.touch();
    }

    /// The brokers do not let it read a partition, or all of a topic (number below 0), until a message
    /// of it comes.
    pub(super) fn may_not_read(&mut self, partition: &Partition, error: KafkaError) {
        let meant = |lane: &&mut Lane| {
            lane.partition.topic == partition.topic
                && (partition.number < 0 || lane.partition.number == partition.number)
        };
        let lanes = self.lanes.iter_mut().map(|(_, lane)| lane);
        for lane in lanes.filter(meant) {
            lane.denied = Some(error.message.clone());
        }
        self.tally.touch();
        self.setup.observer.event(Event::Trouble(error));
    }
}
