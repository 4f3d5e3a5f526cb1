//! Where two values differ, path by path, and how that is shown.

use serde_json::{Number, Value};

/// So many differences are shown; more only hide the first.
const MOST: usize = 20;
/// The most letters of a value that are shown.
const WIDEST: usize = 160;
/// What is shown of a text before the place where it begins to differ.
const BEFORE: usize = 24;

/// One place where two values differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Such as `value.items[2].price`; empty where the values themselves differ.
    pub path: String,
    /// `None`: nothing is there.
    pub expected: Option<Value>,
    /// `None`: nothing is there.
    pub found: Option<Value>,
}

/// Every place where `found` is not as `expected`, in the order of the expected value.
pub(super) fn differences(expected: &Value, found: &Value) -> Vec<Difference> {
    let mut all = Vec::new();
    walk("", Some(expected), Some(found), &mut all);
    all
}

pub(super) fn walk(
    path: &str,
    expected: Option<&Value>,
    found: Option<&Value>,
    all: &mut Vec<Difference>,
) {
    match (expected, found) {
        (Some(Value::Object(expected)), Some(Value::Object(found))) => {
            for (name, value) in expected {
                walk(&member(path, name), Some(value), found.get(name), all);
            }
            for (name, value) in found {
                if !expected.contains_key(name) {
                    walk(&member(path, name), None, Some(value), all);
                }
            }
        }
        (Some(Value::Array(expected)), Some(Value::Array(found))) => {
            for at in 0..expected.len().max(found.len()) {
                walk(
                    &format!("{path}[{at}]"),
                    expected.get(at),
                    found.get(at),
                    all,
                );
            }
        }
        (Some(expected), Some(found)) if same(expected, found) => {}
        (expected, found) => all.push(Difference {
            path: path.to_owned(),
            expected: expected.cloned(),
            found: found.cloned(),
        }),
    }
}

/// The path of a member: with a dot where its name allows that.
pub(super) fn member(path: &str, name: &str) -> String {
    let bare = !name.is_empty()
        && name
            .chars()
            .all(|letter| letter.is_alphanumeric() || letter == '_');
    match (bare, path.is_empty()) {
        (true, true) => name.to_owned(),
        (true, false) => format!("{path}.{name}"),
        (false, _) => format!("{path}[{name:?}]"),
    }
}

fn same(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Number(expected), Value::Number(found)) => same_number(expected, found),
        (expected, found) => expected == found,
    }
}

/// As Rhai's `==`: 42 and 42.0 are the same number.
fn same_number(expected: &Number, found: &Number) -> bool {
    expected == found
        || (expected.is_f64() || found.is_f64()) && expected.as_f64() == found.as_f64()
}

/// The differences as lines: the path, what was expected, what was found.
pub(super) fn lines(differences: &[Difference], expected: &str, found: &str) -> Vec<String> {
    let width = expected.chars().count().max(found.chars().count());
    let mut lines = Vec::new();
    for difference in differences.iter().take(MOST) {
        let indent = if difference.path.is_empty() {
            ""
        } else {
            lines.push(format!("{}:", difference.path));
            "  "
        };
        let (left, right) = both(difference);
        lines.push(format!("{indent}{expected:<width$} {left}"));
        lines.push(format!("{indent}{found:<width$} {right}"));
    }
    if differences.len() > MOST {
        lines.push(format!("and {} more places", differences.len() - MOST));
    }
    lines
}

/// Both values as text; long texts from shortly before where they begin to differ.
fn both(difference: &Difference) -> (String, String) {
    let text = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), show);
    let (left, right) = (text(&difference.expected), text(&difference.found));
    if left.chars().count() <= WIDEST && right.chars().count() <= WIDEST {
        return (left, right);
    }
    let common = left.chars().zip(right.chars());
    let common = common.take_while(|(left, right)| left == right).count();
    let from = common.saturating_sub(BEFORE);
    (cut(&left, from), cut(&right, from))
}

fn cut(text: &str, from: usize) -> String {
    let before = if from > 0 { "…" } else { "" };
    let part: String = text.chars().skip(from).take(WIDEST).collect();
    let after = if text.chars().count() > from + WIDEST {
        "…"
    } else {
        ""
    };
    format!("{before}{part}{after}")
}

/// A value as a script would write it, on one line.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::Null => "()".to_owned(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(expected: &Value, found: &Value) -> Vec<String> {
        lines(&differences(expected, found), "expected", "found")
    }

    /// Only the paths that differ are shown, each with both values.
    #[test]
    fn maps_show_the_differing_paths() {
        let expected = json!({"id": 7, "total": 42.5, "items": [{"sku": "a"}, {"sku": "b"}]});
        let found = json!({"id": 7, "total": 41.5, "items": [{"sku": "a"}], "extra": null});
        assert_eq!(
            told(&expected, &found),
            [
                "items[1]:",
                "  expected {\"sku\":\"b\"}",
                "  found    nothing",
                "total:",
                "  expected 42.5",
                "  found    41.5",
                "extra:",
                "  expected nothing",
                "  found    ()",
            ]
        );
    }

    /// A whole number and the same with a fraction of zero are the same; neighbours of 2^53 are not.
    #[test]
    fn numbers_are_compared_by_value() {
        assert!(differences(&json!(42), &json!(42.0)).is_empty());
        assert_eq!(differences(&json!(42), &json!(42.5)).len(), 1);
        let (odd, even) = (9_007_199_254_740_993_i64, 9_007_199_254_740_992_i64);
        assert_eq!(differences(&json!(odd), &json!(even)).len(), 1);
    }

    /// Of long texts the part that differs is shown.
    #[test]
    fn long_texts_are_cut_around_the_difference() {
        let (left, right) = (
            "x".repeat(500) + "left",
            "x".repeat(500) + "right" + "y".repeat(500).as_str(),
        );
        let told = told(&json!(left), &json!(right));
        assert_eq!(told[0], format!("expected …{}left\"", "x".repeat(BEFORE)));
        assert!(told[1].starts_with(&format!("found    …{}right", "x".repeat(BEFORE))));
        assert!(told[1].ends_with('…'));
    }

    /// Names that a path can not hold are quoted; what is too much is counted.
    #[test]
    fn paths_are_readable() {
        assert_eq!(member("value", "content-type"), "value[\"content-type\"]");
        let many: Vec<i32> = (0..50).collect();
        let lines = told(&json!(many), &json!([]));
        assert_eq!(lines.last().map(String::as_str), Some("and 30 more places"));
    }
}
