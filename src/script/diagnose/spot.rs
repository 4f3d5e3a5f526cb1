//! Where the compiler stopped, with the words around.

use rhai::Position;

use super::compile::{Said, width_at};
use super::is_word;

/// Where the compiler stopped, and what stands around.
pub(super) struct Spot<'t> {
    pub text: &'t str,
    pub line: usize,
    pub column: usize,
    /// The word that begins there; empty for a symbol.
    pub word: String,
    /// The word before it in the same line; empty where something else is.
    pub previous: String,
    /// Whether a dot stands right before it.
    pub after_dot: bool,
    /// Line, column and width of the last word or symbol before it, in whatever line.
    pub before: (usize, usize, usize),
    pub line_text: &'t str,
    ended: bool,
}

impl<'t> Spot<'t> {
    pub(super) fn new(text: &'t str, position: Position) -> Self {
        // Without a position the text ended where more was expected.
        let lines = text.lines().count().max(1);
        let (line, column) = match (position.line(), position.position()) {
            (Some(line), column) => (line, column.unwrap_or(1)),
            (None, _) => {
                let last = text.lines().last().unwrap_or_default();
                (lines, last.chars().count() + 1)
            }
        };
        let line_text = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        let letters: Vec<char> = line_text.chars().collect();
        let at = (column.saturating_sub(1)).min(letters.len());
        let word = letters[at..].iter().take_while(|l| is_word(**l)).collect();
        let head: String = letters[..at].iter().collect();
        let previous = head.trim_end();
        let begin = previous
            .rfind(|letter: char| !is_word(letter))
            .map_or(0, |at| {
                at + previous[at..].chars().next().map_or(1, char::len_utf8)
            });
        Self {
            text,
            line,
            column,
            word,
            previous: previous[begin..].to_owned(),
            after_dot: head.ends_with('.'),
            before: before(text, line, column),
            line_text,
            ended: at >= letters.len() && line >= lines,
        }
    }

    pub(super) fn has_word(&self) -> bool {
        !self.word.is_empty()
    }

    /// The rest of the line from the place on.
    pub(super) fn rest(&self) -> &'t str {
        let begin = self
            .line_text
            .char_indices()
            .nth(self.column.saturating_sub(1));
        begin.map_or("", |(at, _)| &self.line_text[at..])
    }

    pub(super) fn rest_of_line(&self) -> usize {
        self.rest().trim_end().chars().count().max(1)
    }

    /// The word or symbol at the place; `None` at the end of the file.
    pub(super) fn found(&self) -> Option<&'t str> {
        let rest = self.rest();
        if rest.is_empty() || self.ended {
            return None;
        }
        let width = width_at(self.text, self.line, self.column);
        let end = rest
            .char_indices()
            .nth(width)
            .map_or(rest.len(), |(at, _)| at);
        Some(&rest[..end])
    }

    /// A finding at the word before.
    pub(super) fn at_previous(&self, said: Said) -> Said {
        let (line, column, width) = self.before;
        said.at(line, column, width)
    }
}

/// The last word or symbol before a place, over line ends and comments.
fn before(text: &str, line: usize, column: usize) -> (usize, usize, usize) {
    let lines: Vec<&str> = text.lines().take(line).collect();
    for (index, whole) in lines.iter().enumerate().rev() {
        let code: String = if index + 1 == line {
            whole.chars().take(column.saturating_sub(1)).collect()
        } else {
            // A `//` in a text is rare, and only moves the mark.
            whole.split("//").next().unwrap_or_default().to_owned()
        };
        let letters: Vec<char> = code.trim_end().chars().collect();
        let Some(last) = letters.last() else { continue };
        let end = letters.len();
        let begin = if is_word(*last) {
            letters.iter().rposition(|letter| !is_word(*letter))
        } else {
            end.checked_sub(2)
        };
        let begin = begin.map_or(0, |at| at + 1);
        return (index + 1, begin + 1, end - begin);
    }
    (line, column, 1)
}
