//! A transactional producer's calls. All but `begin` block, until the coordinator has answered or the
//! time is up; after a time-out the same call goes on where it was.

use std::ptr::NonNull;
use std::time::{Duration, Instant};

use rdkafka::bindings as sys;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::{Client, check_error, millis};
use crate::kafka::error::KafkaError;

/// Who a consumer is in its group at the moment: a commit with it is refused once that has changed.
pub struct GroupMetadata(NonNull<sys::rd_kafka_consumer_group_metadata_t>);

// SAFETY: it is a copy of a few values, bound to no thread and no handle.
unsafe impl Send for GroupMetadata {}

impl Drop for GroupMetadata {
    fn drop(&mut self) {
        // SAFETY: owned, and destroyed once.
        unsafe { sys::rd_kafka_consumer_group_metadata_destroy(self.0.as_ptr()) }
    }
}

impl Client {
    /// A consumer's place in its group, as it is now.
    pub fn group_metadata(&self) -> Option<GroupMetadata> {
        // SAFETY: the handle is valid; null is handled.
        NonNull::new(unsafe { sys::rd_kafka_consumer_group_metadata(self.ptr()) })
            .map(GroupMetadata)
    }

    /// Takes over the transactional id: fences whoever had it, and ends what they left open.
    ///
    /// Asked before a broker is connected, librdkafka looks for the coordinator only half a second later
    /// (`rd_kafka_txn_coord_query`). So something else is asked first, which waits for a broker.
    pub fn init_transactions(&self, timeout: Duration) -> Result<(), KafkaError> {
        let begin = Instant::now();
        if let Err(error) = self.brokers(timeout) {
            tracing::debug!(%error, "no broker is connected yet");
        }
        let left = timeout.saturating_sub(begin.elapsed());
        // SAFETY: the handle is a producer's.
        check_error(unsafe { sys::rd_kafka_init_transactions(self.ptr(), millis(left)) })
    }

    /// What is produced from here on belongs to a transaction. Asks no broker.
    pub fn begin_transaction(&self) -> Result<(), KafkaError> {
        // SAFETY: the handle is a producer's.
        check_error(unsafe { sys::rd_kafka_begin_transaction(self.ptr()) })
    }

    /// Makes offsets of a group part of the transaction.
    pub fn send_offsets(
        &self,
        offsets: &TopicPartitionList,
        group: &GroupMetadata,
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        // SAFETY: the pointers are valid for the call, and the handle is a producer's.
        check_error(unsafe {
            sys::rd_kafka_send_offsets_to_transaction(
                self.ptr(),
                offsets.ptr(),
                group.0.as_ptr(),
                millis(timeout),
            )
        })
    }

    /// Ends the transaction well. Delivery reports must be taken on another thread meanwhile.
    pub fn commit_transaction(&self, timeout: Duration) -> Result<(), KafkaError> {
        // SAFETY: the handle is a producer's.
        check_error(unsafe { sys::rd_kafka_commit_transaction(self.ptr(), millis(timeout)) })
    }

    /// Takes the transaction back. Delivery reports must be taken on another thread meanwhile.
    pub fn abort_transaction(&self, timeout: Duration) -> Result<(), KafkaError> {
        // SAFETY: the handle is a producer's.
        check_error(unsafe { sys::rd_kafka_abort_transaction(self.ptr(), millis(timeout)) })
    }
}
