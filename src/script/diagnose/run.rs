//! What ended a call.

use std::time::Duration;

use rhai::{Dynamic, EvalAltResult, ParseErrorType, Position};

use super::compile::{disabled_eval, plain};
use super::limits::{arithmetic, out_of_bounds};
use super::missing::{indexed, no_property, not_indexable, not_iterable};
use super::site::Site;
use super::types::{mismatch, no_function};
use super::{chain_before, is_word, nowhere, one_line, place};
use crate::config::Limits;
use crate::diagnostic::{Diagnostic, Place};
use crate::script::json;
use crate::script::meter::Exceeded;
use crate::script::natives::{Style, natives};
use crate::script::program::{Program, Source};
use crate::script::runtime::Ended;
use crate::script::state::{Stop, StopKind};
use crate::script::{Failure, Kind, MAX_PIECES, Outcome, told};

/// The outcome of a call that did not return.
///
/// `entry` is the function that was called, which is shown where nothing better is known; `value` is
/// the message's, for the excerpt where it is not JSON.
#[cold]
pub(crate) fn outcome(
    program: &Program,
    ended: Ended,
    limits: &Limits,
    timeout: Duration,
    entry: &str,
    value: Option<&[u8]>,
) -> Outcome {
    let rejected = match &ended {
        Ended::Stopped(stop) => !matches!(stop.kind, StopKind::Retry(_)),
        _ => false,
    };
    let mut diagnostic = diagnostic(program, ended, limits, timeout, value);
    diagnostic.message = short(diagnostic.message);
    if diagnostic.place == Place::Nowhere
        && let Some(source) = program.source(None)
        && let Some((line, column)) = header(source, entry)
    {
        diagnostic.place = place(source, line, column, entry.chars().count());
        diagnostic.label = "somewhere in it".into();
    }
    let failure = Box::new(Failure {
        reason: diagnostic.message.clone(),
        diagnostic: Some(diagnostic).filter(|found| found.place != Place::Nowhere),
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
        Exceeded::Left(bytes) => (
            format!(
                "the calls before have left {bytes} bytes that nothing frees: a closure is kept in the variable that it uses"
            ),
            "keep the closure elsewhere, or let it take the value as a parameter",
        ),
        Exceeded::Stack => (
            "the functions that call each other need more stack than there is".to_owned(),
            "lower limits.call_depth, or split deep expressions with `let`",
        ),
    };
    let (source, position) = error.map_or((None, Position::NONE), |error| {
        let (source, position, _) = innermost(error);
        (source, position)
    });
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

/// The error that began it all, and its place: where it has none itself, that of the call it came from.
fn innermost(error: &EvalAltResult) -> (Option<&str>, Position, &EvalAltResult) {
    let (mut source, mut called) = (None, (None, Position::NONE));
    let mut error = error;
    loop {
        match error {
            EvalAltResult::ErrorInFunctionCall(_, file, inner, position)
            | EvalAltResult::ErrorInModule(file, inner, position) => {
                if !position.is_none() {
                    called = (source, *position);
                }
                if !file.is_empty() {
                    source = Some(file.as_str());
                }
                error = inner;
            }
            _ => match error.position() {
                none if none.is_none() => return (called.0, called.1, error),
                position => return (source, position, error),
            },
        }
    }
}

fn runtime_error(program: &Program, error: &EvalAltResult, limits: &Limits) -> Diagnostic {
    let (source, position, inner) = innermost(error);
    let site = Site::new(program, source, position);
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
        EvalAltResult::ErrorAssignmentToConstant(..)
        | EvalAltResult::ErrorNonPureMethodCallOnConstant(..) => site.say(
            without_position(inner),
            "a constant",
            vec!["copy it first, and change the copy: `let copy = NAME;`".into()],
        ),
        EvalAltResult::ErrorUnboundThis(_) => site.say(
            "there is no `this` here",
            "not in a method",
            vec!["`this` is what a function is called on: `value.f()`, or each element in `array.map(|| this)`".into()],
        ),
        EvalAltResult::ErrorBitFieldBounds(..) => site.say(
            without_position(inner),
            "no such bit",
            vec!["the bits of a number are 0 to 63; -1 is the last".into()],
        ),
        other => {
            let mut hints = usage(&site);
            if hints.is_empty() {
                hints.push("`try { … } catch (why) { … }` goes on without it".into());
            }
            site.say(without_position(other), "failed here", hints)
        }
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
        && let Some(source) = site.program.source(None)
        && let Some((line, column)) = header(source, GENERATE)
    {
        let width = GENERATE.len();
        return site.say_at(line, column, width, text, "in what it returned", hints);
    }
    site.say(text, label, hints)
}

/// A generator's function.
const GENERATE: &str = "generate";

/// Where a function of this name is defined.
fn header(source: &Source, name: &str) -> Option<(usize, usize)> {
    let lines = (1..).zip(source.text.lines());
    let head = format!("fn {name}");
    let mut found = lines.filter_map(|(number, line)| {
        let (before, after) = line.split_once(&head)?;
        let column = before.chars().count() + "fn ".len() + 1;
        after
            .trim_start()
            .starts_with('(')
            .then_some((number, column))
    });
    found.next()
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
