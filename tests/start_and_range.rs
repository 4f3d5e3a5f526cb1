//! Where a group begins, and what it does when its place is gone.

mod support;

use std::time::{Duration, Instant};

use support::case::{COPY, Case, SOON, assert_each_once_in_order};
use support::wait_for;

fn with_start(case: &Case, start: &str, settings: &str) -> support::Setup {
    case.setup(settings, COPY).set(
        &format!("groups.{:?}.start", case.group),
        &format!("{start:?}"),
    )
}

fn offsets(case: &Case) -> Vec<i64> {
    case.copies().iter().map(|copy| copy.offset).collect()
}

/// Handles ten messages, stops, and loses the next ten of twenty to retention.
fn group_with_a_gap(name: &str) -> Case {
    let case = Case::new(name, 1);
    case.fill(0..1, 10);
    let daemon = case.start("", COPY);
    case.wait_until_done(SOON);
    assert!(daemon.stop().status.success());
    case.fill(0..1, 20);
    case.probe.delete_before(&case.topic, 0, 20);
    case
}

/// `on_out_of_range = "stop"`: the partition stands still and tells how much is gone; a changed setting
/// lets it go on.
#[test]
fn a_lost_place_stops_the_partition_and_tells_how_much_is_gone() {
    needs_kafka!();
    let case = group_with_a_gap("range-stop");
    let daemon = case.start("on_out_of_range = \"stop\"\n", COPY);
    let status = daemon.wait_until("the partition to be stuck", SOON, |status| {
        case.member(status)["state"] == "stuck"
    });
    let reason = case.member(&status)["reason"].to_string();
    assert!(
        reason.contains("10 messages") && reason.contains("offset 20"),
        "{reason}"
    );
    assert_eq!(daemon.get("/readyz").code, 503);
    assert_eq!(case.probe.committed(&case.group, &case.topic)[&0], 10);
    assert_eq!(offsets(&case).len(), 10);

    daemon.edit_config(
        "on_out_of_range = \"stop\"",
        "on_out_of_range = \"earliest\"",
    );
    let status = daemon.reload();
    assert_eq!(status.at("/last_reload/ok"), true, "{status}");
    case.wait_for_copies(20, SOON);
    case.wait_until_done(SOON);
    assert_eq!(offsets(&case)[10..], Vec::from_iter(20..30));
}

/// `earliest`: it goes on with the first message that is left, and tells how many are gone.
#[test]
fn earliest_goes_on_with_what_is_left() {
    needs_kafka!();
    let case = group_with_a_gap("range-earliest");
    let daemon = case.start("on_out_of_range = \"earliest\"\n", COPY);
    case.wait_for_copies(20, SOON);
    case.wait_until_done(SOON);
    assert_eq!(offsets(&case)[10..], Vec::from_iter(20..30));
    daemon.wait_for_line("10 messages, up to offset 20, are gone", SOON);
}

/// `latest`: it goes on with what comes from now on, and that place holds: what is written while the
/// daemon is down is not passed over.
#[test]
fn latest_goes_on_at_the_end_and_keeps_that_place() {
    needs_kafka!();
    let case = group_with_a_gap("range-latest");
    let settings = "on_out_of_range = \"latest\"\n";
    let daemon = case.start(settings, COPY);
    daemon.wait_for_line("going on at its end", SOON);
    case.wait_until_done(SOON);
    assert!(daemon.stop().status.success());
    case.fill(0..1, 5);
    let _next = case.start(settings, COPY);
    case.wait_for_copies(15, SOON);
    assert_eq!(offsets(&case)[10..], [30, 31, 32, 33, 34]);
}

/// `start = "latest"` is resolved once: a restart before the first message goes on at the same place.
#[test]
fn latest_is_resolved_once() {
    needs_kafka!();
    let case = Case::new("latest", 2);
    case.fill(0..2, 10);
    let daemon = with_start(&case, "latest", "").start();
    daemon.wait_until_assigned(&case.group, 2);
    assert!(daemon.stop().status.success());
    case.fill(0..2, 5);
    let _next = with_start(&case, "latest", "").start();
    let copies = case.wait_for_copies(10, SOON);
    case.wait_until_done(SOON);
    assert!(copies.iter().all(|copy| copy.offset >= 10), "{copies:#?}");
    assert_eq!(copies.len(), 10);
}

/// `start = TIME` begins with the first message that is not older.
#[test]
fn a_time_begins_with_the_first_message_not_older() {
    needs_kafka!();
    let case = Case::new("time", 1);
    let morning = 1_750_000_000_000;
    for hour in 0..6 {
        case.probe.produce_one(
            &case.topic,
            None,
            Some("m"),
            &[],
            morning + hour * 3_600_000,
        );
    }
    // 2025-06-15T15:06:40Z is `morning`; begin with the third hour.
    let _daemon = with_start(&case, "2025-06-15T17:30:00Z", "").start();
    case.wait_for_copies(3, SOON);
    case.wait_until_done(SOON);
    assert_eq!(offsets(&case), [3, 4, 5]);
}

/// A partition that is added later is taken up within about two seconds and begins at its beginning,
/// also with `start = "latest"`: no keyed message of the moments between is lost.
#[test]
fn a_new_partition_begins_at_its_beginning() {
    needs_kafka!();
    let case = Case::new("grown", 1);
    case.fill(0..1, 3);
    let daemon = with_start(&case, "latest", "members = 2\n").start();
    daemon.wait_until("both members", SOON, |s| s.shares(&case.group) == [0, 1]);
    case.probe.grow_topic(&case.topic, 3);
    let begin = Instant::now();
    wait_for("the new partitions", SOON, || {
        match case.probe.partitions(&case.topic) {
            Some(3) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    // Written before anybody in the group has seen the new partitions.
    case.fill(1..3, 50);
    daemon.wait_until("three partitions", SOON, |s| {
        s.assigned(&case.group).len() == 3
    });
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(4), "it took {took:?}");
    case.wait_for_copies(100, SOON);
    case.wait_until_done(SOON);
    let new: Vec<_> = case
        .copies()
        .into_iter()
        .filter(|c| c.partition > 0)
        .collect();
    let shifted: Vec<_> = new
        .into_iter()
        .map(|copy| support::case::Copied {
            partition: copy.partition - 1,
            ..copy
        })
        .collect();
    assert_each_once_in_order(&shifted, 2, 50);
}
