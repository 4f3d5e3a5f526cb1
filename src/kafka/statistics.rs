//! librdkafka's statistics, of which only this is read that nobody else knows: the connections to
//! brokers with the time of their answers, and what is fetched and not handed over.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What one client tells of itself. Times are those of the interval before it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Statistics {
    /// The brokers that the cluster has named, each once.
    pub brokers: Vec<BrokerSeen>,
    /// Fetched and not handed over.
    pub prefetched_messages: u64,
    pub prefetched_bytes: u64,
}

/// A broker as one client sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct BrokerSeen {
    /// `host:port`, as the cluster advertises it.
    pub address: String,
    pub connection: Connection,
    /// Answers of the interval.
    pub answers: u64,
    /// Seconds from request to answer, together.
    pub seconds: f64,
    /// The longest of them.
    pub longest: f64,
}

/// How a client is connected to a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Connection {
    /// Not needed so far.
    None,
    Connecting,
    Up,
    /// It was lost or refused, and is tried again.
    Down,
}

impl Statistics {
    /// Reads what librdkafka wrote (STATISTICS.md).
    ///
    /// # Errors
    /// It is not that.
    pub(super) fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        let told: Told = serde_json::from_slice(json)?;
        // Besides, there are the addresses that the config names and the group's coordinator, which are
        // other connections to the same brokers.
        let learned = |broker: &TellsBroker| broker.source == "learned";
        let partitions = || {
            let topics = told.topics.values();
            topics.flat_map(|topic| topic.partitions.values())
        };
        Ok(Self {
            prefetched_messages: partitions().map(|each| each.fetchq_cnt.max(0) as u64).sum(),
            prefetched_bytes: partitions()
                .map(|each| each.fetchq_size.max(0) as u64)
                .sum(),
            brokers: told
                .brokers
                .into_values()
                .filter(learned)
                .map(BrokerSeen::from)
                .collect(),
        })
    }
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    brokers: BTreeMap<String, TellsBroker>,
    #[serde(default)]
    topics: BTreeMap<String, TellsTopic>,
}

#[derive(Deserialize)]
struct TellsBroker {
    nodename: String,
    source: String,
    state: String,
    rtt: Window,
}

/// Microseconds.
#[derive(Deserialize)]
struct Window {
    max: i64,
    sum: i64,
    cnt: i64,
}

#[derive(Deserialize)]
struct TellsTopic {
    partitions: BTreeMap<String, TellsPartition>,
}

#[derive(Deserialize)]
struct TellsPartition {
    fetchq_cnt: i64,
    fetchq_size: i64,
}

impl From<TellsBroker> for BrokerSeen {
    fn from(told: TellsBroker) -> Self {
        let seconds = |micros: i64| micros.max(0) as f64 / 1e6;
        Self {
            connection: match told.state.as_str() {
                "UP" | "UPDATE" => Connection::Up,
                "DOWN" => Connection::Down,
                "INIT" => Connection::None,
                _ => Connection::Connecting,
            },
            address: told.nodename,
            answers: told.rtt.cnt.max(0) as u64,
            seconds: seconds(told.rtt.sum),
            longest: seconds(told.rtt.max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = r#"{ "name": "c#consumer-1", "type": "consumer", "msg_cnt": 0, "brokers": {
        "kafka:9092/bootstrap": { "nodeid": -1, "nodename": "kafka:9092", "source": "configured",
            "state": "UP", "rtt": { "min": 1, "max": 2, "avg": 1, "sum": 3, "cnt": 2 }, "toppars": {} },
        "GroupCoordinator": { "nodeid": 1, "nodename": "kafka-1:9092", "source": "logical",
            "state": "UP", "rtt": { "min": 0, "max": 0, "avg": 0, "sum": 0, "cnt": 0 }, "toppars": {} },
        "kafka-1:9092/1": { "nodeid": 1, "nodename": "kafka-1:9092", "source": "learned",
            "state": "UP", "rtt": { "min": 900, "max": 502000, "avg": 5, "sum": 1250000, "cnt": 25 },
            "req": { "Fetch": 25 }, "toppars": { "a-0": { "topic": "a", "partition": 0 } } },
        "kafka-2:9092/2": { "nodeid": 2, "nodename": "kafka-2:9092", "source": "learned",
            "state": "TRY_CONNECT", "rtt": { "min": 0, "max": 0, "avg": 0, "sum": 0, "cnt": 0 } } },
        "topics": { "a": { "topic": "a", "batchsize": {}, "partitions": {
            "0": { "partition": 0, "fetchq_cnt": 7, "fetchq_size": 700, "hi_offset": 9 },
            "1": { "partition": 1, "fetchq_cnt": 3, "fetchq_size": 200 },
            "-1": { "partition": -1, "fetchq_cnt": 0, "fetchq_size": 0 } } } },
        "cgrp": { "state": "up" }, "tx": 3 }"#;

    /// Each broker of the cluster is seen once, and what is prefetched is that of all partitions.
    #[test]
    fn brokers_and_prefetch_are_read() {
        let read = Statistics::parse(TOLD.as_bytes()).expect("it is JSON");
        assert_eq!((read.prefetched_messages, read.prefetched_bytes), (10, 900));
        let first = BrokerSeen {
            address: "kafka-1:9092".to_owned(),
            connection: Connection::Up,
            answers: 25,
            seconds: 1.25,
            longest: 0.502,
        };
        assert_eq!(read.brokers[0], first);
        assert_eq!(read.brokers[1].connection, Connection::Connecting);
        assert_eq!(read.brokers.len(), 2);
    }

    /// What is no such text is an error, not nothing.
    #[test]
    fn other_texts_are_refused() {
        assert!(Statistics::parse(b"{ \"brokers\": 1 }").is_err());
        assert!(Statistics::parse(b"\xff").is_err());
    }
}
