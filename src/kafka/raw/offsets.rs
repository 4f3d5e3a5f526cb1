//! Where partitions begin and end, and how far a group and a client have come in them.

use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::super::error::KafkaError;
use super::{Client, c_string, check, first_error, millis};

impl Client {
    /// Fills in the group's committed offsets and their metadata.
    pub fn committed(
        &self,
        partitions: &TopicPartitionList,
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        // SAFETY: both pointers are valid.
        check(self, unsafe {
            sys::rd_kafka_committed(self.ptr(), partitions.ptr(), millis(timeout))
        })?;
        first_error(partitions)
    }

    /// Replaces the times, given as offsets, by the offsets of the first message not before them.
    pub fn offsets_for_times(
        &self,
        times: &TopicPartitionList,
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        // SAFETY: both pointers are valid.
        check(self, unsafe {
            sys::rd_kafka_offsets_for_times(self.ptr(), times.ptr(), millis(timeout))
        })?;
        first_error(times)
    }

    /// Asks the broker for a partition's first offset and the one after its last.
    pub fn watermarks(
        &self,
        topic: &str,
        partition: i32,
        timeout: Duration,
    ) -> Result<(i64, i64), KafkaError> {
        let topic = c_string(topic)?;
        let (mut low, mut high) = (0, 0);
        // SAFETY: the pointers are valid for the call.
        check(self, unsafe {
            sys::rd_kafka_query_watermark_offsets(
                self.ptr(),
                topic.as_ptr(),
                partition,
                &mut low,
                &mut high,
                millis(timeout),
            )
        })?;
        Ok((low, high))
    }

    /// The high watermark that the last fetch answer told.
    pub fn known_end(&self, topic: &str, partition: i32) -> Option<i64> {
        let topic = c_string(topic).ok()?;
        let (mut low, mut high) = (0, 0);
        // SAFETY: the pointers are valid for the call.
        let code = unsafe {
            sys::rd_kafka_get_watermark_offsets(
                self.ptr(),
                topic.as_ptr(),
                partition,
                &mut low,
                &mut high,
            )
        };
        (code == Code::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0).then_some(high)
    }

    /// One past the last thing that this client's queue has given out of a partition that it fetches:
    /// a message, or a transaction's marker, which is none. `None` while it has given out nothing.
    pub fn position(&self, topic: &str, partition: i32) -> Option<i64> {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition(topic, partition);
        // SAFETY: both pointers are valid.
        check(self, unsafe {
            sys::rd_kafka_position(self.ptr(), list.ptr())
        })
        .ok()?;
        match list.elements().first()?.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    }
}
