//! What a scraper gets.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::observe::board::{GroupInfo, MemberBoard};
use crate::observe::status::{HandlerStatus, MemberStatus, PartitionStatus};

/// Reads Prometheus' text format strictly: samples by name and labels. Fails on a family that is
/// described twice or split, a sample outside its family, a duplicate, or a counter that does not
/// end in `_total`.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let mut families: BTreeMap<&str, &str> = BTreeMap::new();
    let (mut family, mut kind) = ("", "");
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect(line);
            assert!(help.ends_with('.') && help.len() > 10, "{line}");
            family = name;
        } else if let Some(described) = line.strip_prefix("# TYPE ") {
            let (name, is) = described.split_once(' ').expect(line);
            assert_eq!(name, family, "TYPE follows HELP");
            assert!(families.insert(name, is).is_none(), "{name} twice");
            assert_eq!(is == "counter", name.ends_with("_total"), "{line}");
            kind = is;
        } else {
            let (series, value) = line.rsplit_once(' ').expect(line);
            let name = series.split('{').next().unwrap_or(series);
            let suffix = name.strip_prefix(family).expect(line);
            match kind {
                "histogram" => assert!(matches!(suffix, "_bucket" | "_sum" | "_count"), "{line}"),
                _ => assert_eq!(suffix, "", "{line}"),
            }
            let value: f64 = value.parse().expect(line);
            assert!(
                samples.insert(series.to_owned(), value).is_none(),
                "{line} twice"
            );
        }
    }
    samples
}

fn scrape(metrics: &Metrics) -> BTreeMap<String, f64> {
    parse(&metrics.text(Exposition::Prometheus))
}

fn member_with_partition(board: &Board, number: u32, lag: i64) -> MemberBoard {
    let mut member = board.member("group-1", number, Duration::from_secs(1));
    member.publish(MemberStatus {
        handler_version: "abc".to_owned(),
        oldest_in_flight_seconds: 0.5,
        partitions: vec![PartitionStatus {
            topic: "Delivery".to_owned(),
            partition: 0,
            lag: Some(lag),
            lag_seconds: Some(1.5),
            ..PartitionStatus::default()
        }],
        ..MemberStatus::default()
    });
    member
}

/// Every name of the interface is there, with its labels and its value.
#[test]
fn metrics_have_the_promised_names() {
    let board = Board::new("host-a");
    let handler = HandlerStatus {
        version: "abc".to_owned(),
        error: Some("broken".to_owned()),
        ..HandlerStatus::default()
    };
    board.set_group(
        "group-1",
        GroupInfo {
            handler,
            ..GroupInfo::default()
        },
    );
    let metrics = Metrics::new(&board);
    let _place = member_with_partition(&board, 1, 7);
    let group = metrics.group("group-1");
    let mut member = group.member("group-1-1");
    let topic: Arc<str> = Arc::from("Delivery");
    member.handled(&topic, Outcome::Done).inc_by(60);
    member.handled(&topic, Outcome::DeadLettered).inc_by(2);
    member.of_version("abc").done.inc_by(62);
    member.handler_seconds.observe(0.000_002);
    member.handler_seconds.observe(100.0);
    member.user.count(&Arc::from("orders"), 3);
    member.user.observe(&Arc::from("weight kg"), 2.5);
    group.rebalances.inc();
    group.rebalance_seconds.observe(0.2);
    metrics.producer("random", "Delivery").produced.inc_by(120);
    metrics.reloaded(false);

    // What was gathered in batches is seen after the member's flush, not before.
    let before = scrape(&metrics);
    assert_eq!(
        before[r#"deliveryd_handler_seconds_count{group="group-1"}"#],
        0.0
    );
    member.flush();
    let samples = scrape(&metrics);
    for (series, value) in [
        (
            r#"deliveryd_messages_handled_total{group="group-1",member="group-1-1",topic="Delivery",outcome="done"}"#,
            60.0,
        ),
        (
            r#"deliveryd_messages_handled_total{group="group-1",member="group-1-1",topic="Delivery",outcome="dead_lettered"}"#,
            2.0,
        ),
        (
            r#"deliveryd_messages_produced_total{producer="random",topic="Delivery"}"#,
            120.0,
        ),
        (
            r#"deliveryd_messages_produce_failed_total{producer="random",topic="Delivery"}"#,
            0.0,
        ),
        (
            r#"deliveryd_consumer_lag{group="group-1",topic="Delivery",partition="0"}"#,
            7.0,
        ),
        (
            r#"deliveryd_consumer_lag_seconds{group="group-1",topic="Delivery",partition="0"}"#,
            1.5,
        ),
        (r#"deliveryd_handler_seconds_count{group="group-1"}"#, 2.0),
        (
            r#"deliveryd_handler_seconds_sum{group="group-1"}"#,
            100.000_002,
        ),
        (
            r#"deliveryd_handler_seconds_bucket{le="0.000005",group="group-1"}"#,
            1.0,
        ),
        (
            r#"deliveryd_handler_seconds_bucket{le="30.0",group="group-1"}"#,
            1.0,
        ),
        (
            r#"deliveryd_handler_seconds_bucket{le="+Inf",group="group-1"}"#,
            2.0,
        ),
        (r#"deliveryd_rebalances_total{group="group-1"}"#, 1.0),
        (r#"deliveryd_rebalance_seconds_count{group="group-1"}"#, 1.0),
        (
            r#"deliveryd_oldest_in_flight_seconds{group="group-1",member="group-1-1"}"#,
            0.5,
        ),
        ("deliveryd_config_generation", 1.0),
        (r#"deliveryd_reloads_total{result="ok"}"#, 0.0),
        (r#"deliveryd_reloads_total{result="refused"}"#, 1.0),
        (
            r#"deliveryd_handler_info{group="group-1",version="abc"}"#,
            1.0,
        ),
        (
            r#"deliveryd_handler_members{group="group-1",version="abc"}"#,
            1.0,
        ),
        (
            r#"deliveryd_handler_calls_total{group="group-1",version="abc",result="done"}"#,
            62.0,
        ),
        (
            r#"deliveryd_handler_calls_total{group="group-1",version="abc",result="rejected"}"#,
            0.0,
        ),
        (r#"deliveryd_handler_refused{group="group-1"}"#, 1.0),
        (r#"deliveryd_user_orders_total{group="group-1"}"#, 3.0),
        (
            r#"deliveryd_user_weight_kg_bucket{le="10.0",group="group-1"}"#,
            1.0,
        ),
    ] {
        let found = samples.get(series);
        assert_eq!(found, Some(&value), "{series} in {samples:#?}");
    }
}

/// Gauges go with what they describe; counters stay, and go on when a member of the name returns.
#[test]
fn gauges_leave_and_counters_stay() {
    let board = Board::new("host-a");
    let metrics = Metrics::new(&board);
    let topic: Arc<str> = Arc::from("Delivery");
    let handled = |n| {
        let mut member = metrics.group("group-1").member("group-1-1");
        member.handled(&topic, Outcome::Done).inc_by(n);
    };
    let lag = r#"deliveryd_consumer_lag{group="group-1",topic="Delivery",partition="0"}"#;
    let total = r#"deliveryd_messages_handled_total{group="group-1",member="group-1-1",topic="Delivery",outcome="done"}"#;

    let place = member_with_partition(&board, 1, 7);
    handled(5);
    assert_eq!(scrape(&metrics).get(lag), Some(&7.0));
    board.remove_group("group-1");
    drop(place);
    let samples = scrape(&metrics);
    assert_eq!(samples.get(lag), None);
    assert_eq!(samples.get(total), Some(&5.0));
    handled(2);
    assert_eq!(scrape(&metrics).get(total), Some(&7.0));
}

/// While one member replaces another of its name, the page stays valid.
#[test]
fn replaced_member_gives_no_duplicate_series() {
    let board = Board::new("host-a");
    let metrics = Metrics::new(&board);
    let _old = member_with_partition(&board, 1, 7);
    let _new = member_with_partition(&board, 1, 8);
    scrape(&metrics);
}

/// One name is either counted or observed; the first use decides, whatever the group.
#[test]
fn user_metric_has_one_kind() {
    let metrics = Metrics::new(&Board::new("host-a"));
    let name: Arc<str> = Arc::from("weight");
    let mut one = metrics.group("group-1").member("group-1-1");
    let mut two = metrics.group("group-2").member("group-2-1");
    one.user.count(&name, 1);
    two.user.observe(&name, 1.0);
    two.user.count(&name, 4);
    two.flush();
    let samples = scrape(&metrics);
    assert_eq!(
        samples[r#"deliveryd_user_weight_total{group="group-1"}"#],
        1.0
    );
    assert_eq!(
        samples[r#"deliveryd_user_weight_total{group="group-2"}"#],
        4.0
    );
    assert!(
        !samples
            .keys()
            .any(|series| series.starts_with("deliveryd_user_weight_bucket"))
    );
}

/// Names with quotes, backslashes and line ends are written so that they can be read back.
#[test]
fn label_values_are_escaped() {
    let metrics = Metrics::new(&Board::new("host-a"));
    metrics.group("a\"b\\c\nd").rebalances.inc();
    let samples = scrape(&metrics);
    assert_eq!(
        samples[r#"deliveryd_rebalances_total{group="a\"b\\c\nd"}"#],
        1.0
    );
}

/// The process' own figures are there and plausible.
#[test]
fn process_is_measured() {
    let samples = scrape(&Metrics::new(&Board::new("host-a")));
    assert!(samples["process_resident_memory_bytes"] > 1e6);
    assert!(samples["process_cpu_seconds_total"] > 0.0);
    assert!(samples["process_open_fds"] >= 3.0);
    assert!(samples["process_threads"] >= 1.0);
    assert!(samples["process_max_fds"] >= samples["process_open_fds"]);
}

/// OpenMetrics ends as it must.
#[test]
fn openmetrics_is_complete() {
    let text = Metrics::new(&Board::new("host-a")).text(Exposition::OpenMetrics);
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert!(text.contains("# TYPE deliveryd_reloads counter\n"));
}
