//! What topic administration and the start of groups promise, on the embedded broker.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::config::{Start, Topic};
use crate::kafka::testing::{Member, broker, cluster, fill, partition, wait_for};
use crate::kafka::*;

fn wanted(partitions: i32) -> Topic {
    Topic {
        partitions: Some(partitions),
        replication: Some(1),
        config: BTreeMap::new(),
        create: true,
    }
}

/// A missing topic is created, a present one is left alone, also when several ask at once.
#[tokio::test]
async fn topic_is_created_once() {
    let (broker, cluster) = broker(&[]);
    let admin = Admin::new(&cluster, Some(&broker)).unwrap();
    let other = Admin::new(&cluster, Some(&broker)).unwrap();
    let topic = wanted(2);
    let (one, two) = tokio::join!(
        admin.ensure_topic("Delivery", &topic),
        other.ensure_topic("Delivery", &topic)
    );
    let outcomes = [one.unwrap(), two.unwrap()];
    let created = outcomes.iter().filter(|o| **o == TopicOutcome::Created);
    assert_eq!(created.count(), 1, "{outcomes:?}");
    assert!(outcomes.contains(&TopicOutcome::Existed), "{outcomes:?}");
    let states = admin
        .describe(&["Delivery".into(), "nosuch".into()])
        .await
        .unwrap();
    let expected = TopicState {
        partitions: 2,
        replication: 1,
    };
    assert_eq!(states, BTreeMap::from([("Delivery".to_owned(), expected)]));
}

/// A topic that is not to be created and is not there is a clear error.
#[tokio::test]
async fn missing_topic_that_may_not_be_created_is_an_error() {
    let (broker, cluster) = broker(&[]);
    let admin = Admin::new(&cluster, Some(&broker)).unwrap();
    let topic = Topic {
        create: false,
        ..wanted(1)
    };
    let error = admin.ensure_topic("Delivery", &topic).await.unwrap_err();
    assert_eq!(
        error.message,
        "topic `Delivery`: it does not exist, or the broker's ACLs hide it, and `create = false` leaves its \
         creation to others"
    );
}

/// More partitions than wanted are told and left; the embedded broker says that it can't grow.
#[tokio::test]
async fn partitions_are_never_removed() {
    let (broker, cluster) = broker(&[("Delivery", 3)]);
    let admin = Admin::new(&cluster, Some(&broker)).unwrap();
    let outcome = admin.ensure_topic("Delivery", &wanted(2)).await.unwrap();
    let mismatches = vec![Mismatch::MorePartitions {
        wanted: 2,
        found: 3,
    }];
    assert_eq!(
        outcome,
        TopicOutcome::Mismatch {
            mismatches,
            grown: None
        }
    );
    let error = admin
        .ensure_topic("Delivery", &wanted(4))
        .await
        .unwrap_err();
    assert!(
        error
            .message
            .contains("embedded broker can't add partitions"),
        "{error}"
    );
}

/// Where a group starts is committed once, per topic of which it has no offset at all.
#[tokio::test]
async fn start_is_committed_once() {
    let (broker, cluster) = broker(&[("Delivery", 2), ("Other", 1)]);
    fill(&cluster, "Delivery", 0, 5);
    let admin = Admin::new(&cluster, Some(&broker)).unwrap();
    let place = |topic, number, offset| Commit {
        partition: partition(topic, number),
        offset,
        metadata: String::new(),
    };
    let delivery = ["Delivery".to_owned()];
    let committed = admin
        .resolve_start("g", &delivery, Start::Latest)
        .await
        .unwrap();
    assert_eq!(
        committed,
        [place("Delivery", 0, 5), place("Delivery", 1, 0)]
    );
    fill(&cluster, "Delivery", 0, 5);
    let both = ["Delivery".to_owned(), "Other".to_owned()];
    let committed = admin
        .resolve_start("g", &both, Start::Latest)
        .await
        .unwrap();
    assert_eq!(committed, [place("Other", 0, 0)]);
    let offsets = admin.group_offsets("g", &both).await.unwrap();
    let offsets: Vec<_> = offsets.iter().map(|c| c.offset).collect();
    assert_eq!(offsets, [Some(5), Some(0), Some(0)]);
}

/// A start in the past begins with what is there.
#[tokio::test]
async fn start_at_a_time_before_everything_is_the_beginning() {
    let (broker, cluster) = broker(&[("Delivery", 1)]);
    fill(&cluster, "Delivery", 0, 5);
    let admin = Admin::new(&cluster, Some(&broker)).unwrap();
    let topics = ["Delivery".to_owned()];
    let committed = admin
        .resolve_start("g", &topics, Start::Time(0))
        .await
        .unwrap();
    assert_eq!(committed[0].offset, 0);
}

/// A group that has members already resolves its start itself: nothing is committed over their heads.
#[tokio::test]
async fn start_of_a_group_with_members_is_left_to_them() {
    let (broker, cluster) = broker(&[("Delivery", 1)]);
    let mut member = Member::join(&cluster, "g", 1);
    wait_for("the assignment", || {
        member.turn();
        member.owned.first().cloned()
    });
    let admin = Admin::new(&cluster, Some(&broker)).unwrap();
    let topics = ["Delivery".to_owned()];
    let committed = admin
        .resolve_start("g", &topics, Start::Earliest)
        .await
        .unwrap();
    assert_eq!(committed, []);
}

/// Without a broker, administration fails with the address and the reason.
#[tokio::test]
async fn administration_without_a_broker_names_it() {
    // A port that was free a moment ago, and that nobody listens at.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let cluster = Cluster {
        embedded: false,
        ..cluster(&port.to_string())
    };
    let admin = Admin::new(&cluster, None).unwrap();
    let started = Instant::now();
    let error = admin.describe(&[]).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(6));
    assert!(error.is_outage(), "{error:?}");
    assert_eq!(
        error.message,
        format!("no broker at {port}: connection refused")
    );
}
