//! Who holds what of a group, as the coordinator knows it.

use std::ffi::c_int;
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::bindings::rd_kafka_admin_op_t as Operation;
use rdkafka::bindings::rd_kafka_resp_err_t as Code;

use super::admin::array;
use super::{Client, PartitionResult, c_string, c_text, partitions};
use crate::kafka::error::KafkaError;

/// One member of a group.
pub(in crate::kafka) struct GroupMember {
    pub client_id: String,
    pub host: String,
    pub holds: Vec<PartitionResult>,
}

impl Client {
    /// The members of a group with what they hold. Blocks until it is answered or the time is up.
    pub fn group_members(
        &self,
        group: &str,
        timeout: Duration,
    ) -> Result<Vec<GroupMember>, KafkaError> {
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
            let mut members = Vec::new();
            for group in array(groups, count as c_int) {
                let error = sys::rd_kafka_ConsumerGroupDescription_error(*group);
                if !error.is_null()
                    && sys::rd_kafka_error_code(error) != Code::RD_KAFKA_RESP_ERR_NO_ERROR
                {
                    let reason = c_text(sys::rd_kafka_error_string(error));
                    return Err(KafkaError::of(sys::rd_kafka_error_code(error), &reason));
                }
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
}
