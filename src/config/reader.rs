//! Reading figment's merged values into checked types.
//!
//! [`Reader::table`] reads one table: it refuses keys that are no settings of it, and each setting
//! is then fetched with [`Table::read`], which never fails: a mistake goes into the report, and
//! something stands in, so that the rest is read too.

use std::collections::BTreeSet;

use figment::value::{Dict, Tag, Value};

use super::format::Format;
use super::layers::Layer;
use super::names::suggest;
use super::places::Spot;
use super::report::{At, Report, Wrong};
use super::settings::{Given, Settings};
use super::value::{dotted, found};

/// What reading needs: the report, and names to be lenient about.
pub struct Reader<'a> {
    pub report: Report<'a>,
    /// Topics whose table is mistaken, so that no one else complains that they are missing.
    pub assumed_topics: BTreeSet<String>,
}

/// A table that is being read.
pub struct Table<'r, 'a> {
    reader: &'r mut Reader<'a>,
    dict: &'r Dict,
    path: Vec<String>,
    /// Why the table is so is already reported.
    muted: bool,
    tag: Tag,
}

impl<'a> Reader<'a> {
    pub fn new(report: Report<'a>) -> Self {
        Self {
            report,
            assumed_topics: BTreeSet::new(),
        }
    }

    /// Reads a value that must be a table with the settings of `T`.
    pub fn table<T: Settings>(&mut self, value: &Value, path: &[String]) -> T {
        let Value::Dict(tag, dict) = value else {
            let at = At {
                path,
                spot: Spot::Value,
                tag: value.tag(),
            };
            self.report
                .refuse(at, &found(value), Wrong::Expected("a table".into()), vec![]);
            return self.stand_in();
        };
        self.refuse_unknown::<T>(dict, path);
        let path = path.to_vec();
        T::read(&mut Table {
            reader: self,
            dict,
            path,
            muted: false,
            tag: *tag,
        })
    }

    /// What is used for a table that is none, which is reported already.
    pub fn stand_in<T: Settings>(&mut self) -> T {
        let dict = Dict::new();
        T::read(&mut Table {
            reader: self,
            dict: &dict,
            path: Vec::new(),
            muted: true,
            tag: Tag::Default,
        })
    }

    fn refuse_unknown<T: Settings>(&mut self, dict: &Dict, path: &[String]) {
        let settings = T::list();
        let known = |key: &str| settings.iter().any(|setting| setting.key == key);
        for (key, value) in dict.iter().filter(|(key, _)| !known(key)) {
            let mut path = path.to_vec();
            path.push(key.clone());
            let at = At {
                path: &path,
                spot: Spot::Key,
                tag: value.tag(),
            };
            let meant = suggest(key, settings.iter().map(|setting| setting.key));
            if path.len() == 1 && meant == Some("topics") {
                self.assumed_topics
                    .extend(value.as_dict().into_iter().flat_map(|d| d.keys().cloned()));
            }
            let hints = match meant {
                Some(meant) => vec![format!("did you mean `{meant}`?")],
                None if path.len() == 1 => {
                    let tables: Vec<_> = settings.iter().map(|s| format!("`{}`", s.key)).collect();
                    vec![format!("the tables are {}", tables.join(", "))]
                }
                None => vec![],
            };
            let label = format!("not a setting of {}", T::WHAT);
            self.report
                .mistake(at, format!("unknown setting `{key}`"), label, hints);
        }
    }

    /// Takes out of an entry's table what an unquoted name with a dot has put there: in
    /// `[topics.orders.v1]`, `v1` is a table in the topic `orders`. Tells how to quote it.
    ///
    /// Returns the entry without them, or `None` if nobody gave it anything else.
    pub fn unquoted<T: Settings>(&mut self, value: &Value, path: &[String]) -> Option<Value> {
        let Value::Dict(tag, dict) = value else {
            return Some(value.clone());
        };
        let settings = T::list();
        let is_setting = |key: &str| {
            let keys = settings.iter().map(|setting| setting.key);
            settings.iter().any(|setting| setting.key == key) || suggest(key, keys).is_some()
        };
        let (strange, kept): (Vec<_>, Vec<_>) = dict
            .iter()
            .partition(|(key, inner)| inner.as_dict().is_some() && !is_setting(key));
        for (key, inner) in &strange {
            let mut parts = vec![(*key).clone()];
            let mut inner = inner.as_dict();
            while let Some((key, value)) = inner.and_then(only).filter(|(key, _)| !is_setting(key))
            {
                parts.push(key.clone());
                inner = value.as_dict();
            }
            self.explain_quotes::<T>(dict, path, &parts);
        }
        let origins = self.report.origins();
        let by_nobody = |value: &Value| origins.layer(value.tag()) == Layer::Default;
        if !strange.is_empty() && kept.iter().all(|(_, value)| by_nobody(value)) {
            return None;
        }
        let kept = kept
            .into_iter()
            .map(|(key, value)| (key.clone(), value.clone()));
        Some(Value::Dict(*tag, kept.collect()))
    }

    fn explain_quotes<T: Settings>(&mut self, dict: &Dict, path: &[String], parts: &[String]) {
        let (Some((name, section)), Some(first)) = (path.split_last(), parts.first()) else {
            return;
        };
        let whole = format!("{name}.{}", parts.join("."));
        let mut written = path.to_vec();
        written.extend_from_slice(parts);
        let mut meant = section.to_vec();
        meant.push(whole.clone());
        let inner = path.iter().chain([first]).cloned().collect::<Vec<_>>();
        let tag = dict.get(first).map_or(Tag::Default, Value::tag);
        let at = At {
            path: &inner,
            spot: Spot::Key,
            tag,
        };
        self.report.mistake(
            at,
            format!("`{}` is not {} named `{whole}`", dotted(&written), T::WHAT),
            format!("a table `{first}` inside `{name}`"),
            vec![format!(
                "a name with a dot is quoted: `[{}]`",
                dotted(&meant)
            )],
        );
        if section == ["topics"] {
            self.assumed_topics.insert(whole);
        }
    }
}

/// The only entry of a table.
fn only(dict: &Dict) -> Option<(&String, &Value)> {
    let mut entries = dict.iter();
    entries.next().filter(|_| entries.next().is_none())
}

impl Table<'_, '_> {
    /// The setting `key`; what stands in for it where it is missing or wrong is already reported.
    pub fn read<F: Format>(&mut self, key: &str, format: &F, given: Given) -> F::Out {
        let mut path = self.path.clone();
        path.push(key.to_owned());
        let read = match self.dict.get(key) {
            Some(value) => format.read(value, &path, self.reader),
            None => {
                if given == Given::Required && !self.muted {
                    self.report_missing(key);
                }
                None
            }
        };
        read.unwrap_or_else(|| {
            if !self.muted && (given == Given::Required || self.dict.contains_key(key)) {
                self.reader.report.spoil(&path);
            }
            format.stand_in(self.reader)
        })
    }

    fn report_missing(&mut self, key: &str) {
        let name = self.path.last().map_or("", String::as_str);
        let at = At {
            path: &self.path,
            spot: Spot::Key,
            tag: self.tag,
        };
        let message = format!("`{key}` is missing from `{name}`");
        self.reader
            .report
            .missing(at, message, format!("needs `{key}`"));
    }
}
