//! What the room promises to those who take versions by their tests, and compare versions.

use std::rc::Rc;
use std::time::Instant;

use tempfile::TempDir;

use super::*;
use crate::config::Params;
use crate::delivery::Record;
use crate::diagnostic::Place;
use crate::script::Caller;

const PATIENT: Duration = Duration::from_secs(60);

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn program(folder: &TempDir, name: &str) -> Arc<Program> {
    let file = folder.path().join(name);
    Arc::new(Program::load(&file, Kind::Consumer, &Limits::default()).unwrap())
}

fn messages(mistakes: &[Diagnostic]) -> Vec<&str> {
    let messages = mistakes.iter().map(|mistake| mistake.message.as_str());
    messages.collect()
}

const COPY: &str = "fn handle(msg) { emit(\"Copies\", msg.value); }";

/// A version is tested as it was read, whatever is on disk by now.
#[test]
fn a_version_is_tested_as_it_was_read() {
    let tests = "fn test_copies() { assert_emits(handle(message()), [\"Copies\"]); }";
    let folder = folder(&[("a.rhai", COPY), ("a.test.rhai", tests)]);
    let program = program(&folder, "a.rhai");
    std::fs::write(folder.path().join("a.rhai"), "half wri").unwrap();
    assert_eq!(
        check(&program, &Limits::default(), PATIENT, PATIENT),
        Ok(())
    );
}

/// The tests that fail are told by their names, each with its place; those that pass are not.
#[test]
fn failing_tests_keep_a_version_out() {
    let tests =
        "fn test_good() { }\nfn test_bad() { assert_eq(1, 2); }\nfn test_worse() { fail(\"no\"); }";
    let folder = folder(&[("a.rhai", COPY), ("a.test.rhai", tests)]);
    let program = program(&folder, "a.rhai");
    let check = || check(&program, &Limits::default(), PATIENT, PATIENT);
    let mistakes = check().unwrap_err();
    assert_eq!(
        messages(&mistakes),
        [
            "test_bad failed: the values differ",
            "test_worse failed: no"
        ]
    );
    assert!(matches!(&mistakes[0].place, Place::File { line: 2, .. }));
    assert_eq!(check(), Err(mistakes), "the same mistakes are told once");
}

/// A version without tests, or whose tests do not compile, is not taken untested.
#[test]
fn a_version_without_tests_is_not_taken() {
    let folder = folder(&[
        ("a.rhai", COPY),
        ("b.rhai", COPY),
        ("b.test.rhai", "fn test_x( {"),
    ]);
    let limits = Limits::default();
    let none = check(&program(&folder, "a.rhai"), &limits, PATIENT, PATIENT).unwrap_err();
    assert!(none[0].message.ends_with("a.rhai has no tests"), "{none:?}");
    let broken = check(&program(&folder, "b.rhai"), &limits, PATIENT, PATIENT);
    assert!(broken.is_err());
}

/// All tests together end within their time, however slow each is.
#[test]
fn tests_end_within_their_time() {
    let slow = "fn slow() { let end = now() + 150; while now() < end { } }\n";
    let tests: String = (0..100)
        .map(|n| format!("fn test_{n}() {{ slow(); }}\n"))
        .collect();
    let folder = folder(&[
        ("a.rhai", COPY),
        ("a.test.rhai", &(slow.to_owned() + tests.as_str())),
    ]);
    let limits = Limits {
        operations: u64::MAX,
        ..Limits::default()
    };
    let begun = Instant::now();
    let within = Duration::from_millis(400);
    let mistakes = check(&program(&folder, "a.rhai"), &limits, PATIENT, within).unwrap_err();
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    let last = mistakes.last().map_or("", |last| last.message.as_str());
    assert!(last.contains("took longer than 400ms"), "{last}");
}

/// A test that goes on and on ends at its time, also where it mostly waits for its handler.
#[test]
fn an_endless_test_ends_at_its_time() {
    let slow = "fn handle(msg) { let end = now() + 20; while now() < end { } }";
    let tests = "fn test_a() { loop { } }\nfn test_b() { loop { handle(message()); } }";
    let folder = folder(&[("a.rhai", slow), ("a.test.rhai", tests)]);
    let settings = Settings {
        limits: Limits {
            operations: u64::MAX,
            ..Limits::default()
        },
        test: Duration::from_millis(200),
        ..Settings::default()
    };
    let suite = Suite::load(&folder.path().join("a.test.rhai"), settings).unwrap();
    for name in suite.names() {
        let tested = suite.run(name);
        assert_eq!(
            messages(&tested.failure),
            ["the test took longer than 200ms"]
        );
        assert!(tested.took < Duration::from_secs(10), "{:?}", tested.took);
    }
}

/// Tests run in the order of their file, and none sees what another has set.
#[test]
fn tests_are_apart() {
    let handler = "fn handle(msg) { emit(params.topic ?? \"None\", rand(0, 1_000_000)); }";
    let tests = "
        fn value() { handle(message()).emits[0].value }
        fn test_b() { set_params(#{ topic: \"Set\" }); seed(7); value(); print(value()); }
        fn test_a() { assert_eq(handle(message()).emits[0].topic, \"None\"); print(value()); }
        fn test_c() { handle(message()); print(value()); }";
    let folder = folder(&[("a.rhai", handler), ("a.test.rhai", tests)]);
    let suite = Suite::load(&folder.path().join("a.test.rhai"), Settings::default()).unwrap();
    assert_eq!(suite.names(), ["test_b", "test_a", "test_c"]);
    let printed: Vec<_> = suite.names().iter().map(|name| suite.run(name)).collect();
    assert!(printed.iter().all(Tested::passed), "{printed:?}");
    assert_eq!(
        printed[1].printed, printed[2].printed,
        "the same random values"
    );
    assert_ne!(printed[0].printed, printed[1].printed, "another seed");
}

/// A panic inside a native function fails the test that called it, and the next one runs.
#[test]
fn a_panic_is_contained() {
    let tests = "fn test_a() { panic_on_purpose(); }\nfn test_b() { }\n\
                 fn test_c() { assert_failed(try_handle(message()), \"on purpose\"); }";
    let handler = "fn handle(msg) { panic_on_purpose(); }";
    let folder = folder(&[("a.rhai", handler), ("a.test.rhai", tests)]);
    let suite = Suite::load(&folder.path().join("a.test.rhai"), Settings::default()).unwrap();
    let tested: Vec<Tested> = suite.names().iter().map(|name| suite.run(name)).collect();
    assert!(messages(&tested[0].failure)[0].contains("panicked: on purpose"));
    assert!(tested[1].passed() && tested[2].passed(), "{tested:?}");
}

fn sides(old: &str, new: &str) -> (Side, Side) {
    let folder = folder(&[("old.rhai", old), ("new.rhai", new)]);
    let side = |name| {
        let settings = crate::script::Settings {
            caller: Caller {
                group: "g".into(),
                member: "g-1".into(),
            },
            limits: Limits::default(),
            params: Params::new(),
            timeout: PATIENT,
            seed: Some(3),
            compile: true,
        };
        Side::new(&program(&folder, name), settings).unwrap()
    };
    (side("old.rhai"), side("new.rhai"))
}

fn record(value: &str) -> Rc<Record> {
    let mut record = Record::default();
    record.set_value(Some(value.as_bytes()));
    Rc::new(record)
}

fn compared(old: &str, new: &str, value: &str) -> Comparison {
    let (mut old, mut new) = sides(old, new);
    compare(&mut old, &mut new, &record(value))
}

/// Versions differ in the emits and in how the call ends, and only that is shown.
#[test]
fn versions_differ_in_what_they_do() {
    let old = "fn handle(msg) { let d = msg.json; d.total = d.a; emit(\"T\", d); }";
    let new = "fn handle(msg) { let d = msg.json; if d.a > 5 { reject(\"too much\"); } d.total = d.a * 2; emit(\"T\", d); }";
    let first = compared(old, new, r#"{"a":2,"b":"x"}"#);
    assert!(!first.same() && !first.ends_otherwise());
    assert_eq!(
        first.lines("old", "new"),
        ["emits[0].value.total:", "  old 2", "  new 4"]
    );
    let second = compared(old, new, r#"{"a":7}"#);
    assert!(second.ends_otherwise());
    assert!(
        second
            .lines("old", "new")
            .contains(&"  new \"rejected: too much\"".to_owned())
    );
    assert!(compared(old, new, r#"{"a":0}"#).same());
}

/// What is random or takes the time differs from call to call, and is no difference of versions.
#[test]
fn time_and_chance_are_no_difference() {
    let one = "fn handle(msg) { emit(\"T\", #{ at: now(), id: uuid(), n: 1 }); }";
    let other = "fn handle(msg) { let x = 0; emit(\"T\", #{ at: now(), id: uuid(), n: 1 }); }";
    let (mut old, mut new) = sides(one, other);
    for _ in 0..20 {
        assert!(compare(&mut old, &mut new, &record("{}")).same());
    }
    let third = other.replace("n: 1", "n: 2");
    let differ = compared(one, &third, "{}");
    assert_eq!(differ.lines("old", "new").len(), 3, "{differ:?}");
}

/// Two numbers that a float can not tell apart are two numbers.
#[test]
fn long_numbers_are_compared_digit_by_digit() {
    let copy = "fn handle(msg) { emit(\"T\", msg.json); }";
    let other = "fn handle(msg) { emit(\"T\", #{ n: msg.json.n * 1.0 }); }";
    let differ = compared(copy, other, r#"{"n":12345678901234567890123}"#);
    assert!(!differ.same());
    assert!(compared(copy, copy, r#"{"n":12345678901234567890123}"#).same());
}
