//! Mistakes in a script, as the user should read them: where, what, and what to do.
//!
//! `compile` speaks about what does not parse, with `spot`, `reserved`, `syntax`, `brackets` and
//! `rest`; `run` about what ended a call, with `missing`, `limits` and `types`; `words` knows what
//! people of other languages write. Here is what all need: the place in the file, suggestions for misspelt
//! names.

mod brackets;
mod compile;
mod limits;
mod missing;
mod reserved;
mod rest;
mod run;
mod site;
mod spot;
mod syntax;
mod types;
mod words;

pub(crate) use compile::parse_error;
pub(crate) use run::{at_top_level, outcome};
pub(crate) use words::{function_hints, value_hint};

use std::cmp::Reverse;

use super::api::message;
use super::program::Source;
use crate::diagnostic::{Diagnostic, Place};

/// A place in a source; line and column count from 1.
pub(crate) fn place(source: &Source, line: usize, column: usize, width: usize) -> Place {
    let text = source
        .text
        .lines()
        .nth(line.saturating_sub(1))
        .unwrap_or_default();
    Place::File {
        path: source.shown.clone(),
        line: line.max(1),
        column: column.max(1),
        text: text.to_owned(),
        width: width.max(1),
    }
}

/// A place whose mark covers the word, the text in quotes or the operator that stands there.
pub(crate) fn place_of_word(source: &Source, line: usize, column: usize) -> Place {
    let text = source.text.lines().nth(line.saturating_sub(1));
    place(
        source,
        line,
        column,
        mark_width(text.unwrap_or_default(), column),
    )
}

/// A mistake without a place.
pub(crate) fn nowhere(message: String) -> Diagnostic {
    Diagnostic {
        message,
        place: Place::Nowhere,
        label: String::new(),
        hints: Vec::new(),
    }
}

/// The candidate that `name` was probably meant to be.
pub(crate) fn suggestion<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Of those that are as near, the one that begins like it.
    let near = |candidate: &'a str| {
        let letters = name.chars().zip(candidate.chars());
        let alike = letters.take_while(|(one, other)| one == other).count();
        let distance = strsim::damerau_levenshtein(name, candidate);
        (distance, Reverse(alike), candidate)
    };
    let (distance, Reverse(alike), best) = candidates.into_iter().map(near).min()?;
    let letters = name.chars().count();
    // A third of the letters may be wrong, and at least one; of very short names not the first.
    let close = distance <= (letters / 3).max(1) && (letters > 2 || alike > 0);
    (distance > 0 && close).then_some(best)
}

/// `msg.ofset`.
pub(crate) fn no_message_field(
    source: &Source,
    field: &str,
    line: usize,
    column: usize,
) -> Diagnostic {
    let near = suggestion(field, message::FIELDS.iter().copied());
    let mut hints: Vec<String> = near
        .iter()
        .map(|near| format!("did you mean `{near}`?"))
        .collect();
    if near.is_none() {
        hints.push(format!("a message has: {}", message::FIELDS.join(", ")));
        hints.push(format!("a field of a JSON value is `msg.json.{field}`"));
    }
    Diagnostic {
        message: format!("a message has no field `{field}`"),
        place: place(source, line, column, field.chars().count()),
        label: "no such field".into(),
        hints,
    }
}

/// How many characters the word, number, text in quotes or operator at `column` (from 1) has.
fn mark_width(line: &str, column: usize) -> usize {
    let rest: Vec<char> = line.chars().skip(column.saturating_sub(1)).collect();
    let run = |fits: fn(char) -> bool| rest.iter().take_while(|letter| fits(**letter)).count();
    match rest.first() {
        Some(quote @ ('"' | '`' | '\'')) => {
            let mut escaped = false;
            let end = rest.iter().skip(1).position(|letter| {
                let end = letter == quote && !escaped;
                escaped = *letter == '\\' && !escaped;
                end
            });
            end.map_or(1, |end| end + 2)
        }
        Some(letter) if is_word(*letter) => run(is_word),
        Some(letter) if is_operator(*letter) => run(is_operator).min(LONGEST_OPERATOR),
        _ => 1,
    }
}

/// `...`, `..=`, `**=`: more such letters in a row are several operators.
const LONGEST_OPERATOR: usize = 3;

fn is_operator(letter: char) -> bool {
    "+-*/%=<>!&|^?:".contains(letter)
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The names, dots and brackets that end right before `end` (in characters): `msg.json` of
/// `x = msg.json`.
pub(crate) fn chain_before(line: &str, end: usize) -> String {
    let letters: Vec<char> = line.chars().take(end).collect();
    let begin = (0..letters.len()).rfind(|at| !is_of_chain(&letters, *at));
    letters[begin.map_or(0, |at| at + 1)..].iter().collect()
}

/// Whether the letter at a place belongs to a chain, with the `::` of a file's constants.
fn is_of_chain(letters: &[char], at: usize) -> bool {
    let colon = |at: usize| letters.get(at) == Some(&':');
    match letters.get(at) {
        Some(':') => colon(at + 1) || at.checked_sub(1).is_some_and(colon),
        Some('.' | '[' | ']' | '?' | '"') => true,
        Some(letter) => is_word(*letter),
        None => false,
    }
}

/// A reason is one line, and nothing in it moves a terminal's cursor.
fn one_line(text: &str) -> String {
    text.split(char::is_control)
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
