//! A log line for machines: one JSON object.

use serde::Serialize;

use super::entry::Entry;

/// Names that a line has or may have; a further field of such a name is led by `field.`.
const OWN: [&str; 12] = [
    "timestamp",
    "level",
    "target",
    "message",
    "group",
    "member",
    "producer",
    "topic",
    "partition",
    "offset",
    "frame",
    "hint",
];

/// Appends the entry as one line.
pub(super) fn write(out: &mut String, entry: &Entry, time: &str) {
    let context = &entry.context;
    out.push('{');
    put(out, "timestamp", Some(time));
    let level = entry.level.as_str().to_ascii_lowercase();
    put(out, "level", Some(&level));
    put(out, "target", Some(&entry.target));
    put(out, "message", Some(&entry.message));
    put(out, "group", context.group.as_ref());
    put(out, "member", context.member.as_ref());
    put(out, "producer", context.producer.as_ref());
    put(out, "topic", context.topic.as_ref());
    put(out, "partition", context.partition.as_ref());
    put(out, "offset", context.offset.as_ref());
    put(out, "frame", entry.frame.as_ref());
    put(out, "hint", entry.hint.as_ref());
    for (name, value) in &entry.fields {
        if OWN.contains(name) {
            put(out, &format!("field.{name}"), Some(value));
        } else {
            put(out, name, Some(value));
        }
    }
    out.push_str("}\n");
}

/// Appends one name and value; nothing where there is none.
fn put<T: Serialize + ?Sized>(out: &mut String, name: &str, value: Option<&T>) {
    let Some(value) = value else { return };
    // Texts and numbers always serialise; what could not would be left out.
    let (Ok(name), Ok(value)) = (serde_json::to_string(name), serde_json::to_string(value)) else {
        return;
    };
    if !out.ends_with('{') {
        out.push(',');
    }
    out.push_str(&name);
    out.push(':');
    out.push_str(&value);
}
