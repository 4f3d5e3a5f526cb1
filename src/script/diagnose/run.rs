//! What ended a call.

use std::time::Duration;

use rhai::{Dynamic, EvalAltResult, Position};

use super::missing::{last_name, no_function, no_property};
use super::{chain_before, nowhere, place, word_width};
use crate::config::Limits;
use crate::diagnostic::Diagnostic;
use crate::script::json;
use crate::script::meter::Exceeded;
use crate::script::program::Program;
use crate::script::runtime::Ended;
use crate::script::state::{Stop, StopKind};
use crate::script::{Failure, MAX_PIECES, Outcome};

/// The outcome of a call that did not return.
///
/// `value` is the message's, for the excerpt where it is not JSON.
#[cold]
pub(crate) fn outcome(
    program: &Program,
    ended: Ended,
    limits: &Limits,
    timeout: Duration,
    value: Option<&[u8]>,
) -> Outcome {
    let rejected = match &ended {
        Ended::Stopped(stop) => !matches!(stop.kind, StopKind::Retry(_)),
        _ => false,
    };
    let mut diagnostic = diagnostic(program, ended, limits, timeout, value);
    diagnostic.message = short(diagnostic.message);
    let failure = Box::new(Failure {
        reason: diagnostic.message.clone(),
        diagnostic: Some(diagnostic)
            .filter(|found| found.place != crate::diagnostic::Place::Nowhere),
    });
    if rejected {
        Outcome::Rejected(failure)
    } else {
        Outcome::Failed(failure)
    }
}

/// The top level of a file failed while a handler was made.
pub(crate) fn at_top_level(
    program: &Program,
    ended: Ended,
    limits: &Limits,
    timeout: Duration,
) -> Diagnostic {
    diagnostic(program, ended, limits, timeout, None)
}

fn diagnostic(
    program: &Program,
    ended: Ended,
    limits: &Limits,
    timeout: Duration,
    value: Option<&[u8]>,
) -> Diagnostic {
    match ended {
        Ended::Error(error) => runtime_error(program, &error, limits),
        Ended::Exceeded(exceeded, error) => {
            limit(program, exceeded, error.as_deref(), limits, timeout)
        }
        Ended::Stopped(stop) => stopped(program, &stop, value),
        Ended::Panic(what) => nowhere(format!(
            "a function that the script called panicked: {what}"
        )),
    }
}

fn limit(
    program: &Program,
    exceeded: Exceeded,
    error: Option<&EvalAltResult>,
    limits: &Limits,
    timeout: Duration,
) -> Diagnostic {
    let (message, hint) = match exceeded {
        Exceeded::Operations => (
            format!("the call made more than {} operations", limits.operations),
            "an endless loop? the limit is limits.operations",
        ),
        Exceeded::Time => (
            format!("the call took longer than {timeout:?}"),
            "the limit is handler_timeout",
        ),
        Exceeded::Memory => (
            format!("the call used more than {} bytes of memory", limits.memory),
            "the limit is limits.memory",
        ),
        Exceeded::Pieces => (
            format!("the call holds more than {MAX_PIECES} values at once"),
            "nested in each other, so many would overflow the stack; keep fewer of them",
        ),
        Exceeded::Stack => (
            "the functions that call each other need more stack than there is".to_owned(),
            "lower limits.call_depth, or split deep expressions with `let`",
        ),
    };
    let (source, inner) = error.map_or((None, None), |error| innermost(error));
    let position = inner.map_or(Position::NONE, EvalAltResult::position);
    at(
        program,
        source,
        position,
        message,
        "stopped here".into(),
        vec![hint.into()],
    )
}

fn stopped(program: &Program, stop: &Stop, value: Option<&[u8]>) -> Diagnostic {
    let (message, label, hints) = match &stop.kind {
        StopKind::Rejected(reason) => (one_line(reason), "rejected here", Vec::new()),
        StopKind::Retry(reason) => (one_line(reason), "a retry was asked for here", Vec::new()),
        StopKind::NotJson(error) => {
            let (excerpt, mark) = excerpt(value.unwrap_or_default(), error.offset);
            (
                format!(
                    "the value is not JSON: {} at byte {}",
                    error.why, error.offset
                ),
                "parsed here",
                vec![excerpt, mark],
            )
        }
    };
    at(
        program,
        stop.source.as_deref(),
        stop.position,
        message,
        label.into(),
        hints,
    )
}

/// The bytes around `offset` on one line, and a mark below it.
fn excerpt(value: &[u8], offset: usize) -> (String, String) {
    const AROUND: usize = 24;
    let begin = offset.saturating_sub(AROUND);
    let end = (offset + AROUND).min(value.len());
    let show = |bytes: &[u8]| -> String {
        String::from_utf8_lossy(bytes)
            .chars()
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .collect()
    };
    let before = show(value.get(begin..offset.min(end)).unwrap_or_default());
    let after = show(value.get(offset.min(end)..end).unwrap_or_default());
    let mark = format!("{}^", " ".repeat(before.chars().count()));
    (format!("{before}{after}"), mark)
}

/// The error that began it all, and the source that it is in.
fn innermost(error: &EvalAltResult) -> (Option<&str>, Option<&EvalAltResult>) {
    let mut source = None;
    let mut error = error;
    loop {
        match error {
            EvalAltResult::ErrorInFunctionCall(_, file, inner, _)
            | EvalAltResult::ErrorInModule(file, inner, _) => {
                if !file.is_empty() {
                    source = Some(file.as_str());
                }
                error = inner;
            }
            _ => return (source, Some(error)),
        }
    }
}

fn runtime_error(program: &Program, error: &EvalAltResult, limits: &Limits) -> Diagnostic {
    let (source, Some(inner)) = innermost(error) else {
        return nowhere(one_line(&error.to_string()));
    };
    let position = inner.position();
    let file = program.source(source);
    let line = position
        .line()
        .and_then(|line| file.and_then(|file| file.text.lines().nth(line - 1)))
        .unwrap_or_default();
    let column = position.position().unwrap_or(1);
    match inner {
        EvalAltResult::ErrorRuntime(thrown, _) => {
            let label = if line.trim_start().starts_with("throw") || line.contains("throw ") {
                "thrown here"
            } else {
                "here"
            };
            at(
                program,
                source,
                position,
                thrown_text(thrown),
                label.into(),
                Vec::new(),
            )
        }
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            no_function(program, source, position, signature, line, column)
        }
        EvalAltResult::ErrorDotExpr(text, _) => {
            no_property(program, source, position, text, line, column)
        }
        EvalAltResult::ErrorIndexingType(kind, _) if kind.starts_with("()") => at(
            program,
            source,
            position,
            format!(
                "`{}` is missing",
                last_name(&chain_before(line, column - 1))
            ),
            "map or array expected, found ()".into(),
            vec!["where it may be missing, write `?[…]`, or `?? default` after it".into()],
        ),
        EvalAltResult::ErrorStackOverflow(_) => at(
            program,
            source,
            position,
            format!(
                "functions call each other more than {} deep",
                limits.call_depth
            ),
            "called here".into(),
            vec!["an endless recursion? the limit is limits.call_depth".into()],
        ),
        EvalAltResult::ErrorDataTooLarge(what, _) => {
            let (message, hint) = too_large(what, limits);
            at(
                program,
                source,
                position,
                message,
                "here".into(),
                vec![hint],
            )
        }
        EvalAltResult::ErrorDataRace(..) => at(
            program,
            source,
            position,
            "a closure uses the very value that its method works on".into(),
            "here".into(),
            vec!["give the closure a copy: `let copy = a;` before it".into()],
        ),
        EvalAltResult::ErrorVariableNotFound(name, _) => at(
            program,
            source,
            position,
            format!("there is no variable `{name}`"),
            "not found".into(),
            vec![format!(
                "a function sees its parameters, `params`, and the file's constants as `global::{name}`"
            )],
        ),
        other => {
            let mut other = clone_without_position(other);
            at(
                program,
                source,
                position,
                std::mem::take(&mut other),
                "here".into(),
                Vec::new(),
            )
        }
    }
}

/// The error's text without `(line 1, position 2)`, which the diagnostic shows better.
fn clone_without_position(error: &EvalAltResult) -> String {
    let text = error.to_string();
    let text = match text.rfind(" (line ") {
        Some(at) => &text[..at],
        None => &text,
    };
    one_line(text)
}

fn too_large(what: &str, limits: &Limits) -> (String, String) {
    if what.contains("string") {
        (
            format!("a string grew longer than {} bytes", limits.string),
            "the limit is limits.string".into(),
        )
    } else if what.contains("map") {
        (
            format!("a map grew larger than {} members", limits.map),
            "the limit is limits.map".into(),
        )
    } else {
        (
            format!("an array grew larger than {} elements", limits.array),
            "the limit is limits.array; the bytes of a blob count as elements".into(),
        )
    }
}

fn thrown_text(thrown: &Dynamic) -> String {
    if thrown.is_unit() {
        return "the script threw an error without a reason".into();
    }
    if let Ok(text) = thrown.as_immutable_string_ref() {
        return one_line(&text);
    }
    // As JSON, because that has a bound for length and depth.
    let mut text = Vec::new();
    match json::write(thrown, &mut text, LONGEST) {
        Ok(()) | Err(json::NoJson::TooLong(_)) => one_line(&String::from_utf8_lossy(&text)),
        Err(why) => format!("the script threw what can't be shown: {why}"),
    }
}

/// A diagnostic at a place of a source, or without a place where there is none.
pub(super) fn at(
    program: &Program,
    source: Option<&str>,
    position: Position,
    message: String,
    label: String,
    hints: Vec<String>,
) -> Diagnostic {
    let Some((file, line)) = program.source(source).zip(position.line()) else {
        return Diagnostic {
            hints,
            ..nowhere(message)
        };
    };
    let column = position.position().unwrap_or(1);
    let text = file.text.lines().nth(line - 1).unwrap_or_default();
    Diagnostic {
        message,
        place: place(file, line, column, word_width(text, column)),
        label,
        hints,
    }
}

/// What is longer, in bytes, is cut: a reason goes into the log and into a header of the dead letter.
const LONGEST: usize = 1000;

/// At most [`LONGEST`] bytes of `text`, and a word on how much is missing.
fn short(mut text: String) -> String {
    if text.len() > LONGEST {
        let missing = text.len() - text.floor_char_boundary(LONGEST);
        text.truncate(text.len() - missing);
        text.push_str(&format!("… and {missing} bytes more"));
    }
    text
}

/// A reason is one line, and nothing in it moves a terminal's cursor.
fn one_line(text: &str) -> String {
    text.split(char::is_control)
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
