//! Pause and resume: groups, topics, partitions, producers.

use super::support::Daemon;
use super::support::case::{COPY, Case, assert_each_once_in_order};
use super::{SOON, begun, done, embedded, paused, refused};
use crate::needs_kafka;

fn sum_of_lags(status: &super::Status) -> i64 {
    let members = status.group("first")["members"].as_array();
    let held = members.into_iter().flatten();
    held.flat_map(|member| member["partitions"].as_array().cloned().unwrap_or_default())
        .filter_map(|each| each["lag"].as_i64())
        .sum()
}

/// A paused group handles nothing while its topic grows; its members keep their partitions, it counts
/// as alive and ready, and it shows as paused in status and metrics. Resumed, it goes on.
#[test]
fn a_paused_group_stands_still_and_is_well() {
    let daemon = embedded();
    let said = done(daemon.command(&["pause", "first"]));
    assert!(said.starts_with("first is paused here"), "{said}");
    assert!(said.contains("Delivery/0   first-"), "{said}");
    let before = daemon.status();
    assert_eq!(paused(&before, "first"), [0, 1], "{before}");
    assert_eq!(before.group("first")["paused"], true);
    for member in before.members("first") {
        assert_eq!(member.state, "paused", "{before}");
    }
    let later = daemon.wait_until("messages to pile up", SOON, |status| {
        sum_of_lags(status) >= 20
    });
    assert_eq!(later.handled("first"), before.handled("first"));
    assert_eq!(later.shares("first"), [1, 1]);
    assert_eq!(daemon.metric("deliveryd_partition_paused", "first"), 2.0);
    assert_eq!(daemon.get("/readyz").code, 200);
    assert_eq!(daemon.get("/healthz").code, 200);

    let said = done(daemon.command(&["resume", "first"]));
    assert!(said.starts_with("first goes on here"), "{said}");
    let status = daemon.wait_until("the group to go on", SOON, |status| {
        status.handled("first") > later.handled("first") + 20
    });
    assert_eq!(paused(&status, "first"), [0_i64; 0]);
    assert_eq!(daemon.metric("deliveryd_partition_paused", "first"), 0.0);
}

/// One partition stands still and the other goes on; that holds whoever gets the partition in a
/// rebalance, and over a reload.
#[test]
fn a_pause_outlives_rebalances_and_reloads() {
    let daemon = embedded();
    done(daemon.command(&["pause", "first", "Delivery:1"]));
    assert_eq!(paused(&daemon.status(), "first"), [1]);
    daemon.edit_config("members = 2", "members = 1");
    daemon.reload_now();
    let status = daemon.wait_until("one member with both", SOON, |status| {
        status.shares("first") == [2]
    });
    assert_eq!(paused(&status, "first"), [1], "{status}");
    // It is not the whole group that stands.
    assert_eq!(status.members("first")[0].state, "running");
    daemon.wait_until("the other partition to go on", SOON, |later| {
        later.handled("first") > status.handled("first") + 10
    });

    done(daemon.command(&["pause", "first", "Delivery"]));
    daemon.edit_config("members = 1", "members = 3");
    daemon.reload_now();
    let status = daemon.wait_until("three members", SOON, |status| {
        status.shares("first") == [0, 1, 1]
    });
    assert_eq!(paused(&status, "first"), [0, 1], "{status}");
    done(daemon.command(&["resume", "first", "Delivery/0"]));
    assert_eq!(paused(&daemon.status(), "first"), [1]);
}

/// A producer is paused and resumed by its name, also over a reload that replaces it.
#[test]
fn a_producer_is_paused_until_it_is_resumed() {
    let daemon = embedded();
    let said = done(daemon.command(&["pause", "steady"]));
    assert_eq!(said, "producer steady is paused\n");
    let status = daemon.status();
    assert_eq!(status.at("/producers/steady/state"), "paused");
    daemon.edit_config("rate = 50.0", "rate = 50.0\nseed = 1");
    daemon.reload_now();
    assert_eq!(daemon.status().at("/producers/steady/state"), "paused");
    // Everything that was under way has come by now, or the count would not stand.
    let before = daemon.wait_until("the group to be done", SOON, |status| {
        status.number("/producers/steady/produced") == status.handled("first")
    });
    done(daemon.command(&["resume", "steady"]));
    daemon.wait_until("the producer to go on", SOON, |status| {
        status.number("/producers/steady/produced") > before.number("/producers/steady/produced")
    });
    assert_eq!(daemon.status().at("/producers/steady/state"), "running");
}

/// What is not there is told with what there is.
#[test]
fn what_is_not_there_is_told_with_what_is() {
    let daemon = embedded();
    let said = refused(daemon.command(&["pause", "frist"]));
    assert!(said.contains("did you mean `first`?"), "{said}");
    assert!(said.contains("producers: steady"), "{said}");
    let said = refused(daemon.command(&["pause", "first", "Other"]));
    assert!(said.contains("it reads Delivery"), "{said}");
    let said = refused(daemon.command(&["pause", "first", "Delivery:7"]));
    assert!(said.contains("topic Delivery has no partition 7"), "{said}");
    let said = refused(daemon.command(&["pause", "steady", "Delivery"]));
    assert!(said.contains("as a whole"), "{said}");
    let answer = daemon.command(&["pause", "first", "Delivery:x"]);
    assert_eq!(answer.code, Some(2), "{answer:?}");
    assert_eq!(paused(&daemon.status(), "first"), [0_i64; 0]);
}

fn start(case: &Case, instance: &str) -> Daemon {
    begun(
        case.setup("", COPY)
            .set("daemon.instance", &format!("{instance:?}"))
            .start(),
    )
}

/// Of partitions that another process holds, the holder is named and nothing is done; with either
/// protocol of Kafka's.
#[test]
fn the_holder_elsewhere_is_named() {
    needs_kafka!();
    for protocol in ["classic", "consumer"] {
        let case = Case::new("elsewhere", 2);
        let settings = format!("protocol = {protocol:?}\n");
        let start = |instance: &str| {
            let setup = case.setup(&settings, COPY);
            begun(
                setup
                    .set("daemon.instance", &format!("{instance:?}"))
                    .start(),
            )
        };
        let (here, there) = (start("a"), start("b"));
        here.wait_until_assigned(&case.group, 1);
        there.wait_until_assigned(&case.group, 1);
        let theirs = there.status().assigned(&case.group)[0].1;

        let one = format!("{}:{theirs}", case.topic);
        let said = refused(here.command(&["pause", &case.group, &one]));
        let owner = format!(
            "{}/{theirs} is held by b-{}-1 (127.0.0.1)",
            case.topic, case.group
        );
        assert!(said.contains(&owner), "{protocol}: {said}");
        let said = done(here.command(&["pause", &case.group]));
        assert!(
            said.contains(&format!("{owner}: nothing was done there")),
            "{said}"
        );
        assert_eq!(paused(&here.status(), &case.group).len(), 1);
        assert_eq!(paused(&there.status(), &case.group), [0_i64; 0]);
    }
}

/// A message that waits for its retry when its partition is paused waits on, and is then handled in its
/// order; a pause ends with the daemon.
#[test]
fn a_pause_holds_retries_back_and_ends_with_the_daemon() {
    needs_kafka!();
    let case = Case::new("paused-retry", 1);
    let settings = "on_failure = { retries = 1000, backoff = \"50ms\", max_backoff = \"50ms\" }\n";
    let failing = COPY.replace("emit(", "if msg.value == \"m2\" { throw \"no\" }\n emit(");
    let daemon = begun(case.start(settings, &failing));
    daemon.wait_until_assigned(&case.group, 1);
    case.fill(0..1, 5);
    daemon.wait_until("retries", SOON, |s| s.counter(&case.group, "retried") > 2);
    done(daemon.command(&["pause", &case.group]));
    daemon.edit_handler("handle.rhai", "throw \"no\"", "");
    daemon.wait_for_line("runs from the next message on", SOON);
    let before = daemon.status().counter(&case.group, "failed");
    assert_eq!(
        case.wait_for_copies(2, SOON).len(),
        2,
        "nothing behind it was handled"
    );
    assert_eq!(daemon.status().counter(&case.group, "failed"), before);

    assert!(daemon.stop().status.success());
    let again = start(&case, "a");
    let copies = case.wait_for_copies(5, SOON);
    assert_each_once_in_order(&copies, 1, 5);
    assert_eq!(paused(&again.status(), &case.group), [0_i64; 0]);
}
