//! What begins, stops and moves the fetching of partitions.

use std::ffi::CString;
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::{Client, c_string, check, check_error, first_error, millis};
use crate::kafka::error::KafkaError;

/// The SASL user and password that a client was made with; empty where it needs none.
pub(super) struct Credentials {
    user: CString,
    password: CString,
}

impl Credentials {
    pub(super) fn of(config: &rdkafka::ClientConfig) -> Result<Credentials, KafkaError> {
        let set = |name: &str| c_string(config.get(name).unwrap_or_default());
        Ok(Credentials {
            user: set("sasl.username")?,
            password: set("sasl.password")?,
        })
    }
}

impl Client {
    pub fn pause(&self, partitions: &TopicPartitionList) -> Result<(), KafkaError> {
        // SAFETY: both pointers are valid.
        check(self, unsafe {
            sys::rd_kafka_pause_partitions(self.ptr(), partitions.ptr())
        })?;
        first_error(partitions)
    }

    pub fn resume(&self, partitions: &TopicPartitionList) -> Result<(), KafkaError> {
        // SAFETY: both pointers are valid.
        check(self, unsafe {
            sys::rd_kafka_resume_partitions(self.ptr(), partitions.ptr())
        })?;
        first_error(partitions)
    }

    pub fn seek(&self, to: &TopicPartitionList, timeout: Duration) -> Result<(), KafkaError> {
        // SAFETY: both pointers are valid.
        check_error(unsafe {
            sys::rd_kafka_seek_partitions(self.ptr(), to.ptr(), millis(timeout))
        })?;
        first_error(to)
    }

    /// Has librdkafka look at once for what there is to fetch.
    ///
    /// It pauses all partitions for a moment at each rebalance, those that are kept too. A broker's
    /// thread that finds nothing to fetch sleeps for up to a second (`rd_kafka_max_block_ms`), and a
    /// resume does not wake it (`rd_kafka_toppar_pause_resume`, librdkafka 2.12). What can wake it from
    /// outside without asking a broker is to be given the credentials that it has.
    pub fn wake_fetchers(&self) -> Result<(), KafkaError> {
        // A question that its main thread answers: by then it has resumed what was to be resumed.
        self.member_id();
        let Credentials { user, password } = &self.credentials;
        // SAFETY: the pointers are valid; librdkafka copies the texts.
        check_error(unsafe {
            sys::rd_kafka_sasl_set_credentials(self.ptr(), user.as_ptr(), password.as_ptr())
        })
    }
}
