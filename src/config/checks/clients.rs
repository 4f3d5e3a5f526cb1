//! The daemon's own paths, and librdkafka's properties, which only the Kafka room can judge.

use figment::value::Value;

use super::{Checks, Said};
use crate::config::layers::Layer;
use crate::config::load::{PropertyPart, PropertyScope};
use crate::config::places::Spot;
use crate::config::secrets::{MASK, secret_property};
use crate::config::types::{Properties, PropertyValue};

/// What fits into a socket's address with the zero at its end (`sun_path`, unix(7)).
const LONGEST_SOCKET: usize = 107;

pub fn check(checks: &mut Checks<'_, '_>) {
    socket(checks);
    let config = checks.config;
    properties(
        checks,
        &["kafka", "properties"],
        PropertyScope::Everyone,
        &config.kafka.properties,
    );
    for (id, group) in &config.groups {
        properties(
            checks,
            &["groups", id, "properties"],
            PropertyScope::Group,
            &group.properties,
        );
    }
}

fn socket(checks: &mut Checks<'_, '_>) {
    let length = checks.config.daemon.control.as_os_str().len();
    if length > LONGEST_SOCKET {
        let label =
            format!("a socket's path has at most {LONGEST_SOCKET} bytes, this has {length}");
        checks.mistake(
            &["daemon", "control"],
            Spot::Value,
            Said::new("`control` is too long", label),
        );
    }
}

fn properties(
    checks: &mut Checks<'_, '_>,
    table: &[&str],
    scope: PropertyScope,
    properties: &Properties,
) {
    for (name, value) in properties {
        let path = [table, &[name.as_str()]].concat();
        if let Err(mistake) = checks.outside.property(scope, name, value.expose()) {
            let masked = |text: String| match value {
                PropertyValue::Secret(secret) if !secret.is_empty() => text.replace(secret, MASK),
                _ => text,
            };
            let message = match (mistake.part, value) {
                (PropertyPart::Name, _) => format!("the property `{name}` can't be set"),
                (PropertyPart::Value, PropertyValue::Secret(_)) => {
                    format!("`{name}` can't have this value")
                }
                (PropertyPart::Value, PropertyValue::Plain(value)) => {
                    format!("`{name}` can't be {value:?}")
                }
            };
            let spot = match mistake.part {
                PropertyPart::Name => Spot::Key,
                PropertyPart::Value => Spot::Value,
            };
            let said = Said {
                message,
                label: masked(mistake.message),
                hints: mistake.suggestion.map(masked).into_iter().collect(),
            };
            checks.mistake(&path, spot, said);
        }
        let layer = checks
            .tag(&path)
            .map(|tag| checks.reader.report.origins().layer(tag));
        let plainly =
            !matches!(checks.value(&path), Some(Value::Dict(..))) && secret_property(name);
        if plainly && layer == Some(Layer::File) {
            let said = Said::new(
                format!("`{name}` is a secret in a plain file"),
                "anyone who can read the file has it",
            );
            let hint = "{ env = \"NAME\" } or { file = \"PATH\" } keeps it out of the file";
            checks.warning(&path, Spot::Key, said.hint(hint));
        }
    }
}
