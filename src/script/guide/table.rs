//! The README's tables.

use super::{Entry, Form, FormKind, Section, catalog};

/// The table of what `msg` has.
pub const FIELDS: &str = "fields";
/// The tables of everything else that is deliveryd's own.
pub const FUNCTIONS: &str = "functions";

/// The Markdown of a part of the README, [`FIELDS`] or [`FUNCTIONS`]; `None` for any other name.
pub fn table(part: &str) -> Option<String> {
    let fields = match part {
        FIELDS => true,
        FUNCTIONS => false,
        _ => return None,
    };
    let mut text = String::new();
    let mut section = None;
    for entry in catalog() {
        if (entry.section == Section::Message) != fields {
            continue;
        }
        if section != Some(entry.section) {
            if !fields {
                let gap = if section.is_some() { "\n" } else { "" };
                text.push_str(&format!("{gap}{}:\n\n", entry.section.heading()));
            }
            section = Some(entry.section);
            let head = if fields { "field" } else { "function" };
            text.push_str(&format!("| {head} | what it is |\n| --- | --- |\n"));
        }
        let text_of = entry.text.replace('|', "\\|");
        text.push_str(&format!("| {} | {text_of} |\n", forms(entry)));
    }
    Some(text)
}

/// How it is written, without types: "`rand()`, `rand(range)`".
fn forms(entry: &Entry) -> String {
    let mut forms: Vec<String> = Vec::new();
    for form in &entry.forms {
        let written = written(entry.name, form);
        if !forms.contains(&written) {
            forms.push(written);
        }
    }
    forms.join(", ")
}

fn written(name: &str, form: &Form) -> String {
    let skipped = usize::from(form.object().is_some());
    let names = form.parameters().skip(skipped);
    let names = names.map(|parameter| parameter.split(':').next().unwrap_or(parameter));
    let names = names.collect::<Vec<_>>().join(", ");
    let object = match form.object() {
        Some("headers") => "msg.headers",
        Some(object) => object,
        None => "",
    };
    match (form.kind, object) {
        (FormKind::Function, "") => format!("`{name}({names})`"),
        (FormKind::Function, object) => format!("`{object}.{name}({names})`"),
        (FormKind::Field, object) => format!("`{object}.{name}`"),
        (FormKind::Index, object) => format!("`{object}[{names}]`"),
        (FormKind::Constant, _) => format!("`{name}.NAME`"),
        (FormKind::Module, _) => format!("`{name}::NAME`"),
    }
}
