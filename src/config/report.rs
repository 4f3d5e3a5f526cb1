//! The list of mistakes: each with its place, its layer, and what was expected instead.
//!
//! Everything that reads or checks the configuration adds to one [`Report`]; nothing stops at the
//! first mistake. What was wrong is remembered by path, so that later checks do not complain about
//! the stand-in that was used for it.

use std::collections::BTreeSet;

use figment::value::Tag;

use super::layers::{Layer, Origins};
use super::places::Spot;
use crate::diagnostic::{Diagnostic, Place, Severity};

/// Which value a mistake is about, and the layer that it came from.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    pub path: &'a [String],
    pub spot: Spot,
    pub tag: Tag,
}

/// Why a value was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// It is of another type, or out of range. What would have been right.
    Expected(String),
    /// It is of the right type, and wrong for another reason.
    Because(String),
}

/// Where a mistake stands in the order in which they are shown: the file first, by offset; then the
/// other layers in their order; then the rest.
type Rank = (u8, usize);

/// The mistakes and warnings so far.
pub struct Report<'a> {
    origins: &'a Origins,
    found: Vec<(Rank, Severity, Diagnostic)>,
    bad: BTreeSet<Vec<String>>,
}

impl<'a> Report<'a> {
    pub fn new(origins: &'a Origins) -> Self {
        Self {
            origins,
            found: Vec::new(),
            bad: BTreeSet::new(),
        }
    }

    /// Where the values came from.
    pub fn origins(&self) -> &'a Origins {
        self.origins
    }

    /// A value that can not be taken, and a suggestion where there is one.
    pub fn refuse(&mut self, at: At<'_>, found: &str, wrong: Wrong, hints: Vec<String>) {
        let (rank, place) = self.locate(at);
        let key = at.path.last().map_or("the configuration", String::as_str);
        let in_file = matches!(place, Place::File { .. });
        let (message, label) = match wrong {
            Wrong::Expected(what) if in_file => (
                format!("`{key}` can't be {found}"),
                format!("expected {what}"),
            ),
            Wrong::Expected(what) => (
                format!("`{key}` must be {what}, found {found}"),
                String::new(),
            ),
            Wrong::Because(label) => (format!("`{key}` can't be {found}"), label),
        };
        self.bad.insert(at.path.to_vec());
        let diagnostic = Diagnostic {
            message,
            place,
            label,
            hints,
        };
        self.found.push((rank, Severity::Error, diagnostic));
    }

    /// A mistake in its own words.
    pub fn mistake(
        &mut self,
        at: At<'_>,
        message: impl Into<String>,
        label: impl Into<String>,
        hints: Vec<String>,
    ) {
        self.bad.insert(at.path.to_vec());
        self.say(Severity::Error, at, message.into(), label.into(), hints);
    }

    /// A mistake that does not make its value bad, since others may be found in it.
    pub fn separate(
        &mut self,
        at: At<'_>,
        message: impl Into<String>,
        label: impl Into<String>,
        hints: Vec<String>,
    ) {
        self.say(Severity::Error, at, message.into(), label.into(), hints);
    }

    /// A setting that must be there and is not, marked at its table. Does not make the table bad.
    pub fn missing(&mut self, at: At<'_>, message: String, label: String) {
        let (mut rank, mut place) = self.locate(at);
        // A variable or `--set` may have been merged over the file's table; the place to write what
        // is missing is the file nevertheless.
        if self.origins.file().has(at.path)
            && let Some((offset, in_file)) = self.origins.file().place(at.path, at.spot)
        {
            (rank, place) = ((0, offset), in_file);
        }
        let diagnostic = Diagnostic {
            message,
            place,
            label,
            hints: Vec::new(),
        };
        self.found.push((rank, Severity::Error, diagnostic));
    }

    /// Something that is allowed and probably not meant.
    pub fn warning(
        &mut self,
        at: At<'_>,
        message: impl Into<String>,
        label: impl Into<String>,
        hints: Vec<String>,
    ) {
        self.say(Severity::Warning, at, message.into(), label.into(), hints);
    }

    /// A variable or `--set` that names no setting.
    pub fn unnamed(&mut self, diagnostic: Diagnostic) {
        self.found.push(((1, 0), Severity::Error, diagnostic));
    }

    /// A handler's mistake, which has its place in another file. Told once for all who use it.
    pub fn handler(&mut self, diagnostic: Diagnostic) {
        if !self.found.iter().any(|(_, _, known)| *known == diagnostic) {
            self.found.push(((9, 0), Severity::Error, diagnostic));
        }
    }

    /// Remembers that nothing can be said about this path and what is in it.
    pub fn spoil(&mut self, path: &[String]) {
        self.bad.insert(path.to_vec());
    }

    /// Whether there was a mistake at this path or at a table that it is in.
    pub fn is_bad(&self, path: &[String]) -> bool {
        (0..=path.len()).any(|end| self.bad.contains(&path[..end]))
    }

    /// Every mistake and every warning, each list in the order of the file.
    pub fn into_lists(mut self) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
        self.found.sort_by_key(|(rank, _, _)| *rank);
        let (mut mistakes, mut warnings) = (Vec::new(), Vec::new());
        for (_, severity, diagnostic) in self.found {
            match severity {
                Severity::Error => mistakes.push(diagnostic),
                Severity::Warning => warnings.push(diagnostic),
            }
        }
        (mistakes, warnings)
    }

    fn say(
        &mut self,
        severity: Severity,
        at: At<'_>,
        message: String,
        label: String,
        hints: Vec<String>,
    ) {
        let (rank, place) = self.locate(at);
        let diagnostic = Diagnostic {
            message,
            place,
            label,
            hints,
        };
        self.found.push((rank, severity, diagnostic));
    }

    fn locate(&self, at: At<'_>) -> (Rank, Place) {
        match self.origins.layer(at.tag) {
            Layer::File => match self.origins.file().place(at.path, at.spot) {
                Some((offset, place)) => ((0, offset), place),
                None => ((8, 0), Place::Nowhere),
            },
            Layer::Named(index, name) => ((1, index), Place::Layer(name.to_owned())),
            Layer::Default => ((8, 0), Place::Nowhere),
        }
    }
}
