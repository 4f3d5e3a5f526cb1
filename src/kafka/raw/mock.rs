//! The mock cluster that a client with `test.mock.num.brokers` owns.

use std::time::Duration;

use rdkafka::bindings as sys;
#[cfg(test)]
use rdkafka::bindings::rd_kafka_resp_err_t as Code;

use super::{Client, c_string, c_text, check, millis};
use crate::kafka::error::KafkaError;

impl Client {
    /// Where the brokers listen that `test.mock.num.brokers` started in this client.
    pub fn mock_servers(&self) -> Option<String> {
        // SAFETY: a client without mock brokers gives null.
        unsafe {
            let cluster = sys::rd_kafka_handle_mock_cluster(self.ptr());
            (!cluster.is_null()).then(|| c_text(sys::rd_kafka_mock_cluster_bootstraps(cluster)))
        }
    }

    pub fn mock_rebalance_delay(&self, delay: Duration) {
        // SAFETY: null is checked; the function takes the cluster's lock.
        unsafe {
            let cluster = sys::rd_kafka_handle_mock_cluster(self.ptr());
            if !cluster.is_null() {
                sys::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, millis(delay));
            }
        }
    }

    pub fn mock_create_topic(&self, name: &str, partitions: i32) -> Result<(), KafkaError> {
        let name_c = c_string(name)?;
        // SAFETY: null is checked; the function hands the work to the cluster's own thread.
        let code = unsafe {
            let cluster = sys::rd_kafka_handle_mock_cluster(self.ptr());
            if cluster.is_null() {
                return Err(KafkaError::new(
                    "_STATE",
                    "this client has no embedded broker".into(),
                ));
            }
            sys::rd_kafka_mock_topic_create(cluster, name_c.as_ptr(), partitions, 1)
        };
        check(self, code)
    }

    /// Takes the embedded broker down or up again.
    #[cfg(test)]
    pub fn mock_broker_up(&self, up: bool) -> Result<(), KafkaError> {
        // SAFETY: only clients with mock brokers are given in the tests; broker ids begin at 1.
        check(self, unsafe {
            let cluster = sys::rd_kafka_handle_mock_cluster(self.ptr());
            if up {
                sys::rd_kafka_mock_broker_set_up(cluster, 1)
            } else {
                sys::rd_kafka_mock_broker_set_down(cluster, 1)
            }
        })
    }

    /// Lets the broker answer the next requests of a kind with an error.
    #[cfg(test)]
    pub fn mock_errors(&self, api: i16, errors: &[Code]) {
        // SAFETY: as above; the array is as long as is said.
        unsafe {
            let cluster = sys::rd_kafka_handle_mock_cluster(self.ptr());
            sys::rd_kafka_mock_push_request_errors_array(
                cluster,
                api,
                errors.len(),
                errors.as_ptr(),
            );
        }
    }
}
