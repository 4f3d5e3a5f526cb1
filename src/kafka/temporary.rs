//! Topics and groups for a while: made like others, listed, and deleted.
//!
//! Only for what `deliveryd verify` made itself; the daemon deletes nothing. Each call blocks.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::TopicState;
use super::admin::{Admin, REQUEST};
use super::error::KafkaError;
use super::raw::NewTopic;
use crate::config::Topic;

/// For a new topic to have leaders.
const SEEN: Duration = Duration::from_secs(15);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// What of a topic's settings bears on a guarantee or on what fits into it.
const TAKEN_OVER: &[&str] = &[
    "min.insync.replicas",
    "max.message.bytes",
    "unclean.leader.election.enable",
];

/// Leftovers empty themselves after two days.
const RETENTION: (&str, &str) = ("retention.ms", "172800000");

impl Admin {
    /// Creates a topic as large as `like`, or where there is none as `otherwise` says, and waits until it
    /// can be used. One that is there already is left as it is.
    ///
    /// # Errors
    /// `like` is neither there nor described; the broker refuses.
    pub fn create_like(
        &self,
        name: &str,
        like: &str,
        otherwise: Option<&Topic>,
    ) -> Result<TopicState, KafkaError> {
        let found = self.shared.describe(&[like.to_owned()])?.remove(like);
        let size = found
            .clone()
            .or_else(|| otherwise.map(planned))
            .ok_or_else(|| {
                let text = format!("there is no topic `{like}`");
                KafkaError::new("UNKNOWN_TOPIC_OR_PART", text)
            })?;
        let settings = match found {
            Some(_) => self
                .shared
                .ask(|client| client.topic_config(like, REQUEST))?,
            None => otherwise
                .map(|topic| topic.config.clone())
                .unwrap_or_default(),
        };
        let mut config: BTreeMap<String, String> = settings
            .into_iter()
            .filter(|(name, _)| TAKEN_OVER.contains(&name.as_str()))
            .collect();
        config.insert(RETENTION.0.into(), RETENTION.1.into());
        self.create_temporary(name, &size, &config)?;
        Ok(size)
    }

    /// Creates a topic of this size and waits until it can be used.
    ///
    /// # Errors
    /// The broker refuses.
    pub fn create_temporary(
        &self,
        name: &str,
        size: &TopicState,
        config: &BTreeMap<String, String>,
    ) -> Result<(), KafkaError> {
        let topic = NewTopic {
            name,
            partitions: size.partitions,
            replication: size.replication,
            config,
        };
        let fail = |error: KafkaError| error.while_trying(&format!("creating topic `{name}`"));
        match self
            .shared
            .ask(|client| client.create_topic(&topic, REQUEST))
        {
            Ok(()) => {}
            // Another process of the same run was faster.
            Err(error) if error.code == "TOPIC_ALREADY_EXISTS" => {}
            Err(error) => return Err(fail(error)),
        }
        let deadline = Instant::now() + SEEN;
        while self.shared.ready(name)?.is_none() {
            if Instant::now() >= deadline {
                let text = format!("its partitions have no leaders after {SEEN:?}");
                return Err(fail(KafkaError::new("_TIMED_OUT", text)));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// The topics that there are.
    ///
    /// # Errors
    /// No broker answers.
    pub fn topics_now(&self) -> Result<Vec<String>, KafkaError> {
        Ok(self.shared.describe(&[])?.into_keys().collect())
    }

    /// The groups that there are.
    ///
    /// # Errors
    /// No broker answers.
    pub fn groups_now(&self) -> Result<Vec<String>, KafkaError> {
        self.shared.ask(|client| client.groups(REQUEST))
    }

    /// Deletes a topic; one that is not there is no error.
    ///
    /// # Errors
    /// The broker refuses.
    pub fn delete_topic(&self, name: &str) -> Result<(), KafkaError> {
        match self.shared.ask(|client| client.delete_topic(name, REQUEST)) {
            Err(error) if error.code == "UNKNOWN_TOPIC_OR_PART" => Ok(()),
            result => {
                result.map_err(|error| error.while_trying(&format!("deleting topic `{name}`")))
            }
        }
    }

    /// Deletes a group; one that is not there is no error.
    ///
    /// # Errors
    /// The broker refuses: `NON_EMPTY_GROUP` while it has members.
    pub fn delete_group(&self, name: &str) -> Result<(), KafkaError> {
        let asked = self
            .shared
            .ask_of_group(name, |client| client.delete_group(name, REQUEST));
        match asked {
            Err(error) if error.code == "GROUP_ID_NOT_FOUND" => Ok(()),
            result => {
                result.map_err(|error| error.while_trying(&format!("deleting group `{name}`")))
            }
        }
    }
}

fn planned(topic: &Topic) -> TopicState {
    TopicState {
        partitions: topic.partitions.unwrap_or(1),
        replication: topic.replication.unwrap_or(1),
    }
}
