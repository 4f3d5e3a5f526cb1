//! Seek: a running group is moved to another offset.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use super::support::Daemon;
use super::support::case::{COPY, Case, by_partition};
use super::support::once::wait_for_committed;
use super::{SOON, begun, done, embedded, paused, refused};
use crate::needs_kafka;

fn start(case: &Case, settings: &str, count: usize) -> Daemon {
    let daemon = begun(case.start(settings, COPY));
    daemon.wait_until_assigned(&case.group, 2);
    case.fill(0..2, count);
    case.wait_until_done(SOON);
    daemon
}

/// First it is only said what would move, and nothing moves without a yes; then the group handles what
/// lies behind the new offset again, in order, and its commit is there at once.
#[test]
fn a_seek_is_shown_then_done() {
    needs_kafka!();
    for settings in [
        "",
        "guarantee = \"at_most_once\"\n",
        "guarantee = \"exactly_once\"\n",
    ] {
        let case = Case::new("seek", 2);
        let (group, topic) = (case.group.clone(), case.topic.clone());
        let daemon = start(&case, settings, 10);
        let dry = done(daemon.command(&["seek", &group, "--to", "earliest", "--dry-run"]));
        assert!(
            dry.starts_with(&format!("{group} would go to earliest:")),
            "{dry}"
        );
        assert!(
            dry.contains(&format!("{topic}/1   {group}-1   10   →   0   10 again")),
            "{dry}"
        );
        let unasked = refused(daemon.command(&["seek", &group, "--to", "earliest"]));
        assert!(
            unasked.contains("say --yes") && unasked.contains("nothing was moved"),
            "{unasked}"
        );
        assert_eq!(case.committed_copies().len(), 20);
        assert_eq!(
            case.probe.committed(&group, &topic),
            [(0, 10), (1, 10)].into()
        );

        let one = format!("{topic}:1");
        done(daemon.command(&["pause", &group]));
        let said = done(daemon.command(&["seek", &group, &one, "--to", "4", "--yes"]));
        assert!(
            said.contains(&format!("{group} goes on at {topic}/1@4")),
            "{said}"
        );
        // Paused, so that nothing hides what the seek has committed.
        assert_eq!(
            case.probe.committed(&group, &topic),
            [(0, 10), (1, 4)].into()
        );
        assert_eq!(paused(&daemon.status(), &group), [0, 1]);
        done(daemon.command(&["resume", &group]));
        let copies = wait_for_committed(&case, &daemon, 26, SOON);
        case.wait_until_done(SOON);
        let expected: Vec<i64> = (0..10).chain(4..10).collect();
        assert_eq!(by_partition(&copies)[&1], expected, "{settings}");
        assert_eq!(by_partition(&copies)[&0], (0..10).collect::<Vec<_>>());
    }
}

/// A time is the first message not before it, `latest` passes over everything, and an offset that is
/// not there is told with those that are.
#[test]
fn times_and_ends_are_found() {
    needs_kafka!();
    let case = Case::new("seek-time", 1);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now
        .map(|since| since.as_millis() as i64)
        .unwrap_or_default();
    for hours in [5, 3, 1] {
        let time = now - hours * 3_600_000;
        let value = format!("{hours} hours ago");
        case.probe
            .produce_one(&case.topic, None, Some(&value), &[], time);
    }
    let daemon = begun(case.start("", COPY));
    case.wait_for_copies(3, SOON);
    case.wait_until_done(SOON);
    let move_to = |place: &str| {
        let topic = case.topic.as_str();
        done(daemon.command(&["seek", &case.group, topic, "--to", place, "--yes"]))
    };
    let said = move_to("-4h");
    assert!(said.contains("@1\n"), "{said}");
    assert_eq!(case.wait_for_copies(5, SOON)[3].value, "3 hours ago");
    case.wait_until_done(SOON);
    done(daemon.command(&["pause", &case.group]));
    let said = move_to("900");
    assert!(said.contains("has no offset 900: it has 0 to 3"), "{said}");
    let said = move_to("earliest");
    assert!(said.contains("@0\n"), "{said}");
    let said = move_to("latest");
    assert!(said.contains("0   →   3   3 passed over"), "{said}");
    done(daemon.command(&["resume", &case.group]));
    case.probe.produce_to(&case.topic, 0, [("k", "new")]);
    let copies = case.wait_for_copies(6, SOON);
    assert_eq!(copies[5].value, "new", "{copies:?}");
}

/// What waits for its retry is given up and told; what was handled and is on its way is finished, so
/// that a seek to the same place repeats nothing.
#[test]
fn what_waits_is_given_up_and_what_is_sent_is_finished() {
    needs_kafka!();
    let case = Case::new("seek-waiting", 1);
    let failing = COPY.replace("emit(", "if msg.value == \"m2\" { throw \"no\" }\n emit(");
    let settings = "on_failure = { retries = 1000, backoff = \"1h\", max_backoff = \"1h\" }\n";
    let daemon = begun(case.start(settings, &failing));
    case.fill(0..1, 6);
    daemon.wait_until("the retry to wait", SOON, |status| {
        let held = &case.member(status)["partitions"][0];
        status.group(&case.group)["waiting"] == 1 && held["committed"] == 2
    });
    let said = done(daemon.command(&["seek", &case.group, "--to", "3", "--yes"]));
    assert!(
        said.contains("1 passed over   1 in flight or waiting"),
        "{said}"
    );
    assert!(said.contains("@3; 1 that waited were given up"), "{said}");
    let copies = case.wait_for_copies(5, SOON);
    case.wait_until_done(SOON);
    assert_eq!(by_partition(&copies)[&0], [0, 1, 3, 4, 5]);
}

/// While a group works at full rate it can be moved back and forth: nothing is lost behind the last
/// move, and every partition stays in order.
#[test]
fn a_busy_group_can_be_moved() {
    needs_kafka!();
    for settings in ["", "guarantee = \"exactly_once\"\n"] {
        let case = Case::new("seek-busy", 2);
        case.fill(0..2, 5000);
        let daemon = begun(case.start(settings, COPY));
        daemon.wait_until("some to be handled", SOON, |s| s.handled(&case.group) > 500);
        for place in ["2000", "earliest", "1000"] {
            done(daemon.command(&["seek", &case.group, "--to", place, "--yes"]));
        }
        case.wait_until_done(SOON);
        for (partition, offsets) in by_partition(&case.committed_copies()) {
            // Between two moves it goes up one by one; the last stretch begins where it was sent.
            let breaks: Vec<usize> = (1..offsets.len())
                .filter(|at| offsets[*at] != offsets[at - 1] + 1)
                .collect();
            assert!(breaks.len() <= 3, "{partition}: {breaks:?}");
            let last = &offsets[breaks.last().copied().unwrap_or(0)..];
            assert!(last[0] <= 1000, "{partition} began at {}", last[0]);
            assert_eq!(last.last(), Some(&4999), "{partition}");
        }
    }
}

/// A partition whose offset is gone is got going again without a stop.
#[test]
fn a_seek_mends_an_offset_that_is_gone() {
    needs_kafka!();
    let case = Case::new("seek-gone", 1);
    let daemon = begun(case.start("", COPY));
    case.fill(0..1, 3);
    case.wait_for_copies(3, SOON);
    case.wait_until_done(SOON);
    assert!(daemon.stop().status.success());
    case.fill(0..1, 7);
    case.probe.delete_before(&case.topic, 0, 6);
    let daemon = begun(case.start("", COPY));
    daemon.wait_for_line("or move the group with `deliveryd seek`", SOON);
    let said = done(daemon.command(&["seek", &case.group, "--to", "earliest", "--yes"]));
    assert!(said.contains("3   →   6   3 passed over"), "{said}");
    let copies = case.wait_for_copies(7, SOON);
    assert_eq!(by_partition(&copies)[&0], [0, 1, 2, 6, 7, 8, 9]);
    daemon.wait_until("nothing to be stuck", SOON, |status| {
        case.member(status)["state"] == "running"
    });
}

/// The embedded broker knows offsets and no times.
#[test]
fn the_embedded_broker_knows_no_times() {
    let daemon = embedded();
    let said = refused(daemon.command(&["seek", "first", "--to", "-1h", "--yes"]));
    assert!(said.contains("say earliest, latest or an offset"), "{said}");
    let before = daemon.status().handled("first");
    let said = done(daemon.command(&["seek", "first", "--to", "earliest", "--yes"]));
    assert!(said.contains("first goes on at Delivery/1@0"), "{said}");
    daemon.wait_until("everything to come again", SOON, |status| {
        status.handled("first") >= 2 * before
    });
    let answer = daemon.command(&["seek", "first", "--to", "soon"]);
    assert_eq!(answer.code, Some(2), "{answer:?}");
}

/// At a terminal it asks, and only a yes moves anything.
#[test]
fn a_terminal_is_asked() {
    let daemon = embedded();
    done(daemon.command(&["pause", "first"]));
    let program = env!("CARGO_BIN_EXE_deliveryd");
    let socket = daemon.dir().join("control.sock");
    let line = format!(
        "{program} seek first Delivery:0 --to 0 --control {}",
        socket.display()
    );
    let answered = |answer: &str| {
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("script, of util-linux");
        let mut stdin = child.stdin.take().expect("its input");
        stdin.write_all(answer.as_bytes()).expect("the answer");
        let output = child.wait_with_output().expect("its end");
        drop(stdin);
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(shown.contains("move them? [y/N]"), "{shown}");
        (output.status.code(), shown)
    };
    let (code, no) = answered("n\n");
    assert!(no.contains("nothing was moved"), "{no}");
    assert_eq!(code, Some(1), "{no}");
    let (code, yes) = answered("y\n");
    assert!(yes.contains("first goes on at Delivery/0@0"), "{yes}");
    assert_eq!(code, Some(0), "{yes}");
}
