//! The probe makes topics, grows and configures them, and deletes what is in them.

use std::future::Future;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::{Offset, TopicPartitionList};

use super::{ANSWER, Probe};
use crate::support::wait_for;

impl Probe {
    /// Makes a topic with one copy of each partition.
    pub fn create_topic(&self, topic: &str, partitions: i32) {
        self.create_topic_with(topic, partitions, 1, &[]);
    }

    pub fn create_topic_with(
        &self,
        topic: &str,
        partitions: i32,
        replication: i32,
        config: &[(&str, &str)],
    ) {
        let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(replication));
        for (name, value) in config {
            new = new.set(name, value);
        }
        let made = block_on(self.admin().create_topics([&new], &options()));
        answered("create the topic", made, topic);
        // The answer may come before every broker knows the topic.
        wait_for(&format!("topic {topic}"), ANSWER, || {
            match self.partitions(topic) {
                Some(found) if found == partitions as usize => Ok(()),
                other => Err(format!("{other:?} partitions")),
            }
        });
    }

    /// Grows a topic to `partitions`.
    pub fn grow_topic(&self, topic: &str, partitions: usize) {
        let new = NewPartitions::new(topic, partitions);
        let grown = block_on(self.admin().create_partitions([&new], &options()));
        answered("grow the topic", grown, topic);
    }

    /// Deletes a topic, whoever reads it.
    pub fn delete_topic(&self, topic: &str) {
        let deleted = block_on(self.admin().delete_topics(&[topic], &options()));
        let failed = match &deleted {
            Ok(topics) => topics.iter().any(Result::is_err),
            Err(_) => true,
        };
        assert!(!failed, "deleting {topic}: {deleted:?}");
    }

    /// Sets one property of a topic's configuration.
    pub fn set_topic_config(&self, topic: &str, name: &str, value: &str) {
        let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(name, value);
        let changed = block_on(self.admin().alter_configs([&change], &options()));
        match changed.map(|mut results| results.pop()) {
            Ok(Some(Ok(_))) => {}
            other => panic!("can't configure topic {topic}: {other:?}"),
        }
    }

    /// One property of a topic's configuration.
    pub fn topic_config(&self, topic: &str, name: &str) -> Option<String> {
        let asked = [ResourceSpecifier::Topic(topic)];
        let described = block_on(self.admin().describe_configs(&asked, &options()));
        match described.map(|mut results| results.pop()) {
            Ok(Some(Ok(resource))) => resource.get(name).and_then(|entry| entry.value.clone()),
            other => panic!("can't describe topic {topic}: {other:?}"),
        }
    }

    /// Deletes a partition's messages before `offset`, as retention would.
    pub fn delete_before(&self, topic: &str, partition: i32, offset: i64) {
        let mut before = TopicPartitionList::new();
        before
            .add_partition_offset(topic, partition, Offset::Offset(offset))
            .unwrap_or_else(|error| panic!("{topic}/{partition}: {error}"));
        if let Err(error) = block_on(self.admin().delete_records(&before, &options())) {
            panic!("can't delete from {topic}: {error}");
        }
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config("probe-admin")
            .create()
            .unwrap_or_else(|error| panic!("an admin client: {error}"))
    }
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(ANSWER))
        .operation_timeout(Some(ANSWER))
}

type TopicAnswers = Result<Vec<rdkafka::admin::TopicResult>, rdkafka::error::KafkaError>;

fn answered(what: &str, answers: TopicAnswers, topic: &str) {
    match answers.map(|mut results| results.pop()) {
        Ok(Some(Ok(_))) => {}
        other => panic!("can't {what} {topic}: {other:?}"),
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap_or_else(|error| panic!("a runtime: {error}"))
        .block_on(future)
}
