//! `emit`: a message to another topic, kept until the call has returned.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use rhai::{Blob, Dynamic, EvalAltResult, Map};

use super::Fallible;
use super::catalog::{Api, Section};
use super::headers::Headers;
use crate::delivery::{Effects, EmitBuilder, Record};
use crate::script::json::{Digits, JsonObject, not_writable, own, write, write_view};
use crate::script::state::State;
use crate::script::told::{article, mistake, type_shown};
use crate::script::{diagnose, meter};

/// What `emit(#{…})` and a generator's map may hold.
pub(crate) const FIELDS: &[&str] = &["topic", "key", "value", "headers", "partition", "timestamp"];

/// A key or a value as a script gives it.
pub(crate) enum Given {
    /// A view that is no Rhai value.
    Object(JsonObject),
    Value(Dynamic),
}

impl Default for Given {
    fn default() -> Self {
        Self::Value(Dynamic::UNIT)
    }
}

/// The part of a message that a map spells out.
#[derive(Default)]
struct Parts {
    key: Option<Given>,
    value: Given,
    headers: Option<Dynamic>,
    partition: Option<i32>,
    timestamp: Option<i64>,
}

pub(crate) fn register(api: &mut Api<'_>, state: &Rc<State>) {
    let (short, keyed, spelt) = (Rc::clone(state), Rc::clone(state), Rc::clone(state));
    api.describe(
        Section::Effects,
        "emit",
        "A message to another topic. The short form keeps the message's key; a key of `()` is no key, \
         a value of `()` a tombstone. Strings and blobs are written as they are, anything else as \
         JSON. The map takes `topic` and `value`, and if you like `key`, `headers`, `partition` and \
         `timestamp`. Emits leave when the call has returned; `throw`, `retry` and `reject` discard \
         them.",
        "emit(\"Copies\", msg.json);\n\
         emit(\"ByCity\", msg.json.city, msg.json);\n\
         emit(#{topic: \"Audit\", key: msg.key, value: #{ok: true}, headers: #{source: \"x\"}});",
    )
    .form(
        "emit(topic: string, value: any)",
        move |topic: Dynamic, value: Dynamic| -> Fallible<()> {
            named(&short, &topic, None, Given::Value(value))
        },
    )
    .form(
        "emit(topic: string, key: any, value: any)",
        move |topic: Dynamic, key: Dynamic, value: Dynamic| -> Fallible<()> {
            named(&keyed, &topic, Some(Given::Value(key)), Given::Value(value))
        },
    )
    .form("emit(message: map)", move |message: Dynamic| {
        spelt_out(&spelt, &message)
    })
    .done();
}

/// `emit(topic, value)` and `emit(topic, key, value)`.
///
/// # Errors
/// The topic is no name, or key or value can't be written.
pub(crate) fn named(
    state: &State,
    topic: &Dynamic,
    key: Option<Given>,
    value: Given,
) -> Fallible<()> {
    positional(state, &topic_name(topic)?, key, value)
}

/// The same where the topic is known to be a text.
///
/// # Errors
/// As [`named`].
pub(crate) fn positional(
    state: &State,
    topic: &str,
    key: Option<Given>,
    value: Given,
) -> Fallible<()> {
    let key_from = match key {
        Some(_) => KeyFrom::Script,
        None => KeyFrom::Message,
    };
    let parts = Parts {
        key,
        value,
        ..Parts::default()
    };
    keep(state, topic, parts, key_from)
}

/// `emit(topic, value)` by the topic's shared name; `write` appends the value. Nothing is emitted where it
/// gives `false`.
///
/// # Errors
/// What `write` says.
#[inline]
pub(crate) fn appended(
    state: &State,
    topic: &Arc<str>,
    write: impl FnOnce(&mut Vec<u8>, Limit<'_>) -> Fallible<bool>,
) -> Fallible<bool> {
    let record = state.record.borrow();
    let record = record.as_deref();
    let mut effects = state.effects.borrow_mut();
    let mut emit = effects.emit(topic);
    if let Some(key) = record.and_then(Record::key) {
        emit.key(key);
    }
    let limit = (state.limits.memory, &*state.digits);
    let mut written = Ok(false);
    emit.value_with(|out| written = write(out, limit));
    if !written? {
        return Ok(false);
    }
    goes_along_with(&mut emit, record, &BTreeSet::new());
    emit.finish();
    settle(state, &effects);
    Ok(true)
}

/// Appends an object as JSON.
///
/// # Errors
/// It can't be written.
pub(crate) fn append_view(view: &JsonObject, out: &mut Vec<u8>, limit: Limit<'_>) -> Fallible<()> {
    write_view(view, out, limit.0, Some(limit.1)).map_err(|error| not_writable(&error))
}

/// `emit(#{…})`.
fn spelt_out(state: &State, message: &Dynamic) -> Fallible<()> {
    let message = own(message)?;
    let Some(map) = message.read_lock::<Map>() else {
        let found = article(type_name(&message));
        return Err(mistake(
            format!("`emit` takes a topic and a value, or a map, not {found}"),
            found,
            [
                "write `emit(\"topic\", value)` or `emit(#{topic: \"topic\", value: value})`"
                    .into(),
            ],
        ));
    };
    let topic = map
        .get("topic")
        .ok_or_else(|| lacks("topic", "write `emit(#{topic: \"…\", value: …})`"))?;
    let parts = parts(&map, FIELDS)?;
    keep(state, &topic_name(topic)?, parts, KeyFrom::Script)
}

/// Keeps what `generate` returned as the one message of its call.
pub(crate) fn generated(state: &State, returned: &Dynamic) -> Fallible<()> {
    let Some(topic) = state.topic.clone() else {
        return Ok(());
    };
    let spelt = own(returned)?;
    let map = spelt.read_lock::<Map>();
    let parts = match &map {
        // A map without `value` is a value itself.
        Some(map) if map.contains_key("value") => parts(map, &FIELDS[1..])?,
        _ => Parts {
            value: Given::Value(returned.clone()),
            ..Parts::default()
        },
    };
    keep(state, &topic, parts, KeyFrom::Script)
}

/// Where the key comes from if the script gives none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyFrom {
    Message,
    Script,
}

fn keep(state: &State, topic: &str, parts: Parts, key_from: KeyFrom) -> Fallible<()> {
    if topic.is_empty() {
        return Err(mistake(
            "the topic of `emit` has an empty name",
            "an empty name",
            ["it is the first argument, or `topic` of the map".into()],
        ));
    }
    let limit = (state.limits.memory, &*state.digits);
    let record = state.record.borrow();
    let record = record.as_deref();
    let mut effects = state.effects.borrow_mut();
    let mut emit = effects.emit(&state.name(topic));
    match (&parts.key, key_from) {
        (Some(key), _) => write_key(&mut emit, key, limit)?,
        (None, KeyFrom::Message) => {
            if let Some(key) = record.and_then(Record::key) {
                emit.key(key);
            }
        }
        (None, KeyFrom::Script) => {}
    }
    write_value(&mut emit, &parts.value, limit)?;
    let mut named = BTreeSet::new();
    if let Some(headers) = &parts.headers {
        write_headers(&mut emit, headers, &mut named, limit)?;
    }
    goes_along_with(&mut emit, record, &named);
    if let Some(partition) = parts.partition {
        emit.partition(partition);
    }
    if let Some(timestamp) = parts.timestamp {
        emit.timestamp(timestamp);
    }
    emit.finish();
    settle(state, &effects);
    Ok(())
}

/// The buffer is used again and so not seen by the memory meter once it has grown.
fn settle(state: &State, effects: &Effects) {
    if effects.size() > state.limits.memory {
        meter::out_of_memory();
    }
}

/// Copies the message's headers that go along, but for those that the script has named.
fn goes_along_with(emit: &mut EmitBuilder<'_>, record: Option<&Record>, named: &BTreeSet<String>) {
    for (name, value) in record.iter().flat_map(|record| record.headers()) {
        if goes_along(name) && !named.contains(name) {
            emit.header(name, value);
        }
    }
}

/// Headers of the message that its emits carry on: the trace it belongs to, and deliveryd's own.
fn goes_along(name: &str) -> bool {
    name == "traceparent" || name.starts_with("deliveryd-")
}

fn topic_name(topic: &Dynamic) -> Fallible<rhai::ImmutableString> {
    topic
        .as_immutable_string_ref()
        .map(|name| name.clone())
        .map_err(|_| {
            let found = article(type_name(topic));
            let hint = match topic.is_unit() {
                true => "where the name may be missing, give another: `name ?? \"topic\"`",
                false => "the topic comes first, as a string: `emit(\"topic\", value)`",
            };
            mistake(
                format!("the topic of `emit` must be a string, not {found}"),
                format!("the topic is {found}"),
                [hint.into()],
            )
        })
}

fn parts(map: &Map, fields: &[&str]) -> Fallible<Parts> {
    for name in map.keys() {
        if !fields.contains(&name.as_str()) {
            let hint = match diagnose::suggestion(name, fields.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has {}", fields.join(", ")),
            };
            return Err(mistake(
                format!("a message to emit has no field `{name}`"),
                format!("`{name}` is in the map"),
                [hint],
            ));
        }
    }
    let value = map
        .get("value")
        .ok_or_else(|| lacks("value", "write `value: …`; `value: ()` is a tombstone"))?;
    Ok(Parts {
        key: map.get("key").cloned().map(Given::Value),
        value: Given::Value(value.clone()),
        headers: map.get("headers").cloned(),
        partition: number(map, "partition")?,
        timestamp: number(map, "timestamp")?,
    })
}

fn number<T: TryFrom<i64> + Default + PartialOrd>(map: &Map, name: &str) -> Fallible<Option<T>> {
    let Some(given) = map.get(name).filter(|given| !given.is_unit()) else {
        return Ok(None);
    };
    let number = given
        .as_int()
        .ok()
        .and_then(|number| T::try_from(number).ok());
    match number {
        Some(number) if number >= T::default() => Ok(Some(number)),
        _ => Err(mistake(
            format!("`{name}` of a message to emit can't be `{given}`"),
            match given.is_int() {
                true => "out of range".into(),
                false => format!("`{name}` is {}", article(type_name(given))),
            },
            [match name {
                "partition" => {
                    "partitions are 0, 1, 2 and so on; leave it out, and the key decides".into()
                }
                _ => "it is in milliseconds since 1970, as `now()` and `msg.timestamp` are".into(),
            }],
        )),
    }
}

/// The most bytes of JSON, and what knows the numbers' own texts.
pub(crate) type Limit<'d> = (usize, &'d Digits);

fn json(value: &Dynamic, out: &mut Vec<u8>, limit: Limit<'_>) -> Fallible<()> {
    write(value, out, limit.0, Some(limit.1)).map_err(|error| not_writable(&error))
}

impl Given {
    fn is_unit(&self) -> bool {
        matches!(self, Self::Value(value) if value.is_unit())
    }

    /// Strings and blobs as they are, anything else as JSON.
    fn append(&self, out: &mut Vec<u8>, limit: Limit<'_>) -> Fallible<()> {
        match self {
            Self::Object(view) => append_view(view, out, limit),
            Self::Value(value) => append(value, out, limit),
        }
    }
}

fn append(value: &Dynamic, out: &mut Vec<u8>, limit: Limit<'_>) -> Fallible<()> {
    if let Ok(text) = value.as_immutable_string_ref() {
        out.extend_from_slice(text.as_bytes());
    } else if let Some(blob) = value.read_lock::<Blob>() {
        out.extend_from_slice(&blob);
    } else {
        json(value, out, limit)?;
    }
    Ok(())
}

fn write_key(emit: &mut EmitBuilder<'_>, key: &Given, limit: Limit<'_>) -> Fallible<()> {
    let mut written = Ok(());
    if !key.is_unit() {
        emit.key_with(|out| written = key.append(out, limit));
    }
    written
}

fn write_value(emit: &mut EmitBuilder<'_>, value: &Given, limit: Limit<'_>) -> Fallible<()> {
    let mut written = Ok(());
    if !value.is_unit() {
        emit.value_with(|out| written = value.append(out, limit));
    }
    written
}

/// `headers` is a map, in which an array stands for a name that repeats, or `msg.headers`.
fn write_headers(
    emit: &mut EmitBuilder<'_>,
    headers: &Dynamic,
    named: &mut BTreeSet<String>,
    limit: Limit<'_>,
) -> Fallible<()> {
    if headers.is_unit() {
        return Ok(());
    }
    if let Some(headers) = headers.read_lock::<Headers>() {
        headers.each(|name, value| {
            named.insert(name.to_owned());
            emit.header(name, value);
        });
        return Ok(());
    }
    let headers = own(headers)?;
    let Some(map) = headers.read_lock::<Map>() else {
        let found = article(type_name(&headers));
        return Err(mistake(
            format!("`headers` of a message to emit must be a map, not {found}"),
            format!("`headers` is {found}"),
            ["write `headers: #{ \"name\": \"value\" }`, or `headers: msg.headers`".into()],
        ));
    };
    for (name, value) in map.iter() {
        named.insert(name.to_string());
        let value = own(value)?;
        match value.read_lock::<rhai::Array>() {
            Some(values) => {
                for value in values.iter() {
                    write_header(emit, name, value, limit)?;
                }
            }
            None => write_header(emit, name, &value, limit)?,
        }
    }
    Ok(())
}

fn write_header(
    emit: &mut EmitBuilder<'_>,
    name: &str,
    value: &Dynamic,
    limit: Limit<'_>,
) -> Fallible<()> {
    if value.is_unit() {
        emit.header(name, None);
    } else if let Ok(text) = value.as_immutable_string_ref() {
        emit.header(name, Some(text.as_bytes()));
    } else if let Some(blob) = value.read_lock::<Blob>() {
        emit.header(name, Some(&blob));
    } else {
        let mut text = Vec::new();
        json(value, &mut text, limit)?;
        emit.header(name, Some(&text));
    }
    Ok(())
}

/// A map to emit has no such member.
fn lacks(name: &str, hint: &str) -> Box<EvalAltResult> {
    mistake(
        format!("a message to emit needs `{name}`"),
        "it is not in the map",
        [hint.into()],
    )
}

/// A value's type as a script's author calls it.
pub(crate) fn type_name(value: &Dynamic) -> &'static str {
    if value.is_unit() {
        "()"
    } else if value.is_map() || value.is::<crate::script::json::JsonObject>() {
        "map"
    } else if value.is_array() || value.is::<crate::script::json::JsonArray>() {
        "array"
    } else {
        type_shown(value.type_name())
    }
}
