//! `config show`: the effective configuration as TOML, each value with the layer it came from.

use std::fmt::{self, Write};

use figment::value::{Dict, Value};

use super::checks::unused_interval;
use super::format::is_file;
use super::layers::{Layer, Origins};
use super::secrets::{MASK, secret_property};
use super::settings::{Given, Node, Setting, Settings, Wants};
use super::types::Config;
use super::value::{dotted, key, to_toml};
use crate::diagnostic::tidy;

/// Every value of a checked configuration with the layer it came from.
pub struct Effective {
    merged: Dict,
    origins: Origins,
}

impl Effective {
    pub(super) fn new(config: &Config, mut merged: Dict, origins: Origins) -> Self {
        // The interval that a group does not use would be refused if this were read again.
        if let Some(Value::Dict(_, groups)) = merged.get_mut("groups") {
            for (id, group) in groups {
                if let (Value::Dict(_, table), Some(group)) = (group, config.groups.get(id)) {
                    table.remove(unused_interval(group.guarantee));
                }
            }
        }
        // So would the size of a topic that is as others made it.
        if let Some(Value::Dict(_, topics)) = merged.get_mut("topics") {
            for (name, topic) in topics {
                if let (Value::Dict(_, table), Some(topic)) = (topic, config.topics.get(name)) {
                    table.retain(|setting, _| match setting.as_str() {
                        "partitions" => topic.partitions.is_some(),
                        "replication" => topic.replication.is_some(),
                        _ => true,
                    });
                }
            }
        }
        Self { merged, origins }
    }

    /// Writes it as TOML that means the same anywhere: paths are absolute. Secrets are masked.
    ///
    /// # Errors
    /// What `out` says.
    pub fn write(&self, out: &mut dyn Write) -> fmt::Result {
        self.settings(out, &mut Vec::new(), &Config::list(), &self.merged)
    }

    fn settings(
        &self,
        out: &mut dyn Write,
        path: &mut Vec<String>,
        settings: &[Setting],
        dict: &Dict,
    ) -> fmt::Result {
        let mut lines = Vec::new();
        for setting in settings {
            path.push(setting.key.to_owned());
            if let Node::Value(wants) = setting.format.node() {
                lines.push(self.value_line(path, setting, dict.get(setting.key), wants));
            }
            path.pop();
        }
        if !path.is_empty() {
            self.header(out, path, lines)?;
        }
        for setting in settings {
            let Some(Value::Dict(_, inner)) = dict.get(setting.key) else {
                continue;
            };
            path.push(setting.key.to_owned());
            match setting.format.node() {
                Node::Value(_) => {}
                Node::Section(settings) => self.settings(out, path, &settings(), inner)?,
                Node::Pairs { .. } => self.pairs(out, path, inner)?,
                Node::Entries(settings) => {
                    for (name, table) in inner {
                        path.push(name.clone());
                        let empty = Dict::new();
                        let table = table.as_dict().unwrap_or(&empty);
                        self.settings(out, path, &settings(), table)?;
                        path.pop();
                    }
                }
            }
            path.pop();
        }
        Ok(())
    }

    /// A table's header and its lines, the comments in one column as far as the values are short.
    fn header(
        &self,
        out: &mut dyn Write,
        path: &[String],
        lines: Vec<(String, String)>,
    ) -> fmt::Result {
        const WIDEST: usize = 48;
        let widths = lines.iter().map(|(value, _)| value.chars().count());
        let column = widths.filter(|width| *width <= WIDEST).max().unwrap_or(0);
        writeln!(out, "[{}]", dotted(path))?;
        for (value, comment) in lines {
            let comment = comment.replace(char::is_control, "\u{fffd}");
            if value.is_empty() {
                writeln!(out, "# {comment}")?;
            } else {
                writeln!(out, "{value:column$}  # {comment}")?;
            }
        }
        writeln!(out)
    }

    fn pairs(&self, out: &mut dyn Write, path: &mut Vec<String>, dict: &Dict) -> fmt::Result {
        if dict.is_empty() {
            return Ok(());
        }
        let secrets = path.last().is_some_and(|table| table == "properties");
        let mut lines = Vec::new();
        for (name, value) in dict {
            path.push(name.clone());
            let from_elsewhere = value.as_dict().filter(|_| secrets);
            let mut comment = self.origin(path, value);
            let shown = if let Some(source) = from_elsewhere {
                let source = self
                    .origins
                    .topmost(source)
                    .map(|(kind, name)| (kind.as_str(), name.as_str()));
                comment.push_str(&match source {
                    Some(("env", Some(name))) => format!(", from environment variable {name}"),
                    Some(("file", Some(file))) => format!(", from {file}"),
                    Some(("credential", Some(name))) => format!(", from credential {name}"),
                    _ => String::new(),
                });
                Value::from(MASK)
            } else if secrets && secret_property(name) {
                Value::from(MASK)
            } else if let Value::String(tag, text) = value
                && secrets
                && is_file(name, text)
            {
                let whole = tidy(&self.origins.base(*tag).join(text));
                Value::from(whole.display().to_string())
            } else {
                value.clone()
            };
            lines.push((line(name, &shown), comment));
            path.pop();
        }
        self.header(out, path, lines)
    }

    /// `key = value` and its comment; no value where there is none.
    fn value_line(
        &self,
        path: &[String],
        setting: &Setting,
        value: Option<&Value>,
        wants: Wants,
    ) -> (String, String) {
        match (value, setting.given) {
            (Some(Value::String(tag, text)), _) if wants == Wants::Path => {
                let whole = tidy(&self.origins.base(*tag).join(text));
                let comment = self.origin(path, &Value::String(*tag, text.clone()));
                (
                    line(setting.key, &Value::from(whole.display().to_string())),
                    comment,
                )
            }
            (Some(value), _) => (line(setting.key, value), self.origin(path, value)),
            (None, Given::Absent(what)) => {
                (String::new(), format!("{} is not set: {what}", setting.key))
            }
            (None, _) => (String::new(), format!("{} is not used", setting.key)),
        }
    }

    fn origin(&self, path: &[String], value: &Value) -> String {
        match self.origins.layer(value.tag()) {
            Layer::Default => "default".into(),
            Layer::Named(_, name) => name.to_owned(),
            Layer::File => {
                let file = self.origins.file();
                match file.line(path) {
                    Some(line) => format!("{}:{line}", file.shown()),
                    None => file.shown().to_owned(),
                }
            }
        }
    }
}

fn line(name: &str, value: &Value) -> String {
    format!("{} = {}", key(name), to_toml(value).to_string().trim())
}
