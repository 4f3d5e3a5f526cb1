//! `msg`: the message as a script sees it.

use std::any::TypeId;
use std::rc::Rc;

use rhai::{Dynamic, INT, NativeCallContext};

use super::Fallible;
use super::catalog::{Api, Section};
use super::headers::Headers;
use crate::delivery::Record;
use crate::script::state::State;
use crate::script::strings;

/// The fields of `msg`.
pub(crate) const FIELDS: &[&str] = &[
    "topic",
    "partition",
    "offset",
    "timestamp",
    "key",
    "value",
    "json",
    "headers",
    "attempt",
    "group",
    "member",
];

/// One for all messages of an engine: what it shows is the message of the call.
#[derive(Clone)]
pub(crate) struct Message(pub Rc<State>);

impl Message {
    fn record<R>(&self, with: impl FnOnce(&Record) -> R) -> Option<R> {
        self.0.record.borrow().as_deref().map(with)
    }
}

pub(crate) fn register(api: &mut Api<'_>) {
    api.engine.register_type_with_name::<Message>("message");
    for name in ["to_string", "to_debug", "print", "debug"] {
        api.engine.register_fn(name, describe);
    }
    place(api);
    content(api);
    caller(api);
    json(api);
}

fn place(api: &mut Api<'_>) {
    api.describe(
        Section::Message,
        "topic",
        "The topic it was read from.",
        "msg.topic    // → \"Delivery\"",
    )
    .field("topic(msg: message) -> string", |msg: &mut Message| {
        let topic = msg.record(|record| strings::shared(msg.0.shown_topic(record)));
        topic.unwrap_or_default()
    })
    .done();
    api.describe(
        Section::Message,
        "partition",
        "The partition of the topic.",
        "msg.partition    // → 1",
    )
    .field("partition(msg: message) -> int", |msg: &mut Message| {
        msg.record(|record| INT::from(record.partition))
            .unwrap_or_default()
    })
    .done();
    api.describe(
        Section::Message,
        "offset",
        "Its place in the partition.",
        "msg.offset    // → 4711",
    )
    .field("offset(msg: message) -> int", |msg: &mut Message| {
        msg.record(|record| record.offset).unwrap_or_default()
    })
    .done();
    api.describe(
        Section::Message,
        "timestamp",
        "Milliseconds since 1970, or `()`.",
        "format_time(msg.timestamp)    // → \"2023-11-14T22:13:20Z\"",
    )
    .field(
        "timestamp(msg: message) -> int | ()",
        |msg: &mut Message| {
            let timestamp = msg.record(|record| record.timestamp).flatten();
            timestamp.map_or(Dynamic::UNIT, Dynamic::from_int)
        },
    )
    .done();
}

fn content(api: &mut Api<'_>) {
    api.describe(
        Section::Message,
        "key",
        "A string where it is UTF-8, else a blob; `()` where it is null.",
        "msg.key ?? \"none\"    // → \"d-17\"",
    )
    .field("key(msg: message) -> any", |msg: &mut Message| {
        msg.record(|record| bytes(record.key()))
            .unwrap_or(Dynamic::UNIT)
    })
    .done();
    api.describe(
        Section::Message,
        "value",
        "A string where it is UTF-8, else a blob; `()` where it is null (a tombstone).",
        "if msg.value == () { print(`${msg.key} was deleted`); }",
    )
    .field("value(msg: message) -> any", |msg: &mut Message| {
        msg.record(|record| bytes(record.value()))
            .unwrap_or(Dynamic::UNIT)
    })
    .done();
    api.describe(
        Section::Message,
        "headers",
        "Its headers: `msg.headers[\"name\"]` is the last value, `msg.headers.all(\"name\")` all of them.",
        "msg.headers[\"via\"]    // → \"b\"",
    )
    .field("headers(msg: message) -> headers", |msg: &mut Message| {
        Headers(Rc::clone(&msg.0))
    })
    .done();
}

fn caller(api: &mut Api<'_>) {
    api.describe(
        Section::Message,
        "attempt",
        "1 at first, 2 at the first retry.",
        "msg.attempt    // → 1",
    )
    .field("attempt(msg: message) -> int", |msg: &mut Message| {
        INT::from(msg.0.attempt.get())
    })
    .done();
    api.describe(
        Section::Message,
        "group",
        "The group that handles it.",
        "msg.group    // → \"group-1\"",
    )
    .field("group(msg: message) -> string", |msg: &mut Message| {
        strings::shared(&msg.0.caller.group)
    })
    .done();
    api.describe(
        Section::Message,
        "member",
        "The member of the group.",
        "msg.member    // → \"group-1-2\"",
    )
    .field("member(msg: message) -> string", |msg: &mut Message| {
        strings::shared(&msg.0.caller.member)
    })
    .done();
}

fn json(api: &mut Api<'_>) {
    api.describe(
        Section::Message,
        "json",
        "The value as JSON, parsed once. A missing field is `()`. It may be changed; retries and \
         dead letters see the original. `()` for a tombstone; a value that is not JSON is rejected.",
        "let d = msg.json;\n\
         d.items[0].sku                        // → \"a\"\n\
         d.address?.street ?? \"none\"           // → \"none\"\n\
         d[\"default\"]                          // → \"x\"\n\
         d.checked = true;\n\
         emit(\"Checked\", d);",
    )
    .field(
        "json(msg: message) -> any",
        |context: NativeCallContext, msg: &mut Message| -> Fallible<Dynamic> {
            msg.0.json(&context)
        },
    )
    .done();
    // Raw, because a typed argument would be moved out of the view that Rhai writes back.
    let types = [TypeId::of::<Message>(), TypeId::of::<Dynamic>()];
    api.engine
        .register_raw_fn("set$json", types, |_, args| -> Fallible<()> {
            let state = args[0].read_lock::<Message>().map(|msg| Rc::clone(&msg.0));
            if let Some(state) = state {
                state.set_json(args[1]);
            }
            Ok(())
        });
}

/// What `print(msg)` shows: where the message stands.
fn describe(msg: &mut Message) -> String {
    let describe = |record: &Record| {
        let topic = msg.0.shown_topic(record);
        format!("{topic}/{}@{}", record.partition, record.offset)
    };
    msg.record(describe).unwrap_or_default()
}

/// A key, value or header as Rhai has it: text where it is UTF-8, else a blob, `()` where null.
pub(crate) fn bytes(bytes: Option<&[u8]>) -> Dynamic {
    match bytes {
        None => Dynamic::UNIT,
        Some(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => strings::shared(text).into(),
            Err(_) => Dynamic::from_blob(bytes.to_vec()),
        },
    }
}
