//! What ended a call.

use std::time::Duration;

use rhai::{Dynamic, EvalAltResult, ParseErrorType, Position};

use super::compile::{disabled_eval, plain};
use super::missing::{indexed, no_property, not_indexable, not_iterable};
use super::site::Site;
use super::types::{mismatch, no_function};
use super::{chain_before, is_word, nowhere};
use crate::config::Limits;
use crate::diagnostic::Diagnostic;
use crate::script::json;
use crate::script::meter::Exceeded;
use crate::script::natives::{Style, natives};
use crate::script::program::{Program, Source};
use crate::script::runtime::Ended;
use crate::script::state::{Stop, StopKind};
use crate::script::{Failure, Kind, MAX_PIECES, Outcome, told};

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
    Site::new(program, source, position).say(message, "stopped here", vec![hint.into()])
}

fn stopped(program: &Program, stop: &Stop, value: Option<&[u8]>) -> Diagnostic {
    let (message, label, hints) = match &stop.kind {
        StopKind::Rejected(reason) => (
            one_line(reason),
            "rejected here",
            vec!["it is not tried again; `retry(reason)` would have that".into()],
        ),
        StopKind::Retry(reason) => (
            one_line(reason),
            "a retry was asked for here",
            vec!["`on_failure` says when and how often; `reject(reason)` gives up at once".into()],
        ),
        StopKind::NotJson(error) => (
            format!("the value is not JSON: {error}"),
            "parsed here",
            error.excerpt(value.unwrap_or_default()).into(),
        ),
    };
    Site::new(program, stop.source.as_deref(), stop.position).say(message, label, hints)
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
    let site = Site::new(program, source, inner.position());
    match inner {
        EvalAltResult::ErrorRuntime(thrown, _) => thrown_here(&site, thrown),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => no_function(&site, signature),
        EvalAltResult::ErrorDotExpr(text, _) => no_property(&site, text),
        EvalAltResult::ErrorIndexingType(kind, _) if kind.starts_with("()") => indexed(&site),
        EvalAltResult::ErrorIndexingType(text, _) => not_indexable(&site, text),
        EvalAltResult::ErrorMismatchDataType(wanted, found, _) => {
            mismatch(&site, wanted, found)
        }
        EvalAltResult::ErrorFor(_) => not_iterable(&site),
        EvalAltResult::ErrorArrayBounds(len, index, _) => out_of_bounds(&site, "array", *len, *index),
        EvalAltResult::ErrorStringBounds(len, index, _) => {
            out_of_bounds(&site, "string", *len, *index)
        }
        EvalAltResult::ErrorParsing(ParseErrorType::Reserved(word), _) if word == "eval" => {
            let said = disabled_eval();
            site.say(said.message, said.label, said.hints)
        }
        EvalAltResult::ErrorStackOverflow(_) => site.say(
            format!(
                "functions call each other more than {} deep",
                limits.call_depth
            ),
            "called here",
            vec!["an endless recursion? the limit is limits.call_depth".into()],
        ),
        EvalAltResult::ErrorDataTooLarge(what, _) => {
            let (message, hint) = too_large(what, limits);
            site.say(message, "grew here", vec![hint])
        }
        EvalAltResult::ErrorArithmetic(text, _) => arithmetic(&site, text),
        EvalAltResult::ErrorDataRace(..) => site.say(
            "a closure uses the very value that its method works on",
            "the closure changes or reads it meanwhile",
            vec!["give the closure a copy: `let copy = a;` before it".into()],
        ),
        EvalAltResult::ErrorVariableNotFound(name, _) => site.say(
            format!("there is no variable `{name}`"),
            "not found",
            vec![format!(
                "a function sees its parameters, `params`, and the file's constants as `global::{name}`"
            )],
        ),
        other => site.say(without_position(other), "failed here", usage(&site)),
    }
}

/// How the function is called whose name the place is at.
fn usage(site: &Site<'_>) -> Vec<String> {
    let rest = site.line.chars().skip(site.column.saturating_sub(1));
    let name: String = rest.take_while(|letter| is_word(*letter)).collect();
    let method = chain_before(site.line, site.column.saturating_sub(1)).ends_with('.');
    let style = if method {
        Style::Method
    } else {
        Style::Function
    };
    let usage = natives().usage(&name, style);
    usage
        .map(|usage| format!("it is called as {usage}"))
        .into_iter()
        .collect()
}

/// A calculation without a result, or a text that is no number.
fn arithmetic(site: &Site<'_>, text: &str) -> Diagnostic {
    let text = one_line(text);
    if let Some((_, rest)) = text.split_once("parsing integer number '") {
        let given = rest.rsplit_once("': ").map_or(rest, |(given, _)| given);
        return site.say(
            format!("\"{given}\" is no whole number"),
            "read here",
            vec![format!(
                "look first, `if regex_is_match(text, \"^-?[0-9]{{1,18}}$\")`, or go on without it: `try {{ … }} catch {{ … }}`"
            )],
        );
    }
    if let Some((_, rest)) = text.split_once("parsing floating-point number '") {
        let given = rest.rsplit_once("': ").map_or(rest, |(given, _)| given);
        return site.say(
            format!("\"{given}\" is no number"),
            "read here",
            vec!["go on without it: `try { … } catch { … }`; a decimal comma is none here".into()],
        );
    }
    let (label, hint) = if text.contains("ivision by zero") {
        ("the divisor is 0", "check it first: `if n != 0 { … }`")
    } else if text.contains("verflow") || text.contains("too large") {
        (
            "beyond 64 bits",
            "a float holds larger numbers, to 15 digits: `n.to_float()`",
        )
    } else if text.contains("negative power") {
        ("a negative power", "floats have it: `2.0 ** -1.0`")
    } else if text.contains("radix") {
        ("no such base", "numbers are written in a base from 2 to 36")
    } else {
        ("no result", "check the numbers first")
    };
    site.say(plain(&text), label, vec![hint.into()])
}

fn thrown_here(site: &Site<'_>, thrown: &Dynamic) -> Diagnostic {
    let text = thrown_text(thrown);
    let (label, hints) = match told::of(&text) {
        Some(told) => (told.label, told.hints),
        None if site.line.contains("throw ") => (
            "thrown here".to_owned(),
            vec![
                "a `throw` is tried again as `on_failure` says; `reject(reason)` gives up at once"
                    .into(),
            ],
        ),
        // A test's own functions are not among those that a handler can call.
        None if site.program.kind() == Kind::Test => ("failed here".to_owned(), Vec::new()),
        None => ("failed here".to_owned(), usage(site)),
    };
    // Of what a generator returned nothing has a place: its function is shown.
    if site.position.is_none()
        && site.program.kind() == Kind::Producer
        && let Some((line, column)) = site.program.source(None).and_then(generate)
    {
        let name = "generate".len();
        return site.say_at(line, column, name, text, "in what it returned", hints);
    }
    site.say(text, label, hints)
}

/// Where a generator's function is named.
fn generate(source: &Source) -> Option<(usize, usize)> {
    let lines = (1..).zip(source.text.lines());
    let mut found = lines.filter_map(|(number, line)| {
        let at = line.find("fn generate")? + "fn ".len();
        Some((number, line[..at].chars().count() + 1))
    });
    found.next()
}

fn out_of_bounds(site: &Site<'_>, what: &str, len: usize, index: i64) -> Diagnostic {
    let has = match (what, len) {
        (_, 0) => "it is empty".to_owned(),
        ("array", 1) => "it has 1 element".to_owned(),
        ("array", many) => format!("it has {many} elements"),
        (_, 1) => "it has 1 character".to_owned(),
        (_, many) => format!("it has {many} characters"),
    };
    let hint = match what {
        "array" => vec![format!(
            "`get({index})` instead of `[{index}]` gives () there"
        )],
        _ => vec!["`sub_string(start, len)` takes what there is, and may be empty".into()],
    };
    let side = if index < 0 { "beginning" } else { "end" };
    let message = format!("index {index} is beyond the {side} of the {what}");
    let rest = site.line.chars().skip(site.column.saturating_sub(1));
    let width = rest.take_while(|letter| *letter != ']').count() + 1;
    match site.position.line() {
        Some(line) if site.line.chars().nth(site.column.saturating_sub(1)) == Some('[') => {
            site.say_at(line, site.column, width, message, has, hint)
        }
        _ => site.say(message, has, hint),
    }
}

/// The error's text without `(line 1, position 2)`, which the diagnostic shows better.
fn without_position(error: &EvalAltResult) -> String {
    let text = error.to_string();
    let text = match text.rfind(" (line ") {
        Some(at) => &text[..at],
        None => &text,
    };
    let text = plain(&one_line(text));
    // It is shown behind the word `error`.
    match text.strip_prefix("error parsing ") {
        Some(rest) => format!("can't parse {rest}"),
        None => text,
    }
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
    match json::write(thrown, &mut text, LONGEST, None) {
        Ok(()) | Err(json::NoJson::TooLong(_)) => one_line(&String::from_utf8_lossy(&text)),
        Err(why) => format!("the script threw what can't be shown: {why}"),
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
