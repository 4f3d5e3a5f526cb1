//! What the compiler refuses.
//!
//! Rhai says what it expected; the words around the place (`spot`) say what was meant. `reserved` and
//! `syntax` know what people of other languages write, `brackets` finds the one that was never closed.

use rhai::{LexError, ParseError, ParseErrorType};

use super::brackets::unclosed;
use super::reserved::{reserved, symbol};
use super::rest;
use super::spot::Spot;
use super::syntax;
use super::{mark_width, place, place_of_word};
use crate::diagnostic::Diagnostic;
use crate::script::program::Source;

/// What to say, and where, if not where Rhai stopped.
pub(super) struct Said {
    pub message: String,
    pub label: String,
    pub hints: Vec<String>,
    /// Line, column and width of the mark.
    pub at: Option<(usize, usize, usize)>,
}

impl Said {
    pub(super) fn new(message: impl Into<String>, label: &str, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        Self {
            message: message.into(),
            label: label.to_owned(),
            hints: if hint.is_empty() { vec![] } else { vec![hint] },
            at: None,
        }
    }

    pub(super) fn at(self, line: usize, column: usize, width: usize) -> Self {
        Self {
            at: Some((line, column, width)),
            ..self
        }
    }
}

/// What word processors put around a text.
const QUOTES: [char; 8] = ['“', '”', '„', '‘', '’', '‚', '«', '»'];

/// A text that does not parse.
pub(crate) fn parse_error(source: &Source, error: &ParseError) -> Diagnostic {
    let spot = Spot::new(&source.text, error.position());
    let said = match error.err_type() {
        ParseErrorType::Reserved(word) => reserved(&spot, word),
        ParseErrorType::PropertyExpected if spot.after_dot && spot.has_word() => {
            reserved(&spot, &spot.word)
        }
        ParseErrorType::BadInput(input) => bad_input(&spot, input),
        ParseErrorType::MissingToken(token, what) => missing_token(&spot, token, what),
        other => syntax::other(&spot, other),
    };
    let place = match said.at {
        Some((line, column, width)) => place(source, line, column, width),
        None => place_of_word(source, spot.line, spot.column),
    };
    Diagnostic {
        message: said.message,
        place,
        label: said.label,
        hints: said.hints,
    }
}

fn bad_input(spot: &Spot<'_>, error: &LexError) -> Said {
    let hint = rest::hint(&ParseErrorType::BadInput(error.clone()));
    match error {
        LexError::ImproperSymbol(word, _) if word == "eval" => disabled_eval(),
        LexError::ImproperSymbol(_, text) if text.contains("typo of '=='") => syntax::assignment(),
        LexError::ImproperSymbol(written, text) => {
            symbol(written).unwrap_or_else(|| Said::new(plain(text), "not known", hint))
        }
        LexError::UnterminatedString => Said::new(
            "the text has no closing quote",
            "it begins here",
            "a text in quotes ends in its line; one in backticks may have several",
        )
        .at(spot.line, spot.column, spot.rest_of_line()),
        LexError::MalformedChar(text) => Said::new(
            "a text is written in double quotes",
            "single quotes hold one character",
            format!("write \"{}\"", text.trim_matches('\'')),
        ),
        LexError::MalformedEscapeSequence(text) => Said::new(
            format!("`{text}` is no escape sequence"),
            "not known",
            "a backslash itself is written `\\\\`; a text in backticks needs none for quotes",
        ),
        LexError::UnexpectedInput(text) if matches!(&**text, "}" | ")" | "]") => Said::new(
            format!("this `{text}` closes nothing"),
            "one too many",
            "take it away, or look for the opening one that is missing further up",
        ),
        LexError::UnexpectedInput(text) if text == "else" => Said::new(
            "this `else` has no `if` before it",
            "not expected here",
            "is a `}` missing before it? write `if … { … } else { … }`",
        ),
        LexError::UnexpectedInput(text) if text.starts_with(QUOTES) => Said::new(
            "a text stands in straight quotes",
            "this is none",
            "write \"Lyon\"",
        ),
        LexError::UnexpectedInput(text) if text == "/" => Said::new(
            "there are no patterns between slashes",
            "not expected here",
            "a pattern is a text: `msg.key.regex_is_match(\"^d-[0-9]+$\")`",
        ),
        LexError::UnexpectedInput(text) => symbol(text).unwrap_or_else(|| {
            Said::new(
                format!("`{text}` is not expected here"),
                "something is missing before it",
                hint,
            )
        }),
        other => Said::new(plain(&other.to_string()), "not understood", hint),
    }
}

pub(super) fn disabled_eval() -> Said {
    Said::new(
        "`eval` is disabled",
        "a handler runs only what was checked when it was loaded",
        "write out what it may do: a `switch`, or a map of closures, `#{ add: |a, b| a + b }`",
    )
}

/// `token` was expected: `what` says for what.
fn missing_token(spot: &Spot<'_>, token: &str, what: &str) -> Said {
    if let Some(said) = syntax::foreign(spot, token, what) {
        return said;
    }
    let (line, column, width) = spot.before;
    match token {
        ";" => Said::new(
            "a `;` is missing after this statement",
            "it ends here",
            "each statement ends in `;`; only the last of a block needs none",
        )
        .at(line, column, width),
        "{" => Said::new(
            "a block in braces was expected",
            "`{` expected here",
            "what follows `if`, `else`, `for`, `while` and `fn` stands in `{ … }`",
        ),
        "}" | ")" | "]" => closing(spot, token),
        "," => comma(spot, what),
        "catch" => Said::new(
            "a `try` needs a `catch`",
            "`catch` expected here",
            "write `try { … } catch (error) { … }`",
        ),
        "=>" => Said::new(
            "a branch of a `switch` is written with `=>`",
            "`=>` expected",
            "write `\"a\" | \"b\" => …,`, and `_ => …` for all others",
        ),
        _ => Said::new(
            format!("`{token}` was expected {what}"),
            &format!("`{token}` expected"),
            "look at what stands before it: something is missing there, or one word too many",
        ),
    }
}

/// A bracket that is not closed.
fn closing(spot: &Spot<'_>, token: &str) -> Said {
    let open = match token {
        "}" => '{',
        ")" => '(',
        _ => '[',
    };
    let expected = format!("`{token}` expected before this");
    match unclosed(spot.text, open, (spot.line, spot.column)) {
        Some((line, column)) => Said::new(
            format!("this `{open}` is never closed"),
            &format!("its `{token}` is missing"),
            match spot.found() {
                Some(found) => format!("expected before the `{found}` in line {}", spot.line),
                None => "the file ends before it".to_owned(),
            },
        )
        .at(line, column, 1),
        None => Said::new(
            format!("a `{token}` is missing"),
            &expected,
            format!("count the brackets before this place: each `{open}` needs its `{token}`"),
        ),
    }
}

/// A comma that is missing, or the bracket after the last element.
fn comma(spot: &Spot<'_>, what: &str) -> Said {
    let (element, bracket) = if what.contains("array literal") {
        ("elements of an array", "]")
    } else if what.contains("map literal") {
        ("fields of a map", "}")
    } else if what.contains("parameters of") {
        ("parameters of a function", ")")
    } else {
        ("arguments of a call", ")")
    };
    let ends = spot
        .found()
        .is_none_or(|found| matches!(found, "}" | "]" | ")" | ";"));
    if ends {
        return closing(spot, bracket);
    }
    let (line, column, width) = spot.before;
    Said::new(
        "a `,` is missing after this",
        "`,` expected after it",
        format!("the {element} are separated by commas"),
    )
    .at(line, column, width)
}

/// Rhai's sentence in the manner of the others: it begins small.
pub(super) fn plain(text: &str) -> String {
    let mut letters = text.chars();
    let second_is_lower = text.chars().nth(1).is_some_and(char::is_lowercase);
    match letters.next() {
        Some(first) if second_is_lower => first.to_lowercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}

/// The width of the mark at a place of a text.
pub(super) fn width_at(text: &str, line: usize, column: usize) -> usize {
    mark_width(
        text.lines().nth(line.saturating_sub(1)).unwrap_or_default(),
        column,
    )
}
