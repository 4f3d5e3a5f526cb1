//! The table at the end: what was handled, by group and member, and what producers sent.

use unicode_width::UnicodeWidthStr;

use crate::observe::board::Summary;
use crate::observe::status::Totals;

/// The closing table; empty when there was nothing to do anything.
///
/// A column that would hold only zeroes is there all the same: that nothing failed is the news.
pub fn summary(summary: &Summary) -> String {
    let mut lines = Vec::new();
    if !summary.groups.is_empty() {
        lines.extend(groups(summary));
    }
    if !summary.producers.is_empty() {
        let rows = summary.producers.iter();
        let rows = rows.map(|(name, (produced, failed))| Row {
            name: name.clone(),
            cells: vec![*produced, *failed],
        });
        lines.extend(table(&["produced", "failed"], &rows.collect::<Vec<_>>()));
    }
    lines.join("\n")
}

fn groups(summary: &Summary) -> Vec<String> {
    let mut rows = Vec::new();
    let skipped = summary
        .groups
        .values()
        .flat_map(|members| members.values())
        .any(|totals| totals.skipped > 0);
    let cells = |totals: &Totals| {
        let mut cells = vec![totals.handled, totals.failed, totals.dead_lettered];
        cells.extend(skipped.then_some(totals.skipped));
        cells
    };
    for (group, members) in &summary.groups {
        let mut sum = Totals::default();
        for totals in members.values() {
            sum += *totals;
        }
        rows.push(Row {
            name: group.clone(),
            cells: cells(&sum),
        });
        let mut members: Vec<_> = members.iter().collect();
        // `group-1-10` comes after `group-1-9`.
        members.sort_by_key(|(name, _)| (name.len(), *name));
        rows.extend(members.into_iter().map(|(name, totals)| Row {
            name: format!("  {name}"),
            cells: cells(totals),
        }));
    }
    let mut heads = vec!["handled", "failed", "dead-lettered"];
    heads.extend(skipped.then_some("skipped"));
    table(&heads, &rows)
}

struct Row {
    name: String,
    cells: Vec<u64>,
}

/// Names to the left, numbers under the right end of their heads.
fn table(heads: &[&str], rows: &[Row]) -> Vec<String> {
    let name_width = rows.iter().map(|row| row.name.width()).max().unwrap_or(0);
    let widths: Vec<usize> = heads
        .iter()
        .enumerate()
        .map(|(column, head)| {
            let cells = rows.iter().filter_map(|row| row.cells.get(column));
            let widest = cells.map(|cell| cell.to_string().len()).max();
            widest.unwrap_or(0).max(head.len())
        })
        .collect();
    let line = |name: &str, cells: &[String]| {
        let mut line = name.to_owned();
        line.push_str(&" ".repeat(name_width - name.width()));
        for (cell, width) in cells.iter().zip(&widths) {
            line.push_str(&format!("   {cell:>width$}"));
        }
        line
    };
    let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    let rows = rows.iter().map(|row| {
        let cells: Vec<String> = row.cells.iter().map(u64::to_string).collect();
        line(&row.name, &cells)
    });
    std::iter::once(line("", &heads)).chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(handled: u64, failed: u64, dead_lettered: u64, skipped: u64) -> Totals {
        Totals {
            handled,
            failed,
            retried: 0,
            dead_lettered,
            skipped,
        }
    }

    fn example(skipped: u64) -> Summary {
        let member = |name: &str, totals| (name.to_owned(), totals);
        Summary {
            groups: [
                (
                    "group-1".to_owned(),
                    [
                        member("group-1-10", totals(1, 0, 0, 0)),
                        member("group-1-2", totals(1_234_567_890, 3, 1, skipped)),
                    ]
                    .into(),
                ),
                ("group-2".to_owned(), [].into()),
            ]
            .into(),
            producers: [("random".to_owned(), (120, 0))].into(),
        }
    }

    /// The closing table: a line a group, its members below, producers apart, all aligned.
    #[test]
    fn closing_table_is_aligned() {
        let expected = [
            "                  handled   failed   dead-lettered",
            "group-1        1234567891        3               1",
            "  group-1-2    1234567890        3               1",
            "  group-1-10            1        0               0",
            "group-2                 0        0               0",
            "         produced   failed",
            "random        120        0",
        ];
        assert_eq!(summary(&example(0)), expected.join("\n"));
    }

    /// Skipped messages have a column as soon as there are any.
    #[test]
    fn skipped_messages_are_shown() {
        assert!(!summary(&example(0)).contains("skipped"));
        let text = summary(&example(2));
        let head = text.lines().next().unwrap_or_default();
        assert!(head.ends_with("   dead-lettered   skipped"), "{text}");
    }

    /// Nothing ran, nothing is said.
    #[test]
    fn empty_summary_is_empty() {
        assert_eq!(summary(&Summary::default()), "");
    }
}
