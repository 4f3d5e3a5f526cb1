//! Topics: what the embedded broker can not do, names that collide, and names that nobody declared.

use std::collections::BTreeMap;

use super::{Checks, Said};
use crate::config::names::suggest;
use crate::config::places::Spot;
use crate::config::types::{Brokers, Then};
use crate::config::value::key;

pub fn check(checks: &mut Checks<'_, '_>) {
    replication(checks);
    collisions(checks);
    references(checks);
}

fn replication(checks: &mut Checks<'_, '_>) {
    if checks.config.kafka.brokers != Brokers::Embedded || !checks.good(&["kafka", "brokers"]) {
        return;
    }
    for (name, topic) in &checks.config.topics {
        let Some(replication) = topic.replication.filter(|replication| *replication > 1) else {
            continue;
        };
        let said = Said::new(
            format!("`replication` can't be {replication} on the embedded broker"),
            "the embedded broker is one broker",
        );
        checks.mistake(
            &["topics", name, "replication"],
            Spot::Value,
            said.hint("use 1, or a real cluster in `kafka.brokers`"),
        );
    }
}

/// Kafka refuses a topic whose name differs from another's only in `.` and `_`, because its metrics
/// write both as `_`.
fn collisions(checks: &mut Checks<'_, '_>) {
    let mut by_metric = BTreeMap::<String, &str>::new();
    for name in checks.config.topics.keys() {
        match by_metric.get(&name.replace('.', "_")) {
            Some(other) => {
                let message = format!("Kafka can't have both `{other}` and `{name}`");
                let said = Said::new(message, "\".\" and \"_\" are the same in its metrics");
                checks.mistake(&["topics", name], Spot::Key, said);
            }
            None => drop(by_metric.insert(name.replace('.', "_"), name)),
        }
    }
}

fn references(checks: &mut Checks<'_, '_>) {
    for (name, producer) in &checks.config.producers {
        let path = ["producers", name, "topic"];
        unknown(checks, &path, Spot::Value, &producer.topic);
    }
    for (id, group) in &checks.config.groups {
        for (index, topic) in group.topics.iter().enumerate() {
            unknown(checks, &["groups", id, "topics"], Spot::Item(index), topic);
        }
        dead_letters(checks, id);
    }
}

fn unknown(checks: &mut Checks<'_, '_>, path: &[&str], spot: Spot, topic: &str) {
    if topic.is_empty() || checks.knows_topic(topic) {
        return;
    }
    let said = Said::new(
        format!("there is no topic `{topic}`"),
        "not in this configuration",
    );
    let hint = match suggest(topic, checks.config.topics.keys().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("add `[topics.{}]`", key(topic)),
    };
    // Several items of one list may be wrong, so the list itself is not told to be bad.
    checks.separate(path, spot, said.hint(hint));
}

/// What a group gives up must not come back to it, and the dead-letter topic's name must be legal.
fn dead_letters(checks: &mut Checks<'_, '_>, id: &str) {
    let group = &checks.config.groups[id];
    if group.on_failure.then != Then::DeadLetter {
        return;
    }
    let given = ["groups", id, "on_failure", "topic"];
    let table = ["groups", id, "topics"];
    for (index, topic) in group.topics.iter().enumerate() {
        let dead = group.on_failure.dead_letter_topic(topic);
        let (path, spot) = match group.on_failure.topic {
            Some(_) => (&given[..], Spot::Value),
            None => (&table[..], Spot::Item(index)),
        };
        if group.topics.contains(&dead) {
            let said = Said::new(
                format!("dead letters of `{topic}` can't go to `{dead}`"),
                format!("`{id}` reads `{dead}` itself"),
            );
            checks.mistake(
                path,
                spot,
                said.hint("name another topic in `on_failure.topic`"),
            );
            return;
        }
        if let Some(mistake) = crate::config::names::topic_mistake(&dead) {
            let message = format!("the dead-letter topic `{dead}` can't have this name");
            let said = Said::new(message, mistake);
            checks.mistake(
                path,
                spot,
                said.hint("name another topic in `on_failure.topic`"),
            );
            return;
        }
    }
}
