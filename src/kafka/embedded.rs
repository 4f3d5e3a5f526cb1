//! The in-process broker for trying things out: librdkafka's mock cluster, one node, in memory only.
//!
//! It keeps 5 MiB or 100,000 record sets a partition and drops older ones silently, can't grow a
//! topic, and its transactions are a pretence.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::types::RDKafkaType;

use super::context::Context;
use super::error::KafkaError;
use super::raw::Client;

/// The in-process broker, on a thread of its own until the last clone is dropped.
#[derive(Clone)]
pub struct Embedded {
    /// The client that owns the mock cluster, whose thread librdkafka starts.
    pub(super) owner: Arc<Client>,
    servers: String,
}

/// How long it waits for further members before the first assignment of a group. Longer than a
/// member's session timeout, and nothing would ever be assigned.
const REBALANCE_DELAY: Duration = Duration::from_millis(100);

impl Embedded {
    /// Starts the broker on a free port of the loopback interface.
    pub fn start() -> Result<Embedded, KafkaError> {
        let mut config = ClientConfig::new();
        config.set("client.id", "embedded-broker");
        config.set("test.mock.num.brokers", "1");
        let context = Context::new("embedded-broker", "embedded");
        let kind = RDKafkaType::RD_KAFKA_PRODUCER;
        let owner = Client::new(kind, &config, context, false)?;
        let servers = owner
            .mock_servers()
            .ok_or_else(|| KafkaError::new("_STATE", "the embedded broker did not start".into()))?;
        owner.mock_rebalance_delay(REBALANCE_DELAY);
        Ok(Embedded {
            owner: Arc::new(owner),
            servers,
        })
    }

    /// `host:port`, as other clients on this machine can use it too.
    pub fn servers(&self) -> &str {
        &self.servers
    }

    /// Creates a topic. One that is there already is `TOPIC_ALREADY_EXISTS`.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), KafkaError> {
        self.owner
            .mock_create_topic(name, partitions)
            .map_err(|error| error.while_trying(&format!("creating topic `{name}`")))
    }
}
