//! Definition files as the Rhai language server reads them (`*.d.rhai`), so that editors complete
//! and explain.

use std::fmt::Write as _;

use super::rhai;
use crate::script::api::catalog::{Entry, Form, FormKind, Section, catalog};

/// The files: name and text.
pub fn definitions() -> [(&'static str, String); 2] {
    [
        (
            "deliveryd.d.rhai",
            file("What deliveryd gives to handlers.", catalog()),
        ),
        (
            "rhai.d.rhai",
            file(
                "Rhai's own functions, as handlers have them.",
                rhai::functions(),
            ),
        ),
    ]
}

fn file(title: &str, entries: &[Entry]) -> String {
    let mut text = format!("/// {title}\nmodule static;\n");
    if let Some(message) = message(entries) {
        text.push_str(&message);
    }
    for entry in entries {
        for form in &entry.forms {
            if let Some(definition) = definition(form) {
                text.push('\n');
                explain(&mut text, "", entry);
                text.push_str(&definition);
                text.push('\n');
            }
        }
    }
    text
}

/// The text and the example as a doc comment.
fn explain(text: &mut String, indent: &str, entry: &Entry) {
    let mut line = |line: &str| {
        let line = format!("{indent}/// {line}");
        text.push_str(line.trim_end());
        text.push('\n');
    };
    line(entry.text);
    line("");
    line("```rhai");
    entry.example.lines().for_each(&mut line);
    line("```");
}

/// `msg` as an object type with its fields: what `message` means in the signatures.
fn message(entries: &[Entry]) -> Option<String> {
    let mut text =
        String::from("\n/// The message that `handle` is called with.\ntype message = #{\n");
    let mut fields = 0;
    for entry in entries
        .iter()
        .filter(|entry| entry.section == Section::Message)
    {
        for form in &entry.forms {
            explain(&mut text, "    ", entry);
            let field = format!("    {}: {},\n", entry.name, type_of(form.result()));
            text.push_str(&field);
            fields += 1;
        }
    }
    text.push_str("};\n");
    (fields > 0).then_some(text)
}

/// `fn name(…) -> …;`, or `None` for what the language server has no form for.
fn definition(form: &Form) -> Option<String> {
    let name = form.signature.split(['(', ':']).next().unwrap_or_default();
    // To the language server this is a keyword, which it knows by itself.
    if name == "exit" {
        return None;
    }
    let keyword = match form.kind {
        FormKind::Function => "fn",
        FormKind::Field => "fn get",
        FormKind::Constant => {
            return Some(format!("const {name}: {};", type_of(form.result())));
        }
        FormKind::Index | FormKind::Module => return None,
    };
    let mut definition = format!("{keyword} {name}(");
    for (index, parameter) in form.parameters().enumerate() {
        let (parameter, kind) = parameter.split_once(": ").unwrap_or((parameter, "any"));
        let comma = if index == 0 { "" } else { ", " };
        // Writing to a string can't fail.
        if write!(definition, "{comma}{parameter}: {}", type_of(kind)).is_err() {
            return None;
        }
    }
    definition.push(')');
    match form.result() {
        "()" => {}
        result => {
            definition.push_str(" -> ");
            definition.push_str(&type_of(result));
        }
    }
    definition.push(';');
    Some(definition)
}

/// A type as the language server knows it.
fn type_of(name: &str) -> String {
    let types = name.split('|').map(|name| match name.trim() {
        "any" => "?",
        "string" => "String",
        "array" => "[?]",
        "map" => "Map",
        "blob" => "Blob",
        "function" => "FnPtr",
        "range" => "Range",
        "range=" => "RangeInclusive",
        "number" => "int | float",
        same => same,
    });
    types.collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use ::rhai::Token;

    use super::*;

    /// No function or parameter has a name that the language reserves: the language server would read
    /// nothing after it.
    #[test]
    fn no_name_is_a_word_of_the_language() {
        let mut names = 0;
        for (file, text) in definitions() {
            let lines = text.lines().map(str::trim_start);
            for line in lines.filter(|line| line.starts_with("fn ")) {
                let head = line.trim_start_matches("fn ").trim_start_matches("get ");
                let (name, rest) = head.split_once('(').unwrap();
                let parameters = rest.split(')').next().unwrap().split(", ");
                let parameters = parameters.filter_map(|p| Some(p.split_once(':')?.0));
                for word in parameters.chain([name]) {
                    let reserved =
                        Token::lookup_symbol_from_syntax(word).is_some() || word == "exit";
                    assert!(!reserved, "{file}: `{word}` in {line}");
                    names += 1;
                }
            }
        }
        assert!(names > 300, "only {names}");
    }
}
