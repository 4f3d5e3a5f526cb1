//! Columns under one another.

use unicode_width::UnicodeWidthStr;

/// One row.
pub fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.into_iter().map(str::to_owned).collect()
}

/// Columns under one another, three spaces apart; those in `right` stand at their right end.
pub fn table(rows: &[Vec<String>], right: &[usize]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.width()).max().unwrap_or_default()
        })
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate();
        let padded = cells.map(|(column, (cell, width))| {
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            match right.contains(&column) {
                true => format!("{padding}{cell}"),
                false => format!("{cell}{padding}"),
            }
        });
        let padded: Vec<String> = padded.collect();
        padded.join("   ")
    };
    rows.iter().map(line).collect()
}
