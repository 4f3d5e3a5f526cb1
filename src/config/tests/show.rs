//! `config show`.

use super::{GROUP, Sample};

fn line<'a>(shown: &'a str, start: &str) -> &'a str {
    let mut lines = shown.lines();
    lines
        .find(|line| line.starts_with(start))
        .unwrap_or_else(|| panic!("no {start} in\n{shown}"))
}

/// Every value names the layer it came from.
#[test]
fn values_name_their_layer() {
    let shown = Sample::new(&format!("{GROUP}in_flight = 5\n"))
        .env("DELIVERYD_GROUPS__GROUP_1__MEMBERS", "3")
        .set("groups.group-1.ordering=key")
        .shown();
    assert!(
        line(&shown, "in_flight = 5").ends_with("a.toml:6"),
        "{shown}"
    );
    let members = line(&shown, "members = 3");
    assert!(members.ends_with("# environment variable DELIVERYD_GROUPS__GROUP_1__MEMBERS"));
    assert!(line(&shown, "ordering = \"key\"").ends_with("# --set groups.group-1.ordering"));
    assert!(line(&shown, "guarantee").ends_with("# default"));
}

/// What is not set is said in a comment, with what that means.
#[test]
fn unset_values_are_explained() {
    let shown = Sample::new(GROUP).shown();
    assert!(shown.contains("# file is not set: no log file"), "{shown}");
    assert!(shown.contains("# topic is not set: TOPIC.dead"), "{shown}");
}

/// What is shown is a configuration, and means the same, wherever it lies.
#[test]
fn shown_configuration_means_the_same() {
    let text = format!(
        "{GROUP}params = {{ a = [1, {{ b = \"x # y\" }}], \"c d\" = 2.0 }}\nlimits.array = 5\n\
         [topics.\"orders.v1\"]\nconfig = {{ \"retention.ms\" = 5 }}\n\
         [producers.p]\ntopic = \"orders.v1\"\nhandler = \"produce.rhai\"\ncount = 3\nrate = 0.5\n"
    );
    let sample = Sample::new(&text)
        .set("daemon.http=off")
        .env("XDG_RUNTIME_DIR", "/run/x");
    let again = Sample::new(&sample.shown());
    let (mut first, second) = (sample.good().config, again.good().config);
    first.file = second.file.clone();
    assert_eq!(first, second);
}

/// No secret is shown, however it came in; where it came from is.
#[test]
fn secrets_are_masked() {
    let sample = Sample::new(
        r#"
        [kafka.properties]
        "sasl.password" = "hunter2"
        "ssl.key.password" = { env = "KEY" }
        "sasl.username" = { file = "user" }
        "#,
    )
    .env("KEY", "hunter2")
    .env(
        "DELIVERYD_KAFKA__PROPERTIES__SSL_KEYSTORE_PASSWORD",
        "hunter2",
    );
    std::fs::write(sample.path("user"), "hunter2").unwrap();
    let shown = sample.shown();
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(shown.matches("= \"********\"").count(), 4, "{shown}");
    assert!(line(&shown, "\"ssl.key.password\"").ends_with("from environment variable KEY"));
    assert!(shown.parse::<toml_edit::DocumentMut>().is_ok());
}
