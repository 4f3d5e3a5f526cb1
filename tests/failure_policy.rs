//! What becomes of a message that its handler can not handle: retries, then the group's policy.

mod support;

use std::collections::BTreeMap;

use support::case::{Case, SOON, assert_each_once_in_order};
use support::{Message, wait_for};

/// Fails at messages whose value begins with `bad`.
const PICKY: &str = r#"
fn handle(msg) {
    if msg.value.starts_with("bad") {
        throw `no good: ${msg.value}`;
    }
    emit(params.out, #{ partition: msg.partition, offset: msg.offset, key: msg.key, value: msg.value });
}
"#;

fn policy(then: &str, retries: u32) -> String {
    format!(
        "on_failure = {{ retries = {retries}, backoff = \"20ms\", then = {then:?}, max_share = 1.0 }}\n"
    )
}

fn headers(message: &Message) -> BTreeMap<&str, &str> {
    let headers = message.headers.iter();
    headers.map(|(n, v)| (n.as_str(), v.as_str())).collect()
}

fn values(case: &Case, values: &[&str]) {
    let records = values
        .iter()
        .map(|value| (format!("key of {value}"), value));
    case.probe.produce_to(&case.topic, 0, records);
}

/// A failing message is tried `retries` times more and is then a dead letter: original key, value and
/// headers unchanged, and in further headers where it came from and why it is there.
#[test]
fn a_failing_message_becomes_a_dead_letter_with_its_provenance() {
    needs_kafka!();
    let case = Case::new("dead", 1);
    values(&case, &["good"]);
    let original = [("trace", "t-1"), ("trace", "t-2"), ("kind", "order")];
    let written = 1_700_000_000_123;
    case.probe
        .produce_one(&case.topic, Some("k"), Some("bad one"), &original, written);
    case.probe
        .produce_one(&case.topic, None, Some("bad two"), &[], written);
    values(&case, &["good too"]);

    let daemon = case.start(&policy("dead_letter", 2), PICKY);
    let dead = case.probe.read(&case.dead(), 2, SOON);
    case.wait_until_done(SOON);
    let [first, second] = &dead[..] else {
        panic!("not two dead letters: {dead:#?}")
    };
    assert_eq!(first.key.as_deref(), Some("k"));
    assert_eq!(first.value.as_deref(), Some("bad one"));
    let kept: Vec<(&str, &str)> = first.headers[..3]
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(kept, original);
    assert_eq!(second.key, None, "a message without a key gets none");

    let told = headers(first);
    for (name, value) in [
        ("deliveryd-topic", case.topic.as_str()),
        ("deliveryd-partition", "0"),
        ("deliveryd-offset", "1"),
        ("deliveryd-timestamp", "1700000000123"),
        ("deliveryd-group", &case.group),
        ("deliveryd-attempts", "3"),
    ] {
        assert_eq!(told.get(name), Some(&value), "{name} in {told:#?}");
    }
    assert!(
        told["deliveryd-reason"].contains("no good: bad one"),
        "{told:#?}"
    );
    assert!(
        told["deliveryd-position"].contains("handle.rhai:4:"),
        "{told:#?}"
    );
    let status = daemon.status();
    let version = status.group(&case.group)["handler"]["version"].as_str();
    assert_eq!(told.get("deliveryd-handler").copied(), version);
    let time = |name: &str| {
        told[name]
            .parse::<u64>()
            .unwrap_or_else(|e| panic!("{name}: {e}"))
    };
    let (began, ended) = (
        time("deliveryd-first-failure"),
        time("deliveryd-last-failure"),
    );
    assert!(
        began + 20 <= ended,
        "the retries took their time: {began} to {ended}"
    );

    let status = daemon.wait_until("the counters", SOON, |s| s.handled(&case.group) == 2);
    assert_eq!(status.counter(&case.group, "dead_lettered"), 2);
    assert_eq!(status.counter(&case.group, "retried"), 4);
    assert_eq!(status.counter(&case.group, "failed"), 6);
}

/// A message whose dead letter the broker does not take is not finished: no commit passes it, the
/// partition says why it stands, and the letter is written when it can be.
#[test]
fn no_commit_passes_a_dead_letter_that_is_not_written() {
    needs_kafka!();
    let case = Case::new("unwritten", 1);
    let small = [("max.message.bytes", "150")];
    case.probe.create_topic_with(&case.dead(), 1, 1, &small);
    values(&case, &["good", "bad", "good", "good"]);
    let daemon = case.start(&policy("dead_letter", 0), PICKY);
    let status = daemon.wait_until("the partition to be stuck", SOON, |status| {
        case.member(status)["state"] == "stuck"
    });
    let reason = case.member(&status)["reason"].to_string();
    assert!(
        reason.contains("dead letter can not be written"),
        "{reason}"
    );
    wait_for("what is before it to be committed", SOON, || {
        match case.probe.committed(&case.group, &case.topic).get(&0) {
            Some(1) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    assert_eq!(status.counter(&case.group, "dead_lettered"), 0);

    case.probe
        .set_topic_config(&case.dead(), "max.message.bytes", "100000");
    daemon.edit_handler("handle.rhai", "no good", "still no good");
    case.wait_until_done(SOON);
    assert_eq!(case.probe.read_all(&case.dead()).len(), 1);
    let copies = case.wait_for_copies(3, SOON);
    let offsets: std::collections::BTreeSet<i64> = copies.iter().map(|c| c.offset).collect();
    assert_eq!(Vec::from_iter(offsets), [0, 2, 3]);
}

/// `then = "skip"`: the message is passed over after its retries, and told in the counters.
#[test]
fn a_skipped_message_is_passed_over_and_counted() {
    needs_kafka!();
    let case = Case::new("skipped", 1);
    values(&case, &["good", "bad", "good"]);
    let daemon = case.start(&policy("skip", 1), PICKY);
    case.wait_until_done(SOON);
    let status = daemon.wait_until("the counters", SOON, |s| s.handled(&case.group) == 2);
    assert_eq!(status.counter(&case.group, "retried"), 1);
    let labels = format!(
        "group=\"{}\",member=\"{0}-1\",topic=\"{}\",outcome=\"skipped\"",
        case.group, case.topic
    );
    let skipped = daemon.metric("deliveryd_messages_handled_total", "outcome=\"skipped\"");
    assert_eq!(skipped, 1.0, "{labels}\n{}", daemon.metrics());
    assert_eq!(
        case.probe.partitions(&case.dead()),
        None,
        "no dead-letter topic is made"
    );
}

/// `then = "stop"`: the partition stands still before the message and says why, the others go on, the
/// daemon is not ready; a mended handler lets it go on, and nothing is skipped or handled twice.
#[test]
fn a_stopped_partition_stands_until_its_handler_is_mended() {
    needs_kafka!();
    let case = Case::new("stopped", 2);
    values(&case, &["good", "bad", "good", "bad", "good"]);
    case.probe
        .produce_to(&case.topic, 1, (0..50).map(|n| ("k", format!("m{n}"))));
    let daemon = case.start(&policy("stop", 1), PICKY);
    let stuck = |status: &support::Status| {
        let member = case.member(status);
        let of_first = &member["partitions"][0];
        member["state"] == "stuck" && of_first["stuck"].to_string().contains("no good: bad")
    };
    daemon.wait_until("partition 0 to be stuck", SOON, stuck);
    let gauge = |n: u8| daemon.metric("deliveryd_partition_stuck", &format!("partition=\"{n}\""));
    assert_eq!((gauge(0), gauge(1)), (1.0, 0.0), "{}", daemon.metrics());
    case.wait_for_copies(51, SOON);
    wait_for("the commits", SOON, || {
        let committed = case.probe.committed(&case.group, &case.topic);
        match (committed.get(&0), committed.get(&1)) {
            (Some(1), Some(50)) => Ok(()),
            _ => Err(format!("{committed:?}")),
        }
    });
    let ready = daemon.get("/readyz");
    assert_eq!(ready.code, 503, "{}", ready.body);
    assert_eq!(daemon.get("/healthz").code, 200);

    daemon.edit_handler(
        "handle.rhai",
        "starts_with(\"bad\")",
        "starts_with(\"worse\")",
    );
    let copies = case.wait_for_copies(55, SOON);
    case.wait_until_done(SOON);
    let of_first: Vec<_> = copies
        .iter()
        .filter(|c| c.partition == 0)
        .cloned()
        .collect();
    assert_each_once_in_order(&of_first, 1, 5);
    daemon.wait_until("it to be ready again", SOON, |_| {
        daemon.get("/readyz").code == 200
    });
    assert_eq!((gauge(0), gauge(1)), (0.0, 0.0));
}

/// With `ordering = "none"` several messages of a partition can be what it stopped at. The member keeps
/// its place, hears signals, and all of them are tried again.
#[test]
fn several_messages_may_stop_one_partition() {
    needs_kafka!();
    for ordering in ["none", "key"] {
        let case = Case::new("several", 1);
        let many: Vec<String> = (0..20)
            .map(|n| format!("{} {n}", if n % 2 == 0 { "good" } else { "bad" }))
            .collect();
        // All there before the group starts, and so started together.
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        values(&case, &many);
        let settings = policy("stop", 2) + &format!("ordering = {ordering:?}\n");
        let daemon = case.start(&settings, PICKY);
        let status = daemon.wait_until("the partition to be stuck", SOON, |status| {
            let member = case.member(status);
            member["state"] == "stuck" && member["waiting"] == 0
        });
        // Ten that wait, and nothing that runs in circles.
        let failed = status.counter(&case.group, "failed");
        assert!(failed <= 30, "{ordering}: {failed} failed calls");
        daemon.edit_handler(
            "handle.rhai",
            "starts_with(\"bad\")",
            "starts_with(\"worse\")",
        );
        let copies = case.wait_for_copies(20, SOON);
        case.wait_until_done(SOON);
        assert_eq!(support::case::times(&copies).len(), 20, "{ordering}");
        let exit = daemon.stop();
        assert!(exit.status.success(), "{}", exit.output);
        assert_eq!(copies.len(), 20, "{ordering}: none twice");
    }
}

/// `reject` is a dead letter at once, without a retry, and no `try` catches it. What `on_failed` emits
/// goes along with it.
#[test]
fn a_rejected_message_is_a_dead_letter_at_once() {
    needs_kafka!();
    let case = Case::new("rejected", 1);
    values(&case, &["good", "bad"]);
    let handler = r#"
fn handle(msg) {
    emit(params.out, "before");
    if msg.value == "bad" {
        try { reject("not wanted"); } catch (error) { emit(params.out, "caught"); }
        emit(params.out, "after");
    }
}
fn on_failed(msg, reason) {
    emit(params.out, `given up: ${msg.value}: ${reason}`);
}
"#;
    let daemon = case.start(&policy("dead_letter", 5), handler);
    let dead = case.probe.read(&case.dead(), 1, SOON);
    case.wait_until_done(SOON);
    let told = headers(&dead[0]);
    assert_eq!(told["deliveryd-attempts"], "1");
    assert!(told["deliveryd-reason"].contains("not wanted"), "{told:#?}");
    let out: Vec<_> = case
        .probe
        .read_all(&case.out)
        .into_iter()
        .filter_map(|m| m.value)
        .collect();
    let [before, given_up] = &out[..] else {
        panic!("{out:?}")
    };
    assert_eq!(before, "before");
    assert!(
        given_up.starts_with("given up: bad: not wanted"),
        "{given_up}"
    );
    assert_eq!(daemon.status().counter(&case.group, "retried"), 0);
}

/// Each end of the policy with each ordering: what waits for a retry or is stuck holds up what must keep its
/// order behind it and nothing else; all that is good is handled once, and in that order.
#[test]
fn each_policy_keeps_each_ordering() {
    needs_kafka!();
    let given = ["a good", "a bad", "b good", "a good", "b good", "good"];
    let keys = [Some("a"), Some("a"), Some("b"), Some("a"), Some("b"), None];
    for then in ["dead_letter", "skip", "stop"] {
        for ordering in ["partition", "key", "none"] {
            let name = format!("{then}, {ordering}");
            let case = Case::new("policies", 1);
            for (key, value) in keys.iter().zip(given) {
                let value = value.replace("a bad", "bad");
                case.probe
                    .produce_one(&case.topic, *key, Some(&value), &[], 1_700_000_000_000);
            }
            let settings = format!(
                "ordering = {ordering:?}\non_failure = {{ retries = 1, backoff = \"600ms\", \
                 then = {then:?}, max_share = 1.0 }}\n"
            );
            let daemon = case.start(&settings, PICKY);
            if then == "stop" {
                let status = daemon.wait_until(&name, SOON, |status| {
                    case.member(status)["state"] == "stuck"
                });
                assert_eq!(case.member(&status)["reason"], "no good: bad", "{name}");
                let before: &[i64] = match ordering {
                    "partition" => &[0],
                    "key" => &[0, 2, 4, 5],
                    _ => &[0, 2, 3, 4, 5],
                };
                case.wait_for_copies(before.len(), SOON);
                let offsets: Vec<i64> = case.copies().iter().map(|c| c.offset).collect();
                assert_eq!(offsets, before, "{name}: while it is stuck");
                daemon.edit_handler("handle.rhai", "throw", "return; throw");
            }
            case.wait_until_done(SOON);
            let offsets: Vec<i64> = case.copies().iter().map(|c| c.offset).collect();
            let after: &[i64] = match ordering {
                "partition" => &[0, 2, 3, 4, 5],
                "key" => &[0, 2, 4, 5, 3],
                _ => &[0, 2, 3, 4, 5],
            };
            assert_eq!(offsets, after, "{name}");
            let dead = match then {
                "dead_letter" => case.probe.read_all(&case.dead()).len(),
                _ => usize::from(case.probe.partitions(&case.dead()).is_some()),
            };
            assert_eq!(dead, usize::from(then == "dead_letter"), "{name}");
            assert!(daemon.stop().status.success());
        }
    }
}

/// A topic for dead letters has room for the largest message of its source, headers and all.
#[test]
fn the_largest_message_fits_as_a_dead_letter() {
    needs_kafka!();
    let case = Case::with_config("largest", 1, &[("max.message.bytes", "2000000")]);
    let value = format!("bad {}", "x".repeat(1_999_800));
    let written = 1_700_000_000_123;
    case.probe
        .produce_one(&case.topic, Some("k"), Some(&value), &[], written);
    let _daemon = case.start(&policy("dead_letter", 0), PICKY);
    let dead = case.probe.read(&case.dead(), 1, SOON);
    assert_eq!(dead[0].value.as_deref(), Some(value.as_str()));
    case.wait_until_done(SOON);
}

/// What `on_failed` emits goes along with what is skipped, too; where that can not be written the message
/// is not passed over.
#[test]
fn what_goes_along_with_a_skipped_message_must_be_written() {
    needs_kafka!();
    let case = Case::new("skip-along", 1);
    values(&case, &["good", "bad", "good"]);
    let handler =
        format!("{PICKY}\nfn on_failed(msg, reason) {{ emit(params.out + \"x\", reason); }}\n");
    let daemon = case.start(&policy("skip", 0), &handler);
    daemon.wait_until("the reason", SOON, |status| {
        let reason = case.member(status)["reason"].to_string();
        reason.contains("what `on_failed` emits can not be written")
    });
    assert_eq!(daemon.status().counter(&case.group, "skipped"), 0);
    daemon.edit_handler("handle.rhai", "params.out + \"x\"", "params.out");
    case.wait_until_done(SOON);
    let written = case.probe.read_all(&case.out);
    let told = written.iter().filter(|message| {
        message
            .value
            .as_deref()
            .is_some_and(|value| value.starts_with("no good"))
    });
    assert_eq!((told.count(), written.len()), (1, 3));
}
