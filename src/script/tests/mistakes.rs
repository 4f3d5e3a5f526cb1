//! Mistakes in a script, as the user reads them.

use super::*;
use crate::diagnostic::Place;

/// A diagnostic in the form of the documentation, its file's name only.
fn shown(diagnostic: &Diagnostic) -> String {
    let mut text = diagnostic.message.clone();
    if let Place::File {
        path,
        line,
        column,
        text: source,
        width,
    } = &diagnostic.place
    {
        let file = Path::new(path)
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let mark = format!("{}{}", " ".repeat(column - 1), "^".repeat(*width));
        text += &format!(
            "\n{file}:{line}:{column}\n{source}\n{mark} {}",
            diagnostic.label
        );
    }
    for hint in &diagnostic.hints {
        text += &format!("\n= {hint}");
    }
    text
}

fn when_loaded(text: &str) -> String {
    let folder = folder(&[("handler.rhai", text)]);
    let mistakes = load(folder.path(), Kind::Consumer).unwrap_err();
    mistakes.iter().map(shown).collect::<Vec<_>>().join("\n")
}

fn when_run(text: &str) -> String {
    let failure = failed(handler(text).handle(&record(r#"{"a":{"b":1}}"#), 1));
    shown(&failure.diagnostic.unwrap())
}

/// Arithmetic on a missing field names the field.
#[test]
fn arithmetic_on_a_missing_field_names_it() {
    assert_eq!(
        when_run("fn handle(msg) {\n    let d = msg.json;\n    let kg = d.weight_kg * 1000;\n}"),
        "`weight_kg` is missing\nhandler.rhai:3:16\n    let kg = d.weight_kg * 1000;\n               ^^^^^^^^^ number expected, found ()\n= where it may be missing, write `(d.weight_kg ?? 0)` or whatever it should be then"
    );
    assert_eq!(
        when_run("fn handle(msg) {\n    let x = 1.5 + msg.json.a.c;\n}"),
        "`c` is missing\nhandler.rhai:2:30\n    let x = 1.5 + msg.json.a.c;\n                             ^ number expected, found ()\n= where it may be missing, write `(msg.json.a.c ?? 0)` or whatever it should be then"
    );
}

/// A constant of the file is named with its `global::`.
#[test]
fn a_constant_of_the_file_is_named_as_it_is_written() {
    assert_eq!(
        when_run("const NUM = 5;\nfn handle(msg) {\n    for x in global::NUM {}\n}"),
        "`for` can't go through `global::NUM`\nhandler.rhai:3:14\n    for x in global::NUM {}\n             ^^^^^^^^^^^ not an array; perhaps it is missing\n= where it may be missing, write `global::NUM ?? []`\n= an array, a range, a string's `chars()` or a map's `keys()` can be gone through"
    );
}

/// A field of a missing value names what is missing.
#[test]
fn a_field_of_a_missing_value_names_it() {
    assert_eq!(
        when_run("fn handle(msg) {\n    let x = msg.json.address.city;\n}"),
        "`address` is missing\nhandler.rhai:2:22\n    let x = msg.json.address.city;\n                     ^^^^^^^ map expected before `.city`, found ()\n= where it may be missing, write `msg.json.address?.city`"
    );
}

/// A misspelt field of `msg` is found when the handler is loaded, also where a helper asks for it.
#[test]
fn a_misspelt_field_of_msg_is_found_early() {
    assert_eq!(
        when_loaded("fn handle(m) {\n    print(m.ofset);\n}"),
        "a message has no field `ofset`\nhandler.rhai:2:13\n    print(m.ofset);\n            ^^^^^ no such field\n= did you mean `offset`?"
    );
    assert_eq!(
        when_loaded("fn f(x) { x.ofset }\nfn handle(m) { f(m) }"),
        "a message has no field `ofset`\nhandler.rhai:1:13\nfn f(x) { x.ofset }\n            ^^^^^ no such field\n= did you mean `offset`?"
    );
}

/// A reserved word as a field's name says how to write it.
#[test]
fn a_reserved_word_says_how_to_write_it() {
    for word in ["default", "new", "for", "in", "match", "switch"] {
        let column = 22 + word.len();
        let mark = "^".repeat(word.len());
        assert_eq!(
            when_loaded(&format!(
                "fn handle(msg) {{\n    let x = msg.json.{word};\n}}"
            )),
            format!(
                "`{word}` is a word of the language and can't follow a dot\nhandler.rhai:2:22\n    let x = msg.json.{word};\n{}{mark} reserved word\n= write `msg.json[\"{word}\"]`",
                " ".repeat(21)
            ),
            "{column}"
        );
    }
}

/// An error in a module shows the module's line.
#[test]
fn an_error_in_a_module_shows_its_line() {
    let folder = folder(&[
        (
            "handler.rhai",
            "import \"money\" as money;\nfn handle(msg) { money::total(msg.json) }",
        ),
        (
            "money.rhai",
            "// sums up\nfn sum(d) { d.price * 2 }\nfn total(d) { sum(d) }",
        ),
    ]);
    let program = Arc::new(load(folder.path(), Kind::Consumer).unwrap());
    let mut handler = Handler::new(&program, settings()).unwrap();
    let failure = failed(handler.handle(&record("{}"), 1));
    assert_eq!(
        shown(&failure.diagnostic.unwrap()),
        "`price` is missing\nmoney.rhai:2:15\nfn sum(d) { d.price * 2 }\n              ^^^^^ number expected, found ()\n= where it may be missing, write `(d.price ?? 0)` or whatever it should be then"
    );
}

/// `reject` in a module shows the module's line too.
#[test]
fn a_rejection_in_a_module_shows_its_line() {
    let folder = folder(&[
        (
            "handler.rhai",
            "import \"m\" as m;\nfn handle(msg) { m::f() }",
        ),
        ("m.rhai", "\n\nfn f() { reject(\"no\") }"),
    ]);
    let program = Arc::new(load(folder.path(), Kind::Consumer).unwrap());
    let mut handler = Handler::new(&program, settings()).unwrap();
    let failure = rejected(handler.handle(&record("{}"), 1));
    assert_eq!(
        shown(&failure.diagnostic.unwrap()),
        "no\nm.rhai:3:10\nfn f() { reject(\"no\") }\n         ^^^^^^ rejected here\n= it is not tried again; `retry(reason)` would have that"
    );
}

/// A misspelt function is found when the handler is loaded, with a suggestion.
#[test]
fn a_misspelt_function_is_found_early() {
    assert_eq!(
        when_loaded("fn handle(msg) { emti(\"t\", 1) }"),
        "there is no function `emti`\nhandler.rhai:1:18\nfn handle(msg) { emti(\"t\", 1) }\n                 ^^^^ no such function\n= did you mean `emit`?"
    );
}

/// A helper that asks for types may be given other things than a message: it is left to the run.
#[test]
fn a_helper_that_asks_for_types_is_left_to_the_run() {
    assert_eq!(
        when_run(
            "fn f(x) { if type_of(x) == \"map\" { x.a } else { x.ofset } }\nfn handle(m) { f(m) }"
        ),
        "a message has no field `ofset`\nhandler.rhai:1:51\nfn f(x) { if type_of(x) == \"map\" { x.a } else { x.ofset } }\n                                                  ^^^^^ no such field\n= did you mean `offset`?"
    );
}

/// A text that does not parse shows where.
#[test]
fn a_syntax_error_shows_where() {
    assert_eq!(
        when_loaded("fn handle(msg) {\n    let x = (1 + ;\n}"),
        "`;` is not expected here\nhandler.rhai:2:18\n    let x = (1 + ;\n                 ^ something is missing before it\n= look at what stands before it: a bracket, a comma or an operator may be missing"
    );
}

/// The top level is checked when a handler is made, with its place.
#[test]
fn a_failing_top_level_shows_where() {
    let program = program(
        "const A = params.rate * 2;\nfn handle(msg) { }",
        Kind::Consumer,
    );
    let Err(mistakes) = Handler::new(&program, settings()) else {
        panic!("it was made");
    };
    assert_eq!(
        shown(&mistakes[0]),
        "`rate` is missing\nhandler.rhai:1:18\nconst A = params.rate * 2;\n                 ^^^^ number expected, found ()\n= where it may be missing, write `(params.rate ?? 0)` or whatever it should be then"
    );
}

/// `params` can not be changed, and the check says so.
#[test]
fn params_can_not_be_changed() {
    assert_eq!(
        when_loaded("fn handle(msg) {\n    params.a.b = 5;\n}"),
        "`params` can't be changed\nhandler.rhai:2:5\n    params.a.b = 5;\n    ^^^^^^ a constant from the config\n= copy it first: `let p = params`"
    );
}

/// Scripts that run are not refused, and not warned of, however they call and name things.
#[test]
fn scripts_that_run_are_not_refused() {
    let working = [
        // Closures in maps and variables.
        "fn handle(msg) { let o = #{add: |x, y| x + y}; emit(\"t\", o.add(1, 2)); }",
        "fn handle(msg) { let o = #{}; o.twice = |x| x * 2; emit(\"t\", o.twice(2)); }",
        "fn handle(msg) { let o = #{}; o[\"twice\"] = |x| x * 2; emit(\"t\", o.twice(2)); }",
        "fn handle(msg) { let o = #{trim: || 5}; let n = o.trim(); emit(\"t\", n); }",
        "fn handle(msg) { let f = |x| x + 1; emit(\"t\", f.call(1)); emit(\"t\", call(f, 1)); }",
        "fn handle(msg) { let f = |x, y| x + y; emit(\"t\", f.curry(1).call(2)); }",
        "fn handle(msg) { let k = msg.key; emit(\"t\", [1].map(|n| [2].map(|m| `${k}${n}${m}`))); }",
        "fn handle(msg) { let n = 0; [1, 2].for_each(|x| n += x); emit(\"t\", n); }",
        "fn handle(msg) { let d = msg.json; emit(\"t\", [1].map(|x| d.a.b + x + msg.offset)); }",
        "fn handle(msg) { emit(\"t\", [1].map(|x| params.x ?? x)); }",
        // Functions by name, as values, as methods.
        "fn f(x) { x + 1 }\nfn handle(msg) { emit(\"t\", Fn(\"f\").call(1)); emit(\"t\", [1].map(f)); }",
        "fn handle(msg) { emit(\"t\", [\"a\"].map(Fn(\"to_upper\"))); }",
        "fn twice() { this * 2 }\nfn handle(msg) { let n = 2; emit(\"t\", n.twice()); }",
        "fn int.twice() { this * 2 }\nfn handle(msg) { let n = 2; emit(\"t\", n.twice()); }",
        "fn place() { this.topic + this.partition }\nfn handle(msg) { emit(\"t\", msg.place()); }",
        "fn f() { x + 1 }\nfn handle(msg) { let x = 1; emit(\"t\", f!()); }",
        "fn emit_all(list) { for x in list { emit(\"t\", x); } }\nfn handle(msg) { emit_all([1]); }",
        "fn trim(x) { x }\nfn handle(msg) { let t = trim(\" a \"); emit(\"t\", t); }",
        "fn handle(msg) { if is_def_fn(\"extra\", 1) { extra(1); } }",
        "fn handle(msg) { if is_def_var(\"extra\") { emit(\"t\", extra); } }",
        // Names that come and go.
        "fn handle(msg) { let msg = msg.json; emit(\"t\", msg.a); }",
        "fn handle(msg) { let m = msg; m = m.json; emit(\"t\", m.a.b); }",
        "fn handle(msg) { for (x, i) in [1, 2] { emit(\"t\", x + i); } }",
        "fn handle(msg) { try { throw 5; } catch (e) { emit(\"t\", e); } }",
        "fn handle(msg) { const T = \"t\"; emit(T, 1); }",
        "const T = \"t\";\nfn handle(msg) { emit(global::T, 1); }",
        "let n = 3;\nconst T = n + 1;\nfn handle(msg) { emit(\"t\", global::T); }",
        "fn f(x) { if type_of(x) == \"i64\" { x } else { x.other } }\nfn handle(msg) { emit(\"t\", f(1)); }",
        "fn handle(msg) { let x = switch msg.partition { 1 => \"a\", 2..9 => \"b\", _ => \"c\" }; emit(\"t\", x); }",
        "fn handle(msg) { let n = 0; loop { n += 1; if n > 3 { break; } } emit(\"t\", n); }",
        "fn handle(msg) { emit(#{topic: \"t\", value: (), headers: #{a: 1}}); }",
        "fn handle(msg) { let _unused = msg.json; }",
        // What looks like a wasted result and is none.
        "fn handle(msg) { let a = [3, 1]; let b = a.pop(); a.sort(); emit(\"t\", [a, b]); }",
        "fn handle(msg) { let s = \" x \"; if true { s.trim() } emit(\"t\", s); }",
        "fn handle(msg) { let a = [1]; let b = a.remove(0); emit(\"t\", b); }",
        "fn handle(msg) { let d = msg.json; d.a.set(\"c\", 1); emit(\"t\", d); }",
    ];
    for text in working {
        let folder = folder(&[("handler.rhai", text)]);
        let program = load(folder.path(), Kind::Consumer)
            .unwrap_or_else(|mistakes| panic!("{text}\n{mistakes:#?}"));
        let warnings: Vec<String> = program.warnings().iter().map(shown).collect();
        assert!(warnings.is_empty(), "{text}\n{}", warnings.join("\n"));
        let mut handler = Handler::new(&Arc::new(program), settings()).unwrap();
        let outcome = handler.handle(&record(r#"{"a":{"b":1}}"#), 1);
        assert!(matches!(outcome, Outcome::Done), "{text}\n{outcome:#?}");
    }
}

/// Modules that run are not refused either: what they export, import and call back.
#[test]
fn modules_that_run_are_not_refused() {
    let folder = folder(&[
        (
            "handler.rhai",
            "import \"a\" as a;
             fn helper(x) { x + 1 }
             fn handle(msg) {
                 import \"b\" as inner;
                 emit(\"t\", a::one(1) + a::ONE + a::other + a::b::two(2) + inner::two(3));
                 emit(\"t\", a::apply(|x| helper(x)) + a::calls_back(1));
                 let n = 3;
                 emit(\"t\", n.thrice());
                 emit(\"t\", a::place(msg));
             }",
        ),
        (
            "a.rhai",
            "import \"b\" as b;
             export const ONE = 1;
             let hidden = 2;
             export hidden as other;
             const FACTOR = 3;
             fn one(x) { two(x) + global::FACTOR }
             private fn two(x) { b::two(x) }
             fn apply(f) { f.call(1) }
             fn calls_back(x) { helper(x) }
             fn int.thrice() { this * 3 }
             fn place(m) { m.topic }
             fn for_someone_else(x, y) { x }",
        ),
        ("b.rhai", "fn two(x) { x * 2 }"),
    ]);
    let program = load(folder.path(), Kind::Consumer).unwrap_or_else(|m| panic!("{m:#?}"));
    assert_eq!(program.warnings(), []);
    let mut handler = Handler::new(&Arc::new(program), settings()).unwrap();
    done(handler.handle(&record("{}"), 1));
}

/// The config decides which topics are known; a producer's or another group's emit is no loop.
#[test]
fn topics_are_compared_with_the_config() {
    let program = program(
        "fn handle(msg) { emit(\"in\", 1); emit(\"out\", 1); emit(msg.json.to, 1); }",
        Kind::Consumer,
    );
    let warned = |known: &[&str], reads: &[&str]| -> Vec<String> {
        let reads: Vec<String> = reads.iter().map(|topic| (*topic).to_owned()).collect();
        let warnings = program.topic_warnings(&known.iter().copied().collect(), &reads);
        warnings
            .into_iter()
            .map(|warning| warning.message)
            .collect()
    };
    assert_eq!(warned(&["in", "out"], &["other"]), [""; 0]);
    assert_eq!(
        warned(&["in", "out"], &["in"]),
        ["the group itself reads `in`"]
    );
    assert_eq!(
        warned(&["in"], &["other"]),
        ["the config knows no topic `out`"]
    );
}
