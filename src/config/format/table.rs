//! Formats that hold others: lists, tables of settings, tables by name, and names that are not ours.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use figment::value::{Dict, Value};
use schemars::{Schema, SchemaGenerator, json_schema};

use super::scalar::Scalar;
use super::{Format, Shape};
use crate::config::places::Spot;
use crate::config::reader::Reader;
use crate::config::report::{At, Wrong};
use crate::config::settings::{Node, Settings, Wants};
use crate::config::value::{dotted, found, to_json, to_toml};

/// A format that may be absent.
pub struct Optional<F>(F);

/// `None` where nothing is given.
pub fn optional<F: Format>(format: F) -> Optional<F> {
    Optional(format)
}

impl<F: Format> Shape for Optional<F> {
    fn node(&self) -> Node {
        self.0.node()
    }
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        self.0.schema(generator)
    }
}

impl<F: Format> Format for Optional<F> {
    type Out = Option<F::Out>;
    fn read(&self, value: &Value, path: &[String], reader: &mut Reader<'_>) -> Option<Self::Out> {
        self.0.read(value, path, reader).map(Some)
    }
    fn stand_in(&self, _: &mut Reader<'_>) -> Self::Out {
        None
    }
}

/// A list of texts, each at most once.
pub struct List {
    item: Scalar<String>,
    least: usize,
}

/// A list of at least so many items.
pub fn list(item: Scalar<String>, least: usize) -> List {
    List { item, least }
}

impl Shape for List {
    fn node(&self) -> Node {
        Node::Value(Wants::List)
    }
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        let items = self.item.schema(generator);
        json_schema!({ "type": "array", "items": items, "minItems": self.least, "uniqueItems": true })
    }
}

impl Format for List {
    type Out = Vec<String>;
    fn read(&self, value: &Value, path: &[String], reader: &mut Reader<'_>) -> Option<Vec<String>> {
        let at = |spot| At {
            path,
            spot,
            tag: value.tag(),
        };
        let items = value.as_array().filter(|items| items.len() >= self.least);
        let Some(items) = items else {
            let least = if self.least > 0 {
                "a list with at least one of: "
            } else {
                "a list of: "
            };
            let wrong = Wrong::Expected(format!("{least}{}", self.item.expected));
            let hints = value
                .as_str()
                .map(|text| format!("in brackets: [{text:?}]"));
            reader.report.refuse(
                at(Spot::Value),
                &found(value),
                wrong,
                hints.into_iter().collect(),
            );
            return None;
        };
        let mut read = Vec::new();
        let mut good = true;
        for (index, item) in items.iter().enumerate() {
            match self.item.read_at(item, at(Spot::Item(index)), reader) {
                Some(text) if read.contains(&text) => {
                    let wrong = Wrong::Because("it is there twice".into());
                    reader
                        .report
                        .refuse(at(Spot::Item(index)), &found(item), wrong, vec![]);
                    good = false;
                }
                Some(text) => read.push(text),
                None => good = false,
            }
        }
        good.then_some(read)
    }
    fn stand_in(&self, _: &mut Reader<'_>) -> Vec<String> {
        Vec::new()
    }
}

/// A table with settings of its own.
pub struct Section<T>(PhantomData<T>);

/// The settings of `T`.
pub fn section<T: Settings>() -> Section<T> {
    Section(PhantomData)
}

impl<T: Settings> Shape for Section<T> {
    fn node(&self) -> Node {
        Node::Section(T::list)
    }
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

impl<T: Settings> Format for Section<T> {
    type Out = T;
    fn read(&self, value: &Value, path: &[String], reader: &mut Reader<'_>) -> Option<T> {
        Some(reader.table(value, path))
    }
    fn stand_in(&self, reader: &mut Reader<'_>) -> T {
        reader.stand_in()
    }
}

/// Tables by name.
pub struct Entries<T> {
    name: fn(&str) -> Option<String>,
    table: PhantomData<T>,
}

/// Tables with the settings of `T`, whose names `name` finds nothing wrong with.
pub fn entries<T: Settings>(name: fn(&str) -> Option<String>) -> Entries<T> {
    Entries {
        name,
        table: PhantomData,
    }
}

impl<T: Settings> Shape for Entries<T> {
    fn node(&self) -> Node {
        Node::Entries(T::list)
    }
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "additionalProperties": table })
    }
}

impl<T: Settings> Format for Entries<T> {
    type Out = BTreeMap<String, T>;
    fn read(&self, value: &Value, path: &[String], reader: &mut Reader<'_>) -> Option<Self::Out> {
        let mut read = BTreeMap::new();
        for (name, table) in pairs(value, path, reader)? {
            let mut path = path.to_vec();
            path.push(name.clone());
            if let Some(mistake) = (self.name)(name) {
                let at = At {
                    path: &path,
                    spot: Spot::Key,
                    tag: table.tag(),
                };
                let message = format!("{name:?} can't be the name of {}", T::WHAT);
                reader.report.mistake(at, message, mistake, vec![]);
            }
            if let Some(table) = reader.unquoted::<T>(table, &path) {
                read.insert(name.clone(), reader.table(&table, &path));
            }
        }
        Some(read)
    }
    fn stand_in(&self, _: &mut Reader<'_>) -> Self::Out {
        BTreeMap::new()
    }
}

/// Values by names that are not ours, each read by a function.
pub struct Pairs<T> {
    pub(super) node: Node,
    pub(super) schema: fn() -> Schema,
    pub(super) read: ReadPair<T>,
}

type ReadPair<T> = fn(&Value, &[String], &mut Reader<'_>) -> Option<T>;

impl<T> Shape for Pairs<T> {
    fn node(&self) -> Node {
        self.node
    }
    fn schema(&self, _: &mut SchemaGenerator) -> Schema {
        let values = (self.schema)();
        json_schema!({ "type": "object", "additionalProperties": values })
    }
}

impl<T> Format for Pairs<T> {
    type Out = BTreeMap<String, T>;
    fn read(&self, value: &Value, path: &[String], reader: &mut Reader<'_>) -> Option<Self::Out> {
        let mut read = BTreeMap::new();
        for (name, value) in pairs(value, path, reader)? {
            let mut path = path.to_vec();
            path.push(name.clone());
            match (self.read)(value, &path, reader) {
                Some(value) => drop(read.insert(name.clone(), value)),
                None => reader.report.spoil(&path),
            }
        }
        Some(read)
    }
    fn stand_in(&self, _: &mut Reader<'_>) -> Self::Out {
        BTreeMap::new()
    }
}

/// Kafka's topic configuration.
pub fn texts() -> Pairs<String> {
    Pairs {
        node: Node::Pairs {
            values: Wants::Text,
            kafka: true,
        },
        schema: || json_schema!({ "type": ["string", "number", "boolean"] }),
        read: |value, path, reader| {
            let text = plain(value);
            if text.is_none() {
                refuse_pair(value, path, "text, a number or true or false", reader);
            }
            text
        },
    }
}

/// Constants for a handler.
pub fn params() -> Pairs<serde_json::Value> {
    Pairs {
        node: Node::Pairs {
            values: Wants::Toml,
            kafka: false,
        },
        schema: || json_schema!(true),
        read: |value, path, reader| {
            let json = to_json(value);
            if json.is_none() {
                refuse_pair(value, path, "a value that JSON has too", reader);
            }
            json
        },
    }
}

/// A plain value as Kafka takes it: as text.
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Bool(..) | Value::Num(..) => Some(to_toml(value).to_string().trim().to_owned()),
        _ => None,
    }
}

pub(super) fn refuse_pair(value: &Value, path: &[String], expected: &str, reader: &mut Reader<'_>) {
    let at = At {
        path,
        spot: Spot::Value,
        tag: value.tag(),
    };
    reader
        .report
        .refuse(at, &found(value), Wrong::Expected(expected.into()), vec![]);
}

fn pairs<'v>(value: &'v Value, path: &[String], reader: &mut Reader<'_>) -> Option<&'v Dict> {
    let dict = value.as_dict();
    if dict.is_none() {
        let at = At {
            path,
            spot: Spot::Value,
            tag: value.tag(),
        };
        let hint = format!("written as `[{}.NAME]`", dotted(path));
        let hints = value.as_array().map(|_| hint).into_iter().collect();
        let wrong = Wrong::Expected("a table".into());
        reader.report.refuse(at, &found(value), wrong, hints);
    }
    dict
}
