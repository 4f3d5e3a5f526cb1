//! Scripts and messages that nobody wrote: loading never panics, calls never panic, and every call
//! ends in one of the outcomes that a caller knows.
//!
//! Some seconds as it is; `DELIVERYD_FUZZ=100` tries a hundred times as much. The JSON view has its
//! own against serde_json, beside it.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use deliveryd::config::{Limits, Params};
use deliveryd::delivery::Record;
use deliveryd::diagnostic::Diagnostic;
use deliveryd::script::{Caller, Generator, Handler, Kind, Outcome, Program, STACK_SIZE, Settings};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// Small, so that an endless loop is over soon.
fn limits() -> Limits {
    Limits {
        operations: 5_000,
        string: 20_000,
        array: 300,
        map: 300,
        memory: 1 << 20,
        ..Limits::default()
    }
}

fn settings() -> Settings {
    Settings {
        caller: Caller {
            group: "group-1".into(),
            member: "group-1-1".into(),
        },
        limits: limits(),
        params: Params::default(),
        timeout: Duration::from_secs(20),
        seed: Some(1),
        compile: true,
    }
}

/// Runs `test` on many values, on a thread with the stack that scripts run with.
fn check<S: Strategy + 'static>(
    cases: u32,
    strategy: impl FnOnce() -> S + Send + 'static,
    test: fn(S::Value) -> Result<(), TestCaseError>,
) {
    let factor = std::env::var("DELIVERYD_FUZZ").map_or(1, |factor| factor.parse().unwrap());
    let run = move || {
        let mut runner = TestRunner::new(Config {
            cases: cases * factor,
            failure_persistence: None,
            ..Config::default()
        });
        if let Err(failure) = runner.run(&strategy(), test) {
            panic!("{failure}");
        }
    };
    let thread = std::thread::Builder::new()
        .stack_size(STACK_SIZE)
        .spawn(run)
        .unwrap();
    assert!(thread.join().is_ok(), "see above");
}

fn load(text: &str) -> Result<Program, Vec<Diagnostic>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("handler.rhai");
    std::fs::write(&file, text).unwrap();
    Program::load(&file, Kind::Consumer, &limits())
}

/// Loads and, where that is possible, calls it.
fn loads_or_says_why(text: String) -> Result<(), TestCaseError> {
    match load(&text) {
        Err(mistakes) => {
            prop_assert!(!mistakes.is_empty());
            for mistake in mistakes {
                prop_assert!(!mistake.message.is_empty());
                prop_assert!(!mistake.message.contains("panic"), "{}", mistake.message);
            }
            Ok(())
        }
        Ok(program) => runs(program),
    }
}

/// Calls it twice with the same message.
fn runs(program: Program) -> Result<(), TestCaseError> {
    let Ok(mut handler) = Handler::new(&Arc::new(program), settings()) else {
        return Ok(());
    };
    let value = r#"{"items":[1,2.5,"x",null,{"y":[]}],"name":"x","big":12345678901234567890}"#;
    let mut record = Record::default();
    record.topic = "Delivery".into();
    record.set_key(Some(b"k"));
    record.set_value(Some(value.as_bytes()));
    record.add_header("h", Some(b"1"));
    let record = Rc::new(record);
    for attempt in 1..=2 {
        ends_well(&handler.handle(&record, attempt))?;
    }
    Ok(())
}

fn ends_well(outcome: &Outcome) -> Result<(), TestCaseError> {
    if let Outcome::Rejected(failure) | Outcome::Failed(failure) = outcome {
        prop_assert!(!failure.reason.is_empty());
        prop_assert!(!failure.reason.contains("panicked"), "{}", failure.reason);
    }
    Ok(())
}

/// Any text is a handler or has a mistake that is told.
#[test]
fn any_text_loads_or_says_why() {
    check(150, || ".{0,200}", loads_or_says_why);
}

/// So is any sequence of the language's words.
#[test]
fn any_words_load_or_say_why() {
    let text = || {
        let words = prop::collection::vec(select(WORDS), 0..60);
        words.prop_map(|words| format!("fn handle(msg) {{ {} }}", words.join(" ")))
    };
    check(400, text, loads_or_says_why);
}

/// A script of valid statements in any order ends in an outcome, whatever it computes.
#[test]
fn any_statements_end_in_an_outcome() {
    check(400, script, loads_or_says_why);
}

type Anything = (
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Vec<(String, Option<Vec<u8>>)>,
    i64,
);

/// Key, value, headers and timestamp; the value often enough JSON of the kind that the examples read.
fn message() -> impl Strategy<Value = Anything> {
    let bytes = || prop::option::of(prop::collection::vec(any::<u8>(), 0..60));
    let number = prop_oneof![
        "-?[0-9]{1,25}",
        r"[0-9]\.[0-9]e[0-9]",
        Just("null".to_owned())
    ];
    let value = prop_oneof![
        number,
        r#""[a-z\u{e9}]{0,4}""#,
        r#"\[(\{"qty":[0-9],"price":[0-9]\})?\]"#,
        Just("{}".to_owned()),
    ];
    let name = select(&["id", "customer", "items", "weight_kg", "city", "status"][..]);
    let members = prop::collection::vec((name, value), 0..6).prop_map(|members| {
        let members = members
            .iter()
            .map(|(name, value)| format!("{name:?}:{value}"));
        Some(format!("{{{}}}", members.collect::<Vec<_>>().join(",")).into_bytes())
    });
    let header = ("[a-z-]{0,12}", bytes());
    let headers = prop::collection::vec(header, 0..3);
    (
        bytes(),
        prop_oneof![bytes(), members],
        headers,
        any::<i64>(),
    )
}

/// No message makes a handler of the examples panic.
#[test]
fn any_message_passes_the_examples() {
    check(120, message, |(key, value, headers, timestamp)| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("handlers");
        let mut record = Record::default();
        record.topic = "Delivery".into();
        record.timestamp = Some(timestamp);
        record.set_key(key.as_deref());
        record.set_value(value.as_deref());
        for (name, value) in &headers {
            record.add_header(name, value.as_deref());
        }
        let record = Rc::new(record);
        for name in ["print_delivery", "filter_and_route", "enrich_total"] {
            let file = folder.join(name).with_extension("rhai");
            let program = Program::load(&file, Kind::Consumer, &Limits::default());
            let program = program.map_err(|why| TestCaseError::fail(format!("{why:?}")))?;
            let handler = Handler::new(&Arc::new(program), settings());
            let mut handler = handler.map_err(|why| TestCaseError::fail(format!("{why:?}")))?;
            ends_well(&handler.handle(&record, 1))?;
            ends_well(&handler.on_failed(&record, 2, "tried"))?;
        }
        Ok(())
    });
}

/// Nor does any number make the example's generator.
#[test]
fn any_number_passes_the_generator() {
    check(60, any::<u64>, |number| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("handlers/random_delivery.rhai");
        let program = Program::load(&file, Kind::Producer, &Limits::default());
        let program = Arc::new(program.map_err(|why| TestCaseError::fail(format!("{why:?}")))?);
        let generator = Generator::new(&program, settings(), "Delivery");
        let mut generator = generator.map_err(|why| TestCaseError::fail(format!("{why:?}")))?;
        ends_well(&generator.generate(number))
    });
}

const WORDS: &[&str] = &[
    "let",
    "x",
    "=",
    "1",
    ";",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "if",
    "else",
    "loop",
    "while",
    "for",
    "in",
    "fn",
    "f",
    "|",
    "||",
    "=>",
    "switch",
    "_",
    ",",
    ".",
    "?.",
    "??",
    "..",
    "..=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "**",
    "<<",
    "!",
    "==",
    "msg",
    "json",
    "this",
    "return",
    "throw",
    "try",
    "catch",
    "import",
    "as",
    "export",
    "const",
    "global::A",
    "`${",
    "`",
    "\"a\"",
    "'c'",
    "#{",
    ":",
    "a",
    "emit",
    "reject",
    "params",
    "Fn",
    "call",
    "curry",
    "is_shared",
    "type_of",
    "1.5e300",
    "0xff",
    "9223372036854775807",
    "true",
    "()",
    "do",
    "until",
    "break",
    "continue",
    "private",
    "//",
    "/*",
    "*/",
    "\n",
    "é",
    "\u{0}",
    "eval",
    "sleep",
    "is",
    "goto",
    "$",
    "@",
];

/// Expressions that most operators and methods can be tried on.
const VALUES: &[&str] = &[
    "a",
    "b",
    "c",
    "m",
    "f",
    "s",
    "n",
    "msg",
    "d",
    "()",
    "true",
    "0",
    "1",
    "-1",
    "3",
    "1.5",
    "9_223_372_036_854_775_807",
    "-9_223_372_036_854_775_808",
    "1.0e308",
    "\"\"",
    "\"abc\"",
    "'x'",
    "[]",
    "[1, [2, \"x\"], #{k: 3}]",
    "#{}",
    "#{a: 1, b: [2]}",
    "blob(5, 7)",
    "|x| x",
    "|x, y| x + y",
    "|x| [x, x]",
    "0..3",
    "1..=9_223_372_036_854_775_807",
    "timestamp()",
    "msg.json",
    "msg.json.items",
    "msg.json?.name",
    "msg.headers",
    "msg.value",
    "d.items[4]",
    "Fn(\"len\")",
    "rand(1, 9)",
];

/// All methods that Rhai and deliveryd give to more than one kind of value, and many that they do not.
const METHODS: &str = "\
    len push pop append insert remove pad split split_rev replace trim chop truncate crop \
    sub_string index_of contains to_chars chars to_upper make_lower to_string to_debug to_int \
    to_float to_json to_blob to_array as_string reverse splice extract map filter reduce \
    reduce_rev find find_map some all dedup zip sort sort_desc order drain retain keys values \
    mixin fill_with set get clear take curry call name get_bit set_bit get_bits set_bits bits \
    sign abs floor round parse_int to_hex elapsed tag is_shared shift sample shuffle write_be \
    parse_le_int write_utf8 to_degrees start end for_each starts_with bytes min max";

const OPERATORS: &[&str] = &[
    "+", "-", "*", "/", "%", "**", "==", "!=", "<", ">=", "&&", "||", "??", "<<", ">>", "&", "|",
    "^", "in", "+=", "-=", "=",
];

fn method() -> impl Strategy<Value = &'static str> {
    select(METHODS.split_whitespace().collect::<Vec<_>>())
}

fn argument() -> impl Strategy<Value = String> {
    select(VALUES).prop_map(str::to_owned)
}

fn statement() -> impl Strategy<Value = String> {
    let place = || select(&["a", "b", "c", "m", "s", "n", "d", "f", "d.items", "m.k"][..]);
    let arguments = || prop::collection::vec(argument(), 0..4).prop_map(|all| all.join(", "));
    prop_oneof![
        4 => (place(), method(), arguments())
            .prop_map(|(place, method, arguments)| format!("{place}.{method}({arguments})")),
        3 => (place(), method(), arguments(), place())
            .prop_map(|(place, method, arguments, to)| format!("{to} = {place}.{method}({arguments})")),
        2 => (place(), select(OPERATORS), argument())
            .prop_map(|(place, operator, value)| format!("{place} {operator} {value}")),
        1 => (place(), argument(), argument())
            .prop_map(|(place, at, value)| format!("{place}[{at}] = {value}")),
        1 => (place(), argument()).prop_map(|(place, value)| format!("let {place} = {value}", place = &place[..1])),
        1 => (place(), place()).prop_map(|(place, other)| format!("{place} = || {other}", other = &other[..1])),
        1 => argument().prop_map(|value| format!("emit(\"t\", {value})")),
        1 => argument().prop_map(|value| format!("print({value})")),
        1 => argument().prop_map(|value| format!("for x in {value} {{ n = x; }}")),
        1 => argument().prop_map(|value| format!("switch {value} {{ 1 => n, 0..5 => s, _ => a }}")),
        1 => argument().prop_map(|value| format!("`${{{value}}}`")),
    ]
}

/// Statements on variables of every kind; each in a `try`, so that one error does not end the rest.
fn script() -> impl Strategy<Value = String> {
    prop::collection::vec((statement(), any::<bool>()), 1..25).prop_map(|statements| {
        let mut text = String::from(
            "fn handle(msg) {\nlet a = [3, 1, 2]; let b = [\"x\", [1], #{k: 1}]; let c = blob(4, 65);\n\
             let m = #{k: 1, l: [1, 2]}; let s = \"some text\"; let n = 7; let d = msg.json; let f = |x| x;\n",
        );
        for (statement, again) in statements {
            text.push_str(&if again {
                format!("for i in 0..20 {{ try {{ {statement}; }} catch {{ }} }}\n")
            } else {
                format!("try {{ {statement}; }} catch {{ }}\n")
            });
        }
        text + "}\n"
    })
}
