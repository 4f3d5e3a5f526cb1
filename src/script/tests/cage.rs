//! The limits that `tests/hostile` does not reach: time, panics, and what is allowed up to a limit.

use std::time::Instant;

use super::*;

fn limited(statements: &str, limits: Limits, timeout: Duration) -> Handler {
    let settings = Settings {
        limits,
        timeout,
        ..settings()
    };
    handler_with(&format!("fn handle(msg) {{ {statements} }}"), settings)
}

/// A call that takes too long ends soon after its time, wherever it is, and `try` does not help.
#[test]
fn time_ends_a_call() {
    let limits = Limits {
        operations: u64::MAX,
        ..Limits::default()
    };
    for script in [
        "loop { try { loop {} } catch {} }",
        "[1].map(|x| { loop {} })",
    ] {
        let mut handler = limited(script, limits, Duration::from_millis(20));
        let begun = Instant::now();
        let failure = failed(handler.handle(&record("{}"), 1));
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(failure.reason, "the call took longer than 20ms");
    }
}

/// What closures do counts like everything else.
#[test]
fn closures_share_the_budget_of_the_call() {
    let limits = Limits {
        operations: 3_000,
        ..Limits::default()
    };
    let script = "for i in 0..10 { [0].map(|x| { for j in 0..100 { x += j; } x }); }";
    let mut handler = limited(script, limits, Duration::from_secs(60));
    let failure = failed(handler.handle(&record("{}"), 1));
    assert_eq!(failure.reason, "the call made more than 3000 operations");
}

/// The budget is a call's: a handler never runs out over many messages.
#[test]
fn each_call_has_its_own_budget() {
    let limits = Limits {
        operations: 3_000,
        ..Limits::default()
    };
    let mut handler = limited("for i in 0..500 { i; }", limits, Duration::from_secs(60));
    for _ in 0..50 {
        done(handler.handle(&record("{}"), 1));
    }
}

/// Memory is limited where no single value is large.
#[test]
fn memory_is_limited() {
    let limits = Limits {
        memory: 512 << 10,
        ..Limits::default()
    };
    let script =
        "let a = []; for i in 0..9000 { a.push(`a string of some length, number ${i}, kept`); }";
    let mut handler = limited(script, limits, Duration::from_secs(60));
    let failure = failed(handler.handle(&record("{}"), 1));
    assert_eq!(
        failure.reason,
        "the call used more than 524288 bytes of memory"
    );
    let mut handler = limited(
        script,
        Limits {
            array: 10_000,
            string: 1 << 20,
            memory: 64 << 20,
            ..limits
        },
        Duration::from_secs(60),
    );
    done(handler.handle(&record("{}"), 1));
}

/// A panic costs its message; the next one is handled by a new engine.
#[test]
fn a_panic_is_contained() {
    let mut handler =
        body("if msg.json.bad { try { panic_on_purpose(); } catch { } } emit(\"t\", 1)");
    for _ in 0..3 {
        let failure = failed(handler.handle(&record(r#"{"bad":true}"#), 1));
        assert_eq!(
            failure.reason,
            "a function that the script called panicked: on purpose"
        );
        assert!(handler.effects().no_emits());
        done(handler.handle(&record(r#"{"bad":false}"#), 1));
        assert_eq!(emitted(handler.effects()).len(), 1);
    }
}

/// A record is free for its next use as soon as the call is over, however it ended.
#[test]
fn a_call_lets_go_of_its_record() {
    for script in [
        "let d = msg.json; d.x = d.a;",
        "throw msg.json",
        "msg.json.a.b.c",
        "reject(msg)",
        "panic_on_purpose()",
    ] {
        let mut handler = body(script);
        let mut record = record(r#"{"a":[1]}"#);
        let _ended = handler.handle(&record, 1);
        assert!(Rc::get_mut(&mut record).is_some(), "{script}");
    }
}

/// Expressions as deep as handlers need them compile in every build.
#[test]
fn ordinary_depth_is_allowed() {
    let nested = format!("emit(\"t\", {}1{})", "(1 + ".repeat(20), ")".repeat(20));
    assert_eq!(value(&nested, "{}"), "21");
    let blocks = format!(
        "{}emit(\"t\", 1);{}",
        "if true { ".repeat(10),
        "}".repeat(10)
    );
    assert_eq!(value(&blocks, "{}"), "1");
}
