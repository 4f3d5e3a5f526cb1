//! A mistake in a handler or a config, in the form of [`crate::diagnostic`], within a width.
//!
//! A marked line that is too long is shown around its mark, so that the mark still stands below what
//! it means.

use ratatui::text::{Line, Span};

use super::layout::{cut, wrapped};
use super::theme::Theme;

/// The mistake's lines.
pub fn mistake(text: &str, room: usize, theme: Theme) -> Vec<Line<'static>> {
    let text = text.replace('\t', "    ");
    let source: Vec<&str> = text.lines().collect();
    let mut lines = Vec::new();
    let mut at = 0;
    while let Some(line) = source.get(at) {
        let mark = source
            .get(at + 1)
            .and_then(|next| Some((*next, mark_in(next)?)));
        if let Some((below, (gutter, mark))) = mark {
            let shift = shift(line, below, gutter, mark, room);
            lines.push(Line::styled(
                cut(&shifted(line, gutter, shift), room),
                theme.plain(),
            ));
            let below = shifted(below, gutter, shift);
            lines.extend(wrapped_after(&below, gutter, room, theme));
            at += 2;
        } else {
            let style = if at == 0 { theme.bad() } else { theme.plain() };
            if Span::raw(*line).width() <= room {
                lines.push(Line::styled((*line).to_owned(), style));
            } else {
                let indent = line.chars().take_while(|c| *c == ' ').count() + 2;
                lines.extend(wrapped(line, indent, room, style));
            }
            at += 1;
        }
    }
    lines
}

/// Where the text begins behind the `|`, and where the first `^` is, in characters; of a line that
/// holds nothing before them.
fn mark_in(line: &str) -> Option<(usize, usize)> {
    let bar = line.chars().position(|c| c == '|')?;
    let before = line.chars().take(bar).all(|c| c == ' ');
    let rest = line.chars().skip(bar + 1).take_while(|c| *c == ' ').count();
    let mark = bar + 1 + rest;
    (before && line.chars().nth(mark) == Some('^')).then_some((bar + 2, mark))
}

/// How many characters go missing behind the gutter.
fn shift(line: &str, below: &str, gutter: usize, mark: usize, room: usize) -> usize {
    let carets = below.chars().skip(mark).take_while(|c| *c == '^').count();
    let needed = mark + carets.min(10) + 1;
    let long = line.chars().count().max(below.chars().count());
    if needed <= room.min(long) && (long <= room || needed + 12 <= room) {
        return 0;
    }
    // Some of what is before the mark stays.
    (mark - gutter.min(mark)).saturating_sub(room / 4)
}

fn shifted(line: &str, gutter: usize, shift: usize) -> String {
    if shift == 0 {
        return line.to_owned();
    }
    let mut text: String = line.chars().take(gutter).collect();
    let blank = line.chars().skip(gutter).take(shift + 1).all(|c| c == ' ');
    text.push(if blank { ' ' } else { '…' });
    text.extend(line.chars().skip(gutter + shift + 1));
    text
}

/// The line with the mark; what is said beside it goes below where it has no room.
fn wrapped_after(line: &str, gutter: usize, room: usize, theme: Theme) -> Vec<Line<'static>> {
    if Span::raw(line).width() <= room {
        return vec![Line::styled(line.to_owned(), theme.bad())];
    }
    let caret = line.rfind('^').map_or(0, |at| at + 1);
    let (marks, label) = line.split_at(caret);
    let mut lines = vec![Line::styled(cut(marks, room), theme.bad())];
    let indent = gutter.min(room / 2);
    let label = format!("{}{}", " ".repeat(indent), label.trim());
    lines.extend(wrapped(&label, indent, room, theme.bad()));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const ERROR: &str = "\
error: `weight_kg` is missing
  --> handlers/enrich.rhai:14:20
   |
14 |   let kilograms = to_number(d.weight_kg) * 1000;
   |                             ^^^^^^^^^^^ number expected, found ()";

    fn shown(room: usize) -> Vec<String> {
        let lines = mistake(ERROR, room, Theme::new(false));
        lines.iter().map(|line| line.to_string()).collect()
    }

    /// With room it is as it is in the log.
    #[test]
    fn mistake_with_room_is_as_it_was_written() {
        assert_eq!(shown(80).join("\n"), ERROR);
    }

    /// At any width no line is too long, and the mark stands below what it means.
    #[test]
    fn mark_stands_below_what_it_means() {
        for room in 30..80 {
            let lines = shown(room);
            assert!(
                lines.iter().all(|line| line.chars().count() <= room),
                "{room}: {lines:#?}"
            );
            let mark = lines.iter().position(|line| line.contains('^')).unwrap();
            let at = lines[mark].chars().position(|c| c == '^').unwrap();
            let meant: String = lines[mark - 1].chars().skip(at).collect();
            assert!(meant.starts_with("d.weight"), "{room}: {lines:#?}");
            let all = lines.concat().replace(char::is_whitespace, "");
            assert!(all.contains("numberexpected,found()"), "{room}: {lines:#?}");
        }
    }
}
