//! What the compiler refuses.

use rhai::{LexError, ParseError, ParseErrorType};

use super::{chain_before, place, mark_width};
use crate::diagnostic::Diagnostic;
use crate::script::program::Source;

/// A text that does not parse.
pub(crate) fn parse_error(source: &Source, error: &ParseError) -> Diagnostic {
    let position = error.position();
    // Without a position the text ended where more was expected.
    let line = position
        .line()
        .unwrap_or_else(|| source.text.lines().count().max(1));
    let text = source.text.lines().nth(line - 1).unwrap_or_default();
    let column = match position.line() {
        Some(_) => position.position().unwrap_or(1),
        None => text.chars().count() + 1,
    };
    let (message, label, hints) = describe(error.err_type(), text, column);
    Diagnostic {
        message,
        place: place(source, line, column, mark_width(text, column)),
        label,
        hints,
    }
}

fn describe(error: &ParseErrorType, line: &str, column: usize) -> (String, String, Vec<String>) {
    let word: String = line
        .chars()
        .skip(column - 1)
        .take(mark_width(line, column))
        .collect();
    let after_dot = line.chars().nth(column.saturating_sub(2)) == Some('.') && column > 1;
    match error {
        ParseErrorType::Reserved(_) | ParseErrorType::PropertyExpected
            if after_dot && !word.trim().is_empty() =>
        {
            let chain = chain_before(line, column.saturating_sub(2));
            (
                format!("`{word}` is a word of the language and can't follow a dot"),
                "reserved word".into(),
                vec![format!("write `{chain}[\"{word}\"]`")],
            )
        }
        ParseErrorType::Reserved(word)
        | ParseErrorType::BadInput(LexError::ImproperSymbol(word, _))
            if word == "eval" =>
        {
            (
                "`eval` is disabled".into(),
                "a handler runs only what was checked when it was loaded".into(),
                Vec::new(),
            )
        }
        ParseErrorType::Reserved(word) => (
            format!("`{word}` is a word of the language"),
            "reserved word".into(),
            vec!["choose another name".into()],
        ),
        ParseErrorType::ExprTooDeep => (
            "the expression is nested too deeply".into(),
            "deeper than limits.expression_depth allows".into(),
            vec!["split it with `let`".into()],
        ),
        other => (lower_first(&other.to_string()), "here".into(), Vec::new()),
    }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    let second_is_lower = text.chars().nth(1).is_some_and(char::is_lowercase);
    match letters.next() {
        Some(first) if second_is_lower => first.to_lowercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}
