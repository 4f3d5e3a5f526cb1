//! The messages of the bench: JSON delivery records of 206 bytes, the same in every run.

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Bytes in a record.
pub const SIZE: usize = 206;

/// A record, as the bare contenders parse it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Delivery<'a> {
    pub id: &'a str,
    pub city: &'a str,
    pub status: &'a str,
    pub priority: u32,
    pub weight_g: u32,
    #[serde(borrow)]
    pub items: Vec<Item<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    pub note: &'a str,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Item<'a> {
    pub sku: &'a str,
    pub quantity: u64,
    pub price: u64,
}

const CITIES: [&str; 8] = [
    "Riga", "Porto", "Gdansk", "Turin", "Bergen", "Ghent", "Graz", "Split",
];

/// The `n`th record.
pub fn record(n: u64) -> String {
    let city = CITIES[(n % 8) as usize];
    let status = ["created", "on the way", "delivered"][(n % 3) as usize];
    let (priority, weight) = (n % 5 + 1, 100 + n * 37 % 9000);
    let (first, second) = (n % 9 + 1, n % 4 + 1);
    let mut text = format!(
        "{{\"id\":\"d-{n:08}\",\"city\":\"{city}\",\"status\":\"{status}\",\"priority\":{priority},\
         \"weight_g\":{weight},\"items\":[{{\"sku\":\"A-100\",\"quantity\":{first},\"price\":1250}},\
         {{\"sku\":\"B-27\",\"quantity\":{second},\"price\":399}}],\"note\":\""
    );
    let end = "\"}";
    while text.len() + end.len() < SIZE {
        text.push('.');
    }
    text.push_str(end);
    text
}

/// Writes `count` records to `topic`.
pub fn fill(servers: &str, topic: &str, count: u64) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("enable.idempotence", "true")
        .set("linger.ms", "50")
        .create()
        .unwrap_or_else(|error| panic!("a producer: {error}"));
    for n in 0..count {
        let (key, value) = (format!("k-{}", n % 1000), record(n));
        let mut next = BaseRecord::to(topic).key(&key).payload(&value);
        while let Err((error, back)) = producer.send(next) {
            let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
            assert!(error == full, "can't write to {topic}: {error}");
            producer.poll(Duration::from_millis(10));
            next = back;
        }
        if n % 1000 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    let flushed = producer.flush(Duration::from_secs(120));
    flushed.unwrap_or_else(|error| panic!("can't write to {topic}: {error}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every record has the size that the table's title says, and the bare contenders can parse it.
    #[test]
    fn records_have_their_size_and_parse() {
        for n in [0, 1, 7, 123_456, 2_999_999] {
            let text = record(n);
            assert_eq!(text.len(), SIZE, "{text}");
            let parsed: Delivery = serde_json::from_str(&text).expect("a record is JSON");
            assert_eq!(parsed.items.len(), 2);
        }
    }
}
