//! Values: defaults, secrets, and everything that is wrong at once.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::{GROUP, Sample};
use crate::config::{
    Brokers, HandlerKind, Limits, Outside, PropertyMistake, PropertyScope, PropertyValue, Rate,
    Start, load,
};
use crate::diagnostic::{Diagnostic, Place};

/// What is not given is what the contract says.
#[test]
fn defaults_are_filled_in() {
    let sample = Sample::new(GROUP).env("XDG_RUNTIME_DIR", "/run/user/7");
    let config = sample.good().config;
    assert_eq!(config.kafka.brokers, Brokers::Embedded);
    assert_eq!(config.daemon.http, Some("127.0.0.1:8660".parse().unwrap()));
    assert_eq!(
        config.daemon.control,
        PathBuf::from("/run/user/7/deliveryd/control.sock")
    );
    assert_eq!(config.daemon.shutdown_timeout, Duration::from_secs(25));
    assert!(!config.daemon.instance.is_empty());
    assert_eq!((config.log.level.as_str(), config.log.keep), ("info", 7));
    let group = &config.groups["group-1"];
    assert_eq!(
        (group.members, group.in_flight, group.buffer),
        (1, 1000, 32 << 20)
    );
    assert_eq!(
        (group.start, group.rate),
        (Start::Earliest, Rate::Unlimited)
    );
    assert_eq!(group.limits, Limits::default());
    assert_eq!(
        group.on_failure.dead_letter_topic("Delivery"),
        "Delivery.dead"
    );
}

/// The control socket is in the service's runtime directory, else the user's, else under /tmp.
#[test]
fn control_socket_follows_the_runtime_directory() {
    let control = |sample: Sample| sample.good().config.daemon.control;
    let service = Sample::new("")
        .env("RUNTIME_DIRECTORY", "/run/deliveryd:/run/other")
        .env("XDG_RUNTIME_DIR", "/run/user/7");
    assert_eq!(
        control(service),
        PathBuf::from("/run/deliveryd/control.sock")
    );
    let nowhere = control(Sample::new(""));
    assert!(nowhere.starts_with("/tmp"), "{nowhere:?}");
}

/// Secrets come from variables, files and systemd's credentials, without the newline at the end of a file.
#[test]
fn secrets_are_fetched() {
    let sample = Sample::new(
        r#"
        [kafka.properties]
        "sasl.password" = { env = "PASSWORD" }
        "ssl.key.password" = { file = "key" }
        "sasl.username" = { env = "USER_NAME" }
        "ssl.keystore.password" = { credential = "keystore" }
        "#,
    )
    .env("PASSWORD", "hunter2")
    .env("USER_NAME", "me");
    std::fs::write(sample.path("key"), "hunter3\n").unwrap();
    std::fs::write(sample.path("keystore"), "hunter4\n").unwrap();
    let credentials = sample.path("").display().to_string();
    let sample = sample.env("CREDENTIALS_DIRECTORY", &credentials);
    assert!(sample.shown().contains("from credential keystore"));
    let properties = sample.good().config.kafka.properties;
    assert_eq!(
        properties["sasl.password"],
        PropertyValue::Secret("hunter2".into())
    );
    assert_eq!(
        properties["ssl.key.password"],
        PropertyValue::Secret("hunter3".into())
    );
    assert_eq!(
        properties["sasl.username"],
        PropertyValue::Secret("me".into())
    );
    assert_eq!(
        properties["ssl.keystore.password"],
        PropertyValue::Secret("hunter4".into())
    );
}

/// A higher layer can fetch a secret from elsewhere than the file says.
#[test]
fn source_of_a_secret_can_be_overridden() {
    let text = "[kafka.properties]\n\"sasl.password\" = { env = \"PASSWORD\" }\n";
    let sample = Sample::new(text);
    let key = sample.path("key");
    std::fs::write(&key, "hunter3").unwrap();
    let sample = sample.set(&format!(
        "kafka.properties.\"sasl.password\"={{ file = \"{}\" }}",
        key.display()
    ));
    let properties = sample.good().config.kafka.properties;
    assert_eq!(
        properties["sasl.password"],
        PropertyValue::Secret("hunter3".into())
    );
    assert!(sample.shown().contains(&format!("from {}", key.display())));
}

/// A secret that is written plainly is taken and hidden, with a warning that says how to do better.
#[test]
fn plain_secrets_are_hidden_and_warned_about() {
    let sample = Sample::new("[kafka.properties]\n\"sasl.password\" = \"hunter2\"\n");
    let loaded = sample.good();
    assert!(!format!("{:?}", loaded.config).contains("hunter2"));
    let [warning] = &loaded.warnings[..] else {
        panic!("{:?}", loaded.warnings)
    };
    assert!(
        warning.message.contains("secret in a plain file"),
        "{warning:?}"
    );
    assert!(!format!("{warning:?}").contains("hunter2"));
}

/// What the other rooms said, and what they were asked.
#[derive(Default)]
struct Recorder {
    asked: RefCell<Vec<String>>,
}

impl Outside for Recorder {
    fn property(&self, _: PropertyScope, name: &str, _: &str) -> Result<(), PropertyMistake> {
        self.asked.borrow_mut().push(name.into());
        Ok(())
    }
    fn handler(&self, file: &Path, _: HandlerKind, limits: &Limits) -> Vec<Diagnostic> {
        let name = file.file_name().unwrap().to_string_lossy();
        self.asked
            .borrow_mut()
            .push(format!("{name} {}", limits.call_depth));
        vec![Diagnostic {
            message: "this handler is wrong".into(),
            place: Place::Nowhere,
            label: String::new(),
            hints: vec![],
        }]
    }
}

/// Handlers are compiled and properties are checked even where something else is wrong, and a
/// handler's mistake is told once, however many groups have it.
#[test]
fn other_rooms_are_asked_beside_other_mistakes() {
    let second = "[groups.group-2]\ntopics = [\"Delivery\"]\nhandler = \"consume.rhai\"\n";
    let text = format!(
        "{GROUP}members = 0\nlimits.call_depth = 7\nproperties = {{ \"a.b\" = 1 }}\n{second}"
    );
    let outside = Recorder::default();
    let sample = Sample::new(&text);
    let failed = load(&sample.invocation, &outside).err().unwrap();
    assert_eq!(
        *outside.asked.borrow(),
        ["a.b", "consume.rhai 7", "consume.rhai 32"]
    );
    let messages: Vec<_> = failed.mistakes.iter().map(|m| m.message.as_str()).collect();
    assert_eq!(messages, ["`members` can't be 0", "this handler is wrong"]);
}

/// A file that is not there says so, and how to get one.
#[test]
fn missing_file_is_explained() {
    let mut sample = Sample::new("");
    sample.invocation.file = sample.path("none.toml");
    let text = sample.wrong();
    assert!(
        text.contains("no such file") && text.contains("deliveryd config schema"),
        "{text}"
    );
}

/// Parts of names, put together without sense.
fn odd_name() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("GROUPS"),
        Just("group_1"),
        Just("billing"),
        Just("KAFKA"),
        Just("PROPERTIES"),
        Just("members"),
        Just("."),
        Just("\""),
        Just("="),
        Just("__"),
        Just("_"),
        Just("{"),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

const REFERENCE: &str = include_str!("../../../config/reference.toml");

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever variables are named and `--set`s say, there is an answer, and a reason.
    #[test]
    fn odd_variables_and_sets_get_an_answer(name in odd_name(), set in odd_name(), value in "[0-9a-z=\"{}]{0,4}") {
        let sample = Sample::new(GROUP).env(&format!("DELIVERYD_{name}"), &value).set(&set);
        if let Err(failed) = sample.load() {
            prop_assert!(!failed.mistakes.is_empty());
        }
    }

    /// However a file is damaged, there is an answer, and every mark is inside its line.
    #[test]
    fn damaged_files_get_an_answer(
        at in 0..REFERENCE.len(),
        gone in 0usize..12,
        put in "[\\[\\]{}\"'=., \n#a1é\t]{0,6}",
    ) {
        let mut text: Vec<char> = REFERENCE.chars().collect();
        let at = at.min(text.len());
        let end = (at + gone).min(text.len());
        text.splice(at..end, put.chars());
        let sample = Sample::new(&text.into_iter().collect::<String>());
        if let Err(failed) = sample.load() {
            prop_assert!(!failed.mistakes.is_empty());
            for mistake in &failed.mistakes {
                if let Place::File { column, text, .. } = &mistake.place {
                    prop_assert!(*column >= 1 && *column <= text.chars().count() + 1, "{mistake:?}");
                }
            }
        }
    }
}

/// A user's daemons share a directory: one that is not named after the host has a socket of its own.
#[test]
fn control_socket_has_the_instances_name() {
    let user = |toml: &str| Sample::new(toml).env("XDG_RUNTIME_DIR", "/run/user/7");
    let control = |sample: Sample| sample.good().config.daemon.control;
    let named = PathBuf::from("/run/user/7/deliveryd/control-b.sock");
    assert_eq!(control(user("daemon.instance = \"b\"")), named);
    assert_eq!(
        control(user("").env("DELIVERYD_DAEMON__INSTANCE", "b")),
        named
    );
    assert_eq!(
        control(user(
            "daemon.instance = \"b\"\ndaemon.control = \"/x.sock\""
        )),
        PathBuf::from("/x.sock")
    );
    let service = user("daemon.instance = \"b\"").env("RUNTIME_DIRECTORY", "/run/deliveryd");
    assert_eq!(
        control(service),
        PathBuf::from("/run/deliveryd/control.sock")
    );
}

/// A topic that others create has no size here unless one is asked for.
#[test]
fn sizes_of_others_topics_are_left_open() {
    let sample = Sample::new(
        "[topics.theirs]\ncreate = false\n\
         [topics.checked]\ncreate = false\npartitions = 1\n\
         [topics.ours]\n",
    );
    let topics = sample.good().config.topics;
    let sizes = |name: &str| (topics[name].partitions, topics[name].replication);
    assert_eq!(sizes("theirs"), (None, None));
    assert_eq!(sizes("checked"), (Some(1), None));
    assert_eq!(sizes("ours"), (Some(1), Some(1)));
}
