//! Text within a width: cut, wrapped, or piece after piece.
//!
//! Everything comes out as lines that are no wider than asked, so that whoever shows them only has to
//! choose which ones.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthChar;

/// Pieces that stay together.
pub type Piece = Vec<Span<'static>>;

/// The width of a piece in cells.
pub fn width(piece: &[Span<'_>]) -> usize {
    piece.iter().map(Span::width).sum()
}

/// As much of the text as has room, with `…` where something is missing.
pub fn cut(text: &str, room: usize) -> String {
    if Span::raw(text).width() <= room {
        return text.to_owned();
    }
    let (mut short, mut used) = (String::new(), 0);
    for character in text.chars() {
        let more = character.width().unwrap_or(0);
        if used + more + 1 > room {
            break;
        }
        used += more;
        short.push(character);
    }
    if room > 0 {
        short.push('…');
    }
    short
}

/// One line of as many pieces as have room, `gap` apart; the first is cut where even it has none.
pub fn fit(pieces: Vec<Piece>, gap: usize, room: usize) -> Line<'static> {
    let mut line: Piece = Vec::new();
    for (at, piece) in pieces.into_iter().enumerate() {
        let gap = if at == 0 { 0 } else { gap };
        if width(&line) + gap + width(&piece) > room {
            if at == 0 {
                line = cut_piece(piece, room);
            }
            break;
        }
        line.push(" ".repeat(gap).into());
        line.extend(piece);
    }
    line.into()
}

fn cut_piece(piece: Piece, room: usize) -> Piece {
    let mut left = room;
    let mut short = Piece::new();
    for span in piece {
        let text = cut(&span.content, left);
        let whole = text == span.content;
        left -= Span::raw(text.as_str()).width().min(left);
        short.push(Span::styled(text, span.style));
        if !whole {
            break;
        }
    }
    short
}

/// Pieces one after another, `gap` apart, on as many lines as they take; those after the first line
/// begin at `indent`.
pub fn flow(pieces: Vec<Piece>, gap: usize, indent: usize, room: usize) -> Vec<Line<'static>> {
    let indent = indent.min(room / 2);
    let mut lines = Vec::new();
    let (mut line, mut used, mut fresh) = (Piece::new(), 0, true);
    for piece in pieces {
        let wide = width(&piece);
        if wide == 0 {
            continue;
        }
        if !fresh && used + gap + wide > room {
            lines.push(Line::from(std::mem::take(&mut line)));
            line.push(" ".repeat(indent).into());
            (used, fresh) = (indent, true);
        }
        if !fresh {
            line.push(" ".repeat(gap).into());
            used += gap;
        }
        let piece = cut_piece(piece, room.saturating_sub(used));
        used += width(&piece);
        line.extend(piece);
        fresh = false;
    }
    lines.push(line.into());
    lines
}

/// Words on as many lines as they take; those after the first begin at `indent`.
pub fn wrapped(text: &str, indent: usize, room: usize, style: Style) -> Vec<Line<'static>> {
    let room = room.max(1);
    let indent = indent.min(room / 2);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    let mut begin = |line: &mut String, used: &mut usize| {
        lines.push(Line::styled(std::mem::take(line), style));
        *line = " ".repeat(indent);
        *used = indent;
    };
    let lead: String = text.chars().take_while(|c| *c == ' ').collect();
    line.push_str(&cut(&lead, room / 2));
    used += line.len();
    let mut empty = true;
    for word in text.split_whitespace() {
        let wide = Span::raw(word).width();
        if !empty && used + 1 + wide > room {
            begin(&mut line, &mut used);
            empty = true;
        }
        if !empty {
            line.push(' ');
            used += 1;
        }
        for character in word.chars() {
            let more = character.width().unwrap_or(0);
            if used + more > room {
                begin(&mut line, &mut used);
            }
            line.push(character);
            used += more;
        }
        empty = false;
    }
    lines.push(Line::styled(line, style));
    lines
}

/// The line, so many cells further to the right.
pub fn indented(line: Line<'static>, by: usize) -> Line<'static> {
    // A line's own style does not reach what is put before it.
    let style = line.style;
    let spans = line.spans.into_iter().map(|span| span.patch_style(style));
    std::iter::once(Span::raw(" ".repeat(by)))
        .chain(spans)
        .collect::<Vec<_>>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: Vec<Line<'static>>) -> Vec<String> {
        lines.iter().map(|line| line.to_string()).collect()
    }

    /// What has no room is cut by width, not by characters, and shows that it is cut.
    #[test]
    fn cut_text_fits_and_says_so() {
        assert_eq!(cut("group", 5), "group");
        assert_eq!(cut("groups", 5), "grou…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("groups", 1), "…");
        assert_eq!(cut("groups", 0), "");
    }

    /// Pieces stay whole; those of further lines stand below the first line's beginning.
    #[test]
    fn pieces_flow_over_lines() {
        let pieces = || {
            ["one", "two", "", "three"]
                .map(|text| vec![text.into()])
                .to_vec()
        };
        assert_eq!(texts(flow(pieces(), 2, 2, 20)), ["one  two  three"]);
        assert_eq!(texts(flow(pieces(), 2, 2, 9)), ["one  two", "  three"]);
        assert_eq!(texts(flow(pieces(), 2, 2, 5)), ["one", "  two", "  th…"]);
        assert_eq!(fit(pieces(), 2, 9).to_string(), "one  two");
        assert_eq!(fit(pieces(), 2, 2).to_string(), "o…");
    }

    /// Words are wrapped, and one that is longer than a line is broken.
    #[test]
    fn words_are_wrapped() {
        let wrap = |text, room| texts(wrapped(text, 2, room, Style::new()));
        assert_eq!(wrap("no weight at all", 9), ["no weight", "  at all"]);
        assert_eq!(wrap("Donaudampf", 6), ["Donaud", "  ampf"]);
        assert_eq!(wrap("", 6), [""]);
        for room in 0..4 {
            let wide = wrap("a long text", room)
                .iter()
                .map(|line| line.len())
                .max();
            assert!(wide <= Some(room.max(1)), "{room}: {wide:?}");
        }
    }
}
