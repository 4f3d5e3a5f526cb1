//! What a consumer promises its member, on the embedded broker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use tokio::sync::Notify;

use crate::config::Group;
use crate::delivery::Record;
use crate::kafka::testing::{Member, broker, fill, group, partition, wait_for};
use crate::kafka::*;

const WAIT: Duration = Duration::from_secs(10);
/// Kafka's number of the OffsetCommit request.
const OFFSET_COMMIT: i16 = 8;

fn values(seen: &[Record]) -> Vec<String> {
    seen.iter()
        .map(|record| String::from_utf8_lossy(record.value().unwrap_or_default()).into_owned())
        .collect()
}

fn turn_all(members: &mut [&mut Member]) {
    for member in members {
        member.turn();
    }
}

/// Joins two members and waits until each holds one of two partitions.
fn two_members(cluster: &Cluster, group_id: &str) -> (Member, Member) {
    let mut first = Member::join(cluster, group_id, 1);
    let mut second = Member::join(cluster, group_id, 2);
    wait_for("each of two members to hold a partition", || {
        turn_all(&mut [&mut first, &mut second]);
        (first.owned.len() == 1 && second.owned.len() == 1).then_some(())
    });
    (first, second)
}

/// Two members of a group share two partitions, and a third one idles as a member.
#[test]
fn members_share_partitions_and_a_spare_one_idles() {
    let (_broker, cluster) = broker(&[("Delivery", 2)]);
    let (mut first, mut second) = two_members(&cluster, "g");
    let mut third = Member::join(&cluster, "g", 3);
    wait_for("the third to be a member", || {
        turn_all(&mut [&mut first, &mut second, &mut third]);
        third.consumer.member_id()
    });
    let mut all = [first.numbers(), second.numbers(), third.numbers()].concat();
    all.sort_unstable();
    assert_eq!(all, [0, 1]);
    assert_eq!(third.numbers(), Vec::<i32>::new());
}

/// Each of two groups gets every message once.
#[test]
fn groups_are_independent() {
    let (_broker, cluster) = broker(&[("Delivery", 1)]);
    fill(&cluster, "Delivery", 0, 500);
    let expected: Vec<String> = (0..500).map(|n| n.to_string()).collect();
    let mut one = Member::join(&cluster, "one", 1);
    let mut two = Member::join(&cluster, "two", 1);
    wait_for("all messages in both groups", || {
        turn_all(&mut [&mut one, &mut two]);
        (one.seen.len() >= 500 && two.seen.len() >= 500).then_some(())
    });
    assert_eq!(values(&one.seen), expected);
    assert_eq!(values(&two.seen), expected);
}

/// A member that leaves is rebalanced away from at once, not at its session timeout.
#[test]
fn leaving_member_gives_its_partitions_to_the_others() {
    let (_broker, cluster) = broker(&[("Delivery", 2)]);
    let (mut first, second) = two_members(&cluster, "g");
    let started = Instant::now();
    second.consumer.leave(true, WAIT);
    let left_in = started.elapsed();
    wait_for("the one that stays to hold both", || {
        first.turn();
        (first.owned.len() == 2).then_some(())
    });
    assert!(left_in < Duration::from_secs(1), "leaving took {left_in:?}");
}

/// A revoke waits for its answer: until then the partition stays with the member that drains, no
/// message comes, and a commit is still accepted.
#[test]
fn revoke_waits_until_it_is_answered() {
    let (_broker, cluster) = broker(&[("Delivery", 2)]);
    fill(&cluster, "Delivery", 0, 300);
    // The embedded broker has a member join anew that asks for its part after the leader has shared out.
    // Of static members the one with the lowest number leads: so it is the first that may be late, while
    // it has nothing to answer yet, and not the second, for which it could not join anew.
    let group = Group {
        static_membership: true,
        ..group()
    };
    let mut first = Member::join_as(&cluster, "g", 2, &group);
    wait_for("some messages, but not all", || {
        first.turn();
        (first.seen.len() == 10).then_some(())
    });
    first.obliging = false;
    let mut second = Member::join_as(&cluster, "g", 1, &group);
    wait_for("the revoke", || {
        turn_all(&mut [&mut first, &mut second]);
        first.asked.clone()
    });
    let Some(Rebalance::Revoke { partitions, lost }) = first.asked.clone() else {
        panic!("a revoke, not {:?}", first.asked)
    };
    assert!(!lost);
    let seen = first.seen.len();
    let offset = Commit {
        partition: partition("Delivery", 0),
        offset: seen as i64,
        metadata: "drained".into(),
    };
    first.consumer.commit(&[offset]).unwrap();
    let result = wait_for("the commit's result", || {
        turn_all(&mut [&mut first, &mut second]);
        first.consumer.commit_result(Duration::ZERO)
    });
    let errors = result.unwrap().into_iter().filter_map(|(_, error)| error);
    assert_eq!(errors.map(|error| error.code).collect::<Vec<_>>(), [""; 0]);
    assert_eq!(
        first.seen.len(),
        seen,
        "no message while a revoke is unanswered"
    );
    assert_eq!(second.numbers(), Vec::<i32>::new());
    first.obliging = true;
    wait_for("the partition to move", || {
        turn_all(&mut [&mut first, &mut second]);
        (second.owned == partitions).then_some(())
    });
}

/// Of a partition that was given up nothing comes any more, of a kept one nothing is missing.
#[test]
fn nothing_comes_of_a_partition_that_was_given_up() {
    let (_broker, cluster) = broker(&[("Delivery", 2)]);
    fill(&cluster, "Delivery", 0, 1000);
    fill(&cluster, "Delivery", 1, 1000);
    let mut first = Member::join(&cluster, "g", 1);
    wait_for("messages", || {
        first.turn();
        (first.seen.len() >= 20).then_some(())
    });
    let mut second = Member::join(&cluster, "g", 2);
    wait_for("one partition each", || {
        turn_all(&mut [&mut first, &mut second]);
        (first.owned.len() == 1 && second.owned.len() == 1).then_some(())
    });
    let kept = first.owned[0].number;
    let before = first.seen.len();
    wait_for("the rest of the kept partition", || {
        first.turn();
        (first.seen.iter().filter(|r| r.partition == kept).count() == 1000).then_some(())
    });
    assert!(first.seen[before..].iter().all(|r| r.partition == kept));
    let offsets: Vec<i64> = first
        .seen
        .iter()
        .filter(|r| r.partition == kept)
        .map(|r| r.offset)
        .collect();
    assert_eq!(offsets, (0..1000).collect::<Vec<i64>>());
}

/// A commit is there for whoever asks, with its metadata; a partition without one has none.
#[test]
fn commit_is_read_back_with_its_metadata() {
    let (_broker, cluster) = broker(&[("Delivery", 2)]);
    let (mut first, mut second) = two_members(&cluster, "g");
    let mine = first.owned[0].clone();
    let commit = Commit {
        partition: mine.clone(),
        offset: 42,
        metadata: "1:50-60".into(),
    };
    first.consumer.commit(&[commit]).unwrap();
    assert!(first.consumer.commit(&[]).is_err(), "one at a time");
    wait_for("the commit's result", || {
        turn_all(&mut [&mut first, &mut second]);
        first.consumer.commit_result(Duration::ZERO)
    })
    .unwrap();
    let both = [mine.clone(), second.owned[0].clone()];
    let found = second.consumer.committed(&both, WAIT).unwrap();
    let expected = [(Some(42), "1:50-60"), (None, "")];
    let found: Vec<_> = found
        .iter()
        .map(|c| (c.offset, c.metadata.as_str()))
        .collect();
    assert_eq!(found, expected);
}

/// A commit that the broker refuses is seen, with the partition that it befell.
#[test]
fn refused_commit_is_seen() {
    let (broker, cluster) = broker(&[("Delivery", 2)]);
    let (first, _second) = two_members(&cluster, "g");
    let refusal = Code::RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE;
    broker.owner.mock_errors(OFFSET_COMMIT, &[refusal]);
    let commit = Commit {
        partition: first.owned[0].clone(),
        offset: 1,
        metadata: String::new(),
    };
    first.consumer.commit(&[commit]).unwrap();
    let result = first.consumer.commit_result(WAIT).expect("a result");
    let code = match result {
        Err(error) => error.code,
        Ok(partitions) => {
            let [(partition, Some(error))] = &partitions[..] else {
                panic!("one refused partition, not {partitions:?}")
            };
            assert_eq!(*partition, first.owned[0]);
            error.code.clone()
        }
    };
    assert_eq!(code, "OFFSET_METADATA_TOO_LARGE");
}

/// After a seek the next message of the partition is the one sought.
#[test]
fn seek_drops_what_was_fetched_before() {
    let (_broker, cluster) = broker(&[("Delivery", 1)]);
    fill(&cluster, "Delivery", 0, 500);
    let mut member = Member::join(&cluster, "g", 1);
    wait_for("messages", || {
        member.turn();
        (member.seen.len() >= 100).then_some(())
    });
    member.seen.clear();
    let place = partition("Delivery", 0);
    member.consumer.seek(&place, Position::Offset(3)).unwrap();
    wait_for("everything from the sought one", || {
        member.turn();
        (member.seen.len() >= 497).then_some(())
    });
    let offsets: Vec<i64> = member.seen.iter().map(|r| r.offset).collect();
    assert_eq!(offsets, (3..500).collect::<Vec<i64>>());
}

/// A pause stops a partition at once and loses nothing of what was fetched.
#[test]
fn pause_stops_at_once_and_loses_nothing() {
    let (_broker, cluster) = broker(&[("Delivery", 1)]);
    fill(&cluster, "Delivery", 0, 500);
    let mut member = Member::join(&cluster, "g", 1);
    wait_for("messages", || {
        member.turn();
        (member.seen.len() >= 100).then_some(())
    });
    let place = [partition("Delivery", 0)];
    member.consumer.pause(&place).unwrap();
    let before = member.seen.len();
    for _ in 0..1000 {
        member.turn();
    }
    assert_eq!(member.seen.len(), before);
    member.consumer.resume(&place).unwrap();
    wait_for("the rest", || {
        member.turn();
        (member.seen.len() >= 500).then_some(())
    });
    let offsets: Vec<i64> = member.seen.iter().map(|r| r.offset).collect();
    assert_eq!(offsets, (0..500).collect::<Vec<i64>>());
}

/// What is resumed is fetched from at once, though the client has had nothing to fetch for a while and rests.
#[test]
fn a_resumed_partition_is_fetched_from_at_once() {
    const RESTS: Duration = Duration::from_millis(100);
    let (_broker, cluster) = broker(&[("Delivery", 1)]);
    fill(&cluster, "Delivery", 0, 10);
    let mut member = Member::join(&cluster, "g", 1);
    wait_for("the first messages", || {
        member.turn();
        (member.seen.len() >= 10).then_some(())
    });
    let place = [partition("Delivery", 0)];
    let mut took = Vec::new();
    for round in 1..=5 {
        member.consumer.pause(&place).unwrap();
        fill(&cluster, "Delivery", 0, 10);
        let paused = Instant::now();
        wait_for("the client to rest", || {
            member.turn();
            (paused.elapsed() > RESTS).then_some(())
        });
        let resumed = Instant::now();
        member.consumer.resume(&place).unwrap();
        wait_for("the next messages", || {
            member.turn();
            (member.seen.len() >= 10 * (round + 1)).then_some(())
        });
        took.push(resumed.elapsed());
    }
    took.sort_unstable();
    // librdkafka would rest for up to a second.
    assert!(took[2] < Duration::from_millis(250), "{took:?}");
}

/// A position that is not there is reported with its partition, and a seek mends it.
#[test]
fn position_out_of_range_is_reported_with_its_partition() {
    let (_broker, cluster) = broker(&[("Delivery", 1)]);
    fill(&cluster, "Delivery", 0, 10);
    let mut member = Member::join(&cluster, "g", 1);
    member.obliging = false;
    wait_for("the assignment", || {
        member.turn();
        member.asked.clone()
    });
    let place = partition("Delivery", 0);
    let far = [(place.clone(), Position::Offset(5000))];
    member.consumer.assign(&far).unwrap();
    member.asked = None;
    let mut record = Record::default();
    wait_for("the report", || {
        matches!(member.consumer.poll(&mut record), Polled::OutOfRange).then_some(())
    });
    assert_eq!(member.consumer.take_out_of_range(), vec![place.clone()]);
    assert_eq!(member.consumer.watermarks(&place, WAIT).unwrap(), (0, 10));
    member.consumer.seek(&place, Position::Beginning).unwrap();
    wait_for("the first message", || {
        member.turn();
        member.seen.first().map(|r| r.offset)
    });
    assert_eq!(member.consumer.known_end(&place), Some(10));
}

/// `wake` is told when there is something to poll, and when a commit has its result.
#[tokio::test]
async fn wake_is_told_when_there_is_something() {
    let (_broker, cluster) = broker(&[("Delivery", 1)]);
    let wake = Arc::new(Notify::new());
    let group = group();
    let consumer = Consumer::new(ConsumerSettings {
        cluster: &cluster,
        group_id: "g",
        group: &group,
        member: 1,
        wake: wake.clone(),
    })
    .unwrap();
    consumer.subscribe(&group.topics).unwrap();
    let mut record = Record::default();
    let asked = loop {
        while !matches!(consumer.poll(&mut record), Polled::Nothing) {}
        if let Some(asked) = consumer.next_rebalance() {
            break asked;
        }
        tokio::time::timeout(WAIT, wake.notified())
            .await
            .expect("told of the assignment");
    };
    assert_eq!(asked, Rebalance::Assign(vec![partition("Delivery", 0)]));
    let place = partition("Delivery", 0);
    consumer
        .assign(&[(place.clone(), Position::Beginning)])
        .unwrap();
    fill(&cluster, "Delivery", 0, 1);
    while !matches!(consumer.poll(&mut record), Polled::Record) {
        tokio::time::timeout(WAIT, wake.notified())
            .await
            .expect("told of the message");
    }
    let commit = Commit {
        partition: place,
        offset: 1,
        metadata: String::new(),
    };
    consumer.commit(&[commit]).unwrap();
    loop {
        if consumer.commit_result(Duration::ZERO).is_some() {
            break;
        }
        tokio::time::timeout(WAIT, wake.notified())
            .await
            .expect("told of the commit");
    }
}

/// Leaving keeps to its time limit when the broker is away.
#[test]
fn leaving_is_bounded_without_a_broker() {
    let (broker, cluster) = broker(&[("Delivery", 2)]);
    let (first, second) = two_members(&cluster, "g");
    broker.owner.mock_broker_up(false).unwrap();
    for member in [first, second] {
        let started = Instant::now();
        member.consumer.leave(true, Duration::from_millis(300));
        let took = started.elapsed();
        assert!(took < Duration::from_secs(2), "leaving took {took:?}");
    }
}

/// A member that leaves without having answered a revoke does not hold up the group.
#[test]
fn leaving_with_an_unanswered_revoke_does_not_hang() {
    let (_broker, cluster) = broker(&[("Delivery", 2)]);
    let mut first = Member::join(&cluster, "g", 1);
    wait_for("both partitions", || {
        first.turn();
        (first.owned.len() == 2).then_some(())
    });
    first.obliging = false;
    let mut second = Member::join(&cluster, "g", 2);
    wait_for("the revoke", || {
        turn_all(&mut [&mut first, &mut second]);
        first.asked.clone()
    });
    let started = Instant::now();
    first.consumer.leave(true, WAIT);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(2), "leaving took {took:?}");
    wait_for("the other to hold both", || {
        second.turn();
        (second.owned.len() == 2).then_some(())
    });
}

/// A static member that leaves for good gives its partitions up before its session ends.
#[test]
fn static_member_that_leaves_for_good_gives_its_partitions_up() {
    let (_broker, cluster) = broker(&[("Delivery", 2)]);
    let group = Group {
        static_membership: true,
        ..group()
    };
    let mut first = Member::join_as(&cluster, "g", 1, &group);
    let mut second = Member::join_as(&cluster, "g", 2, &group);
    wait_for("each to hold a partition", || {
        turn_all(&mut [&mut first, &mut second]);
        (first.owned.len() == 1 && second.owned.len() == 1).then_some(())
    });
    let started = Instant::now();
    second.consumer.leave(true, WAIT);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(1), "leaving took {took:?}");
    wait_for("the one that stays to hold both", || {
        first.turn();
        (first.owned.len() == 2).then_some(())
    });
}
