//! Formats of single values that have nothing to do with Kafka.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use figment::value::Value;
use schemars::{Schema, SchemaGenerator};
use serde_json::json;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::{Format, Shape};
use crate::config::HandlerKind;
use crate::config::names::{Named, one_of, suggest};
use crate::config::places::Spot;
use crate::config::reader::Reader;
use crate::config::report::{At, Wrong};
use crate::config::settings::{Node, Wants};
use crate::config::value::{found, num, whole as whole_number};
use crate::diagnostic::tidy;

/// Why a scalar was refused, and the way out where it is known.
pub struct Refusal {
    pub wrong: Option<String>,
    pub hints: Vec<String>,
}

impl Refusal {
    /// It is not what was expected.
    pub fn unexpected() -> Self {
        Self {
            wrong: None,
            hints: vec![],
        }
    }
    /// It is, and wrong for another reason.
    pub fn because(label: impl Into<String>) -> Self {
        Self {
            wrong: Some(label.into()),
            hints: vec![],
        }
    }
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
    /// Adds "did you mean" if there is something near.
    pub fn suggest<'a>(self, word: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        match suggest(word, names) {
            Some(name) => self.hint(format!("did you mean {name:?}?")),
            None => self,
        }
    }
}

type Parse<T> = Box<dyn Fn(&Value, &Path) -> Result<T, Refusal>>;

/// A format of single values.
pub struct Scalar<T> {
    /// What is expected: `a whole number from 1 to 1000`.
    pub expected: String,
    pub schema: serde_json::Value,
    pub wants: Wants,
    pub stand_in: T,
    /// From a value and the folder that relative paths start from.
    pub parse: Parse<T>,
}

impl<T> Scalar<T> {
    /// Reads one value at a place; `found` names it in messages.
    pub fn read_at(&self, value: &Value, at: At<'_>, reader: &mut Reader<'_>) -> Option<T> {
        let base = reader.report.origins().base(value.tag());
        match (self.parse)(value, base) {
            Ok(parsed) => Some(parsed),
            Err(Refusal { wrong, hints }) => {
                let wrong = match wrong {
                    Some(label) => Wrong::Because(label),
                    None => Wrong::Expected(self.expected.clone()),
                };
                reader.report.refuse(at, &found(value), wrong, hints);
                None
            }
        }
    }
}

impl<T> Shape for Scalar<T> {
    fn node(&self) -> Node {
        Node::Value(self.wants)
    }
    fn schema(&self, _: &mut SchemaGenerator) -> Schema {
        Schema::try_from(self.schema.clone()).unwrap_or_default()
    }
}

impl<T: Clone> Format for Scalar<T> {
    type Out = T;
    fn read(&self, value: &Value, path: &[String], reader: &mut Reader<'_>) -> Option<T> {
        let at = At {
            path,
            spot: Spot::Value,
            tag: value.tag(),
        };
        self.read_at(value, at, reader)
    }
    fn stand_in(&self, _: &mut Reader<'_>) -> T {
        self.stand_in.clone()
    }
}

/// Text that `parse` takes.
pub fn text<T>(
    expected: impl Into<String>,
    schema: serde_json::Value,
    stand_in: T,
    parse: impl Fn(&str) -> Result<T, Refusal> + 'static,
) -> Scalar<T> {
    Scalar {
        expected: expected.into(),
        schema,
        wants: Wants::Text,
        stand_in,
        parse: Box::new(move |value, _| parse(value.as_str().ok_or_else(Refusal::unexpected)?)),
    }
}

/// `true` or `false`.
pub fn flag() -> Scalar<bool> {
    Scalar {
        expected: "true or false".into(),
        schema: json!({ "type": "boolean" }),
        wants: Wants::Toml,
        stand_in: false,
        parse: Box::new(|value, _| match value {
            Value::Bool(_, flag) => Ok(*flag),
            other => Err(match other.as_str() {
                Some("true" | "false") => Refusal::unexpected().hint("without quotes"),
                _ => Refusal::unexpected(),
            }),
        }),
    }
}

/// A whole number in a range.
pub fn whole<T>(min: T, max: T) -> Scalar<T>
where
    T: Copy + TryFrom<i128> + TryInto<i128> + std::fmt::Display + serde::Serialize + 'static,
{
    let bounds = (
        min.try_into().unwrap_or(i128::MIN),
        max.try_into().unwrap_or(i128::MAX),
    );
    Scalar {
        expected: if bounds.1 >= i128::from(i64::MAX) {
            format!("a whole number, {min} or more")
        } else {
            format!("a whole number from {min} to {max}")
        },
        schema: json!({ "type": "integer", "minimum": min, "maximum": max }),
        wants: Wants::Toml,
        stand_in: min,
        parse: Box::new(move |value, _| {
            let number = num(value)
                .and_then(whole_number)
                .ok_or_else(Refusal::unexpected)?;
            if number < bounds.0 || number > bounds.1 {
                return Err(Refusal::unexpected());
            }
            T::try_from(number).map_err(|_| Refusal::unexpected())
        }),
    }
}

/// A number from 0 to 1.
pub fn share() -> Scalar<f64> {
    Scalar {
        expected: "a number from 0 to 1".into(),
        schema: json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        wants: Wants::Toml,
        stand_in: 1.0,
        parse: Box::new(|value, _| {
            let number = number(value).ok_or_else(Refusal::unexpected)?;
            let refusal = Refusal::unexpected;
            (0.0..=1.0)
                .contains(&number)
                .then_some(number)
                .ok_or_else(refusal)
        }),
    }
}

/// A number, whole or not.
pub fn number(value: &Value) -> Option<f64> {
    let number = num(value)?;
    number
        .to_f64()
        .or_else(|| whole_number(number).map(|whole| whole as f64))
}

/// One of an enum's names.
pub fn choice<T: Named>() -> Scalar<T> {
    let names = || T::ALL.iter().map(|(name, _)| *name);
    Scalar {
        expected: one_of(names()),
        schema: json!({ "enum": names().collect::<Vec<_>>() }),
        wants: Wants::Text,
        stand_in: T::ALL[0].1,
        parse: Box::new(move |value, _| {
            let word = value.as_str().ok_or_else(Refusal::unexpected)?;
            let named = T::ALL.iter().find(|(name, _)| *name == word);
            named
                .map(|(_, value)| *value)
                .ok_or_else(|| Refusal::unexpected().suggest(word, names()))
        }),
    }
}

/// A duration between two, such as `"250ms"`.
pub fn duration(min: &'static str, max: &'static str) -> Scalar<Duration> {
    let bound = |text| humantime::parse_duration(text).unwrap_or_default();
    let (least, most) = (bound(min), bound(max));
    Scalar {
        expected: format!("a duration from \"{min}\" to \"{max}\", such as \"250ms\" or \"30s\""),
        schema: json!({ "type": "string", "pattern": DURATION }),
        wants: Wants::Text,
        stand_in: least,
        parse: Box::new(move |value, _| {
            let Some(text) = value.as_str() else {
                return Err(match num(value) {
                    Some(_) => Refusal::unexpected().hint("a duration has a unit and quotes"),
                    None => Refusal::unexpected(),
                });
            };
            let parsed =
                humantime::parse_duration(text).map_err(|_| match text.trim().parse::<f64>() {
                    Ok(_) => {
                        Refusal::unexpected().hint(format!("with a unit: \"{}s\"", text.trim()))
                    }
                    Err(_) => Refusal::unexpected(),
                })?;
            let fits = (least..=most).contains(&parsed);
            fits.then_some(parsed).ok_or_else(Refusal::unexpected)
        }),
    }
}

/// For editors only; humantime decides.
const DURATION: &str = r"^(\s*\d+\s*[A-Za-zµ]+)+\s*$|^0$";
/// For editors only; bytesize decides.
const SIZE: &str = r"^\s*\d+(\.\d+)?\s*([kKmMgGtT]i?)?[bB]?\s*$";

/// A size in bytes between two: `"16MiB"`, or a number of bytes.
pub fn size<T>(min: T, max: T) -> Scalar<T>
where
    T: Copy + TryFrom<u64> + TryInto<u64> + 'static,
{
    let bytes = |size: T| size.try_into().unwrap_or(u64::MAX);
    let (least, most) = (bytes(min), bytes(max));
    Scalar {
        expected: format!(
            "a size from \"{}\" to \"{}\", such as \"16MiB\"",
            size_text(least),
            size_text(most)
        ),
        schema: json!({ "anyOf": [
            { "type": "string", "pattern": SIZE },
            { "type": "integer", "minimum": least, "maximum": most },
        ] }),
        wants: Wants::Toml,
        stand_in: min,
        parse: Box::new(move |value, _| {
            let bytes = match (value.as_str(), num(value).and_then(whole_number)) {
                (Some(text), _) => ByteSize::from_str(text).ok().map(|size| size.as_u64()),
                (None, Some(number)) => u64::try_from(number).ok(),
                (None, None) => None,
            };
            let fitting = bytes.filter(|bytes| (least..=most).contains(bytes));
            fitting
                .and_then(|bytes| T::try_from(bytes).ok())
                .ok_or_else(Refusal::unexpected)
        }),
    }
}

/// A size in the largest unit that needs no fraction: `16MiB`.
fn size_text(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let fitting = units
        .iter()
        .find(|(shift, _)| bytes >= 1 << shift && bytes.is_multiple_of(1 << shift));
    match fitting {
        Some((shift, unit)) => format!("{}{unit}", bytes >> shift),
        None => format!("{bytes}B"),
    }
}

/// `"off"`, or an address to listen on.
pub fn address() -> Scalar<Option<SocketAddr>> {
    let expected = "an address such as \"127.0.0.1:8660\", or \"off\"";
    text(expected, json!({ "type": "string" }), None, |text| {
        if text == "off" {
            return Ok(None);
        }
        text.parse()
            .map(Some)
            .map_err(|_| match text.rsplit_once(':') {
                Some(("", port)) if port.parse::<u16>().is_ok() => {
                    Refusal::unexpected().hint(format!("on every interface: \"0.0.0.0:{port}\""))
                }
                Some(("localhost", port)) if port.parse::<u16>().is_ok() => {
                    Refusal::unexpected().hint(format!("did you mean \"127.0.0.1:{port}\"?"))
                }
                Some((_, port)) if port.parse::<u16>().is_err() => {
                    Refusal::because(format!("{port:?} is not a port from 0 to 65535"))
                }
                None => Refusal::unexpected().hint("the port is missing"),
                Some(_) => Refusal::unexpected().hint("an IP address, not a name"),
            })
    })
}

/// Names of hosts, without scheme and port.
pub fn hosts() -> super::table::List {
    super::table::list(
        text(
            "a host name such as \"deliveryd.example.org\"",
            json!({ "type": "string" }),
            String::new(),
            |text| {
                let ordinary = |c: char| c.is_ascii_alphanumeric() || "._-[]:".contains(c);
                if text.contains("//") {
                    Err(Refusal::because("only the name, without scheme and path"))
                } else if text.is_empty() || !text.chars().all(ordinary) {
                    Err(Refusal::unexpected())
                } else {
                    Ok(text.to_owned())
                }
            },
        ),
        0,
    )
}

/// Directives of tracing's `EnvFilter`.
pub fn level() -> Scalar<String> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    let expected = format!("{}, or such levels per module", one_of(LEVELS));
    text(
        expected,
        json!({ "type": "string" }),
        "info".to_owned(),
        |text| {
            for directive in text.split(',').map(str::trim) {
                // The filter takes a lone word as a module; here it is always a misspelt level.
                let lone = !directive.contains(['=', '[', ':']);
                if lone && LevelFilter::from_str(directive).is_err() {
                    return Err(Refusal::unexpected().suggest(directive, LEVELS));
                }
            }
            match EnvFilter::builder().parse(text) {
                Ok(_) => Ok(text.to_owned()),
                Err(error) => Err(Refusal::because(error.to_string())),
            }
        },
    )
}

/// A file's or socket's path, made absolute from the folder of whoever names it.
pub fn path(expected: &'static str) -> Scalar<PathBuf> {
    Scalar {
        expected: expected.into(),
        schema: json!({ "type": "string", "minLength": 1 }),
        wants: Wants::Path,
        stand_in: PathBuf::new(),
        parse: Box::new(|value, base| match value.as_str() {
            Some("") | None => Err(Refusal::unexpected()),
            Some(text) => Ok(tidy(&base.join(text))),
        }),
    }
}

/// A handler's file. Whether it is there, and good, is checked later.
pub fn handler(kind: HandlerKind) -> Scalar<PathBuf> {
    path(match kind {
        HandlerKind::Consumer => "the path of a Rhai file with `fn handle(msg)`",
        HandlerKind::Producer => "the path of a Rhai file with `fn generate(n)`",
    })
}
