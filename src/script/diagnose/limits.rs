//! Numbers and indexes beyond what there is.

use super::compile::plain;
use super::one_line;
use super::site::Site;
use crate::diagnostic::Diagnostic;

/// A calculation without a result, or a text that is no number.
pub(super) fn arithmetic(site: &Site<'_>, text: &str) -> Diagnostic {
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
    if text.contains(" for timestamp ") {
        return site.say(
            "a `timestamp()` can't be moved so far",
            "out of range",
            vec!["it only measures how long something takes; times are numbers: `now() - parse_duration(\"1h\")`".into()],
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
    } else if text.contains("step value") {
        (
            "never ends",
            "a step goes up or down: `range(0, 10, 2)`, `range(10, 0, -2)`",
        )
    } else if text.contains("radix") {
        ("no such base", "numbers are written in a base from 2 to 36")
    } else {
        ("no result", "check the numbers first")
    };
    site.say(plain(&text), label, vec![hint.into()])
}

/// An index into an array or a string that ends before it.
pub(super) fn out_of_bounds(site: &Site<'_>, what: &str, len: usize, index: i64) -> Diagnostic {
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
