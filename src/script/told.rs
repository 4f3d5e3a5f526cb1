//! What a function of the API says of its failure beside its one line: a label for the mark, and what
//! to do.
//!
//! The line alone is the error that a script can catch. [`mistake`] keeps the rest until the call has
//! ended, and [`of`] finds it again by the line, also where the script has caught and thrown it anew.

use std::cell::RefCell;

use rhai::{Dynamic, EvalAltResult};

/// What belongs to one error's line.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    line: String,
    pub label: String,
    pub hints: Vec<String>,
}

thread_local! {
    // Of a thread, as the meter: the functions that fail have nothing else in common. The last one
    // counts; a script that goes on after an error rarely ends by an earlier one.
    static LAST: RefCell<Option<Told>> = const { RefCell::new(None) };
}

/// An error of this line that a script can catch; where it ends the call, the mark gets the label and
/// the hints stand below.
#[cold]
pub(crate) fn mistake(
    line: impl Into<String>,
    label: impl Into<String>,
    hints: impl IntoIterator<Item = String>,
) -> Box<EvalAltResult> {
    let line = line.into();
    let error = line.as_str().into();
    LAST.set(Some(Told {
        line,
        label: label.into(),
        hints: hints.into_iter().collect(),
    }));
    error
}

/// What was told of the error of this line, if it was the last one.
pub(crate) fn of(line: &str) -> Option<Told> {
    let told = LAST.take()?;
    (told.line == line).then_some(told)
}

/// A type as a script's author calls it, of Rhai's or Rust's name for it.
pub(crate) fn type_shown(of: &str) -> &str {
    match of {
        "i64" => "int",
        "f64" => "float",
        "&str | ImmutableString | String" => "string",
        "Fn" => "function",
        of if of.contains("Range") || of.contains("range") => "range",
        // Rust's path of a type tells nobody anything. Rhai gives it where it does not look up the name.
        of => match of.rsplit("::").next().unwrap_or(of) {
            "JsonObject" => "map",
            "JsonArray" => "array",
            "Headers" => "headers",
            "Message" => "message",
            "Url" => "url",
            // What variables share, such as `msg`; Rhai does not say what it is.
            "Dynamic>>" => "value of another type",
            name => name,
        },
    }
}

/// `an int`, `a string`; `()` as it is.
pub(crate) fn article(of: &str) -> String {
    match of {
        "()" | "headers" => of.to_owned(),
        "url" => "a url".to_owned(),
        of if of.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {of}"),
        of => format!("a {of}"),
    }
}

/// What to do about a value of this type where a number is wanted.
pub(crate) fn number_instead(of: &str) -> Vec<String> {
    match of {
        "()" => vec!["where it may be missing, give another: `x ?? 0`".into()],
        "string" => {
            vec!["a text becomes a number with `parse_int(text)` or `parse_float(text)`".into()]
        }
        _ => Vec::new(),
    }
}

/// A value's type as a script's author calls it.
pub(crate) fn type_name(value: &Dynamic) -> &'static str {
    if value.is_unit() {
        "()"
    } else if value.is_map() || value.is::<super::json::JsonObject>() {
        "map"
    } else if value.is_array() || value.is::<super::json::JsonArray>() {
        "array"
    } else {
        type_shown(value.type_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hint is given to its own error and to no other, and only once.
    #[test]
    fn a_hint_goes_with_its_line() {
        let error = mistake("no such zone", "unknown", ["write \"UTC\"".to_owned()]);
        assert!(error.to_string().contains("no such zone"), "{error}");
        assert!(of("another error").is_none());
        drop(mistake("no such zone", "unknown", []));
        assert_eq!(of("no such zone").unwrap().label, "unknown");
        assert!(of("no such zone").is_none());
    }
}
