//! Where the brokers have lost the end of a transaction.
//!
//! Kafka 4.1 to 4.4 forget the marks that end a transaction while no broker leads a partition that is in
//! it, as when all have died at once (KAFKA-20734). The transaction is over for its coordinator, and
//! stays open for everybody else: whoever waits for the group's offsets to be settled waits for ever. The
//! next transaction of the same transactional id in the same partitions ends it too. So a member that
//! knows what its last one committed goes on there.

use std::collections::HashMap;
use std::slice;
use std::time::Duration;

use crate::delivery::holder;
use crate::kafka::{Committed, KafkaError, Partition, open_offsets};

use super::turn::Member;

/// A broker's answer is waited for at most so long; until then most transactions are over.
const ANSWER: Duration = Duration::from_secs(5);
/// How librdkafka says that they are not settled; it does not tell that from no answer at all.
const TIMED_OUT: &str = "_TIMED_OUT";
/// For one more look at one partition.
const LOOK: Duration = Duration::from_millis(500);

/// What a member's own transactions committed last, of each partition that it has not given up.
#[derive(Debug, Default)]
pub(super) struct LastCommits(HashMap<Partition, (i64, String)>);

impl LastCommits {
    pub(super) fn insert(&mut self, partition: &Partition, offset: i64, list: &str) {
        let commit = (offset, list.to_owned());
        self.0.insert(partition.clone(), commit);
    }

    pub(super) fn remove(&mut self, partition: &Partition) {
        self.0.remove(partition);
    }

    /// The own last commit, where it is newer than what stands and nobody else has held the partition
    /// since: whoever does puts their name there before they handle anything.
    fn newer_than(&self, stands: &Committed, own_id: &str) -> Option<Committed> {
        let (offset, list) = self.0.get(&stands.partition)?;
        let is_own = holder(&stands.metadata) == Some(own_id);
        let is_newer = stands.offset.is_some_and(|stands| stands <= *offset);
        (is_own && is_newer).then(|| Committed {
            partition: stands.partition.clone(),
            offset: Some(*offset),
            metadata: list.clone(),
        })
    }
}

impl Member {
    /// The group's committed offsets, with transactions those that are settled.
    ///
    /// # Errors
    /// A broker does not answer, or a transaction is open that nobody seems to end.
    pub(super) fn settled_offsets(
        &self,
        partitions: &[Partition],
    ) -> Result<Vec<Committed>, KafkaError> {
        let answer = self.consumer.committed(partitions, ANSWER);
        match (&answer, &self.exactly_once) {
            (Err(error), Some(own)) if error.code == TIMED_OUT => {
                self.despite_a_lost_end(partitions, own.id(), own.last_commits())
            }
            _ => answer,
        }
    }

    fn despite_a_lost_end(
        &self,
        partitions: &[Partition],
        own_id: &str,
        last: &LastCommits,
    ) -> Result<Vec<Committed>, KafkaError> {
        let mut found = Vec::new();
        for stands in open_offsets(&self.setup.cluster, &self.setup.group_id, partitions)? {
            let partition = &stands.partition;
            match self.consumer.committed(slice::from_ref(partition), LOOK) {
                Ok(settled) => found.extend(settled),
                Err(error) if error.code != TIMED_OUT => return Err(error),
                Err(_) => {
                    let Some(own) = last.newer_than(&stands, own_id) else {
                        return Err(lost_end(&stands));
                    };
                    tracing::warn!(
                        "the brokers have lost the end of this member's last transaction in {partition} \
                         (KAFKA-20734): it goes on where that ended"
                    );
                    found.push(own);
                }
            }
        }
        Ok(found)
    }
}

fn lost_end(stands: &Committed) -> KafkaError {
    let whose = holder(&stands.metadata).unwrap_or("another client");
    let message = format!(
        "the offset of {} is part of a transaction, perhaps of {whose}, that is not ended; if the brokers \
         have lost its end (KAFKA-20734), Kafka's `kafka-transactions.sh find-hanging` finds it in \
         __consumer_offsets and `abort` ends it",
        stands.partition
    );
    KafkaError::new("UNSTABLE_OFFSET_COMMIT", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::with_holder;

    fn partition() -> Partition {
        Partition {
            topic: "orders".into(),
            number: 1,
        }
    }

    fn stands(offset: Option<i64>, metadata: String) -> Committed {
        Committed {
            partition: partition(),
            offset,
            metadata,
        }
    }

    /// Only while the group still has this member as the holder can its own last commit be the newest.
    #[test]
    fn the_own_last_commit_counts_while_nobody_else_has_held_the_partition() {
        let mut last = LastCommits::default();
        last.insert(&partition(), 20, "");
        let offset = |stands: Committed| last.newer_than(&stands, "a-g-1")?.offset;
        let own = with_holder("", "a-g-1");
        assert_eq!(offset(stands(Some(10), own.clone())), Some(20));
        assert_eq!(offset(stands(Some(20), own.clone())), Some(20));
        assert_eq!(offset(stands(Some(21), own.clone())), None, "it is older");
        assert_eq!(offset(stands(None, own)), None);
        let other = with_holder("", "b-g-1");
        assert_eq!(offset(stands(Some(10), other)), None);
        assert_eq!(offset(stands(Some(10), String::new())), None, "given up");
    }

    /// Whoever is stuck learns where, and what to do.
    #[test]
    fn an_open_transaction_is_told_with_what_ends_it() {
        let error = lost_end(&stands(Some(10), with_holder("", "b-g-1")));
        let told = error.to_string();
        for part in ["orders/1", "b-g-1", "find-hanging", "abort"] {
            assert!(told.contains(part), "{told}");
        }
    }
}
