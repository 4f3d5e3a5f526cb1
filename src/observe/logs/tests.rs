//! What a reader of the logs gets to see.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::*;
use crate::config::Rotate;

/// Runs `log` under a subscriber whose terminal is a text; returns that text.
fn shown(format: Format, level: &str, log: impl FnOnce(&LogGuard)) -> String {
    seen_by(format, level, false, log)
}

fn seen_by(format: Format, level: &str, colour: bool, log: impl FnOnce(&LogGuard)) -> String {
    let lines = Arc::new(Mutex::new(String::new()));
    let into = Arc::clone(&lines);
    let terminal = Terminal {
        format,
        colour,
        times: false,
        write: Box::new(move |line| {
            into.lock().unwrap().push_str(line);
            Ok(())
        }),
    };
    let (subscriber, guard) = build(level, Some(terminal), None, None, format).unwrap();
    tracing::subscriber::with_default(subscriber, || log(&guard));
    let lines = lines.lock().unwrap();
    lines.clone()
}

fn text(log: impl FnOnce()) -> String {
    shown(Format::Text, "trace", |_| log())
}

/// What a handler prints is a line led by its member and message.
#[test]
fn prints_show_member_and_message() {
    let line = text(|| {
        tracing::info!(
            target: "handler",
            group = "group-1", member = "group-1-1",
            topic = "Delivery", partition = 0_i32, offset = 0_i64,
            "{}", "d-17  {\"id\":1}"
        );
    });
    assert_eq!(line, "group-1-1  Delivery/0@0  d-17  {\"id\":1}\n");
}

/// The same when member and message come from the spans around it.
#[test]
fn prints_find_member_and_message_in_spans() {
    let line = text(|| {
        let member = tracing::info_span!("member", group = "group-1", member = "group-1-1");
        let _member = member.enter();
        let message = tracing::info_span!(
            "message",
            topic = "Delivery",
            partition = 1,
            offset = tracing::field::Empty
        );
        message.record("offset", 4711_i64);
        let _message = message.enter();
        tracing::warn!(target: "handler", "heavy");
        tracing::info!(target: "handler", offset = 4712_i64, "light");
    });
    assert_eq!(
        line,
        "WARN group-1-1  Delivery/1@4711  heavy\ngroup-1-1  Delivery/1@4712  light\n"
    );
}

/// The daemon's lines to people stand alone.
#[test]
fn tellings_are_undecorated() {
    let told = "group-1   0 → group-1-1   1 → group-1-2";
    assert_eq!(
        text(|| tracing::info!(target: TELL, "{told}")),
        format!("{told}\n")
    );
}

/// Everything else has its level, whose it is, the sentence, and its fields.
#[test]
fn other_lines_have_level_place_and_fields() {
    let line = text(|| {
        tracing::warn!(
            group = "group-1",
            member = "group-1-2",
            topic = "Delivery",
            partition = 1,
            offset = 4711_u64,
            attempt = 2,
            reason = "two words",
            name = "plain",
            share = 0.5,
            ok = true,
            "handler failed"
        );
        tracing::info!(target: "librdkafka", producer = "random", "broker down");
        tracing::error!(group = "group-1", "gone");
    });
    assert_eq!(
        line,
        "WARN group-1-2 Delivery/1@4711 handler failed attempt=2 reason=\"two words\" name=plain share=0.5 ok=true\n\
         INFO random librdkafka: broker down\n\
         ERROR group-1 gone\n"
    );
}

/// A handler's mistake is shown with its line and mark below, a hint indented.
#[test]
fn frames_and_hints_follow_their_line() {
    let line = text(|| {
        tracing::warn!(
            member = "group-1-2",
            frame = "  --> handlers/enrich.rhai:14:20\n   |\n14 |   let kg = d.weight_kg * 1000;\n",
            "`weight_kg` is missing"
        );
        tracing::warn!(hint = "is it running?", "no broker at localhost:9092");
    });
    assert_eq!(
        line,
        "WARN group-1-2 `weight_kg` is missing\n\
         \x20 --> handlers/enrich.rhai:14:20\n\
         \x20  |\n\
         14 |   let kg = d.weight_kg * 1000;\n\
         WARN no broker at localhost:9092\n\
         \x20    is it running?\n"
    );
}

/// No payload, field or name reaches the terminal as a control sequence or a second line.
#[test]
fn payloads_can_not_draw_on_the_terminal() {
    let line = text(|| {
        let evil = "\u{1b}]0;owned\u{7}\nERROR forged";
        tracing::info!(target: "handler", member = evil, topic = evil, "{evil}");
        tracing::warn!(reason = evil, frame = evil, hint = evil, "{evil}");
        tracing::info!(target: TELL, "{evil}");
    });
    assert!(!line.contains('\u{1b}'), "{line:?}");
    assert!(!line.contains('\u{7}'), "{line:?}");
    assert!(line.starts_with("\\u{1b}]0;owned\\u{7}\\nERROR forged  "));
}

/// Colour is there when asked for, and only around what is ours.
#[test]
fn colour_frames_level_and_member() {
    let line = seen_by(Format::Text, "info", true, |_| {
        tracing::warn!(member = "m-1", "text");
    });
    assert_eq!(
        line,
        "\u{1b}[33mWARN\u{1b}[0m \u{1b}[36mm-1\u{1b}[0m text\n"
    );
}

/// One JSON object a line, with the same facts as fields of their own types.
#[test]
fn json_lines_are_objects_with_fields() {
    let line = shown(Format::Json, "info", |_| {
        let span = tracing::info_span!("member", group = "group-1", member = "group-1-1");
        let _span = span.enter();
        tracing::warn!(
            topic = "Delivery",
            partition = 0,
            offset = 3_i64,
            attempt = 2,
            level = "mine",
            "a\n\"b\""
        );
    });
    assert_eq!(line.matches('\n').count(), 1);
    let object: serde_json::Value = serde_json::from_str(&line).unwrap();
    let time = object["timestamp"].as_str().unwrap();
    assert!(time.parse::<jiff::Timestamp>().is_ok() && time.ends_with('Z'));
    let mut rest = object.clone();
    rest.as_object_mut().unwrap().remove("timestamp");
    assert_eq!(
        rest,
        serde_json::json!({
            "level": "warn", "target": module_path!(), "message": "a\n\"b\"",
            "group": "group-1", "member": "group-1-1",
            "topic": "Delivery", "partition": 0, "offset": 3,
            "attempt": 2, "field.level": "mine",
        })
    );
}

/// The level changes while it runs, and a wrong one changes nothing.
#[test]
fn level_changes_while_running() {
    let lines = shown(Format::Text, "info", |guard| {
        tracing::debug!("hidden");
        guard.set_level("warn,deliveryd::observe=debug").unwrap();
        tracing::debug!("shown");
        tracing::info!(target: "other", "hidden");
        let error = guard.set_level("inof").unwrap_err().to_string();
        assert!(error.starts_with("`inof` is no log level"), "{error}");
        tracing::debug!("still shown");
    });
    assert_eq!(lines, "DEBUG shown\nDEBUG still shown\n");
}

/// Levels, and lists of modules with theirs, are levels; anything else is not.
#[test]
fn levels_are_checked() {
    for good in [
        "info",
        "WARN",
        "off",
        "info,deliveryd::member=debug",
        "librdkafka=error",
    ] {
        assert!(check_level(good).is_ok(), "{good}");
    }
    for bad in ["", "loud", "info,loud", "a=loud"] {
        assert!(check_level(bad).is_err(), "{bad}");
    }
}

fn config(file: Option<&Path>, level: &str) -> Log {
    Log {
        level: level.to_owned(),
        file: file.map(Path::to_owned),
        rotate: Rotate::Never,
        keep: 7,
    }
}

/// A reload opens another file and closes the old one; each has its lines, with their times.
#[test]
fn file_changes_on_reload() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("a.log"), dir.path().join("b.log"));
    shown(Format::Text, "info", |guard| {
        guard.apply(&config(Some(&first), "info")).unwrap();
        tracing::info!(target: TELL, "one\n  and a half");
        guard.apply(&config(Some(&second), "info")).unwrap();
        tracing::warn!("two");
        let unwritable = config(Some(&first.join("x")), "error");
        assert!(guard.apply(&unwritable).is_err());
        tracing::warn!("three");
        guard.apply(&config(None, "info")).unwrap();
        tracing::warn!("four");
    });
    let lines = |path: &Path| -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text.lines().map(|line| {
            let (time, rest) = line.split_once(' ').unwrap();
            time.parse::<jiff::Timestamp>().unwrap();
            rest.to_owned()
        });
        lines.collect()
    };
    assert_eq!(lines(&first), ["one", "  and a half"]);
    assert_eq!(lines(&second), ["WARN two", "WARN three"]);
}
