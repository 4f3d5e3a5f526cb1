//! A handler that writes down what it was given, and its notes as the tests read them.
//!
//! The notes are messages in a topic, so they show what was handled without trusting the daemon's
//! own counters.

use std::collections::BTreeMap;
use std::time::Duration;

use super::probe::Probe;

/// Notes each message in the topic `params.notes`.
pub const NOTE: &str = r#"
fn handle(msg) {
    emit(params.notes, #{
        group: msg.group,
        member: msg.member,
        partition: msg.partition,
        offset: msg.offset,
        value: msg.value,
    });
}
"#;

/// One handled message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    pub group: String,
    pub member: String,
    pub partition: i64,
    pub offset: i64,
    pub value: String,
}

/// Waits for `count` notes and returns all that are there.
pub fn read(probe: &Probe, topic: &str, count: usize, deadline: Duration) -> Vec<Note> {
    let messages = probe.read(topic, count, deadline);
    let note = |message: &super::probe::Message| {
        let json = message.json();
        let text = |name: &str| match &json[name] {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let number = |name: &str| match json[name].as_i64() {
            Some(number) => number,
            None => panic!("no number {name:?} in {message:?}"),
        };
        Note {
            group: text("group"),
            member: text("member"),
            partition: number("partition"),
            offset: number("offset"),
            value: text("value"),
        }
    };
    messages.iter().map(note).collect()
}

/// The values that each group handled, sorted; a value that was handled twice stands twice.
pub fn by_group(notes: &[Note]) -> BTreeMap<&str, Vec<&str>> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for note in notes {
        groups.entry(&note.group).or_default().push(&note.value);
    }
    groups
        .values_mut()
        .for_each(|values| values.sort_unstable());
    groups
}

/// `count` records whose values say their number, from `first` on, over a few keys.
pub fn numbered(first: usize, count: usize) -> Vec<(String, String)> {
    let record = |n: usize| (format!("key-{}", n % 17), format!("message {n:05}"));
    (first..first + count).map(record).collect()
}

/// The values of [`numbered`], as [`by_group`] shows them.
pub fn values(records: &[(String, String)]) -> Vec<&str> {
    let mut values: Vec<&str> = records.iter().map(|(_, value)| value.as_str()).collect();
    values.sort_unstable();
    values
}
