//! What a handler emits: when it leaves, when it does not, and what happens to its message then.

mod support;

use support::Probe;
use support::case::{Case, SOON};

fn policy(retries: u32) -> String {
    format!("on_failure = {{ retries = {retries}, backoff = \"20ms\", max_share = 1.0 }}\n")
}

fn one(case: &Case, values: &[&str]) {
    let records = values.iter().map(|value| ("k", value));
    case.probe.produce_to(&case.topic, 0, records);
}

fn written(case: &Case, topic: &str) -> Vec<String> {
    let messages = case.probe.read_all(topic);
    messages.into_iter().filter_map(|m| m.value).collect()
}

fn reason(case: &Case) -> String {
    let dead = case.probe.read(&case.dead(), 1, SOON);
    assert_eq!(dead.len(), 1, "{dead:#?}");
    let found = dead[0]
        .headers
        .iter()
        .find(|(n, _)| n == "deliveryd-reason");
    match found {
        Some((_, reason)) => reason.clone(),
        None => panic!("no reason in {dead:#?}"),
    }
}

/// `throw` after `emit`: nothing of that attempt leaves; the attempt that succeeds emits once.
#[test]
fn what_a_failed_attempt_emitted_is_discarded() {
    needs_kafka!();
    let case = Case::new("discarded", 1);
    one(&case, &["a", "b"]);
    let handler = r#"
fn handle(msg) {
    emit(params.out, `${msg.value}${msg.attempt}`);
    if msg.attempt == 1 { throw "not yet"; }
    if msg.attempt == 2 { retry("nor now"); }
}
"#;
    let _daemon = case.start(&policy(3), handler);
    case.wait_until_done(SOON);
    assert_eq!(written(&case, &case.out), ["a3", "b3"]);
}

/// One emit to a topic that neither the config nor the broker knows fails the message, and nothing else
/// that it emitted leaves.
#[test]
fn an_emit_to_an_unknown_topic_fails_the_message_whole() {
    needs_kafka!();
    let case = Case::new("unknown", 1);
    one(&case, &["a"]);
    let handler =
        r#"fn handle(msg) { emit(params.out, "half"); emit("nobody-knows-this", "other half"); }"#;
    let daemon = case.start(&policy(2), handler);
    let reason = reason(&case);
    assert!(reason.contains("nobody-knows-this"), "{reason}");
    case.wait_until_done(SOON);
    assert_eq!(written(&case, &case.out), [""; 0]);
    assert_eq!(case.probe.partitions("nobody-knows-this"), None);
    assert_eq!(daemon.status().counter(&case.group, "retried"), 2);
}

/// A topic that only the broker knows is good from the first message on.
#[test]
fn a_topic_that_only_the_broker_knows_may_be_emitted_to_at_once() {
    needs_kafka!();
    let case = Case::new("foreign", 1);
    one(&case, &["a"]);
    let foreign = format!("{}.foreign", case.topic);
    case.probe.create_topic(&foreign, 1);
    let handler = format!("fn handle(msg) {{ emit({foreign:?}, msg.value); }}");
    let daemon = case.start(&policy(0), &handler);
    case.wait_until_done(SOON);
    assert_eq!(written(&case, &foreign), ["a"]);
    assert_eq!(daemon.status().counter(&case.group, "failed"), 0);
}

/// An emit to a topic that the group reads itself is refused, with that reason.
#[test]
fn an_emit_to_the_groups_own_topic_is_refused() {
    needs_kafka!();
    let case = Case::new("own", 1);
    one(&case, &["a"]);
    let handler = "fn handle(msg) { emit(msg.topic, \"round and round\"); }";
    let _daemon = case.start(&policy(0), handler);
    let reason = reason(&case);
    assert!(reason.contains("reads that topic itself"), "{reason}");
    case.wait_until_done(SOON);
    assert_eq!(written(&case, &case.topic), ["a"]);
}

/// What the broker refuses for good is a failure of its message alone; the producer goes on.
#[test]
fn an_emit_that_the_broker_finds_too_large_fails_its_message() {
    needs_kafka!();
    let case = Case::new("large-for-broker", 1);
    case.probe
        .set_topic_config(&case.out, "max.message.bytes", "1000");
    let handler = "fn handle(msg) { emit(params.out, msg.value); }";
    one(&case, &["before", &"x".repeat(5000), "after"]);
    let _daemon = case.start(&policy(1), handler);
    let reason = reason(&case);
    assert!(reason.contains("larger than"), "{reason}");
    one(&case, &["later"]);
    case.wait_until_done(SOON);
    assert_eq!(written(&case, &case.out), ["before", "after", "later"]);
}

/// So is what the client does not even send, as where the user bounds it.
#[test]
fn an_emit_above_message_max_bytes_fails_its_message() {
    needs_kafka!();
    let case = Case::new("large-for-client", 1);
    let handler = r#"
fn handle(msg) {
    let value = msg.value;
    if value == "large" { value.pad(1_010_000, 'x'); }
    emit(params.out, value);
}
"#;
    one(&case, &["before", "large", "after"]);
    let bound = "properties = { \"message.max.bytes\" = \"1000000\" }\n";
    let _daemon = case.start(&(policy(1) + bound), handler);
    let reason = reason(&case);
    assert!(reason.contains("larger than"), "{reason}");
    case.wait_until_done(SOON);
    assert_eq!(written(&case, &case.out), ["before", "after"]);
}

/// More is emitted than the producer's share of the buffer holds: the members wait for room, and
/// nothing is lost, repeated or out of order.
#[test]
fn more_than_the_buffer_holds_is_emitted_in_order() {
    needs_kafka!();
    let case = Case::new("full", 1);
    one(&case, &["a", "b", "c"]);
    let handler = r#"
fn handle(msg) {
    let text = "";
    text.pad(20_000, 'x');
    for n in 0..300 { emit(params.out, `${msg.value}${n} ${text}`); }
}
"#;
    // A quarter of it is the producer's: 1 MiB, and a message emits 6 MB.
    let settings = policy(0)
        + "buffer = \"4MiB\"\nlimits = { operations = 10_000_000, memory = \"64MiB\" }\nhandler_timeout = \"20s\"\n";
    let _daemon = case.start(&settings, handler);
    case.wait_until_done(SOON * 2);
    let expected: Vec<String> = ["a", "b", "c"]
        .iter()
        .flat_map(|value| (0..300).map(move |n| format!("{value}{n}")))
        .collect();
    let found: Vec<String> = written(&case, &case.out)
        .iter()
        .map(|text| text.split(' ').next().unwrap_or_default().to_owned())
        .collect();
    assert!(found == expected, "{} of {}", found.len(), expected.len());
}

/// Keys go to the partitions where Kafka's own clients put them.
#[test]
fn an_emitted_key_goes_where_other_clients_put_it() {
    needs_kafka!();
    let case = Case::new("keys", 1);
    let (ours, theirs) = (
        format!("{}.ours", case.topic),
        format!("{}.theirs", case.topic),
    );
    case.probe.create_topic(&ours, 7);
    case.probe.create_topic(&theirs, 7);
    let records: Vec<(String, String)> = (0..50)
        .map(|n| (format!("key {n}"), n.to_string()))
        .collect();
    case.probe.produce(&case.topic, records.clone());
    case.probe.produce(&theirs, records);
    let handler = format!("fn handle(msg) {{ emit({ours:?}, msg.value); }}");
    let _daemon = case.start(&policy(0), &handler);
    case.wait_until_done(SOON);
    let places = |probe: &Probe, topic: &str| -> Vec<(i32, Option<String>)> {
        let messages = probe.read_all(topic);
        messages.into_iter().map(|m| (m.partition, m.key)).collect()
    };
    assert_eq!(places(&case.probe, &ours), places(&case.probe, &theirs));
}
