//! `message()`: a message as a test builds it.

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, Map};

use super::emitted::Emitted;
use super::values::{bytes, text_or_blob};
use crate::delivery::Record;
use crate::script::api::Fallible;
use crate::script::diagnose;
use crate::script::told::type_name;

/// What can be said of a message, in a map or by a method of the same name.
const FIELDS: &[&str] = &[
    "topic",
    "partition",
    "offset",
    "key",
    "value",
    "headers",
    "timestamp",
    "attempt",
];

/// A message for a handler's call.
#[derive(Debug, Clone)]
pub(super) struct TestMessage {
    topic: String,
    partition: i32,
    offset: i64,
    timestamp: Option<i64>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
    pub attempt: u32,
}

impl Default for TestMessage {
    fn default() -> Self {
        Self {
            topic: "test".to_owned(),
            partition: 0,
            offset: 0,
            // The same in every run.
            timestamp: Some(1_700_000_000_000),
            key: None,
            value: None,
            headers: Vec::new(),
            attempt: 1,
        }
    }
}

impl TestMessage {
    /// The message as a member would have it from Kafka.
    pub(super) fn record(&self) -> Rc<Record> {
        let mut record = Record::default();
        record.topic = self.topic.as_str().into();
        record.partition = self.partition;
        record.offset = self.offset;
        record.timestamp = self.timestamp;
        record.set_key(self.key.as_deref());
        record.set_value(self.value.as_deref());
        for (name, value) in &self.headers {
            record.add_header(name, value.as_deref());
        }
        Rc::new(record)
    }

    /// What another handler emitted, as the message that the next one gets.
    fn of_emitted(emitted: &Emitted) -> Self {
        Self {
            topic: emitted.topic.to_string(),
            partition: emitted.partition.unwrap_or(0),
            timestamp: emitted.timestamp.or(Self::default().timestamp),
            key: emitted.key.clone(),
            value: emitted.value.clone(),
            headers: emitted.headers.clone(),
            ..Self::default()
        }
    }

    fn of(given: &Dynamic) -> Fallible<Self> {
        if let Some(emitted) = given.read_lock::<Emitted>() {
            return Ok(Self::of_emitted(&emitted));
        }
        let Some(map) = given.read_lock::<Map>() else {
            return Err(format!(
                "message takes a map, such as #{{key: \"k\", value: #{{id: 1}}}}: found {}",
                type_name(given)
            )
            .into());
        };
        let mut message = Self::default();
        for (name, value) in map.iter() {
            message.set(name, value)?;
        }
        Ok(message)
    }

    fn set(&mut self, field: &str, given: &Dynamic) -> Fallible<()> {
        match field {
            "topic" => {
                let name = given.as_immutable_string_ref().map_err(|_| {
                    format!("the topic must be a string, found {}", type_name(given))
                })?;
                self.topic = name.to_string();
            }
            "partition" => self.partition = whole(field, given)?,
            "offset" => self.offset = whole(field, given)?,
            "attempt" => self.attempt = whole(field, given)?,
            "timestamp" if given.is_unit() => self.timestamp = None,
            "timestamp" => self.timestamp = Some(whole(field, given)?),
            "key" => self.key = bytes(given)?,
            "value" => self.value = bytes(given)?,
            "headers" => self.headers = headers(given)?,
            other => {
                let near = diagnose::suggestion(other, FIELDS.iter().copied());
                let hint = near.map(|near| format!("; did you mean `{near}`?"));
                return Err(format!(
                    "a message has no field `{other}`{}",
                    hint.unwrap_or_default()
                )
                .into());
            }
        }
        Ok(())
    }

    fn get(&self, field: &str) -> Dynamic {
        match field {
            "topic" => self.topic.as_str().into(),
            "partition" => i64::from(self.partition).into(),
            "offset" => self.offset.into(),
            "attempt" => i64::from(self.attempt).into(),
            "timestamp" => self.timestamp.map_or(Dynamic::UNIT, Dynamic::from_int),
            "key" => text_or_blob(self.key.as_deref()),
            "value" => text_or_blob(self.value.as_deref()),
            _ => header_map(&self.headers),
        }
    }
}

fn whole<T: TryFrom<i64>>(field: &str, given: &Dynamic) -> Fallible<T> {
    let number = given.as_int().ok().filter(|number| *number >= 0);
    let number = number.and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| format!("`{field}` must be a whole number from 0, found `{given}`").into())
}

/// Headers of a map, in which an array stands for a name that repeats.
pub(super) fn headers(given: &Dynamic) -> Fallible<Vec<(String, Option<Vec<u8>>)>> {
    if given.is_unit() {
        return Ok(Vec::new());
    }
    let Some(map) = given.read_lock::<Map>() else {
        return Err(format!("`headers` must be a map, found {}", type_name(given)).into());
    };
    let mut headers = Vec::new();
    for (name, value) in map.iter() {
        match value.read_lock::<Array>() {
            Some(values) => {
                for value in values.iter() {
                    headers.push((name.to_string(), bytes(value)?));
                }
            }
            None => headers.push((name.to_string(), bytes(value)?)),
        }
    }
    Ok(headers)
}

/// The reverse of [`headers`].
pub(super) fn header_map(headers: &[(String, Option<Vec<u8>>)]) -> Dynamic {
    let mut map = Map::new();
    for (name, _) in headers {
        let of_name = headers.iter().filter(|(other, _)| other == name);
        let mut values: Array = of_name
            .map(|(_, value)| text_or_blob(value.as_deref()))
            .collect();
        let value = match values.len() {
            1 => values.remove(0),
            _ => Dynamic::from_array(values),
        };
        map.insert(name.as_str().into(), value);
    }
    Dynamic::from_map(map)
}

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<TestMessage>("test message")
        .register_fn("message", TestMessage::default)
        .register_fn("message", |given: Dynamic| TestMessage::of(&given))
        .register_fn("tombstone", |key: Dynamic| -> Fallible<TestMessage> {
            let mut message = TestMessage::default();
            message.set("key", &key)?;
            Ok(message)
        })
        .register_fn(
            "header",
            |message: &mut TestMessage, name: &str, value: Dynamic| -> Fallible<TestMessage> {
                let mut message = message.clone();
                message.headers.push((name.to_owned(), bytes(&value)?));
                Ok(message)
            },
        );
    for field in FIELDS {
        engine
            .register_fn(
                *field,
                |message: &mut TestMessage, value: Dynamic| -> Fallible<TestMessage> {
                    let mut message = message.clone();
                    message.set(field, &value)?;
                    Ok(message)
                },
            )
            .register_get(*field, |message: &mut TestMessage| message.get(field))
            .register_set(
                *field,
                |message: &mut TestMessage, value: Dynamic| -> Fallible<()> {
                    message.set(field, &value)
                },
            );
    }
}
