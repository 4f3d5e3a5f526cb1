//! Commits of a member: sent with `commit`, their outcome fetched with `commit_result`.
//!
//! Through a queue of their own, because rdkafka's asynchronous commit never reports a refusal and its
//! synchronous one has no deadline.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::consumer::Consumer;
use super::error::KafkaError;
use super::raw::PartitionResult;
use super::{Commit, Partition};

/// Each partition of a commit with the error that the broker gave it, if any.
pub type CommitResult = Result<Vec<(Partition, Option<KafkaError>)>, KafkaError>;

impl Consumer {
    /// Sends a commit. Its result comes from [`Consumer::commit_result`]; one at a time.
    ///
    /// `wake` is told when the result has arrived.
    pub fn commit(&self, offsets: &[Commit]) -> Result<(), KafkaError> {
        if self.committing.get() {
            return Err(KafkaError::new(
                "_PREV_IN_PROGRESS",
                "the commit before is still under way".into(),
            ));
        }
        self.client.commit(&list(offsets)?, &self.answers)?;
        self.committing.set(true);
        Ok(())
    }

    /// The outcome of the commit under way; waits up to `wait` (zero: does not).
    /// The `Ok` value lists each partition with the error that the broker gave it, if any.
    ///
    /// `None`: there is no outcome yet, or no commit under way.
    pub fn commit_result(&self, wait: Duration) -> Option<CommitResult> {
        if !self.committing.get() {
            return None;
        }
        let (code, partitions) = self.answers.event(wait)?.commit()?;
        self.committing.set(false);
        if code == Code::RD_KAFKA_RESP_ERR_NO_ERROR {
            self.context.connected();
        }
        Some(outcome(code, partitions))
    }
}

/// librdkafka repeats a partition's error as the whole's; the whole has failed only if no partition says why.
pub(super) fn outcome(code: Code, partitions: Vec<PartitionResult>) -> CommitResult {
    let fine = Code::RD_KAFKA_RESP_ERR_NO_ERROR;
    if code != fine && partitions.iter().all(|partition| partition.code == fine) {
        return Err(KafkaError::of(code, "").while_trying("the commit was refused"));
    }
    let results = partitions.into_iter().map(|result| {
        let error = (result.code != fine).then(|| {
            let error = match result.code {
                Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED => {
                    KafkaError::denied("READ", &result.topic)
                }
                code => KafkaError::of(code, ""),
            };
            error.while_trying(&format!(
                "the commit of {}/{} was refused",
                result.topic, result.partition
            ))
        });
        let partition = Partition {
            topic: Arc::from(result.topic),
            number: result.partition,
        };
        (partition, error)
    });
    Ok(results.collect())
}

pub(super) fn list(offsets: &[Commit]) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for commit in offsets {
        let mut element = list.add_partition(&commit.partition.topic, commit.partition.number);
        element.set_offset(Offset::Offset(commit.offset))?;
        // An empty text would be written as a null metadata by librdkafka all the same.
        if !commit.metadata.is_empty() {
            element.set_metadata(&commit.metadata);
        }
    }
    Ok(list)
}
