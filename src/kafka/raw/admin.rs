//! Requests about topics. Each blocks until it is answered or its time is up.

use std::collections::BTreeMap;
use std::ffi::{c_char, c_int};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::bindings::rd_kafka_admin_op_t as Operation;
use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use tokio::sync::Notify;

use super::{Client, Event, c_string, c_text, check, millis};
use crate::kafka::error::KafkaError;

/// A topic to be created.
pub(in crate::kafka) struct NewTopic<'a> {
    pub name: &'a str,
    pub partitions: i32,
    pub replication: i32,
    pub config: &'a BTreeMap<String, String>,
}

/// A topic as the cluster's metadata has it.
pub(in crate::kafka) struct TopicFound {
    pub name: String,
    pub partitions: i32,
    /// Of the partition that has most.
    pub replication: i32,
    /// Whether every partition has a leader.
    pub led: bool,
}

impl Client {
    /// All topics. librdkafka has then also seen what is new in them.
    pub fn topics(&self, timeout: Duration) -> Result<Vec<TopicFound>, KafkaError> {
        let mut answer: *const sys::rd_kafka_metadata = ptr::null();
        // SAFETY: the pointers are valid; the answer is read while it lives and destroyed once.
        unsafe {
            let code = sys::rd_kafka_metadata(
                self.ptr(),
                1,
                ptr::null_mut(),
                &mut answer,
                millis(timeout),
            );
            check(self, code)?;
            let Some(metadata) = answer.as_ref() else {
                return Ok(Vec::new());
            };
            let topics = array(metadata.topics, metadata.topic_cnt)
                .iter()
                .map(|topic| {
                    let partitions = array(topic.partitions, topic.partition_cnt);
                    TopicFound {
                        name: c_text(topic.topic),
                        partitions: topic.partition_cnt,
                        replication: partitions.iter().map(|p| p.replica_cnt).max().unwrap_or(0),
                        led: partitions.iter().all(|partition| partition.leader >= 0),
                    }
                })
                .collect();
            sys::rd_kafka_metadata_destroy(answer);
            Ok(topics)
        }
    }

    pub fn create_topic(&self, topic: &NewTopic<'_>, timeout: Duration) -> Result<(), KafkaError> {
        let name = c_string(topic.name)?;
        let mut config = Vec::with_capacity(topic.config.len());
        for (name, value) in topic.config {
            config.push((c_string(name)?, c_string(value)?));
        }
        let mut text = [0 as c_char; 512];
        // SAFETY: the new topic is made, used and destroyed here; librdkafka copies it. The result's
        // array belongs to the event.
        unsafe {
            let new = sys::rd_kafka_NewTopic_new(
                name.as_ptr(),
                topic.partitions,
                topic.replication,
                text.as_mut_ptr(),
                text.len(),
            );
            if new.is_null() {
                return Err(KafkaError::new("_INVALID_ARG", c_text(text.as_ptr())));
            }
            for (name, value) in &config {
                sys::rd_kafka_NewTopic_set_config(new, name.as_ptr(), value.as_ptr());
            }
            let operation = Operation::RD_KAFKA_ADMIN_OP_CREATETOPICS;
            let answer = self.ask(operation, timeout, |options, queue| {
                sys::rd_kafka_CreateTopics(self.ptr(), &mut { new }, 1, options, queue);
            });
            sys::rd_kafka_NewTopic_destroy(new);
            let answer = answer?;
            let result = sys::rd_kafka_event_CreateTopics_result(answer.ptr());
            let mut count = 0;
            let topics = sys::rd_kafka_CreateTopics_result_topics(result, &mut count);
            topic_results(topics, count)
        }
    }

    /// Grows a topic to so many partitions.
    pub fn create_partitions(
        &self,
        name: &str,
        total: usize,
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        let name = c_string(name)?;
        let mut text = [0 as c_char; 512];
        // SAFETY: as above.
        unsafe {
            let new = sys::rd_kafka_NewPartitions_new(
                name.as_ptr(),
                total,
                text.as_mut_ptr(),
                text.len(),
            );
            if new.is_null() {
                return Err(KafkaError::new("_INVALID_ARG", c_text(text.as_ptr())));
            }
            let operation = Operation::RD_KAFKA_ADMIN_OP_CREATEPARTITIONS;
            let answer = self.ask(operation, timeout, |options, queue| {
                sys::rd_kafka_CreatePartitions(self.ptr(), &mut { new }, 1, options, queue);
            });
            sys::rd_kafka_NewPartitions_destroy(new);
            let answer = answer?;
            let result = sys::rd_kafka_event_CreatePartitions_result(answer.ptr());
            let mut count = 0;
            let topics = sys::rd_kafka_CreatePartitions_result_topics(result, &mut count);
            topic_results(topics, count)
        }
    }

    /// The ids of the brokers that are there.
    pub fn brokers(&self, timeout: Duration) -> Result<Vec<i32>, KafkaError> {
        let mut answer: *const sys::rd_kafka_metadata = ptr::null();
        // SAFETY: the pointers are valid; the answer is read while it lives and destroyed once.
        unsafe {
            let code = sys::rd_kafka_metadata(
                self.ptr(),
                0,
                ptr::null_mut(),
                &mut answer,
                millis(timeout),
            );
            check(self, code)?;
            let Some(metadata) = answer.as_ref() else {
                return Ok(Vec::new());
            };
            let brokers = array(metadata.brokers, metadata.broker_cnt);
            let ids = brokers.iter().map(|broker| broker.id).collect();
            sys::rd_kafka_metadata_destroy(answer);
            Ok(ids)
        }
    }

    /// A broker's settings, defaults included.
    pub fn broker_config(
        &self,
        id: i32,
        timeout: Duration,
    ) -> Result<BTreeMap<String, String>, KafkaError> {
        let kind = sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_BROKER;
        self.config(kind, &id.to_string(), timeout)
    }

    /// A topic's settings, defaults included.
    pub fn topic_config(
        &self,
        name: &str,
        timeout: Duration,
    ) -> Result<BTreeMap<String, String>, KafkaError> {
        let kind = sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
        self.config(kind, name, timeout)
    }

    fn config(
        &self,
        kind: sys::rd_kafka_ResourceType_t,
        name: &str,
        timeout: Duration,
    ) -> Result<BTreeMap<String, String>, KafkaError> {
        let name = c_string(name)?;
        // SAFETY: the resource is made, used and destroyed here; librdkafka copies it. What the
        // result points to belongs to the event.
        unsafe {
            let resource = sys::rd_kafka_ConfigResource_new(kind, name.as_ptr());
            if resource.is_null() {
                return Err(KafkaError::new(
                    "_INVALID_ARG",
                    "no name for a topic or a broker".into(),
                ));
            }
            let operation = Operation::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS;
            let answer = self.ask(operation, timeout, |options, queue| {
                sys::rd_kafka_DescribeConfigs(self.ptr(), &mut { resource }, 1, options, queue);
            });
            sys::rd_kafka_ConfigResource_destroy(resource);
            let answer = answer?;
            let result = sys::rd_kafka_event_DescribeConfigs_result(answer.ptr());
            let mut count = 0;
            let resources = sys::rd_kafka_DescribeConfigs_result_resources(result, &mut count);
            let mut config = BTreeMap::new();
            for resource in array(resources, count as c_int) {
                let code = sys::rd_kafka_ConfigResource_error(*resource);
                if code != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
                    let reason = c_text(sys::rd_kafka_ConfigResource_error_string(*resource));
                    return Err(KafkaError::of(code, &reason));
                }
                let mut count = 0;
                let entries = sys::rd_kafka_ConfigResource_configs(*resource, &mut count);
                for entry in array(entries, count as c_int) {
                    config.insert(
                        c_text(sys::rd_kafka_ConfigEntry_name(*entry)),
                        c_text(sys::rd_kafka_ConfigEntry_value(*entry)),
                    );
                }
            }
            Ok(config)
        }
    }

    /// What tells a topic from others that had its name before, in base 64. Brokers before 2.8 give the
    /// same for every topic.
    pub fn topic_id(&self, name: &str, timeout: Duration) -> Result<String, KafkaError> {
        let name_c = c_string(name)?;
        // SAFETY: the collection is made, used and destroyed here; librdkafka copies the name. What the
        // result points to belongs to the event, its error too.
        unsafe {
            let names = sys::rd_kafka_TopicCollection_of_topic_names(&mut name_c.as_ptr(), 1);
            let operation = Operation::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
            let answer = self.ask(operation, timeout, |options, queue| {
                sys::rd_kafka_DescribeTopics(self.ptr(), names, options, queue);
            });
            sys::rd_kafka_TopicCollection_destroy(names);
            let answer = answer?;
            let result = sys::rd_kafka_event_DescribeTopics_result(answer.ptr());
            let mut count = 0;
            let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
            let Some(topic) = array(topics, count as c_int).first() else {
                return Err(KafkaError::new(
                    "_BAD_MSG",
                    format!("no answer about {name}"),
                ));
            };
            let error = sys::rd_kafka_TopicDescription_error(*topic);
            let code = sys::rd_kafka_error_code(error);
            if code != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
                let reason = c_text(sys::rd_kafka_error_string(error));
                return Err(KafkaError::of(code, &reason));
            }
            let id = sys::rd_kafka_TopicDescription_topic_id(*topic);
            Ok(c_text(sys::rd_kafka_Uuid_base64str(id)))
        }
    }

    /// Sends a request that no group's coordinator has to answer, and waits for its answer.
    pub(super) fn ask(
        &self,
        operation: Operation,
        timeout: Duration,
        send: impl FnOnce(*const sys::rd_kafka_AdminOptions_t, *mut sys::rd_kafka_queue_t),
    ) -> Result<Event, KafkaError> {
        // librdkafka always answers by its timeout; a little more, so that it is its answer that counts.
        self.ask_for(operation, timeout, timeout + Duration::from_secs(1), send)
    }

    /// Sends a request that librdkafka gives up after `until`, and waits for its answer for `wait`.
    pub(super) fn ask_for(
        &self,
        operation: Operation,
        until: Duration,
        wait: Duration,
        send: impl FnOnce(*const sys::rd_kafka_AdminOptions_t, *mut sys::rd_kafka_queue_t),
    ) -> Result<Event, KafkaError> {
        let queue = self.new_queue(&Arc::new(Notify::new()))?;
        let mut text = [0 as c_char; 512];
        // SAFETY: the options are made, used and destroyed here; librdkafka copies them.
        unsafe {
            let options = NonNull::new(sys::rd_kafka_AdminOptions_new(self.ptr(), operation))
                .ok_or_else(|| KafkaError::new("_INVALID_ARG", "no such request".into()))?;
            let code = sys::rd_kafka_AdminOptions_set_request_timeout(
                options.as_ptr(),
                millis(until),
                text.as_mut_ptr(),
                text.len(),
            );
            if code == Code::RD_KAFKA_RESP_ERR_NO_ERROR {
                send(options.as_ptr(), queue.ptr());
            }
            sys::rd_kafka_AdminOptions_destroy(options.as_ptr());
            if code != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Err(KafkaError::of(code, &c_text(text.as_ptr())));
            }
        }
        let answer = queue
            .event(wait)
            .ok_or_else(|| KafkaError::of(Code::RD_KAFKA_RESP_ERR__TIMED_OUT, ""))?;
        // SAFETY: the event is valid.
        let code = unsafe { sys::rd_kafka_event_error(answer.ptr()) };
        match code {
            Code::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(answer),
            code => {
                // SAFETY: the event is valid, and its text lives as long.
                let reason = unsafe { c_text(sys::rd_kafka_event_error_string(answer.ptr())) };
                Err(KafkaError::of(code, &reason))
            }
        }
    }
}

pub(super) unsafe fn topic_results(
    results: *mut *const sys::rd_kafka_topic_result_t,
    count: usize,
) -> Result<(), KafkaError> {
    // SAFETY: the caller's array has so many valid results.
    unsafe {
        for result in array(results, count as c_int) {
            let code = sys::rd_kafka_topic_result_error(*result);
            if code != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
                let reason = c_text(sys::rd_kafka_topic_result_error_string(*result));
                return Err(KafkaError::of(code, &reason));
            }
        }
    }
    Ok(())
}

pub(super) unsafe fn array<'a, T>(start: *const T, count: c_int) -> &'a [T] {
    match usize::try_from(count) {
        // SAFETY: the caller's array has so many elements.
        Ok(count) if !start.is_null() => unsafe { std::slice::from_raw_parts(start, count) },
        _ => &[],
    }
}
