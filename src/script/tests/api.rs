//! What a script can call: told as it is, and as it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::OnceLock;

use rhai::Engine;

use super::*;
use crate::script::api::catalog::{Entry, FormKind, catalog};
use crate::script::state::State;
use crate::script::{engine, guide};

/// A state that belongs to no member.
fn state() -> Rc<State> {
    State::new(settings().caller, Limits::default(), None, None)
}

/// Every function that a script can call, Rhai's own among them, with the numbers of arguments that
/// it takes; a method's object counts as its first. Operators and fields are not among them.
///
/// `sleep` is among them: it is there to be refused with a reason when it is called.
fn callable() -> &'static BTreeMap<String, BTreeSet<usize>> {
    static CALLABLE: OnceLock<BTreeMap<String, BTreeSet<usize>>> = OnceLock::new();
    CALLABLE.get_or_init(|| {
        let mut engine = engine::bare(&Limits::default());
        crate::script::json::register(&mut engine, Limits::default().string, &Rc::default());
        crate::script::api::register(&mut engine, &state());
        let mut callable: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for (name, arguments) in registered(&engine) {
            if rhai::is_valid_function_name(&name) {
                callable.entry(name).or_default().insert(arguments);
            }
        }
        for (name, arguments) in KEYWORDS {
            let arguments = arguments.clone();
            callable
                .entry((*name).to_owned())
                .or_default()
                .extend(arguments);
        }
        callable
    })
}

/// Most arguments that a call of a function pointer is followed to.
const MOST: usize = 20;

/// Functions that are part of the language: the parser knows them, and no module has them.
const KEYWORDS: &[(&str, RangeInclusive<usize>)] = &[
    ("print", 0..=1),
    ("debug", 0..=1),
    ("type_of", 1..=1),
    ("Fn", 1..=1),
    ("call", 1..=MOST),
    ("curry", 1..=MOST),
    ("is_shared", 1..=1),
    ("is_def_var", 1..=1),
    ("is_def_fn", 2..=3),
    ("contains", 2..=2),
];

/// Name and number of arguments of everything that an engine's modules hold.
fn registered(engine: &Engine) -> BTreeSet<(String, usize)> {
    let functions = engine.collect_fn_metadata(
        None,
        |function| {
            let metadata = function.metadata;
            Some((metadata.name.to_string(), metadata.num_params))
        },
        true,
    );
    functions.into_iter().collect()
}

/// Name and number of arguments of what a member's engine has and Rhai alone has not.
fn own_functions() -> BTreeSet<(String, usize)> {
    let mut engine = engine::bare(&Limits::default());
    let rhai = registered(&engine);
    crate::script::json::register(&mut engine, Limits::default().string, &Rc::default());
    crate::script::api::register(&mut engine, &state());
    let all = registered(&engine);
    all.difference(&rhai).cloned().collect()
}

/// As the engine knows a form.
fn known_as(entry: &Entry) -> impl Iterator<Item = (String, usize)> {
    entry.forms.iter().filter_map(|form| {
        let arguments = form.parameters().count();
        match form.kind {
            FormKind::Function => Some((entry.name.to_owned(), arguments)),
            FormKind::Field => Some((format!("get${}", entry.name), arguments)),
            FormKind::Index => Some(("index$get$".to_owned(), arguments)),
            FormKind::Constant | FormKind::Module => None,
        }
    })
}

/// Nothing that a script can call is left untold.
#[test]
fn every_function_is_documented() {
    let told: BTreeSet<(String, usize)> = catalog().iter().flat_map(known_as).collect();
    for (name, arguments) in own_functions() {
        // A field that can be set is told with the field; JSON is indexed as Rhai's maps are; and
        // `sleep` is there to be refused.
        let getter = name
            .strip_prefix("set$")
            .map(|field| format!("get${field}"));
        let (name, arguments) = match getter {
            Some(getter) => (getter, arguments - 1),
            None => (name, arguments),
        };
        let known = told.contains(&(name.clone(), arguments)) || name == "index$set$";
        assert!(
            known || name == "sleep",
            "{name} with {arguments} arguments is not documented"
        );
    }
}

/// What is told can be called, with as many arguments.
#[test]
fn every_documented_function_is_there() {
    let mut engine = engine::bare(&Limits::default());
    crate::script::json::register(&mut engine, Limits::default().string, &Rc::default());
    crate::script::api::register(&mut engine, &state());
    let there = registered(&engine);
    for entry in catalog() {
        assert!(!entry.forms.is_empty(), "{} has no form", entry.name);
        for (name, arguments) in known_as(entry) {
            let keyword = callable()
                .get(&name)
                .is_some_and(|all| all.contains(&arguments));
            assert!(
                keyword || there.contains(&(name.clone(), arguments)),
                "{name} with {arguments} arguments is documented, and not there"
            );
        }
        for form in &entry.forms {
            let begins = match form.kind {
                FormKind::Index => "[](".to_owned(),
                FormKind::Constant => format!("{}:", entry.name),
                FormKind::Module => format!("{}::", entry.name),
                FormKind::Function | FormKind::Field => format!("{}(", entry.name),
            };
            assert!(form.signature.starts_with(&begins), "{}", form.signature);
        }
    }
}

/// Rhai's own functions are told too, each with the numbers of arguments that it takes.
#[test]
fn every_function_of_rhai_is_documented() {
    let told: BTreeSet<(String, usize)> = guide::everything().flat_map(known_as).collect();
    // As many arguments as the function that is called takes.
    let open = ["call", "curry"];
    for (name, all) in callable() {
        let refused = name == "sleep";
        for arguments in all
            .iter()
            .filter(|_| !refused && !open.contains(&name.as_str()))
        {
            assert!(
                told.contains(&(name.clone(), *arguments)),
                "{name} with {arguments} arguments is not documented"
            );
        }
    }
    for (name, arguments) in told.iter().filter(|(name, _)| !name.contains('$')) {
        let known = callable()
            .get(name)
            .is_some_and(|all| all.contains(arguments));
        assert!(
            known,
            "{name} with {arguments} arguments is documented, and not there"
        );
    }
}

/// The message that the examples are run with.
fn sample() -> Rc<Record> {
    let value =
        r#"{"id":7,"city":"Lyon","weight_kg":12.5,"default":"x","items":[{"sku":"a","qty":2}]}"#;
    let headers: [(&str, &[u8]); 3] = [
        ("content-type", b"application/json"),
        ("via", b"a"),
        ("via", b"b"),
    ];
    record_of(Some(b"d-17"), Some(value.as_bytes()), &headers)
}

/// An example as a handler that fails where a line does not give what it says.
fn as_handler(example: &str) -> String {
    if example.starts_with("const ") {
        return format!("{example}\nfn handle(msg) {{ }}");
    }
    let lines = example.lines().map(|line| match line.split_once("// → ") {
        Some((expression, expected)) => format!(
            "{{ let got = {expression}; let wanted = {expected}; \
             if got != wanted {{ throw `gives ${{got}}, not ${{wanted}}`; }} }}"
        ),
        None => line.to_owned(),
    });
    let lines: Vec<String> = lines.collect();
    format!("fn handle(msg) {{\n{}\n}}", lines.join("\n"))
}

/// Every example runs, and gives what it says that it gives.
#[test]
fn every_example_holds() {
    for entry in guide::everything() {
        assert!(!entry.text.is_empty(), "{} has no text", entry.name);
        assert!(!entry.example.is_empty(), "{} has no example", entry.name);
        let mut settings = settings();
        settings.params.insert("currency".into(), "EUR".into());
        let mut handler = handler_with(&as_handler(entry.example), settings);
        match handler.handle(&sample(), 1) {
            Outcome::Done => {}
            other => panic!("the example of {}: {other:#?}", entry.name),
        }
    }
}
