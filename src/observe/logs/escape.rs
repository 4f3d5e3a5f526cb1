//! Keeps what a message carries from drawing on the terminal that shows it.

use std::fmt::Write;

/// Appends `text` with every character escaped that would do more than stand there: control
/// characters (ESC sequences, line ends), and those that reorder or hide text.
///
/// Backslashes stay single, because JSON is what is mostly shown.
pub(crate) fn escaped(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(acts) {
        out.push_str(&rest[..at]);
        let mut chars = rest[at..].chars();
        if let Some(acting) = chars.next() {
            escape(out, acting);
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
}

/// The same for text of our own that has several lines: line ends stay.
pub(super) fn escaped_lines(out: &mut String, text: &str) {
    for (number, line) in text.trim_end_matches('\n').split('\n').enumerate() {
        if number > 0 {
            out.push('\n');
        }
        escaped(out, line);
    }
}

fn escape(out: &mut String, acting: char) {
    match acting {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        // Writing to a String can not fail.
        other => write!(out, "\\u{{{:x}}}", u32::from(other)).unwrap_or_default(),
    }
}

fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Line and paragraph separator.
            '\u{2028}' | '\u{2029}'
            // Bidirectional marks, embeddings, overrides and isolates (Unicode TR36, 2.5).
            | '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Zero width and invisible characters, tags.
            | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_line(text: &str) -> String {
        let mut out = String::new();
        escaped(&mut out, text);
        out
    }

    /// A payload can not colour, clear or retitle the terminal, nor forge a second log line.
    #[test]
    fn escape_sequences_and_line_ends_are_shown_not_obeyed() {
        assert_eq!(
            one_line("a\u{1b}[2Jb\r\nERROR c\u{9b}d"),
            "a\\u{1b}[2Jb\\r\\nERROR c\\u{9b}d"
        );
    }

    /// Text can not be shown in another order than it has.
    #[test]
    fn bidirectional_overrides_are_shown() {
        assert_eq!(one_line("x\u{202e}y"), "x\\u{202e}y");
    }

    /// JSON, umlauts, emoji and backslashes stay as they are.
    #[test]
    fn ordinary_text_is_untouched() {
        let text = r#"{"a":"\n äöü 🚚 日本"}"#;
        assert_eq!(one_line(text), text);
    }

    /// A frame keeps its lines, and only those.
    #[test]
    fn lines_of_our_own_stay_lines() {
        let mut out = String::new();
        escaped_lines(&mut out, "  --> a.rhai:1:1\n1 | \u{7}x\n");
        assert_eq!(out, "  --> a.rhai:1:1\n1 | \\u{7}x");
    }
}
