//! How a call ends: reject, retry, throw, and the life cycle.

use std::sync::Mutex;

use super::*;

/// `reject` and `retry` end the call whatever `try` stands around them, and discard its emits.
#[test]
fn reject_and_retry_can_not_be_caught() {
    let around =
        |what: &str| format!("emit(\"t\", 1); try {{ {what} }} catch {{ }} emit(\"t\", 2);");
    let mut handler = body(&around("reject(\"no\")"));
    assert_eq!(rejected(handler.handle(&record("{}"), 1)).reason, "no");
    assert!(handler.effects().no_emits());
    let mut handler = body(&around("retry(#{later: true})"));
    assert_eq!(
        failed(handler.handle(&record("{}"), 1)).reason,
        "#{\"later\": true}"
    );
    assert!(handler.effects().no_emits());
}

/// Nor do the closures of native functions swallow them.
#[test]
fn reject_within_a_closure_counts() {
    for script in [
        "[1, 2].map(|x| reject(\"no\"))",
        "[2, 1].sort(|a, b| reject(\"no\"))",
        "[1, 1].dedup(|a, b| reject(\"no\"))",
        "msg.json.for_each(|| reject(\"no\"))",
    ] {
        let mut handler = body(&format!("{script}; emit(\"t\", 1)"));
        assert_eq!(
            rejected(handler.handle(&record("[1]"), 1)).reason,
            "no",
            "{script}"
        );
    }
}

/// `throw` and errors are failures, and can be caught.
#[test]
fn throw_is_a_failure() {
    assert_eq!(
        failed(body("throw \"bad\"").handle(&record("{}"), 1)).reason,
        "bad"
    );
    assert_eq!(
        value("try { throw 5 } catch (e) { emit(\"t\", e) }", "{}"),
        "5"
    );
    assert_eq!(value("try { 1 / 0 } catch { emit(\"t\", 1) }", "{}"), "1");
}

/// The next message is handled as if nothing had been, after any kind of end.
#[test]
fn a_failure_leaves_nothing_behind() {
    let mut handler = body(
        r#"let d = msg.json; d.x = 1; let f = || d.x + 1;
        switch d.how { "throw" => throw "t", "reject" => reject("r"), "loop" => loop {} }
        for i in 0..3 { if i == 1 { return emit("t", f.call()); } }"#,
    );
    for how in ["throw", "reject", "loop"] {
        let outcome = handler.handle(&record(&format!(r#"{{"how":"{how}"}}"#)), 1);
        assert!(!matches!(outcome, Outcome::Done), "{how}");
        done(handler.handle(&record(r#"{"how":""}"#), 1));
        assert_eq!(emitted(handler.effects())[0].2.as_deref(), Some("2"));
    }
}

/// `return` ends a call well, and so does `exit`.
#[test]
fn an_early_return_is_done() {
    assert_eq!(
        value("emit(\"t\", 1); if true { return; } emit(\"t\", 2)", "{}"),
        "1"
    );
    assert_eq!(value("emit(\"t\", 1); exit(); emit(\"t\", 2)", "{}"), "1");
}

/// The life-cycle functions are called with what happened; a script without them is fine.
#[test]
fn the_life_cycle_is_called() {
    let mut handler = handler(
        r#"fn handle(m) {} fn on_start() { emit("t", 1) } fn on_stop() { emit("t", 2) }
        fn on_assign(p) { emit("t", p) } fn on_revoke(p) { emit("t", p[0].topic) }
        fn on_failed(msg, reason) { emit("t", `${reason} ${msg.offset} ${msg.json.a}`) }"#,
    );
    let mut expect = |outcome: fn(&mut Handler) -> Outcome, value: &str| {
        done(outcome(&mut handler));
        assert_eq!(emitted(handler.effects())[0].2.as_deref(), Some(value));
    };
    expect(|handler| handler.on_start(), "1");
    expect(
        |handler| handler.on_assign(&[("T".into(), 3)]),
        r#"[{"partition":3,"topic":"T"}]"#,
    );
    expect(|handler| handler.on_revoke(&[("T".into(), 3)]), "T");
    expect(
        |handler| handler.on_failed(&record(r#"{"a":5}"#), 2, "why"),
        "why 4711 5",
    );
    expect(|handler| handler.on_stop(), "2");
    let mut silent = body("");
    done(silent.on_start());
    done(silent.on_failed(&record("x"), 1, "why"));
}

/// A log line carries group, member, topic, partition and offset.
#[test]
fn log_lines_carry_the_message() {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .without_time()
        .with_max_level(tracing::Level::DEBUG)
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let mut handler =
            body("print(msg.json.a); debug(1); info([2]); warn(\"w\"); error(#{e: 1})");
        done(handler.handle(&record(r#"{"a":{"b":1}}"#), 1));
    });
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let who = "group=\"group-1\" member=\"group-1-2\" topic=\"Delivery\" partition=1 offset=4711";
    let expected = [
        (" INFO", "{\"b\":1}"),
        ("DEBUG", "1"),
        (" INFO", "[2]"),
        (" WARN", "w"),
        ("ERROR", "#{\"e\": 1}"),
    ]
    .map(|(level, message)| format!("{level} handler: {message} {who}"));
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}
