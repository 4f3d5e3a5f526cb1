//! The configurations in `config/`, and the schema.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::value::{dict_from_toml, to_json};
use crate::config::{Brokers, Config, Invocation, Permissive, Rate, load, schema};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("config")
        .join(name)
}

fn sample(name: &str) -> Config {
    let env = BTreeMap::from([("DELIVERYD_SASL_PASSWORD".to_owned(), "hunter2".to_owned())]);
    let invocation = Invocation {
        file: file(name),
        sets: vec![],
        env,
    };
    let loaded = load(&invocation, &Permissive);
    let loaded = loaded.unwrap_or_else(|failed| panic!("{name}: {:#?}", failed.mistakes));
    assert!(loaded.warnings.is_empty(), "{name}: {:?}", loaded.warnings);
    loaded.config
}

fn as_json(name: &str) -> Value {
    let text = std::fs::read_to_string(file(name)).unwrap();
    let document = text.parse::<toml_edit::DocumentMut>().unwrap();
    to_json(&dict_from_toml(document.as_table()).into()).unwrap()
}

/// The default configuration is the hand-run lesson: one topic of two partitions, a producer, a
/// group of two members and one of one, on the embedded broker.
#[test]
fn default_is_the_lesson() {
    let config = sample("default.toml");
    assert_eq!(config.kafka.brokers, Brokers::Embedded);
    assert_eq!(config.topics["Delivery"].partitions, Some(2));
    assert_eq!(config.producers["random"].rate, Rate::PerSecond(5.0));
    let members = |id: &str| (config.groups[id].topics.clone(), config.groups[id].members);
    assert_eq!(members("group-1"), (vec!["Delivery".to_owned()], 2));
    assert_eq!(members("group-2"), (vec!["Delivery".to_owned()], 1));
    assert_eq!(
        (
            config.topics.len(),
            config.producers.len(),
            config.groups.len()
        ),
        (1, 1, 2)
    );
}

/// `kafka.toml` differs from the default in nothing but the broker.
#[test]
fn kafka_is_the_same_on_a_real_broker() {
    let (mut default, mut kafka) = (sample("default.toml"), sample("kafka.toml"));
    assert_eq!(
        kafka.kafka.brokers,
        Brokers::Servers("localhost:9092".into())
    );
    default.kafka.brokers = kafka.kafka.brokers.clone();
    kafka.file = default.file.clone();
    assert_eq!(default, kafka);
}

/// Every setting that there is, as `(table, setting)`.
fn every_setting() -> Vec<(String, String)> {
    let schema = schema().to_value();
    let mut tables = vec![("Config".to_owned(), &schema)];
    let definitions = schema["definitions"].as_object().unwrap();
    tables.extend(
        definitions
            .iter()
            .map(|(name, table)| (name.clone(), table)),
    );
    let settings = tables.iter().flat_map(|(name, table)| {
        let keys = table["properties"].as_object().unwrap().keys();
        keys.map(move |key| (name.clone(), key.clone()))
    });
    settings.collect()
}

/// The reference has every setting of every table.
#[test]
fn reference_has_every_setting() {
    sample("reference.toml");
    let file = as_json("reference.toml");
    let tables = |name: &str| match name {
        "Config" => vec![&file],
        "Daemon" => vec![&file["daemon"]],
        "Log" => vec![&file["log"]],
        "Kafka" => vec![&file["kafka"]],
        "Topic" => file["topics"].as_object().unwrap().values().collect(),
        "Producer" => file["producers"].as_object().unwrap().values().collect(),
        "Group" => file["groups"].as_object().unwrap().values().collect(),
        "Limits" => vec![&file["groups"]["billing"]["limits"]],
        "OnFailure" => vec![&file["groups"]["billing"]["on_failure"]],
        other => panic!("a table that the reference test does not know: {other}"),
    };
    let settings = every_setting();
    assert!(settings.len() > 60, "{}", settings.len());
    for (table, key) in settings {
        let there = tables(&table).iter().any(|table| table.get(&key).is_some());
        assert!(
            there,
            "{key} of {table} is missing from config/reference.toml"
        );
    }
}

/// Each setting has a description for the editor.
#[test]
fn schema_describes_every_setting() {
    let schema = schema().to_value();
    let tables = schema["definitions"]
        .as_object()
        .unwrap()
        .values()
        .chain([&schema]);
    for table in tables {
        for (key, setting) in table["properties"].as_object().unwrap() {
            let described = setting["description"].as_str();
            assert!(
                described.is_some_and(|text| text.len() > 10),
                "{key}: {setting}"
            );
            // The editors' draft ignores what stands beside a `$ref`.
            assert!(setting["$ref"].is_null(), "{key}: {setting}");
        }
        assert_eq!(table["additionalProperties"], Value::Bool(false));
    }
}

/// What the schema says of a value, as far as our schema goes: one line for each mistake.
fn mistakes(schema: &Value, root: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    if let Some(path_to) = schema["$ref"].as_str() {
        let target = root.pointer(path_to.trim_start_matches('#')).unwrap();
        return mistakes(target, root, value, path, found);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        mistakes(part, root, value, path, found);
    }
    let mut wrong = |what: &str| found.push(format!("{path}: {what}"));
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        other => panic!("unknown type {other}"),
    };
    let types: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    if !types.is_empty() && !types.iter().any(|name| is(name)) {
        wrong("another type");
    }
    if schema["enum"]
        .as_array()
        .is_some_and(|all| !all.contains(value))
    {
        wrong("not in the enum");
    }
    if !schema["const"].is_null() && schema["const"] != *value {
        wrong("not the constant");
    }
    let number = value.as_f64();
    let below = |limit: &str| {
        number
            .zip(schema[limit].as_f64())
            .map(|(n, limit)| n - limit)
    };
    if below("minimum").is_some_and(|by| by < 0.0)
        || below("maximum").is_some_and(|by| by > 0.0)
        || below("exclusiveMinimum").is_some_and(|by| by <= 0.0)
    {
        wrong("out of range");
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let fits = |choice: &Value| {
            let mut found = vec![];
            mistakes(choice, root, value, path, &mut found);
            found.is_empty()
        };
        if !choices.iter().any(fits) {
            wrong("none of the choices");
        }
    }
    if let Some(object) = value.as_object() {
        for required in schema["required"].as_array().into_iter().flatten() {
            if !object.contains_key(required.as_str().unwrap()) {
                wrong(&format!("{required} is missing"));
            }
        }
        for (key, value) in object {
            let path = format!("{path}.{key}");
            match (&schema["properties"][key], &schema["additionalProperties"]) {
                (Value::Null, Value::Bool(false)) => found.push(format!("{path}: unknown")),
                (Value::Null, Value::Object(_)) => {
                    mistakes(&schema["additionalProperties"], root, value, &path, found);
                }
                (Value::Null, _) => {}
                (property, _) => mistakes(property, root, value, &path, found),
            }
        }
    }
    for item in value.as_array().into_iter().flatten() {
        mistakes(&schema["items"], root, item, &format!("{path}[]"), found);
    }
}

/// The samples are right by the schema that editors get.
#[test]
fn samples_fit_the_schema() {
    let schema = schema().to_value();
    for name in ["default.toml", "kafka.toml", "reference.toml"] {
        let mut found = Vec::new();
        mistakes(&schema, &schema, &as_json(name), name, &mut found);
        assert!(found.is_empty(), "{found:#?}");
    }
}

/// The schema finds what is wrong where a schema can: names, types, ranges, what is missing.
#[test]
fn schema_refuses_what_is_wrong() {
    let schema = schema().to_value();
    let wrong = serde_json::json!({
        "daemon": { "watch": "event" },
        "topic": {},
        "topics": { "a": { "partitions": 0 } },
        "groups": { "g": { "topics": "a", "rate": 0, "on_failure": { "retries": "3" } } },
        "kafka": { "properties": { "a": { "env": "A", "file": "b" } } },
    });
    let mut found = Vec::new();
    mistakes(&schema, &schema, &wrong, "", &mut found);
    found.sort();
    let expected = [
        ".daemon.watch: not in the enum",
        ".groups.g.on_failure.retries: another type",
        ".groups.g.rate: none of the choices",
        ".groups.g.topics: another type",
        ".groups.g: \"handler\" is missing",
        ".kafka.properties.a: none of the choices",
        ".topic: unknown",
        ".topics.a.partitions: out of range",
    ];
    assert_eq!(found, expected);
}
