//! Requests that list and delete. Each blocks until it is answered or its time is up.

use std::ffi::c_int;
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::bindings::rd_kafka_admin_op_t as Operation;

use super::admin::{array, topic_results};
use super::{Client, c_string, c_text};
use crate::kafka::error::KafkaError;

impl Client {
    pub fn delete_topic(&self, name: &str, timeout: Duration) -> Result<(), KafkaError> {
        let name = c_string(name)?;
        // SAFETY: the request is made, used and destroyed here; librdkafka copies it. The result's
        // array belongs to the event.
        unsafe {
            let topic = sys::rd_kafka_DeleteTopic_new(name.as_ptr());
            let operation = Operation::RD_KAFKA_ADMIN_OP_DELETETOPICS;
            let answer = self.ask(operation, timeout, |options, queue| {
                sys::rd_kafka_DeleteTopics(self.ptr(), &mut { topic }, 1, options, queue);
            });
            sys::rd_kafka_DeleteTopic_destroy(topic);
            let answer = answer?;
            let result = sys::rd_kafka_event_DeleteTopics_result(answer.ptr());
            let mut count = 0;
            let topics = sys::rd_kafka_DeleteTopics_result_topics(result, &mut count);
            topic_results(topics, count)
        }
    }

    /// The ids of all groups that this client may see.
    pub fn groups(&self, timeout: Duration) -> Result<Vec<String>, KafkaError> {
        // SAFETY: what the result points to belongs to the event.
        unsafe {
            let operation = Operation::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS;
            let answer = self.ask(operation, timeout, |options, queue| {
                sys::rd_kafka_ListConsumerGroups(self.ptr(), options, queue);
            })?;
            let result = sys::rd_kafka_event_ListConsumerGroups_result(answer.ptr());
            let mut count = 0;
            let groups = sys::rd_kafka_ListConsumerGroups_result_valid(result, &mut count);
            let groups = array(groups, count as c_int).iter();
            Ok(groups
                .map(|group| c_text(sys::rd_kafka_ConsumerGroupListing_group_id(*group)))
                .collect())
        }
    }
}
