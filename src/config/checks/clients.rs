//! The daemon's own paths, and librdkafka's properties, which only the Kafka room can judge.

use std::io::Read;
use std::path::Path;

use figment::value::Value;

use super::{Checks, Said, owned};
use crate::config::format::is_file;
use crate::config::layers::Layer;
use crate::config::load::{PropertyPart, PropertyScope};
use crate::config::places::Spot;
use crate::config::secrets::{MASK, secret_property, without_number};
use crate::config::types::{Properties, PropertyValue};
use crate::config::value::dotted;
use crate::diagnostic::shown_path;

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
            // What the first line says already need not be said under the mark.
            let again = format!("{message}: ");
            let label = mistake.message.strip_prefix(&again);
            let said = Said {
                label: masked(label.unwrap_or(&mistake.message).to_owned()),
                message,
                hints: mistake.suggestion.map(masked).into_iter().collect(),
            };
            checks.mistake(&path, spot, said);
        }
        if is_file(name, value.expose()) {
            readable(checks, &path, name, value.expose());
        }
        if secret_property(name) && !matches!(checks.value(&path), Some(Value::Dict(..))) {
            plain_secret(checks, &path, name);
        }
    }
}

/// A file that a property names; librdkafka's own words for it would name neither.
fn readable(checks: &mut Checks<'_, '_>, path: &[&str], name: &str, file: &str) {
    let file = Path::new(file);
    // The authorities may also be a folder of certificates.
    let found = match file.is_dir() && name == "ssl.ca.location" {
        true => std::fs::read_dir(file).map(drop),
        false => std::fs::File::open(file).and_then(|mut file| file.read(&mut [0]).map(drop)),
    };
    if let Err(error) = found {
        let label = format!(
            "{} can't be read: {}",
            shown_path(file),
            without_number(&error)
        );
        let said = Said::new(format!("the file of `{name}` is not there"), label);
        checks.mistake(path, Spot::Value, said);
    }
}

/// A secret that is written where others can read it.
fn plain_secret(checks: &mut Checks<'_, '_>, path: &[&str], name: &str) {
    let layer = checks
        .tag(path)
        .map(|tag| checks.reader.report.origins().layer(tag));
    let on_the_command_line =
        matches!(layer, Some(Layer::Named(_, layer)) if layer.starts_with("--set"));
    if layer == Some(Layer::File) {
        let said = Said::new(
            format!("`{name}` is a secret in a plain file"),
            "anyone who can read the file has it",
        );
        let hint = "{ env = \"NAME\" } or { file = \"PATH\" } keeps it out of the file";
        checks.warning(path, Spot::Key, said.hint(hint));
    } else if on_the_command_line {
        let said = Said::new(
            format!("`{name}` is a secret on the command line"),
            "every user of this machine can read it in the list of processes",
        );
        let setting = dotted(&owned(path));
        let hint = format!(
            "say where it is instead: --set '{setting}={{ file = \"PATH\" }}', or {{ env = \"NAME\" }}"
        );
        checks.mistake(path, Spot::Key, said.hint(hint));
    }
}
