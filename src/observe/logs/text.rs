//! A log line for people.
//!
//! Three kinds: what the daemon tells (`deliveryd::tell`) stands alone; what a handler prints is led
//! by its member and message; everything else is led by its level too and followed by its fields.

use std::fmt::Write;

use serde_json::Value;
use tracing::Level;

use super::entry::Entry;
use super::escape::{escaped, escaped_lines};
use super::{HANDLER, LIBRDKAFKA, TELL};

/// How a line looks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Look {
    pub colour: bool,
    /// Whether the level leads the line; the journal has a field for it.
    pub level: bool,
}

/// Appends the entry's line or lines to `out`, with a line end; `time` leads it where it is given.
pub(super) fn write(out: &mut String, entry: &Entry, look: Look, time: Option<&str>) {
    if entry.target == TELL {
        // A table's lines stay under one another only if all of them have the time, or none.
        for line in entry.message.trim_end_matches('\n').split('\n') {
            stamp(out, look, time);
            escaped(out, line);
            out.push('\n');
        }
    } else {
        stamp(out, look, time);
        lead(out, entry, look);
        escaped(out, &entry.message);
        fields(out, entry, look);
        out.push('\n');
    }
    below(out, entry, look);
}

fn stamp(out: &mut String, look: Look, time: Option<&str>) {
    if let Some(time) = time {
        paint(out, look, DIM, |out| out.push_str(time));
        out.push(' ');
    }
}

/// Level, member, message position, library.
fn lead(out: &mut String, entry: &Entry, look: Look) {
    let handler = entry.target == HANDLER;
    // What a handler prints is set apart by two spaces: its text is anything.
    let gap = if handler { "  " } else { " " };
    if look.level && !(handler && entry.level == Level::INFO) {
        paint(out, look, colour(entry.level), |out| {
            out.push_str(entry.level.as_str());
        });
        out.push(' ');
    }
    if let Some(who) = entry.who() {
        paint(out, look, CYAN, |out| escaped(out, who));
        out.push_str(gap);
    }
    let start = out.len();
    paint(out, look, DIM, |out| position(out, entry));
    if out.len() > start {
        out.push_str(gap);
    }
    if entry.target.starts_with(LIBRDKAFKA) {
        out.push_str("librdkafka: ");
    }
}

/// `Delivery/0@17`, as much of it as is known.
fn position(out: &mut String, entry: &Entry) {
    let context = &entry.context;
    if let Some(topic) = &context.topic {
        escaped(out, topic);
    }
    // Writing to a String can not fail.
    if let Some(partition) = context.partition {
        write!(out, "/{partition}").unwrap_or_default();
    }
    if let Some(offset) = context.offset {
        write!(out, "@{offset}").unwrap_or_default();
    }
}

fn fields(out: &mut String, entry: &Entry, look: Look) {
    for (name, value) in &entry.fields {
        out.push(' ');
        paint(out, look, DIM, |out| {
            out.push_str(name);
            out.push('=');
        });
        match value {
            Value::String(text) => quoted(out, text),
            other => write!(out, "{other}").unwrap_or_default(),
        }
    }
}

fn quoted(out: &mut String, text: &str) {
    let bare = !text.is_empty() && !text.contains([' ', '"', '=']);
    if bare {
        escaped(out, text);
    } else {
        out.push('"');
        escaped(out, &text.replace('"', "\\\""));
        out.push('"');
    }
}

/// The frame as it is drawn, and the hint under the message's own text.
fn below(out: &mut String, entry: &Entry, look: Look) {
    if let Some(frame) = &entry.frame {
        escaped_lines(out, frame);
        out.push('\n');
    }
    for line in entry.hint.iter().flat_map(|hint| hint.lines()) {
        out.push_str(if look.level { "     " } else { "" });
        escaped(out, line);
        out.push('\n');
    }
}

const DIM: &str = "2";
const CYAN: &str = "36";

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "1;31",
        Level::WARN => "33",
        Level::INFO => "32",
        Level::DEBUG => "34",
        Level::TRACE => "35",
    }
}

/// Writes in a colour (SGR parameters of ECMA-48); nothing written, no colour.
fn paint(out: &mut String, look: Look, sgr: &str, write: impl FnOnce(&mut String)) {
    if !look.colour {
        return write(out);
    }
    let before = out.len();
    out.push_str("\u{1b}[");
    out.push_str(sgr);
    out.push('m');
    let start = out.len();
    write(out);
    if out.len() == start {
        out.truncate(before);
    } else {
        out.push_str("\u{1b}[0m");
    }
}
