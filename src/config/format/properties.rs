//! The format of librdkafka's properties, whose values may be secrets from somewhere else.

use figment::value::{Dict, Value};
use schemars::json_schema;

use super::table::{Pairs, plain, refuse_pair};
use crate::config::places::Spot;
use crate::config::reader::Reader;
use crate::config::report::{At, Wrong};
use crate::config::secrets;
use crate::config::settings::{Node, Wants};
use crate::config::types::PropertyValue;
use crate::config::value::dotted;
use crate::diagnostic::tidy;

/// librdkafka's properties; the values may be secrets.
pub fn properties() -> Pairs<PropertyValue> {
    Pairs {
        node: Node::Pairs {
            values: Wants::Text,
            kafka: true,
        },
        schema: || {
            json_schema!({ "anyOf": [
                { "type": ["string", "number", "boolean"] },
                { "type": "object", "required": ["env"], "additionalProperties": false,
                  "properties": { "env": { "type": "string", "description": "the environment variable with the secret" } } },
                { "type": "object", "required": ["file"], "additionalProperties": false,
                  "properties": { "file": { "type": "string", "description": "the file with the secret" } } },
                { "type": "object", "required": ["credential"], "additionalProperties": false,
                  "properties": { "credential": { "type": "string", "description": "the credential of the systemd service with the secret" } } },
            ] })
        },
        read: property,
    }
}

fn property(value: &Value, path: &[String], reader: &mut Reader<'_>) -> Option<PropertyValue> {
    let name = path.last().map_or("", String::as_str);
    if let Value::Dict(_, dict) = value {
        return secret(dict, value, path, reader).map(PropertyValue::Secret);
    }
    match plain(value) {
        Some(text) if is_file(name, &text) => {
            let base = reader.report.origins().base(value.tag());
            let whole = tidy(&base.join(text));
            Some(PropertyValue::Plain(whole.display().to_string()))
        }
        Some(text) if secrets::secret_property(name) => Some(PropertyValue::Secret(text)),
        Some(text) => Some(PropertyValue::Plain(text)),
        None => {
            refuse_pair(
                value,
                path,
                "text, a number, true or false, or a secret",
                reader,
            );
            None
        }
    }
}

/// Whether this value of a property names a file, such as `ssl.ca.location`. Not `probe`, by which
/// librdkafka looks for the system's authorities.
pub fn is_file(name: &str, text: &str) -> bool {
    name.ends_with(".location") && !text.is_empty() && text != "probe"
}

/// `{ env = "NAME" }`, `{ file = "PATH" }` or `{ credential = "NAME" }`.
fn secret(dict: &Dict, value: &Value, path: &[String], reader: &mut Reader<'_>) -> Option<String> {
    let entry = reader.report.origins().topmost(dict);
    let fetched = match entry.map(|(source, value)| (source.as_str(), value.as_str())) {
        Some(("env", Some(name))) => {
            secrets::from_variable(name, reader.report.origins().env.get(name))
        }
        Some(("file", Some(file))) => {
            let base = reader.report.origins().base(value.tag());
            secrets::from_file(&tidy(&base.join(file)))
        }
        Some(("credential", Some(name))) => {
            let directory = reader.report.origins().env.get("CREDENTIALS_DIRECTORY");
            secrets::from_credential(name, directory)
        }
        _ => {
            explain_secret(dict, value, path, reader);
            return None;
        }
    };
    fetched
        .map_err(|mistake| {
            let at = At {
                path,
                spot: Spot::Value,
                tag: value.tag(),
            };
            let key = path.last().map_or("", String::as_str);
            let message = format!("the secret of `{key}` is not there");
            reader.report.mistake(at, message, mistake, vec![]);
        })
        .ok()
}

fn explain_secret(dict: &Dict, value: &Value, path: &[String], reader: &mut Reader<'_>) {
    let at = At {
        path,
        spot: Spot::Key,
        tag: value.tag(),
    };
    let named_source = dict
        .keys()
        .any(|key| secrets::SOURCES.contains(&key.as_str()));
    if named_source || dict.is_empty() {
        let at = At {
            spot: Spot::Value,
            ..at
        };
        let expected =
            "one of { env = \"NAME\" }, { file = \"PATH\" } and { credential = \"NAME\" }";
        reader
            .report
            .refuse(at, "this table", Wrong::Expected(expected.into()), vec![]);
        return;
    }
    // `security.protocol = "SSL"` without quotes is a table in a table.
    let mut name = path.last().cloned().unwrap_or_default();
    let mut inner = Some(dict);
    while let Some((key, value)) = inner.and_then(|dict| dict.iter().next()) {
        name = format!("{name}.{key}");
        inner = value.as_dict();
    }
    let hint = format!("a name with a dot is quoted: {} = …", dotted([&name]));
    let message = format!("`{name}` is read as a table in a table");
    reader
        .report
        .mistake(at, message, "not the name of a property", vec![hint]);
}
