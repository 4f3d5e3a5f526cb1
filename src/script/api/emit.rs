//! `emit`: a message to another topic, kept until the call has returned.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use rhai::{Dynamic, EvalAltResult, Map};

use super::Fallible;
use super::catalog::{Api, Section};
use super::written::{Given, Limit, write_headers, write_key, write_value};
use crate::delivery::{Effects, EmitBuilder, Record};
use crate::script::json::own;
use crate::script::state::State;
use crate::script::told::{article, mistake, type_name};
use crate::script::{diagnose, meter};

/// What `emit(#{…})` and a generator's map may hold.
pub(crate) const FIELDS: &[&str] = &["topic", "key", "value", "headers", "partition", "timestamp"];

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

/// A map to emit has no such member.
fn lacks(name: &str, hint: &str) -> Box<EvalAltResult> {
    mistake(
        format!("a message to emit needs `{name}`"),
        "it is not in the map",
        [hint.into()],
    )
}
