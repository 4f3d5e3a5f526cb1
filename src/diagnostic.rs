//! One way to show a mistake in a config or a script: file, line, mark, hint.

use std::fmt;

/// A mistake, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    pub place: Place,
    /// Said under the mark: what is there, what was expected.
    pub label: String,
    /// Further lines: a suggestion, a way out.
    pub hints: Vec<String>,
}

/// Where a mistake was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file. `line` and `column` count from 1, columns in characters.
    File {
        /// As the user would write it (relative to the working directory where that is shorter).
        path: String,
        line: usize,
        column: usize,
        /// The line's own text.
        text: String,
        /// How many characters the mark covers, at least 1.
        width: usize,
    },
    /// Outside any file: `environment variable NAME`, `--set KEY`.
    Layer(String),
    /// Nowhere in particular.
    Nowhere,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Diagnostic {}
impl Diagnostic {
    pub fn frame(&self) -> String {
        todo!()
    }
}
