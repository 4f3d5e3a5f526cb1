//! The JSON Schema of the configuration file, so that editors complete and check it.

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::settings::{Given, Setting};
use super::types::Config;
use super::value::{parse_toml, to_json};

/// The schema of the whole file, in the draft that editors' TOML plug-ins understand.
pub fn schema() -> Schema {
    let mut schema = SchemaSettings::draft07()
        .into_generator()
        .into_root_schema_for::<Config>();
    schema.insert("title".into(), "deliveryd".into());
    schema
}

/// The schema of one table of settings.
pub fn table(generator: &mut SchemaGenerator, about: &str, settings: Vec<Setting>) -> Schema {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for setting in settings {
        let mut schema = setting.format.schema(generator);
        let mut description = setting.doc.trim().to_owned();
        match setting.given {
            Given::Required => required.push(Value::from(setting.key)),
            Given::Computed(what) => description.push_str(&format!("\n\nDefault: {what}.")),
            Given::Absent(what) => description.push_str(&format!("\n\nIf absent: {what}.")),
            // A table's default is that of its settings.
            Given::Default("{}") => {}
            Given::Default(text) => {
                let value = parse_toml(text).and_then(|value| to_json(&value));
                schema.insert("default".into(), value.unwrap_or_default());
            }
        }
        schema.insert("description".into(), description.into());
        properties.insert(setting.key.to_owned(), schema.to_value());
    }
    let mut schema = json_schema!({
        "type": "object",
        "description": about.trim(),
        "additionalProperties": false,
        "properties": properties,
    });
    if !required.is_empty() {
        schema.insert("required".into(), json!(required));
    }
    schema
}
