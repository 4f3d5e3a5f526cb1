//! What ended a call.

use std::time::Duration;

use rhai::{Dynamic, EvalAltResult, Position};

use super::{chain_before, no_message_field, nowhere, place, word_width};
use crate::config::Limits;
use crate::diagnostic::Diagnostic;
use crate::script::meter::Exceeded;
use crate::script::program::Program;
use crate::script::runtime::Ended;
use crate::script::state::{Stop, StopKind};
use crate::script::{Failure, Outcome};

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
    let diagnostic = diagnostic(program, ended, limits, timeout, value);
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
    one_line(&thrown.to_string())
}

/// `name (type, type)`, as Rhai writes what it looked for.
fn no_function(
    program: &Program,
    source: Option<&str>,
    position: Position,
    signature: &str,
    line: &str,
    column: usize,
) -> Diagnostic {
    let (name, types) = signature.split_once(" (").unwrap_or((signature, ""));
    let types: Vec<&str> = types.trim_end_matches(')').split(", ").collect();
    let is_operator = !name.starts_with(|letter: char| letter.is_alphabetic() || letter == '_');
    if is_operator && types.len() == 2 && types.contains(&"()") {
        return missing_operand(program, source, position, name, &types, line, column);
    }
    if is_operator {
        return at(
            program,
            source,
            position,
            format!("`{name}` does not work on {}", types.join(" and ")),
            "here".into(),
            Vec::new(),
        );
    }
    let known = program
        .sources()
        .iter()
        .flat_map(|source| functions_of(&source.text));
    let near = super::suggestion(name, known.chain(KNOWN.iter().copied()));
    let mut hints: Vec<String> = near
        .iter()
        .map(|near| format!("did you mean `{near}`?"))
        .collect();
    if types.first() == Some(&"()") {
        hints.push("the value it is called on is (), so perhaps a field is missing".into());
    }
    let taken = types.join(", ");
    at(
        program,
        source,
        position,
        format!("there is no function `{name}` for ({taken})"),
        "not found".into(),
        hints,
    )
}

/// Functions of the API, for suggestions.
const KNOWN: &[&str] = &[
    "emit",
    "reject",
    "retry",
    "count",
    "observe",
    "debug",
    "info",
    "warn",
    "error",
    "print",
    "now",
    "uuid",
    "rand",
    "rand_float",
    "rand_bool",
    "rand_alpha_numeric",
    "sample",
    "shuffle",
    "len",
    "keys",
    "values",
    "contains",
    "push",
    "pop",
    "remove",
    "insert",
    "map",
    "filter",
    "reduce",
    "split",
    "replace",
    "trim",
    "to_upper",
    "to_lower",
    "to_string",
    "to_int",
    "to_float",
    "parse_int",
    "parse_float",
    "parse_json",
    "to_json",
    "sub_string",
    "index_of",
    "starts_with",
    "ends_with",
    "type_of",
    "is_empty",
    "sort",
    "reverse",
    "round",
    "floor",
    "ceiling",
    "abs",
];

fn functions_of(text: &str) -> impl Iterator<Item = &str> {
    text.split("fn ")
        .skip(1)
        .filter_map(|rest| rest.split('(').next())
        .map(str::trim)
}

/// Arithmetic on `()`: almost always a field that the message does not have.
fn missing_operand(
    program: &Program,
    source: Option<&str>,
    position: Position,
    name: &str,
    types: &[&str],
    line: &str,
    column: usize,
) -> Diagnostic {
    let letters: Vec<char> = line.chars().collect();
    let (begin, chain) = if types[0] == "()" {
        let before: String = letters.iter().take(column - 1).collect();
        let before = before.trim_end();
        let chain = chain_before(before, before.chars().count());
        (before.chars().count() - chain.chars().count(), chain)
    } else {
        let rest: String = letters
            .iter()
            .skip(column - 1 + name.chars().count())
            .collect();
        let blank = rest
            .chars()
            .take_while(|letter| letter.is_whitespace())
            .count();
        let chain: String = rest
            .trim_start()
            .chars()
            .take_while(|letter| {
                super::is_word(*letter) || matches!(letter, '.' | '[' | ']' | '?' | '"')
            })
            .collect();
        (column - 1 + name.chars().count() + blank, chain)
    };
    let other = if types[0] == "()" { types[1] } else { types[0] };
    let expected = match other {
        "i64" | "f64" => "number",
        "()" => "value",
        other => other,
    };
    let field = last_name(&chain);
    if field.is_empty() {
        return at(
            program,
            source,
            position,
            format!("`{name}` does not work on {}", types.join(" and ")),
            format!("{expected} expected, found ()"),
            Vec::new(),
        );
    }
    let field_column = begin + chain.chars().count() - field.chars().count() + 1;
    let position = Position::new(
        position
            .line()
            .and_then(|line| u16::try_from(line).ok())
            .unwrap_or(1),
        u16::try_from(field_column).unwrap_or(1),
    );
    at(
        program,
        source,
        position,
        format!("`{field}` is missing"),
        format!("{expected} expected, found ()"),
        vec![format!(
            "where it may be missing, write `({chain} ?? 0)` or whatever it should be then"
        )],
    )
}

/// `c` of `a.b.c`, and of `a.b["c"]`.
fn last_name(chain: &str) -> String {
    let end = chain.trim_end_matches(['"', ']', '[', '?', '.']);
    end.rsplit(['.', '[', '"', '?'])
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// `Unknown property 'x' - a getter is not registered for type 't'`, as Rhai writes it.
fn no_property(
    program: &Program,
    source: Option<&str>,
    position: Position,
    text: &str,
    line: &str,
    column: usize,
) -> Diagnostic {
    let mut quoted = text.split('\'').skip(1).step_by(2);
    let (property, kind) = (
        quoted.next().unwrap_or_default(),
        quoted.next().unwrap_or_default(),
    );
    let writing = text.starts_with("No writable");
    if kind == "message" && writing {
        return at(
            program,
            source,
            position,
            format!("`{property}` of a message can't be changed"),
            "read only".into(),
            vec!["copy it first: `let d = msg.json` may be changed".into()],
        );
    }
    if kind == "message"
        && let (Some(file), Some(line)) = (program.source(source), position.line())
    {
        return no_message_field(file, property, line, position.position().unwrap_or(1));
    }
    if kind == "()" {
        let dot = line.chars().take(column - 1).collect::<String>();
        let dot = dot.trim_end().trim_end_matches(['.', '?']);
        let missing = last_name(&chain_before(dot, dot.chars().count()));
        let message = if missing.is_empty() {
            format!("`{property}` was asked of a missing value")
        } else {
            format!("`{missing}` is missing")
        };
        return at(
            program,
            source,
            position,
            message,
            format!("map expected before `.{property}`, found ()"),
            vec![format!(
                "where it may be missing, write `{missing}?.{property}`"
            )],
        );
    }
    at(
        program,
        source,
        position,
        format!("a value of type {kind} has no field `{property}`"),
        "no such field".into(),
        Vec::new(),
    )
}

fn at(
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

/// A reason is one line: the rest would break the log's.
fn one_line(text: &str) -> String {
    text.split(['\n', '\r'])
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
