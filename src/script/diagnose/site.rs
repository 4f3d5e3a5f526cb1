//! Where in a program something went wrong, with the words around.

use rhai::Position;

use super::{chain_before, is_of_chain, nowhere, place, place_of_word};
use crate::diagnostic::Diagnostic;
use crate::script::program::{Program, Source};

/// A place that Rhai gave, in the file that it named.
pub(super) struct Site<'p> {
    pub program: &'p Program,
    pub position: Position,
    /// The text of its line; empty where there is no place.
    pub line: &'p str,
    /// From 1.
    pub column: usize,
    file: Option<&'p Source>,
}

/// `msg.json.a[0]` in a line: where it begins, and what it is.
pub(super) struct Chain {
    pub column: usize,
    pub text: String,
}

impl Chain {
    /// The name that it ends in: `c` of `a.b.c`, and of `a.b["c"]`; empty where that is no name.
    pub(super) fn name(&self) -> String {
        let end = self.text.trim_end_matches(['"', ']', '[', '?', '.']);
        let name = end.rsplit(['.', '[', '"', '?']).next().unwrap_or_default();
        match name.starts_with(|first: char| first.is_ascii_digit()) {
            // `a[0]`: what is missing is the element, which has no name.
            true => String::new(),
            false => name.to_owned(),
        }
    }

    /// The column of that name.
    pub(super) fn name_column(&self) -> usize {
        let name = self.name();
        let before = self.text.rfind(&name).unwrap_or_default();
        self.column + self.text[..before].chars().count()
    }
}

impl<'p> Site<'p> {
    pub(super) fn new(program: &'p Program, source: Option<&str>, position: Position) -> Self {
        let file = program.source(source);
        let line = position.line().and_then(|line| {
            let mut lines = file?.text.lines();
            lines.nth(line.saturating_sub(1))
        });
        Self {
            program,
            position,
            line: line.unwrap_or_default(),
            column: position.position().unwrap_or(1),
            file,
        }
    }

    /// The file and the line's number, where they are known.
    pub(super) fn source_line(&self) -> Option<(&'p Source, usize)> {
        self.file.zip(self.position.line())
    }

    /// Says it with the word of the place marked, or without a place where there is none.
    pub(super) fn say(
        &self,
        message: impl Into<String>,
        label: impl Into<String>,
        hints: Vec<String>,
    ) -> Diagnostic {
        let Some((file, line)) = self.source_line() else {
            return Diagnostic {
                hints,
                ..nowhere(message.into())
            };
        };
        Diagnostic {
            message: message.into(),
            place: place_of_word(file, line, self.column),
            label: label.into(),
            hints,
        }
    }

    /// Says it with `width` characters marked from a column of a line on.
    pub(super) fn say_at(
        &self,
        line: usize,
        column: usize,
        width: usize,
        message: impl Into<String>,
        label: impl Into<String>,
        hints: Vec<String>,
    ) -> Diagnostic {
        let Some(file) = self.file else {
            return self.say(message, label, hints);
        };
        Diagnostic {
            message: message.into(),
            place: place(file, line, column, width),
            label: label.into(),
            hints,
        }
    }

    /// Says it of a name in the same line.
    pub(super) fn say_of(
        &self,
        chain: &Chain,
        message: String,
        label: impl Into<String>,
        hints: Vec<String>,
    ) -> Diagnostic {
        let width = chain.name().chars().count();
        match self.position.line() {
            Some(line) if width > 0 => {
                self.say_at(line, chain.name_column(), width, message, label, hints)
            }
            _ => self.say(message, label, hints),
        }
    }

    /// The chain that ends right before the place, blanks and dots aside: `a.b` of `a.b * 2` at `*`.
    pub(super) fn chain_before(&self) -> Chain {
        let before: String = self
            .line
            .chars()
            .take(self.column.saturating_sub(1))
            .collect();
        let before = before.trim_end().trim_end_matches(['.', '?', '[']);
        let text = chain_before(before, before.chars().count());
        Chain {
            column: before.chars().count() - text.chars().count() + 1,
            text,
        }
    }

    /// The chain that begins `skip` characters after the place, blanks aside: `a.b` of `-a.b`.
    pub(super) fn chain_after(&self, skip: usize) -> Chain {
        let rest: Vec<char> = self
            .line
            .chars()
            .skip(self.column.saturating_sub(1) + skip)
            .collect();
        let blank = rest.iter().take_while(|letter| letter.is_whitespace());
        let blank = blank.count();
        let end = (blank..rest.len()).find(|at| !is_of_chain(&rest, *at));
        Chain {
            column: self.column + skip + blank,
            text: rest[blank..end.unwrap_or(rest.len())].iter().collect(),
        }
    }

    /// The chain that the place is in the middle of, such as at one of its dots.
    pub(super) fn chain_around(&self) -> Chain {
        let before: String = self
            .line
            .chars()
            .take(self.column.saturating_sub(1))
            .collect();
        let before = chain_before(&before, before.chars().count());
        let after = self.chain_after(0);
        let text = match after.column == self.column {
            true => format!("{before}{}", after.text),
            false => before.clone(),
        };
        Chain {
            column: self.column.saturating_sub(before.chars().count()),
            text,
        }
    }
}
