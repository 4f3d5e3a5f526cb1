//! Configurations for the tests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::*;

pub(super) fn topic(partitions: i32) -> Topic {
    Topic {
        partitions: Some(partitions),
        replication: Some(1),
        config: BTreeMap::new(),
        create: true,
    }
}

pub(super) fn group(members: u32) -> Group {
    Group {
        topics: vec!["Delivery".to_owned()],
        members,
        handler: PathBuf::from("/etc/deliveryd/handlers/print.rhai"),
        start: Start::Earliest,
        on_out_of_range: OutOfRange::Stop,
        rate: Rate::Unlimited,
        ordering: Ordering::Partition,
        in_flight: 1000,
        guarantee: Guarantee::AtLeastOnce,
        commit_interval: Duration::from_secs(1),
        transaction_interval: Duration::from_millis(100),
        handler_timeout: Duration::from_secs(1),
        drain_timeout: Duration::from_secs(10),
        protocol: Protocol::Classic,
        static_membership: false,
        buffer: 32 << 20,
        properties: BTreeMap::new(),
        params: BTreeMap::new(),
        test_before_swap: false,
        compile: true,
        limits: Limits::default(),
        on_failure: OnFailure {
            retries: 3,
            backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(30),
            then: Then::Skip,
            topic: None,
            max_share: 0.5,
        },
        stage: None,
    }
}

pub(super) fn producer(rate: f64) -> Producer {
    Producer {
        topic: "Delivery".to_owned(),
        handler: PathBuf::from("/etc/deliveryd/handlers/random.rhai"),
        rate: Rate::PerSecond(rate),
        count: None,
        seed: None,
        compile: true,
        params: BTreeMap::new(),
        limits: Limits::default(),
    }
}

/// One topic, one producer, two groups on real brokers.
pub(super) fn config() -> Config {
    Config {
        file: PathBuf::from("/etc/deliveryd/config.toml"),
        daemon: Daemon {
            instance: "host-a".to_owned(),
            http: Some(([127, 0, 0, 1], 8660).into()),
            hosts: Vec::new(),
            watch: Watch::Events,
            control: PathBuf::from("/run/deliveryd/control.sock"),
            shutdown_timeout: Duration::from_secs(25),
        },
        log: Log {
            level: "info".to_owned(),
            file: None,
            rotate: Rotate::Daily,
            keep: 7,
        },
        kafka: Kafka {
            brokers: Brokers::Servers("localhost:9092".to_owned()),
            properties: BTreeMap::from([(
                "sasl.password".to_owned(),
                PropertyValue::Secret("hush".to_owned()),
            )]),
        },
        topics: BTreeMap::from([("Delivery".to_owned(), topic(2))]),
        producers: BTreeMap::from([("random".to_owned(), producer(5.0))]),
        groups: BTreeMap::from([
            ("group-1".to_owned(), group(2)),
            ("group-2".to_owned(), group(1)),
        ]),
    }
}
