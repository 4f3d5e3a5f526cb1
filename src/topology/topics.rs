//! Topics as a step: created or grown before anything uses them, and where groups begin in them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::{Brokers, Config, Group, Start, Topic};
use crate::kafka::{KafkaError, LARGEST_MESSAGE, TopicOutcome, TopicState};
use crate::observe::status::TopicStatus;

use super::Running;
use super::plan::{NeededTopic, Plan, needed_topics, plan};

/// The reason, which is cut at 1000 bytes, and names of up to some hundred bytes each.
const HEADERS_OF_A_LETTER: u64 = 16 << 10;

impl Running {
    /// Whether what runs needs this topic.
    pub fn needs(&self, topic: &str) -> bool {
        needed_topics(self.config()).contains_key(topic)
    }

    /// Takes note of the topics that it needs and that the cluster has lost.
    pub fn lack(&mut self, topics: BTreeSet<String>) {
        self.lost = topics;
    }

    /// What is to be done so that `wanted` runs, topics that the cluster has lost included.
    pub fn plan(&self, wanted: &Config) -> Plan {
        let mut plan = plan(self.config(), wanted);
        plan.create_again(&self.lost, wanted);
        plan
    }

    /// Makes sure that a topic is there.
    pub(super) async fn ensure_topic(
        &self,
        name: &str,
        needed: &NeededTopic,
    ) -> Result<(), String> {
        let ensured = self.ask(async || self.try_topic(name, needed).await).await;
        ensured.map_err(|error| error.message)
    }

    async fn try_topic(&self, name: &str, needed: &NeededTopic) -> Result<(), KafkaError> {
        let wanted = self.sized(name, needed).await?;
        match self.admin.ensure_topic(name, &wanted).await? {
            TopicOutcome::Created => tracing::info!(
                "topic {name} created with {} partitions, replication {}",
                wanted.partitions.unwrap_or(1),
                wanted.replication.unwrap_or(1)
            ),
            TopicOutcome::Existed => tracing::debug!("topic {name} is there"),
            TopicOutcome::Grown { from, to } => self.grown(name, from, to),
            TopicOutcome::Mismatch { mismatches, grown } => {
                if let Some((from, to)) = grown {
                    self.grown(name, from, to);
                }
                for mismatch in mismatches {
                    tracing::warn!("topic {name} is not as configured: {mismatch}");
                }
            }
        }
        let mut known = (**self.ground.topics.load()).clone();
        known.insert(name.to_owned());
        self.ground.topics.store(Arc::new(known));
        if needed.dead_letters_of.is_empty()
            && let (Some(partitions), Some(replication)) = (wanted.partitions, wanted.replication)
        {
            let shown = TopicStatus {
                partitions,
                replication,
                mismatch: None,
            };
            self.ground.board.set_topic(name, shown);
        }
        Ok(())
    }

    /// Its readers look for the new partitions at once, not when the next metadata comes by itself.
    fn grown(&self, name: &str, from: i32, to: i32) {
        tracing::info!("topic {name} grown from {from} to {to} partitions");
        self.refresh_readers_of(name);
    }

    /// Fills in what a dead-letter topic takes over from its source.
    async fn sized(&self, name: &str, needed: &NeededTopic) -> Result<Topic, KafkaError> {
        let mut found: BTreeMap<String, TopicState> = BTreeMap::new();
        let mut config = needed.config.clone();
        if !needed.dead_letters_of.is_empty() {
            let sources: Vec<String> = needed.dead_letters_of.iter().cloned().collect();
            let asked = [&sources[..], &[name.to_owned()]].concat();
            found = self.admin.describe(&asked).await?;
            if found.remove(name).is_none() {
                let sources: Vec<String> = found.keys().cloned().collect();
                config.extend(self.room_for_letters(&sources).await);
            }
            tracing::debug!("topic {name} takes its size from {sources:?}");
        }
        let most = |of: fn(&TopicState) -> i32| found.values().map(of).max();
        Ok(Topic {
            partitions: needed.partitions.or_else(|| most(|topic| topic.partitions)),
            replication: needed
                .replication
                .or_else(|| most(|topic| topic.replication)),
            config,
            create: needed.create,
        })
    }

    /// A setting by which the largest message that these topics take fits into a topic as a dead letter,
    /// which has further headers.
    async fn room_for_letters(&self, sources: &[String]) -> Option<(String, String)> {
        match self.admin.largest_message(sources).await {
            Ok(largest) => {
                let room = largest?.saturating_add(HEADERS_OF_A_LETTER);
                Some((LARGEST_MESSAGE.to_owned(), room.to_string()))
            }
            // Perhaps it may not be asked; then the brokers' own bound holds.
            Err(error) => {
                tracing::debug!("how large a message may be is not known: {error}");
                None
            }
        }
    }

    /// Commits where a group begins in topics of which it has no offset yet. Returns whether there
    /// was none such.
    pub(super) async fn begin_where_said(&self, name: &str, group: &Group) -> Result<bool, String> {
        let (topics, start) = (&group.topics, group.start);
        let resolved = self.ask(async || self.admin.resolve_start(name, topics, start).await);
        let commits = resolved.await.map_err(|error| error.message)?;
        let learnt = self.ask(async || self.learn_topics().await).await;
        learnt.map_err(|error| error.message)?;
        for commit in &commits {
            tracing::debug!("{name} begins at {}@{}", commit.partition, commit.offset);
        }
        Ok(commits.is_empty())
    }

    /// Has the members of a group begin where `start` says in the topics that it is to read besides; on
    /// another cluster, in all of which it has no offsets there. They commit it themselves: nobody else
    /// may while a group has members.
    pub(super) async fn begin_in_added_topics(
        &self,
        name: &str,
        was: &Group,
        now: &Group,
    ) -> Result<(), String> {
        let Some(group) = self.groups.get(name) else {
            return Ok(());
        };
        let servers = &self.ground.cluster.servers;
        let moved = matches!(&self.config().kafka.brokers, Brokers::Servers(old) if old != servers);
        let topics = now.topics.iter();
        let added: Vec<String> = topics
            .filter(|topic| moved || !was.topics.contains(topic))
            .cloned()
            .collect();
        let starts = match now.start {
            _ if added.is_empty() => Vec::new(),
            // That is where they begin anyway.
            Start::Earliest => Vec::new(),
            Start::Latest | Start::Time(_) => {
                let find = async || self.admin.find_start(name, &added, now.start).await;
                self.ask(find).await.map_err(|error| error.message)?
            }
        };
        let starts = starts
            .into_iter()
            .map(|start| (start.partition, start.offset));
        group.shared.set_starts(starts);
        Ok(())
    }

    /// Looks which topics the broker has, so that a group's first message may go to any of them.
    async fn learn_topics(&self) -> Result<(), KafkaError> {
        let found = self.admin.describe(&[]).await?;
        let mut known = (**self.ground.topics.load()).clone();
        known.extend(found.into_keys());
        self.ground.topics.store(Arc::new(known));
        Ok(())
    }

    /// Whether no configuration was in force yet.
    pub(super) fn is_starting(&self) -> bool {
        self.generation() == 0
    }
}
