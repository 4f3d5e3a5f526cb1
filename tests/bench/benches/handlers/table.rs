//! The one table: medians in nanoseconds, then deliveryd against the native contenders.

use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use crate::CONTENDERS;
use crate::cases::{Bound, CASES, Case, RECORD};

/// The table of all figures that criterion left in `directory`.
pub fn render(directory: &Path) -> String {
    let mut text = format!(
        "\n{:<56}",
        format!("ns of CPU a call, a message of {} bytes", RECORD.len())
    );
    let cells = CASES.iter().map(|case| format!("{:>14}", case.id));
    text.extend(cells);
    for contender in CONTENDERS {
        let cells = CASES.iter().map(|case| {
            let median = median(directory, case, contender.id);
            median.map_or("-".to_owned(), |median| format!("{median:.0}"))
        });
        row(&mut text, contender.name, cells);
    }
    for (ours, native, name) in [
        (
            "interpreted",
            "owned",
            "compile = false / structs of Strings",
        ),
        (
            "interpreted",
            "borrowed",
            "compile = false / structs that borrow",
        ),
        ("compiled", "owned", "deliveryd / structs of Strings"),
        ("compiled", "borrowed", "deliveryd / structs that borrow"),
    ] {
        let cells = CASES.iter().map(|case| {
            let bound = match ours {
                "compiled" => Some(&case.compiled_at_most),
                _ => case.at_most.as_ref(),
            };
            let median = |contender| median(directory, case, contender);
            ratio(bound, median(ours), median(native)).unwrap_or_default()
        });
        row(&mut text, name, cells);
    }
    text.push('\n');
    text
}

fn row(text: &mut String, name: &str, cells: impl Iterator<Item = String>) {
    // Writing to a String does not fail.
    let _written = write!(text, "\n{name:<56}");
    text.extend(cells.map(|cell| format!("{cell:>14}")));
}

/// How many times the native one, and whether it is within what was promised.
fn ratio(bound: Option<&Bound>, ours: Option<f64>, native: Option<f64>) -> Option<String> {
    let ours = ours?;
    let (cell, within) = match bound? {
        Bound::Nanoseconds(most) => (format!("≤ {most:.0} ns"), ours <= *most),
        Bound::Native(most) => {
            let ratio = ours / native?;
            (format!("{ratio:.2} ≤ {most}"), ratio <= *most)
        }
    };
    Some(format!("{cell} {}", if within { '✓' } else { '✗' }))
}

/// The median of a contender's samples, if this run measured it.
fn median(directory: &Path, case: &Case, contender: &str) -> Option<f64> {
    let file = directory
        .join(case.id)
        .join(contender)
        .join("new/estimates.json");
    let text = std::fs::read_to_string(file).ok()?;
    let estimates: Value = serde_json::from_str(&text).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}
