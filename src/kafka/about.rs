//! What else there is to know of a topic: which of its name it is, and how long it keeps messages.

use std::time::Duration;

use super::admin::{Admin, REQUEST, blocking};
use super::error::KafkaError;

impl Admin {
    /// What tells a topic from those that had its name before and were deleted. The embedded broker
    /// has no such thing, and deletes no topics.
    pub async fn topic_id(&self, topic: &str) -> Result<String, KafkaError> {
        if self.shared.cluster.embedded {
            return Ok("embedded".to_owned());
        }
        let (shared, name) = (self.shared.clone(), topic.to_owned());
        let asked = blocking(move || shared.ask(|client| client.topic_id(&name, REQUEST))).await;
        asked.map_err(|error| error.while_trying(&format!("topic `{topic}`")))
    }

    /// How old a message may become before the topic deletes it for its age; `None`: any age. Also
    /// where this client may not know.
    pub async fn keeps_for(&self, topic: &str) -> Result<Option<Duration>, KafkaError> {
        if self.shared.cluster.embedded {
            return Ok(None);
        }
        let (shared, name) = (self.shared.clone(), topic.to_owned());
        let asked =
            blocking(move || shared.ask(|client| client.topic_config(&name, REQUEST))).await;
        let config = match asked {
            Err(error) if error.is_denied() => return Ok(None),
            asked => asked.map_err(|error| error.while_trying(&format!("topic `{topic}`")))?,
        };
        let deletes = config
            .get("cleanup.policy")
            .is_none_or(|policy| policy.contains("delete"));
        let millis = config.get("retention.ms").filter(|_| deletes);
        // Less than zero is for ever.
        let millis = millis.and_then(|millis| millis.parse::<u64>().ok());
        Ok(millis.map(Duration::from_millis))
    }
}
