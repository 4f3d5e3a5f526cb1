//! Rhai's own functions: `rhai.txt`, read.
//!
//! A line `# HEADING` begins a section. A function is one line a form, then `: ` and what it does,
//! then `> ` and an example.

use std::sync::OnceLock;

use crate::script::api::catalog::{Entry, Form, FormKind, Section};

const TEXT: &str = include_str!("rhai.txt");

const SECTIONS: [Section; 7] = [
    Section::Values,
    Section::Numbers,
    Section::Text,
    Section::Arrays,
    Section::Maps,
    Section::Blobs,
    Section::Ranges,
];

/// Every function of Rhai's that a script can call.
pub(super) fn functions() -> &'static [Entry] {
    static FUNCTIONS: OnceLock<Vec<Entry>> = OnceLock::new();
    FUNCTIONS.get_or_init(|| read(TEXT))
}

fn read(text: &'static str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut section = Section::Values;
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(heading) = line.strip_prefix("# ") {
            let mut sections = SECTIONS.into_iter();
            let named = sections.find(|section| section.heading().ends_with(heading));
            section = named.unwrap_or(section);
        } else if let Some(text) = line.strip_prefix(": ") {
            if let Some(entry) = entries.last_mut() {
                entry.text = text;
            }
        } else if let Some(example) = line.strip_prefix("> ") {
            if let Some(entry) = entries.last_mut() {
                entry.example = example;
            }
        } else {
            form(&mut entries, section, line);
        }
    }
    entries
}

/// A form of the function that is being told, or the first of the next.
fn form(entries: &mut Vec<Entry>, section: Section, signature: &'static str) {
    let name = signature.split('(').next().unwrap_or(signature);
    let form = Form {
        kind: FormKind::Function,
        signature,
    };
    match entries.last_mut() {
        Some(entry) if entry.name == name && entry.text.is_empty() => entry.forms.push(form),
        _ => entries.push(Entry {
            name,
            section,
            text: "",
            example: "",
            forms: vec![form],
        }),
    }
}
