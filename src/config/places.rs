//! Where each value stands in its file: line, column and the line itself, by the path of its keys.
//!
//! The spans are toml_edit's. Nothing here knows which settings there are, except that some hold
//! secrets, whose values are starred out of every line that is shown.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use figment::value::Dict;
use toml_edit::{Document, Item, TableLike};

use super::secrets;
use super::value::dict_from_toml;
use crate::diagnostic::{Diagnostic, Place, shown_path};

/// Which part of a setting is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    Key,
    Value,
    /// An item of a list, from 0.
    Item(usize),
}

/// A configuration file with the place of everything in it.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Absolute.
    pub path: PathBuf,
    /// As users are shown it.
    shown: String,
    text: String,
    spans: BTreeMap<Vec<String>, Spans>,
    /// Values that are never shown.
    secret: Vec<Range<usize>>,
}

#[derive(Debug, Clone, Default)]
struct Spans {
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    items: Vec<Range<usize>>,
}

impl SourceFile {
    /// Parses `text` as the content of `path`.
    ///
    /// # Errors
    /// Every place where the text is not TOML.
    pub fn parse(path: PathBuf, text: String) -> Result<(Self, Dict), Vec<Diagnostic>> {
        let mut file = Self {
            shown: shown_path(&path),
            path,
            text,
            spans: BTreeMap::new(),
            secret: Vec::new(),
        };
        match Document::parse(file.text.clone()) {
            Ok(document) => {
                let root = document.as_table();
                file.learn(root, &mut Vec::new());
                Ok((file, dict_from_toml(root)))
            }
            Err(error) => Err(file.syntax_mistakes(&error)),
        }
    }

    fn learn(&mut self, table: &dyn TableLike, path: &mut Vec<String>) {
        for (name, item) in table.iter() {
            path.push(name.to_owned());
            let value = item.span();
            let items = item.as_array().into_iter().flatten();
            let spans = Spans {
                key: table.get_key_value(name).and_then(|(key, _)| key.span()),
                items: items.filter_map(toml_edit::Value::span).collect(),
                value: value.clone(),
            };
            if secrets::secret_by_nature(path) && item.is_value() && !item.is_inline_table() {
                self.secret.extend(value);
            }
            self.spans.insert(path.clone(), spans);
            if let Some(table) = item.as_table_like() {
                self.learn(table, path);
            }
            if let Item::ArrayOfTables(tables) = item {
                tables.iter().for_each(|table| self.learn(table, path));
            }
            path.pop();
        }
    }

    /// Whether the file has this key.
    pub fn has(&self, path: &[String]) -> bool {
        self.spans.contains_key(path)
    }

    /// The line of a value, for saying where it came from.
    pub fn line(&self, path: &[String]) -> Option<usize> {
        let span = self.span(path, Spot::Key)?;
        Some(self.line_at(span.start))
    }

    /// As users are shown the file's name.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// A key's or value's place, and its offset for sorting. What the file does not have is marked
    /// at the table that is nearest to it.
    pub fn place(&self, path: &[String], spot: Spot) -> Option<(usize, Place)> {
        let mut path = path;
        let mut spot = spot;
        loop {
            if let Some(span) = self.span(path, spot) {
                return Some((span.start, self.mark(span)));
            }
            path = path.split_last()?.1;
            spot = Spot::Key;
        }
    }

    fn span(&self, path: &[String], spot: Spot) -> Option<Range<usize>> {
        let spans = self.spans.get(path)?;
        let wanted = match spot {
            Spot::Key => spans.key.as_ref(),
            Spot::Value => spans.value.as_ref(),
            Spot::Item(index) => spans.items.get(index).or(spans.value.as_ref()),
        };
        wanted.or(spans.key.as_ref()).cloned()
    }

    /// The place of a stretch of the text, which may go on over several lines; the first is shown.
    fn mark(&self, span: Range<usize>) -> Place {
        let start = floor(&self.text, span.start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.text[start..]
            .find('\n')
            .map_or(self.text.len(), |at| start + at);
        let end = floor(&self.text, span.end).clamp(start, line_end);
        let column = self.text[line_start..start].chars().count() + 1;
        Place::File {
            path: self.shown.clone(),
            line: self.line_at(line_start),
            column,
            text: self.starred(line_start..line_end, start),
            width: self.starred(start..end, start).chars().count().max(1),
        }
    }

    /// A stretch of one line with secrets starred out: before `mark` one star for each character, so
    /// that the mark stays in its column, and from there on always eight, which says nothing of the length.
    fn starred(&self, range: Range<usize>, mark: usize) -> String {
        let mut shown = String::new();
        let mut at = range.start;
        for secret in &self.secret {
            let (from, to) = (secret.start.max(at), secret.end.min(range.end));
            if from >= to {
                continue;
            }
            shown.push_str(&self.text[at..from]);
            if from < mark {
                let hidden = self.text[from..to].chars().count();
                shown.push_str(&"*".repeat(hidden));
            } else {
                shown.push_str(secrets::MASK);
            }
            at = to;
        }
        shown.push_str(self.text[at..range.end].trim_end_matches('\r'));
        shown
    }

    /// Every place where the text is not TOML, one a line, since what follows in the same line is
    /// rarely a mistake of its own.
    fn syntax_mistakes(&mut self, first: &toml_edit::TomlError) -> Vec<Diagnostic> {
        // There are no places of values to tell what is secret, so whatever may be one is hidden.
        self.secret = secrets::suspects(&self.text);
        // toml_edit stops at the first; the toml crate's parser, which is the same, goes on.
        let (_, errors) = toml::de::DeTable::parse_recoverable(&self.text);
        let all = errors
            .iter()
            .filter_map(|error| Some((error.span()?, error.message())));
        let mut found: Vec<_> = all.map(|(span, text)| (span, text.to_owned())).collect();
        if found.is_empty() {
            let span = first.span().unwrap_or(0..0);
            found.push((span, first.message().to_owned()));
        }
        found.sort_by_key(|(span, _)| span.start);
        found.dedup_by_key(|(span, _)| self.line_at(span.start));
        let mistakes = found
            .into_iter()
            .map(|(span, text)| self.syntax_mistake(span, &text));
        mistakes.collect()
    }

    fn syntax_mistake(&self, span: Range<usize>, message: &str) -> Diagnostic {
        let message = message.trim().replace('\n', ", ");
        let message = message.trim_end_matches(", expected nothing").to_owned();
        let inside =
            |secret: &&Range<usize>| secret.start <= span.start && span.start <= secret.end;
        // A mistake within a secret is not told more exactly than that.
        let (span, label) = match self.secret.iter().find(inside) {
            Some(hidden) => (hidden.clone(), "a mistake in this value".to_owned()),
            None => (span, message),
        };
        Diagnostic {
            message: "this is not valid TOML".into(),
            place: self.mark(span),
            label,
            hints: Vec::new(),
        }
    }

    /// The number of the line that this offset is in, from 1.
    fn line_at(&self, offset: usize) -> usize {
        self.text[..floor(&self.text, offset)].matches('\n').count() + 1
    }
}

/// The nearest start of a character at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> SourceFile {
        SourceFile::parse("/x/a.toml".into(), text.into())
            .unwrap()
            .0
    }

    fn place(file: &SourceFile, path: &[&str], spot: Spot) -> (usize, usize, String, usize) {
        let path: Vec<String> = path.iter().map(|s| s.to_string()).collect();
        match file.place(&path, spot).unwrap().1 {
            Place::File {
                line,
                column,
                text,
                width,
                ..
            } => (line, column, text, width),
            other => panic!("{other:?}"),
        }
    }

    /// Keys and values are found however the table is written.
    #[test]
    fn finds_keys_and_values() {
        let file = parse("[a.\"b.c\"]\nx = 'é' \ny = [1, 22]\nd.e = { f = true }\n");
        assert_eq!(
            place(&file, &["a", "b.c"], Spot::Key),
            (1, 4, "[a.\"b.c\"]".into(), 5)
        );
        assert_eq!(
            place(&file, &["a", "b.c", "x"], Spot::Value),
            (2, 5, "x = 'é' ".into(), 3)
        );
        assert_eq!(place(&file, &["a", "b.c", "y"], Spot::Item(1)).1, 9);
        assert_eq!(
            place(&file, &["a", "b.c", "d", "e", "f"], Spot::Value).1,
            13
        );
        assert_eq!(place(&file, &["a", "b.c", "d", "e"], Spot::Key).1, 3);
    }

    /// What is missing is marked at its table.
    #[test]
    fn missing_key_is_marked_at_its_table() {
        let file = parse("[a]\nx = 1\n");
        assert_eq!(
            place(&file, &["a", "nope"], Spot::Value),
            (1, 2, "[a]".into(), 1)
        );
    }

    /// A secret is starred out of a line that is shown for another reason, and marks stay in place.
    #[test]
    fn secrets_are_starred() {
        let file = parse("kafka.properties = { \"sasl.password\" = \"hunter2\", x = 1 }\n");
        let (_, column, text, _) = place(&file, &["kafka", "properties", "x"], Spot::Value);
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(text.chars().nth(column - 1), Some('1'));
        let (_, _, text, width) = place(
            &file,
            &["kafka", "properties", "sasl.password"],
            Spot::Value,
        );
        assert_eq!((text.contains("hunter2"), width), (false, 8));
    }

    /// A line that is not TOML is shown without the secret in it.
    #[test]
    fn syntax_mistake_hides_secrets() {
        let text = "[kafka.properties]\n\"sasl.password\" = \"hunter2\nx = 1\n";
        let mistake = SourceFile::parse("/x/a.toml".into(), text.into()).unwrap_err();
        assert!(!format!("{mistake:?}").contains("hunter2"), "{mistake:?}");
        let text = "[kafka.properties]\n\"ssl.key.pem\" = \"\"\"\nMIIE\nhunter2\\q\n\"\"\"\n";
        let mistake = SourceFile::parse("/x/a.toml".into(), text.into()).unwrap_err();
        assert!(!format!("{mistake:?}").contains("hunter2"), "{mistake:?}");
    }
}
