//! Settings from environment variables and from `--set`.
//!
//! A variable's name is matched against the names that are there, since it can say neither case nor
//! `-` nor `.`; it creates no table. A `--set` names its setting exactly, and may create tables.

use std::collections::BTreeMap;

use figment::value::{Dict, Value};

use super::layers::LayerData;
use super::names::{fold, suggest};
use super::settings::{Node, Setting, Wants};
use super::value::{dotted, parse_toml};
use crate::diagnostic::{Diagnostic, Place};

/// What every variable of ours begins with.
pub const PREFIX: &str = "DELIVERYD_";
const LEVEL: &str = "__";

/// The layers of all variables that are settings, those with `__` behind the prefix, by name.
///
/// `settings` are those of the whole configuration, `present` is what lower layers and `--set` have.
/// Mistakes are added to `mistakes`.
pub fn from_environment(
    env: &BTreeMap<String, String>,
    settings: &[Setting],
    present: &Dict,
    mistakes: &mut Vec<Diagnostic>,
) -> Vec<LayerData> {
    let mut layers = Vec::new();
    for (variable, text) in env {
        let Some(name) = variable
            .strip_prefix(PREFIX)
            .filter(|name| name.contains(LEVEL))
        else {
            continue;
        };
        let layer = format!("environment variable {variable}");
        let segments: Vec<&str> = name.split(LEVEL).collect();
        match find(&segments, settings, present) {
            Ok((path, wants)) => {
                layers.push(LayerData::single(layer, &path, from_text(text, wants)))
            }
            Err(unmatched) => mistakes.push(Diagnostic {
                message: "this variable names no setting".into(),
                place: Place::Layer(layer),
                label: unmatched.reason,
                hints: unmatched
                    .meant
                    .map(|meant| did_you_mean(&meant))
                    .into_iter()
                    .collect(),
            }),
        }
    }
    layers
}

fn did_you_mean(segments: &[String]) -> String {
    format!("did you mean `{PREFIX}{}`?", segments.join(LEVEL))
}

/// Why a variable is no setting, and which one was perhaps meant, by segments.
struct Unmatched {
    reason: String,
    meant: Option<Vec<String>>,
}

/// A setting's path of keys, and how its text is read.
type Found = (Vec<String>, Wants);

fn find(segments: &[&str], settings: &[Setting], present: &Dict) -> Result<Found, Unmatched> {
    let Some((first, rest)) = segments.split_first() else {
        return Err(Unmatched {
            reason: "it names a table; add a setting of it".into(),
            meant: None,
        });
    };
    if first.is_empty() {
        let reason = format!("a name is missing before or after a `{LEVEL}`");
        return Err(Unmatched {
            reason,
            meant: None,
        });
    }
    let Some(setting) = settings
        .iter()
        .find(|setting| fold(setting.key) == fold(first))
    else {
        let meant = suggest(first, settings.iter().map(|setting| setting.key));
        return Err(Unmatched {
            reason: format!(
                "there is no setting `{}` at this place",
                first.to_lowercase()
            ),
            meant: meant.map(|meant| with_rest(upper(meant), rest)),
        });
    };
    let there = present
        .get(setting.key)
        .and_then(Value::as_dict)
        .cloned()
        .unwrap_or_default();
    let found = match setting.format.node() {
        Node::Value(wants) if rest.is_empty() => Ok((vec![], wants)),
        Node::Value(_) => {
            let reason = format!("`{}` has nothing inside", setting.key);
            Err(Unmatched {
                reason,
                meant: Some(vec![]),
            })
        }
        Node::Section(inner) => find(rest, &inner(), &there),
        Node::Entries(inner) => find_entry(rest, setting.key, &inner(), &there),
        Node::Pairs { values, kafka } => find_pair(rest, setting.key, &there, values, kafka),
    };
    match found {
        Ok((mut path, wants)) => {
            path.insert(0, setting.key.to_owned());
            Ok((path, wants))
        }
        Err(Unmatched { reason, meant }) => {
            let meant = meant.map(|mut meant| {
                meant.insert(0, upper(setting.key));
                meant
            });
            Err(Unmatched { reason, meant })
        }
    }
}

/// A table by name and a setting in it. The name may itself have `__` in it.
fn find_entry(
    segments: &[&str],
    section: &str,
    settings: &[Setting],
    present: &Dict,
) -> Result<Found, Unmatched> {
    let Some(first) = segments.first() else {
        return find(segments, settings, present);
    };
    for length in (1..=segments.len()).rev() {
        let name = segments[..length].join(LEVEL);
        let rest = &segments[length..];
        let Some(known) = one(&name, section, present)? else {
            continue;
        };
        let inner = present
            .get(known)
            .and_then(Value::as_dict)
            .cloned()
            .unwrap_or_default();
        return match find(rest, settings, &inner) {
            Ok((mut path, wants)) => {
                path.insert(0, known.clone());
                Ok((path, wants))
            }
            Err(Unmatched { reason, meant }) => {
                let meant = meant.map(|mut meant| {
                    meant.insert(0, name);
                    meant
                });
                Err(Unmatched { reason, meant })
            }
        };
    }
    let meant = suggest(first, present.keys().map(String::as_str));
    Err(Unmatched {
        reason: format!(
            "there is nothing named `{first}` in `{section}`, and variables create no tables"
        ),
        meant: meant.map(|meant| with_rest(upper(meant), &segments[1..])),
    })
}

fn find_pair(
    segments: &[&str],
    section: &str,
    present: &Dict,
    values: Wants,
    kafka: bool,
) -> Result<Found, Unmatched> {
    let name = segments.join(LEVEL);
    if name.is_empty() {
        return Err(Unmatched {
            reason: "it names a table; add a name in it".into(),
            meant: None,
        });
    }
    if let Some(known) = one(&name, section, present)? {
        return Ok((vec![known.clone()], values));
    }
    if kafka {
        // Kafka's own names are known by their form: `SASL_PASSWORD` is `sasl.password`.
        return Ok((vec![name.to_lowercase().replace('_', ".")], values));
    }
    let meant = suggest(&name, present.keys().map(String::as_str));
    Err(Unmatched {
        reason: format!("there is nothing named `{name}` in `{section}`; `--set` can add it"),
        meant: meant.map(|meant| vec![upper(meant)]),
    })
}

/// The name that a segment stands for: itself, or the only one that differs in no more than a
/// variable's name can not say.
fn one<'d>(
    segment: &str,
    section: &str,
    present: &'d Dict,
) -> Result<Option<&'d String>, Unmatched> {
    if let Some((exact, _)) = present.get_key_value(segment) {
        return Ok(Some(exact));
    }
    let mut matching = present.keys().filter(|name| fold(name) == fold(segment));
    match (matching.next(), matching.next()) {
        (Some(first), Some(second)) => Err(Unmatched {
            reason: format!("`{segment}` could be `{first}` or `{second}` in `{section}`"),
            meant: None,
        }),
        (first, _) => Ok(first),
    }
}

fn upper(name: &str) -> String {
    fold(name).to_uppercase()
}

fn with_rest(first: String, rest: &[&str]) -> Vec<String> {
    std::iter::once(first)
        .chain(rest.iter().map(|segment| segment.to_uppercase()))
        .collect()
}

fn from_text(text: &str, wants: Wants) -> Value {
    match wants {
        Wants::Text | Wants::Path => Value::from(text),
        Wants::Toml => parse_toml(text).unwrap_or_else(|| Value::from(text)),
        Wants::List => match parse_toml(text) {
            Some(list @ Value::Array(..)) => list,
            _ => Value::from(
                text.split(',')
                    .map(|item| item.trim().to_owned())
                    .collect::<Vec<_>>(),
            ),
        },
    }
}

/// A `--set key=value`: the path of keys, and the value as it was typed.
pub struct Set {
    pub path: Vec<String>,
    text: String,
}

impl Set {
    /// Takes `key=value` apart.
    ///
    /// # Errors
    /// There is no `=`, or the key is none of TOML's.
    pub fn parse(argument: &str) -> Result<Self, Box<Diagnostic>> {
        let mistake = |message: &str, label: String| {
            Box::new(Diagnostic {
                message: message.into(),
                place: Place::Layer(format!(
                    "--set {}",
                    argument.split('=').next().unwrap_or_default()
                )),
                label,
                hints: vec!["such as --set 'groups.\"group-1\".members=3'".into()],
            })
        };
        let Some((key, text)) = split(argument) else {
            return Err(mistake(
                "`--set` needs a value",
                "expected key=value".into(),
            ));
        };
        match toml_edit::Key::parse(key.trim()) {
            Ok(keys) => Ok(Self {
                path: keys.iter().map(|key| key.get().to_owned()).collect(),
                text: text.to_owned(),
            }),
            Err(error) => {
                let label = error.message().trim().replace('\n', ", ");
                Err(mistake("this is not a key of the configuration", label))
            }
        }
    }

    /// Its layer, the value read as the setting wants it.
    pub fn layer(&self, settings: &[Setting]) -> LayerData {
        let wants = wants(&self.path, settings);
        let toml = parse_toml(&self.text);
        let value = match (wants, toml) {
            // What is a number in TOML, and text where it goes, is the text that was typed.
            (Wants::Text | Wants::Path, Some(Value::Num(..) | Value::Bool(..))) => {
                Value::from(self.text.as_str())
            }
            (_, Some(value)) => value,
            (wants, None) => from_text(&self.text, wants),
        };
        LayerData::single(format!("--set {}", dotted(&self.path)), &self.path, value)
    }
}

/// Splits at the first `=` that is not inside quotes.
fn split(argument: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (at, c) in argument.char_indices() {
        match (quote, c) {
            (None, '=') => return Some((&argument[..at], &argument[at + 1..])),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    None
}

fn wants(path: &[String], settings: &[Setting]) -> Wants {
    let Some((first, rest)) = path.split_first() else {
        return Wants::Toml;
    };
    let Some(setting) = settings.iter().find(|setting| setting.key == first) else {
        return Wants::Toml;
    };
    match (setting.format.node(), rest) {
        (Node::Value(wants), []) => wants,
        (Node::Section(inner), _) => wants(rest, &inner()),
        (Node::Entries(inner), [_, rest @ ..]) => wants(rest, &inner()),
        (Node::Pairs { values, .. }, [_]) => values,
        _ => Wants::Toml,
    }
}
