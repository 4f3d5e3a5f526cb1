//! Values on their way between TOML, figment, JSON and the reader's eye.

use figment::value::{Dict, Num, Value};
use toml_edit::{Item, TableLike};

/// A TOML table as figment's.
pub fn dict_from_toml(table: &dyn TableLike) -> Dict {
    table
        .iter()
        .filter_map(|(key, item)| Some((key.to_owned(), from_toml(item)?)))
        .collect()
}

/// A TOML item as figment's value; `None` for one that was removed. Times become text.
pub fn from_toml(item: &Item) -> Option<Value> {
    Some(match item {
        Item::None => return None,
        Item::Value(value) => from_toml_value(value),
        Item::Table(table) => Value::from(dict_from_toml(table)),
        Item::ArrayOfTables(tables) => {
            let tables = tables.iter().map(|table| dict_from_toml(table));
            Value::from(tables.map(Value::from).collect::<Vec<_>>())
        }
    })
}

fn from_toml_value(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => Value::from(text.value().as_str()),
        toml_edit::Value::Integer(number) => Value::from(*number.value()),
        toml_edit::Value::Float(number) => Value::from(*number.value()),
        toml_edit::Value::Boolean(flag) => Value::from(*flag.value()),
        toml_edit::Value::Datetime(time) => Value::from(time.value().to_string()),
        toml_edit::Value::Array(items) => {
            Value::from(items.iter().map(from_toml_value).collect::<Vec<_>>())
        }
        toml_edit::Value::InlineTable(table) => Value::from(dict_from_toml(table)),
    }
}

/// A single TOML value as it stands behind a `=`; `None` where the text is none.
pub fn parse_toml(text: &str) -> Option<Value> {
    let value: toml_edit::Value = text.trim().parse().ok()?;
    Some(from_toml_value(&value))
}

/// A value as TOML writes it behind a `=`, tables inline.
pub fn to_toml(value: &Value) -> toml_edit::Value {
    match value {
        Value::String(_, text) => text.as_str().into(),
        Value::Char(_, c) => c.to_string().into(),
        Value::Bool(_, flag) => (*flag).into(),
        Value::Num(_, number) => match (number.to_i128(), number.to_u128(), number.to_f64()) {
            (_, _, Some(float)) => float.into(),
            (Some(whole), _, _) => i64::try_from(whole).unwrap_or(i64::MAX).into(),
            (_, Some(whole), _) => i64::try_from(whole).unwrap_or(i64::MAX).into(),
            (None, None, None) => 0.into(),
        },
        Value::Empty(..) => "".into(),
        Value::Array(_, items) => items.iter().map(to_toml).collect(),
        Value::Dict(_, dict) => toml_edit::Value::InlineTable(
            dict.iter()
                .map(|(key, value)| (key.as_str(), to_toml(value)))
                .collect(),
        ),
    }
}

/// A value as JSON, for a handler's `params`; `None` for a number that JSON does not have.
pub fn to_json(value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::String(_, text) => text.as_str().into(),
        Value::Char(_, c) => c.to_string().into(),
        Value::Bool(_, flag) => (*flag).into(),
        Value::Num(_, number) => match whole(*number) {
            Some(whole) => i64::try_from(whole).ok()?.into(),
            None => serde_json::Number::from_f64(number.to_f64()?)?.into(),
        },
        Value::Empty(..) => serde_json::Value::Null,
        Value::Array(_, items) => items
            .iter()
            .map(to_json)
            .collect::<Option<Vec<_>>>()?
            .into(),
        Value::Dict(_, dict) => {
            let pairs = dict
                .iter()
                .map(|(key, value)| Some((key.clone(), to_json(value)?)));
            serde_json::Value::Object(pairs.collect::<Option<_>>()?)
        }
    })
}

/// The number in a value, if it is one.
pub fn num(value: &Value) -> Option<Num> {
    match value {
        Value::Num(_, number) => Some(*number),
        _ => None,
    }
}

/// The number, if it is a whole one by type (`3`, not `3.0`).
pub fn whole(number: Num) -> Option<i128> {
    match number.to_f64() {
        Some(_) => None,
        None => number
            .to_i128()
            .or_else(|| number.to_u128().and_then(|n| i128::try_from(n).ok())),
    }
}

/// A value as a message names it: short, and `a table` for what would be long.
pub fn found(value: &Value) -> String {
    const LONGEST: usize = 60;
    match value {
        Value::Dict(..) => "a table".into(),
        Value::Array(_, items) if items.is_empty() => "an empty list".into(),
        Value::Array(..) => "a list".into(),
        Value::String(_, text) if text.chars().count() > LONGEST => {
            let start: String = text.chars().take(LONGEST).collect();
            format!("{:?}", format!("{start}…"))
        }
        Value::String(_, text) => format!("{text:?}"),
        other => to_toml(other).to_string().trim().to_owned(),
    }
}

/// A key as TOML writes it, quoted where it must be.
pub fn key(name: &str) -> String {
    toml_edit::Key::new(name).display_repr().into_owned()
}

/// A path of keys as TOML writes it: `topics."orders.v1".partitions`.
pub fn dotted<'a>(path: impl IntoIterator<Item = &'a String>) -> String {
    let keys: Vec<String> = path.into_iter().map(|name| key(name)).collect();
    keys.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What TOML says survives the way to figment and back.
    #[test]
    fn toml_goes_there_and_back() {
        for text in [
            "1",
            "-7",
            "2.5",
            "true",
            "\"a b\"",
            "[1, 2]",
            "{ a = 1, b = [\"x\"] }",
        ] {
            let value = parse_toml(text).unwrap();
            assert_eq!(to_toml(&value).to_string().trim(), text);
        }
        assert_eq!(parse_toml("007"), None);
        assert_eq!(parse_toml("a,b"), None);
    }

    /// Keys with dots or spaces are quoted when shown.
    #[test]
    fn keys_are_quoted_where_needed() {
        assert_eq!(
            dotted(&["topics".into(), "orders.v1".into()]),
            "topics.\"orders.v1\""
        );
        assert_eq!(key("group-1"), "group-1");
    }
}
