//! Topics: `ensure_topic` creates and grows them, `describe` tells what is there.
//!
//! Never shrinks or deletes anything, and never fails because another daemon was faster. Where groups
//! start is in `start`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::types::RDKafkaType;

use super::context::Context;
use super::error::KafkaError;
use super::raw::{Client, GroupClient, NewTopic, Queue, TopicFound};
use super::{Cluster, Embedded, TopicState, settings};
use crate::config::Topic;

/// Topic administration and cluster knowledge, shared. Clones are the same one.
#[derive(Clone)]
pub struct Admin {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub context: Arc<Context>,
    pub cluster: Cluster,
    embedded: Option<Embedded>,
    events: Queue,
    // Last, so that the queue goes before it.
    client: Client,
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

/// The setting of a topic that says how many bytes a message may have.
pub const LARGEST_MESSAGE: &str = "max.message.bytes";

/// One request to the broker.
pub(super) const REQUEST: Duration = Duration::from_secs(10);
/// Long enough for an answer where there is a broker.
const FIRST: Duration = Duration::from_secs(2);
/// Before a topic that others create is taken for missing.
const LATE: Duration = Duration::from_secs(2);
/// For what was created to be seen by this client.
const SEEN: Duration = Duration::from_secs(10);

impl Admin {
    /// Creates the client; no broker is needed yet. With the embedded broker, its handle does the work.
    pub fn new(cluster: &Cluster, embedded: Option<&Embedded>) -> Result<Admin, KafkaError> {
        let name = format!("{}-admin", cluster.instance);
        let context = Context::new(&name, &cluster.servers);
        let config = settings::admin(cluster, &name, None);
        // librdkafka has no third kind of client, and a producer that sends nothing is the lighter one.
        let kind = RDKafkaType::RD_KAFKA_PRODUCER;
        let client = Client::new(kind, &config, context.clone(), true)?;
        Ok(Admin {
            shared: Arc::new(Shared {
                context,
                cluster: cluster.clone(),
                embedded: embedded.cloned(),
                events: client.main_queue(None)?,
                client,
            }),
        })
    }

    /// Makes sure that the topic is there with at least its partitions.
    ///
    /// Without a broker this fails with an outage ([`KafkaError::is_outage`]) after 2 s.
    pub async fn ensure_topic(
        &self,
        name: &str,
        wanted: &Topic,
    ) -> Result<TopicOutcome, KafkaError> {
        let what = || format!("topic `{name}`");
        let fail = |error: KafkaError| error.while_trying(&what());
        let mut found = self.describe(&[name.to_owned()]).await?.remove(name);
        if found.is_none() && !wanted.create {
            // A broker that has just come back does not know of every topic at once.
            tokio::time::sleep(LATE).await;
            found = self.describe(&[name.to_owned()]).await?.remove(name);
        }
        let found = match found {
            Some(found) => found,
            None if !wanted.create => {
                return Err(fail(KafkaError::new(
                    "UNKNOWN_TOPIC_OR_PART",
                    "it does not exist, or the broker's ACLs hide it, and `create = false` leaves its creation \
                     to others"
                        .into(),
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
        if let Some(partitions) = wanted.partitions
            && found.partitions < partitions
            && wanted.create
        {
            self.grow(name, partitions).await.map_err(fail)?;
            self.wait_seen(name, partitions).await.map_err(fail)?;
            grown = Some((found.partitions, partitions));
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

    /// The largest message that any of these topics takes, in bytes; `None` where nobody says.
    pub async fn largest_message(&self, topics: &[String]) -> Result<Option<u64>, KafkaError> {
        // The embedded broker has no topic configuration.
        if self.shared.embedded.is_some() {
            return Ok(None);
        }
        let (shared, topics) = (self.shared.clone(), topics.to_vec());
        blocking(move || {
            let mut largest = None;
            for topic in &topics {
                let config = shared.ask(|client| client.topic_config(topic, REQUEST))?;
                let found = config.get(LARGEST_MESSAGE);
                largest = largest.max(found.and_then(|bytes| bytes.parse().ok()));
            }
            Ok(largest)
        })
        .await
    }

    /// The next error that concerns the whole client, such as brokers that are away.
    pub fn next_error(&self) -> Option<KafkaError> {
        self.shared.context.next_error()
    }

    /// Whether it was this call that created it.
    async fn create(&self, name: &str, wanted: &Topic) -> Result<bool, KafkaError> {
        if let Some(embedded) = &self.shared.embedded {
            return match embedded.create_topic(name, wanted.partitions.unwrap_or(1)) {
                Ok(()) => Ok(true),
                Err(error) if error.code == "TOPIC_ALREADY_EXISTS" => Ok(false),
                Err(error) => Err(error),
            };
        }
        let (shared, name, wanted) = (self.shared.clone(), name.to_owned(), wanted.clone());
        blocking(move || {
            let topic = NewTopic {
                name: &name,
                partitions: wanted.partitions.unwrap_or(1),
                replication: wanted.replication.unwrap_or(1),
                config: &wanted.config,
            };
            match shared.ask(|client| client.create_topic(&topic, REQUEST)) {
                Ok(()) => Ok(true),
                Err(error) if error.code == "TOPIC_ALREADY_EXISTS" => Ok(false),
                Err(error) if error.code == "TOPIC_AUTHORIZATION_FAILED" => {
                    let message = "not authorised: it is not there, and the broker's ACLs deny CREATE; \
                                   or it is there, and they deny DESCRIBE";
                    Err(KafkaError::new(&error.code, message.to_owned()))
                }
                Err(error) => Err(error),
            }
        })
        .await
    }

    async fn grow(&self, name: &str, to: i32) -> Result<(), KafkaError> {
        if self.shared.embedded.is_some() {
            return Err(KafkaError::new(
                "_NOT_IMPLEMENTED",
                "the embedded broker can't add partitions to a topic; restart deliveryd, or use a real broker"
                    .into(),
            ));
        }
        let (shared, name) = (self.shared.clone(), name.to_owned());
        let total = usize::try_from(to).unwrap_or(0);
        blocking(move || {
            match shared.ask(|client| client.create_partitions(&name, total, REQUEST)) {
                // Another daemon was faster. Whether it went far enough is looked at next.
                Err(error) if error.code == "INVALID_PARTITIONS" => Ok(()),
                Err(error) if error.code == "TOPIC_AUTHORIZATION_FAILED" => {
                    Err(KafkaError::denied("ALTER", &name))
                }
                result => result,
            }
        })
        .await
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
        if let Some(wanted) = wanted.partitions
            && found.partitions > wanted
        {
            mismatches.push(Mismatch::MorePartitions {
                wanted,
                found: found.partitions,
            });
        }
        // The embedded broker has one node and no topic configuration.
        if self.shared.embedded.is_some() {
            return Ok(mismatches);
        }
        if let Some(wanted) = wanted.replication
            && found.replication != wanted
        {
            mismatches.push(Mismatch::Replication {
                wanted,
                found: found.replication,
            });
        }
        if wanted.config.is_empty() {
            return Ok(mismatches);
        }
        let (shared, topic) = (self.shared.clone(), name.to_owned());
        let asked = blocking(move || shared.ask(|client| client.topic_config(&topic, REQUEST)));
        let config = match asked.await {
            // To compare them is a courtesy, for which nothing has to wait.
            Err(error) if error.is_denied() && !error.is_outage() => {
                tracing::warn!(
                    "topic {name}: whether its settings are as configured can't be seen: {}",
                    KafkaError::denied("DESCRIBE_CONFIGS", name)
                );
                return Ok(mismatches);
            }
            asked => asked?,
        };
        for (name, wanted) in &wanted.config {
            let found = config.get(name);
            if found != Some(wanted) {
                mismatches.push(Mismatch::Config {
                    name: name.clone(),
                    wanted: wanted.clone(),
                    found: found.cloned(),
                });
            }
        }
        Ok(mismatches)
    }
}

impl Shared {
    /// Blocks for up to 10 s.
    pub fn describe(&self, wanted: &[String]) -> Result<BTreeMap<String, TopicState>, KafkaError> {
        let topics = self.topics()?.into_iter();
        Ok(topics
            .filter(|topic| topic.partitions > 0)
            .filter(|topic| wanted.is_empty() || wanted.contains(&topic.name))
            .map(|topic| {
                let state = TopicState {
                    partitions: topic.partitions,
                    replication: topic.replication,
                };
                (topic.name, state)
            })
            .collect())
    }

    /// The topic as it is, once every partition has a leader.
    pub fn ready(&self, name: &str) -> Result<Option<TopicState>, KafkaError> {
        let found = self.topics()?.into_iter().find(|topic| topic.name == name);
        Ok(found.filter(|topic| topic.led).map(|topic| TopicState {
            partitions: topic.partitions,
            replication: topic.replication,
        }))
    }

    fn topics(&self) -> Result<Vec<TopicFound>, KafkaError> {
        // Of all topics: asking for one by name may create it on brokers of old. First a short while,
        // because librdkafka waits for the whole of it even when it knows that nobody is there.
        match self.ask(|client| client.topics(FIRST)) {
            Err(error) if error.code == "_TIMED_OUT" => {
                let asked = self.ask(|client| client.topics(REQUEST));
                asked.map_err(|error| match error.code.as_str() {
                    "_TIMED_OUT" => self.context.silence(FIRST + REQUEST),
                    _ => error,
                })
            }
            Err(error) if error.code == "_TRANSPORT" => Err(self.context.unheard(error)),
            result => result,
        }
    }

    /// Sends a request; what went wrong beside it explains why there was no answer.
    pub fn ask<T>(
        &self,
        request: impl FnOnce(&Client) -> Result<T, KafkaError>,
    ) -> Result<T, KafkaError> {
        let result = request(&self.client);
        while let Some(event) = self.events.event(Duration::ZERO) {
            if let Some((code, reason)) = event.error() {
                self.context.error(code, &reason, None);
            }
        }
        if result.is_ok() {
            self.context.connected();
        }
        result.map_err(|error| self.context.explain(error))
    }

    /// Asks about a group.
    pub fn ask_of_group<T>(
        &self,
        group: &str,
        request: impl FnOnce(&GroupClient) -> Result<T, KafkaError>,
    ) -> Result<T, KafkaError> {
        let name = format!("{}-groups", self.cluster.instance);
        let (client, context) = group_client(&self.cluster, &name, group)?;
        request(&client).map_err(|error| context.explain(error))
    }
}

/// A client that asks about a group, and what explains its errors.
pub(super) fn group_client(
    cluster: &Cluster,
    name: &str,
    group: &str,
) -> Result<(GroupClient, Arc<Context>), KafkaError> {
    let context = Context::new(name, &cluster.servers);
    let config = settings::admin(cluster, name, Some(group));
    Ok((GroupClient::new(&config, context.clone())?, context))
}

/// Runs what blocks on a thread that may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KafkaError> + Send + 'static,
) -> Result<T, KafkaError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(KafkaError::new("_FAIL", error.to_string())))
}
