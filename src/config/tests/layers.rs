//! The layers, and what each of them can say.

use super::{GROUP, Sample};
use crate::config::{Brokers, Ordering, PropertyValue, Start};

/// Each layer goes over the ones below it, setting by setting.
#[test]
fn higher_layers_win() {
    let text = format!("{GROUP}members = 2\nin_flight = 5\nordering = \"key\"\n");
    let sample = Sample::new(&text)
        .env("DELIVERYD_GROUPS__GROUP_1__MEMBERS", "3")
        .env("DELIVERYD_GROUPS__GROUP_1__IN_FLIGHT", "6")
        .set("groups.\"group-1\".members=4");
    let group = &sample.good().config.groups["group-1"];
    assert_eq!(
        (group.members, group.in_flight, group.ordering),
        (4, 6, Ordering::Key)
    );
    assert_eq!(group.on_failure.retries, 3);
}

/// Only a variable with `__` is a setting; Kubernetes' own `DELIVERYD_PORT` is none.
#[test]
fn variables_without_levels_are_no_settings() {
    Sample::new(GROUP)
        .env("DELIVERYD_PORT", "tcp://10.0.0.1:8660")
        .env("DELIVERYD_SERVICE_HOST", "10.0.0.1")
        .env("OTHER__THING", "1")
        .good();
}

/// A variable finds a name whose case, `-` and `.` it can not say.
#[test]
fn variables_match_names_leniently() {
    let text = "[topics.\"Orders-eu.v1\"]\n[topics.my__topic]\n";
    let sample = Sample::new(text)
        .env("DELIVERYD_TOPICS__ORDERS_EU_V1__PARTITIONS", "7")
        .env("DELIVERYD_TOPICS__MY__TOPIC__PARTITIONS", "8")
        .env("DELIVERYD_daemon__Http", "off");
    let config = sample.good().config;
    assert_eq!(config.topics.len(), 2);
    assert_eq!(config.topics["Orders-eu.v1"].partitions, Some(7));
    assert_eq!(config.topics["my__topic"].partitions, Some(8));
    assert_eq!(config.daemon.http, None);
}

/// Where two names differ only in what a variable can not say, its exact spelling decides.
#[test]
fn exact_spelling_decides_between_similar_names() {
    let text = "[topics.delivery]\n[topics.Delivery]\n";
    let sample = Sample::new(text).env("DELIVERYD_TOPICS__Delivery__PARTITIONS", "7");
    let topics = sample.good().config.topics;
    assert_eq!(
        (topics["Delivery"].partitions, topics["delivery"].partitions),
        (Some(7), Some(1))
    );
    let sample = Sample::new(text).env("DELIVERYD_TOPICS__DELIVERY__PARTITIONS", "7");
    assert!(sample.wrong().contains("could be `Delivery` or `delivery`"));
}

/// A variable is read as its setting's type: digits stay text where text is wanted.
#[test]
fn variables_are_read_by_type() {
    let text = format!("{GROUP}properties = {{ \"client.rack\" = \"a\" }}\nparams = {{ n = 1 }}\n");
    let sample = Sample::new(&text)
        .env("DELIVERYD_DAEMON__INSTANCE", "007")
        .env("DELIVERYD_DAEMON__HOSTS", "a.example.org, b.example.org")
        .env("DELIVERYD_GROUPS__GROUP_1__STATIC_MEMBERSHIP", "true")
        .env("DELIVERYD_GROUPS__GROUP_1__PROPERTIES__CLIENT_RACK", "1_0")
        .env("DELIVERYD_GROUPS__GROUP_1__PARAMS__N", "2")
        .env("DELIVERYD_GROUPS__GROUP_1__BUFFER", "64MiB")
        .env("DELIVERYD_GROUPS__GROUP_1__LIMITS__STRING", "2048")
        .env("DELIVERYD_GROUPS__GROUP_1__RATE", "unlimited")
        .env("DELIVERYD_GROUPS__GROUP_1__START", "2026-01-31T08:00:00Z");
    let config = sample.good().config;
    let group = &config.groups["group-1"];
    assert_eq!(config.daemon.instance, "007");
    assert_eq!(config.daemon.hosts, ["a.example.org", "b.example.org"]);
    assert!(group.static_membership);
    assert_eq!(
        group.properties["client.rack"],
        PropertyValue::Plain("1_0".into())
    );
    assert_eq!(group.params["n"], serde_json::json!(2));
    assert_eq!((group.buffer, group.limits.string), (64 << 20, 2048));
    assert_eq!(group.start, Start::Time(1_769_846_400_000));
}

/// A variable can set a property that the file does not have, since Kafka's names have one form.
#[test]
fn variables_can_add_properties() {
    let sample = Sample::new("").env("DELIVERYD_KAFKA__PROPERTIES__SASL_PASSWORD", "hunter2");
    let config = sample.good().config;
    assert_eq!(
        config.kafka.properties["sasl.password"],
        PropertyValue::Secret("hunter2".into())
    );
}

/// `--set` takes TOML, and text where it is none; it may create tables.
#[test]
fn sets_take_toml_or_text() {
    let sample = Sample::new("[topics.Delivery]\npartitions = 3\n");
    let handler = sample.path("consume.rhai");
    let sample = sample
        .set("kafka.brokers=broker:9092")
        .set("kafka.properties.\"client.rack\"=5")
        .set("daemon.instance=12")
        .set("daemon.hosts=[\"a\", \"b\"]")
        .set("topics.\"orders.v1\".config={ \"retention.ms\" = 5 }")
        .set("groups.billing.topics=Delivery,orders.v1")
        .set(&format!("groups.billing.handler={}", handler.display()))
        .set("groups.billing.params.note=a=b");
    let config = sample.good().config;
    let group = &config.groups["billing"];
    assert_eq!(config.kafka.brokers, Brokers::Servers("broker:9092".into()));
    assert_eq!(config.kafka.properties["client.rack"].expose(), "5");
    assert_eq!(config.daemon.instance, "12");
    assert_eq!(config.daemon.hosts, ["a", "b"]);
    assert_eq!(config.topics["orders.v1"].config["retention.ms"], "5");
    assert_eq!(group.topics, ["Delivery", "orders.v1"]);
    assert_eq!(group.handler, handler);
    assert_eq!(group.params["note"], serde_json::json!("a=b"));
    assert_eq!(group.members, 1);
}

/// The same setting twice: the last `--set` counts.
#[test]
fn last_set_counts() {
    let sample = Sample::new(GROUP)
        .set("groups.group-1.members=4")
        .set("groups.group-1.members=5");
    assert_eq!(sample.good().config.groups["group-1"].members, 5);
}

/// A relative path starts from the file that names it, or from the working directory where a
/// variable or `--set` names it.
#[test]
fn relative_paths_start_where_they_are_named() {
    let sample = Sample::new(&format!("log.file = \"logs/a.log\"\n{GROUP}"));
    let config = sample.good().config;
    assert_eq!(config.log.file, Some(sample.path("logs/a.log")));
    assert_eq!(
        config.groups["group-1"].handler,
        sample.path("consume.rhai")
    );
    let here = std::env::current_dir().unwrap();
    let config = sample.set("log.file=logs/b.log").good().config;
    assert_eq!(config.log.file, Some(here.join("logs/b.log")));
}
