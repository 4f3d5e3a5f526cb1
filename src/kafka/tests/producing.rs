//! What emitters and the shared sender promise, on the embedded broker.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::kafka::testing::{Member, broker, wait_for};
use crate::kafka::*;

const WAIT: Duration = Duration::from_secs(10);

fn plain<'a>(
    value: Option<&'a [u8]>,
    headers: &'a mut dyn Iterator<Item = (&'a str, Option<&'a [u8]>)>,
) -> Outgoing<'a, 'a> {
    Outgoing {
        topic: "Delivery",
        partition: None,
        timestamp: None,
        key: None,
        value,
        headers,
    }
}

/// A message comes out as it went in: key, value, headers in order and repeated, timestamp.
#[test]
fn message_comes_out_as_it_went_in() {
    let (_broker, cluster) = broker(&[("Delivery", 1)]);
    let wake = Arc::new(Notify::new());
    let emitter = Emitter::new(&cluster, &Default::default(), "e", 1 << 20, wake).unwrap();
    let headers: [(&str, Option<&[u8]>); 3] =
        [("a", Some(b"1")), ("a", Some(b"2")), ("none", None)];
    let send = |key, value, timestamp, headers: &[(&'static str, Option<&'static [u8]>)]| {
        let outgoing = Outgoing {
            topic: "Delivery",
            partition: None,
            timestamp,
            key,
            value,
            headers: &mut headers.iter().copied(),
        };
        assert!(emitter.send(outgoing, 7).is_ok());
    };
    send(
        Some(b"k".as_slice()),
        Some(b"v".as_slice()),
        Some(1234),
        &headers,
    );
    send(Some(b"k".as_slice()), None, None, &[]);
    send(None, Some(b"".as_slice()), None, &[]);
    emitter.flush(WAIT).unwrap();
    let mut member = Member::join(&cluster, "g", 1);
    wait_for("three messages", || {
        member.turn();
        (member.seen.len() == 3).then_some(())
    });
    let [full, tombstone, empty] = &member.seen[..] else {
        panic!("three messages")
    };
    assert_eq!(
        (&*full.topic, full.partition, full.offset),
        ("Delivery", 0, 0)
    );
    assert_eq!(
        (full.key(), full.value()),
        (Some(&b"k"[..]), Some(&b"v"[..]))
    );
    assert_eq!(full.timestamp, Some(1234));
    let found: Vec<_> = full.headers().collect();
    assert_eq!(found, headers);
    assert_eq!(
        (tombstone.key(), tombstone.value()),
        (Some(&b"k"[..]), None)
    );
    assert_eq!((empty.key(), empty.value()), (None, Some(&b""[..])));
    assert_eq!(empty.headers().count(), 0);
}

/// A broker that goes away is told with its address; the messages sent meanwhile arrive when it is back.
#[test]
fn broker_that_is_away_is_told_and_loses_nothing() {
    let (broker, cluster) = broker(&[("Delivery", 1)]);
    let mut member = Member::join(&cluster, "g", 1);
    wait_for("the assignment", || {
        member.turn();
        member.owned.first().cloned()
    });
    broker.owner.mock_broker_up(false).unwrap();
    let wake = Arc::new(Notify::new());
    let emitter = Emitter::new(&cluster, &Default::default(), "e", 1 << 20, wake).unwrap();
    for ticket in 0..20 {
        let outgoing = Outgoing {
            topic: "Delivery",
            partition: Some(0),
            timestamp: None,
            key: None,
            value: Some(b"v"),
            headers: &mut std::iter::empty(),
        };
        assert!(emitter.send(outgoing, ticket).is_ok());
    }
    let error = wait_for("an error of the outage", || {
        member.turn();
        member.errors.pop()
    });
    assert!(error.is_outage(), "{error:?}");
    assert!(error.message.contains(&cluster.servers), "{error:?}");
    broker.owner.mock_broker_up(true).unwrap();
    emitter.flush(WAIT).unwrap();
    let mut acknowledgements = Vec::new();
    emitter.take_acknowledgements(&mut acknowledgements);
    let tickets: Vec<u64> = acknowledgements.iter().map(|a| a.ticket).collect();
    assert_eq!(tickets, (0..20).collect::<Vec<u64>>());
    assert!(acknowledgements.iter().all(|a| a.error.is_none()));
    wait_for("the messages", || {
        member.turn();
        (member.seen.len() == 20).then_some(())
    });
}

/// More than the buffer holds is refused as full until acknowledgements have made room.
#[test]
fn emitter_is_full_until_there_is_room() {
    let (broker, cluster) = broker(&[("Delivery", 1)]);
    broker.owner.mock_broker_up(false).unwrap();
    let wake = Arc::new(Notify::new());
    let emitter = Emitter::new(&cluster, &Default::default(), "e", 64 << 10, wake).unwrap();
    let value = [b'x'; 1000];
    let send = |value: &[u8]| {
        emitter.send(
            Outgoing {
                topic: "Delivery",
                partition: None,
                timestamp: None,
                key: None,
                value: Some(value),
                headers: &mut std::iter::empty(),
            },
            1,
        )
    };
    let sent = (0..1000).take_while(|_| send(&value).is_ok()).count();
    assert_eq!(sent, 65, "a buffer of 64 KiB");
    assert!(matches!(send(&value), Err(SendError::Full)));
    assert!(emitter.flush(Duration::from_millis(50)).is_err());
    broker.owner.mock_broker_up(true).unwrap();
    emitter.flush(WAIT).unwrap();
    assert!(send(&value).is_ok());
    emitter.flush(WAIT).unwrap();
    let huge = vec![b'x'; 100 << 10];
    assert!(
        matches!(send(&huge), Err(SendError::Refused(_))),
        "it never fits"
    );
}

/// Dropping an emitter with a dead broker does not wait.
#[test]
fn dropping_an_emitter_does_not_wait() {
    let (broker, cluster) = broker(&[("Delivery", 1)]);
    broker.owner.mock_broker_up(false).unwrap();
    let wake = Arc::new(Notify::new());
    let emitter = Emitter::new(&cluster, &Default::default(), "e", 1 << 20, wake).unwrap();
    let outgoing = Outgoing {
        topic: "Delivery",
        partition: None,
        timestamp: None,
        key: None,
        value: None,
        headers: &mut std::iter::empty(),
    };
    assert!(emitter.send(outgoing, 1).is_ok());
    let started = Instant::now();
    drop(emitter);
    assert!(started.elapsed() < Duration::from_millis(500));
}

/// Counts the reports of one producer.
struct Counted {
    reports: Arc<DeliveryReports>,
    acknowledged: Arc<AtomicU64>,
    errors: Arc<Mutex<Vec<KafkaError>>>,
}

impl Counted {
    fn new() -> Self {
        let acknowledged = Arc::new(AtomicU64::new(0));
        let errors = Arc::new(Mutex::new(Vec::new()));
        let (yes, no) = (acknowledged.clone(), errors.clone());
        let reports = DeliveryReports::new(move |error| match error {
            None => drop(yes.fetch_add(1, Ordering::Relaxed)),
            Some(error) => no.lock().unwrap().push(error),
        });
        Self {
            reports,
            acknowledged,
            errors,
        }
    }

    fn produced(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    fn failed(&self) -> u64 {
        self.errors.lock().unwrap().len() as u64
    }
}

/// The shared sender counts each producer's acknowledged and refused messages by themselves.
#[test]
fn sender_counts_each_producer_by_itself() {
    let (_broker, cluster) = broker(&[("Delivery", 1)]);
    let sender = Sender::new(&cluster, &Default::default(), "s").unwrap();
    let (one, two) = (Counted::new(), Counted::new());
    for number in 0..30 {
        let counter = if number % 3 == 0 { &one } else { &two };
        let sent = sender.send(plain(Some(b"v"), &mut std::iter::empty()), &counter.reports);
        assert!(sent.is_ok());
    }
    let mut headers = std::iter::empty();
    let nowhere = Outgoing {
        partition: Some(77),
        ..plain(Some(b"v"), &mut headers)
    };
    // The partition may be known to be missing at once, or only by the report.
    let refused = sender.send(nowhere, &two.reports).is_err();
    sender.flush(WAIT).unwrap();
    let done = || {
        let failed = two.failed() + u64::from(refused);
        (one.produced() == 10 && two.produced() == 20 && failed == 1).then_some(())
    };
    wait_for("all counted", done);
    assert_eq!(one.failed(), 0);
    assert_eq!((one.reports.under_way(), two.reports.under_way()), (0, 0));
    if !refused {
        let error = two
            .errors
            .lock()
            .unwrap()
            .pop()
            .expect("the refusal's error");
        assert!(error.message.contains("partition"), "{error}");
    }
}

/// A sender that is full has room again when the broker has answered.
#[test]
fn sender_has_room_again_after_acknowledgements() {
    let (_broker, cluster) = broker(&[("Delivery", 1)]);
    let sender = Sender::new(&cluster, &Default::default(), "s").unwrap();
    let counter = Counted::new();
    let value = vec![b'x'; 100_000];
    let mut full = 0;
    let mut sent = 0;
    let started = Instant::now();
    while sent < 400 {
        assert!(
            started.elapsed() < 2 * WAIT,
            "{sent} sent, full {full} times"
        );
        match sender.send(
            plain(Some(&value), &mut std::iter::empty()),
            &counter.reports,
        ) {
            Ok(()) => sent += 1,
            Err(SendError::Full) => {
                full += 1;
                sender.wait_for_room(WAIT);
            }
            Err(SendError::Refused(error)) => panic!("{error}"),
        }
    }
    assert!(full > 0, "40 MB do not fit into 16 MiB at once");
    sender.flush(WAIT).unwrap();
    wait_for("all counted", || (counter.produced() == 400).then_some(()));
}

/// `wake` is told when acknowledgements have arrived, each time anew.
#[tokio::test]
async fn wake_is_told_of_acknowledgements() {
    let (_broker, cluster) = broker(&[("Delivery", 1)]);
    let wake = Arc::new(Notify::new());
    let emitter = Emitter::new(&cluster, &Default::default(), "e", 1 << 20, wake.clone()).unwrap();
    let mut acknowledgements = Vec::new();
    for round in 1..=3 {
        for ticket in 0..100 {
            let sent = emitter.send(plain(Some(b"v"), &mut std::iter::empty()), ticket);
            assert!(sent.is_ok());
        }
        while acknowledgements.len() < round * 100 {
            emitter.take_acknowledgements(&mut acknowledgements);
            if acknowledgements.len() < round * 100 {
                let told = tokio::time::timeout(WAIT, wake.notified()).await;
                assert!(told.is_ok(), "not told after {}", acknowledgements.len());
            }
        }
    }
}
