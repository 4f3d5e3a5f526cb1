//! What a PromQL expression asks for: the names of metrics, with the labels that it expects of them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::exposition::Exposition;

/// Prometheus sets these itself, from its configuration.
const SCRAPE: [&str; 2] = ["job", "instance"];

static METRIC: LazyLock<Regex> =
    LazyLock::new(|| regex(r"\b((?:deliveryd|process)_[a-z0-9_]+|up\b)\s*(?:\{([^}]*)\})?"));
static MATCHER: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"([A-Za-z_][A-Za-z0-9_]*)\s*(?:=~|!~|!=|=)\s*"([^"]*)""#));
static GROUPING: LazyLock<Regex> =
    LazyLock::new(|| regex(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)"));

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|error| panic!("{error}"))
}

/// What is wrong with an expression and the labels that its result is shown by: a metric that is not
/// exposed, a label that it does not have, a value that a label never has.
pub fn complaints(query: &str, shown: &[String], exposed: &Exposition) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut all: BTreeSet<String> = SCRAPE.map(str::to_owned).into();
    let mut metrics = 0;
    for found in METRIC.captures_iter(query) {
        metrics += 1;
        let name = &found[1];
        let mut labels = match exposed.labels_of_sample(name) {
            Some(labels) => labels,
            None if name == "up" => BTreeSet::new(),
            None => {
                complaints.push(format!("{name} is not exposed: {query}"));
                continue;
            }
        };
        labels.extend(SCRAPE.map(str::to_owned));
        let matchers = found.get(2).map_or("", |matchers| matchers.as_str());
        for matcher in MATCHER.captures_iter(matchers) {
            if !labels.contains(&matcher[1]) {
                complaints.push(format!("{name} has no label {}: {query}", &matcher[1]));
            }
        }
        all.extend(labels);
    }
    if metrics == 0 {
        complaints.push(format!("no metric of ours: {query}"));
    }
    let groupings = GROUPING.captures_iter(query);
    let grouped = groupings.flat_map(|found| {
        let labels: Vec<String> = found[1]
            .split(',')
            .map(|label| label.trim().to_owned())
            .collect();
        labels
    });
    for label in grouped.chain(shown.iter().cloned()) {
        if !all.contains(&label) {
            complaints.push(format!("nothing has a label {label}: {query}"));
        }
    }
    complaints
}

/// The labels that a text such as `{{group}} of {{topic}}` or `{{ $labels.group }}` shows.
pub fn shown(text: &str) -> Vec<String> {
    let labels = regex(r"\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}");
    let found = labels.captures_iter(text);
    found.map(|found| found[1].to_owned()).collect()
}

/// What is not there is noticed.
#[test]
fn mistakes_in_queries_are_found() {
    let text = "# HELP deliveryd_a_total Counts a thing.\n# TYPE deliveryd_a_total counter\n\
        deliveryd_a_total{group=\"g\"} 1\n";
    let exposed = Exposition::parse(text);
    let find = |query: &str, legend: &str| complaints(query, &shown(legend), &exposed).len();
    assert_eq!(
        find(
            "sum by (group) (rate(deliveryd_a_total{group=~\"x\"}[5m]))",
            "{{group}}"
        ),
        0
    );
    assert_eq!(
        find(
            "up{job=\"deliveryd\"} == 0",
            "{{ $labels.instance }} {{ $value }}"
        ),
        0
    );
    assert_eq!(find("deliveryd_b_total", ""), 1);
    assert_eq!(find("deliveryd_a_total{topic=\"x\"}", ""), 1);
    assert_eq!(find("sum by (topic) (deliveryd_a_total)", ""), 1);
    assert_eq!(find("deliveryd_a_total", "{{topic}}"), 1);
    assert_eq!(find("vector(1)", ""), 1);
}
