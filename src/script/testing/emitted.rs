//! What a handler emitted, as a test looks at it.

use std::sync::Arc;

use rhai::{Dynamic, Engine};
use serde_json::{Map, Value};

use super::message::header_map;
use super::values::{blob_text, dynamic, exact, plain, text_or_blob};
use crate::delivery::Emit;
use crate::script::api::Fallible;

/// One emitted message.
#[derive(Debug, Clone)]
pub(super) struct Emitted {
    pub topic: Arc<str>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    pub partition: Option<i32>,
    pub timestamp: Option<i64>,
}

impl Emitted {
    pub(super) fn of(emit: &Emit<'_>) -> Self {
        let own = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        Self {
            topic: Arc::clone(emit.topic()),
            key: own(emit.key()),
            value: own(emit.value()),
            headers: emit
                .headers()
                .map(|(name, value)| (name.to_owned(), own(value)))
                .collect(),
            partition: emit.partition(),
            timestamp: emit.timestamp(),
        }
    }

    /// Everything in it that is not null, in a form that can be compared and shown.
    pub(super) fn plain(&self) -> Value {
        let mut fields = Map::new();
        fields.insert("topic".to_owned(), self.topic.to_string().into());
        fields.insert("key".to_owned(), json_or_text(self.key.as_deref()));
        fields.insert("value".to_owned(), json_or_text(self.value.as_deref()));
        if !self.headers.is_empty() {
            fields.insert("headers".to_owned(), plain(&header_map(&self.headers)));
        }
        if let Some(partition) = self.partition {
            fields.insert("partition".to_owned(), partition.into());
        }
        if let Some(timestamp) = self.timestamp {
            fields.insert("timestamp".to_owned(), timestamp.into());
        }
        Value::Object(fields)
    }

    fn json(&self) -> Fallible<Dynamic> {
        let Some(value) = &self.value else {
            return Ok(Dynamic::UNIT);
        };
        match serde_json::from_slice(value) {
            Ok(value) => Ok(dynamic(&value)),
            Err(error) => Err(format!("what was emitted is not JSON: {error}").into()),
        }
    }
}

/// Bytes as the JSON that they are, else as text, else in hexadecimal.
pub(super) fn json_or_text(bytes: Option<&[u8]>) -> Value {
    let Some(bytes) = bytes else {
        return Value::Null;
    };
    match exact(bytes) {
        Some(value @ (Value::Object(_) | Value::Array(_))) => value,
        _ => text(bytes),
    }
}

/// Bytes as text, or in hexadecimal where they are none.
pub(super) fn text(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => blob_text(bytes).into(),
    }
}

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Emitted>("emitted message")
        .register_get("topic", |emitted: &mut Emitted| emitted.topic.to_string())
        .register_get("key", |emitted: &mut Emitted| {
            text_or_blob(emitted.key.as_deref())
        })
        .register_get("value", |emitted: &mut Emitted| {
            text_or_blob(emitted.value.as_deref())
        })
        .register_get("json", |emitted: &mut Emitted| emitted.json())
        .register_get("headers", |emitted: &mut Emitted| {
            header_map(&emitted.headers)
        })
        .register_get("partition", |emitted: &mut Emitted| {
            emitted
                .partition
                .map_or(Dynamic::UNIT, |number| i64::from(number).into())
        })
        .register_get("timestamp", |emitted: &mut Emitted| {
            emitted.timestamp.map_or(Dynamic::UNIT, Dynamic::from_int)
        });
    for name in ["to_string", "to_debug", "print", "debug"] {
        engine.register_fn(name, |emitted: &mut Emitted| emitted.plain().to_string());
    }
}
