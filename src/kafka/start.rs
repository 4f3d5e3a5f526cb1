//! Where a group begins that has no committed offset yet: resolved once, and committed.
//!
//! Committing the start makes it hold: without that, a member that restarts before its first commit
//! would begin somewhere else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::topic_partition_list::Offset;
use tokio::sync::Notify;

use super::admin::{Admin, Shared, blocking, group_client};
use super::context::Context;
use super::error::KafkaError;
use super::raw::{GroupClient, Queue};
use super::{Commit, Committed, Partition, TopicState, commit, consumer};
use crate::config::Start;

/// One request to the broker.
const REQUEST: Duration = Duration::from_secs(10);

/// What the coordinator says to a commit from outside a group that has members.
const OTHERS_ARE_ON_IT: &[&str] = &[
    "UNKNOWN_MEMBER_ID",
    "ILLEGAL_GENERATION",
    "REBALANCE_IN_PROGRESS",
    "STALE_MEMBER_EPOCH",
    "FENCED_INSTANCE_ID",
];

impl Admin {
    /// Commits where the group starts, for each topic of which it has no committed offset at all.
    /// Gives what was committed.
    ///
    /// Nothing is committed where the group has members already: they have resolved it themselves.
    pub async fn resolve_start(
        &self,
        group_id: &str,
        topics: &[String],
        start: Start,
    ) -> Result<Vec<Commit>, KafkaError> {
        let (shared, group_id, topics) =
            (self.shared.clone(), group_id.to_owned(), topics.to_vec());
        blocking(move || {
            let states = shared.describe(&topics)?;
            Resolving::new(&shared, &group_id)?
                .resolve(&states, start)
                .map_err(|error| error.of_group(&group_id))
                .map_err(|error| error.while_trying(&format!("where group `{group_id}` starts")))
        })
        .await
    }

    /// Where the group starts in topics of which it has no committed offset at all. Commits nothing:
    /// while a group has members, only they can.
    pub async fn find_start(
        &self,
        group_id: &str,
        topics: &[String],
        start: Start,
    ) -> Result<Vec<Commit>, KafkaError> {
        let (shared, group_id, topics) =
            (self.shared.clone(), group_id.to_owned(), topics.to_vec());
        blocking(move || {
            let found = partitions(&shared.describe(&topics)?);
            let resolving = Resolving::new(&shared, &group_id)?;
            let missing = resolving.without_offsets(&found)?;
            resolving
                .positions(&missing, start)
                .map_err(|error| error.while_trying(&format!("where group `{group_id}` starts")))
        })
        .await
    }

    /// The group's committed offsets of these topics, as an outsider reads them.
    pub async fn group_offsets(
        &self,
        group_id: &str,
        topics: &[String],
    ) -> Result<Vec<Committed>, KafkaError> {
        let (shared, group_id, topics) =
            (self.shared.clone(), group_id.to_owned(), topics.to_vec());
        blocking(move || {
            let partitions = partitions(&shared.describe(&topics)?);
            let found = Resolving::new(&shared, &group_id)?.committed(&partitions);
            found.map_err(|error| error.of_group(&group_id))
        })
        .await
    }
}

/// A consumer with the group's id that never joins it.
struct Resolving {
    answers: Queue,
    context: Arc<Context>,
    group_id: String,
    embedded: bool,
    // Last, so that the queue goes before it.
    client: GroupClient,
}

impl Resolving {
    fn new(shared: &Shared, group_id: &str) -> Result<Resolving, KafkaError> {
        let name = format!("{}-{group_id}-start", shared.cluster.instance);
        let (client, context) = group_client(&shared.cluster, &name, group_id)?;
        Ok(Resolving {
            answers: client.new_queue(&Arc::new(Notify::new()))?,
            context,
            group_id: group_id.to_owned(),
            embedded: shared.cluster.embedded,
            client,
        })
    }

    fn resolve(
        &self,
        topics: &BTreeMap<String, TopicState>,
        start: Start,
    ) -> Result<Vec<Commit>, KafkaError> {
        let missing = self.without_offsets(&partitions(topics))?;
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        let commits = self.positions(&missing, start)?;
        match self.commit(&commits) {
            Ok(()) => Ok(commits),
            Err(error) if OTHERS_ARE_ON_IT.contains(&error.code.as_str()) => {
                let still = self.without_offsets(&missing)?;
                tracing::debug!(
                    %error, without = still.len(),
                    "the group has members already, which resolve its start"
                );
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    /// The partitions of topics of which no partition has an offset.
    fn without_offsets(&self, partitions: &[Partition]) -> Result<Vec<Partition>, KafkaError> {
        let committed = self.committed(partitions)?;
        let has_offsets = |topic: &str| {
            committed
                .iter()
                .any(|known| known.offset.is_some() && *known.partition.topic == *topic)
        };
        Ok(partitions
            .iter()
            .filter(|partition| !has_offsets(&partition.topic))
            .cloned()
            .collect())
    }

    fn committed(&self, partitions: &[Partition]) -> Result<Vec<Committed>, KafkaError> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let list = consumer::list(partitions);
        if self.embedded {
            let asked = self.client.committed(&list, REQUEST);
            asked.map_err(|error| self.context.explain(error))?;
            return Ok(consumer::committed(&list));
        }
        // Not as a consumer asks: that waits for transactions that are still open, and whoever would
        // end one that a crash has left starts only after this.
        let found = self
            .client
            .group_offsets(&self.group_id, &list, REQUEST)
            .map_err(|error| self.context.explain(error))?;
        Ok(consumer::found(found))
    }

    fn positions(&self, partitions: &[Partition], start: Start) -> Result<Vec<Commit>, KafkaError> {
        // The embedded broker knows no times: what it has was written since it started.
        let start = match start {
            Start::Time(time) if self.embedded && time <= now() => Start::Earliest,
            Start::Time(_) if self.embedded => Start::Latest,
            start => start,
        };
        let times = match start {
            Start::Time(time) => self.offsets_at(partitions, time)?,
            Start::Earliest | Start::Latest => BTreeMap::new(),
        };
        let position = |partition: &Partition| -> Result<i64, KafkaError> {
            if let Some(offset) = times.get(partition) {
                return Ok(*offset);
            }
            let (first, end) = self
                .client
                .watermarks(&partition.topic, partition.number, REQUEST)
                .map_err(|error| self.context.explain(error))?;
            // After the last message where none is as late as the time.
            Ok(if start == Start::Earliest { first } else { end })
        };
        partitions
            .iter()
            .map(|partition| {
                Ok(Commit {
                    partition: partition.clone(),
                    offset: position(partition)?,
                    metadata: String::new(),
                })
            })
            .collect()
    }

    /// The first offset not before the time, for partitions that have one.
    fn offsets_at(
        &self,
        partitions: &[Partition],
        time: i64,
    ) -> Result<BTreeMap<Partition, i64>, KafkaError> {
        let mut list = consumer::list(partitions);
        list.set_all_offsets(Offset::Offset(time))?;
        self.client
            .offsets_for_times(&list, REQUEST)
            .map_err(|error| self.context.explain(error))?;
        Ok(consumer::committed(&list)
            .into_iter()
            .filter_map(|found| Some((found.partition, found.offset?)))
            .collect())
    }

    fn commit(&self, commits: &[Commit]) -> Result<(), KafkaError> {
        self.client.commit(&commit::list(commits)?, &self.answers)?;
        let deadline = Instant::now() + REQUEST;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Some((code, results)) = self.answers.event(left).and_then(|event| event.commit())
            {
                let results = commit::outcome(code, results)?;
                return match results.into_iter().find_map(|(_, error)| error) {
                    Some(error) => Err(error),
                    None => Ok(()),
                };
            }
            if left.is_zero() {
                let error = KafkaError::new("_TIMED_OUT", format!("no answer within {REQUEST:?}"));
                return Err(self.context.explain(error));
            }
        }
    }
}

fn partitions(topics: &BTreeMap<String, TopicState>) -> Vec<Partition> {
    let mut partitions = Vec::new();
    for (name, state) in topics {
        let topic: Arc<str> = Arc::from(name.as_str());
        partitions.extend((0..state.partitions).map(|number| Partition {
            topic: topic.clone(),
            number,
        }));
    }
    partitions
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
