//! A value of the wrong type: in a call, with an operator, as a condition.

use super::function_hints;
use super::missing::{condition, operand, receiver};
use super::site::Site;
use crate::diagnostic::Diagnostic;
use crate::script::natives::{Style, natives};
use crate::script::told::{article, type_shown as shown};

/// `name (type, type)`, as Rhai writes what it looked for.
pub(super) fn no_function(site: &Site<'_>, signature: &str) -> Diagnostic {
    let (name, types) = signature.split_once(" (").unwrap_or((signature, ""));
    let types = types.strip_suffix(')').unwrap_or(types);
    let types: Vec<&str> = match types {
        "" => Vec::new(),
        types => types.split(", ").map(shown).collect(),
    };
    if name.contains(' ') {
        // Some of Rhai's own functions put a sentence where the name belongs.
        let hint = match name.contains("sorted") {
            true => vec![
                "say how: `sort(|a, b| …)`, which returns a number below, at or above 0".into(),
            ],
            false => vec![SHOWN.into()],
        };
        return site.say(super::compile::plain(name), "of different types", hint);
    }
    if name.starts_with("anon$") {
        return site.say(
            match types.len() {
                1 => "this closure does not take 1 argument".to_owned(),
                many => format!("this closure does not take {many} arguments"),
            },
            format!("given ({})", types.join(", ")),
            vec!["a closure takes as many as stand between its bars: `|a, b| a + b`".into()],
        );
    }
    let is_operator = !name.starts_with(|letter: char| letter.is_alphabetic() || letter == '_');
    if is_operator {
        return operator(site, name, &types);
    }
    let before: String = site
        .line
        .chars()
        .take(site.column.saturating_sub(1))
        .collect();
    let style = match before.trim_end().ends_with('.') {
        true => Style::Method,
        false => Style::Function,
    };
    if style == Style::Method && types.first() == Some(&"()") {
        return receiver(site, name);
    }
    let Some(usage) = natives().usage(name, style) else {
        return site.say(
            format!("there is no function `{name}` for ({})", types.join(", ")),
            "not found",
            own_hints(site, name),
        );
    };
    let (message, label) = match (style, types.split_first()) {
        (Style::Method, Some((of, []))) => (
            format!("`{name}` can't be called on {}", article(of)),
            format!("called on {}", article(of)),
        ),
        (Style::Method, Some((of, rest))) => (
            format!(
                "`{name}` on {} does not take ({})",
                article(of),
                rest.join(", ")
            ),
            "wrong types".to_owned(),
        ),
        _ => (
            format!("`{name}` does not take ({})", types.join(", ")),
            "wrong types".to_owned(),
        ),
    };
    let mut hints = vec![format!("it is called as {usage}")];
    if types.contains(&"()") {
        hints.push("a () among the values is a missing one: give another with `??`".into());
    } else if types.contains(&"float") && !usage.contains("float") {
        hints.push("a float becomes a whole number with `to_int()`".into());
    } else if types.contains(&"string")
        && (types.len() == 1 || usage.contains("int"))
        && !usage.contains("string")
    {
        hints.push("a text becomes a number with `parse_int(text)` or `parse_float(text)`".into());
    } else if types.contains(&"int") && usage.contains("string") && !usage.contains("int") {
        hints.push("a number becomes a text with `to_string()`".into());
    }
    site.say(message, label, hints)
}

/// Functions of the program's files that are called nearly so.
fn own_hints(site: &Site<'_>, name: &str) -> Vec<String> {
    let texts = || site.program.sources().iter().map(|source| &source.text);
    let own = format!("fn {name}(");
    let with_others = texts().find_map(|text| {
        let at = text.find(&own)?;
        text[at..]
            .split_once(')')
            .map(|(head, _)| format!("{head})"))
    });
    if let Some(written) = with_others {
        return vec![format!("it takes other parameters: `{written}`")];
    }
    let texts = texts();
    let own = texts.flat_map(|text| {
        let parts = text.split("fn ").skip(1);
        parts
            .filter_map(|rest| rest.split('(').next())
            .map(str::trim)
    });
    let hints = function_hints(name, own.filter(|own| *own != name));
    match hints.is_empty() {
        true => vec![format!(
            "your own is written `fn {name}(…) {{ … }}`; `deliveryd handlers doc` lists all others"
        )],
        false => hints,
    }
}

/// How to find out what a value is.
const SHOWN: &str = "`type_of(value)` says what a value is; `print` shows it in the log";

fn operator(site: &Site<'_>, name: &str, types: &[&str]) -> Diagnostic {
    if types.contains(&"()") && types.len() <= 2 {
        return operand(site, name, types);
    }
    let hints = match (name.trim_end_matches('='), types) {
        ("-" | "*" | "/" | "%", [left, right]) if [*left, *right].contains(&"string") => {
            vec!["a text becomes a number with `parse_int(text)` or `parse_float(text)`".into()]
        }
        ("+", ["map", "map"]) | ("+", ["array", _]) => {
            vec!["an element is added with `push(value)`, a field with `map.name = value`".into()]
        }
        ("!", _) => vec!["`!` turns true and false; compare first: `!(x == 1)`".into()],
        _ => vec![SHOWN.into()],
    };
    site.say(
        format!("`{name}` does not work on {}", types.join(" and ")),
        types.join(" and "),
        hints,
    )
}

/// Another type was needed, such as true or false for a condition.
pub(super) fn mismatch(site: &Site<'_>, wanted: &str, found: &str) -> Diagnostic {
    let (wanted, found) = (shown(wanted), shown(found));
    if wanted == "bool" && found == "()" {
        return condition(site);
    }
    if wanted == "bool" {
        let chain = site.chain_around();
        let name = chain.name();
        let example = match found {
            "int" => "!= 0",
            "string" => "!= \"\"",
            _ => "!= ()",
        };
        let text = match name.is_empty() {
            true => "x",
            false => &chain.text,
        };
        let hints = vec![format!("compare it: `{text} {example}`")];
        return site.say_of(
            &chain,
            format!("a condition is true or false, not {}", article(found)),
            article(found),
            hints,
        );
    }
    if wanted == "function" {
        return site.say(
            "`call` works on a function, and there is none",
            "called with this",
            vec!["a function is a closure, `|x| …`, or `Fn(\"name\")`".into()],
        );
    }
    let before = site
        .column
        .checked_sub(2)
        .and_then(|at| site.line.chars().nth(at));
    if wanted == "int" && before == Some('[') {
        return site.say(
            format!("only a map is indexed by {}", article(found)),
            "not a map",
            vec!["arrays, strings and blobs are indexed by numbers, from 0; `type_of(value)` says what a value is".into()],
        );
    }
    let message = match found {
        "" => format!("{} was expected", article(wanted)),
        found => format!("{} was expected, found {found}", article(wanted)),
    };
    let label = match found {
        "" => format!("not {}", article(wanted)),
        found => article(found),
    };
    site.say(message, label, vec![SHOWN.into()])
}
