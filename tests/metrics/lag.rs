//! Lag is true: the age of the oldest message that is not handled, by its own timestamp, and 0 when
//! there is none.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::SOON;
use crate::needs_kafka;
use crate::support::case::{COPY, Case};
use crate::support::{Daemon, Setup, Status, wait_for};

const HOUR: i64 = 3600;

/// Gets stuck at messages whose value is `bad`.
const STOPS: &str = "fn handle(msg) { if msg.value == \"bad\" { throw \"bad\"; } }\n";
const STOP: &str = "[groups.GROUP.on_failure]\nretries = 0\nthen = \"stop\"\n";

fn seconds_ago(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_else(|error| panic!("{error}"));
    now.as_millis() as i64 - seconds * 1000
}

/// Writes one message to partition 0, so long ago.
fn write(case: &Case, value: &str, seconds: i64) {
    let at = seconds_ago(seconds);
    case.probe
        .produce_one(&case.topic, None, Some(value), &[], at);
}

/// Lag in messages and seconds of the group's only partition.
fn lag(status: &Status, case: &Case) -> Option<(i64, f64)> {
    let partition = &status.group(&case.group)["members"][0]["partitions"][0];
    Some((
        partition["lag"].as_i64()?,
        partition["lag_seconds"].as_f64()?,
    ))
}

fn stopping(case: &Case) -> Setup {
    let stop = STOP.replace("GROUP", &format!("{:?}", case.group));
    case.setup(&stop, STOPS)
}

#[track_caller]
fn wait_for_lag(
    daemon: &Daemon,
    case: &Case,
    what: &str,
    fits: impl Fn(i64, f64) -> bool,
) -> (i64, f64) {
    let seen = daemon.wait_until(what, SOON, |status| {
        lag(status, case).is_some_and(|(messages, seconds)| fits(messages, seconds))
    });
    lag(&seen, case).unwrap_or_else(|| panic!("{seen}"))
}

/// A message that is stuck on a topic where nothing else comes is as old as it is, and gets older. The
/// last one handled counts for nothing: when all is handled the lag is 0, however old that is.
#[test]
fn a_stuck_message_ages_on_an_idle_topic() {
    needs_kafka!();
    let case = Case::new("stuck-age", 1);
    write(&case, "good", 5 * HOUR);
    write(&case, "bad", HOUR);
    let daemon = stopping(&case).start();
    let hours = |n: i64| move |seconds: f64| (seconds - (n * HOUR) as f64).abs() < 60.0;
    let (_, first) = wait_for_lag(&daemon, &case, "the stuck one", |messages, seconds| {
        messages == 1 && hours(1)(seconds)
    });
    wait_for_lag(&daemon, &case, "it to age", |_, seconds| {
        seconds > first + 2.0
    });
    let shown = daemon.metric("deliveryd_consumer_lag_seconds", &case.group);
    assert!(shown > first + 2.0, "{shown}");
    // Another one behind it counts and is not the oldest.
    write(&case, "good", 0);
    wait_for_lag(&daemon, &case, "two", |messages, seconds| {
        messages == 2 && hours(1)(seconds)
    });

    daemon.edit_handler("handle.rhai", "throw \"bad\"", "0");
    wait_for_lag(&daemon, &case, "all to be handled", |messages, seconds| {
        messages == 0 && seconds == 0.0
    });
}

/// After hours without a message the first new one is not taken to be hours old.
#[test]
fn a_new_message_on_an_idle_topic_is_young() {
    needs_kafka!();
    let case = Case::new("young", 1);
    write(&case, "good", 9 * HOUR);
    let daemon = stopping(&case).start();
    wait_for_lag(&daemon, &case, "nothing to be left", |messages, seconds| {
        messages == 0 && seconds == 0.0
    });
    write(&case, "bad", 0);
    let stop = std::time::Instant::now() + Duration::from_secs(3);
    let mut seen = 0;
    while std::time::Instant::now() < stop {
        let status = daemon.status();
        let (messages, seconds) = lag(&status, &case).unwrap_or_else(|| panic!("{status}"));
        assert!(seconds < 60.0, "{messages} messages, {seconds} s");
        seen = seen.max(messages);
    }
    assert_eq!(seen, 1, "it was looked at while it was stuck");
}

/// While a group is paused its oldest message gets older, and nothing is late when it has caught up.
#[test]
fn a_paused_group_falls_behind_by_the_clock() {
    needs_kafka!();
    let case = Case::new("paused-age", 1);
    write(&case, "first", 0);
    let daemon = case.start("", COPY);
    case.wait_for_copies(1, SOON);
    let said = daemon.command(&["pause", &case.group]);
    assert_eq!(said.code, Some(0), "{said:?}");
    write(&case, "second", 2 * HOUR);
    wait_for_lag(&daemon, &case, "the second", |messages, seconds| {
        messages == 1 && seconds > (2 * HOUR) as f64 - 60.0
    });
    let said = daemon.command(&["resume", &case.group]);
    assert_eq!(said.code, Some(0), "{said:?}");
    wait_for_lag(&daemon, &case, "nothing to be left", |messages, seconds| {
        messages == 0 && seconds == 0.0
    });
}

/// A transaction's marker at a topic's end is no message: a group that has handled everything before
/// it has no lag.
#[test]
fn a_transactions_marker_is_no_lag() {
    needs_kafka!();
    let case = Case::new("marker", 1);
    write(&case, "one", 0);
    // A group in transactions writes to `out`, which another group reads.
    let reader = format!(
        "guarantee = \"exactly_once\"\n[groups.reader]\ntopics = [{:?}]\nhandler = \"read.rhai\"\n",
        case.out
    );
    let daemon = case
        .setup(&reader, COPY)
        .handler("read.rhai", "fn handle(msg) {}\n")
        .start();
    daemon.wait_until("the reader to have read", SOON, |status| {
        status.handled("reader") == 1
    });
    wait_for("the marker", SOON, || {
        let ends = case.probe.end_offsets(&case.out);
        if ends[&0] == 2 {
            Ok(())
        } else {
            Err(format!("{ends:?}"))
        }
    });
    daemon.wait_until("no lag", SOON, |status| {
        let partition = &status.group("reader")["members"][0]["partitions"][0];
        partition["lag"] == 0 && partition["lag_seconds"] == 0.0 && partition["position"] == 1
    });
}
