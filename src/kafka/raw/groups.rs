//! Requests about a group, from outside it. Each blocks until it is answered or its time is up.

use std::ffi::c_int;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::bindings::rd_kafka_admin_op_t as Operation;
use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaType;

use super::admin::array;
use super::{Client, PartitionResult, c_string, c_text, partitions};
use crate::kafka::context::Context;
use crate::kafka::error::KafkaError;

/// A client that has a group of its own, member of it or not: only such a one may ask for offsets.
///
/// When the coordinator that was asked is none any more, librdkafka 2.12 looks for the new one through the
/// client's own group; a producer has no group, and the process would crash (`rd_kafka_handle_OffsetFetch`
/// on behalf of `ListConsumerGroupOffsets`). Clones are the same client.
#[derive(Clone)]
pub(in crate::kafka) struct GroupClient(Arc<Client>);

impl GroupClient {
    /// A consumer; `config` has a `group.id`.
    pub fn new(
        config: &rdkafka::ClientConfig,
        context: Arc<Context>,
    ) -> Result<GroupClient, KafkaError> {
        let kind = RDKafkaType::RD_KAFKA_CONSUMER;
        Ok(GroupClient(Arc::new(Client::new(
            kind, config, context, false,
        )?)))
    }

    /// A group's committed offsets with their metadata, whatever transactions are still open over them.
    pub fn group_offsets(
        &self,
        group: &str,
        wanted: &TopicPartitionList,
        timeout: Duration,
    ) -> Result<Vec<PartitionResult>, KafkaError> {
        let group = c_string(group)?;
        // SAFETY: the request is made, used and destroyed here; librdkafka copies it. What the result
        // points to belongs to the event.
        unsafe {
            let request = sys::rd_kafka_ListConsumerGroupOffsets_new(group.as_ptr(), wanted.ptr());
            let operation = Operation::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS;
            let answer = self.ask(operation, timeout, |options, queue| {
                sys::rd_kafka_ListConsumerGroupOffsets(
                    self.ptr(),
                    &mut { request },
                    1,
                    options,
                    queue,
                );
            });
            sys::rd_kafka_ListConsumerGroupOffsets_destroy(request);
            let answer = answer?;
            let result = sys::rd_kafka_event_ListConsumerGroupOffsets_result(answer.ptr());
            let mut count = 0;
            let groups = sys::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &mut count);
            let mut found = Vec::new();
            for group in array(groups, count as c_int) {
                refused(sys::rd_kafka_group_result_error(*group))?;
                found.extend(partitions(sys::rd_kafka_group_result_partitions(*group)));
            }
            Ok(found)
        }
    }
}

impl Deref for GroupClient {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.0
    }
}

impl Client {
    /// The client ids of a group's members.
    pub fn group_clients(&self, group: &str, timeout: Duration) -> Result<Vec<String>, KafkaError> {
        let group = c_string(group)?;
        // SAFETY: librdkafka copies the name; what the result points to belongs to the event.
        unsafe {
            let operation = Operation::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
            let answer = self.ask(operation, timeout, |options, queue| {
                let mut names = [group.as_ptr()];
                sys::rd_kafka_DescribeConsumerGroups(
                    self.ptr(),
                    names.as_mut_ptr(),
                    names.len(),
                    options,
                    queue,
                );
            })?;
            let result = sys::rd_kafka_event_DescribeConsumerGroups_result(answer.ptr());
            let mut count = 0;
            let groups = sys::rd_kafka_DescribeConsumerGroups_result_groups(result, &mut count);
            let mut clients = Vec::new();
            for group in array(groups, count as c_int) {
                refused(sys::rd_kafka_ConsumerGroupDescription_error(*group))?;
                for index in 0..sys::rd_kafka_ConsumerGroupDescription_member_count(*group) {
                    let member = sys::rd_kafka_ConsumerGroupDescription_member(*group, index);
                    clients.push(c_text(sys::rd_kafka_MemberDescription_client_id(member)));
                }
            }
            Ok(clients)
        }
    }
}

/// An error that belongs to the answer it came in.
unsafe fn refused(error: *const sys::rd_kafka_error_t) -> Result<(), KafkaError> {
    // SAFETY: the caller's error is null or valid.
    unsafe {
        if error.is_null() || sys::rd_kafka_error_code(error) == Code::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Ok(());
        }
        let reason = c_text(sys::rd_kafka_error_string(error));
        Err(KafkaError::of(sys::rd_kafka_error_code(error), &reason))
    }
}
