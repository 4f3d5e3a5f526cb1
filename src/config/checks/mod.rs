//! The checks that look at more than one value, and those that ask other rooms.
//!
//! They run over a configuration in which something stands in for every mistaken value, and say
//! nothing about what [`Report::is_bad`](super::report::Report::is_bad).

mod clients;
mod groups;
mod handlers;
mod topics;

pub use groups::unused_interval;

use figment::value::{Dict, Tag, Value};

use super::layers::Layer;
use super::load::Outside;
use super::places::Spot;
use super::reader::Reader;
use super::report::{At, Report};
use super::types::Config;

/// Runs every check.
pub fn check(config: &Config, reader: &mut Reader<'_>, merged: &Dict, outside: &dyn Outside) {
    let mut checks = Checks {
        config,
        reader,
        merged,
        outside,
    };
    topics::check(&mut checks);
    groups::check(&mut checks);
    clients::check(&mut checks);
    handlers::check(&mut checks);
}

/// What a check looks at, and where it reports to.
struct Checks<'c, 'a> {
    config: &'c Config,
    reader: &'c mut Reader<'a>,
    merged: &'c Dict,
    outside: &'c dyn Outside,
}

/// What a check says of a value.
struct Said {
    message: String,
    label: String,
    hints: Vec<String>,
}

impl Said {
    fn new(message: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            label: label.into(),
            hints: Vec::new(),
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl Checks<'_, '_> {
    /// Whether a value is there and not mistaken.
    fn good(&self, path: &[&str]) -> bool {
        !self.reader.report.is_bad(&owned(path))
    }

    /// Whether somebody gave this value, rather than the built-in defaults.
    fn given(&self, path: &[&str]) -> bool {
        self.tag(path)
            .is_some_and(|tag| self.reader.report.origins().layer(tag) != Layer::Default)
    }

    /// The first of these that somebody gave; the last if nobody gave any.
    fn first_given<'p>(&self, paths: &[&'p [&'p str]]) -> &'p [&'p str] {
        let given = paths.iter().find(|path| self.given(path));
        given.or(paths.last()).copied().unwrap_or_default()
    }

    fn tag(&self, path: &[&str]) -> Option<Tag> {
        self.value(path).map(Value::tag)
    }

    fn value(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        let mut value = self.merged.get(*first)?;
        for key in rest {
            value = value.as_dict()?.get(*key)?;
        }
        Some(value)
    }

    /// Reports a mistake, unless there is one at this place already.
    fn mistake(&mut self, path: &[&str], spot: Spot, said: Said) {
        self.tell(path, spot, |report, at| {
            report.mistake(at, said.message, said.label, said.hints);
        });
    }

    /// Reports a mistake that does not keep others at the same place from being reported.
    fn separate(&mut self, path: &[&str], spot: Spot, said: Said) {
        self.tell(path, spot, |report, at| {
            report.separate(at, said.message, said.label, said.hints);
        });
    }

    fn warning(&mut self, path: &[&str], spot: Spot, said: Said) {
        self.tell(path, spot, |report, at| {
            report.warning(at, said.message, said.label, said.hints);
        });
    }

    fn tell(&mut self, path: &[&str], spot: Spot, told: impl FnOnce(&mut Report<'_>, At<'_>)) {
        if self.good(path) {
            let tag = self.tag(path).unwrap_or(Tag::Default);
            let path = &owned(path);
            told(&mut self.reader.report, At { path, spot, tag });
        }
    }

    /// Whether this topic is in the configuration, or would be but for a mistake.
    fn knows_topic(&self, name: &str) -> bool {
        let table = self.value(&["topics"]).and_then(Value::as_dict);
        table.is_some_and(|topics| topics.contains_key(name))
            || self.reader.assumed_topics.contains(name)
            || self.reader.report.is_bad(&owned(&["topics"]))
    }
}

fn owned(path: &[&str]) -> Vec<String> {
    path.iter().map(|key| (*key).to_owned()).collect()
}
