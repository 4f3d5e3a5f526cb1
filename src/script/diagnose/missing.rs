//! A value that is not there: almost always a field that the message does not have.
//!
//! Rhai's texts name types and operators; the line of the source names what the user wrote.

use super::site::{Chain, Site};
use super::{function_hints, no_message_field, suggestion};
use crate::diagnostic::Diagnostic;
use crate::script::api::catalog::{Form, FormKind, catalog};
use crate::script::told::{article, type_shown};

/// `name is missing`, with its mark, or what is said where it has no name.
fn missing(
    site: &Site<'_>,
    chain: &Chain,
    otherwise: String,
    label: String,
    hint: String,
) -> Diagnostic {
    let name = chain.name();
    if name.is_empty() {
        let hint = "a () is a missing value: a field that is not there, or what a method that works in place returns";
        return site.say(otherwise, label, vec![hint.into()]);
    }
    site.say_of(chain, format!("`{name}` is missing"), label, vec![hint])
}

/// Arithmetic on `()`: `operator` between values of these types.
pub(super) fn operand(site: &Site<'_>, operator: &str, types: &[&str]) -> Diagnostic {
    // `x += y` is looked for as `+` as well, and stands at the place as it is written.
    let written = super::mark_width(site.line, site.column);
    let chain = match types {
        ["()", _] => site.chain_before(),
        _ => site.chain_after(written),
    };
    let other = types.iter().find(|of| **of != "()").copied();
    let expected = match (operator, other) {
        ("!", _) => "true or false",
        (_, Some("int" | "float")) | ("-", None) => "number",
        (_, Some(other)) => other,
        _ => "value",
    };
    let instead = match expected {
        "number" => "0",
        "true or false" => "false",
        "string" => "\"\"",
        "array" => "[]",
        _ => "…",
    };
    missing(
        site,
        &chain,
        format!("`{operator}` does not work on {}", types.join(" and ")),
        format!("{expected} expected, found ()"),
        match expected {
            "number" => format!(
                "where it may be missing, write `({} ?? 0)` or whatever it should be then",
                chain.text
            ),
            _ => format!(
                "where it may be missing, write `({} ?? {instead})`",
                chain.text
            ),
        },
    )
}

/// A method that was called on `()`.
pub(super) fn receiver(site: &Site<'_>, method: &str) -> Diagnostic {
    let chain = site.chain_before();
    missing(
        site,
        &chain,
        format!("`{method}` was called on a missing value, ()"),
        format!("`{method}` was called on (), a missing value"),
        format!(
            "where it may be missing, write `{}?.{method}(…)`, or give another value with `??`",
            chain.text
        ),
    )
}

/// An index into `()`.
pub(super) fn indexed(site: &Site<'_>) -> Diagnostic {
    let chain = site.chain_before();
    missing(
        site,
        &chain,
        "a missing value, (), was indexed".into(),
        "map or array expected, found ()".into(),
        format!(
            "where it may be missing, write `{}?[…]`, and `?? default` after it",
            chain.text
        ),
    )
}

/// `type [index]` or `type [index] = value`, as Rhai writes it: an index that the type does not take.
pub(super) fn not_indexable(site: &Site<'_>, text: &str) -> Diagnostic {
    let of = text.split(" [").next().unwrap_or(text);
    let index = text.split(['[', ']']).nth(1).unwrap_or_default();
    let (of, index) = (article(type_shown(of)), article(type_shown(index)));
    if text.contains("] = ") {
        return site.say(
            format!("an element of {of} can't be set by {index}"),
            "read only",
            vec!["make a map or an array first, and set it there: `let m = #{};`".into()],
        );
    }
    site.say(
        format!("{of} can't be indexed by {index}"),
        "no elements",
        vec!["maps are indexed by strings, arrays and strings by numbers".into()],
    )
}

/// A condition that is `()`.
pub(super) fn condition(site: &Site<'_>) -> Diagnostic {
    let chain = site.chain_around();
    missing(
        site,
        &chain,
        "true or false was expected, found ()".into(),
        "true or false expected, found ()".into(),
        format!("where it may be missing, write `({} ?? false)`", chain.text),
    )
}

/// A `for` over something that can't be gone through.
pub(super) fn not_iterable(site: &Site<'_>) -> Diagnostic {
    let chain = site.chain_around();
    let name = chain.name();
    let list = "an array, a range, a string's `chars()` or a map's `keys()` can be gone through";
    if name.is_empty() {
        return site.say(
            "`for` can't go through this value",
            "no list",
            vec![list.into()],
        );
    }
    site.say_of(
        &chain,
        format!("`for` can't go through `{name}`"),
        "not an array; perhaps it is missing",
        vec![
            format!("where it may be missing, write `{} ?? []`", chain.text),
            list.into(),
        ],
    )
}

/// `Unknown property 'x' - a getter is not registered for type 't'`, as Rhai writes it.
pub(super) fn no_property(site: &Site<'_>, text: &str) -> Diagnostic {
    let mut quoted = text.split('\'').skip(1).step_by(2);
    let (property, kind) = (
        quoted.next().unwrap_or_default(),
        quoted.next().unwrap_or_default(),
    );
    let writing = text.starts_with("No writable");
    if kind == "message" && writing {
        return site.say(
            format!("`{property}` of a message can't be changed"),
            "read only",
            vec!["copy it first: `let d = msg.json` may be changed".into()],
        );
    }
    if kind == "message"
        && let Some((file, line)) = site.source_line()
    {
        return no_message_field(file, property, line, site.column);
    }
    if kind == "()" && writing {
        let chain = site.chain_before();
        return missing(
            site,
            &chain,
            format!("`{property}` of a missing value, (), can't be set"),
            format!("map expected before `.{property}`, found ()"),
            format!("make it first: `{} = #{{}};`", chain.text),
        );
    }
    if kind == "()" {
        let chain = site.chain_before();
        return missing(
            site,
            &chain,
            format!("`{property}` was asked of a missing value, ()"),
            format!("map expected before `.{property}`, found ()"),
            format!(
                "where it may be missing, write `{}?.{property}`",
                chain.text
            ),
        );
    }
    let kind = type_shown(kind);
    let mut hints = Vec::new();
    if kind == "string" {
        hints.push("a text that holds JSON is read with `parse_json(text)`".into());
    }
    if matches!(kind, "array" | "string") {
        hints.extend(function_hints(property, std::iter::empty()));
    }
    let fields = fields_of(kind);
    match suggestion(property, fields.iter().copied()) {
        Some(near) => hints.push(format!("did you mean `{near}`?")),
        None if !fields.is_empty() => hints.push(format!("it has {}", fields.join(", "))),
        None if matches!(kind, "int" | "float" | "bool" | "char" | "array") => {
            let of = site.chain_before().text;
            let what = if of.is_empty() {
                "what is before it"
            } else {
                &of
            };
            hints.push(format!(
                "only a map has fields, and `{what}` is {}",
                article(kind)
            ));
        }
        None if hints.is_empty() => hints.push("only maps and messages have fields".into()),
        None => {}
    }
    site.say(
        format!("{} has no field `{property}`", article(kind)),
        "no such field",
        hints,
    )
}

/// The fields of a type of the API.
fn fields_of(kind: &str) -> Vec<&'static str> {
    let of_kind = |form: &Form| {
        let mut parameters = form.parameters();
        let object = parameters.next().and_then(|first| first.split_once(": "));
        form.kind == FormKind::Field && object.is_some_and(|(_, of)| of == kind)
    };
    let entries = catalog().iter();
    let fields = entries.filter(|entry| entry.forms.iter().any(of_kind));
    fields.map(|entry| entry.name).collect()
}
