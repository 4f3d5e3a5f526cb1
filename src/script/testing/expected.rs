//! Emitted messages against what a test expects of them.

use rhai::{Dynamic, Map};
use serde_json::Value;

use super::diff::{Difference, member, walk};
use super::emitted::{Emitted, json_or_text, text};
use super::values::{exact, plain};
use crate::script::api::Fallible;
use crate::script::diagnose;
use crate::script::told::type_name;

const FIELDS: &[&str] = &["topic", "key", "value", "headers", "partition", "timestamp"];

/// What is expected of one emitted message: only the fields that are named count, and of the headers
/// only the names that are named.
pub(super) struct Expected(Map);

impl Expected {
    pub(super) fn of(given: &Dynamic) -> Fallible<Self> {
        if let Ok(topic) = given.as_immutable_string_ref() {
            let topic = Dynamic::from(topic.clone());
            return Ok(Self([("topic".into(), topic)].into_iter().collect()));
        }
        let Some(map) = given.read_lock::<Map>() else {
            return Err(format!(
                "a topic or a map such as #{{topic: \"Totals\", value: #{{total: 42}}}} was expected, found {}",
                type_name(given)
            )
            .into());
        };
        for name in map.keys() {
            if !FIELDS.contains(&name.as_str()) {
                let near = diagnose::suggestion(name, FIELDS.iter().copied());
                let hint = near.map(|near| format!("; did you mean `{near}`?"));
                let hint = hint.unwrap_or_default();
                return Err(format!("an emitted message has no field `{name}`{hint}").into());
            }
        }
        Ok(Self(map.clone()))
    }

    /// Where `emitted` is not as expected.
    pub(super) fn differences(&self, emitted: &Emitted) -> Vec<Difference> {
        let mut all = Vec::new();
        for (name, expected) in &self.0 {
            let wanted = plain(expected);
            if name == "headers" {
                headers(&wanted, emitted, &mut all);
                continue;
            }
            let found = field(emitted, name, expected);
            walk(name, Some(&wanted), Some(&found), &mut all);
        }
        all
    }
}

/// A field in the form in which the test expects it: text where it says text, else JSON.
fn field(emitted: &Emitted, name: &str, expected: &Dynamic) -> Value {
    let bytes = match name {
        "topic" => return emitted.topic.to_string().into(),
        "partition" => return emitted.partition.map_or(Value::Null, Value::from),
        "timestamp" => return emitted.timestamp.map_or(Value::Null, Value::from),
        "key" => emitted.key.as_deref(),
        _ => emitted.value.as_deref(),
    };
    let Some(bytes) = bytes else {
        return Value::Null;
    };
    if expected.is_string() || expected.is_blob() {
        return text(bytes);
    }
    if expected.is_unit() {
        return json_or_text(Some(bytes));
    }
    exact(bytes).unwrap_or_else(|| text(bytes))
}

fn headers(wanted: &Value, emitted: &Emitted, all: &mut Vec<Difference>) {
    let Value::Object(wanted) = wanted else {
        return;
    };
    let found = plain(&super::message::header_map(&emitted.headers));
    for (name, value) in wanted {
        walk(&member("headers", name), Some(value), found.get(name), all);
    }
}
