//! The cage, on the built binary: each limit can be set, a script that reaches it costs its message,
//! and the daemon goes on.

mod support;

use std::time::Duration;

use support::Setup;
use support::case::{COPY, Case, SOON};

/// Each message names the limit that its call runs into; others are copied.
const HOSTILE: &str = r#"
fn deeper(n) { if n > 0 { deeper(n - 1) } }

fn text(length) {
    let text = "x".to_string();
    text.pad(length, 'y');
    text
}

fn handle(msg) {
    switch msg.value {
        "operations" => { loop { } }
        "handler_timeout" => {
            // Some 100 times as long as the timeout, if only operations were counted.
            let s = "ä".to_string();
            s.pad(95_000, 'ß');
            loop { s.to_lower(); }
        }
        "call_depth" => deeper(12),
        "string" => text(200_001),
        "array" => { let a = []; loop { a.push(a.len()); } }
        "map" => { let m = #{}; for i in 0..1_000 { m.set(`k${i}`, i); } }
        "memory" => { let all = []; for i in 0..40 { all.push(|| i); emit("t", text(100_000)); } }
        "values" => { let x = 0; loop { let y = x; x = || y; } }
        "closure" => [1].map(|x| { loop { } }),
        "swallowed" => { let a = [1, 1]; a.dedup(|x, y| { loop { } }); }
        "caught" => { try { loop { } } catch { loop { } } }
        "reason" => throw text(190_000),
        _ => ()
    }
    emit(params.out, #{ partition: msg.partition, offset: msg.offset, key: msg.key, value: msg.value });
}
"#;

/// What each of these messages must end in.
const ENDINGS: [(&str, &str); 12] = [
    ("operations", "the call made more than 500000 operations"),
    ("handler_timeout", "the call took longer than 10s"),
    ("call_depth", "functions call each other more than 10 deep"),
    ("string", "a string grew longer than 200000 bytes"),
    ("array", "an array grew larger than 500 elements"),
    ("map", "a map grew larger than 300 members"),
    ("memory", "the call used more than 2097152 bytes of memory"),
    ("values", "the call used more than 2097152 bytes of memory"),
    ("closure", "the call made more than 500000 operations"),
    ("swallowed", "the call made more than 500000 operations"),
    ("caught", "the call made more than 500000 operations"),
    ("reason", "yyyy… and 189000 bytes more"),
];

const LIMITS: &str = "handler_timeout = \"10s\"\n\
    limits = { operations = 500_000, call_depth = 10, expression_depth = 40, string = \"200000B\", \
    array = 500, map = 300, memory = \"2MiB\" }\n\
    on_failure = { retries = 0, max_share = 1.0 }\n";

/// Every limit of the config is in force; what reaches it is a dead letter that says which, and the
/// messages before and behind it are handled once and in order.
#[test]
fn each_limit_costs_its_message_and_no_other() {
    needs_kafka!();
    let case = Case::new("cage", 1);
    let mut records = Vec::new();
    for (name, _) in ENDINGS {
        records.push(("k", "good"));
        records.push(("k", name));
    }
    records.push(("k", "good"));
    case.probe.produce_to(&case.topic, 0, records);
    let daemon = case.start(LIMITS, HOSTILE);
    let dead = case
        .probe
        .read(&case.dead(), ENDINGS.len(), Duration::from_secs(180));
    case.wait_until_done(SOON);
    for ((name, ending), letter) in ENDINGS.iter().zip(&dead) {
        let reason = letter
            .headers
            .iter()
            .find(|(name, _)| name == "deliveryd-reason")
            .map_or("", |(_, text)| text.as_str());
        assert!(reason.contains(ending), "{name}: {reason}");
        assert!(reason.len() < 1100, "{name}: {} bytes", reason.len());
    }
    let offsets: Vec<i64> = case.copies().iter().map(|copy| copy.offset).collect();
    let good: Vec<i64> = (0..=ENDINGS.len() as i64).map(|n| n * 2).collect();
    assert_eq!(offsets, good);
    assert_eq!(daemon.status().counter(&case.group, "rebalances"), 1);
    let exit = daemon.stop();
    assert!(exit.status.success(), "{}", exit.output);
}

/// A changed handler whose expressions are too deep is not taken; the one before goes on.
#[test]
fn a_handler_that_is_too_deep_is_not_taken() {
    needs_kafka!();
    let case = Case::new("deep", 1);
    case.fill(0..1, 10);
    let daemon = case.start("limits = { expression_depth = 20 }\n", COPY);
    case.wait_for_copies(10, SOON);
    let deep = format!(
        "fn handle(msg) {{ emit(params.out, {}1{}); }}",
        "(1 + ".repeat(30),
        ")".repeat(30)
    );
    daemon.edit_handler("handle.rhai", COPY, &deep);
    daemon.wait_for_line("limits.expression_depth", SOON);
    case.fill(0..1, 10);
    assert_eq!(case.wait_for_copies(20, SOON).len(), 20);
}

/// What escapes at load time is refused by `check`, with the exit code of a wrong configuration.
#[test]
fn an_escape_is_refused_before_anything_starts() {
    for (handler, told) in [
        (
            "import \"../secret\" as s; fn handle(msg) { }",
            "leave the handler's folder",
        ),
        ("fn handle(msg) { eval(\"1\") }", "`eval` is disabled"),
        ("loop { } fn handle(msg) { }", "operations"),
    ] {
        let toml = "[topics.T]\n[groups.g]\ntopics = [\"T\"]\nhandler = \"handle.rhai\"\n";
        let exit = Setup::new("embedded", toml)
            .handler("handle.rhai", handler)
            .run();
        assert_eq!(exit.status.code(), Some(78), "{}", exit.output);
        assert!(exit.output.contains(told), "{}", exit.output);
    }
}
