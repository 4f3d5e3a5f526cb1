//! The metrics as Prometheus gets them: the format, the names that the README promises, the dashboard and
//! the alert rules that use them, and whether what they say is true.

mod support;

#[path = "metrics/exposition.rs"]
mod exposition;
#[path = "metrics/lag.rs"]
mod lag;
#[allow(dead_code)] // The page's tests use the rest of it.
#[path = "readme/page.rs"]
mod page;
#[path = "metrics/promtool.rs"]
mod promtool;
#[path = "metrics/queries.rs"]
mod queries;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use exposition::Exposition;
use page::{Page, spans};
use support::case::{COPY, Case};
use support::run_dir::repository;
use support::{Setup, http, wait_for};

const SOON: Duration = Duration::from_secs(60);

/// A daemon that does everything that has a metric.
const TOML: &str = r#"
[kafka.properties]
"statistics.interval.ms" = "200"

[topics.Delivery]
partitions = 2
[topics.Copy]
partitions = 1

[producers.random]
topic = "Delivery"
handler = "generate.rhai"
rate = 50.0

[groups.first]
topics = ["Delivery"]
members = 2
handler = "handle.rhai"
[groups.first.on_failure]
retries = 1
backoff = "10ms"
max_backoff = "10ms"
max_share = 1.0
"#;
const GENERATE: &str = "fn generate(n) { #{ key: `${n % 5}`, value: `${n}` } }\n";
const HANDLE: &str = r#"
fn handle(msg) {
    count("seen");
    observe("size_in_bytes", msg.value.len());
    if msg.offset % 10 == 3 { throw "a failure"; }
    emit("Copy", msg.value);
}
"#;

/// Its scrape in both formats: Prometheus' own, and OpenMetrics.
fn scraped() -> &'static (String, String) {
    static SCRAPED: OnceLock<Option<(String, String)>> = OnceLock::new();
    // Once also where it fails: every test would wait as long.
    let scraped = SCRAPED.get_or_init(|| std::panic::catch_unwind(scrape).ok());
    match scraped {
        Some(scraped) => scraped,
        None => panic!("there is no scrape; the first test that wanted one says why"),
    }
}

fn scrape() -> (String, String) {
    let daemon = Setup::new("embedded", TOML)
        .handler("generate.rhai", GENERATE)
        .handler("handle.rhai", HANDLE)
        .start();
    let text = wait_for("all metrics", SOON, || {
        let text = daemon.metrics();
        let read = Exposition::parse(&text);
        let empty = read
            .0
            .iter()
            .filter(|(_, family)| family.samples.is_empty());
        let empty: Vec<&String> = empty.map(|(name, _)| name).collect();
        let answered = |client| {
            let name = "deliveryd_broker_round_trip_seconds";
            read.sum(name, &[("client", client)]) > 0.0
        };
        let given_up = [("outcome", "dead_lettered")];
        let complete = empty.is_empty()
            && answered("consumer")
            && answered("producer")
            && read.sum("deliveryd_messages_handled_total", &given_up) > 0.0
            && read.sum("deliveryd_rebalances_total", &[]) > 0.0
            && read.sum("deliveryd_user_seen_total", &[]) > 0.0
            && read.sum("deliveryd_committed_offset", &[]) > 0.0;
        if complete {
            Ok(text)
        } else {
            Err(format!("empty: {empty:?}\n{text}"))
        }
    });
    let accept = "application/openmetrics-text; version=1.0.0";
    let openmetrics = http::get_accepting(daemon.address(), "/metrics", accept);
    let openmetrics = openmetrics.unwrap_or_else(|error| panic!("{error}"));
    (text, openmetrics.body)
}

fn exposed() -> Exposition {
    Exposition::parse(&scraped().0)
}

/// A strict reader takes the page, and every family has a help text, a base unit and a name by the rules.
#[test]
fn the_page_is_strictly_prometheus() {
    assert_eq!(exposed().complaints(), Vec::<String>::new());
}

/// Prometheus' own tool has nothing to say to it either.
#[test]
fn promtool_finds_nothing_to_complain_of() {
    if promtool::there(module_path!()) {
        assert_eq!(promtool::check_metrics(&scraped().0), "");
    }
}

/// OpenMetrics has the same series, where asked for.
#[test]
fn openmetrics_has_the_same_series() {
    let (prometheus, openmetrics) = scraped();
    let names = |text: &str| -> BTreeSet<String> {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let series = samples.filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned()));
        series
            .filter(|series| !series.starts_with("deliveryd_handler_members"))
            .collect()
    };
    let (old, new) = (names(prometheus), names(openmetrics));
    // More may have come between the two scrapes.
    let missing: Vec<&String> = old.difference(&new).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(openmetrics.ends_with("# EOF\n"));
}

/// The README's table names every metric with its labels, and no other.
#[test]
fn the_readme_names_what_is_exposed() {
    let exposed = exposed();
    let own =
        |name: &&String| name.starts_with("deliveryd_") && !name.starts_with("deliveryd_user_");
    let found: BTreeMap<String, BTreeSet<String>> = exposed
        .0
        .keys()
        .filter(own)
        .map(|name| (name.clone(), exposed.labels(name)))
        .collect();
    let mut told = BTreeMap::new();
    for row in Page::read().rows(&["metric", "labels"]) {
        // What stands in parentheses are values.
        let labels: String = row[1]
            .split('(')
            .map(|part| part.split_once(')').map_or(part, |(_, after)| after))
            .collect();
        let labels: BTreeSet<String> = spans(&labels).into_iter().map(str::to_owned).collect();
        for name in spans(&row[0]) {
            assert!(
                told.insert(name.to_owned(), labels.clone()).is_none(),
                "{name} twice"
            );
        }
    }
    assert_eq!(told, found);
}

/// The labels' values that the README lists are those that come.
#[test]
fn the_readme_lists_the_labels_values() {
    let exposed = exposed();
    for row in Page::read().rows(&["metric", "labels"]) {
        let names = spans(&row[0]);
        let mut rest = row[1].as_str();
        while let Some((before, after)) = rest.split_once(" (`") {
            let (values, further) = after.split_once(')').expect(rest);
            let label = spans(before).last().copied().expect(before).to_owned();
            let listed: BTreeSet<String> = spans(&format!("`{values}"))
                .into_iter()
                .map(str::to_owned)
                .collect();
            let samples = exposed.0[names[0]].samples.iter();
            let come: BTreeSet<String> = samples
                .filter_map(|sample| sample.labels.get(&label).cloned())
                .collect();
            assert_eq!(come, listed, "{} {label}", names[0]);
            rest = further;
        }
    }
}

fn config(name: &str) -> PathBuf {
    repository().join("config").join(name)
}

fn dashboard() -> Value {
    let text = fs::read_to_string(config("grafana-dashboard.json"));
    let text = text.unwrap_or_else(|error| panic!("{error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// (expression, legend) of every panel, variable and annotation.
fn queries_of(dashboard: &Value) -> Vec<(String, String)> {
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut queries = Vec::new();
    for panel in list(&dashboard["panels"]) {
        for target in list(&panel["targets"]) {
            queries.push((text(&target, "expr"), text(&target, "legendFormat")));
        }
    }
    for annotation in list(&dashboard["annotations"]["list"]) {
        queries.push((text(&annotation, "expr"), text(&annotation, "textFormat")));
    }
    for variable in list(&dashboard["templating"]["list"]) {
        let definition = text(&variable, "definition");
        if let Some(inside) = definition.strip_prefix("label_values(") {
            let (metric, label) = inside
                .trim_end_matches(')')
                .rsplit_once(", ")
                .expect(inside);
            queries.push((metric.to_owned(), format!("{{{{{label}}}}}")));
        }
    }
    queries
}

/// Every metric and label that the Grafana dashboard uses is exposed.
#[test]
fn the_dashboard_shows_what_is_exposed() {
    let exposed = exposed();
    let queries = queries_of(&dashboard());
    assert!(queries.len() > 30, "{queries:?}");
    let complaints: Vec<String> = queries
        .iter()
        .flat_map(|(query, legend)| queries::complaints(query, &queries::shown(legend), &exposed))
        .collect();
    assert_eq!(complaints, Vec::<String>::new());
}

/// Prometheus understands every expression of the dashboard.
#[test]
fn prometheus_understands_the_dashboard() {
    if !promtool::there(module_path!()) {
        return;
    }
    let mut rules = "groups:\n- name: dashboard\n  rules:\n".to_owned();
    for (number, (query, _)) in queries_of(&dashboard()).iter().enumerate() {
        let query = query.replace("$__rate_interval", "5m").replace('\'', "''");
        rules += &format!("  - record: dashboard:query_{number}\n    expr: '{query}'\n");
    }
    let file = tempfile::NamedTempFile::new().unwrap_or_else(|error| panic!("{error}"));
    fs::write(file.path(), rules).unwrap_or_else(|error| panic!("{error}"));
    promtool::accepts(&["check", "rules"], file.path());
}

/// Every metric and label that the alert rules use is exposed, and every rule says what is wrong and
/// what to do.
#[test]
fn the_alerts_use_what_is_exposed() {
    let exposed = exposed();
    let text = fs::read_to_string(config("alerts.yml")).unwrap_or_else(|error| panic!("{error}"));
    let file: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}"));
    let rules = file["groups"][0]["rules"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    assert!(rules.len() > 10, "{rules:?}");
    let mut complaints = Vec::new();
    for rule in &rules {
        let annotations = &rule["annotations"];
        let told: Vec<&str> = ["summary", "description"]
            .iter()
            .filter_map(|name| annotations[*name].as_str())
            .collect();
        assert_eq!(told.len(), 2, "{rule}");
        let query = rule["expr"].as_str().unwrap_or_default();
        complaints.extend(queries::complaints(
            query,
            &queries::shown(&told.concat()),
            &exposed,
        ));
    }
    assert_eq!(complaints, Vec::<String>::new());
}

/// The rules are valid, and fire for what they are there for and for nothing else.
#[test]
fn the_alerts_fire_when_they_should() {
    if !promtool::there(module_path!()) {
        return;
    }
    promtool::accepts(&["check", "rules"], &config("alerts.yml"));
    let test = repository().join("tests/metrics/alerts.test.yml");
    promtool::accepts(&["test", "rules"], &test);
}

/// Each message is counted once, whatever is rebalanced, reloaded and taken away meanwhile, and no
/// counter ever goes back.
#[test]
fn counters_are_right_over_rebalances_and_reloads() {
    needs_kafka!();
    let case = Case::new("counters", 4);
    let daemon = case.start("members = 1\nrate = 400.0\n", COPY);
    let mut before = BTreeMap::new();
    let mut look = || {
        let read = Exposition::parse(&daemon.metrics());
        let now = read.rising();
        for (series, value) in &before {
            let later = now.get(series);
            assert!(
                later.is_some_and(|later| later >= value),
                "{series}: {value}, then {later:?}"
            );
        }
        before = now;
        read
    };
    let mut members = 1;
    for (round, next) in [3, 2, 4, 1].into_iter().enumerate() {
        case.fill(0..4, 100);
        look();
        daemon.edit_config(
            &format!("members = {members}"),
            &format!("members = {next}"),
        );
        daemon.reload();
        members = next;
        look();
        let wanted = 400.0 * (round + 1) as f64;
        wait_for("all of the round to be handled", SOON, || {
            let handled = look().sum("deliveryd_messages_handled_total", &[("outcome", "done")]);
            if handled >= wanted {
                Ok(())
            } else {
                Err(format!("{handled} of {wanted}"))
            }
        });
    }
    daemon.edit_config("members = 1", "members = \"none\"");
    daemon.reload();
    case.wait_until_done(SOON);
    let read = look();
    let handled = read.sum(
        "deliveryd_messages_handled_total",
        &[("group", &case.group)],
    );
    assert_eq!(handled, 1600.0);
    assert_eq!(handled, case.copies().len() as f64);
    let calls = read.sum("deliveryd_handler_calls_total", &[("group", &case.group)]);
    assert_eq!(calls, 1600.0);
    assert_eq!(
        read.sum("deliveryd_reloads_total", &[("result", "ok")]),
        4.0
    );
    assert_eq!(
        read.sum("deliveryd_reloads_total", &[("result", "refused")]),
        1.0
    );
    assert!(read.sum("deliveryd_rebalances_total", &[]) >= 5.0);
}

/// A producer's counters go on over a reload that replaces it.
#[test]
fn a_replaced_producer_goes_on_counting() {
    let daemon = Setup::new("embedded", TOML)
        .handler("generate.rhai", GENERATE)
        .handler("handle.rhai", HANDLE)
        .start();
    let produced = || daemon.metric("deliveryd_messages_produced_total", "random");
    wait_for("some messages", SOON, || match produced() {
        some if some >= 20.0 => Ok(()),
        few => Err(format!("{few}")),
    });
    daemon.edit_config("rate = 50.0", "rate = 50.0\nseed = 7");
    let before = produced();
    daemon.reload();
    assert!(produced() >= before);
    wait_for("more messages", SOON, || match produced() {
        more if more >= before + 20.0 => Ok(()),
        few => Err(format!("{few}")),
    });
}
