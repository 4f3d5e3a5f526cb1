//! `emit` in its forms, and the user's metrics.

use super::*;

/// The short form keeps the message's key; a given key replaces it; `()` is no key.
#[test]
fn keys_are_kept_replaced_or_dropped() {
    let script = r#"emit("a", 1); emit("b", "k", 2); emit("c", (), 3); emit("d", ()); emit("e", 7, true);
        emit(#{topic: "f", value: 4}); emit(#{topic: "g", value: 5, key: msg.key})"#;
    let mut handler = body(script);
    done(handler.handle(&record("{}"), 1));
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        emitted(handler.effects()),
        [
            ("a".into(), text("d-17"), text("1")),
            ("b".into(), text("k"), text("2")),
            ("c".into(), None, text("3")),
            ("d".into(), text("d-17"), None),
            ("e".into(), text("7"), text("true")),
            ("f".into(), None, text("4")),
            ("g".into(), text("d-17"), text("5")),
        ]
    );
}

/// The map form sets everything; the trace and deliveryd's own headers go along.
#[test]
fn the_map_form_sets_everything() {
    let script = r#"emit(#{topic: "t", key: "k", value: #{a: 1.0}, partition: 3, timestamp: 99,
        headers: #{one: "1", two: ["2", ()], traceparent: "mine"}});
        emit("u", 1); emit(#{topic: "v", value: 1, headers: msg.headers});"#;
    let mut handler = body(script);
    let headers: &[(&str, &[u8])] = &[
        ("traceparent", b"00-1"),
        ("deliveryd-attempt", b"2"),
        ("other", b"x"),
    ];
    done(handler.handle(&record_of(None, Some(b"{}"), headers), 1));
    let effects = handler.effects();
    let emits: Vec<_> = effects.emits().collect();
    assert_eq!(emits[0].value(), Some(&br#"{"a":1.0}"#[..]));
    assert_eq!(
        (emits[0].partition(), emits[0].timestamp()),
        (Some(3), Some(99))
    );
    let names = |n: usize| -> Vec<(String, Option<String>)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        emits[n]
            .headers()
            .map(|(name, value)| (name.to_owned(), value.map(text)))
            .collect()
    };
    let header = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
    assert_eq!(
        names(0),
        [
            header("one", "1"),
            header("traceparent", "mine"),
            header("two", "2"),
            ("two".to_owned(), None),
            header("deliveryd-attempt", "2"),
        ]
    );
    assert_eq!(
        names(1),
        [
            header("traceparent", "00-1"),
            header("deliveryd-attempt", "2")
        ]
    );
    assert_eq!(names(2).len(), 3);
}

/// Blobs go out raw, and JSON has no place for them.
#[test]
fn blobs_are_raw() {
    let mut handler = body("emit(\"t\", blob(2, 0xfe))");
    done(handler.handle(&record("{}"), 1));
    assert_eq!(
        handler.effects().emits().next().unwrap().value(),
        Some(&[0xfe, 0xfe][..])
    );
    let failure = failed(body("emit(\"t\", [blob(2)])").handle(&record("{}"), 1));
    assert!(
        failure.reason.starts_with("a blob can't be part of JSON"),
        "{failure:?}"
    );
}

/// Wrong emits fail with a sentence that helps, and keep nothing.
#[test]
fn wrong_emits_say_what_is_wrong() {
    for (script, reason) in [
        (
            "emit((), 1)",
            "the topic of `emit` must be a string, not ()",
        ),
        (
            "emit(5, 1)",
            "the topic of `emit` must be a string, not an int",
        ),
        ("emit(\"\", 1)", "the topic of `emit` has an empty name"),
        (
            "emit(5)",
            "`emit` takes a topic and a value, or a map, not an int",
        ),
        ("emit(#{value: 1})", "a message to emit needs `topic`"),
        ("emit(#{topic: \"t\"})", "a message to emit needs `value`"),
        (
            "emit(#{topic: \"t\", value: 1, partiton: 2})",
            "a message to emit has no field `partiton`",
        ),
        (
            "emit(#{topic: \"t\", value: 1, partition: -1})",
            "`partition` of a message to emit can't be `-1`",
        ),
        ("emit(\"t\", [0.0 / 0.0])", "JSON has no number for `NaN`"),
        ("emit(\"t\", #{f: || 1})", "JSON has no form for a function"),
        ("count(\"1x\")", "`1x` is no name for a metric"),
        ("count(\"x\", -1)", "`count` only goes up: -1 is below zero"),
        (
            "observe(\"x\", \"1\")",
            "`observe` takes a number, not a string",
        ),
    ] {
        let mut handler = body(&format!("emit(\"before\", 1); {script}"));
        assert_eq!(failed(handler.handle(&record("{}"), 1)).reason, reason);
        assert!(handler.effects().no_emits(), "{script}");
    }
}

/// Counts and observations are effects like emits.
#[test]
fn metrics_are_effects() {
    let mut handler = body(
        "count(\"seen\"); count(\"kilos\", 12); observe(\"price\", 1.5); observe(\"price\", 2)",
    );
    done(handler.handle(&record("{}"), 1));
    let effects = handler.effects();
    assert_eq!(effects.counts, [("seen".into(), 1), ("kilos".into(), 12)]);
    assert_eq!(
        effects.observations,
        [("price".into(), 1.5), ("price".into(), 2.0)]
    );
}
