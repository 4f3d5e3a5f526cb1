//! `msg`: the message as a script sees it.

use std::rc::Rc;

use rhai::{Dynamic, Engine, INT, ImmutableString, NativeCallContext};

use super::Fallible;
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

pub(crate) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Message>("message")
        .register_get("topic", |msg: &mut Message| {
            text_or_empty(msg.record(|record| strings::shared(&record.topic)))
        })
        .register_get("partition", |msg: &mut Message| {
            msg.record(|record| INT::from(record.partition))
                .unwrap_or_default()
        })
        .register_get("offset", |msg: &mut Message| {
            msg.record(|record| record.offset).unwrap_or_default()
        })
        .register_get("timestamp", |msg: &mut Message| {
            let timestamp = msg.record(|record| record.timestamp).flatten();
            timestamp.map_or(Dynamic::UNIT, Dynamic::from_int)
        })
        .register_get("key", |msg: &mut Message| {
            msg.record(|record| bytes(record.key()))
                .unwrap_or(Dynamic::UNIT)
        })
        .register_get("value", |msg: &mut Message| {
            msg.record(|record| bytes(record.value()))
                .unwrap_or(Dynamic::UNIT)
        })
        .register_get("attempt", |msg: &mut Message| {
            INT::from(msg.0.attempt.get())
        })
        .register_get("group", |msg: &mut Message| {
            strings::shared(&msg.0.caller.group)
        })
        .register_get("member", |msg: &mut Message| {
            strings::shared(&msg.0.caller.member)
        })
        .register_get("headers", |msg: &mut Message| Headers(Rc::clone(&msg.0)))
        .register_get(
            "json",
            |context: NativeCallContext, msg: &mut Message| -> Fallible<Dynamic> {
                msg.0.json(&context)
            },
        )
        .register_set("json", |msg: &mut Message, mut new: Dynamic| {
            msg.0.set_json(&mut new)
        })
        .register_fn("to_string", describe)
        .register_fn("to_debug", describe)
        .register_fn("print", describe)
        .register_fn("debug", describe);
}

/// What `print(msg)` shows: where the message stands.
fn describe(msg: &mut Message) -> String {
    msg.record(|record| format!("{}/{}@{}", record.topic, record.partition, record.offset))
        .unwrap_or_default()
}

fn text_or_empty(text: Option<ImmutableString>) -> ImmutableString {
    text.unwrap_or_default()
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
