//! Every setting that there is, and what a reload does when it changes.
//!
//! The settings come from the schema: one that is new fails here until it is said what becomes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use super::{Plan, Step, plan};
use crate::config::{Config, Invocation, schema};
use crate::preflight;

/// What a reload makes of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Becomes {
    /// In force at once, while everything keeps its clients.
    InPlace,
    /// Members are started or stopped.
    Members,
    /// Members or producers are made anew.
    Replaced,
    /// The topic is looked at.
    Topic,
    Refused,
}

use Becomes::{InPlace, Members, Refused, Replaced, Topic};

/// Each setting, another value than the one in [`BEFORE`], and what a reload makes of that.
const SETTINGS: &[(&str, &str, Becomes)] = &[
    ("daemon.instance", "\"host-b\"", Refused),
    ("daemon.http", "\"off\"", Refused),
    ("daemon.hosts", "[\"status.example\"]", InPlace),
    ("daemon.watch", "\"poll\"", InPlace),
    ("daemon.control", "\"/tmp/other.sock\"", Refused),
    ("daemon.shutdown_timeout", "\"5s\"", InPlace),
    ("log.level", "\"debug\"", InPlace),
    ("log.file", "\"deliveryd.log\"", InPlace),
    ("log.rotate", "\"hourly\"", InPlace),
    ("log.keep", "3", InPlace),
    ("kafka.brokers", "\"other:9092\"", Replaced),
    ("kafka.properties", "{ \"client.rack\" = \"b\" }", Replaced),
    ("topics.Delivery.partitions", "4", Topic),
    ("topics.Delivery.replication", "3", Refused),
    ("topics.Theirs.replication", "3", Topic),
    (
        "topics.Delivery.config",
        "{ \"retention.ms\" = \"1000\" }",
        Topic,
    ),
    ("topics.Delivery.create", "false", Topic),
    ("producers.steady.topic", "\"Theirs\"", Replaced),
    (
        "producers.steady.handler",
        "\"other_generate.rhai\"",
        InPlace,
    ),
    ("producers.steady.rate", "9.0", InPlace),
    ("producers.steady.count", "9", InPlace),
    ("producers.steady.seed", "9", Replaced),
    ("producers.steady.compile", "false", InPlace),
    ("producers.steady.params", "{ a = 1 }", InPlace),
    ("producers.steady.limits.operations", "9_000", InPlace),
    ("producers.steady.limits.call_depth", "9", InPlace),
    ("producers.steady.limits.expression_depth", "9", InPlace),
    ("producers.steady.limits.string", "\"9KiB\"", InPlace),
    ("producers.steady.limits.array", "9", InPlace),
    ("producers.steady.limits.map", "9", InPlace),
    ("producers.steady.limits.memory", "\"9MiB\"", InPlace),
    (
        "groups.first.topics",
        "[\"Delivery\", \"Theirs\"]",
        Replaced,
    ),
    ("groups.first.handler", "\"other_handle.rhai\"", InPlace),
    ("groups.first.members", "3", Members),
    ("groups.first.start", "\"latest\"", InPlace),
    ("groups.first.on_out_of_range", "\"latest\"", InPlace),
    ("groups.first.rate", "9.0", InPlace),
    ("groups.first.ordering", "\"key\"", InPlace),
    ("groups.first.in_flight", "9", InPlace),
    ("groups.first.guarantee", "\"at_most_once\"", Replaced),
    ("groups.first.commit_interval", "\"9s\"", InPlace),
    ("groups.exact.transaction_interval", "\"200ms\"", InPlace),
    ("groups.exact.transaction_interval", "\"20s\"", Replaced),
    ("groups.first.handler_timeout", "\"9s\"", InPlace),
    ("groups.exact.handler_timeout", "\"9s\"", Replaced),
    ("groups.first.drain_timeout", "\"9s\"", InPlace),
    ("groups.first.protocol", "\"consumer\"", Replaced),
    ("groups.first.static_membership", "true", Replaced),
    ("groups.first.buffer", "\"9MiB\"", Replaced),
    (
        "groups.first.properties",
        "{ \"fetch.min.bytes\" = 9 }",
        Replaced,
    ),
    ("groups.first.params", "{ a = 1 }", InPlace),
    ("groups.first.test_before_swap", "true", InPlace),
    ("groups.first.compile", "false", InPlace),
    ("groups.first.limits.operations", "9_000", InPlace),
    ("groups.first.limits.call_depth", "9", InPlace),
    ("groups.first.limits.expression_depth", "9", InPlace),
    ("groups.first.limits.string", "\"9KiB\"", InPlace),
    ("groups.first.limits.array", "9", InPlace),
    ("groups.first.limits.map", "9", InPlace),
    ("groups.first.limits.memory", "\"9MiB\"", InPlace),
    ("groups.first.on_failure.retries", "9", InPlace),
    ("groups.first.on_failure.backoff", "\"9ms\"", InPlace),
    ("groups.first.on_failure.max_backoff", "\"9s\"", InPlace),
    ("groups.first.on_failure.then", "\"skip\"", InPlace),
    ("groups.first.on_failure.topic", "\"first.dead\"", InPlace),
    ("groups.first.on_failure.max_share", "0.9", InPlace),
];

const BEFORE: &str = r#"
[daemon]
instance = "host-a"
control = "/tmp/one.sock"
[kafka]
brokers = "one:9092"
[topics.Delivery]
partitions = 2
[topics.Theirs]
create = false
[producers.steady]
topic = "Delivery"
handler = "generate.rhai"
[groups.first]
topics = ["Delivery"]
handler = "handle.rhai"
[groups.exact]
topics = ["Delivery"]
handler = "handle.rhai"
guarantee = "exactly_once"
"#;

const README: &str = include_str!("../../../README.md");

fn load(dir: &TempDir, sets: &[String]) -> Config {
    let invocation = Invocation {
        file: dir.path().join("deliveryd.toml"),
        sets: sets.to_vec(),
        env: BTreeMap::new(),
    };
    let checked = preflight::check(&invocation);
    checked
        .unwrap_or_else(|failed| panic!("{sets:?}: {:?}", failed.mistakes))
        .config
}

fn site() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("deliveryd.toml", BEFORE);
    for name in ["handle.rhai", "other_handle.rhai"] {
        write(name, "fn handle(msg) {}");
    }
    for name in ["generate.rhai", "other_generate.rhai"] {
        write(name, "fn generate(n) { n }");
    }
    write("handle.test.rhai", "fn test_nothing() { assert_eq(1, 1); }");
    dir
}

fn is(plan: &Plan, becomes: Becomes) -> bool {
    let any = |which: fn(&Step) -> bool| plan.steps.iter().any(which);
    let replaced = any(|step| {
        matches!(
            step,
            Step::ReplaceMembers { .. } | Step::ReplaceProducer { .. }
        )
    });
    let in_place = any(|step| {
        matches!(
            step,
            Step::ChangeGroup { .. }
                | Step::ChangeProducer { .. }
                | Step::ChangeLog { .. }
                | Step::ChangeDaemon { .. }
        )
    });
    let members = any(|step| matches!(step, Step::StartMembers { .. } | Step::StopMembers { .. }));
    let topic = any(|step| matches!(step, Step::EnsureTopic { .. }));
    match becomes {
        InPlace => in_place && !replaced && !members,
        Members => members && !replaced && !in_place,
        Replaced => replaced && !in_place && !members,
        Topic => topic && !replaced && !in_place && !members,
        Refused => plan.steps.is_empty(),
    }
}

/// The settings of a table, with `*` for the names that users give.
fn settings(schema: &Value, table: &Value, path: &str, found: &mut BTreeSet<String>) {
    let table = resolved(schema, table);
    if let Some(settings_in) = table["properties"].as_object() {
        for (name, setting) in settings_in {
            let dot = if path.is_empty() { "" } else { "." };
            settings(schema, setting, &format!("{path}{dot}{name}"), found);
        }
        return;
    }
    let named = resolved(schema, &table["additionalProperties"]);
    if named["properties"].is_object() {
        settings(schema, named, &format!("{path}.*"), found);
    } else {
        found.insert(path.to_owned());
    }
}

fn resolved<'a>(schema: &'a Value, node: &'a Value) -> &'a Value {
    let reference = node["$ref"].as_str().or(node["allOf"][0]["$ref"].as_str());
    match reference.and_then(|reference| reference.strip_prefix('#')) {
        Some(pointer) => schema.pointer(pointer).unwrap_or(node),
        None => node,
    }
}

/// A setting's path with `*` for the name that a user gave.
fn without_name(path: &str) -> String {
    let mut parts: Vec<&str> = path.split('.').collect();
    if ["topics", "producers", "groups"].contains(&parts[0]) {
        parts[1] = "*";
    }
    parts.join(".")
}

/// No setting is forgotten: whichever changes, the plan does something about it, and what it does is what
/// is said above.
#[test]
fn whichever_setting_changes_the_plan_says_what_becomes_of_it() {
    let schema = schema().to_value();
    let mut all = BTreeSet::new();
    settings(&schema, &schema, "", &mut all);
    let said: BTreeSet<String> = SETTINGS.iter().map(|row| without_name(row.0)).collect();
    assert_eq!(said, all);

    let dir = site();
    let running = load(&dir, &[]);
    for (setting, value, becomes) in SETTINGS {
        // Relative paths of `--set` start from the working directory.
        let here = format!("\"{}/other_", dir.path().display());
        let value = value.replace("\"other_", &here);
        let wanted = load(&dir, &[format!("{setting}={value}")]);
        let plan = plan(&running, &wanted);
        assert!(
            is(&plan, *becomes),
            "{setting} = {value}: {becomes:?}?\n{plan}"
        );
        assert_eq!(plan.refused.is_empty(), *becomes != Refused, "{plan}");
        let name = setting.rsplit('.').next().unwrap_or_default();
        let shown = plan.to_string();
        assert!(shown.contains(name), "{setting} is not named:\n{shown}");
    }
}

/// The README's table of changes names every setting, or the table that it is in.
#[test]
fn the_readme_says_of_every_setting_what_becomes_of_it() {
    let table = README.split("| changed | what happens |").nth(1).unwrap();
    let table = table.split("\n\n").next().unwrap_or_default();
    for (setting, ..) in SETTINGS {
        let parts: Vec<&str> = setting.split('.').collect();
        // `topics` is also a setting of a group.
        let of_one = ["topics", "producers", "groups"].contains(&parts[0]);
        let mut parts = parts.iter().skip(usize::from(of_one));
        let named = parts.any(|part| table.contains(&format!("`{part}`")));
        let whole = table.contains(&format!("`{setting}`"));
        assert!(named || whole, "{setting} is not in:\n{table}");
    }
}
