//! One way to show a mistake in a config or a script: file, line, mark, hint.
//!
//! [`write_list`] writes several mistakes and how the world stands after them, [`write()`] one, and
//! [`write_frame`] only the place with its mark, for a log line that has a head of its own. Nothing
//! here knows where mistakes come from.

mod paths;

use std::fmt::{self, Write};

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthChar;

pub use paths::{shown_path, tidy};

/// A mistake, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    pub place: Place,
    /// Said under the mark: what is there, what was expected.
    pub label: String,
    /// Further lines: a suggestion, a way out.
    pub hints: Vec<String>,
}

/// Where a mistake was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file. `line` and `column` count from 1, columns in characters.
    File {
        /// As the user would write it (relative to the working directory where that is shorter).
        path: String,
        line: usize,
        column: usize,
        /// The line's own text.
        text: String,
        /// How many characters the mark covers, at least 1.
        width: usize,
    },
    /// Outside any file: `environment variable NAME`, `--set KEY`.
    Layer(String),
    /// Nowhere in particular.
    Nowhere,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Diagnostic {}

impl Diagnostic {
    /// The whole of it as plain text, as an error.
    pub fn render(&self) -> String {
        self.text(write)
    }

    /// Only the place with its mark, as plain text, for a log line that has a head of its own.
    pub fn frame(&self) -> String {
        self.text(|out, severity, diagnostic, colour| {
            write_frame(out, diagnostic, severity, colour)
        })
    }

    fn text(
        &self,
        write: impl Fn(&mut dyn Write, Severity, &Diagnostic, bool) -> fmt::Result,
    ) -> String {
        let mut text = String::new();
        if write(&mut text, Severity::Error, self, false).is_err() {
            // A String takes everything; this is for the type only.
            text.push_str(&self.message);
        }
        text.trim_end().to_owned()
    }
}

/// How grave a diagnostic is: its first word and its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Nothing goes on before it is mended.
    Error,
    /// It goes on, but probably not as meant.
    Warning,
}

impl Severity {
    fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Error => AnsiColor::Red.on_default().bold(),
            Self::Warning => AnsiColor::Yellow.on_default().bold(),
        }
    }
}

const GUTTER: Style = AnsiColor::Blue.on_default().bold();

/// The widest line of a file that is shown whole, in terminal columns.
const WIDEST: usize = 110;
/// What is kept before the mark of a line that is cut, in terminal columns.
const BEFORE_MARK: usize = 40;
const TAB: &str = "    ";

/// Writes several diagnostics with an empty line after each, then their number and `state`, the
/// state that the world is in: `3 mistakes; nothing was started.`
///
/// Warnings are not counted. Writes nothing where there is none of either.
///
/// # Errors
/// What `out` says.
pub fn write_list(
    out: &mut dyn Write,
    list: &[(Severity, &Diagnostic)],
    state: &str,
    colour: bool,
) -> fmt::Result {
    for (severity, diagnostic) in list {
        write(out, *severity, diagnostic, colour)?;
        writeln!(out)?;
    }
    match list.iter().filter(|(s, _)| *s == Severity::Error).count() {
        0 => Ok(()),
        1 => writeln!(out, "1 mistake; {state}."),
        many => writeln!(out, "{many} mistakes; {state}."),
    }
}

/// Writes one diagnostic: `error: …`, then its frame.
///
/// # Errors
/// What `out` says.
pub fn write(
    out: &mut dyn Write,
    severity: Severity,
    diagnostic: &Diagnostic,
    colour: bool,
) -> fmt::Result {
    let head = Paint(severity.style(), colour);
    let message = printable(&diagnostic.message);
    writeln!(out, "{}: {message}", head.on(severity.word()))?;
    write_frame(out, diagnostic, severity, colour)
}

/// Writes where a diagnostic is, without its message: `--> file:line:column`, the line, the mark
/// with the label, the hints.
///
/// A place without a line has no mark, so its label is written like a hint.
///
/// # Errors
/// What `out` says.
pub fn write_frame(
    out: &mut dyn Write,
    diagnostic: &Diagnostic,
    severity: Severity,
    colour: bool,
) -> fmt::Result {
    let gutter = Paint(GUTTER, colour);
    let label = printable(&diagnostic.label);
    let mut indent = 2;
    match &diagnostic.place {
        Place::File {
            path,
            line,
            column,
            text,
            width,
        } => {
            let number = line.to_string();
            indent = number.len();
            let pad = " ".repeat(indent);
            let path = printable(path);
            writeln!(out, "{pad}{} {path}:{line}:{column}", gutter.on("-->"))?;
            let (shown, before, marked) = around_mark(text, column.saturating_sub(1), *width);
            writeln!(out, "{pad} {}", gutter.on("|"))?;
            writeln!(out, "{} {} {shown}", gutter.on(&number), gutter.on("|"))?;
            let mark = format!("{} {label}", "^".repeat(marked));
            let mark = Paint(severity.style(), colour).on(mark.trim_end());
            let before = " ".repeat(before);
            writeln!(out, "{pad} {} {before}{mark}", gutter.on("|"))?;
        }
        Place::Layer(layer) => {
            let layer = printable(layer);
            writeln!(out, "  {} {layer}", gutter.on("-->"))?;
        }
        Place::Nowhere => {}
    }
    let pad = " ".repeat(indent);
    let labelled = !matches!(diagnostic.place, Place::File { .. }) && !label.is_empty();
    for hint in labelled.then_some(&label).into_iter() {
        writeln!(out, "{pad} {} {hint}", gutter.on("="))?;
    }
    for hint in &diagnostic.hints {
        writeln!(out, "{pad} {} {}", gutter.on("="), printable(hint))?;
    }
    Ok(())
}

/// A style that is only applied where colour is wanted.
#[derive(Clone, Copy)]
struct Paint(Style, bool);

impl Paint {
    fn on(self, text: &str) -> String {
        match self {
            Paint(style, true) => format!("{style}{text}{style:#}"),
            Paint(_, false) => text.to_owned(),
        }
    }
}

/// Control characters could move the cursor or colour what follows; they come from users' files.
pub fn printable(text: &str) -> String {
    let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(visible).collect()
}

/// A line as it is shown, the terminal columns before its mark, and those that the mark covers.
///
/// A line that is too wide is cut around the mark.
fn around_mark(text: &str, start: usize, width: usize) -> (String, usize, usize) {
    let cells: Vec<(String, usize)> = text.chars().map(cell).collect();
    let start = start.min(cells.len());
    let end = (start + width.max(1)).min(cells.len()).max(start);
    let columns = |from: usize, to: usize| cells[from..to].iter().map(|(_, w)| w).sum::<usize>();

    let (mut first, mut last) = (0, cells.len());
    if columns(first, last) > WIDEST {
        first = start;
        while first > 0 && columns(first - 1, start) <= BEFORE_MARK {
            first -= 1;
        }
        last = start;
        while last < cells.len() && columns(first, last + 1) <= WIDEST {
            last += 1;
        }
        while first > 0 && columns(first - 1, last) <= WIDEST {
            first -= 1;
        }
    }
    let cut_before = if first > 0 { "…" } else { "" };
    let cut_after = if last < cells.len() { "…" } else { "" };
    let body: String = cells[first..last].iter().map(|(s, _)| s.as_str()).collect();
    let before = cut_before.chars().count() + columns(first, start);
    let marked = columns(start, end.min(last)).max(1);
    (format!("{cut_before}{body}{cut_after}"), before, marked)
}

fn cell(c: char) -> (String, usize) {
    match c {
        '\t' => (TAB.to_owned(), TAB.len()),
        c if c.is_control() => ("\u{fffd}".to_owned(), 1),
        c => (c.to_string(), c.width().unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str, column: usize, width: usize) -> Diagnostic {
        Diagnostic {
            message: "unknown setting `partitons`".into(),
            place: Place::File {
                path: "config/default.toml".into(),
                line: 12,
                column,
                text: text.into(),
                width,
            },
            label: "not a setting of a topic".into(),
            hints: vec!["did you mean `partitions`?".into()],
        }
    }

    fn plain(diagnostic: &Diagnostic) -> String {
        let mut out = String::new();
        write(&mut out, Severity::Error, diagnostic, false).unwrap();
        out
    }

    /// The mark's line: its columns before the mark and its width.
    fn mark(shown: &str) -> (usize, usize) {
        let line = shown.lines().find(|l| l.contains('^')).unwrap();
        let start = line.find('^').unwrap();
        (start - "   | ".len(), line.matches('^').count())
    }

    /// A mistake shows its file, line and column, the line, the mark and the way out.
    #[test]
    fn shows_place_line_mark_and_hint() {
        assert_eq!(
            plain(&mistake("partitons = 2", 1, 9)),
            "error: unknown setting `partitons`
  --> config/default.toml:12:1
   |
12 | partitons = 2
   | ^^^^^^^^^ not a setting of a topic
   = did you mean `partitions`?
"
        );
    }

    /// A mistake outside a file names its layer, and says under it what a mark would.
    #[test]
    fn names_the_layer() {
        let mut diagnostic = mistake("", 1, 1);
        diagnostic.place = Place::Layer("--set topics.Delivery.partitons".into());
        assert_eq!(
            plain(&diagnostic),
            "error: unknown setting `partitons`
  --> --set topics.Delivery.partitons
   = not a setting of a topic
   = did you mean `partitions`?
"
        );
    }

    /// The last line counts the mistakes, not the warnings, and says what state the world is in.
    #[test]
    fn closing_line_counts_mistakes() {
        let (one, two) = (mistake("a", 1, 1), mistake("b", 1, 1));
        let list = [
            (Severity::Error, &one),
            (Severity::Warning, &two),
            (Severity::Error, &two),
        ];
        let mut out = String::new();
        write_list(&mut out, &list, "nothing was started", false).unwrap();
        assert!(
            out.ends_with("\n\n2 mistakes; nothing was started.\n"),
            "{out}"
        );
        out.clear();
        write_list(&mut out, &list[..1], "nothing was started", false).unwrap();
        assert!(
            out.ends_with("\n\n1 mistake; nothing was started.\n"),
            "{out}"
        );
    }

    /// Tabs and wide characters before the mark do not shift it.
    #[test]
    fn mark_stands_under_its_text() {
        assert_eq!(mark(&plain(&mistake("\tx = 1", 2, 1))), (4, 1));
        assert_eq!(mark(&plain(&mistake("\"日本\" = x", 8, 1))), (9, 1));
        assert_eq!(mark(&plain(&mistake("a = \"日本\"", 5, 4))), (4, 6));
    }

    /// A very long line is cut on both sides of its mark, and the mark stays under its text.
    #[test]
    fn long_line_is_cut_around_the_mark() {
        let text = format!("{}WRONG{}", "a".repeat(500), "b".repeat(500));
        let shown = plain(&mistake(&text, 501, 5));
        let line = shown.lines().nth(3).unwrap();
        assert!(line.chars().count() < WIDEST + 10, "{line}");
        let (before, width) = mark(&shown);
        let body: String = line.chars().skip("12 | ".len()).collect();
        let marked: String = body.chars().skip(before).take(width).collect();
        assert_eq!(marked, "WRONG");
        assert!(body.starts_with('…') && body.ends_with('…'), "{body}");
    }

    /// A mark past the end of its line, such as that of a missing bracket, is still shown.
    #[test]
    fn mark_at_the_end_of_the_line() {
        assert_eq!(mark(&plain(&mistake("a = [1", 7, 1))), (6, 1));
        assert_eq!(mark(&plain(&mistake("", 1, 0))), (0, 1));
    }

    /// Control characters in a file do not reach the terminal.
    #[test]
    fn control_characters_are_not_printed() {
        let mut diagnostic = mistake("a = \"\u{1b}[2J\"", 5, 3);
        diagnostic.message = "found \u{1b}[2J".into();
        assert!(!plain(&diagnostic).contains('\u{1b}'));
    }

    /// Colour is only there when asked for, and changes nothing but the colour.
    #[test]
    fn colour_is_optional() {
        let diagnostic = mistake("partitons = 2", 1, 9);
        let mut out = String::new();
        write(&mut out, Severity::Error, &diagnostic, true).unwrap();
        assert!(out.contains("\u{1b}["));
        let mut bare = String::new();
        let mut rest = out.as_str();
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            bare.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        bare.push_str(rest);
        assert_eq!(bare, plain(&diagnostic));
    }
}
