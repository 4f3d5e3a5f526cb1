//! Produce and read: sending and looking without another tool.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::support::case::Case;
use super::support::cli;
use super::{SOON, done, embedded, refused};
use crate::needs_kafka;

/// With a configuration no daemon is needed. Key, value and headers arrive as they were given, a key on
/// the partition where Java's client puts it.
#[test]
fn messages_are_sent_and_read_without_a_daemon() {
    needs_kafka!();
    let case = Case::new("by-hand", 3);
    let setup = case.setup("", "fn handle(msg) {}");
    let config = setup.dir().join("deliveryd.toml");
    let config = config.to_string_lossy();
    let topic = case.topic.as_str();
    let run = |arguments: &[&str], input: &str| {
        let all = [arguments, &["--config", &config]].concat();
        cli::run(setup.dir(), &all, input)
    };
    let one = [
        "produce",
        topic,
        "{\"a\": 1}",
        "--key",
        "k3",
        "--header",
        "kind=x=y",
    ];
    assert_eq!(
        done(run(&one, "")),
        format!("1 message written to {topic}\n")
    );
    let gone = ["produce", topic, "--key", "k3", "--tombstone"];
    done(run(&gone, ""));
    let lines = ["produce", topic, "-", "--key-separator", ":"];
    let input = "k1:eins\nk2:zwei:2\nk3:drei";
    assert_eq!(
        done(run(&lines, input)),
        format!("3 messages written to {topic}\n")
    );
    let part = ["produce", topic, "fest", "--partition", "0"];
    done(run(&part, ""));

    // The probe's own producer chooses by murmur2, as Java's does.
    case.probe.produce(topic, [("k3", "probe")]);
    let found = case.probe.read(topic, 7, SOON);
    let of_k3: Vec<_> = found
        .iter()
        .filter(|m| m.key.as_deref() == Some("k3"))
        .collect();
    let values: Vec<_> = of_k3.iter().map(|m| m.value.as_deref()).collect();
    assert_eq!(
        values,
        [Some("{\"a\": 1}"), None, Some("drei"), Some("probe")]
    );
    assert!(
        of_k3.iter().all(|m| m.partition == of_k3[0].partition),
        "{of_k3:?}"
    );
    assert_eq!(of_k3[0].headers, [("kind".to_owned(), "x=y".to_owned())]);
    let fixed = found.iter().find(|m| m.value.as_deref() == Some("fest"));
    assert_eq!(fixed.map(|m| m.partition), Some(0));

    let printed = done(run(&["read", topic, "--last", "100", "--json"], ""));
    let objects: Vec<serde_json::Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let mut read: Vec<_> = objects
        .iter()
        .map(|m| {
            (
                m["partition"].as_i64(),
                m["offset"].as_i64(),
                m["value"].as_str(),
            )
        })
        .collect();
    read.sort_unstable();
    let expected: Vec<_> = found
        .iter()
        .map(|m| (Some(m.partition.into()), Some(m.offset), m.value.as_deref()))
        .collect();
    assert_eq!(read, expected);
    let last = done(run(&["read", topic, "--last", "1"], ""));
    assert!(
        last.contains("  k3  probe\n") && last.lines().count() == 1,
        "{last}"
    );
    let first = done(run(&["read", topic, "--partition", "0"], ""));
    assert!(
        first
            .lines()
            .all(|line| line.starts_with(&format!("{topic}/0@"))),
        "{first}"
    );

    for (arguments, says) in [
        (&["read", "by-hnd"][..], "has no topic `by-hnd`"),
        (
            &["produce", topic, "x", "--partition", "7"],
            "no partition 7; it has 0 to 2",
        ),
        (
            &["produce", topic, "--key-separator", ":"],
            "line 2: there is no key separator",
        ),
    ] {
        let said = refused(run(arguments, "a:b\nc"));
        assert!(said.contains(says), "{said}");
    }
}

/// On the embedded broker the running daemon says where that is; without a daemon that is told.
#[test]
fn the_embedded_broker_is_found_through_the_daemon() {
    let daemon = embedded();
    done(daemon.command(&["pause", "steady"]));
    let said = done(daemon.command_with_input(&["produce", "Delivery"], "ein Wort\n"));
    assert_eq!(said, "1 message written to Delivery\n");
    let printed = done(daemon.command(&["read", "Delivery", "--last", "1"]));
    assert!(printed.ends_with("  null  ein Wort\n"), "{printed}");
    let near = refused(daemon.command(&["read", "Delivry"]));
    assert!(near.contains("did you mean `Delivery`?"), "{near}");

    // The configuration on disk may be broken meanwhile.
    daemon.edit_config("members = 2", "membres = 2");
    done(daemon.command(&["read", "Delivery"]));
    let config = daemon.dir().join("deliveryd.toml");
    let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let nowhere = directory.path().join("control.sock");
    let (config, nowhere) = (config.to_string_lossy(), nowhere.to_string_lossy());
    daemon.edit_config("membres = 2", "members = 2");
    let arguments = [
        "read",
        "Delivery",
        "--config",
        &config,
        "--control",
        &nowhere,
    ];
    let said = refused(cli::run(daemon.dir(), &arguments, ""));
    assert!(said.contains("no deliveryd answers"), "{said}");
}

/// `--follow` prints what comes after what was there, and ends with its reader.
#[test]
fn what_comes_is_followed() {
    let daemon = embedded();
    let socket = daemon.dir().join("control.sock");
    let mut following = Command::new(env!("CARGO_BIN_EXE_deliveryd"))
        .args(["read", "Delivery", "--last", "1", "--follow", "--control"])
        .arg(&socket)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{error}"));
    let Some(printed) = following.stdout.take() else {
        panic!("no output");
    };
    let mut lines = BufReader::new(printed).lines();
    let mut offsets = std::collections::BTreeMap::<String, Vec<i64>>::new();
    // The producer writes 50 a second.
    for _ in 0..20 {
        let Some(Ok(line)) = lines.next() else {
            panic!("it ended");
        };
        let place = line
            .split("  ")
            .next()
            .and_then(|place| place.split_once('@'));
        let Some((partition, offset)) = place else {
            panic!("{line}");
        };
        let offset = offset
            .parse()
            .unwrap_or_else(|error| panic!("{error}: {line}"));
        offsets
            .entry(partition.to_owned())
            .or_default()
            .push(offset);
    }
    for (partition, offsets) in offsets {
        let gapless = offsets.windows(2).all(|pair| pair[1] == pair[0] + 1);
        assert!(gapless, "{partition}: {offsets:?}");
    }
    drop(lines);
    let ended = following.wait().unwrap_or_else(|error| panic!("{error}"));
    assert!(ended.success(), "{ended}");
}
