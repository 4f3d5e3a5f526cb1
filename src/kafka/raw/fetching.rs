//! What begins, stops and moves the fetching of partitions.

use std::ffi::CString;
use std::ptr;
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::{Client, c_string, check, check_error, cooperative, first_error, millis};
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
    /// Adds to the assignment, or replaces it under an eager protocol.
    pub fn assign(&self, partitions: &TopicPartitionList) -> Result<(), KafkaError> {
        // SAFETY: both pointers are valid; librdkafka copies the list.
        unsafe {
            if cooperative(self.ptr()) {
                check_error(sys::rd_kafka_incremental_assign(
                    self.ptr(),
                    partitions.ptr(),
                ))
            } else {
                check(self, sys::rd_kafka_assign(self.ptr(), partitions.ptr()))
            }
        }?;
        self.wake_fetchers()
    }

    /// Takes from the assignment, or empties it under an eager protocol.
    pub fn unassign(&self, partitions: &TopicPartitionList) -> Result<(), KafkaError> {
        // SAFETY: both pointers are valid; librdkafka copies the list; a null list empties the assignment.
        unsafe {
            if cooperative(self.ptr()) {
                check_error(sys::rd_kafka_incremental_unassign(
                    self.ptr(),
                    partitions.ptr(),
                ))
            } else {
                check(self, sys::rd_kafka_assign(self.ptr(), ptr::null()))
            }
        }?;
        self.wake_fetchers()
    }

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
        first_error(partitions)?;
        self.wake_fetchers()
    }

    pub fn seek(&self, to: &TopicPartitionList, timeout: Duration) -> Result<(), KafkaError> {
        // SAFETY: both pointers are valid.
        check_error(unsafe {
            sys::rd_kafka_seek_partitions(self.ptr(), to.ptr(), millis(timeout))
        })?;
        first_error(to)?;
        self.wake_fetchers()
    }

    /// Has librdkafka's main thread do what is due, and waits for it. Asks no broker.
    pub fn wake_main_thread(&self) {
        // A question that this thread answers; any would do.
        self.member_id();
    }

    /// Has librdkafka look at once for what there is to fetch.
    ///
    /// It pauses all partitions for a moment at each rebalance, those that are kept too. A broker's
    /// thread that finds nothing to fetch sleeps for up to a second (`rd_kafka_max_block_ms`), and a
    /// resume does not wake it (`rd_kafka_toppar_pause_resume`, librdkafka 2.12). What can wake it from
    /// outside without asking a broker is to be given the credentials that it has.
    fn wake_fetchers(&self) -> Result<(), KafkaError> {
        // By then it has resumed what was to be resumed.
        self.wake_main_thread();
        let Credentials { user, password } = &self.credentials;
        // SAFETY: the pointers are valid; librdkafka copies the texts.
        check_error(unsafe {
            sys::rd_kafka_sasl_set_credentials(self.ptr(), user.as_ptr(), password.as_ptr())
        })
    }
}
