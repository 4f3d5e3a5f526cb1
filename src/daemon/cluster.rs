//! The cluster's topics, looked at once a second: which have grown, which are gone, which are back.
//!
//! A topic that is gone is never made anew unasked: whoever deleted it may have meant it.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Topic;
use crate::kafka::TopicState;
use crate::observe::Board;
use crate::observe::status::TopicStatus;
use crate::topology::Running;

/// The topics that the cluster has.
pub(super) type Topics = BTreeMap<String, TopicState>;

/// So many looks in a row must miss a topic: a broker that has just started may not know all yet.
const MISSED: u32 = 3;

/// The topics that were there at some time.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeMap<String, Sight>);

#[derive(Debug)]
struct Sight {
    partitions: i32,
    /// How many looks in a row have missed it.
    missed: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// It has another number of partitions.
    Partitions {
        from: i32,
        to: i32,
    },
    Gone,
    /// It was gone.
    Back,
}

impl Seen {
    /// Takes note of what there is. What is seen for the first time is no change.
    fn look(&mut self, now: &Topics) -> Vec<(String, Change)> {
        let mut changes = Vec::new();
        for (name, sight) in &mut self.0 {
            if !now.contains_key(name) {
                sight.missed = sight.missed.saturating_add(1);
                if sight.missed == MISSED {
                    changes.push((name.clone(), Change::Gone));
                }
            }
        }
        for (name, state) in now {
            let to = state.partitions;
            let sight = self.0.entry(name.clone()).or_insert(Sight {
                partitions: to,
                missed: 0,
            });
            let from = std::mem::replace(&mut sight.partitions, to);
            if std::mem::take(&mut sight.missed) >= MISSED {
                changes.push((name.clone(), Change::Back));
            } else if from != to {
                changes.push((name.clone(), Change::Partitions { from, to }));
            }
        }
        changes
    }

    fn gone(&self) -> impl Iterator<Item = &String> {
        let gone = self.0.iter().filter(|(_, sight)| sight.missed >= MISSED);
        gone.map(|(name, _)| name)
    }
}

/// Has what runs see which topics the cluster has, and how large they are.
pub(super) fn see_cluster(running: &mut Running, board: &Board, seen: &mut Seen, topics: Topics) {
    for (topic, change) in seen.look(&topics) {
        let needed = running.needs(&topic);
        match change {
            Change::Partitions { from, to } => {
                tracing::info!("topic {topic} has {to} partitions now, {from} before");
            }
            Change::Gone if needed => tracing::error!("topic {topic} {}", gone(running, &topic)),
            Change::Back if needed => tracing::info!("topic {topic} is there again"),
            Change::Gone | Change::Back => {}
        }
        // They give up what is gone, offsets and all, and take up what has come.
        running.refresh_readers_of(&topic);
    }
    let lost: BTreeSet<String> = seen
        .gone()
        .filter(|topic| running.needs(topic))
        .cloned()
        .collect();
    let config = running.config();
    let missing = lost.iter().map(|name| {
        let status = TopicStatus {
            partitions: 0,
            replication: 0,
            mismatch: Some(gone(running, name)),
        };
        (name.clone(), status)
    });
    let there = topics.iter().filter_map(|(name, state)| {
        let wanted = config.topics.get(name)?;
        let status = TopicStatus {
            partitions: state.partitions,
            replication: state.replication,
            mismatch: mismatch(wanted, state),
        };
        Some((name.clone(), status))
    });
    board.set_topics(there.chain(missing).collect());
    running.lack(lost);
    running.know_topics(topics.into_keys());
}

/// What is to be said of a topic that is gone, after its name.
fn gone(running: &Running, topic: &str) -> String {
    let readers = running.readers_of(topic);
    let stands = match readers.is_empty() {
        true => String::new(),
        false => format!("; {} can't go on with it", readers.join(", ")),
    };
    let created = |wanted: &Topic| wanted.create;
    let way_out = match running.config().topics.get(topic).is_none_or(created) {
        true => "`deliveryd reload` creates it anew",
        false => "create it anew, or take it out of the configuration and reload",
    };
    format!(
        "is gone from the cluster: it was deleted, or the broker's ACLs hide it{stands}; {way_out}"
    )
}

fn mismatch(wanted: &Topic, found: &TopicState) -> Option<String> {
    let (partitions, replication) = (found.partitions, found.replication);
    if let Some(wanted) = wanted.partitions.filter(|wanted| partitions > *wanted) {
        Some(format!(
            "it has {partitions} partitions, {wanted} are configured; partitions are never removed"
        ))
    } else {
        let wanted = wanted.replication?;
        (replication != wanted)
            .then(|| format!("its replication is {replication}, {wanted} is configured"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(partitions: i32) -> Topics {
        let state = TopicState {
            partitions,
            replication: 1,
        };
        BTreeMap::from([("t".to_owned(), state)])
    }

    fn change(change: Change) -> Vec<(String, Change)> {
        vec![("t".to_owned(), change)]
    }

    /// A change in the number of partitions is seen once.
    #[test]
    fn changed_partition_counts_are_seen_once() {
        let mut seen = Seen::default();
        assert_eq!(seen.look(&topics(2)), []);
        let grown = Change::Partitions { from: 2, to: 4 };
        assert_eq!(seen.look(&topics(4)), change(grown));
        assert_eq!(seen.look(&topics(4)), []);
    }

    /// A topic is gone when several looks have missed it, once; and then it can be back, once.
    #[test]
    fn a_topic_goes_and_comes_back() {
        let mut seen = Seen::default();
        seen.look(&topics(2));
        let nothing = Topics::new();
        for _ in 1..MISSED {
            assert_eq!(seen.look(&nothing), []);
            assert_eq!(seen.gone().count(), 0);
        }
        assert_eq!(seen.look(&nothing), change(Change::Gone));
        assert_eq!(seen.look(&nothing), []);
        assert_eq!(seen.gone().count(), 1);
        assert_eq!(seen.look(&topics(3)), change(Change::Back));
        assert_eq!((seen.look(&topics(3)), seen.gone().count()), (vec![], 0));
    }

    /// A broker that does not know the topic for a moment is no news.
    #[test]
    fn a_look_that_misses_a_topic_is_no_loss() {
        let mut seen = Seen::default();
        for _ in 0..MISSED {
            assert_eq!(seen.look(&topics(2)), []);
            assert_eq!(seen.look(&Topics::new()), []);
        }
    }
}
