//! The topics that a configuration needs, and what a change of them asks for.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Brokers, Config, Group, Then, Topic};

use super::{Plan, Refusal, Step, show};

/// A topic that must be there before groups and producers start.
#[derive(Debug, Clone, PartialEq)]
pub struct NeededTopic {
    /// `None`: as many as the source topics have in the cluster, at most of them; of a topic that
    /// others create: as many as it has.
    pub partitions: Option<i32>,
    /// `None`: as the source topics have it in the cluster.
    pub replication: Option<i32>,
    /// Kafka's topic configuration, for its creation.
    pub config: BTreeMap<String, String>,
    /// Whether deliveryd creates and grows it; else it must be there already.
    pub create: bool,
    /// The topics whose dead letters it takes, unless it is configured itself.
    pub dead_letters_of: BTreeSet<String>,
}

impl NeededTopic {
    /// One for the dead letters of this topic, as large as that is in the cluster.
    pub fn for_dead_letters_of(source: &str) -> Self {
        Self {
            partitions: None,
            replication: None,
            config: BTreeMap::new(),
            create: true,
            dead_letters_of: BTreeSet::from([source.to_owned()]),
        }
    }
}

impl From<&Topic> for NeededTopic {
    fn from(topic: &Topic) -> Self {
        let Topic {
            partitions,
            replication,
            config,
            create,
        } = topic;
        Self {
            partitions: *partitions,
            replication: *replication,
            config: config.clone(),
            create: *create,
            dead_letters_of: BTreeSet::new(),
        }
    }
}

/// Every topic to be ensured for `config`: the configured ones, and those for dead letters, which
/// get the partitions and replication of the topic they belong to.
pub fn needed_topics(config: &Config) -> BTreeMap<String, NeededTopic> {
    let mut needed = BTreeMap::new();
    for group in config.groups.values() {
        for (name, source) in dead_letter_topics(group) {
            let source_topic = config.topics.get(source);
            let topic = needed.entry(name).or_insert_with(|| NeededTopic {
                partitions: Some(0),
                replication: Some(0),
                config: BTreeMap::new(),
                create: true,
                dead_letters_of: BTreeSet::new(),
            });
            // Where several topics share one, the largest counts; one of unknown size leaves it open.
            topic.partitions =
                source_topic.and_then(|source| Some(source.partitions?.max(topic.partitions?)));
            topic.replication =
                source_topic.and_then(|source| Some(source.replication?.max(topic.replication?)));
            topic.dead_letters_of.insert(source.clone());
        }
    }
    needed.extend(
        config
            .topics
            .iter()
            .map(|(name, topic)| (name.clone(), NeededTopic::from(topic))),
    );
    needed
}

fn dead_letter_topics(group: &Group) -> impl Iterator<Item = (String, &String)> {
    // With a topic of its own the group uses it for `reject` whatever follows other failures.
    let wanted = group.on_failure.then == Then::DeadLetter || group.on_failure.topic.is_some();
    group
        .topics
        .iter()
        .filter(move |_| wanted)
        .map(|source| (group.on_failure.dead_letter_topic(source), source))
}

/// Adds the steps, refusals and notes about topics.
pub(super) fn compare(plan: &mut Plan, running: &Config, wanted: &Config) {
    let new_brokers = running.kafka.brokers != wanted.kafka.brokers;
    let before = needed_topics(running);
    for (name, now) in needed_topics(wanted) {
        let was = before.get(&name);
        let embedded = matches!(wanted.kafka.brokers, Brokers::Embedded);
        let refused = was.and_then(|was| refusal(&name, was, &now, embedded));
        // Other brokers may be another cluster, which may not have it yet.
        let needs_work = new_brokers || was.is_none_or(|was| asks_for_work(was, &now));
        if let Some(refused) = refused {
            plan.refused.push(refused);
        } else if needs_work {
            plan.steps.push(Step::EnsureTopic {
                topic: name,
                was: was.cloned(),
                now,
            });
        }
    }
    for name in running.topics.keys() {
        if !wanted.topics.contains_key(name) {
            plan.notes.push(format!(
                "topic {name}: no longer configured; it is left as it is, with its messages"
            ));
        }
    }
}

impl Plan {
    /// Has those of `lost` created that `wanted` needs: they were there, and the cluster has them no more.
    pub fn create_again(&mut self, lost: &BTreeSet<String>, wanted: &Config) {
        for (name, now) in needed_topics(wanted) {
            let planned =
                |step: &Step| matches!(step, Step::EnsureTopic { topic, .. } if *topic == name);
            if !lost.contains(&name) || self.steps.iter().any(planned) {
                continue;
            }
            let first =
                |step: &Step| matches!(step, Step::ChangeKafka { .. } | Step::EnsureTopic { .. });
            let at = self.steps.iter().take_while(|step| first(step)).count();
            let step = Step::EnsureTopic {
                topic: name,
                was: None,
                now,
            };
            self.steps.insert(at, step);
        }
    }
}

/// Whether a topic that was needed before must be looked at again.
fn asks_for_work(was: &NeededTopic, now: &NeededTopic) -> bool {
    let larger = match (was.partitions, now.partitions) {
        (Some(was), Some(now)) => now > was,
        (was, now) => was != now,
    };
    let configured = now.dead_letters_of.is_empty();
    let differs =
        was.config != now.config || was.create != now.create || was.replication != now.replication;
    larger || configured && differs
}

fn refusal(name: &str, was: &NeededTopic, now: &NeededTopic, embedded: bool) -> Option<Refusal> {
    if !now.dead_letters_of.is_empty() {
        // Nobody asked for this size; a larger topic serves as well.
        return None;
    }
    if let (Some(was), Some(now)) = (was.partitions, now.partitions)
        && now < was
    {
        return Some(Refusal {
            setting: format!("topics.{}.partitions", show::key(name)),
            change: format!("{was} → {now}"),
            instead: "Kafka can't remove partitions; make a new topic and move the groups to it"
                .to_owned(),
        });
    }
    if let (Some(was), Some(now)) = (was.partitions, now.partitions)
        && now > was
        && embedded
    {
        return Some(Refusal {
            setting: format!("topics.{}.partitions", show::key(name)),
            change: format!("{was} → {now}"),
            instead: "the embedded broker can't add partitions to a topic; \
                      restart deliveryd, or use a real broker"
                .to_owned(),
        });
    }
    if let (Some(was), Some(now)) = (was.replication, now.replication)
        && now != was
    {
        return Some(Refusal {
            setting: format!("topics.{}.replication", show::key(name)),
            change: format!("{was} → {now}"),
            instead:
                "move its replicas with `kafka-reassign-partitions`, restart with the new number"
                    .to_owned(),
        });
    }
    None
}
