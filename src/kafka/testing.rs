//! What the tests of this room share: a group's settings, a record of what came, waiting with a deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::{
    Cluster, Consumer, ConsumerSettings, Embedded, Emitter, KafkaError, Outgoing, Partition,
    Polled, Position, Rebalance,
};
use crate::config::{
    Group, Guarantee, Limits, OnFailure, Ordering, OutOfRange, Protocol, Rate, Start, Then,
};
use crate::delivery::Record;

pub fn cluster(servers: &str) -> Cluster {
    Cluster {
        servers: servers.to_owned(),
        embedded: true,
        properties: Default::default(),
        instance: "test".to_owned(),
    }
}

/// An embedded broker with topics, and how to reach it.
pub fn broker(topics: &[(&str, i32)]) -> (Embedded, Cluster) {
    let broker = Embedded::start().expect("the embedded broker starts");
    for (name, partitions) in topics {
        broker
            .create_topic(name, *partitions)
            .expect("a new topic can be created");
    }
    let cluster = cluster(broker.servers());
    (broker, cluster)
}

pub fn group() -> Group {
    Group {
        topics: vec!["Delivery".into()],
        members: 1,
        handler: "handler.rhai".into(),
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
        properties: Default::default(),
        params: Default::default(),
        test_before_swap: false,
        compile: true,
        limits: Limits::default(),
        on_failure: OnFailure {
            retries: 3,
            backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(30),
            then: Then::DeadLetter,
            topic: None,
            max_share: 0.5,
        },
        stage: None,
    }
}

/// Calls `look` until it gives something; at the deadline, says what `what` was waited for.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited 20 s in vain for {what}");
        // Leaves the processor to the client's threads; the condition above is what is waited for.
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// A member that keeps what it saw; it answers what the group asks when told to.
pub struct Member {
    pub consumer: Consumer,
    pub owned: Vec<Partition>,
    pub seen: Vec<Record>,
    pub errors: Vec<KafkaError>,
    pub asked: Option<Rebalance>,
    /// Answer at once, or leave it in `asked`.
    pub obliging: bool,
}

impl Member {
    pub fn join(cluster: &Cluster, group_id: &str, number: u32) -> Member {
        Self::join_as(cluster, group_id, number, &group())
    }

    pub fn join_as(cluster: &Cluster, group_id: &str, number: u32, group: &Group) -> Member {
        let consumer = Consumer::new(ConsumerSettings {
            cluster,
            group_id,
            group,
            member: number,
            wake: Arc::new(Notify::new()),
        })
        .expect("a consumer");
        consumer.subscribe(&group.topics).expect("subscribing");
        Member {
            consumer,
            owned: Vec::new(),
            seen: Vec::new(),
            errors: Vec::new(),
            asked: None,
            obliging: true,
        }
    }

    /// Polls once; takes what comes.
    pub fn turn(&mut self) {
        let mut record = Record::default();
        match self.consumer.poll(&mut record) {
            Polled::Record => self.seen.push(record),
            Polled::Error(error) | Polled::Denied { error, .. } => self.errors.push(error),
            Polled::Event | Polled::Nothing | Polled::OutOfRange => {}
        }
        if self.asked.is_none() {
            self.asked = self.consumer.next_rebalance();
        }
        if self.obliging {
            self.oblige();
        }
    }

    /// Answers what the group asked: new partitions are read from their beginning.
    pub fn oblige(&mut self) {
        match self.asked.take() {
            Some(Rebalance::Assign(partitions)) => {
                let positions: Vec<_> = partitions
                    .iter()
                    .map(|partition| (partition.clone(), Position::Beginning))
                    .collect();
                self.consumer.assign(&positions).expect("assigning");
                self.owned.extend(partitions);
            }
            Some(Rebalance::Revoke { partitions, .. }) => {
                self.consumer.unassign(&partitions).expect("unassigning");
                self.owned.retain(|owned| !partitions.contains(owned));
            }
            None => {}
        }
    }

    /// The numbers of the partitions held.
    pub fn numbers(&self) -> Vec<i32> {
        let mut numbers: Vec<i32> = self.owned.iter().map(|p| p.number).collect();
        numbers.sort_unstable();
        numbers
    }
}

/// Writes values `0..count` with an emitter, to one partition, and waits for the acknowledgements.
pub fn fill(cluster: &Cluster, topic: &str, partition: i32, count: u64) {
    let wake = Arc::new(Notify::new());
    let emitter =
        Emitter::new(cluster, &Default::default(), "filler", 1 << 20, wake).expect("an emitter");
    for number in 0..count {
        let value = number.to_string();
        let outgoing = Outgoing {
            topic,
            partition: Some(partition),
            timestamp: None,
            key: None,
            value: Some(value.as_bytes()),
            headers: &mut std::iter::empty(),
        };
        assert!(emitter.send(outgoing, number).is_ok(), "room for a message");
    }
    emitter.flush(Duration::from_secs(20)).expect("flushing");
    let mut acknowledgements = Vec::new();
    emitter.take_acknowledgements(&mut acknowledgements);
    assert_eq!(acknowledgements.len() as u64, count);
    assert!(acknowledgements.iter().all(|a| a.error.is_none()));
}

pub fn partition(topic: &str, number: i32) -> Partition {
    Partition {
        topic: Arc::from(topic),
        number,
    }
}
