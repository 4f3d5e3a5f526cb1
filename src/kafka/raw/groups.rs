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
use super::{Client, Event, PartitionResult, c_string, c_text, partitions};
use crate::kafka::context::Context;
use crate::kafka::error::KafkaError;

/// A client that asks a group's coordinator: made for one piece of work, and dropped after it.
///
/// Only this one may, for two faults of librdkafka 2.12. Where the coordinator that was asked is none any
/// more, it looks for the new one through the client's own group; a producer has no group, and the process
/// would crash (`rd_kafka_handle_OffsetFetch` on behalf of `ListConsumerGroupOffsets`). And a request that
/// has timed out before its coordinator could be reached is used after it was freed when the coordinator
/// can be reached at last (`rd_kafka_admin_coord_request`, then `rd_kafka_admin_coord_response_parse`); so
/// librdkafka itself is given [`NEVER`], and the client is gone long before. Besides, a client remembers a
/// coordinator for a quarter of an hour, though it be gone: a new one finds the present one.
pub(in crate::kafka) struct GroupClient(Client);

/// The longest timeout that librdkafka takes for a request.
const NEVER: Duration = Duration::from_secs(3600);

/// One member of a group.
pub(in crate::kafka) struct GroupMember {
    pub client_id: String,
    pub host: String,
    pub holds: Vec<PartitionResult>,
}

impl GroupClient {
    /// A consumer; `config` has a `group.id`.
    pub fn new(
        config: &rdkafka::ClientConfig,
        context: Arc<Context>,
    ) -> Result<GroupClient, KafkaError> {
        let kind = RDKafkaType::RD_KAFKA_CONSUMER;
        Ok(GroupClient(Client::new(kind, config, context, false)?))
    }

    fn ask_coordinator(
        &self,
        operation: Operation,
        timeout: Duration,
        send: impl FnOnce(*const sys::rd_kafka_AdminOptions_t, *mut sys::rd_kafka_queue_t),
    ) -> Result<Event, KafkaError> {
        self.0.ask_for(operation, NEVER, timeout, send)
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
            let answer = self.ask_coordinator(operation, timeout, |options, queue| {
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

    /// The members of a group with what they hold.
    pub fn group_members(
        &self,
        group: &str,
        timeout: Duration,
    ) -> Result<Vec<GroupMember>, KafkaError> {
        let group = c_string(group)?;
        // SAFETY: librdkafka copies the name; what the result points to belongs to the event.
        unsafe {
            let operation = Operation::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
            let answer = self.ask_coordinator(operation, timeout, |options, queue| {
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
            let mut members = Vec::new();
            for group in array(groups, count as c_int) {
                refused(sys::rd_kafka_ConsumerGroupDescription_error(*group))?;
                for index in 0..sys::rd_kafka_ConsumerGroupDescription_member_count(*group) {
                    let member = sys::rd_kafka_ConsumerGroupDescription_member(*group, index);
                    let assignment = sys::rd_kafka_MemberDescription_assignment(member);
                    members.push(GroupMember {
                        client_id: c_text(sys::rd_kafka_MemberDescription_client_id(member)),
                        host: c_text(sys::rd_kafka_MemberDescription_host(member)),
                        holds: match assignment.is_null() {
                            true => Vec::new(),
                            false => {
                                partitions(sys::rd_kafka_MemberAssignment_partitions(assignment))
                            }
                        },
                    });
                }
            }
            Ok(members)
        }
    }

    /// Deletes a group with its offsets. One that has members is refused.
    pub fn delete_group(&self, name: &str, timeout: Duration) -> Result<(), KafkaError> {
        let name = c_string(name)?;
        // SAFETY: the request is made, used and destroyed here; librdkafka copies it. What the result
        // points to belongs to the event.
        unsafe {
            let group = sys::rd_kafka_DeleteGroup_new(name.as_ptr());
            let operation = Operation::RD_KAFKA_ADMIN_OP_DELETEGROUPS;
            let answer = self.ask_coordinator(operation, timeout, |options, queue| {
                sys::rd_kafka_DeleteGroups(self.ptr(), &mut { group }, 1, options, queue);
            });
            sys::rd_kafka_DeleteGroup_destroy(group);
            let answer = answer?;
            let result = sys::rd_kafka_event_DeleteGroups_result(answer.ptr());
            let mut count = 0;
            let groups = sys::rd_kafka_DeleteGroups_result_groups(result, &mut count);
            for group in array(groups, count as c_int) {
                refused(sys::rd_kafka_group_result_error(*group))?;
            }
            Ok(())
        }
    }
}

impl Deref for GroupClient {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.0
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
