//! What the user has paused of a group: all of it, topics, partitions.
//!
//! It is kept by name, not by holder: a pause outlives rebalances, reloads and the members themselves,
//! and ends with the process. Of what was said of a partition, its topic and its group, the last word
//! counts. Nothing here knows Kafka.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kafka::Partition;

/// A group as far as a command is about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    Group,
    Topic(Arc<str>),
    Partition(Partition),
}

impl Scope {
    /// Whether the partition is in it.
    pub fn covers(&self, partition: &Partition) -> bool {
        match self {
            Self::Group => true,
            Self::Topic(topic) => *topic == partition.topic,
            Self::Partition(one) => one == partition,
        }
    }
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pauses {
    group: bool,
    /// Where it is otherwise than the group.
    topics: BTreeMap<Arc<str>, bool>,
    /// Where it is otherwise than the topic.
    partitions: BTreeMap<Partition, bool>,
}

impl Pauses {
    /// Pauses or resumes what is in the scope, whatever was said of parts of it.
    pub fn set(&mut self, scope: &Scope, paused: bool) {
        self.partitions
            .retain(|partition, _| !scope.covers(partition));
        match scope {
            Scope::Group => {
                self.group = paused;
                self.topics.clear();
            }
            Scope::Topic(topic) => {
                self.topics.remove(topic);
                if self.group != paused {
                    self.topics.insert(topic.clone(), paused);
                }
            }
            Scope::Partition(partition) => {
                if self.holds_topic(&partition.topic) != paused {
                    self.partitions.insert(partition.clone(), paused);
                }
            }
        }
    }

    /// Whether the partition is paused.
    pub fn holds(&self, partition: &Partition) -> bool {
        let own = self.partitions.get(partition).copied();
        own.unwrap_or_else(|| self.holds_topic(&partition.topic))
    }

    /// Whether the group as a whole is paused: what comes to it later is, too.
    pub fn holds_group(&self) -> bool {
        self.group
    }

    fn holds_topic(&self, topic: &str) -> bool {
        self.topics.get(topic).copied().unwrap_or(self.group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(topic: &str, number: i32) -> Partition {
        Partition {
            topic: topic.into(),
            number,
        }
    }

    fn paused(pauses: &Pauses) -> [bool; 4] {
        [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
            .map(|(topic, n)| pauses.holds(&partition(topic, n)))
    }

    /// What is narrower may be otherwise than what is wider.
    #[test]
    fn a_part_can_be_paused_and_resumed_by_itself() {
        let mut pauses = Pauses::default();
        pauses.set(&Scope::Partition(partition("a", 1)), true);
        assert_eq!(paused(&pauses), [false, true, false, false]);
        pauses.set(&Scope::Topic("b".into()), true);
        assert_eq!(paused(&pauses), [false, true, true, true]);
        assert!(!pauses.holds_group());
        pauses.set(&Scope::Group, true);
        pauses.set(&Scope::Partition(partition("b", 0)), false);
        assert_eq!(paused(&pauses), [true, true, false, true]);
        pauses.set(&Scope::Topic("a".into()), false);
        assert_eq!(paused(&pauses), [false, false, false, true]);
        assert!(pauses.holds(&partition("c", 0)), "what comes later too");
    }

    /// The last word counts, whatever was said of parts before; and nothing is left of it.
    #[test]
    fn the_last_word_counts() {
        let mut pauses = Pauses::default();
        pauses.set(&Scope::Partition(partition("a", 1)), true);
        pauses.set(&Scope::Topic("a".into()), false);
        assert_eq!(paused(&pauses), [false; 4]);
        pauses.set(&Scope::Topic("a".into()), true);
        pauses.set(&Scope::Group, false);
        assert_eq!(pauses, Pauses::default());
    }
}
