//! What a script's author reads, made from what the functions themselves say.
//!
//! [`page`] and [`function`] are for the terminal, [`definitions`] for editors, [`table`] for the
//! README. The words are in `script::api`, beside each registration; those for Rhai's own functions
//! are in `rhai.txt`.

mod definitions;
mod rhai;
mod table;

pub use definitions::definitions;
pub use table::{FIELDS, FUNCTIONS, table};

use super::api::catalog::{Entry, Form, FormKind, Section, catalog};
use super::diagnose;

/// How wide text is set.
const WIDTH: usize = 92;

/// A name that no function, field or constant has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The one that was perhaps meant.
    pub near: Option<&'static str>,
}

/// Everything that is told: deliveryd's own first, then Rhai's.
pub(super) fn everything() -> impl Iterator<Item = &'static Entry> {
    catalog().iter().chain(rhai::functions())
}

/// Everything that a script can call, with examples: plain text for a terminal.
pub fn page() -> String {
    let mut text = String::from(
        "What a script can call. Any `f(a, b)` can also be written `a.f(b)`, and `a.f(b)` as `f(a, b)`.\n\
         `handlers doc NAME` shows one.\n",
    );
    let mut section = None;
    for entry in everything() {
        if section != Some(entry.section) {
            section = Some(entry.section);
            let heading = entry.section.heading();
            let line = "─".repeat(WIDTH.saturating_sub(heading.chars().count() + 4));
            write_line(&mut text, &format!("\n── {heading} {line}"));
        }
        write_entry(&mut text, entry);
    }
    text
}

/// All that is told of `name`, which may be written as it is used: `emit`, `msg.json`, `trim()`.
///
/// # Errors
/// There is nothing of this name.
pub fn function(name: &str) -> Result<String, Unknown> {
    let wanted = name.trim().trim_end_matches("()");
    let wanted = wanted.rsplit(['.', ':']).next().unwrap_or(wanted);
    let mut text = String::new();
    for entry in everything().filter(|entry| entry.name == wanted) {
        write_entry(&mut text, entry);
    }
    if text.is_empty() {
        let names: Vec<&'static str> = everything().map(|entry| entry.name).collect();
        let near = diagnose::suggestion(wanted, names.iter().copied());
        return Err(Unknown {
            near: near.and_then(|near| names.iter().find(|name| **name == near).copied()),
        });
    }
    Ok(text.trim_start_matches('\n').to_owned())
}

fn write_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// The forms, the text and the example, after an empty line.
fn write_entry(text: &mut String, entry: &Entry) {
    text.push('\n');
    for form in &entry.forms {
        write_line(text, &shown(form));
    }
    wrap(text, entry.text);
    for line in entry.example.lines() {
        write_line(text, &format!("        {line}"));
    }
}

/// A form as it is written in a script: a field or a method behind its object.
fn shown(form: &Form) -> String {
    let name = form.signature.split('(').next().unwrap_or_default();
    let result = match form.result() {
        "()" => String::new(),
        result => format!(" -> {result}"),
    };
    match (form.kind, form.object()) {
        (FormKind::Field, Some(object)) => format!("{object}.{name}{result}"),
        (FormKind::Index, Some(object)) => format!("{object}[name]{result}"),
        (FormKind::Function, Some(object)) => {
            let others: Vec<&str> = form.parameters().skip(1).collect();
            format!("{object}.{name}({}){result}", others.join(", "))
        }
        _ => form.signature.to_owned(),
    }
}

/// Sets a text in lines of at most [`WIDTH`], four columns in.
fn wrap(out: &mut String, text: &str) {
    let mut width = 0;
    for word in text.split(' ') {
        let letters = word.chars().count();
        if width == 0 || width + 1 + letters > WIDTH {
            let new_line = if width == 0 { "    " } else { "\n    " };
            out.push_str(new_line);
            width = 4;
        } else {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += letters;
    }
    out.push('\n');
}

impl Section {
    /// As it stands above its functions.
    fn heading(self) -> &'static str {
        match self {
            Self::Message => "The message",
            Self::Headers => "Headers",
            Self::Constants => "Constants",
            Self::Effects => "Writing to other topics",
            Self::Ending => "Giving up and trying again",
            Self::Logging => "Logging and counting",
            Self::Json => "JSON",
            Self::Time => "Time",
            Self::Identifiers => "Identifiers",
            Self::Random => "Random values",
            Self::Regex => "Regular expressions",
            Self::Encoding => "Base64 and hexadecimal",
            Self::Hashing => "Hashes",
            Self::Urls => "URLs",
            Self::Values => "Rhai: any value",
            Self::Numbers => "Rhai: numbers",
            Self::Text => "Rhai: strings",
            Self::Arrays => "Rhai: arrays",
            Self::Maps => "Rhai: maps",
            Self::Blobs => "Rhai: blobs",
            Self::Ranges => "Rhai: ranges, bits and time spans",
        }
    }
}
