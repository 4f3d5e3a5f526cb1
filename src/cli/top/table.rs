//! Columns: a table whose less important columns go where there is no room, and cells side by side.

use ratatui::text::{Line, Span};

use super::layout::{Piece, flow, indented, width, wrapped};
use super::theme::Theme;

/// Cells of one width side by side, row after row; one that is too wide has lines of its own.
pub fn grid(cells: Vec<Cell>, room: usize) -> Vec<Line<'static>> {
    const GAP: usize = 3;
    let name = cells
        .iter()
        .map(|cell| width(&cell.name))
        .max()
        .unwrap_or(0);
    let wide = |cell: &Cell| {
        name + cell
            .pieces
            .iter()
            .map(|piece| 1 + width(piece))
            .sum::<usize>()
    };
    let column = cells.iter().map(wide).max().unwrap_or(0);
    if column > room {
        let alone = |cell: Cell| {
            let mut name_piece = cell.name;
            let fill = name.saturating_sub(width(&name_piece));
            name_piece.push(" ".repeat(fill).into());
            let pieces = std::iter::once(name_piece).chain(cell.pieces).collect();
            flow(pieces, 1, (name + 1).min(room / 3), room)
        };
        return cells.into_iter().flat_map(alone).collect();
    }
    let columns = ((room + GAP) / (column + GAP)).max(1);
    let mut rows: Vec<Piece> = Vec::new();
    for (at, cell) in cells.into_iter().enumerate() {
        if at % columns == 0 {
            rows.push(Vec::new());
        }
        let Some(row) = rows.last_mut() else { break };
        let used = width(row);
        let begin = (at % columns) * (column + GAP);
        row.push(" ".repeat(begin.saturating_sub(used)).into());
        let fill = name.saturating_sub(width(&cell.name));
        row.extend(cell.name);
        row.push(" ".repeat(fill).into());
        for piece in cell.pieces {
            row.push(" ".into());
            row.extend(piece);
        }
    }
    rows.into_iter().map(Line::from).collect()
}

/// One cell of a [`grid`]: a name, and what stands behind it.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    pub name: Piece,
    pub pieces: Vec<Piece>,
}

/// A column of a [`table`]. Of those that do not fit, the ones with the highest `rank` go first;
/// those with 0 stay.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub head: &'static str,
    pub right: bool,
    pub rank: u8,
}

/// Columns under one another. Empty ones are left out; the last one is wrapped.
pub fn table(
    columns: &[Column],
    rows: Vec<Vec<Span<'static>>>,
    room: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    const GAP: usize = 2;
    let natural = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(Span::width);
        let wide = cells.max().unwrap_or(0);
        (wide > 0).then(|| wide.max(Span::raw(columns[at].head).width()))
    };
    let mut shown: Vec<(usize, usize)> = (0..columns.len())
        .filter_map(|at| Some((at, natural(at)?)))
        .collect();
    // The last column is text, which may be wrapped.
    let need = |shown: &[(usize, usize)]| {
        let last = columns.len() - 1;
        let wide = |(at, wide): &(usize, usize)| if *at == last { (*wide).min(24) } else { *wide };
        shown.iter().map(wide).sum::<usize>() + GAP * shown.len().saturating_sub(1)
    };
    while need(&shown) > room {
        let most = shown
            .iter()
            .map(|(at, _)| columns[*at].rank)
            .max()
            .unwrap_or(0);
        if most == 0 {
            break;
        }
        let Some(gone) = shown.iter().rposition(|(at, _)| columns[*at].rank == most) else {
            break;
        };
        shown.remove(gone);
    }
    let heads = columns
        .iter()
        .map(|column| Span::styled(column.head, theme.quiet()))
        .collect();
    std::iter::once(heads)
        .chain(rows)
        .flat_map(|row: Vec<Span<'static>>| table_row(columns, &shown, &row, room, GAP))
        .collect()
}

fn table_row(
    columns: &[Column],
    shown: &[(usize, usize)],
    row: &[Span<'static>],
    room: usize,
    gap: usize,
) -> Vec<Line<'static>> {
    let mut line: Piece = Vec::new();
    let mut below = Vec::new();
    for (position, (at, wide)) in shown.iter().enumerate() {
        let Some(cell) = row.get(*at) else { continue };
        let fill = " ".repeat(wide.saturating_sub(cell.width()));
        if position > 0 {
            line.push(" ".repeat(gap).into());
        }
        if *at + 1 == columns.len() {
            let used = width(&line);
            let left = room.saturating_sub(used);
            if cell.width() <= left {
                line.push(cell.clone());
            } else if left >= 20 {
                let mut parts = wrapped(&cell.content, 0, left, cell.style).into_iter();
                line.extend(parts.next().map(|first| first.spans).unwrap_or_default());
                below.extend(parts.map(|part| indented(part, used)));
            } else {
                below.extend(
                    wrapped(&cell.content, 0, room.saturating_sub(4), cell.style)
                        .into_iter()
                        .map(|part| indented(part, 4)),
                );
            }
        } else if columns[*at].right {
            line.push(fill.into());
            line.push(cell.clone());
        } else {
            line.push(cell.clone());
            line.push(fill.into());
        }
    }
    std::iter::once(Line::from(line)).chain(below).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: Vec<Line<'static>>) -> Vec<String> {
        lines
            .iter()
            .map(|line| line.to_string().trim_end().to_owned())
            .collect()
    }

    const COLUMNS: [Column; 4] = [
        Column {
            head: "member",
            right: false,
            rank: 0,
        },
        Column {
            head: "handled",
            right: true,
            rank: 1,
        },
        Column {
            head: "in flight",
            right: true,
            rank: 2,
        },
        Column {
            head: "reason",
            right: false,
            rank: 0,
        },
    ];

    fn rows() -> Vec<Vec<Span<'static>>> {
        vec![
            ["g-1", "12", "3", ""].map(Span::raw).to_vec(),
            ["g-2", "7", "0", "the broker denies it, and will go on so"]
                .map(Span::raw)
                .to_vec(),
        ]
    }

    /// With room all columns are there; without, the less important ones go and the text is wrapped.
    #[test]
    fn columns_go_where_there_is_no_room() {
        let shown = |room| texts(table(&COLUMNS, rows(), room, Theme::new(false)));
        assert_eq!(
            shown(80),
            [
                "member  handled  in flight  reason",
                "g-1          12          3",
                "g-2           7          0  the broker denies it, and will go on so",
            ]
        );
        assert_eq!(
            shown(41),
            [
                "member  handled  reason",
                "g-1          12",
                "g-2           7  the broker denies it,",
                "                 and will go on so",
            ]
        );
        for room in 8..80 {
            assert!(
                shown(room).iter().all(|line| line.len() <= room.max(30)),
                "{room}"
            );
        }
    }

    /// Cells stand side by side as often as there is room; too wide a one has lines of its own.
    #[test]
    fn cells_stand_side_by_side() {
        let cell = |name: &'static str, pieces: &[&'static str]| Cell {
            name: vec![name.into()],
            pieces: pieces.iter().map(|text| vec![(*text).into()]).collect(),
        };
        let cells = || {
            vec![
                cell("g-1", &["[0]", "[1]"]),
                cell("g-2", &["[2]"]),
                cell("g-10", &["idle"]),
            ]
        };
        let shown = |room| texts(grid(cells(), room));
        assert_eq!(shown(30), ["g-1  [0] [1]   g-2  [2]", "g-10 idle"]);
        assert_eq!(shown(14), ["g-1  [0] [1]", "g-2  [2]", "g-10 idle"]);
        assert_eq!(shown(10), ["g-1  [0]", "   [1]", "g-2  [2]", "g-10 idle"]);
    }
}
