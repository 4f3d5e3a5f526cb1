//! Messages that librdkafka handed over and that were not polled yet.
//!
//! librdkafka counts them as consumed: it fetches on behind them. So they may be dropped only when the
//! partition is given up or sought in, and must be kept over a pause.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Partition;
use super::raw::Message;
use crate::delivery::Record;

#[derive(Default)]
pub(super) struct Inbox {
    pub waiting: VecDeque<Message>,
    /// Of paused partitions, in order for each.
    held: Vec<Message>,
    /// The topic of the last message: its name is copied once, not for each message.
    topic: Option<Arc<str>>,
}

impl Inbox {
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn next(&mut self) -> Option<Message> {
        self.waiting.pop_front()
    }

    pub fn clear(&mut self) {
        self.waiting.clear();
        self.held.clear();
    }

    /// Copies a message into the record.
    pub fn fill(&mut self, record: &mut Record, message: &Message) {
        let name = message.topic();
        let topic = match &self.topic {
            Some(topic) if **topic == *name => topic,
            _ => self.topic.insert(Arc::from(name)),
        };
        // The record mostly has it already, from the message before.
        if !Arc::ptr_eq(&record.topic, topic) {
            record.topic = topic.clone();
        }
        record.partition = message.partition();
        record.offset = message.offset();
        record.timestamp = message.timestamp();
        record.clear();
        record.set_key(message.key());
        record.set_value(message.value());
        message.headers(|name, value| record.add_header(name, value));
    }

    /// The first message of a partition that is here.
    pub fn first(&self, partition: &Partition) -> Option<&Message> {
        let mut here = self.held.iter().chain(&self.waiting);
        here.find(|message| is_of(message, partition) && !message.is_error())
    }

    /// Forgets what is here of a partition.
    pub fn drop_partition(&mut self, partition: &Partition) {
        self.waiting.retain(|message| !is_of(message, partition));
        self.held.retain(|message| !is_of(message, partition));
    }

    /// Keeps what is here of a partition until [`Inbox::release`].
    pub fn hold(&mut self, partition: &Partition) {
        for message in std::mem::take(&mut self.waiting) {
            if is_of(&message, partition) {
                self.held.push(message);
            } else {
                self.waiting.push_back(message);
            }
        }
    }

    /// Puts what was kept of a partition before everything that was fetched since.
    pub fn release(&mut self, partition: &Partition) {
        let mut released = VecDeque::new();
        for message in std::mem::take(&mut self.held) {
            if is_of(&message, partition) {
                released.push_back(message);
            } else {
                self.held.push(message);
            }
        }
        released.append(&mut self.waiting);
        self.waiting = released;
    }
}

fn is_of(message: &Message, partition: &Partition) -> bool {
    message.partition() == partition.number && message.topic() == &*partition.topic
}
