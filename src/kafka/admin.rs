//! Topics: `ensure_topic` creates and grows them, `describe` tells what is there.
//!
//! Never shrinks or deletes anything, and never fails because another daemon was faster. Where groups
//! start is in `start`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::KafkaError as LibraryError;
use rdkafka::types::RDKafkaErrorCode;

use super::context::Context;
use super::error::{KafkaError, code_of};
use super::{Cluster, Embedded, TopicState, settings};
use crate::config::Topic;

/// Topic administration and cluster knowledge, shared. Clones are the same one.
#[derive(Clone)]
pub struct Admin {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    client: AdminClient<Callbacks>,
    pub context: Arc<Context>,
    pub cluster: Cluster,
    embedded: Option<Embedded>,
}

/// What [`Admin::ensure_topic`] found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicOutcome {
    Created,
    /// It was there as it is wanted.
    Existed,
    Grown {
        from: i32,
        to: i32,
    },
    /// It is there and differs in what deliveryd does not change.
    Mismatch {
        mismatches: Vec<Mismatch>,
        /// Partitions before and after, where it was grown nevertheless.
        grown: Option<(i32, i32)>,
    },
}

/// A difference that is told and left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    MorePartitions {
        wanted: i32,
        found: i32,
    },
    Replication {
        wanted: i32,
        found: i32,
    },
    Config {
        name: String,
        wanted: String,
        /// `None`: the broker does not know the name.
        found: Option<String>,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MorePartitions { wanted, found } => write!(
                f,
                "it has {found} partitions, not {wanted}; partitions are never removed"
            ),
            Self::Replication { wanted, found } => write!(
                f,
                "its replication is {found}, not {wanted}; kafka-reassign-partitions changes that"
            ),
            Self::Config {
                name,
                wanted,
                found: Some(found),
            } => write!(
                f,
                "its `{name}` is {found}, not {wanted}; kafka-configs changes that"
            ),
            Self::Config { name, .. } => write!(f, "the broker has no topic setting `{name}`"),
        }
    }
}

/// One request to the broker.
const REQUEST: Duration = Duration::from_secs(10);
/// For what was created to be seen by this client.
const SEEN: Duration = Duration::from_secs(10);

impl Admin {
    /// Creates the client; no broker is needed yet. With the embedded broker, its handle does the work.
    pub fn new(cluster: &Cluster, embedded: Option<&Embedded>) -> Result<Admin, KafkaError> {
        let name = format!("{}-admin", cluster.instance);
        let context = Context::new(&name, &cluster.servers);
        let config = settings::admin(cluster, &name, None);
        let client =
            AdminClient::from_config_and_context(&config, Callbacks(context.clone()))?;
        Ok(Admin {
            shared: Arc::new(Shared {
                client,
                context,
                cluster: cluster.clone(),
                embedded: embedded.cloned(),
            }),
        })
    }

    /// Makes sure that the topic is there with at least its partitions.
    ///
    /// Without a broker this fails with an outage ([`KafkaError::is_outage`]) after 10 s.
    pub async fn ensure_topic(
        &self,
        name: &str,
        wanted: &Topic,
    ) -> Result<TopicOutcome, KafkaError> {
        let what = || format!("topic `{name}`");
        let fail = |error: KafkaError| error.while_trying(&what());
        let found = self.describe(&[name.to_owned()]).await?.remove(name);
        let found = match found {
            Some(found) => found,
            None if !wanted.create => {
                return Err(fail(KafkaError::new(
                    "UNKNOWN_TOPIC_OR_PART",
                    "it does not exist, and `create = false` leaves its creation to others".into(),
                )));
            }
            None => {
                let created = self.create(name, wanted).await.map_err(fail)?;
                let found = self.wait_seen(name, 1).await.map_err(fail)?;
                if created {
                    return Ok(TopicOutcome::Created);
                }
                found
            }
        };
        let mut grown = None;
        if found.partitions < wanted.partitions && wanted.create {
            self.grow(name, wanted.partitions).await.map_err(fail)?;
            self.wait_seen(name, wanted.partitions).await.map_err(fail)?;
            grown = Some((found.partitions, wanted.partitions));
        }
        let mismatches = self.mismatches(name, wanted, &found).await.map_err(fail)?;
        Ok(match (mismatches.is_empty(), grown) {
            (false, grown) => TopicOutcome::Mismatch { mismatches, grown },
            (true, Some((from, to))) => TopicOutcome::Grown { from, to },
            (true, None) => TopicOutcome::Existed,
        })
    }

    /// The topics that exist of those named; of all, where none is named.
    pub async fn describe(
        &self,
        topics: &[String],
    ) -> Result<BTreeMap<String, TopicState>, KafkaError> {
        let (shared, wanted) = (self.shared.clone(), topics.to_vec());
        blocking(move || shared.describe(&wanted)).await
    }

    /// The next error that concerns the whole client, such as brokers that are away.
    pub fn next_error(&self) -> Option<KafkaError> {
        self.shared.context.next_error()
    }

    /// Whether it was this call that created it.
    async fn create(&self, name: &str, wanted: &Topic) -> Result<bool, KafkaError> {
        if let Some(embedded) = &self.shared.embedded {
            return match embedded.create_topic(name, wanted.partitions) {
                Ok(()) => Ok(true),
                Err(error) if error.code == "TOPIC_ALREADY_EXISTS" => Ok(false),
                Err(error) => Err(error),
            };
        }
        let replication = TopicReplication::Fixed(wanted.replication);
        let mut topic = NewTopic::new(name, wanted.partitions, replication);
        for (name, value) in &wanted.config {
            topic = topic.set(name, value);
        }
        let results = self.shared.client.create_topics([&topic], &options()).await;
        match one(results.map_err(|error| self.shared.explain(error))?) {
            Ok(()) => Ok(true),
            Err(RDKafkaErrorCode::TopicAlreadyExists) => Ok(false),
            Err(code) => Err(KafkaError::of(code_of(code), creation_hint(code, wanted))),
        }
    }

    async fn grow(&self, name: &str, to: i32) -> Result<(), KafkaError> {
        if self.shared.embedded.is_some() {
            return Err(KafkaError::new(
                "_NOT_IMPLEMENTED",
                "the embedded broker can't add partitions to a topic; restart deliveryd, or use a real broker"
                    .into(),
            ));
        }
        let count = usize::try_from(to).unwrap_or(0);
        let partitions = NewPartitions::new(name, count);
        let client = &self.shared.client;
        let results = client.create_partitions([&partitions], &options()).await;
        match one(results.map_err(|error| self.shared.explain(error))?) {
            // The latter: another daemon was faster. Whether it went far enough is looked at next.
            Ok(()) | Err(RDKafkaErrorCode::InvalidPartitions) => Ok(()),
            Err(code) => Err(KafkaError::of(code_of(code), "adding partitions")),
        }
    }

    /// Waits until this client sees so many partitions of the topic, all of them with a leader.
    async fn wait_seen(&self, name: &str, partitions: i32) -> Result<TopicState, KafkaError> {
        let deadline = Instant::now() + SEEN;
        loop {
            let (shared, topic) = (self.shared.clone(), name.to_owned());
            let seen = blocking(move || shared.ready(&topic)).await?;
            if let Some(seen) = seen.filter(|seen| seen.partitions >= partitions) {
                return Ok(seen);
            }
            if Instant::now() >= deadline {
                return Err(KafkaError::new(
                    "_TIMED_OUT",
                    format!("its {partitions} partitions are not there after {SEEN:?}"),
                ));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn mismatches(
        &self,
        name: &str,
        wanted: &Topic,
        found: &TopicState,
    ) -> Result<Vec<Mismatch>, KafkaError> {
        let mut mismatches = Vec::new();
        if found.partitions > wanted.partitions {
            mismatches.push(Mismatch::MorePartitions {
                wanted: wanted.partitions,
                found: found.partitions,
            });
        }
        // The embedded broker has one node and no topic configuration.
        if self.shared.embedded.is_some() {
            return Ok(mismatches);
        }
        if found.replication != wanted.replication {
            mismatches.push(Mismatch::Replication {
                wanted: wanted.replication,
                found: found.replication,
            });
        }
        if wanted.config.is_empty() {
            return Ok(mismatches);
        }
        let topic = ResourceSpecifier::Topic(name);
        let answer = self.shared.client.describe_configs([&topic], &options()).await;
        for resource in answer.map_err(|error| self.shared.explain(error))? {
            let resource = resource.map_err(|code| KafkaError::of(code_of(code), "its settings"))?;
            for (name, wanted) in &wanted.config {
                let found = resource.get(name).map(|entry| entry.value.clone());
                let found = found.map(Option::unwrap_or_default);
                if found.as_ref() != Some(wanted) {
                    mismatches.push(Mismatch::Config {
                        name: name.clone(),
                        wanted: wanted.clone(),
                        found,
                    });
                }
            }
        }
        Ok(mismatches)
    }
}

impl Shared {
    /// Blocks for up to 10 s.
    pub fn describe(&self, wanted: &[String]) -> Result<BTreeMap<String, TopicState>, KafkaError> {
        let topics = self.metadata(|topic| {
            let wanted = wanted.is_empty() || wanted.iter().any(|name| name == topic.name());
            let partitions = i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX);
            let replicas = topic.partitions().iter().map(|p| p.replicas().len()).max();
            let state = TopicState {
                partitions,
                replication: i32::try_from(replicas.unwrap_or(0)).unwrap_or(i32::MAX),
            };
            (wanted && partitions > 0).then(|| (topic.name().to_owned(), state))
        })?;
        Ok(topics.into_iter().collect())
    }

    /// The topic as it is, once every partition has a leader.
    fn ready(&self, name: &str) -> Result<Option<TopicState>, KafkaError> {
        let leaders = self.metadata(|topic| {
            let all = topic.partitions().iter().all(|partition| partition.leader() >= 0);
            (topic.name() == name && all).then_some(())
        })?;
        if leaders.is_empty() {
            return Ok(None);
        }
        Ok(self.describe(&[name.to_owned()])?.remove(name))
    }

    fn metadata<T>(
        &self,
        read: impl Fn(&rdkafka::metadata::MetadataTopic) -> Option<T>,
    ) -> Result<Vec<T>, KafkaError> {
        // Of all topics: asking for one by name may create it on brokers of old.
        let metadata = self
            .client
            .inner()
            .fetch_metadata(None, REQUEST)
            .map_err(|error| self.explain(error))?;
        Ok(metadata.topics().iter().filter_map(read).collect())
    }

    fn explain(&self, error: LibraryError) -> KafkaError {
        self.context.explain(KafkaError::from(error))
    }
}

/// What a group of topics looked like, to see which have grown.
#[derive(Debug, Default)]
pub struct PartitionCounts {
    known: BTreeMap<String, i32>,
}

impl PartitionCounts {
    /// Takes note of what [`Admin::describe`] found; gives the topics whose number of partitions has
    /// changed since the last time, with the number before and now. New topics are no change.
    pub fn changed(&mut self, now: &BTreeMap<String, TopicState>) -> Vec<(String, i32, i32)> {
        let mut changes = Vec::new();
        for (name, state) in now {
            let before = self.known.insert(name.clone(), state.partitions);
            if let Some(before) = before.filter(|before| *before != state.partitions) {
                changes.push((name.clone(), before, state.partitions));
            }
        }
        changes
    }
}

/// Runs what blocks on a thread that may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KafkaError> + Send + 'static,
) -> Result<T, KafkaError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(KafkaError::new("_FAIL", error.to_string())))
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(REQUEST))
        .operation_timeout(Some(REQUEST))
}

fn one(results: Vec<Result<String, (String, RDKafkaErrorCode)>>) -> Result<(), RDKafkaErrorCode> {
    for result in results {
        result.map_err(|(_, code)| code)?;
    }
    Ok(())
}

fn creation_hint(code: RDKafkaErrorCode, wanted: &Topic) -> &'static str {
    match code {
        RDKafkaErrorCode::InvalidReplicationFactor if wanted.replication > 1 => {
            "are there as many brokers as `replication` asks for?"
        }
        RDKafkaErrorCode::InvalidConfig => "see the topic's `config`",
        _ => "",
    }
}

/// Leads rdkafka's callbacks to our context.
struct Callbacks(Arc<Context>);

impl ClientContext for Callbacks {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.0.log(level as i32, facility, line);
    }
    fn error(&self, error: LibraryError, reason: &str) {
        if let Some(code) = error.rdkafka_error_code() {
            self.0.error(code_of(code), reason, None);
        }
    }
}
